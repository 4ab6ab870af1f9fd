"""MessagePack as contents, in one canonical spelling.

The shortest header and form of each item, integers from 0 in the unsigned family, floats of 64 bits, the
keys of maps in order and none twice, no extension types. bool, int and float are distinct, and so are str
and bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgpack

from irminpy import merge
from irminpy.contents.nesting import MAX_DEPTH, refuse, too_deep
from irminpy.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from irminpy.merge import Conflict, Old

_pack = cast("Callable[[object], bytes]", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]
_unpack = cast("Callable[..., object]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]
_KEY_RANK: dict[type, int] = {int: 0, str: 1, bytes: 2}


@dataclass(frozen=True, slots=True)
class Msgpack:
    """Any MessagePack value: None, bool, int, float, str, bytes, list, and dict with int, str or bytes keys.

    A merge takes what both sides agree on, or the side that changed; it cannot tell a value that is None as
    a whole from an absent one.
    """

    id: str = field(default="msgpack/1", init=False)

    def encode(self, value: Any, /) -> bytes:
        """The canonical bytes of `value`.

        TypeError for other Python types; DecodeError for NaN, surrogates, integers that have no MessagePack
        form (below -2^63, from 2^64) and values nested deeper than 128.
        """
        return _encode(self.id, value)

    def decode(self, data: bytes, /) -> Any:
        """The value whose canonical bytes are `data`; DecodeError if they are not canonical."""
        if not isinstance(data, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"bytes are decoded, not {type(data).__name__}")
        try:
            value = _unpack(data, raw=False, strict_map_key=False, use_list=True)
            again = _encode(self.id, value)
        except DecodeError as cause:
            raise DecodeError(self.id, cause.reason) from cause
        except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as cause:
            raise DecodeError(self.id, str(cause) or type(cause).__name__) from cause
        if again != data:
            raise DecodeError(self.id, "it is not in canonical form")
        return value

    def merge(self, old: Old[Any], ours: Any, theirs: Any, /) -> Any | Conflict:
        """What both sides agree on, or the side that changed."""
        return _merge(old, ours, theirs)


def _encode(id: str, value: object) -> bytes:
    try:
        return _pack(_ordered(id, value, 0))
    except UnicodeEncodeError as cause:
        raise refuse(
            id, cause.object[cause.start : cause.end], "is a surrogate, which no UTF-8 stands for"
        ) from cause
    except (ValueError, OverflowError) as cause:
        raise (
            cause if isinstance(cause, DecodeError) else DecodeError(f"value of {id}", str(cause))
        ) from cause


def _ordered(id: str, value: object, depth: int) -> object:
    """`value` with the maps in it in the order of their keys, if all of it may be stored."""
    kind = type(value)
    if kind is dict:
        if depth == MAX_DEPTH:
            raise too_deep(id)
        entries = cast("dict[object, object]", value)
        for key in entries:
            if type(key) not in _KEY_RANK:
                raise TypeError(f"the keys of {id} are int, str or bytes, not {type(key).__name__}")
            _ordered(id, key, depth)
        keys = sorted(entries, key=_key_order)
        return {key: _ordered(id, entries[key], depth + 1) for key in keys}
    if kind is list:
        if depth == MAX_DEPTH:
            raise too_deep(id)
        return [_ordered(id, item, depth + 1) for item in cast("list[object]", value)]
    if kind is float:
        if value != value:
            raise refuse(id, value, "is not a number, and would not equal itself when read back")
    elif kind is int:
        if not -(1 << 63) <= cast("int", value) < 1 << 64:
            raise refuse(id, value, "is below -2^63 or from 2^64, which MessagePack has no form for")
    elif not (kind is str or kind is bytes or kind is bool or value is None):
        raise TypeError(f"{id} holds no {kind.__name__}")
    return value


def _key_order(key: object) -> tuple[int, Any]:
    # Integers by size, then text by code points (the order of its UTF-8 bytes), then bytes.
    return _KEY_RANK[type(key)], key


def _same(left: Any, right: Any) -> bool:
    # Python's 1 == True == 1.0, and 0.0 == -0.0; canonical bytes tell them apart.
    return left is right or _encode("msgpack/1", left) == _encode("msgpack/1", right)


_merge: merge.Merge[Any] = merge.idempotent(equal=_same)
