"""Values as bytes, text and JSON: what the command line takes and shows for each type of contents.

In JSON a value of JSON is itself, text a string, a counter a number; bytes are a string if they are UTF-8, else
{"hex": "…"}; a value of msgpack that JSON cannot say is {"msgpack": "…"} with its bytes in hexadecimal digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal, cast

from irminpy.cli.failure import UNSAFE, USAGE, Failure
from irminpy.cli.output import size
from irminpy.contents import Contents
from irminpy.errors import DecodeError

__all__ = ["Form", "brief", "differences", "from_json", "parsed", "rendered", "text_lines", "to_json"]

Form = Literal["raw", "text", "json", "msgpack", "hex"]

_BRIEF = 48  # characters of a value on a line
_LINES = 5_000  # lines of a text that is compared line by line
_STRUCTURED = ("json/1", "json-object/1", "msgpack/1")


def rendered(contents: Contents[Any], value: Any, form: Form) -> bytes:
    """`value` in `form`; raw: the bytes that are stored. Failure where the form cannot say it."""
    data = contents.encode(value) if not isinstance(value, bytes) else value
    if form == "raw":
        return data
    if form == "hex":
        return data.hex().encode()
    if form == "text":
        return (
            value.encode() if isinstance(value, str) else data if isinstance(value, bytes) else _plain(value)
        )
    if form == "json":
        return _dumps(to_json(contents, value)).encode("utf-8", "backslashreplace")
    from irminpy.contents import Msgpack  # late: few ask for it

    return Msgpack().encode(value)


def _plain(value: Any) -> bytes:
    return _dumps(_sayable(value)).encode("utf-8", "backslashreplace")


def _dumps(value: Any) -> str:
    import json  # late: bytes and text are written as they are

    return json.dumps(value, ensure_ascii=False)


def parsed(contents: Contents[Any], data: bytes, form: Form | None) -> Any:
    """The value that `data` says in `form`; None: as the type of contents is usually written.

    That is JSON for JSON and msgpack, a number for a counter, and for others the bytes themselves.
    """
    usual: Form = "json" if contents.id in (*_STRUCTURED, "counter/1") else "raw"
    form = usual if form is None else form
    try:
        if form == "json":
            return from_json(contents, _loads(data))
        if form == "hex":
            data = bytes.fromhex(data.decode("ascii"))
        elif form == "msgpack" and contents.id != "msgpack/1":
            from irminpy.contents import Msgpack  # late: few ask for it

            return from_json(contents, Msgpack().decode(data))
        elif form == "text" and contents.id != "bytes":
            return from_json(contents, data.decode())
        return data if contents.id == "bytes" else contents.decode(data)
    except (ValueError, TypeError, RecursionError) as e:  # DecodeError is a ValueError
        raise Failure(
            f"the value is no {contents.id}: {e}",
            why=f"it was read as {form}",
            type="irminpy help values tells how values are written",
            status=USAGE,
        ) from e


def _loads(data: bytes) -> Any:
    import json  # late, as above

    def refuse(text: str) -> Any:
        raise ValueError(f"{text} is not JSON")

    return json.loads(data.decode(), parse_constant=refuse)


def to_json(contents: Contents[Any], value: Any) -> Any:
    """`value` as JSON; `from_json` is the inverse."""
    if isinstance(value, bytes) and contents.id != "msgpack/1":
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"hex": value.hex()}
    if contents.id == "msgpack/1" and not _is_json(value):
        return {"msgpack": contents.encode(value).hex()}
    return value


def from_json(contents: Contents[Any], obj: Any) -> Any:
    """The value of which `to_json` gives `obj`; DecodeError or TypeError if there is none."""
    if contents.id not in (*_STRUCTURED, "counter/1", "string/1"):
        if isinstance(obj, str):
            return obj.encode()
        digits = _only(obj, "hex")
        if digits is None:
            raise DecodeError("value of bytes", 'a string or {"hex": "…"} is expected')
        return bytes.fromhex(digits)
    digits = _only(obj, "msgpack") if contents.id == "msgpack/1" else None
    if digits is not None:
        return contents.decode(bytes.fromhex(digits))
    contents.encode(obj)  # refuses what is of another type
    return obj


def _only(obj: Any, key: str) -> str | None:
    """The text that an object has under `key`, if it has nothing else."""
    if not isinstance(obj, dict):
        return None
    fields = cast("dict[object, object]", obj)
    value = fields.get(key) if len(fields) == 1 else None
    return value if isinstance(value, str) else None


def _is_json(value: Any) -> bool:
    """Whether JSON says `value`, a value of msgpack, and nothing else."""
    if _only(value, "msgpack") is not None:
        return False
    stack = [value]
    while stack:
        one: Any = stack.pop()
        below = _below(one)
        if below is not None:
            stack.extend(below)
            if not _text_keys(one):
                return False
        elif isinstance(one, float):
            if not math.isfinite(one):
                return False
        elif not (one is None or isinstance(one, str | int)):
            return False
    return True


def _text_keys(value: object) -> bool:
    return not isinstance(value, dict) or all(
        isinstance(key, str) for key in cast("dict[object, object]", value)
    )


def _below(value: Any) -> list[Any] | None:
    """What a map or a list holds; None for anything else."""
    if isinstance(value, dict):
        return list(cast("dict[object, object]", value).values())
    if isinstance(value, list):
        return list(cast("list[object]", value))
    return None


def brief(value: Any) -> str:
    """`value` on one short line: a number as it is, text in quotes, other bytes as their size."""
    if isinstance(value, bytes):
        if len(value) > 4 * _BRIEF:
            return _cut(value)
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return f"{size(len(value))} {value[:8].hex()}{'…' if len(value) > 8 else ''}"
    if isinstance(value, str):
        if value.isascii() and value.isdigit() and len(value) < _BRIEF:
            return value
        text = _dumps(value[: _BRIEF + 1])
        return text if len(value) <= _BRIEF else f"{text[:_BRIEF]}…"
    text = _plain(value).decode() if _depth_is_small(value) else "…"
    return text if len(text) <= _BRIEF else f"{text[: _BRIEF - 1]}…"


def _cut(value: bytes) -> str:
    try:
        text = value[: 4 * _BRIEF].decode("utf-8")
    except UnicodeDecodeError:
        return f"{size(len(value))} {value[:8].hex()}…"
    return f"{size(len(value))} {_dumps(text[: _BRIEF // 2])[:-1]}…"


def _depth_is_small(value: Any, limit: int = 400) -> bool:
    level = [value]
    for _ in range(limit):
        level = [inner for one in level for inner in _below(one) or ()]
        if not level:
            return True
    return False


def _sayable(value: Any) -> Any:
    """`value` with what JSON cannot say as text."""
    if isinstance(value, dict):
        fields = cast("dict[object, object]", value)
        return {key if isinstance(key, str) else repr(key): _sayable(below) for key, below in fields.items()}
    below = _below(value)
    if below is not None:
        return [_sayable(one) for one in below]
    return value if value is None or isinstance(value, str | int | float) else repr(value)


def text_lines(value: Any) -> list[str] | None:
    """The lines of a text; None for what is none, or longer than is compared line by line."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return None
    if not isinstance(value, str) or "\0" in value:
        return None
    lines = value.splitlines()
    return lines if len(lines) <= _LINES else None


ABSENT: Any = object()


def differences(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """(where, before, after) for each place at which two structured values differ; ABSENT is nothing.

    `where` is written as in ".title" and ".tags[2]". Maps are compared key by key, lists place by place.
    """
    stack: list[tuple[str, object, object]] = [("", before, after)]
    while stack:
        where, a, b = stack.pop()
        alike = type(a) is type(b)
        if isinstance(a, dict) and isinstance(b, dict):
            x = cast("dict[object, object]", a)
            y = cast("dict[object, object]", b)
            keys = [*x, *(key for key in y if key not in x)]
            below = [(f"{where}.{key}", x.get(key, ABSENT), y.get(key, ABSENT)) for key in keys]
        elif isinstance(a, list) and isinstance(b, list):
            p = cast("list[object]", a)
            q = cast("list[object]", b)
            both = range(max(len(p), len(q)))
            below = [
                (f"{where}[{i}]", p[i] if i < len(p) else ABSENT, q[i] if i < len(q) else ABSENT)
                for i in both
            ]
        else:
            if not alike or a != b:
                yield where, a, b
            continue
        stack.extend(reversed(below))


def structured(value: object) -> bool:
    """Whether `value` has places inside."""
    return isinstance(value, dict | list)


def unwritable(contents: Contents[Any]) -> Failure:
    """That values of a type that is not built in cannot be made here."""
    return Failure(
        f"contents of type {contents.id} cannot be written",
        why="the type is not built in, so its values are read as raw bytes only",
        type="write from a program that has the type",
        status=UNSAFE,
    )
