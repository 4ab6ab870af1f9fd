"""Frames: how objects, refs and trailers lie in a segment (docs/formats/pack.md, "Frames").

    crc32 u32 | units u32 | hints u32 | kind u8 | pad u8 | 0 u16 | hash, padded to 8 | hints x u64 | canonical | pad

Little-endian; the crc covers all that follows it; a frame is `8 * units` bytes long and begins at a multiple of 8.
The canonical bytes are what is hashed; hints are words of the children, never hashed. A frame proves nothing about
itself: whoever reads an object compares it with the hash that led there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final
from zlib import crc32

from irminpy.core import DIFFERENCE, frame_of
from irminpy.fields import NamedTuple

__all__ = [
    "BLOB",
    "COMMIT",
    "DIFFERENCE",
    "GENERATION",
    "HEADER",
    "LARGE",
    "MOST",
    "NODE",
    "REF",
    "TABLE",
    "TRAILER",
    "Frame",
    "Framing",
]

BLOB: Final = ord("B")
LARGE: Final = ord("X")
NODE: Final = ord("N")
COMMIT: Final = ord("C")
REF: Final = ord("R")
TABLE: Final = ord("K")
GENERATION: Final = ord("G")
TRAILER: Final = ord("T")
_KINDS: Final = frozenset(b"BXNDCRKGT")

HEADER: Final = Struct("<IIIBBH")
"""crc, units, hints, kind, pad, zero."""
_PADS: Final = [bytes(n) for n in range(8)]
_BLOCK: Final = 1 << 20
_FIRST: Final = 1 << 14

MOST: Final = 1 << 30
"""The most canonical bytes of a frame."""


class Frame(NamedTuple):
    """A frame that was parsed; its crc was right."""

    kind: int
    hash: bytes
    hints: bytes
    canonical: bytes
    crc: int
    size: int
    """Bytes of the whole frame."""
    base: int = 0
    """The word of the node that this one was stored as a difference from; 0 for one that was stored whole."""


class Framing:
    """Frames of a store whose hashes have `hash_size` bytes."""

    __slots__ = ("_fill", "hash_size", "head")

    def __init__(self, hash_size: int) -> None:
        self.hash_size = hash_size
        self._fill = _PADS[-hash_size & 7]
        self.head = HEADER.size + hash_size + len(self._fill)
        """Bytes before the hints."""

    def size_of(self, hints: int, canonical: int) -> int:
        """Bytes of a frame with so many `hints` and bytes of `canonical`."""
        return (self.head + (hints << 3) + canonical + 7) & -8

    def encode(self, kind: int, hash: bytes, hints: bytes, canonical: bytes) -> bytes:
        """The bytes of a frame."""
        return frame_of(kind, hash, hints, canonical)

    def length(self, header: bytes) -> int:
        """The bytes of the frame that begins with `header`; ValueError if none can begin so."""
        if len(header) < HEADER.size:
            raise ValueError("the header of a frame is cut off")
        _, units, hints, kind, pad, zero = HEADER.unpack_from(header)
        size = units << 3
        if kind not in _KINDS or pad > 7 or zero or size - self.head - (hints << 3) - pad < 0:
            raise ValueError("no header of a frame")
        if size - self.head - (hints << 3) > MOST + 7:
            raise ValueError(f"a frame of {size} bytes, more than any may have")
        return int(size)

    def parse(self, data: bytes) -> Frame:
        """The frame that `data` is, exactly; ValueError, saying what is wrong, for anything else."""
        size = self.length(data)
        if size != len(data):
            raise ValueError(f"a frame of {size} bytes where {len(data)} were read")
        return self._parse(data, size)

    def _parse(self, data: bytes, size: int) -> Frame:
        """`parse` of as many bytes as the header says."""
        crc, _, _, _, pad, _ = HEADER.unpack_from(data)
        if crc32(memoryview(data)[4:]) != crc:
            raise ValueError("the crc is wrong")
        if data[HEADER.size + self.hash_size : self.head] != self._fill or data[size - pad :] != _PADS[pad]:
            raise ValueError("padding that is not zero")
        return self._frame(data)

    def _frame(self, data: bytes) -> Frame:
        """The frame with the bytes `data`, which was found right."""
        crc, _, hints, kind, pad, _ = HEADER.unpack_from(data)
        end, size = self.head + (hints << 3), len(data)
        hash_ = data[HEADER.size : HEADER.size + self.hash_size]
        return Frame(kind, hash_, data[self.head : end], data[end : size - pad], crc, size)

    def scan(self, read: Callable[[int, int], bytes], start: int, end: int) -> Iterator[tuple[int, Frame]]:
        """(offset, frame) from `start` on, as long as they hold; as `walk`."""
        for offset, _, data in self.walk(read, start, end):
            yield offset, self._frame(data)

    def walk(
        self, read: Callable[[int, int], bytes], start: int, end: int
    ) -> Iterator[tuple[int, int, bytes]]:
        """(offset, kind, bytes) of each frame from `start` on, as long as they hold; nothing is taken out of them.

        `read(offset, size)` gives bytes below `end`. Ends silently at the first byte that begins no whole and right
        frame. Memory: the longest frame, or 1 MiB.
        """
        unpack, head, fill, front = HEADER.unpack_from, self.head, self._fill, HEADER.size + self.hash_size
        block, at = b"", start  # the bytes in hand, and the offset of the first of them
        view = memoryview(block)
        ahead = _FIRST  # most batches are short, and who asks for one does not want the next
        while start < end:
            here = start - at
            if len(block) - here < HEADER.size:
                block, at, here = read(start, min(ahead, end - start)), start, 0
                view = memoryview(block)
                ahead = min(4 * ahead, _BLOCK)
                if len(block) < HEADER.size:
                    return
            # As `length` and `_parse` look at it: this is the way over all of a store.
            crc, units, hints, kind, pad, zero = unpack(block, here)
            size = units << 3
            canonical = size - head - (hints << 3) - pad
            if kind not in _KINDS or pad > 7 or zero or not 0 <= canonical <= MOST or size > end - start:
                return
            if len(block) - here < size:
                block, at, here = read(start, min(max(size, ahead), end - start)), start, 0
                view = memoryview(block)
                ahead = min(4 * ahead, _BLOCK)
            data = block[here : here + size]
            if len(data) != size or crc32(view[here + 4 : here + size]) != crc:
                return
            if data[front:head] != fill or data[size - pad :] != _PADS[pad]:
                return
            yield start, kind, data
            start += size
