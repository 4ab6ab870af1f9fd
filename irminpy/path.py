"""Paths: tuples of steps, from the root of a tree to one of its entries.

A step is text. Bytes that are not UTF-8 appear in it as surrogate escapes, as Python does it.
Which steps are legal is for a format to say; `check_native_step` is the rule of the native one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from irminpy.errors import InvalidStep

Step: TypeAlias = str
Path: TypeAlias = tuple[str, ...]
PathLike: TypeAlias = str | Sequence[str]

MAX_STEP_BYTES = 4096

_TEXT = {str}
_BINARY = (bytes, bytearray, memoryview)


def as_path(path: PathLike) -> Path:
    """`path` as a tuple of steps: text is split on "/", empty segments dropped; a sequence is taken as it is.

    >>> as_path("//a/b/")
    ('a', 'b')
    """
    if isinstance(path, str):
        return tuple([step for step in path.split("/") if step])
    whole: Any = path
    if type(whole) is tuple and set(map(type, whole)) <= _TEXT:  # pyright: ignore[reportUnknownArgumentType]
        return whole  # pyright: ignore[reportUnknownVariableType]
    # Bytes are a sequence, of integers.
    if not isinstance(path, Sequence) or isinstance(path, _BINARY):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a path is a str or a sequence of str, not {type(path).__name__}")
    steps = tuple(path)
    for step in steps:
        if not isinstance(step, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a step of a path is a str, not {type(step).__name__}")
    return steps


def show(path: Path) -> str:
    """`path` as it is printed: "/a/b", and nothing for the empty path."""
    return "".join([f"/{step}" for step in path])


def join(path: Path) -> str:
    """`path` as text that `as_path` reads back if no step is empty or holds a "/": "a/b"."""
    return "/".join(path)


def cons(step: Step, path: Path) -> Path:
    """`path` with `step` before it."""
    return (step, *path)


def rcons(path: Path, step: Step) -> Path:
    """`path` with `step` after it."""
    return (*path, step)


def decons(path: Path) -> tuple[Step, Path] | None:
    """The first step of `path` and the rest, or None if it is empty."""
    return (path[0], path[1:]) if path else None


def rdecons(path: Path) -> tuple[Path, Step] | None:
    """All but the last step of `path` and that step, or None if it is empty."""
    return (path[:-1], path[-1]) if path else None


def step_bytes(step: Step) -> bytes:
    """The bytes of `step`; InvalidStep if it is not what `step_of_bytes` shows for any bytes."""
    try:
        return step.encode()
    except UnicodeEncodeError:
        pass
    try:
        data = step.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as cause:
        raise InvalidStep(step, "it holds a surrogate that stands for no byte") from cause
    # Two escapes that together are UTF-8 would be a second spelling of a step.
    if data.decode("utf-8", "surrogateescape") != step:
        raise InvalidStep(step, "it escapes bytes that are valid UTF-8")
    return data


def step_of_bytes(data: bytes) -> Step:
    """The step that `data` is shown as; bytes that are not UTF-8 become surrogate escapes."""
    return data.decode("utf-8", "surrogateescape")


def check_native_step(step: Step) -> bytes:
    """The UTF-8 bytes of `step`, if the native format allows it.

    InvalidStep if it is empty, holds NUL, "/" or a surrogate, or has more than 4,096 bytes.
    """
    if not step:
        raise InvalidStep(step, "it is empty")
    if "/" in step or "\0" in step:
        raise InvalidStep(step, 'it holds a "/" or a NUL')
    try:
        data = step.encode()
    except UnicodeEncodeError as cause:
        raise InvalidStep(step, "it holds a surrogate, which no UTF-8 stands for") from cause
    if len(data) > MAX_STEP_BYTES:
        raise InvalidStep(step, f"it has {len(data)} bytes, {MAX_STEP_BYTES} are allowed")
    return data
