"""Where objects went: from their place in one generation to their word in the next, on disk, sorted by the place.

Places are offsets divided by 8. A frame may have become longer: a difference, where what it is one from is gone.
Objects are copied in ascending order, so what is added is sorted already, but for rounds that begin anew: each is a run
of its own.
"""

from __future__ import annotations

import sys
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from ..files import Files, read_at, write_at

__all__ = ["ENTRY", "Relocation"]

ENTRY: Final = 16
"""Bytes per object."""
_BLOCK: Final = 256  # entries: their old places, then their new words
_SIZE: Final = _BLOCK * ENTRY
_CACHED: Final = 1024  # blocks in memory
_RECENT: Final = 1 << 17
_LITTLE: Final = sys.byteorder == "little"


class _Run(NamedTuple):
    block: int
    """Number of its first block."""
    firsts: array[int]
    """The first old place of each block."""


class Relocation:
    """Pairs of a place and a word, in a file `fd` of its own, which is closed with it.

    `find` may be called from any thread. Memory: 8 bytes per 256 pairs, and caches of at most 20 MiB.
    """

    __slots__ = (
        "_blocks",
        "_cache",
        "_fd",
        "_files",
        "_keys",
        "_lock",
        "_recent",
        "_runs",
        "_values",
        "count",
    )

    def __init__(self, files: Files, fd: int) -> None:
        self._files = files
        self._fd = fd
        self._lock = threading.Lock()
        self._runs: list[_Run] = [_Run(0, array("Q"))]
        self._blocks = 0
        self._keys = array("Q")
        self._values = array("Q")
        self._cache: dict[int, tuple[array[int], array[int]]] = {}
        self._recent: dict[int, int] = {}
        self.count = 0
        """How many pairs there are."""

    def __del__(self) -> None:
        with suppress(OSError):
            self._files.close(self._fd)

    def add(self, place: int, word: int) -> None:
        """What was at `place` has this `word`. Within a run the places ascend."""
        self._keys.append(place)
        self._values.append(word)
        recent = self._recent
        if len(recent) >= _RECENT:
            recent.clear()
        recent[place] = word
        self.count += 1
        if len(self._keys) == _BLOCK:
            self._write()

    def _write(self) -> None:
        keys, values = self._keys, self._values
        if not keys:
            return
        self._runs[-1].firsts.append(keys[0])
        rest = _BLOCK - len(keys)
        data = _bytes(keys) + b"\xff" * (8 * rest) + _bytes(values) + bytes(8 * rest)
        write_at(self._files, self._fd, data, self._blocks * _SIZE)
        self._blocks += 1
        self._keys, self._values = array("Q"), array("Q")

    def turn(self) -> None:
        """What is added from now on is sorted by itself."""
        self._write()
        if self._runs[-1].firsts:
            self._runs.append(_Run(self._blocks, array("Q")))

    def forget(self) -> None:
        """Drop what speeds up `find` while pairs are being added."""
        self._recent = {}

    def find(self, place: int) -> int:
        """The word of what was at `place`, or 0. Cost: at most one read per run."""
        word = self._recent.get(place)
        if word is not None:
            return word
        with self._lock:
            word = self._search(place)
            if word and self._recent:  # while objects are copied, their siblings ask again
                if len(self._recent) >= _RECENT:
                    self._recent.clear()
                self._recent[place] = word
        return word

    def words(self, words: Sequence[int]) -> list[int]:
        """Words as they are in the next generation; 0 for what is unknown, and for what did not go there."""
        recent, find = self._recent.get, self.find
        return [recent(word >> 22) or (find(word >> 22) if word else 0) for word in words]

    def _search(self, place: int) -> int:
        at = bisect_left(self._keys, place)
        if at < len(self._keys) and self._keys[at] == place:
            return self._values[at]
        for run in reversed(self._runs):
            i = bisect_right(run.firsts, place) - 1
            if i < 0:
                continue
            keys, values = self._block(run.block + i)
            at = bisect_left(keys, place)
            if at < _BLOCK and keys[at] == place:
                return values[at]
        return 0

    def _block(self, number: int) -> tuple[array[int], array[int]]:
        found = self._cache.pop(number, None)
        if found is None:
            data = read_at(self._files, self._fd, _SIZE, number * _SIZE)
            if len(data) != _SIZE:
                raise OSError("a block of moved places cannot be read again")
            found = (_array(data[: 8 * _BLOCK]), _array(data[8 * _BLOCK :]))
            if len(self._cache) >= _CACHED:
                del self._cache[next(iter(self._cache))]
        self._cache[number] = found
        return found


def _bytes(values: array[int]) -> bytes:
    if _LITTLE:
        return values.tobytes()
    swapped = array("Q", values)
    swapped.byteswap()
    return swapped.tobytes()


def _array(data: bytes) -> array[int]:
    values = array("Q")
    values.frombytes(data)
    if not _LITTLE:
        values.byteswap()
    return values
