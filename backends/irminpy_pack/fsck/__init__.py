"""Checking a pack store, in five levels (docs/formats/pack.md, "Checks"). Nothing is written.

frames: every frame whole, the chain of trailers, tables of refs against moves, HEAD, MANIFEST. hashes: every object
hashed. graph: every object canonical, every child there and where its hint says. index: its entries against the
frames, both ways. deep: everything the heads lead to, walked from above.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from irminpy.errors import Corrupted, StorageError
from irminpy.objects import Kind
from irminpy.schema import Schema

from ..ends import branches, ends
from ..files import Files, nameless, read_at
from ..frame import Frame, Framing
from ..gc.bitmap import Bitmap
from ..gc.old import Old
from ..generation import generation_at
from ..head import HEAD_SIZE, slots
from ..identity import Identity, Root
from ..log import Log
from ..lookup import ALWAYS, INDEXED
from ..manifest import Manifest
from ..opening import BEGIN, find, open_table
from ..segment import Segment, Table
from ..trailer import Tip
from ..view import View
from .deep import Deep
from .frames import Sweep
from .graph import Graph
from .indexed import Indexed, opened
from .report import EXIT, LEVELS, Finding, Level, Report

__all__ = ["EXIT", "LEVELS", "Finding", "Level", "Report", "fsck"]


def fsck(
    path: str,
    schema: Schema[Any, Any],
    level: Level = "deep",
    *,
    files: Files | None = None,
    heads: Mapping[str, tuple[bytes, int]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check the store at `path` and tell all that is wrong with it.

    `heads` are commits (name to hash and word) that the level "deep" walks from, besides those of the branches.
    `progress(done, total)` is told bytes. Raises NotAStore, UnsupportedVersion, SchemaMismatch; everything else that
    is wrong is a finding. Cost: one read of every segment, and from the level "graph" on one more look at each child.
    """
    files = Files() if files is None else files
    root = Root(os.path.abspath(path))
    identity = Identity.read(files, root)
    identity.require(schema)
    report = Report(level)
    began = time.perf_counter()
    try:
        found = find(files, root, identity)
        table = open_table(files, root, identity.uuid, found.manifest.segments, mapped=False, write=False)
    except StorageError as e:
        place = e.file if isinstance(e, Corrupted) else root.path
        report.findings.append(Finding("store", place, None, None, str(e)))
        return report
    if found.rebuilt:
        report.findings.append(Finding("head", root.manifest, None, None, found.rebuilt))
    for stray in (*found.strays, *found.unborn):
        report.findings.append(
            Finding("stray", stray, None, None, "no segment of this store, left by a dead process")
        )
    check = _Check(files, root, identity, schema, report, found.manifest, table, progress)
    check.run(LEVELS.index(level), heads or {})
    report.seconds = time.perf_counter() - began
    return report


class _Check:
    def __init__(
        self,
        files: Files,
        root: Root,
        identity: Identity,
        schema: Schema[Any, Any],
        report: Report,
        manifest: Manifest,
        table: Table,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.files, self.root, self.identity, self.schema = files, root, identity, schema
        self.report, self.manifest, self.table = report, manifest, table
        self.framing = Framing(identity.hash_size)
        self.view = View(self.framing, table, schema.codec, schema.hash, self._find)
        self.log = Log(self.framing, table)
        self.place: Callable[[int, bytes], int] | None = None
        self.progress = progress

    def run(self, level: int, heads: Mapping[str, tuple[bytes, int]]) -> None:
        report = self.report
        report.generation = self.manifest.generation
        report.segments = len(self.table.segments)
        report.bytes = sum(segment.length for segment in self.table.segments)
        published = self._head()
        visits: list[Callable[[Segment, int, Frame], None]] = []
        indexes: list[Indexed] = []
        if level >= LEVELS.index("index"):
            indexes = self._indexes()
            visits += indexes
        place = self.place = self._place(indexes, published)
        shallow = frozenset[bytes]()
        if level >= LEVELS.index("graph"):
            shallow = self._shallow(self.log, published)
            visits.append(Graph(self.schema, self.framing, self.table, self.view, place, shallow, report))

        def visit(segment: Segment, at: int, frame: Frame) -> None:
            for one in visits:
                one(segment, at, frame)

        sweep = Sweep(
            self.framing,
            self.schema.codec.digest,
            self.table,
            published,
            report,
            hashes=level >= LEVELS.index("hashes"),
            visit=visit if visits else None,
            progress=self.progress,
        )
        sweep.run()
        refs = branches(sweep.refs)
        report.refs = len(refs)
        if level >= LEVELS.index("graph"):
            self._heads(refs, place)
        if level >= LEVELS.index("deep"):
            self._deep({**heads, **refs}, indexes, place, shallow)
        for index in indexes:
            index.finish(self.table, self.framing)

    def _deep(
        self,
        refs: dict[str, tuple[bytes, int]],
        indexes: list[Indexed],
        place: Callable[[int, bytes], int],
        shallow: frozenset[bytes],
    ) -> None:
        everything = not indexes or any(index.everything for index in indexes)

        def find(kind: int, hash_: bytes) -> int:
            # A handle of a store whose only index is minimal asks for nothing but commits.
            return place(kind, hash_) if everything or kind == Kind.COMMIT else 0

        old = Old(self.log, self.schema.codec, self.schema.hash, find)
        folder = tempfile.gettempdir()
        deep = Deep(
            old,
            lambda: Bitmap(self.files, nameless(self.files, folder)),
            shallow,
            self.report,
        )
        try:
            deep.run(refs)
        except OSError as e:
            raise StorageError(f"{folder}: what was met cannot be noted: {e}") from e
        finally:
            deep.close()

    def _indexes(self) -> list[Indexed]:
        """The indexes of this generation that can be read."""
        found: list[Indexed] = []
        for strategy, kinds in INDEXED.items():
            directory = self.root.index(self.manifest.generation, strategy)
            if self.files.exists(directory):
                index = opened(self.files, self.identity, self.manifest, strategy, directory, self.report)
                if index is not None:
                    found.append(Indexed(index, kinds, self.report))
        return found

    def _place(self, indexes: list[Indexed], published: Tip) -> Callable[[int, bytes], int]:
        """Where an object lies by its hash, for children whose hint is unknown.

        By an index if there is one; else by a pass over the headers of all frames, made when it is first needed.
        """
        places: dict[bytes, int] | None = None

        def place(kind: int, hash: bytes) -> int:
            nonlocal places
            for index in indexes:
                word = index.find(kind, hash)
                if word:
                    return word
            if places is None:
                places = {}
                with suppress(Corrupted):  # the pass over the frames tells where
                    places.update(self.log.entries(0, published.end, INDEXED[ALWAYS]))
            return places.get(bytes((kind,)) + hash, 0)

        return place

    def _shallow(self, log: Log, published: Tip) -> frozenset[bytes]:
        """Where history was cut off."""
        flip = self.manifest.flip
        found: set[bytes] = set()
        try:
            found.update(generation_at(log, flip).shallow if flip else ())
        except Corrupted as e:
            self.report.findings.append(Finding("store", self.root.packs, flip, None, str(e)))
        with suppress(Corrupted):  # the sweep tells what is wrong with the refs
            found.update(commit for commit, _ in ends(log.refs_at(published)[0]).values())
        return frozenset(found)

    def _find(self, hash: bytes) -> int:
        return 0 if self.place is None else self.place(Kind.CONTENTS, hash)

    # -- HEAD --------------------------------------------------------------------------------------------------

    def _head(self) -> Tip:
        """The published end, as far as HEAD or MANIFEST tell."""
        tell = self.report.findings.append
        try:
            fd = self.files.open(self.root.head, os.O_RDONLY)
            try:
                head = read_at(self.files, fd, HEAD_SIZE, 0)
            finally:
                self.files.close(fd)
        except FileNotFoundError:
            head = b""
        found = slots(head, self.identity.uuid)
        if not found:
            tell(Finding("head", self.root.head, None, None, "no slot of it can be read"))
        for slot in found:
            if slot.generation == self.manifest.generation:
                if self.log.holds(slot.tip):
                    return slot.tip
                tell(
                    Finding(
                        "head", self.root.head, None, None, f"batch {slot.tip.batch_no} is not where it says"
                    )
                )
        return self.manifest.tip if self.log.holds(self.manifest.tip) else BEGIN

    # -- refs --------------------------------------------------------------------------------------------------

    def _heads(self, refs: dict[str, tuple[bytes, int]], place: Callable[[int, bytes], int]) -> None:
        """Each ref names a commit that is there."""
        for name, (hash_, word) in sorted(refs.items()):
            found = self.view.at(word, hash_) if word else None
            if found is None:
                other = place(Kind.COMMIT, hash_)
                found = self.view.at(other, hash_) if other else None
            if found is None:
                reason = f"the commit of the ref {name!r} is not there"
                self.report.findings.append(
                    Finding("dangling", self.root.path, None, hash_.hex(), reason, None, hash_.hex())
                )
