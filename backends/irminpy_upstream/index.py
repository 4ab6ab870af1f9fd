"""The index of an irmin-pack store: from a hash to offsets. Source: index 1.6, `log_file.ml`, `data.ml`, `fan.ml`.

It is never believed: what it leads to counts only with the hash that was asked for.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from irminpy.errors import Corrupted, UnsupportedVersion
from irminpy.repr import seeded_hash

from .files import File

__all__ = ["Index"]

_HEADER: Final = 32
_VERSION: Final = b"00000001"
_EXTRA: Final = 13
"""Bytes of an entry behind the hash: offset, length, kind."""
_AT_ONCE: Final = 1 << 20
_SHORT: Final = 30
"""Bits of the hash of a hash by which the data file is sorted."""


class _Table:
    """One file of entries behind a header."""

    def __init__(self, file: File, size: int) -> None:
        self.file = file
        self.size = size
        self.entry = size + _EXTRA
        head = file.read(0, _HEADER)
        if len(head) < _HEADER or head[8:16] != _VERSION:
            if len(head) == _HEADER and head[8:16].isdigit():
                raise UnsupportedVersion(file.path, head[8:16].decode(), 1)
            raise Corrupted(file.path, 0, None, "it does not begin like a file of an index")
        length, fan = int.from_bytes(head[:8], "big"), int.from_bytes(head[24:32], "big")
        self.begin = _HEADER + fan
        self.fan = fan // 8
        if self.begin + length > file.size or fan % 8 or length % self.entry:
            reason = f"{length} bytes of entries of {self.entry} bytes and {fan} bytes before them are not what it has"
            raise Corrupted(file.path, 0, None, reason)
        self.entries = length // self.entry

    def rows(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """(number, entry) from `first` up to, not with, `last`."""
        step = max(1, _AT_ONCE // self.entry)
        for at in range(first, last, step):
            many = min(step, last - at)
            data = self.file.read(self.begin + at * self.entry, many * self.entry)
            if len(data) < many * self.entry:
                raise Corrupted(self.file.path, None, None, "it has become shorter")
            for i in range(many):
                yield at + i, data[i * self.entry : (i + 1) * self.entry]

    def hashes(self) -> Iterator[bytes]:
        """The hashes of all entries."""
        for _, row in self.rows(0, self.entries):
            yield row[: self.size]

    def offset(self, number: int, hash: bytes) -> int | None:
        """The offset of the entry `number`, or None if that is of another hash."""
        for _, row in self.rows(number, number + 1):
            if row[: self.size] == hash:
                return int.from_bytes(row[self.size : self.size + 8], "big")
        return None


class _Log(_Table):
    """Entries in the order in which they came. Held in memory: 8 bytes for each."""

    def __init__(self, file: File, size: int) -> None:
        super().__init__(file, size)
        # The first four bytes of each hash, and its number: sorted, so that a hash is found by bisection.
        self._sorted = array(
            "Q",
            sorted(int.from_bytes(row[:4], "big") << 32 | i for i, row in self.rows(0, self.entries)),
        )

    def find(self, hash: bytes) -> Iterator[int]:
        """The offsets of `hash`, the newest first."""
        first = int.from_bytes(hash[:4], "big")
        low = bisect_left(self._sorted, first << 32)
        high = bisect_left(self._sorted, (first + 1) << 32)
        for i in range(high - 1, low - 1, -1):
            found = self.offset(self._sorted[i] & 0xFFFFFFFF, hash)
            if found is not None:
                yield found


class _Data(_Table):
    """Entries sorted by the hash of the hash, with a fan-out: the last of each group, as a position in bytes."""

    def find(self, hash: bytes) -> Iterator[int]:
        """The offset of `hash`, if it is there. Cost: one read of about a page."""
        first, last = 0, self.entries
        if self.fan > 1:
            bits = self.fan.bit_length() - 1
            if self.fan != 1 << bits or bits > _SHORT:
                raise Corrupted(self.file.path, 24, None, f"a fan-out of {self.fan} groups")
            group = seeded_hash(0, hash) >> (_SHORT - bits)
            # The end of the group before may be an entry of this one: 0 stands for none, too.
            first = self._end(group - 1) if group else 0
            last = min(self._end(group) + 1, self.entries)
            if first > last:
                raise Corrupted(self.file.path, _HEADER + 8 * group, None, "the fan-out does not ascend")
        for _, row in self.rows(first, last):
            if row[: self.size] == hash:
                yield int.from_bytes(row[self.size : self.size + 8], "big")

    def _end(self, group: int) -> int:
        """The number of the last entry of the groups up to `group`."""
        data = self.file.read(_HEADER + 8 * group, 8)
        at, rest = divmod(int.from_bytes(data, "big"), self.entry)
        if len(data) < 8 or rest:
            raise Corrupted(
                self.file.path, _HEADER + 8 * group, None, "the fan-out leads between two entries"
            )
        return at


class Index:
    """What `index/` has: the log, the log of a merge that is under way, and the data that were merged."""

    def __init__(self, root: str, size: int) -> None:
        folder = os.path.join(root, "index")
        tables: list[_Log | _Data] = []
        for name, kind in (("log_async", _Log), ("log", _Log), ("data", _Data)):
            file = File.find(os.path.join(folder, name))
            # A log that was made and not yet written has no header.
            if file is not None and (file.size or name == "data"):
                tables.append(kind(file, size))
        if not tables:
            raise Corrupted(folder, None, None, "there is neither a log nor a data file of the index")
        self._tables = tables

    def find(self, hash: bytes) -> Iterator[int]:
        """The offsets at which `hash` may lie, the newest first."""
        for table in self._tables:
            yield from table.find(hash)

    def hashes(self) -> Iterator[bytes]:
        """All hashes, some of them perhaps twice."""
        for table in self._tables:
            yield from table.hashes()
