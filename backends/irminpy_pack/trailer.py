"""The trailer of a batch: the frame that makes what precedes it happen (docs/formats/pack.md, "Batches").

Trailers are a chain: each names the one before it by offset and crc. `Tip` is the end of that chain: what a HEAD
slot names, and what a process knows a store by.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from irminpy.fields import NamedTuple

__all__ = ["NOTHING", "TRAILER_SIZE", "Tip", "Trailer"]

_FIELDS: Final = Struct("<QQIIQIQQQQ")

TRAILER_SIZE: Final = _FIELDS.size
"""Bytes of the payload."""


class Tip(NamedTuple):
    """Where the batches of a store end."""

    batch_no: int
    """Number of the last batch; 0 for a store without any."""
    end: int
    """The virtual offset behind its trailer: where the next batch begins."""
    at: int
    """The virtual offset of its trailer; 0 without any."""
    crc: int
    """The crc of the frame of the trailer."""


NOTHING: Final = 0
"""The offset that stands for "there is none": every segment begins with its header."""


class Trailer(NamedTuple):
    """What the trailer of a batch says. Offsets are virtual, 0 for none; times are microseconds since 1970."""

    batch_no: int
    start: int
    """Offset of the first frame of the batch."""
    frames: int
    """How many frames precede the trailer."""
    crc: int
    """Of all bytes from `start` to the trailer."""
    previous: int
    """Offset of the trailer of the batch before."""
    previous_crc: int
    """The crc of that trailer's frame."""
    first_ref: int
    """Offset of the first R frame of this batch."""
    table: int
    """Offset of the last K frame, in this batch or before it."""
    earlier_refs: int
    """Offset of the last earlier trailer whose batch has R frames."""
    time: int

    def encode(self) -> bytes:
        """The payload."""
        return _FIELDS.pack(*self)

    @staticmethod
    def decode(payload: bytes) -> Trailer:
        """The inverse of `encode`; ValueError for another length."""
        if len(payload) != TRAILER_SIZE:
            raise ValueError(f"a trailer of {len(payload)} bytes, not {TRAILER_SIZE}")
        return Trailer(*_FIELDS.unpack(payload))
