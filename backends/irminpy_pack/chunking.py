"""Where a large value is cut: content-defined chunks (docs/formats/pack-large.md, "Chunks").

Limits, the skipped minimum and normalized chunking are FastCDC's (Xia et al., USENIX ATC 2016; TPDS 2020). The
rolling hash is not its Gear: a loop over bytes does some 4 MB/s in Python. Here the hash of a window is a part of
the product of all bytes, as one integer, with a constant, so that one multiplication hashes every window of a
block. This module knows nothing of frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from irminpy.backend import Readable

__all__ = ["MAX", "MIN", "cut"]

MIN: Final = 64 << 10
"""The fewest bytes of a chunk that is not the last of its value."""
MAX: Final = 1 << 20
"""The most bytes of a chunk."""

# The chunk that is likely: up to here a cut needs 20 bits of the hash, beyond it 16.
_NORMAL: Final = 192 << 10
_STRICT: Final = 0x0F

# Bits of BLAKE3("irminpy pack chunks 1"): the first 60, made odd and 60 bits long; then 16.
_FACTOR: Final = 0xDE9E39D9DF2881B
_MARK: Final = bytes.fromhex("4aac")
_WIDTH: Final = 8  # bytes of the factor

# The integer begins this many bytes before the earliest cut: enough for a window, whatever comes before it.
_LEAD: Final = 32
_BLOCK: Final = 32 << 10  # bytes multiplied at a time: any number gives the same cuts


def cut(file: Readable) -> Iterator[bytes]:
    """The bytes of `file`, to its end, as chunks: each of `MIN` to `MAX` bytes, but the last may be shorter.

    Nothing for an empty file. Where chunks end depends on the bytes of the chunk alone; after an edit the cuts
    are soon the same as before. In memory: at most `MAX` bytes, twice what one read gives, and one chunk.
    """
    buffer = bytearray()
    ended = False
    while True:
        while not ended and len(buffer) < MAX:
            data = file.read(MAX)
            ended = not data
            buffer += data
        if not buffer:
            return
        end = _boundary(buffer)
        yield bytes(memoryview(buffer)[:end])
        del buffer[:end]


def _boundary(data: bytearray) -> int:
    """Where the chunk that begins `data` ends; `data` holds `MAX` bytes or all that is left."""
    last = min(len(data), MAX)
    at = MIN - _LEAD
    carry = 0
    # INVARIANT: `lanes` are the bytes of the product that belong to data[at - len(lanes) : at].
    lanes = b""
    while at < last:
        block = data[at : min(at + _BLOCK, last)]
        product = int.from_bytes(block, "little") * _FACTOR + carry
        whole = product.to_bytes(len(block) + _WIDTH, "little")
        carry = int.from_bytes(whole[len(block) :], "little")
        base = at - len(lanes)
        lanes += whole[: len(block)]
        at += len(block)
        # A mark, and the byte after it, are the hash of the window that ends there.
        found = lanes.find(_MARK, 0, -1)
        while found >= 0:
            end = base + found + 3
            if end >= MIN and (end > _NORMAL or not lanes[found + 2] & _STRICT):
                return end
            found = lanes.find(_MARK, found + 1, -1)
        lanes = lanes[-2:]
    return last
