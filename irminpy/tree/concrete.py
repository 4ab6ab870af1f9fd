"""Concrete trees: a tree as plain Python values, a dict per directory, and their JSON.

A directory is a dict from step to concrete tree; contents are `ConcreteContents`. For input a directory may
also be a list or tuple of (step, concrete tree) pairs, and contents any bare value that is none of these. No
recursion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, cast

from ..errors import DecodeError, InvalidStep
from ..types import C, M
from .home import Home
from .lazy import Child, Leaf, Stored
from .listing import children
from .stage import Held, Line, Staged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..formats.format import Codec
    from ..schema import Schema

__all__ = [
    "Concrete",
    "ConcreteContents",
    "concrete_of_json",
    "concrete_to_json",
    "of_concrete",
    "to_concrete",
]


@dataclass(frozen=True)
class ConcreteContents(Generic[C, M]):
    """Contents in a concrete tree; `metadata` None stands for the default."""

    value: C
    metadata: M | None = None


Concrete: TypeAlias = "dict[str, Concrete] | ConcreteContents[Any, Any]"
"""What `to_concrete` gives."""


def _bindings(directory: object, codec: Codec) -> Iterator[tuple[str, Any]]:
    """The bindings of a directory as it was given, each checked when it is reached."""
    seen: set[str] = set()
    items: object = cast("dict[str, object]", directory).items() if isinstance(directory, dict) else directory
    for pair in cast("Iterable[object]", items):
        row = cast("Sequence[Any]", pair) if isinstance(pair, list | tuple) else ()
        if len(row) != 2:
            raise _bad(None, "a pair of a step and what it is bound to is expected")
        step, value = row
        codec.steps((step,))
        if step in seen:
            raise InvalidStep(step, f"of_concrete: duplicate bindings for step `{step}`")
        seen.add(step)
        yield step, value


def _is_directory(value: object) -> bool:
    return isinstance(value, dict | list | tuple)


def _parts(value: object) -> tuple[Any, Any]:
    """The value and the metadata of contents as they were given."""
    if not isinstance(value, ConcreteContents):
        return value, None
    whole = cast("ConcreteContents[object, object]", value)
    return whole.value, whole.metadata


def of_concrete(home: Home[Any, Any], concrete: object) -> Stored | Staged | bytes | Leaf:
    """The root of the tree that `concrete` describes, in memory, without its empty directories.

    InvalidStep for an illegal step or one that a directory binds twice, DecodeError for a pair that is none;
    what the contents type raises.
    """
    if not _is_directory(concrete):
        return home.leaf(*_parts(concrete))
    line = Line(home.void)
    codec = home.codec
    top: dict[str, Held] = {}
    # A directory on the way: the bindings left of it, what it holds so far, and the step it will be bound to.
    stack: list[tuple[Iterator[tuple[str, Any]], dict[str, Held], str]] = [
        (_bindings(concrete, codec), top, "")
    ]
    while stack:
        left, now, name = stack[-1]
        for step, value in left:
            if _is_directory(value):
                stack.append((_bindings(value, codec), {}, step))
                break
            now[step] = home.leaf(*_parts(value))
        else:
            stack.pop()
            if stack and now:
                stack[-1][1][name] = Staged(line, None, now, len(now))
    return Staged(line, None, top, len(top)) if top else home.empty()


def to_concrete(home: Home[Any, Any], root: Child) -> Concrete:
    """The concrete form of `root`, sorted by step. Reads all of it, and keeps nothing of what was read."""
    if type(root) is not Stored:
        return _contents(home, root)
    top: dict[str, Concrete] = {}
    stack = [(root, top)]
    while stack:
        directory, out = stack.pop()
        order = home.codec.order
        pairs = sorted(children(directory), key=lambda pair: pair[0] if order is None else order(pair[0]))
        for step, child in pairs:
            if type(child) is Stored:
                below: dict[str, Concrete] = {}
                out[step] = below
                stack.append((child, below))
            else:
                out[step] = _contents(home, child)
    return top


def _contents(home: Home[Any, Any], child: Child) -> ConcreteContents[Any, Any]:
    decode = home.schema.contents.decode
    if type(child) is bytes:
        return ConcreteContents(decode(child))
    assert type(child) is Leaf
    metadata = None if child.metadata is None else home.decode_metadata(child.metadata)
    return ConcreteContents(decode(child.data(cache=False)), metadata)


def concrete_to_json(concrete: object, schema: Schema[Any, Any]) -> dict[str, Any]:
    """`concrete` as JSON: `{"tree": [[step, …], …]}`, or `{"contents": hex}` with `"metadata": hex` if not
    default.

    The digits are those of the canonical bytes of the contents and metadata types. Raises as `of_concrete`.
    """
    home: Home[Any, Any] = Home(schema)
    result: list[Any] = []
    stack: list[tuple[Iterator[tuple[str, Any]], list[Any]]] = []

    def convert(value: Any) -> dict[str, Any]:
        if _is_directory(value):
            rows: list[Any] = []
            stack.append((_bindings(value, schema.codec), rows))
            return {"tree": rows}
        bare, metadata = _parts(value)
        out: dict[str, Any] = {"contents": bytes.hex(schema.contents.encode(bare))}
        encoded = home.encode_metadata(metadata)
        return out if encoded is None else out | {"metadata": bytes.hex(encoded)}

    result.append(convert(concrete))
    while stack:
        left, rows = stack.pop()
        for step, value in left:
            rows.append([step, convert(value)])
    return cast("dict[str, Any]", result[0])


def concrete_of_json(json: object, schema: Schema[Any, Any]) -> Concrete:
    """The concrete tree that `concrete_to_json` turned into `json`; DecodeError for anything else."""
    stack: list[tuple[list[object], dict[str, Concrete]]] = []
    home: Home[Any, Any] = Home(schema)

    def convert(value: object) -> Concrete:
        fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        rows = fields.get("tree")
        if isinstance(rows, list) and len(fields) == 1:
            below: dict[str, Concrete] = {}
            stack.append((cast("list[object]", rows), below))
            return below
        if "contents" in fields and fields.keys() <= {"contents", "metadata"}:
            data = schema.contents.decode(_of_hex(fields["contents"]))
            if "metadata" not in fields:
                return ConcreteContents(data)
            metadata = home.decode_metadata(_of_hex(fields["metadata"]))
            if home.encode_metadata(metadata) is None:
                raise _bad(None, "the default metadata is to be left out")
            return ConcreteContents(data, metadata)
        raise _bad(None, 'an object with "tree", or with "contents", is expected')

    top = convert(json)
    while stack:
        rows, out = stack.pop()
        for row in rows:
            pair = cast("list[object]", row) if isinstance(row, list) else []
            if len(pair) != 2:
                raise _bad(None, "a step and what it is bound to are expected")
            step, value = pair
            if not isinstance(step, str):
                raise _bad(step, "a step is a string")
            try:
                schema.codec.steps((step,))
            except InvalidStep as e:
                raise _bad(step, str(e)) from e
            if step in out:
                raise _bad(step, "a step that is bound twice")
            out[step] = convert(value)
    return top


def _of_hex(value: object) -> bytes:
    if isinstance(value, str):
        try:
            data = bytes.fromhex(value)
        except ValueError:
            pass
        else:
            if data.hex() == value:
                return data
    raise _bad(value, "hexadecimal digits are expected")


def _bad(value: object, reason: str) -> DecodeError:
    # Anything but text may be nested too deeply, or be too long, to print.
    return DecodeError("concrete tree", f"{value!r:.80}: {reason}" if isinstance(value, str) else reason)
