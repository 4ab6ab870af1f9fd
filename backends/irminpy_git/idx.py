"""Where the objects of packs lie: index files of version 2, and one for many packs (docs/formats/git.md, section 5).

Both are read from memory that is mapped. What they say is not believed: an object counts only if it has its hash.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterator
from struct import Struct, error
from typing import Final, TypeAlias

from irminpy.errors import Corrupted, UnsupportedVersion

from .packing import Row

__all__ = ["Idx", "MultiIdx", "View", "mapped"]

View: TypeAlias = bytes | mmap.mmap

_FAN: Final = Struct(">256I")
_U32: Final = Struct(">I")
_U64: Final = Struct(">Q")
_MAGIC: Final = b"\xfftOc"
_HEAD: Final = 8 + 1024
_LARGE: Final = 1 << 31


def mapped(path: str) -> View:
    """The bytes of the file, mapped. They stay what they were if the file is removed."""
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _fanout(path: str, view: View, at: int) -> tuple[int, ...]:
    fan: tuple[int, ...] = _FAN.unpack_from(view, at)
    if any(fan[i] > fan[i + 1] for i in range(255)):
        raise Corrupted(path, at, None, "its fan-out table does not ascend")
    return fan


def _position(view: View, fan: tuple[int, ...], at: int, size: int, id: bytes) -> int:
    """The row of `id` in the sorted table of ids at `at`; -1 if it is not there."""
    first = id[0]
    low, high = fan[first - 1] if first else 0, fan[first]
    while low < high:
        middle = (low + high) // 2
        found = view[at + middle * size : at + (middle + 1) * size]
        if found < id:
            low = middle + 1
        elif found == id:
            return middle
        else:
            high = middle
    return -1


def _prefixed(view: View, fan: tuple[int, ...], at: int, size: int, prefix: bytes) -> int:
    """The first row whose id is not before `prefix`, which is not empty."""
    low, high = fan[prefix[0] - 1] if prefix[0] else 0, fan[prefix[0]]
    while low < high:
        middle = (low + high) // 2
        if view[at + middle * size : at + (middle + 1) * size] < prefix:
            low = middle + 1
        else:
            high = middle
    return low


class Idx:
    """The index of one pack."""

    def __init__(self, path: str, view: View, size: int = 20) -> None:
        self.path = path
        self.view = view
        self.size = size
        if view[:4] != _MAGIC:
            # Version 1 has no magic; Git has not written it since 2007.
            raise UnsupportedVersion(f"the index {path}", "1 or none", 2)
        try:
            version = _U32.unpack_from(view, 4)[0]
            if version != 2:
                raise UnsupportedVersion(f"the index {path}", version, 2)
            self._fan = _fanout(path, view, 8)
        except error:
            raise Corrupted(path, len(view), None, "it ends too early") from None
        n = self.count = self._fan[255]
        self._crcs = _HEAD + n * size
        self._offsets = self._crcs + 4 * n
        self._far = self._offsets + 4 * n
        self._end = len(view) - 2 * size
        if self._end < self._far or (self._end - self._far) % 8 or (self._end - self._far) // 8 > n:
            raise Corrupted(path, len(view), None, f"{len(view)} bytes are not what {n} objects need")

    @property
    def trailer(self) -> bytes:
        """The trailer of the pack that it is of."""
        return self.view[self._end : self._end + self.size]

    def _offset(self, row: int) -> int:
        offset: int = _U32.unpack_from(self.view, self._offsets + 4 * row)[0]
        if offset < _LARGE:
            return offset
        at = self._far + 8 * (offset - _LARGE)
        if at + 8 > self._end:
            raise Corrupted(self.path, self._offsets + 4 * row, None, "an offset beyond its table")
        far: int = _U64.unpack_from(self.view, at)[0]
        return far

    def find(self, id: bytes) -> int | None:
        """Where the object lies in the pack, or None."""
        row = _position(self.view, self._fan, _HEAD, self.size, id)
        return None if row < 0 else self._offset(row)

    def ids(self, prefix: bytes = b"") -> Iterator[bytes]:
        """The ids, in order, from the first that is not before `prefix` on."""
        view, size = self.view, self.size
        first = _prefixed(view, self._fan, _HEAD, size, prefix) if prefix else 0
        for at in range(_HEAD + first * size, self._crcs, size):
            yield view[at : at + size]

    def rows(self) -> Iterator[Row]:
        """All of it, by id."""
        for row, id in enumerate(self.ids()):
            yield Row(id, _U32.unpack_from(self.view, self._crcs + 4 * row)[0], self._offset(row))

    def check(self, algorithm: str = "sha1") -> None:
        """Corrupted unless the file ends with its own hash and its ids ascend."""
        body = self.view[: len(self.view) - self.size]
        if hashlib.new(algorithm, body, usedforsecurity=False).digest() != self.view[-self.size :]:
            raise Corrupted(self.path, len(body), None, "it does not end with its own hash")
        before = b""
        for id in self.ids():
            if id <= before:
                raise Corrupted(self.path, None, id, "its ids do not ascend")
            before = id
        for first in range(256):
            low, high = self._fan[first - 1] if first else 0, self._fan[first]
            if low < high and (
                self.view[_HEAD + low * self.size] != first
                or self.view[_HEAD + (high - 1) * self.size] != first
            ):
                raise Corrupted(self.path, 8 + 4 * first, None, "its fan-out table does not fit its ids")


class MultiIdx:
    """`multi-pack-index`: one index for many packs."""

    def __init__(self, path: str, view: View, size: int = 20) -> None:
        self.path = path
        self._view = view
        self._size = size
        try:
            if view[:4] != b"MIDX":
                raise Corrupted(path, 0, None, "it does not begin with MIDX")
            version, oid, chunks, bases = view[4], view[5], view[6], view[7]
            if version != 1 or bases:
                raise UnsupportedVersion(f"the index {path}", f"{version} on {bases} others", "1 on none")
            if oid != {20: 1, 32: 2}[size]:
                raise Corrupted(path, 5, None, "its ids have another length than those of the repository")
            packs = _U32.unpack_from(view, 8)[0]
            table: dict[bytes, tuple[int, int]] = {}
            for i in range(chunks):
                at = 12 + 12 * i
                begin, end = _U64.unpack_from(view, at + 4)[0], _U64.unpack_from(view, at + 16)[0]
                if not begin <= end <= len(view):
                    raise Corrupted(path, at, None, "a part of it lies outside")
                table[view[at : at + 4]] = (begin, end)
            names, fan, ids, offsets = (table[name] for name in (b"PNAM", b"OIDF", b"OIDL", b"OOFF"))
            self._fan = _fanout(path, view, fan[0])
        except (error, IndexError):
            raise Corrupted(path, len(view), None, "it ends too early") from None
        except KeyError as cause:
            raise Corrupted(path, 12, None, f"the part {cause} is missing") from None
        n = self.count = self._fan[255]
        self.packs = [
            name.decode("ascii", "replace") for name in view[names[0] : names[1]].split(b"\0") if name
        ]
        """The names of the indexes that it stands for, as "pack-….idx"."""
        self._far = table.get(b"LOFF", (0, 0))
        self._ids, self._offsets = ids[0], offsets[0]
        if ids[1] - ids[0] < n * size or offsets[1] - offsets[0] < 8 * n or len(self.packs) != packs:
            raise Corrupted(path, None, None, f"a part of it is too short for {n} objects in {packs} packs")

    def find(self, id: bytes) -> tuple[str, int] | None:
        """(name of an index, where the object lies in its pack), or None."""
        row = _position(self._view, self._fan, self._ids, self._size, id)
        if row < 0:
            return None
        pack: int
        offset: int
        pack, offset = Struct(">II").unpack_from(self._view, self._offsets + 8 * row)
        if pack >= len(self.packs):
            raise Corrupted(self.path, self._offsets + 8 * row, id, "a pack that it does not name")
        if offset >= _LARGE and self._far[1]:
            at = self._far[0] + 8 * (offset - _LARGE)
            if at + 8 > self._far[1]:
                raise Corrupted(self.path, self._offsets + 8 * row, id, "an offset beyond its table")
            offset = _U64.unpack_from(self._view, at)[0]
        return self.packs[pack], offset

    def ids(self, prefix: bytes = b"") -> Iterator[bytes]:
        """The ids, in order, from the first that is not before `prefix` on."""
        first = _prefixed(self._view, self._fan, self._ids, self._size, prefix) if prefix else 0
        for row in range(first, self.count):
            at = self._ids + row * self._size
            yield self._view[at : at + self._size]
