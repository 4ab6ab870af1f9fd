"""JSON as contents, in one canonical spelling.

UTF-8, no spaces, keys in the order of their UTF-8 bytes and none twice, integers in full, floats as the
shortest text that reads back (1.0 and -0.0 keep their point and sign), no NaN, infinity or surrogate. bool,
int and float are distinct.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, NoReturn, cast

from irminpy.contents.nesting import MAX_DEPTH, refuse, too_deep
from irminpy.errors import DecodeError
from irminpy.merge import NO_ANCESTOR, Conflict, NoAncestor, Old

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
# Python converts no longer integers to and from text.
_INT_BOUND: Final = 10**4300
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Json:
    """Any JSON value: None, bool, int, float, str, list and dict with str keys, of exactly these types.

    A merge cannot tell a value that is null as a whole from an absent one; inside of objects it can.
    """

    id: str = field(default="json/1", init=False)

    def encode(self, value: Any, /) -> bytes:
        """The canonical bytes of `value`.

        TypeError for other Python types; DecodeError for NaN, infinities, surrogates, integers of more than
        4,300 digits and values nested deeper than 128.
        """
        return _encode(self.id, value)

    def decode(self, data: bytes, /) -> Any:
        """The value whose canonical bytes are `data`; DecodeError if they are not canonical."""
        return _decode(self.id, data)

    def merge(self, old: Old[Any], ours: Any, theirs: Any, /) -> Any:
        """The merge of values of one type: scalars by what changed, arrays as a whole, objects key by key."""
        base = _ABSENT if isinstance(old, NoAncestor) or old is None else old
        return _top(base, ours, theirs, known=old is not NO_ANCESTOR)


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object: a dict with str keys and JSON values, as of `Json`."""

    id: str = field(default="json-object/1", init=False)

    def encode(self, value: dict[str, Any], /) -> bytes:
        """The canonical bytes of `value`; TypeError if it is not a dict, and the errors of `Json.encode`."""
        if type(value) is not dict:
            raise TypeError(f"contents of type {self.id} are dict, not {type(value).__name__}")
        return _encode(self.id, value)

    def decode(self, data: bytes, /) -> dict[str, Any]:
        """The dict whose canonical bytes are `data`; DecodeError for all other bytes."""
        value = _decode(self.id, data)
        if type(value) is not dict:
            raise DecodeError(self.id, "it is JSON, but not an object", 0)
        return cast("dict[str, Any]", value)

    def merge(
        self, old: Old[dict[str, Any] | None], ours: dict[str, Any] | None, theirs: dict[str, Any] | None, /
    ) -> dict[str, Any] | Conflict | None:
        """The merge of objects key by key."""
        base = _ABSENT if isinstance(old, NoAncestor) or old is None else old
        return cast(
            "dict[str, Any] | Conflict | None", _top(base, ours, theirs, known=old is not NO_ANCESTOR)
        )


def _check(id: str, value: object) -> None:
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        kind = type(item)
        if kind is dict:
            if depth == MAX_DEPTH:
                raise too_deep(id)
            for key, below in cast("dict[object, object]", item).items():
                if type(key) is not str:
                    raise TypeError(f"the keys of {id} are str, not {type(key).__name__}")
                stack.append((below, depth + 1))
        elif kind is list:
            if depth == MAX_DEPTH:
                raise too_deep(id)
            stack.extend([(below, depth + 1) for below in cast("list[object]", item)])
        elif kind is float:
            if not isfinite(cast("float", item)):
                raise refuse(id, item, "is not a finite number")
        elif kind is int:
            if not -_INT_BOUND < cast("int", item) < _INT_BOUND:
                raise refuse(id, item, "has more than 4300 digits")
        elif not (kind is str or kind is bool or item is None):
            raise TypeError(f"{id} holds no {kind.__name__}")


def _encode(id: str, value: object) -> bytes:
    _check(id, value)
    try:
        # The order of code points, by which the keys are sorted, is the order of UTF-8 bytes.
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError as cause:
        raise refuse(
            id, cause.object[cause.start : cause.end], "is a surrogate, which no UTF-8 stands for"
        ) from cause
    except ValueError as cause:
        raise DecodeError(f"value of {id}", str(cause)) from cause


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _decode(id: str, data: bytes) -> object:
    if not isinstance(data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"bytes are decoded, not {type(data).__name__}")
    try:
        value: object = json.loads(data.decode(), parse_constant=_refuse_constant)
        again = _encode(id, value)
    except DecodeError as cause:
        raise DecodeError(id, cause.reason) from cause
    except RecursionError as cause:
        raise DecodeError(id, too_deep(id).reason) from cause
    except ValueError as cause:
        offset = getattr(cause, "pos", None)
        # `pos` counts characters of the text.
        at = (
            len(data.decode()[:offset].encode()) if isinstance(offset, int) else getattr(cause, "start", None)
        )
        raise DecodeError(id, str(cause), at) from cause
    if again != data:
        raise DecodeError(id, "it is not in canonical form", _first_difference(data, again))
    return value


def _first_difference(left: bytes, right: bytes) -> int:
    for i, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return i
    return min(len(left), len(right))


def _same(left: object, right: object) -> bool:
    if left is _ABSENT or right is _ABSENT:
        return left is right
    # Python's 1 == True == 1.0 == 1e0, and 0.0 == -0.0; canonical bytes tell them apart.
    return left is right or _encode("json/1", left) == _encode("json/1", right)


def _top(base: object, ours: object, theirs: object, *, known: bool) -> Any:
    left = _ABSENT if ours is None else ours
    right = _ABSENT if theirs is None else theirs
    merged = _merge_entry(base, left, right) if known else _merge_new(left, right)
    return None if merged is _ABSENT else merged


def _merge_new(ours: object, theirs: object) -> object:
    if ours is _ABSENT:
        return theirs
    return ours if theirs is _ABSENT else _merge_value(_ABSENT, ours, theirs)


def _merge_entry(old: object, ours: object, theirs: object) -> object:
    if _same(old, ours):
        return theirs
    if _same(old, theirs):
        return ours
    if ours is _ABSENT and theirs is _ABSENT:
        return _ABSENT
    if ours is _ABSENT or theirs is _ABSENT:
        return Conflict("add/del", base=_side(old), ours=_side(ours), theirs=_side(theirs))
    return _merge_value(old, ours, theirs)


def _merge_value(old: object, ours: object, theirs: object) -> object:
    if old is None:
        old = _ABSENT
    kind = _kind(ours)
    if _kind(theirs) != kind or (old is not _ABSENT and _kind(old) != kind):
        return Conflict("Conflicting JSON datatypes", base=_side(old), ours=ours, theirs=theirs)
    if kind == "null":
        return None
    if kind == "object":
        base = {} if old is _ABSENT else cast("dict[str, object]", old)
        return _merge_objects(base, cast("dict[str, object]", ours), cast("dict[str, object]", theirs))
    if kind == "array" and _same(ours, theirs):
        return ours
    if old is _ABSENT:
        return Conflict("add/add and no common ancestor", ours=ours, theirs=theirs)
    if _same(old, ours):
        return theirs
    if _same(old, theirs):
        return ours
    return Conflict("both sides changed it", base=old, ours=ours, theirs=theirs)


def _merge_objects(
    old: dict[str, object], ours: dict[str, object], theirs: dict[str, object]
) -> dict[str, object] | Conflict:
    merged: dict[str, object] = {}
    for key in sorted({**ours, **theirs}):
        result = _merge_entry(old.get(key, _ABSENT), ours.get(key, _ABSENT), theirs.get(key, _ABSENT))
        if isinstance(result, Conflict):
            return result
        if result is not _ABSENT:
            merged[key] = result
    return merged


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _side(value: object) -> object:
    return None if value is _ABSENT else value
