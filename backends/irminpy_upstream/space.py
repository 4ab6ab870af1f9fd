"""Where an offset lies: in the suffix, in the prefix that garbage collection left, or in a volume of the lower layer.

Offsets are those of irmin-pack: they count all bytes that were ever written, and never change. Source: irmin-pack 3.7,
`dispatcher.ml`, `sparse_file.ml`, `chunked_suffix.ml`, `lower.ml`.
"""

from __future__ import annotations

import os
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final, Protocol

from irminpy.errors import Corrupted

from .control import HEADER, Control, Volume, read_volume
from .files import File

__all__ = ["Part", "Space"]

_TRIPLE: Final = 24


class Part(Protocol):
    """A part of the space of offsets."""

    @property
    def path(self) -> str:
        """The file that messages name."""
        ...

    def read(self, offset: int, n: int) -> bytes:
        """At most `n` bytes at `offset`, as many as lie there in one piece; none if nothing does."""
        ...


class Suffix:
    """The chunks that were written last, or the one pack of versions 1 and 2; `start` is the first offset here."""

    def __init__(self, root: str, control: Control) -> None:
        gced = control.gced
        self.start = 0 if gced is None else gced.start
        self._dead = 0 if gced is None else gced.dead
        self._files: list[tuple[File, int]] = []
        """Chunks, with the bytes of their headers."""
        ends: list[int] = []
        at = 0
        numbers = range(control.first_chunk, control.first_chunk + control.chunks)
        for number in numbers:
            name = "store.pack" if control.version < 3 else f"store.{number}.suffix"
            file = File.open(os.path.join(root, name), "a part of the pack")
            header = control.header if number == control.first_chunk else 0
            size = file.size - header
            if number == numbers[-1]:
                if control.suffix_end > size:
                    reason = f"it should have {control.suffix_end} bytes, it has {size}"
                    raise Corrupted(file.path, size, None, reason)
                size = control.suffix_end
            if size < 0:
                raise Corrupted(
                    file.path, file.size, None, f"it is shorter than its header of {HEADER} bytes"
                )
            at += size
            self._files.append((file, header))
            ends.append(at)
        self._ends = ends
        self.end = self.start - self._dead + at
        if self.end < self.start:
            reason = f"{self._dead} bytes before the offset {self.start} are not all there"
            raise Corrupted(self._files[-1][0].path, None, None, reason)

    @property
    def path(self) -> str:
        """The last chunk."""
        return self._files[-1][0].path

    def read(self, offset: int, n: int) -> bytes:
        """As `Part.read`."""
        if not self.start <= offset < self.end:
            return b""
        at = offset - self.start + self._dead
        n = min(n, self.end - offset)
        parts: list[bytes] = []
        number = bisect_right(self._ends, at)
        while n > 0:
            before = self._ends[number - 1] if number else 0
            file, header = self._files[number]
            size = min(n, self._ends[number] - at)
            part = file.read(header + at - before, size)
            parts.append(part)
            if len(part) < size:
                break
            at += size
            n -= size
            number += 1
        return parts[0] if len(parts) == 1 else b"".join(parts)


class Sparse:
    """A file of ranges of offsets, with a mapping beside it that says which: a prefix, or the data of a volume.

    Held in memory: 24 bytes for each range.
    """

    def __init__(self, data: str, mapping: str, size: int | None) -> None:
        self._file = File.open(data, "what was kept of older offsets")
        where = File.open(mapping, "the mapping of older offsets")
        size = where.size if size is None else size
        if size > where.size or size % _TRIPLE:
            reason = f"a mapping of {size} bytes is expected, in multiples of {_TRIPLE}, it has {where.size}"
            raise Corrupted(mapping, None, None, reason)
        numbers = array("q")
        numbers.frombytes(where.read(0, size))
        if sys.byteorder == "big":
            numbers.byteswap()
        self._offsets, self._places, self._lengths = numbers[0::3], numbers[1::3], numbers[2::3]
        self._check(mapping)

    def _check(self, mapping: str) -> None:
        """Ranges lie one behind the other in the file, and ascend: else the mapping is damaged."""
        places = accumulate(self._lengths, initial=0)
        at = 0
        for offset, place, length, at in zip(
            self._offsets, self._places, self._lengths, places, strict=False
        ):
            if place != at or length <= 0 or offset < 0:
                raise Corrupted(mapping, None, None, f"the range at {offset} does not follow the one before")
        total = at + self._lengths[-1] if self._lengths else 0
        ends = [offset + length for offset, length in zip(self._offsets, self._lengths, strict=True)]
        if any(end > offset for end, offset in zip(ends, self._offsets[1:], strict=False)):
            raise Corrupted(mapping, None, None, "its ranges overlap, or are not in order")
        if total > self._file.size:
            reason = f"it should have {total} bytes, it has {self._file.size}"
            raise Corrupted(self._file.path, self._file.size, None, reason)

    @property
    def path(self) -> str:
        """The file of the ranges."""
        return self._file.path

    def read(self, offset: int, n: int) -> bytes:
        """As `Part.read`."""
        i = bisect_right(self._offsets, offset) - 1
        if i < 0:
            return b""
        skip = offset - self._offsets[i]
        left = self._lengths[i] - skip
        return self._file.read(self._places[i] + skip, min(n, left)) if left > 0 else b""


class Space:
    """All of the offsets of a store: what is read first comes first. `lower` is the directory of its volumes."""

    def __init__(self, root: str, control: Control, lower: str | None) -> None:
        self.suffix = Suffix(root, control)
        self.parts: list[Part] = [self.suffix]
        gced = control.gced
        if gced is not None and gced.generation:
            base = os.path.join(root, f"store.{gced.generation}")
            self.parts.append(Sparse(base + ".prefix", base + ".mapping", gced.mapping))
        if lower is not None:
            volumes = list(_volumes(lower, control))
            _adjoin(lower, [volume for _, volume in volumes])
            self.parts += [part for part, _ in reversed(volumes)]

    def read(self, offset: int, n: int) -> bytes:
        """At most `n` bytes at `offset`, from the first part that has any; none if nothing lies there."""
        for part in self.parts:
            data = part.read(offset, n)
            if data:
                return data
        return b""

    def is_kept(self, offset: int) -> bool:
        """Whether the offset lies in a part from which nothing was ever removed."""
        return offset >= self.suffix.start


def _volumes(lower: str, control: Control) -> Iterator[tuple[Sparse, Volume]]:
    for number in range(control.volumes):
        folder = os.path.join(lower, f"volume.{number}")
        newer = os.path.join(folder, f"volume.{control.generation}.control")
        # Garbage was collected, and the process died before it renamed this: the next writer would.
        pending = number == control.volumes - 1 and os.path.exists(newer)
        volume = read_volume(newer if pending else os.path.join(folder, "volume.control"))
        data = os.path.join(folder, "volume.data")
        if volume.start == volume.end and not os.path.exists(data):
            continue  # added, and nothing went there yet
        yield Sparse(data, os.path.join(folder, "volume.mapping"), volume.mapping), volume


def _adjoin(lower: str, volumes: list[Volume]) -> None:
    for before, after in pairwise(volumes):
        if after.end > after.start and after.start != before.end:
            reason = f"a volume ends at {before.end}, the next one begins at {after.start}"
            raise Corrupted(lower, None, None, reason)
