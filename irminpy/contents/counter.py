"""Contents that are a number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from irminpy import merge
from irminpy.errors import DecodeError

if TYPE_CHECKING:
    from irminpy.merge import Conflict, Old

__all__ = ["Counter"]

_merge_count: merge.Merge[int | None] = merge.option(merge.counter)


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
