"""Segments: the files that hold the frames, and the table that finds the one an offset lies in.

An offset is virtual: a segment covers the range from its base on, and no two cover the same. A table belongs to
one generation; whoever holds it can read all of it, even after garbage collection has unlinked the files.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from struct import Struct
from typing import Final
from zlib import crc32

from irminpy.errors import Corrupted, StorageError
from irminpy.fields import NamedTuple

from .files import Files, read_at
from .word import LIMIT

__all__ = ["ALIGN", "HEADER_SIZE", "LONG_READ", "Header", "Segment", "Table"]

HEADER_SIZE: Final = 64
ALIGN: Final = 4096
_MAGIC: Final = b"IRMPYSEG"
_VERSION: Final = 1
_FIELDS: Final = Struct("<8sHBBI16sIIQI8x")
_CRC: Final = Struct("<I")
_MARGIN: Final = 4 << 20  # unmapped bytes that are read by call before the segment is mapped anew
# A long read is one call: page faults cost more, and pages that were touched count as memory of the process.
LONG_READ: Final = 1 << 16
_PIECE: Final = 1 << 20
_DONTNEED: Final[int | None] = getattr(mmap, "MADV_DONTNEED", None)  # not on every system


class Header(NamedTuple):
    """The first 64 bytes of a segment."""

    uuid: bytes
    hash_size: int
    number: int
    generation: int
    """The generation that made the segment."""
    base: int
    previous: int
    """Number of the segment whose batches come before the first one here; 0 for none."""

    def encode(self) -> bytes:
        """The bytes."""
        data = _FIELDS.pack(
            _MAGIC,
            _VERSION,
            self.hash_size,
            0,
            0,
            self.uuid,
            self.number,
            self.generation,
            self.base,
            self.previous,
        )
        return data + _CRC.pack(crc32(data))

    @staticmethod
    def decode(data: bytes) -> Header | None:
        """The header, or None for bytes that are none of this version."""
        if len(data) != HEADER_SIZE or _CRC.unpack_from(data, _FIELDS.size)[0] != crc32(data[: _FIELDS.size]):
            return None
        magic, version, hash_size, zero, flags, uuid, number, generation, base, previous = (
            _FIELDS.unpack_from(data)
        )
        if magic != _MAGIC or version != _VERSION or zero or flags or base % ALIGN or base >= LIMIT:
            return None
        return Header(uuid, hash_size, number, generation, base, previous)


class Segment:
    """An open segment. Reading is safe from any thread; `length` grows while the segment is active."""

    __slots__ = ("_files", "_maps", "base", "fd", "header", "length", "map", "path", "seen")

    def __init__(
        self, files: Files, path: str, fd: int, header: Header, length: int, *, mapped: bool
    ) -> None:
        self._files = files
        self.path = path
        self.fd = fd
        self.header = header
        self.base = header.base
        self.length = length
        """Bytes that belong to the snapshot, header included. Nothing beyond is read."""
        self._maps = mapped
        self.map: mmap.mmap | None = None
        """The file as far as it was mapped; it may show bytes beyond `length`."""
        self.seen = 0
        """Bytes at the start that `map` shows and that belong to the snapshot: what `read` would slice."""

    @staticmethod
    def open(
        files: Files, path: str, uuid: bytes, length: int | None, *, mapped: bool, write: bool
    ) -> Segment:
        """The segment at `path`; `length` None means as long as the file is.

        Raises Corrupted for a file that is missing, shorter than `length`, no segment, or one of another store.
        """
        try:
            fd = files.open(path, os.O_RDWR if write else os.O_RDONLY)
        except FileNotFoundError:
            raise Corrupted(path, None, None, "the segment is missing") from None
        try:
            header = Header.decode(read_at(files, fd, HEADER_SIZE, 0))
            if header is None:
                raise Corrupted(path, 0, None, "its header is none of a segment of this version")
            if header.uuid != uuid:
                raise Corrupted(
                    path, 0, None, f"it belongs to the store {header.uuid.hex()}, not to {uuid.hex()}"
                )
            size = files.size(fd)
            if length is not None and size < length:
                raise Corrupted(path, size, None, f"it is {size} bytes long and should have {length}")
        except BaseException:
            files.close(fd)
            raise
        return Segment(files, path, fd, header, size if length is None else length, mapped=mapped)

    def __del__(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with suppress(OSError):
                self._files.close(fd)

    @property
    def end(self) -> int:
        """The virtual offset behind the last byte."""
        return self.base + self.length

    def read(self, at: int, size: int) -> bytes:
        """`size` bytes from byte `at` of the file; fewer where the snapshot ends. StorageError if the system fails."""
        stop = at + size
        if stop > self.length:
            stop = self.length
        if stop - at >= LONG_READ:
            return read_at(self._files, self.fd, stop - at, at)
        # A map is dropped and never closed: one that another thread is slicing stays until it is done.
        mapped = self.map
        if mapped is None or stop > len(mapped):
            mapped = self._remap(mapped) if self._maps else None
            if mapped is None or stop > len(mapped):
                return self._pread(at, stop - at) if stop > at else b""
        return mapped[at:stop]

    def _pread(self, at: int, size: int) -> bytes:
        try:
            return read_at(self._files, self.fd, size, at)
        except OSError as e:
            raise StorageError(f"{self.path} cannot be read at byte {at}: {e}") from e

    def _remap(self, mapped: mmap.mmap | None) -> mmap.mmap | None:
        """Map what has grown, if it is much."""
        length = self.length
        if length < 2 * ALIGN or (mapped is not None and length - len(mapped) < _MARGIN):
            return mapped
        try:
            mapped = self._files.mmap(self.fd, length)
        except (OSError, ValueError):
            self._maps = False  # no maps here: read by calls
            return None
        self.map, self.seen = mapped, length
        return mapped

    def release(self) -> None:
        """Give the pages of the map back; whoever reads them again gets them from the system."""
        mapped = self.map
        if mapped is not None and _DONTNEED is not None:
            with suppress(OSError):  # such as for pages that somebody has locked into memory
                mapped.madvise(_DONTNEED)

    def cut(self, length: int) -> None:
        """Forget what lies beyond `length`, before the file is truncated."""
        self.seen = 0
        if self.map is not None:
            if len(self.map) > length:
                self.map = None
            else:
                self.seen = len(self.map)
        self.length = length


class Table:
    """The segments of one generation, by base. It grows when a segment is added, and is read without a lock."""

    __slots__ = ("_last", "rows")

    def __init__(self, segments: list[Segment]) -> None:
        self._set(segments)

    def _set(self, segments: list[Segment]) -> None:
        ordered = sorted(segments, key=lambda segment: segment.base)
        # One assignment, so that a reader sees bases and segments of one moment.
        self.rows = ([segment.base for segment in ordered], ordered)
        """The bases of all segments, ascending, and the segments."""
        followed = {segment.header.previous for segment in ordered}
        unfollowed = [segment for segment in ordered if segment.header.number not in followed]
        self._last = unfollowed[0] if unfollowed else None

    @property
    def segments(self) -> list[Segment]:
        """All of them, by base."""
        return self.rows[1]

    def add(self, segment: Segment) -> None:
        """One more, behind the others."""
        self._set([*self.segments, segment])

    def drop(self, path: str) -> None:
        """Forget the segment at `path`."""
        self._set([segment for segment in self.segments if segment.path != path])

    def locate(self, offset: int) -> Segment | None:
        """The segment whose range `offset` lies in, or None."""
        bases, segments = self.rows
        i = bisect_right(bases, offset) - 1
        if i < 0:
            return None
        segment = segments[i]
        return segment if offset < segment.base + segment.length else None

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`; fewer where its segment ends, none where there is no segment."""
        segment = self.locate(offset)
        return b"" if segment is None else segment.read(offset - segment.base, size)

    def pieces(self, begin: int, end: int) -> Iterator[bytes]:
        """The bytes from offset `begin` to `end`, of one segment, a MiB at a time."""
        for at in range(begin, end, _PIECE):
            yield self.read(at, min(_PIECE, end - at))

    def after(self, number: int) -> Segment | None:
        """The segment whose batches continue those of segment `number`, or None."""
        return next((segment for segment in self.segments if segment.header.previous == number), None)

    def last(self) -> Segment:
        """The segment whose batches come last: the active one."""
        last = self._last
        assert last is not None  # a store has a segment
        return last

    def next_base(self) -> int:
        """The base of a segment behind all others."""
        end = max((segment.end for segment in self.segments), default=0)
        return (end + ALIGN - 1) & -ALIGN
