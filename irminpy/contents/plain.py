"""Contents that are one piece: bytes, text, a number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from irminpy import merge
from irminpy.errors import DecodeError

if TYPE_CHECKING:
    from irminpy.merge import Conflict, Old

_merge_bytes: merge.Merge[bytes | None] = merge.idempotent()
_merge_text: merge.Merge[str | None] = merge.idempotent()
_merge_count: merge.Merge[int | None] = merge.option(merge.counter)


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes, stored as they are; a merge takes what both sides agree on, or the side that changed."""

    id: str = field(default="bytes", init=False)

    def encode(self, value: bytes, /) -> bytes:
        """`value` itself; TypeError if it is not bytes."""
        if type(value) is bytes:
            return value
        if isinstance(value, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            return bytes(value)
        raise TypeError(f"contents of type bytes are bytes, not {type(value).__name__}; wrap it in bytes()")

    def decode(self, data: bytes, /) -> bytes:
        """`data` itself."""
        return data

    def merge(
        self, old: Old[bytes | None], ours: bytes | None, theirs: bytes | None, /
    ) -> bytes | Conflict | None:
        """What both sides agree on, or the side that changed."""
        return _merge_bytes(old, ours, theirs)


@dataclass(frozen=True, slots=True)
class String:
    """Text, stored as UTF-8; a merge takes what both sides agree on, or the side that changed."""

    id: str = field(default="string/1", init=False)

    def encode(self, value: str, /) -> bytes:
        """The UTF-8 of `value`; TypeError if it is not a str, DecodeError if it holds a surrogate."""
        if type(value) is not str:
            raise TypeError(f"contents of type string/1 are str, not {type(value).__name__}")
        try:
            return value.encode()
        except UnicodeEncodeError as cause:
            reason = f"{value[cause.start : cause.end]!r} is a surrogate, which no UTF-8 stands for"
            raise DecodeError("value of string/1", reason) from cause

    def decode(self, data: bytes, /) -> str:
        """The text whose UTF-8 is `data`; DecodeError if it is not UTF-8."""
        try:
            return data.decode()
        except UnicodeDecodeError as cause:
            raise DecodeError("string/1", "it is not UTF-8", cause.start) from cause

    def merge(self, old: Old[str | None], ours: str | None, theirs: str | None, /) -> str | Conflict | None:
        """What both sides agree on, or the side that changed."""
        return _merge_text(old, ours, theirs)


@dataclass(frozen=True, slots=True)
class Counter:
    """A signed 64-bit number, stored as 8 bytes, big-endian; a merge adds up what both sides counted."""

    id: str = field(default="counter/1", init=False)

    def encode(self, value: int, /) -> bytes:
        """The 8 bytes of `value`; TypeError if it is not an int, DecodeError if it has more than 64 bits."""
        if type(value) is not int:
            raise TypeError(f"contents of type counter/1 are int, not {type(value).__name__}")
        if not -(1 << 63) <= value < 1 << 63:
            raise DecodeError("value of counter/1", f"{hex(value)[:80]} is not a signed 64-bit number")
        return value.to_bytes(8, "big", signed=True)

    def decode(self, data: bytes, /) -> int:
        """The number whose 8 bytes are `data`; DecodeError if there are not eight."""
        if len(data) != 8:
            raise DecodeError("counter/1", f"it has {len(data)} bytes, not 8")
        return int.from_bytes(data, "big", signed=True)

    def merge(self, old: Old[int | None], ours: int | None, theirs: int | None, /) -> int | Conflict | None:
        """Ours plus theirs less the ancestor, absent being 0; deleting what changed conflicts."""
        return _merge_count(old, ours, theirs)
