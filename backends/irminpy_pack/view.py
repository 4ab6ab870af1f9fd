"""Reading objects of one generation: by word, checked against the hash that led there.

A view belongs to a table of segments and holds it open. What it gives was hashed on the way, and for nodes and
commits the crc of the frame was compared too, since it guards the hints.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Final
from zlib import crc32

from irminpy import core
from irminpy.errors import Corrupted, DanglingHash, DecodeError
from irminpy.formats.format import Codec
from irminpy.formats.native import NativeCodec
from irminpy.hash import Hash, HashFunction
from irminpy.objects import Inode, Node

from .difference import whole
from .frame import BLOB, DIFFERENCE, HEADER, LARGE, Framing
from .large import Large, value_of
from .segment import LONG_READ, Segment, Table
from .word import CONTENTS, LONG, kind_of, offset_of, words_of

__all__ = ["View"]

_header: Final = HEADER.unpack_from
_OBJECT: Final = {1: frozenset(b"ND"), 2: frozenset(b"BX"), 3: frozenset(b"C")}


class View:
    """The objects in the segments of `table`. `find` asks the index for the word of contents, 0 for none."""

    __slots__ = ("_find", "_head", "_native", "_plain", "codec", "digest", "framing", "function", "table")

    def __init__(
        self,
        framing: Framing,
        table: Table,
        codec: Codec,
        function: HashFunction,
        find: Callable[[bytes], int],
    ) -> None:
        self.framing = framing
        self.table = table
        self.codec = codec
        self.function = function
        self.digest = codec.digest
        self._find = find
        self._head = framing.head
        # What the hot functions over frames are for. In Python the call of the first would cost more than it saves.
        plain = codec.digest is core.digest
        self._plain = plain and core.CORE == "c"
        self._native = codec if plain and isinstance(codec, NativeCodec) else None

    def at(self, word: int, hash: bytes, *, large: bool = True) -> tuple[bytes, bytes] | None:
        """(canonical bytes, column of the children's words) of the object `hash` at `word`.

        None if another object, or nothing, lies there: then `damage` tells whether that is a stale word or a damaged
        file. Cost: one read; two for a node that is a difference, and from 8 MiB on; for large contents, which `large`
        allows, one more per chunk.
        """
        # As `offset_of`, `units_of` and `kind_of` say: calls would take a third of the time.
        offset = (word >> 22) << 3
        bases, segments = self.table.rows
        i = bisect_right(bases, offset) - 1
        if i < 0:
            return None
        segment = segments[i]
        units = (word >> 2) & LONG
        at = offset - bases[i]
        if units == LONG:
            units = self._units(segment, at)
        size = units << 3
        head = self._head
        # As `Segment.read` does, without the call.
        mapped = segment.map
        if mapped is not None and at + size <= segment.seen and size < LONG_READ:
            if self._plain:
                found = core.checked_frame(mapped, at, size, head, word & 3, hash)
                if found is not None:
                    return found
            data = mapped[at : at + size]
        else:
            data = segment.read(at, size)
        if len(data) != size or size < head:
            return None
        crc, said, hints, kind, pad, _ = _header(data)
        if said != units or kind not in _OBJECT[word & 3]:
            return None
        if kind == BLOB:
            canonical = data[head + (hints << 3) : size - pad]
            return (canonical, b"") if self.digest(canonical) == hash else None
        if kind == LARGE:
            return self._joined(word, hash) if large else None
        if kind == DIFFERENCE:
            return self._made(offset, hash, data)
        end = head + (hints << 3)
        canonical = data[end : size - pad]
        if self.digest(canonical) != hash or crc32(data[4:]) != crc:
            return None
        return canonical, data[head:end]

    def _made(self, offset: int, hash: bytes, data: bytes) -> tuple[bytes, bytes] | None:
        """`at` of a node in the frame `data` at `offset`, which is a difference."""
        framing = self.framing
        try:
            frame = whole(framing, self.table.read, offset, framing.parse(data))
        except ValueError:
            return None
        return (frame.canonical, frame.hints) if self.digest(frame.canonical) == hash else None

    def descend(self, hash: bytes, word: int, steps: list[str]) -> tuple[int, bytes | None] | None:
        """See `irminpy.backend.Descending`."""
        codec = self._native
        if codec is None:
            return None
        bases, segments = self.table.rows
        return core.descend(
            bases, segments, self._head, codec.fanout, codec.leaf, codec.empty, hash, word, steps
        )

    def record(self, hash: bytes, word: int) -> Node | Inode | None:
        """See `irminpy.backend.Descending`."""
        codec = self._native
        if codec is None:
            return None
        bases, segments = self.table.rows
        found: Node | Inode | None = core.record_at(
            *(
                bases,
                segments,
                self._head,
                codec.hash_size,
                codec.fanout,
                codec.leaf,
                codec.levels,
                codec.empty,
            ),
            *(hash, word, Node, Inode),
        )
        return found

    def gather(
        self, hash: bytes, word: int, depth: int, count: int, most: int, room: int, below: int
    ) -> core.Gathered | None:
        """See `irminpy.backend.Gathering`."""
        codec = self._native
        if codec is None:
            return None
        bases, segments = self.table.rows
        return core.gather(
            *(bases, segments, self._head, codec.fanout, codec.leaf, codec.levels, codec.empty),
            *(hash, word, depth, count, most, room, below),
        )

    def _units(self, segment: Segment, at: int) -> int:
        try:
            return self.framing.length(segment.read(at, HEADER.size)) >> 3
        except ValueError:
            return 0

    def holds(self, word: int, hash: bytes) -> bool:
        """Whether the object `hash` lies at `word`; the chunks of large contents are not looked at. One read."""
        return self.at(word, hash, large=False) is not None or self.large(word, hash) is not None

    # -- large contents --------------------------------------------------------------------------------------

    def large(self, word: int, hash: bytes) -> Large | None:
        """What the large contents `hash` at `word` consist of; None if there is nothing of the kind.

        Its chunks are not looked at. Cost: one read, two from 8 MiB on.
        """
        offset = offset_of(word)
        segment = self.table.locate(offset)
        if segment is None or kind_of(word) != CONTENTS:
            return None
        at = offset - segment.base
        try:
            header = segment.read(at, HEADER.size)
            size = self.framing.length(header)
            if HEADER.unpack(header)[3] != LARGE:
                return None
            frame = self.framing.parse(segment.read(at, size))
            return Large.decode(hash, frame.canonical, words_of(frame.hints), self.function)
        except (ValueError, DecodeError):
            return None

    def chunk(self, word: int, hash: bytes) -> bytes | None:
        """The canonical bytes of the chunk `hash`, which `word` or the index leads to; None if neither does."""
        for place in (word, self._find(hash)) if word else (self._find(hash),):
            # Never large itself: chunks of chunks would be many from few bytes.
            found = self.at(place, hash, large=False) if place else None
            if found is not None:
                return found[0]
        return None

    def lost(self, word: int, hash: bytes) -> Corrupted | None:
        """What is wrong with the chunk `hash`, of which `chunk` gave None; None if there never was one."""
        for place in (word, self._find(hash)):
            damaged = self.damage(place, hash) if place else None
            if damaged is not None:
                return damaged
        return None

    def _joined(self, word: int, hash: bytes) -> tuple[bytes, bytes] | None:
        large = self.large(word, hash)
        if large is None:
            return None
        try:
            return value_of(large, self.chunks(word), self.codec), b""
        except (Corrupted, DanglingHash):
            return None  # `damage` says which chunk it was

    def chunks(self, word: int, check: Callable[[], object] | None = None) -> ViewedChunks:
        """The chunks of the large contents at `word`; `check` is called before each is read."""
        return ViewedChunks(self, word, check)

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
            if frame.hash == hash:
                frame = whole(self.framing, self.table.read, offset, frame)
        except ValueError as e:
            return Corrupted(segment.path, at, Hash(hash), str(e))
        if frame.hash == hash and kind_of(word) == _kind(frame.kind):
            large = self.large(word, hash) if frame.kind == LARGE else None
            if large is not None:
                try:
                    value_of(large, self.chunks(word), self.codec)
                except Corrupted as e:
                    return e
                except DanglingHash as e:
                    return Corrupted(segment.path, at, Hash(hash), f"its chunk {e.hash.hex()} is not there")
            return Corrupted(segment.path, at, Hash(hash), "its bytes hash to something else")
        return None


class ViewedChunks:
    """The chunks of the large contents at `word`, read through `view`."""

    __slots__ = ("_check", "view", "word")

    def __init__(self, view: View, word: int, check: Callable[[], object] | None) -> None:
        self.view = view
        self.word = word
        self._check = check

    def read(self, hash: bytes, word: int, /) -> bytes | None:
        """As `large.Chunks`."""
        if self._check is not None:
            self._check()
        found = self.view.chunk(word, hash)
        if found is None:
            damaged = self.view.lost(word, hash)
            if damaged is not None:
                raise damaged
        return found

    @property
    def place(self) -> tuple[str, int | None]:
        """The file and offset of the record."""
        offset = offset_of(self.word)
        segment = self.view.table.locate(offset)
        return ("the segments", offset) if segment is None else (segment.path, offset - segment.base)


def _kind(frame: int) -> int:
    return next((kind for kind, frames in _OBJECT.items() if frame in frames), CONTENTS)
