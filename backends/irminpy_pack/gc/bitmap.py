"""A set of places in the log, one bit for each 8 bytes, in memory as far as that is small and in a file beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..files import Files, read_at, write_at

__all__ = ["Bitmap"]

_PAGE: Final = 1 << 16  # bytes: the bits of 4 MiB of the log
_SHIFT: Final = 19  # a place, in units of 8 bytes, to the number of its page
_LINE: Final = 64  # bytes that are looked at together
_BITS: Final = 8 * _LINE
_NOTHING: Final = bytes(_LINE)


class Bitmap:
    """A set of places: offsets divided by 8. `fd` is a file of its own; at most `most` pages of 64 KiB are in memory.

    Not safe for threads. OSError if the file cannot be written or read.
    """

    __slots__ = ("_fd", "_files", "_most", "_pages", "_slots")

    def __init__(self, files: Files, fd: int, most: int = 192) -> None:
        self._files = files
        self._fd = fd
        self._most = most
        self._pages: dict[int, bytearray] = {}
        self._slots: dict[int, int] = {}  # page to its number in the file, for those that were written

    def close(self) -> None:
        """Give the file back."""
        self._pages.clear()
        self._files.close(self._fd)

    def _load(self, number: int) -> bytearray:
        pages, slots = self._pages, self._slots
        while len(pages) >= self._most:
            first = next(iter(pages))
            slot = slots.setdefault(first, len(slots))
            write_at(self._files, self._fd, bytes(pages.pop(first)), slot * _PAGE)
        slot = slots.get(number, -1)
        data = bytes(_PAGE) if slot < 0 else read_at(self._files, self._fd, _PAGE, slot * _PAGE)
        if len(data) != _PAGE:
            raise OSError("a page of marks cannot be read again")
        page = pages[number] = bytearray(data)
        return page

    def add(self, place: int) -> bool:
        """Put `place` in; whether it was not there."""
        page = self._pages.get(place >> _SHIFT) or self._load(place >> _SHIFT)
        at, bit = (place >> 3) & (_PAGE - 1), 1 << (place & 7)
        if page[at] & bit:
            return False
        page[at] |= bit
        return True

    def discard(self, place: int) -> None:
        """Take `place` out."""
        page = self._pages.get(place >> _SHIFT) or self._load(place >> _SHIFT)
        page[(place >> 3) & (_PAGE - 1)] &= ~(1 << (place & 7))

    def __contains__(self, place: int) -> bool:
        number = place >> _SHIFT
        if number not in self._pages and number not in self._slots:
            return False
        page = self._pages.get(number) or self._load(number)
        return bool(page[(place >> 3) & (_PAGE - 1)] & 1 << (place & 7))

    def _numbers(self) -> set[int]:
        return self._pages.keys() | self._slots.keys()

    def drain_up(self) -> Iterator[int]:
        """Take out all places, ascending; none may be put in meanwhile."""
        for number in sorted(self._numbers()):
            page = self._pages.get(number) or self._load(number)
            for at in range(0, _PAGE, _LINE):
                line = page[at : at + _LINE]
                bits = int.from_bytes(line, "little")
                if not bits:
                    continue
                page[at : at + _LINE] = _NOTHING
                first = (number << _SHIFT) + (at << 3)
                while bits:
                    low = bits & -bits
                    bits ^= low
                    yield first + low.bit_length() - 1

    def drain_down(self) -> Iterator[int]:
        """Take out the places, descending. Those put in meanwhile come too if they are below the last one given."""
        above = 1 << 64
        while True:
            number = max((n for n in self._numbers() if n < above), default=None)
            if number is None:
                return
            above = number
            at = _PAGE
            while at:
                page = self._pages.get(number) or self._load(number)
                if at % 4096 == 0 and not any(page[at - 4096 : at]):
                    at -= 4096
                    continue
                at -= _LINE
                mask = (1 << _BITS) - 1
                while True:
                    page = self._pages.get(number) or self._load(number)
                    bits = int.from_bytes(page[at : at + _LINE], "little") & mask
                    if not bits:
                        break
                    high = bits.bit_length() - 1
                    mask = (1 << high) - 1
                    page[at + (high >> 3)] &= ~(1 << (high & 7))
                    yield (number << _SHIFT) + (at << 3) + high

    def __bool__(self) -> bool:
        return any(any(self._pages.get(number) or self._load(number)) for number in self._numbers())
