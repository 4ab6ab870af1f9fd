"""Building batches: objects and moves of refs become frames, with the words of their children beside them.

Pure: what comes out is bytes, to be written at the offset they were built for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from struct import Struct, pack
from typing import Any, Final, NamedTuple, TypeAlias

from irminpy.core import CORE, crc, difference, filled_words, frame_of, frames
from irminpy.errors import DanglingHash, StorageError
from irminpy.formats.format import Codec
from irminpy.formats.native import NativeCodec
from irminpy.hash import Hash, HashFunction
from irminpy.objects import DIRECTORY, Commit, Inode, Kind, Node, Objects, Words

from .difference import base_of
from .frame import BLOB, COMMIT, DIFFERENCE, LARGE, NODE, REF, TABLE, TRAILER, Frame, Framing
from .index import Entries, no_entries
from .large import Large
from .log import Marks, Ref, encode_ref, encode_table
from .segment import Segment
from .trailer import NOTHING, Tip, Trailer
from .word import COMMIT as COMMIT_WORD
from .word import CONTENTS, LONG, column, kind_of, offset_of, units_of, word_at
from .word import NODE as NODE_WORD

__all__ = ["PIECE", "Batch", "Builder", "Older", "Piece"]

PIECE: Final = 16 << 20
"""Bytes of frames beyond which a batch is cut."""
_LEAST_TABLE: Final = 4096
_ZERO: Final = bytes(8)
_put_word: Final = Struct("<Q").pack_into
# Before Python 3.12 to name a member of an enumeration costs four times as much as this.
_NODE: Final = Kind.NODE
_CONTENTS: Final = Kind.CONTENTS
_COMMIT: Final = Kind.COMMIT
_BY_CORE: Final = (BLOB, NODE)


Older: TypeAlias = tuple[list[int], list[Segment], Callable[[int, int], bytes], list[int], list[bytes]]
"""Bases of segments, and these; what reads bytes of the log; where blocks of it begin that are in memory, and these."""


def _nowhere(offset: int, size: int) -> bytes:
    """Reads nothing."""
    return b""


_NONE: Final[Older] = ([], [], _nowhere, [], [])

# Canonical bytes by hash, or large contents.
_Run = tuple[int, int, dict[bytes, int], dict[bytes, Any]]


class Piece(NamedTuple):
    """Frames of objects, to be followed by a trailer."""

    parts: list[bytes]
    frames: int
    size: int
    entries: Entries
    """Of each object that an index is to know."""


class Batch(NamedTuple):
    """A batch as bytes, and the log after it."""

    data: bytes
    tip: Tip
    marks: Marks
    entries: Entries


class Builder:
    """Builds batches of a store with the given framing and codec.

    `place(kind, hash)` gives the word of an object that is in the store, or 0; `indexed` are the kinds of frames that
    an index knows; `strict` says that no hint may be unknown, since nothing else leads to the child. `older()` gives
    what finds nodes that others may be differences from; None for none.
    """

    __slots__ = ("_codec", "_framing", "_function", "_indexed", "_native", "_older", "_place", "_strict")

    def __init__(
        self,
        framing: Framing,
        codec: Codec,
        function: HashFunction,
        place: Callable[[int, bytes], int],
        indexed: frozenset[int],
        older: Callable[[], Older] | None,
        *,
        strict: bool,
    ) -> None:
        self._framing = framing
        self._codec = codec
        self._function = function
        # What the core makes frames of by itself.
        self._native = CORE == "c" and isinstance(codec, NativeCodec)
        self._place = place
        self._indexed = indexed
        self._older = older
        self._strict = strict

    def pieces(self, objects: Objects, larges: Sequence[Large], start: Callable[[], int]) -> Iterator[Piece]:
        """The frames of `objects`, children first, in pieces. `start()` says where the next piece will lie.

        `larges` are contents whose chunks are among `objects`, or lie in the store.
        Fills `objects.words` and `objects.hints`. DanglingHash for a child that is nowhere.
        """
        words, known, decoded = objects.words, objects.hints, objects.decoded
        bound = objects.reader is not None and not objects.shallow
        indexed = self._indexed
        older = None if self._older is None else objects.older
        behind = _NONE if self._older is None or older is None else self._older()
        parts: list[bytes] = []
        entries = no_entries()
        n = 0
        at = first = start()
        # Frame, kind, the words of that kind, and what is to go in, children first.
        runs: tuple[_Run, ...] = (
            (BLOB, CONTENTS, words[_CONTENTS], objects.contents),
            (LARGE, CONTENTS, words[_CONTENTS], {large.hash: large for large in larges} if larges else {}),
            (NODE, NODE_WORD, words[_NODE], objects.nodes),
            (COMMIT, COMMIT_WORD, words[_COMMIT], objects.commits),
        )
        for frame, kind, own, found in runs:
            items: list[tuple[bytes, Any]] | None = None
            places = older if frame == NODE else None
            i = 0
            while i < len(found):
                if self._native and frame in _BY_CORE:
                    # The core makes frames of as many as it can.
                    known_to = entries[kind] if frame in indexed else None
                    rest = (known_to, known, decoded, words[_NODE], words[_CONTENTS], Node, Inode)
                    done, at = frames(
                        items or found, i, frame, kind, at, first + PIECE, parts, *rest, places, *behind
                    )
                    n += done - i
                    i = done
                    if i == len(found):
                        break
                if at - first >= PIECE:
                    yield Piece(parts, n, at - first, entries)
                    parts, entries, n = [], no_entries(), 0
                    at = first = start()
                items = items or [*found.items()]
                hash_, data = items[i]
                i += 1
                hints, letter = b"", frame
                if frame == NODE:
                    hints = known.get(hash_, b"")
                    if not hints or _ZERO in hints:
                        hints = known[hash_] = self._hints(data, words, hints, decoded.get(hash_))
                    if places is not None:
                        letter, hints, data = self._differing(word_at(places, i - 1), hints, data, behind[2])
                elif frame == COMMIT:
                    hints = self._commit_hints(data, objects.values.get(hash_), words, bound)
                elif frame == LARGE:
                    hints = pack(f"<{len(data.hashes)}Q", *self._chunks(data, own))
                    data = data.encode(self._function)
                part = frame_of(letter, hash_, hints, data)
                units = len(part) >> 3
                parts.append(part)
                own[hash_] = word = (at >> 3) << 22 | (units if units < LONG else LONG) << 2 | kind
                if frame in indexed:
                    entries[kind][hash_] = word
                at += units << 3
                n += 1
        yield Piece(parts, n, at - first, entries)

    def _differing(
        self, word: int, hints: bytes, data: bytes, read: Callable[[int, int], bytes]
    ) -> tuple[int, bytes, bytes]:
        """(kind, hints, canonical bytes) of the frame of the node `data`: what is not as at `word`, if little."""
        older = self._older_node(word, read)
        if older is None:
            return NODE, hints, data
        word, frame = older
        found = difference(data, hints, frame.canonical, frame.hints, self._framing.hash_size)
        return (NODE, hints, data) if found is None else (DIFFERENCE, column([word]) + found[1], found[0])

    def _older_node(self, word: int, read: Callable[[int, int], bytes]) -> tuple[int, Frame] | None:
        """(word, frame) of the whole node that the one at `word` is, or is a difference from; None if there is none.

        Its crc is right: who builds upon what is damaged loses more than what was.
        """
        for _ in range(2):
            if kind_of(word) != NODE_WORD or units_of(word) == LONG:
                return None
            try:
                frame = self._framing.parse(read(offset_of(word), units_of(word) << 3))
                if frame.kind != DIFFERENCE:
                    return (word, frame) if frame.kind == NODE else None
                word = base_of(frame)
            except (ValueError, StorageError):
                return None  # nothing to build upon
        return None

    def _chunks(self, large: Large, words: dict[bytes, int]) -> Iterator[int]:
        for hash_ in large.hashes:
            word = words.get(hash_) or self._place(CONTENTS, hash_)
            if not word and self._strict:
                raise DanglingHash("a chunk of contents that are to be written", Hash(hash_))
            yield word

    def _hints(self, data: bytes, words: Words, known: bytes, decoded: Node | Inode | None) -> bytes:
        """The words of the children of the node `data`, which reads as `decoded` if that is there.

        `known` has those that are not 0 in it, or is empty.
        """
        size = self._framing.hash_size
        if decoded is None:
            try:
                kinds, column = self._codec.children(data)
            except (ValueError, IndexError):
                return b""  # no bytes of a node: whoever reads it will say so
        else:
            column = decoded.hashes
            kinds = decoded.kinds if type(decoded) is Node else bytes(len(decoded.buckets))
        fits = len(known) == len(kinds) << 3
        if kinds and (fits or not known):
            filled = filled_words(known, kinds, column, words[_NODE], words[_CONTENTS])
            if filled is not None:
                return filled
        if known and fits:
            hints = bytearray(known)
            by_kind = words[_NODE], words[_CONTENTS]
            # The first byte of a word has its kind: only in 0 is it 0.
            at = known.find(_ZERO)
            while at >= 0:
                i = (at + 7) >> 3
                hash_ = column[i * size : (i + 1) * size]
                word = by_kind[kinds[i] != DIRECTORY].get(hash_) or self._word(words, kinds[i], hash_)
                _put_word(hints, i << 3, word)
                at = known.find(_ZERO, (i << 3) + 8)
            return bytes(hints)
        hashes = [column[i : i + size] for i in range(0, len(column), size)]
        node_at, contents_at = words[_NODE].get, words[_CONTENTS].get
        if not any(kinds):
            found = [node_at(hash_, 0) for hash_ in hashes]
        elif DIRECTORY not in kinds:
            found = [contents_at(hash_, 0) for hash_ in hashes]
        else:
            found = [
                (contents_at if kind else node_at)(hash_, 0)
                for kind, hash_ in zip(kinds, hashes, strict=True)
            ]
        if 0 in found:
            found = [word or self._word(words, kinds[i], hashes[i]) for i, word in enumerate(found)]
        return pack(f"<{len(found)}Q", *found)

    def _word(self, words: Words, entry: int, hash_: bytes) -> int:
        """The word of a child whose entry has the kind byte `entry`."""
        kind = _NODE if entry == DIRECTORY else _CONTENTS
        known = words[kind]
        word = known.get(hash_) or self._place(kind, hash_)
        if not word and self._strict and not (kind is _NODE and hash_ == self._codec.empty):
            raise DanglingHash("a child of a node that is to be written", Hash(hash_))
        known[hash_] = word
        return word

    def _commit_hints(self, data: bytes, commit: Commit | None, words: Words, bound: bool) -> bytes:
        """The words of the root and the parents of the commit `data`, which reads as `commit` if that is there."""
        if commit is None:
            try:
                commit = self._codec.decode_commit(data)
            except ValueError:
                return b""
        root = words[_NODE].get(commit.node) or self._place(NODE_WORD, commit.node)
        if not root and self._strict:
            raise DanglingHash("the tree of a commit that is to be written", commit.node)
        commits = words[_COMMIT]
        parents = [commits.get(parent) or self._place(COMMIT_WORD, parent) for parent in commit.parents]
        if bound and 0 in parents:
            # Garbage was collected since whoever makes this commit has seen its parent.
            absent = commit.parents[parents.index(0)]
            raise DanglingHash("a parent of a commit that is to be written", absent)
        return pack(f"<{1 + len(parents)}Q", root, *parents)

    def batch(
        self,
        piece: Piece,
        start: int,
        tip: Tip,
        marks: Marks,
        moves: Sequence[Ref],
        refs: Callable[[], Mapping[str, tuple[bytes, int]]],
        time: int,
        *,
        table: bool,
    ) -> Batch:
        """`piece`, the moves of refs and a trailer, to lie at `start` behind `tip`.

        `table` asks for a table of refs, `refs()` as they are before the moves; it is also written when the moves
        since the last one outweigh it.
        """
        digest = self._codec.digest
        parts, frames, at = piece.parts, piece.frames, start + piece.size
        last_table, ref_bytes, table_bytes = marks.table, marks.ref_bytes, marks.table_bytes

        def add(kind: int, payload: bytes) -> int:
            frame = frame_of(kind, digest(payload), b"", payload)
            parts.append(frame)
            return len(frame)

        if table or (moves and ref_bytes > _LEAST_TABLE and ref_bytes > table_bytes):
            last_table, ref_bytes = at, 0
            table_bytes = add(TABLE, encode_table(refs()))
            at += table_bytes
            frames += 1
        first_ref = at if moves else NOTHING
        for move in moves:
            size = add(REF, encode_ref(move))
            ref_bytes += size
            at += size
            frames += 1
        data = b"".join(parts)
        trailer = Trailer(
            tip.batch_no + 1,
            start,
            frames,
            crc(data),
            tip.at,
            tip.crc,
            first_ref,
            last_table,
            marks.last_refs,
            time,
        ).encode()
        frame = frame_of(TRAILER, digest(trailer), b"", trailer)
        new = Tip(tip.batch_no + 1, at + len(frame), at, int.from_bytes(frame[:4], "little"))
        last_refs = at if moves else marks.last_refs
        return Batch(data + frame, new, Marks(last_table, last_refs, ref_bytes, table_bytes), piece.entries)
