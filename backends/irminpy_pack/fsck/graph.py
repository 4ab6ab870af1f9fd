"""Whether objects are canonical and lead to what they say, each by its own frame (level "graph").

Local checks that together say everything: a child lies where its hint says and is of the right kind; buckets have
the depth, the count and the digits that their parent states. Nothing is remembered between frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from irminpy.contents import Bytes
from irminpy.errors import Corrupted, DecodeError
from irminpy.lru import Lru
from irminpy.objects import BUCKET, DIRECTORY, ROOT, Inode, Node
from irminpy.schema import Schema

from ..frame import BLOB, COMMIT, HEADER, LARGE, NODE, Frame, Framing
from ..large import Large, open_large, value_of
from ..log import KIND_OF_FRAME
from ..segment import Segment, Table
from ..view import View
from ..word import COMMIT as COMMIT_WORD
from ..word import CONTENTS, kind_of, offset_of, pack, words_of
from ..word import NODE as NODE_WORD
from .report import Fault, Finding, Report

__all__ = ["Graph"]

_REMEMBERED: Final = 1 << 16
_PIECE: Final = 1 << 20


class _Bucket(NamedTuple):
    """A node or inner node as a bucket."""

    entries: int
    depth: int | None
    """Of an inner node; None for a node."""
    digits: bytes
    """Those that its steps share, down to the depth of the parent."""
    stranger: str | None
    """A step that does not share them."""
    misplaced: bool
    """Whether its bytes are those of a directory only."""


class Graph:
    """Checks the object of a frame; `place(kind, hash)` gives the word of an object by the index, or 0."""

    def __init__(
        self,
        schema: Schema[Any, Any],
        framing: Framing,
        table: Table,
        view: View,
        place: Callable[[int, bytes], int],
        shallow: frozenset[bytes],
        report: Report,
    ) -> None:
        self._schema = schema
        self._codec = schema.codec
        self._framing = framing
        self._table = table
        self._view = view
        self._place = place
        self._shallow = shallow
        self._report = report
        # Contents that are not of the type of the schema, until a node refers to them.
        self._odd: dict[bytes, tuple[Segment, int, str]] = {}
        # What was found right lately: most children are those of the version before.
        self._right: dict[int, bytes] = {}
        self._known: Lru[tuple[bytes, int], _Bucket] = Lru(_REMEMBERED)

    def __call__(self, segment: Segment, at: int, frame: Frame) -> None:
        """Check one frame."""
        try:
            if frame.kind == BLOB:
                self._blob(segment, at, frame)
            elif frame.kind == LARGE:
                self._large(segment, at, frame)
            elif frame.kind == NODE:
                self._node(segment, at, frame)
            elif frame.kind == COMMIT:
                commit = self._codec.decode_commit(frame.canonical)
                rows = [(NODE_WORD, bytes(commit.node))]
                rows += [(COMMIT_WORD, bytes(parent)) for parent in commit.parents]
                self._children(segment, at, frame, rows)
                self._root(segment, at, frame, commit.node)
        except DecodeError as e:
            self._tell("object", segment, at, frame.hash, str(e))

    def _tell(
        self,
        fault: Fault,
        segment: Segment,
        at: int,
        hash: bytes,
        reason: str,
        missing: bytes | None = None,
    ) -> None:
        absent = None if missing is None else missing.hex()
        self._report.findings.append(Finding(fault, segment.path, at, hash.hex(), reason, None, absent))

    def _blob(self, segment: Segment, at: int, frame: Frame) -> None:
        value = self._codec.decode_contents(frame.canonical)
        try:
            self._schema.contents.decode(value)
        except DecodeError as e:
            # A chunk need not be of the type that the whole is of; if a node refers to it as contents, it must.
            self._odd[frame.hash] = (segment, at, str(e))

    def _large(self, segment: Segment, at: int, frame: Frame) -> None:
        """Each chunk is there and right, joined they are right, and of the type of contents. Memory: one chunk for
        bytes, else the value."""
        words, function = words_of(frame.hints), self._schema.hash
        large = Large.decode(frame.hash, frame.canonical, words, function)
        if not self._children(segment, at, frame, [(CONTENTS, hash_) for hash_ in large.hashes]):
            return
        chunks = self._view.chunks(pack(segment.base + at, frame.size >> 3, CONTENTS))
        try:
            if isinstance(self._schema.contents, Bytes):
                with open_large(large, chunks, self._codec, function) as file:
                    while file.read(_PIECE):
                        pass
            else:
                value = self._codec.decode_contents(value_of(large, chunks, self._codec))
                try:
                    self._schema.contents.decode(value)
                except DecodeError as e:
                    self._odd[frame.hash] = (segment, at, str(e))
        except Corrupted as e:
            self._tell("hash", segment, at, frame.hash, str(e))

    def _node(self, segment: Segment, at: int, frame: Frame) -> None:
        record = self._codec.decode_node(frame.canonical)
        if type(record) is Inode:
            rows = [(NODE_WORD, child) for child in record.children()]
            if self._children(segment, at, frame, rows):
                self._buckets(segment, at, frame, record)
            return
        assert type(record) is Node
        for item in record.metadata.values():
            self._schema.metadata.decode(item)
        size = self._codec.hash_size
        rows = [
            (NODE_WORD if kind == DIRECTORY else CONTENTS, record.hashes[i * size : (i + 1) * size])
            for i, kind in enumerate(record.kinds)
        ]
        if self._odd:
            for kind, hash_ in rows:
                if kind == CONTENTS and hash_ in self._odd:
                    where, byte, reason = self._odd.pop(hash_)
                    self._tell("object", where, byte, hash_, reason)
        self._children(segment, at, frame, rows)

    def _children(self, segment: Segment, at: int, frame: Frame, rows: list[tuple[int, bytes]]) -> bool:
        """Whether each child is there. A hint that leads elsewhere is told, and the index is asked."""
        words = words_of(frame.hints)
        if len(words) != len(rows):
            self._tell("hint", segment, at, frame.hash, f"{len(words)} hints for {len(rows)} children")
            words = (0,) * len(rows)
        whole = True
        for (kind, hash_), word in zip(rows, words, strict=True):
            if word and kind_of(word) == kind and self._lies(word, hash_):
                if offset_of(word) >= segment.base + at:
                    self._tell(
                        "hint",
                        segment,
                        at,
                        frame.hash,
                        f"the child {hash_.hex()[:16]} lies behind its parent",
                    )
                continue
            if word:
                self._tell(
                    "hint",
                    segment,
                    at,
                    frame.hash,
                    f"the hint for the child {hash_.hex()[:16]} leads elsewhere",
                )
            if (kind == NODE_WORD and hash_ == self._codec.empty) or (
                kind == COMMIT_WORD and hash_ in self._shallow
            ):
                continue  # it need not be there, and to look for it may cost a pass over all frames
            other = self._place(kind, hash_)
            if not (other and self._lies(other, hash_)):
                whole = False
                reason = f"its child {hash_.hex()} is not there"
                self._tell("dangling", segment, at, frame.hash, reason, missing=hash_)
        return whole

    def _lies(self, word: int, hash_: bytes) -> bool:
        """Whether the frame at `word` says that it is of that hash and kind; whether it is, its own turn tells."""
        if self._right.get(word) == hash_:
            return True
        header = self._table.read(offset_of(word), self._framing.head)
        if len(header) < self._framing.head:
            return False
        kind = KIND_OF_FRAME.get(header[12])
        if kind != kind_of(word) or header[HEADER.size : HEADER.size + len(hash_)] != hash_:
            return False
        if len(self._right) >= _REMEMBERED:
            self._right.clear()
        self._right[word] = hash_
        return True

    # -- buckets -----------------------------------------------------------------------------------------------

    def _load(self, hash_: bytes, word: int) -> tuple[Node | Inode, tuple[int, ...]] | None:
        found = self._view.at(word, hash_) if word else None
        if found is None:
            other = self._place(NODE_WORD, hash_)
            found = self._view.at(other, hash_) if other else None
        if found is None:
            return None
        return self._codec.decode_node(found[0]), words_of(found[1])

    def _root(self, segment: Segment, at: int, frame: Frame, root: bytes) -> None:
        if root == self._codec.empty:
            return
        words = words_of(frame.hints)
        found = self._load(root, words[0] if words else 0)
        if found is None:
            return
        if found[0].depth if type(found[0]) is Inode else found[0].place == BUCKET:
            self._tell("object", segment, at, frame.hash, "its tree is a part of a directory")

    def _buckets(self, segment: Segment, at: int, frame: Frame, inode: Inode) -> None:
        """Depth, count and digits of each bucket of `inode`.

        The digits of an inner node are those of one step below it: the frame of each inner node is checked like
        this one, so that step stands for all.
        """
        depth = inode.depth
        words = words_of(frame.hints)
        above: bytes | None = None
        total, whole = 0, True
        for i, child in enumerate(inode.children()):
            found = self._bucket(child, words[i] if i < len(words) else 0, depth)
            if found is None:
                whole = False  # told as dangling or as damaged
                continue
            total += found.entries
            stated = inode.below(i)
            if stated is not None and found.entries != stated:
                reason = f"{found.entries} entries where its parent states {stated}"
            elif found.misplaced:
                reason = "a directory in the place of a bucket"
            elif found.depth not in (None, depth + 1):
                reason = f"depth {found.depth} below depth {depth}"
            elif found.stranger is not None:
                reason = f"the step {found.stranger!r:.80} has other digits than those before it"
            elif found.digits[depth] != inode.buckets[i] or (
                above is not None and found.digits[:depth] != above
            ):
                reason = "its steps belong to another bucket"
            else:
                above = found.digits[:depth]
                continue
            whole = False
            self._tell("object", segment, at, frame.hash, f"its bucket {child.hex()[:16]}: {reason}")
        if whole and total != inode.count:
            reason = f"its buckets have {total} entries where it states {inode.count}"
            self._tell("object", segment, at, frame.hash, reason)

    def _bucket(self, child: bytes, word: int, depth: int) -> _Bucket | None:
        """What there is to know of the bucket `child` below an inner node of `depth`."""
        known = self._known.find((child, depth))
        if known is not None:
            return known
        found = self._load(child, word)
        if found is None:
            return None
        record, below = found
        steps = list(record.index) if type(record) is Node else self._one_step(record, below)
        first: bytes | None = None
        stranger = None
        for step in steps:
            digits = bytes([self._codec.digit(step, d) for d in range(depth + 1)])
            if first is not None and digits != first:
                stranger = step
            first = digits
        if first is None:
            return None
        at = record.depth if type(record) is Inode else None
        misplaced = type(record) is Node and record.place == ROOT
        known = _Bucket(record.count, at, first, stranger, misplaced)
        self._known.add((child, depth), known)
        return known

    def _one_step(self, record: Node | Inode, words: tuple[int, ...]) -> list[str]:
        while type(record) is Inode:
            found = self._load(record.child(0), words[0] if words else 0)
            if found is None:
                return []
            record, words = found
        return list(record.index)[:1] if type(record) is Node else []
