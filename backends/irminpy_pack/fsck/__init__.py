"""Checking a pack store, in five levels (docs/formats/pack.md, "Checks"). Nothing is written.

frames: every frame whole, the chain of trailers, tables of refs against moves, HEAD, MANIFEST. hashes: every object
hashed. graph: every object canonical, every child there and where its hint says. index: its entries against the
frames, both ways. deep: everything the heads lead to, walked from above.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from irminpy.errors import Corrupted, StorageError
from irminpy.objects import Kind
from irminpy.schema import Schema

from ..files import Files, read_at
from ..frame import Frame, Framing
from ..generation import generation_at
from ..head import HEAD_SIZE, slots
from ..identity import Identity, Root
from ..log import KIND_OF_FRAME, Log
from ..lookup import INDEXED, Lookup, Places
from ..manifest import Manifest
from ..opening import BEGIN, find, open_table
from ..segment import Segment, Table
from ..trailer import Tip
from ..view import View
from ..word import kind_of, offset_of
from .frames import Sweep
from .graph import Graph
from .report import EXIT, LEVELS, Finding, Level, Report

__all__ = ["EXIT", "LEVELS", "Finding", "Level", "Report", "fsck"]

_MANY = 1024


def fsck(
    path: str,
    schema: Schema[Any, Any],
    level: Level = "deep",
    *,
    files: Files | None = None,
    index: Callable[[Root, Manifest], Places | None] | None = None,
    strategy: str = "always",
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check the store at `path` and tell all that is wrong with it.

    `index` opens the index; without it that level looks at nothing. `progress(done, total)` is told bytes. Raises
    NotAStore, UnsupportedVersion, SchemaMismatch; everything else that is wrong is a finding. Cost: one read of every
    segment, and from the level "graph" on one more look at each child.
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
    except (Corrupted, StorageError) as e:
        report.findings.append(Finding("store", root.path, None, None, str(e)))
        return report
    if found.rebuilt:
        report.findings.append(Finding("head", root.manifest, None, None, found.rebuilt))
    for stray in (*found.strays, *found.unborn):
        report.findings.append(
            Finding("stray", stray, None, None, "no segment of this store, left by a dead process")
        )
    _Check(files, root, identity, schema, report, found.manifest, table, index, strategy, progress).run(
        LEVELS.index(level)
    )
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
        index: Callable[[Root, Manifest], Places | None] | None,
        strategy: str,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.files, self.root, self.identity, self.schema = files, root, identity, schema
        self.report, self.manifest, self.table = report, manifest, table
        self.framing = Framing(identity.hash_size)
        self.view = View(self.framing, table, schema.codec.digest)
        self.strategy = strategy
        self.open_index = index
        self.progress = progress
        self.batch: list[
            tuple[bytes, int]
        ] = []  # (kind and hash, word) of frames that the index is asked for

    def run(self, level: int) -> None:
        report = self.report
        report.generation = self.manifest.generation
        report.segments = len(self.table.segments)
        report.bytes = sum(segment.length for segment in self.table.segments)
        published = self._head()
        places = None
        if level >= LEVELS.index("graph") and self.open_index is not None:
            places = self.open_index(self.root, self.manifest)
        lookup = Lookup(self.strategy, places)
        log = Log(self.framing, self.table)
        visits: list[Callable[[Segment, int, Frame], None]] = []
        if level >= LEVELS.index("graph"):
            begin = 0 if places is None else places.end
            with suppress(Corrupted):  # the pass over the frames tells where
                lookup.add(log.entries(begin, published.end, lookup.kinds))
            place = lookup.find
            shallow = self._shallow(log)
            visits.append(Graph(self.schema, self.framing, self.table, self.view, place, shallow, report))
        if level >= LEVELS.index("index") and places is not None:
            visits.append(lambda segment, at, frame: self._indexed(places, segment, at, frame))

        def visit(segment: Segment, at: int, frame: Frame) -> None:
            for one in visits:
                one(segment, at, frame)

        sweep = Sweep(
            self.files,
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
        report.refs = len(sweep.refs)
        if places is not None and level >= LEVELS.index("index"):
            self._ask(places)
            self._entries(places)
        if level >= LEVELS.index("graph"):
            self._heads(sweep.refs, lookup)

    def _shallow(self, log: Log) -> frozenset[bytes]:
        """Where history was cut off."""
        flip = self.manifest.flip
        try:
            return frozenset(generation_at(log, flip).shallow) if flip else frozenset()
        except Corrupted as e:
            self.report.findings.append(Finding("store", self.root.packs, flip, None, str(e)))
            return frozenset()

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
        log = Log(self.framing, self.table)
        found = slots(head, self.identity.uuid)
        if not found:
            tell(Finding("head", self.root.head, None, None, "no slot of it can be read"))
        for slot in found:
            if slot.generation == self.manifest.generation:
                if log.holds(slot.tip):
                    return slot.tip
                tell(
                    Finding(
                        "head", self.root.head, None, None, f"batch {slot.tip.batch_no} is not where it says"
                    )
                )
        return self.manifest.tip if log.holds(self.manifest.tip) else BEGIN

    # -- the index ---------------------------------------------------------------------------------------------

    def _indexed(self, places: Places, segment: Segment, at: int, frame: Frame) -> None:
        """Remember to ask the index for the object of this frame."""
        offset = segment.base + at
        if frame.kind in INDEXED[self.strategy] and offset < places.end:
            kind = KIND_OF_FRAME[frame.kind]
            self.batch.append((bytes((kind,)) + frame.hash, offset))
            if len(self.batch) >= _MANY:
                self._ask(places)

    def _ask(self, places: Places) -> None:
        for kind in Kind:
            keys = [key for key, _ in self.batch if key[0] == kind]
            for key, word in zip(keys, places.find_many(kind, [key[1:] for key in keys]), strict=True):
                if not word:
                    self._tell_index(key, "it is not in the index")
        self.batch.clear()

    def _entries(self, places: Places) -> None:
        """Every entry leads to a frame of its hash."""
        dump = getattr(places, "dump", None)
        if dump is None:
            return
        for key, word in dump():
            header = self.table.read(offset_of(word), self.framing.head)
            if kind_of(word) != key[0] or header[16 : 16 + len(key) - 1] != key[1:]:
                self._tell_index(key, "its entry leads to no frame of it")

    def _tell_index(self, key: bytes, reason: str) -> None:
        path = self.root.index(self.manifest.generation, self.strategy)
        self.report.findings.append(Finding("index", path, None, key[1:].hex(), reason))

    # -- refs --------------------------------------------------------------------------------------------------

    def _heads(self, refs: dict[str, tuple[bytes, int]], lookup: Lookup) -> None:
        """Each ref names a commit that is there."""
        for name, (hash_, word) in sorted(refs.items()):
            found = self.view.at(word, hash_) if word else None
            if found is None:
                other = lookup.find(Kind.COMMIT, hash_)
                found = self.view.at(other, hash_) if other else None
            if found is None:
                reason = f"the commit of the ref {name!r} is not there"
                self.report.findings.append(Finding("dangling", self.root.path, None, hash_.hex(), reason))
