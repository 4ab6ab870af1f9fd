"""Everything that the branches lead to, walked from above as a reader goes (level "deep").

The levels before look at each frame by itself. Here the way to it is looked at: a child is where its parent's word
says, or where the index says that a handle would ask; the bytes hash to what the parent says; and what an entry or
a commit names as a directory is one, and no inner node of one.

What was met is noted by place, one bit for 8 bytes of the log: `Repo.check`, which walks any backend, holds some 300
bytes per object instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from irminpy.errors import Corrupted, DecodeError
from irminpy.objects import BUCKET, DIRECTORY, Inode, Kind, Node

from ..frame import BLOB, COMMIT, LARGE, NODE, Frame
from ..gc.bitmap import Bitmap
from ..gc.old import Old
from ..word import words_of
from .report import Fault, Finding, Report

__all__ = ["Deep"]

_NAMES: Final = {Kind.COMMIT: "commits", Kind.NODE: "nodes", Kind.CONTENTS: "contents"}

Child = tuple[int, bytes, int, bool]
"""Kind, hash, word, and whether it is named as a directory."""


class Deep:
    """A walk through `old` with two bitmaps that `bitmap()` gives. `shallow`: where history may end."""

    def __init__(
        self, old: Old, bitmap: Callable[[], Bitmap], shallow: frozenset[bytes], report: Report
    ) -> None:
        self._old = old
        self._shallow = shallow
        self._report = report
        self._told = {(finding.file, finding.offset) for finding in report.findings}
        self._todo = bitmap()
        self._met = bitmap()
        self._directories = bitmap()
        """Those of what was met that something names as a directory."""

    def close(self) -> None:
        """Give the files of the bitmaps back."""
        for bitmap in (self._todo, self._met, self._directories):
            bitmap.close()

    def run(self, refs: Mapping[str, tuple[bytes, int]]) -> None:
        """Walk from `refs`, and count what is met in `Report.reached`."""
        old, reached = self._old, self._report.reached
        reached.update(dict.fromkeys(_NAMES.values(), 0))
        for name, (hash_, word) in sorted(refs.items()):
            if not self._reach(Kind.COMMIT, hash_, word, directory=False):
                reason = f"the commit of the ref {name!r} cannot be reached"
                self._tell("dangling", "refs", None, hash_, reason, hash_)
        old.down = True
        while self._todo:  # what the index led to may lie above: then there is another pass
            for place in self._todo.drain_down():
                self._visit(place << 3)

    def _reach(self, kind: int, hash_: bytes, word: int, *, directory: bool) -> bool:
        """Have the object looked at; whether it is there."""
        head = self._old.resolve(kind, hash_, word)
        if head is None:
            return False
        place = head.word >> 22
        if directory:
            self._directories.add(place)
        if self._met.add(place):
            self._report.reached[_NAMES[Kind(kind)]] += 1
            self._todo.add(place)
        return True

    def _visit(self, offset: int) -> None:
        old = self._old
        hash_: bytes | None = None
        try:
            _, frame = old.raw(offset)
            hash_ = frame.hash
            if frame.kind == LARGE:
                old.large(offset, frame)
            elif old.codec.digest(frame.canonical) != hash_:
                raise old.damaged(offset, hash_, "the bytes hash to something else than its parent says")
            if frame.kind != BLOB:
                self._follow(offset, frame)
        except Corrupted as e:
            self._tell("hash", e.file, e.offset, hash_, e.reason)
        except DecodeError as e:
            self._at("object", offset, hash_, str(e))

    def _follow(self, offset: int, frame: Frame) -> None:
        children = self._children(offset, frame)
        for kind, hash_, word, directory in children:
            if self._reach(kind, hash_, word, directory=directory):
                continue
            if (kind == Kind.NODE and hash_ == self._old.codec.empty) or (
                kind == Kind.COMMIT and hash_ in self._shallow
            ):
                continue
            reason = f"its child {hash_.hex()} cannot be reached from it"
            self._at("dangling", offset, frame.hash, reason, hash_)

    def _children(self, offset: int, frame: Frame) -> list[Child]:
        old = self._old
        words = words_of(frame.hints)
        if frame.kind == COMMIT:
            commit = old.commit(offset, frame)
            words = words or (0,) * (1 + len(commit.parents))
            parents = zip(commit.parents, words[1:], strict=True)
            found: list[Child] = [(Kind.NODE, bytes(commit.node), words[0], True)]
            return found + [(Kind.COMMIT, bytes(parent), word, False) for parent, word in parents]
        if frame.kind == LARGE:
            large = old.large(offset, frame)
            chunks = zip(large.hashes, large.words, strict=True)
            return [(Kind.CONTENTS, hash_, word, False) for hash_, word in chunks]
        assert frame.kind == NODE
        record = old.codec.decode_node(frame.canonical)
        n = len(record.buckets) if type(record) is Inode else record.count
        if len(words) != n:
            words = (0,) * n
        if type(record) is Inode:
            if record.depth and offset >> 3 in self._directories:
                reason = f"it is an inner node of depth {record.depth}, and something names it as a directory"
                self._at("object", offset, frame.hash, reason)
            buckets = zip(record.children(), words, strict=True)
            return [(Kind.NODE, child, word, False) for child, word in buckets]
        assert type(record) is Node
        if record.place == BUCKET and offset >> 3 in self._directories:
            reason = "it is a bucket, and something names it as a directory"
            self._at("object", offset, frame.hash, reason)
        size = old.codec.hash_size
        return [
            (
                Kind.NODE if kind == DIRECTORY else Kind.CONTENTS,
                record.hashes[i * size : (i + 1) * size],
                words[i],
                kind == DIRECTORY,
            )
            for i, kind in enumerate(record.kinds)
        ]

    def _at(
        self, fault: Fault, offset: int, hash_: bytes | None, reason: str, missing: bytes | None = None
    ) -> None:
        place = self._old.damaged(offset, hash_, reason)
        self._tell(fault, place.file, place.offset, hash_, reason, missing)

    def _tell(
        self,
        fault: Fault,
        file: str,
        at: int | None,
        hash_: bytes | None,
        reason: str,
        missing: bytes | None = None,
    ) -> None:
        """Unless a level before has told of what lies there."""
        if (file, at) not in self._told:
            named, absent = (None if one is None else one.hex() for one in (hash_, missing))
            self._report.findings.append(Finding(fault, file, at, named, reason, None, absent))
