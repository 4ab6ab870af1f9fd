"""Walking the log frame by frame, in the order in which it was written: a record for each, damaged ones too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from irminpy.errors import DecodeError
from irminpy.formats.format import Codec
from irminpy.hash import HashFunction

from .ends import branches, ends, is_end
from .files import Files
from .frame import COMMIT, GENERATION, LARGE, NODE, REF, TABLE, TRAILER, Frame
from .generation import decode_generation
from .large import Large
from .log import KIND_OF_FRAME, decode_ref, decode_table
from .scan import Gap, scan
from .still import Still
from .trailer import TRAILER_SIZE, Trailer
from .word import offset_of, pack, words_of

__all__ = ["Row", "traverse"]

GAP: Final = "?"


@dataclass(frozen=True, slots=True)
class Row:
    """One frame, or bytes that are none."""

    segment: int
    """Its number."""
    at: int
    """Byte of the segment."""
    offset: int
    """Virtual offset."""
    kind: str
    """The letter of its kind; "?" for bytes that are no frame."""
    bytes: int
    """Of the frame."""
    hash: str | None
    """Hexadecimal digits."""
    word: int
    """Where it lies, as its parents say it; 0 for what is no object."""
    refs: tuple[tuple[str, int], ...]
    """(hash, virtual offset that the hint gives) of the children: entries or buckets, root and parents, chunks."""
    says: dict[str, Any]
    """What the others tell: a move of a ref, a table, a generation, a trailer, damage."""

    @property
    def units(self) -> int:
        """Of 8 bytes, of the frame."""
        return self.bytes >> 3

    def to_json(self) -> dict[str, Any]:
        """All of it, on a line of its own."""
        refs = [{"hash": hash_, "offset": offset} for hash_, offset in self.refs]
        return {
            "segment": self.segment,
            "at": self.at,
            "offset": self.offset,
            "kind": self.kind,
            "units": self.units,
            "bytes": self.bytes,
            "hash": self.hash,
            "word": self.word,
            "refs": refs,
            **self.says,
        }

    def __str__(self) -> str:
        said = "".join(f" {name}={value}" for name, value in self.says.items())
        children = f" -> {' '.join(hash_[:10] for hash_, _ in self.refs)}" if self.refs else ""
        name = "-" * 10 if self.hash is None else self.hash[:10]
        return f"{self.segment:06}:{self.at:<10} {self.kind} {self.units:>6} {name}{children}{said}"


def traverse(path: str, codec: Codec, function: HashFunction, *, files: Files) -> Iterator[Row]:
    """A row for each frame of the store at `path`, ascending, up to where its segments end.

    Nothing is hashed: `fsck` does that. What an object refers to is decoded; where that cannot be done the row says
    `damage`. Raises NotAStore, UnsupportedVersion, Corrupted, StorageError before the first row. Cost: one pass over
    the segments. Memory: one frame.
    """
    still = Still.open(path, files)

    def rows() -> Iterator[Row]:
        for segment in still.table.segments:
            number, base = segment.header.number, segment.base
            for found in scan(still.framing, segment):
                offset = base + found.at
                if isinstance(found, Gap):
                    damage = {"damage": found.reason}
                    yield Row(number, found.at, offset, GAP, found.size, None, 0, (), damage)
                    continue
                frame = found.frame
                kind = KIND_OF_FRAME.get(frame.kind)
                word = 0 if kind is None else pack(offset, frame.size >> 3, kind)
                letter = chr(frame.kind)
                try:
                    frame = still.log.whole(offset, frame)
                    refs, says = _refs(frame, codec, function), _says(frame)
                except (DecodeError, ValueError, TypeError, IndexError, AttributeError) as e:
                    # A frame whose crc is right may still hold anything.
                    refs, says = (), {"damage": str(e)}
                yield Row(
                    number,
                    found.at,
                    offset,
                    letter,
                    frame.size,
                    frame.hash.hex(),
                    word,
                    refs,
                    says,
                )

    return rows()


def _refs(frame: Frame, codec: Codec, function: HashFunction) -> tuple[tuple[str, int], ...]:
    size = codec.hash_size
    if frame.kind == NODE:
        _, column = codec.children(frame.canonical)
        hashes = [column[i : i + size] for i in range(0, len(column), size)]
    elif frame.kind == COMMIT:
        commit = codec.decode_commit(frame.canonical)
        hashes = [bytes(commit.node), *map(bytes, commit.parents)]
    elif frame.kind == LARGE:
        hashes = list(Large.decode(frame.hash, frame.canonical, words_of(frame.hints), function).hashes)
    else:
        return ()
    words = words_of(frame.hints) if frame.hints else (0,) * len(hashes)
    return tuple([(hash_.hex(), offset_of(word)) for hash_, word in zip(hashes, words, strict=True)])


def _says(frame: Frame) -> dict[str, Any]:
    if frame.base:
        return {"base": offset_of(frame.base)}
    if frame.kind == REF:
        ref = decode_ref(frame.canonical)
        if is_end(ref.name) and ref.new is not None:
            return {"end": ref.new.hex(), "time": ref.time}
        old, new = (None if hash_ is None else hash_.hex() for hash_ in (ref.old, ref.new))
        return {"ref": ref.name, "old": old, "new": new, "time": ref.time}
    if frame.kind == TABLE:
        refs = decode_table(frame.canonical)
        table = {name: hash_.hex() for name, (hash_, _) in branches(refs).items()}
        cut_off = {"ends": [hash_.hex() for hash_, _ in ends(refs).values()]} if ends(refs) else {}
        return {"table": table} | cut_off
    if frame.kind == GENERATION:
        found = decode_generation(frame.canonical)
        shallow = [hash_.hex() for hash_ in found.shallow]
        return {"generation": found.number, "time": found.time, "shallow": shallow}
    if frame.kind == TRAILER and len(frame.canonical) == TRAILER_SIZE:
        trailer = Trailer.decode(frame.canonical)
        return {
            "batch": trailer.batch_no,
            "start": trailer.start,
            "frames": trailer.frames,
            "time": trailer.time,
        }
    return {}
