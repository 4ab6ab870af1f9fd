"""Reading objects of one generation: by word, checked against the hash that led there.

A view belongs to a table of segments and holds it open. What it gives was hashed on the way, and for nodes and
commits the crc of the frame was compared too, since it guards the hints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from zlib import crc32

from irminpy.errors import Corrupted
from irminpy.hash import Hash

from .frame import BLOB, HEADER, LARGE, Framing
from .segment import Segment, Table
from .word import CONTENTS, LONG, kind_of, offset_of

__all__ = ["View"]

_OBJECT: Final = {1: frozenset(b"N"), 2: frozenset(b"BX"), 3: frozenset(b"C")}


class View:
    """The objects in the segments of `table`."""

    __slots__ = ("digest", "framing", "table")

    def __init__(self, framing: Framing, table: Table, digest: Callable[[bytes], bytes]) -> None:
        self.framing = framing
        self.table = table
        self.digest = digest

    def at(self, word: int, hash: bytes) -> tuple[bytes, bytes] | None:
        """(canonical bytes, column of the children's words) of the object `hash` at `word`.

        None if another object, or nothing, lies there: then `damage` tells whether that is a stale word or a damaged
        file. Cost: one read; two from 8 MiB on.
        """
        # As `offset_of`, `units_of` and `kind_of` say: calls would take a third of the time.
        offset = (word >> 22) << 3
        segment = self.table.locate(offset)
        if segment is None:
            return None
        units = (word >> 2) & LONG
        at = offset - segment.base
        if units == LONG:
            units = self._units(segment, at)
        data = segment.read(at, units << 3)
        if len(data) < HEADER.size:
            return None
        crc, said, hints, kind, pad, _ = HEADER.unpack_from(data)
        size = len(data)
        if said << 3 != size or kind not in _OBJECT[word & 3]:
            return None
        end = self.framing.head + (hints << 3)
        canonical = data[end : size - pad]
        if kind == LARGE:
            return self._large(data, hash)
        if self.digest(canonical) != hash:
            return None
        if kind == BLOB:
            return canonical, b""
        if crc32(data[4:]) != crc:
            return None
        return canonical, data[self.framing.head : end]

    def _units(self, segment: Segment, at: int) -> int:
        try:
            return self.framing.length(segment.read(at, HEADER.size)) >> 3
        except ValueError:
            return 0

    def _large(self, data: bytes, hash: bytes) -> tuple[bytes, bytes] | None:
        raise NotImplementedError

    def damage(self, word: int, hash: bytes) -> Corrupted | None:
        """What is wrong with the frame at `word`, if it is, or was, the one of the object `hash`; None if it is not.

        A frame that says it is of this hash, or that is not whole, is damaged; a right frame of another object only
        means that the word is stale.
        """
        offset = offset_of(word)
        segment = self.table.locate(offset)
        if segment is None:
            return None
        at = offset - segment.base
        try:
            size = self.framing.length(segment.read(at, HEADER.size))
            frame = self.framing.parse(segment.read(at, size))
        except ValueError as e:
            return Corrupted(segment.path, at, Hash(hash), str(e))
        if frame.hash == hash and kind_of(word) == _kind(frame.kind):
            return Corrupted(segment.path, at, Hash(hash), "its bytes hash to something else")
        return None


def _kind(frame: int) -> int:
    return next((kind for kind, frames in _OBJECT.items() if frame in frames), CONTENTS)
