"""Bytes taken apart from the front: the encodings of repr that the files of irmin-pack are made of.

Unlike `irminpy.repr` it takes numbers that are longer than needed: what an object is, is decided by its hash.
"""

from __future__ import annotations

from typing import Final

from irminpy.errors import DecodeError

__all__ = ["Cursor"]

_LAST: Final = 56  # the shift of the ninth and last group of a 63-bit number


class Cursor:
    """A place in `data`; each method reads what is there, and moves on. DecodeError if it is not that."""

    __slots__ = ("at", "data", "short", "what")

    def __init__(self, data: bytes, what: str, at: int = 0) -> None:
        self.data = data
        self.what = what
        self.at = at
        self.short = False
        """Whether the bytes ended too early: then more of them might do."""

    def take(self, n: int) -> bytes:
        """`n` bytes."""
        at, end = self.at, self.at + n
        if end > len(self.data):
            self.short = True
            raise DecodeError(self.what, "the bytes end too early", at)
        self.at = end
        return self.data[at:end]

    def byte(self) -> int:
        """One byte, as a number."""
        return self.take(1)[0]

    def varint(self) -> int:
        """An int of repr that is not negative."""
        n = shift = 0
        start = self.at
        while True:
            byte = self.byte()
            n |= (byte & 0x7F) << shift
            if byte < 0x80:
                if n >> 62:
                    raise DecodeError(self.what, "a negative number where none can be", start)
                return n
            if shift == _LAST:
                raise DecodeError(self.what, "a number of more than 63 bits", start)
            shift += 7

    def int63(self) -> int:
        """An Int63 of optint that is not negative: 8 bytes, big-endian."""
        start = self.at
        n = int.from_bytes(self.take(8), "big", signed=True)
        if n < 0:
            raise DecodeError(self.what, f"{n} where only numbers from 0 up can be", start)
        return n

    def boolean(self) -> bool:
        """A bool: any byte but 00 is true."""
        return self.byte() != 0

    def string(self) -> bytes:
        """A string behind its length."""
        return self.take(self.varint())

    def end(self) -> None:
        """DecodeError unless all was read."""
        if self.at != len(self.data):
            raise DecodeError(self.what, f"{len(self.data) - self.at} bytes too many", self.at)
