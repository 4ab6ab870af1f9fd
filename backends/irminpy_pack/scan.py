"""The frames of a segment one after the other, over what is damaged: a pass that nothing stops.

Where a frame is damaged the pass goes on at the next byte at which a whole one begins. Nothing here is believed but
crcs, so what a gap held is not known. Memory: the longest frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from .frame import HEADER, Frame, Framing
from .segment import HEADER_SIZE, Segment

__all__ = ["Gap", "Whole", "claimed", "scan"]

_BLOCK: Final = 1 << 20


class Whole(NamedTuple):
    """A frame whose crc is right."""

    at: int
    """Byte of the segment at which it begins."""
    data: bytes
    frame: Frame


class Gap(NamedTuple):
    """Bytes that are no whole frame."""

    at: int
    """Byte of the segment at which they begin."""
    size: int
    reason: str
    last: bool
    """Whether no whole frame follows in the segment."""


def scan(framing: Framing, segment: Segment, at: int = HEADER_SIZE) -> Iterator[Whole | Gap]:
    """All of `segment` from byte `at` on, ascending. Cost: one pass over it; over a gap, a look at each 8 bytes."""
    while at < segment.length:
        try:
            size = framing.length(segment.read(at, HEADER.size))
            data = segment.read(at, size)
            frame = framing.parse(data)
        except ValueError as e:
            following = _following(framing, segment, at + 8)
            end = segment.length if following is None else following
            yield Gap(at, end - at, str(e), following is None)
            at = end
            continue
        yield Whole(at, data, frame)
        at += size


def _following(framing: Framing, segment: Segment, at: int) -> int | None:
    """The next byte from `at` on where a whole frame begins, or None."""
    while at < segment.length:
        block = segment.read(at, _BLOCK + HEADER.size)
        for i in range(0, min(len(block) - HEADER.size + 1, _BLOCK), 8):
            try:
                size = framing.length(block[i : i + HEADER.size])
                if size <= segment.length - at - i:
                    framing.parse(segment.read(at + i, size))
                    return at + i
            except ValueError:
                continue
        at += _BLOCK
    return None


def claimed(framing: Framing, segment: Segment, at: int) -> bytes | None:
    """The hash that the header at byte `at` gives, though nothing says that it is right; None if there is none."""
    data = segment.read(at, HEADER.size + framing.hash_size)
    try:
        framing.length(data)
    except ValueError:
        return None
    found = data[HEADER.size :]
    return found if len(found) == framing.hash_size else None
