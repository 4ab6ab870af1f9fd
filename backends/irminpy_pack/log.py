"""The batches of a store as one log: trailers by offset, the batch that follows, the refs at an end.

Everything here reads; nothing is believed but what its crc, number and place in the chain confirm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from struct import Struct
from typing import Any, Final, cast
from zlib import crc32

import msgpack

from irminpy.backend import RefChange
from irminpy.errors import Corrupted
from irminpy.fields import NamedTuple
from irminpy.hash import Hash
from irminpy.packer import packer

from .difference import whole
from .ends import branches
from .frame import (
    BLOB,
    COMMIT,
    DIFFERENCE,
    GENERATION,
    HEADER,
    LARGE,
    NODE,
    REF,
    TABLE,
    TRAILER,
    Frame,
    Framing,
)
from .segment import HEADER_SIZE, Table
from .trailer import NOTHING, TRAILER_SIZE, Tip, Trailer
from .word import COMMIT as COMMIT_WORD
from .word import CONTENTS, LONG
from .word import NODE as NODE_WORD

__all__ = [
    "KIND_OF_FRAME",
    "Batch",
    "Log",
    "Marks",
    "Ref",
    "apply",
    "change",
    "decode_ref",
    "decode_table",
    "encode_ref",
    "encode_table",
]

_BLOCK: Final = 1 << 20
_unpack = cast("Callable[[bytes], Any]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]

KIND_OF_FRAME: Final = {
    BLOB: CONTENTS,
    LARGE: CONTENTS,
    NODE: NODE_WORD,
    DIFFERENCE: NODE_WORD,
    COMMIT: COMMIT_WORD,
}
"""The kind of object that a frame holds, as words and the index name it."""


_NONE: Final = type(None)
_MOVES: Final = [[str, old, new, int, int] for old in (bytes, _NONE) for new in (bytes, _NONE)]
"""Types of what a move of a ref consists of."""
_ROW: Final = [str, bytes, int]


class Ref(NamedTuple):
    """A move of the ref `name`; None where it is absent."""

    name: str
    old: bytes | None
    new: bytes | None
    word: int
    """Where the commit `new` lies; 0 for unknown."""
    time: int
    """Microseconds since 1970."""


def encode_ref(ref: Ref) -> bytes:
    """The payload of an R frame."""
    return packer.pack([*ref])


def encode_table(refs: Mapping[str, tuple[bytes, int]]) -> bytes:
    """The payload of a K frame: all refs, ascending by the UTF-8 bytes of their names."""
    return packer.pack([[name, *refs[name]] for name in sorted(refs)])


def apply(ref: Ref, refs: dict[str, tuple[bytes, int]]) -> None:
    """Move `ref` in `refs`."""
    if ref.new is None:
        refs.pop(ref.name, None)
    else:
        refs[ref.name] = (ref.new, ref.word)


def change(name: str, before: bytes | None, after: bytes | None) -> RefChange:
    """The ref `name` moved, as listeners are told."""
    return RefChange(name, None if before is None else Hash(before), None if after is None else Hash(after))


def decode_ref(payload: bytes) -> Ref:
    """The inverse of `encode_ref`; ValueError for bytes that are no move of a ref."""
    row: Any = _unpack(payload)
    if _types(row) not in _MOVES:
        raise ValueError("no move of a ref")
    return Ref(*row)


def decode_table(payload: bytes) -> dict[str, tuple[bytes, int]]:
    """The inverse of `encode_table`; ValueError for bytes that are no table of refs."""
    rows: Any = _unpack(payload)
    kinds = _types(rows)
    if kinds is None or any(_types(row) != _ROW for row in rows):
        raise ValueError("no table of refs")
    return {name: (hash_, word_) for name, hash_, word_ in rows}


def _types(row: Any) -> list[type] | None:
    """The types of the parts of a list; None for anything else."""
    return list(map(type, cast("list[object]", row))) if isinstance(row, list) else None


class Batch(NamedTuple):
    """A whole batch, as found."""

    trailer: Trailer
    tip: Tip
    """The end of the log with this batch."""


class Marks(NamedTuple):
    """What the next trailer has to say of refs that moved before."""

    table: int = NOTHING
    """Offset of the last K frame, 0 for none."""
    last_refs: int = NOTHING
    """Offset of the last trailer whose batch has R frames, 0 for none."""
    ref_bytes: int = 0
    """Bytes of R frames since the last K."""
    table_bytes: int = 0
    """Bytes of that K."""


class Log:
    """The log in the segments of `table`."""

    __slots__ = ("framing", "table")

    def __init__(self, framing: Framing, table: Table) -> None:
        self.framing = framing
        self.table = table

    def frame(self, offset: int) -> Frame | None:
        """The frame at `offset`, or None where there is no whole and right one."""
        framing, table = self.framing, self.table
        try:
            size = framing.length(table.read(offset, HEADER.size))
            return framing.parse(table.read(offset, size))
        except ValueError:
            return None

    def trailer(self, at: int, crc: int | None = None) -> Batch | None:
        """The batch whose trailer lies at `at` (with that crc), or None. The batch itself is not looked at."""
        frame = self.frame(at)
        if frame is None or frame.kind != TRAILER or (crc is not None and frame.crc != crc):
            return None
        if len(frame.canonical) != TRAILER_SIZE:
            return None
        trailer = Trailer.decode(frame.canonical)
        return Batch(trailer, Tip(trailer.batch_no, at + frame.size, at, frame.crc))

    def holds(self, tip: Tip) -> bool:
        """Whether the log has the batch that `tip` names."""
        if tip.batch_no == 0:
            # The log begins where the first of all segments does.
            return tip.at == NOTHING and any(
                tip.end == segment.base + HEADER_SIZE and segment.header.previous == 0
                for segment in self.table.segments
            )
        batch = self.trailer(tip.at, tip.crc)
        return batch is not None and batch.tip == tip

    def following(self, tip: Tip) -> Batch | None:
        """The batch that follows `tip`, if it is whole: frames, crc, number and chain hold. Reads all of it."""
        found = self._batch_at(tip.end, tip)
        if found is None:
            here = self.table.locate(tip.end - 1)
            after = None if here is None else self.table.after(here.header.number)
            if after is not None:
                found = self._batch_at(after.base + HEADER_SIZE, tip)
        return found

    def flip(self, begin: Tip) -> tuple[Tip, int]:
        """(end, offset of the G frame) of the first batch after `begin` that has one; offset 0 if the whole batches
        that follow each other lead to none. Reads all of them.
        """
        tip = begin
        while (batch := self.following(tip)) is not None:
            for offset, frame in self.framing.scan(self.table.read, batch.trailer.start, batch.tip.at):
                if frame.kind == GENERATION:
                    return batch.tip, offset
            tip = batch.tip
        return tip, NOTHING

    def _batch_at(self, start: int, tip: Tip) -> Batch | None:
        segment = self.table.locate(start)
        if segment is None:
            return None
        n = crc = 0
        for offset, kind, data in self.framing.walk(self.table.read, start, segment.end):
            if kind != TRAILER:
                n += 1
                crc = crc32(data, crc)
                continue
            frame = self.framing.parse(data)
            if len(frame.canonical) != TRAILER_SIZE:
                return None
            trailer = Trailer.decode(frame.canonical)
            follows = (trailer.batch_no, trailer.previous, trailer.previous_crc) == (
                tip.batch_no + 1,
                tip.at,
                tip.crc,
            )
            if not follows or (trailer.start, trailer.frames) != (start, n):
                return None
            if trailer.crc != crc:
                return None
            return Batch(trailer, Tip(trailer.batch_no, offset + frame.size, offset, frame.crc))
        return None

    def back_to(self, tip: Tip, older: Tip) -> list[Batch] | None:
        """The batches after `older` up to `tip`, in order, by the chain of trailers; None if it does not lead there."""
        found: list[Batch] = []
        at, crc, number = tip.at, tip.crc, tip.batch_no
        while number > older.batch_no:
            batch = self.trailer(at, crc)
            if batch is None or batch.tip.batch_no != number:
                return None
            found.append(batch)
            at, crc, number = batch.trailer.previous, batch.trailer.previous_crc, number - 1
        if (at, crc) != (older.at, older.crc):
            return None
        found.reverse()
        return found

    # -- refs ------------------------------------------------------------------------------------------------

    def refs_at(self, tip: Tip) -> tuple[dict[str, tuple[bytes, int]], Marks]:
        """(name to commit hash and word, marks) at `tip`: the last table, then what moved since. Ends are among them.

        Cost: one read per batch with refs since.
        """
        if tip.batch_no == 0:
            return {}, Marks()
        batch = self._needed(tip.at)
        last = batch.trailer
        table = last.table
        refs: dict[str, tuple[bytes, int]] = {}
        table_bytes = 0
        if table != NOTHING:
            frame = self.frame(table)
            if frame is None or frame.kind != TABLE:
                raise self._damaged(table, "a table of refs is not where a trailer says")
            refs = self._decoded_table(table, frame)
            table_bytes = frame.size
        behind: list[Batch] = []
        at = tip.at if last.first_ref else last.earlier_refs
        last_refs = at
        while at != NOTHING:
            batch = self._needed(at)
            if batch.trailer.table != table:
                break  # before the table, which knows of it
            behind.append(batch)
            at = batch.trailer.earlier_refs
        ref_bytes = 0
        for batch in reversed(behind):
            for ref, size in self.moves(batch):
                ref_bytes += size
                apply(ref, refs)
        return refs, Marks(table, last_refs, ref_bytes, table_bytes)

    def branches_at(self, tip: Tip) -> dict[str, tuple[bytes, int]]:
        """Name to commit hash and word of the branches at `tip`. Cost: as `refs_at`."""
        return branches(self.refs_at(tip)[0])

    def moves(self, batch: Batch) -> Iterator[tuple[Ref, int]]:
        """The moves of refs in `batch`, in order, each with the bytes of its frame. They lie side by side."""
        offset = batch.trailer.first_ref
        if offset == NOTHING:
            return
        while offset < batch.tip.at:
            frame = self.frame(offset)
            if frame is None or frame.kind != REF:
                raise self._damaged(offset, "a move of a ref is not where its trailer says")
            try:
                ref = decode_ref(frame.canonical)
            except ValueError:
                raise self._damaged(offset, "a move of a ref that cannot be decoded") from None
            yield ref, frame.size
            offset += frame.size

    def _decoded_table(self, offset: int, frame: Frame) -> dict[str, tuple[bytes, int]]:
        try:
            return decode_table(frame.canonical)
        except ValueError:
            raise self._damaged(offset, "a table of refs that cannot be decoded") from None

    def _needed(self, at: int) -> Batch:
        batch = self.trailer(at)
        if batch is None:
            raise self._damaged(at, "a trailer is not where the chain says")
        return batch

    def _damaged(self, offset: int, reason: str) -> Corrupted:
        segment = self.table.locate(offset)
        if segment is None:
            return Corrupted("the segments", offset, None, reason)
        return Corrupted(segment.path, offset - segment.base, None, reason)

    # -- objects ---------------------------------------------------------------------------------------------

    def whole(self, offset: int, frame: Frame) -> Frame:
        """As `difference.whole`, from the segments of this log."""
        return whole(self.framing, self.table.read, offset, frame)

    def entries(self, start: int, end: int, kinds: frozenset[int]) -> Iterator[tuple[bytes, int]]:
        """(kind byte and hash, word) of each object from `start` to `end`, of the `kinds` of frames given.

        Only the headers are looked at: what lies there was found whole before. Raises Corrupted where the frames
        do not follow each other.
        """
        size, head = self.framing.hash_size, self.framing.head
        unpack, first_byte = HEADER.unpack_from, HEADER.size
        codes = {kind: (bytes((KIND_OF_FRAME[kind],)), KIND_OF_FRAME[kind]) for kind in kinds}
        for segment in self.table.segments:
            at = max(start, segment.base + HEADER_SIZE) - segment.base
            stop = min(end, segment.end) - segment.base
            block, first = b"", 0
            while at < stop:
                here = at - first
                if len(block) - here < head:
                    block, first, here = segment.read(at, min(_BLOCK, stop - at)), at, 0
                    if len(block) < head:
                        raise self._damaged(segment.base + at, "the frames end too early")
                _, units, _, kind, _, _ = unpack(block, here)
                if kind in codes:
                    prefix, code = codes[kind]
                    here += first_byte
                    place = (segment.base + at) >> 3 << 22 | (units if units < LONG else LONG) << 2 | code
                    yield prefix + block[here : here + size], place  # as `word.pack` does, without the call
                if units << 3 < head:
                    raise self._damaged(segment.base + at, "no header of a frame")
                at += units << 3

    def trailer_in(self, data: bytes, after: int) -> bool:
        """Whether a right trailer of a batch numbered above `after` lies in `data`, at a multiple of 8."""
        size = self.framing.size_of(0, TRAILER_SIZE)
        pad = size - self.framing.head - TRAILER_SIZE
        pattern = Struct("<IIBBH").pack(size >> 3, 0, TRAILER, pad, 0)
        at = data.find(pattern)
        while at >= 0:
            if at >= 4 and (at - 4) % 8 == 0:
                with suppress(ValueError):
                    frame = self.framing.parse(data[at - 4 : at - 4 + size])
                    if Trailer.decode(frame.canonical).batch_no > after:
                        return True
            at = data.find(pattern, at + 1)
        return False
