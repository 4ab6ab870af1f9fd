"""One garbage collection, from the roots to the flip (docs/formats/pack-gc.md).

The thread that collects holds the file GC, so that no other process does, and the writer only at the beginning, to
learn where the log ends, and at the end, when little is left to be copied.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from irminpy.collecting import Collected, Keep, Progress
from irminpy.errors import Corrupted, DanglingHash, IrminError, Locked, NotFound, StorageError
from irminpy.formats.format import Codec
from irminpy.hash import Hash, HashFunction
from irminpy.objects import Kind

from ..files import nameless, remove_directory, sync_directory
from ..generation import Generation
from ..index import Index
from ..lock import Lock
from ..log import Log
from ..manifest import Manifest, Row
from ..opening import BEGIN, open_table, write_manifest
from ..opening import find as find_segments
from ..segment import ALIGN, HEADER_SIZE
from ..state import State
from ..trailer import Tip
from ..word import LIMIT
from ..writer import Writer
from .bitmap import Bitmap
from .copy import Copier
from .mark import Marks
from .old import OBJECTS, Old
from .output import Output
from .relocate import ENTRY, Relocation
from .roots import Policy, choose

__all__ = ["Collection"]

_LITTLE: Final = 4 << 20  # bytes that are copied while the writer waits
_ROUNDS: Final = 20
_RESERVE: Final = 1 << 30  # bytes of offsets that the old generation may still use
_INDEXED: Final = (
    160  # bytes of the index per entry, measured: 110, and half as much for pages that are let go
)
_SLACK: Final = 8 << 20
_STEP: Final = 1 << 16


class Collection:
    """One run. `run` gives the report; then `moved` tells where objects went."""

    def __init__(
        self,
        state: State,
        writer: Writer | None,
        codec: Codec,
        function: HashFunction,
        refresh: Callable[[], object],
        keep: Keep,
        progress: Progress | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._files = state.files
        self._writer = writer
        self._codec = codec
        self._function = function
        self._refresh = refresh
        self._keep = keep
        self._policy = Policy(keep.depth, keep.since)
        self._progress = progress
        self._clock = clock
        self._started = time.monotonic()
        self._tip = BEGIN
        self._refs: dict[str, tuple[bytes, int]] = {}
        self._old: Old
        self._marks: Marks
        self.moved: Relocation | None = None
        """Where objects went, by place; after a flip."""

    # -- one run ---------------------------------------------------------------------------------------------

    def dry_run(self) -> Collected:
        """What a run would do. Nothing is written into the store."""
        self._refresh()
        self._open()
        try:
            objects, size = self._count()
            self._mark()
            freed = objects - self._kept()
            return self._report(freed, size, self._marks.bytes, dry_run=True)
        finally:
            self._marks.close()

    def run(self, flipped: Callable[[Relocation], None]) -> Collected:
        """Collect. `flipped` is called at the moment of the flip, with everything halted."""
        writer, state = self._need_writer(), self._state
        lock = Lock(self._files, state.root.collecting)
        try:
            with writer.halted():
                state.clean()
                if not lock.attempt():
                    raise Locked(state.root.collecting, lock.holder())
                lock.sign()
                self._open()
            try:
                return self._collect(flipped)
            finally:
                self._marks.close()
        finally:
            lock.close()

    def _collect(self, flipped: Callable[[Relocation], None]) -> Collected:
        writer, state = self._need_writer(), self._state
        objects, _ = self._count()
        self._mark()
        freed = objects - self._kept()
        self._need_space()
        relocation = Relocation(self._files, self._temporary_file())
        generation = state.manifest.generation + 1
        output = self._output(generation)
        places: Index | None = None
        try:
            output.begin()
            places = state.index_of(self._empty(generation), readonly=False)
            copier = Copier(self._old, output, relocation, places, state.lookup.kinds)
            total = self._marks.bytes
            copier.run(self._marks, lambda done: self._tell("copy", done, total))
            for _ in range(_ROUNDS):
                copier.index()
                end = self._tip
                self._refresh()
                with writer.mutex:
                    self._see()
                left = self._tip.end - end.end
                if left < _LITTLE:
                    self._round(copier, end)
                    break
                self._tell("follow", 0, left)
                self._round(copier, end)
            output.sync()
            with writer.halted():
                end = self._tip
                self._see()
                self._round(copier, end)
                self._tell("flip", 0, 1)
                before = sum(segment.length for segment in self._old.log.table.segments)
                last = Generation(generation, int(self._clock() * 1e6), self._marks.shallow())
                manifest = output.finish(last, self._moved_refs(relocation))
                copier.index(last=True)
                segments = state.manifest.segments
                self._flip(manifest)
                # From here on the new generation stands.
                relocation.forget()
                self.moved = relocation
                if places is not None:
                    places.drop()  # the state has its own
                flipped(relocation)
                self._remove(segments)
        except BaseException:
            if self.moved is None and not self._stands(generation):
                self._abort(output, places, generation)
            raise
        return self._report(freed, before, output.bytes, dry_run=False)

    # -- what there is ---------------------------------------------------------------------------------------

    def _need_writer(self) -> Writer:
        if self._writer is None:
            raise StorageError("a read-only handle collects no garbage; it may do a dry run")
        return self._writer

    def _open(self) -> None:
        """Open the segments as they are now, for reading by calls."""
        state = self._state
        while True:
            generation = state.manifest.generation
            try:
                rows = state.manifest.segments
                table = open_table(
                    self._files, state.root, state.identity.uuid, rows, mapped=False, write=False
                )
                break
            except Corrupted:
                # Another process may have collected garbage; then the segments are others.
                self._refresh()
                if state.manifest.generation == generation:
                    raise
        log = Log(state.framing, table)
        self._old = Old(log, self._codec, self._function, lambda kind, hash_: state.lookup.find(kind, hash_))
        known = self._keep.branches is not None or self._policy.bounded
        self._marks = Marks(self._old, self._bitmap, self._bitmap() if known else None)
        self._see()

    def _see(self) -> None:
        """Know the log up to where it ends now."""
        state, table = self._state, self._old.log.table
        self._tip, self._refs = state.tip, dict(state.refs)
        known = {segment.header.number for segment in table.segments}
        rows = [row for row in state.manifest.segments if row.number not in known]
        if rows:
            more = open_table(self._files, state.root, state.identity.uuid, rows, mapped=False, write=False)
            for segment in more.segments:
                table.add(segment)
        for segment in table.segments:
            wanted = min(self._files.size(segment.fd), self._tip.end - segment.base)
            segment.length = max(HEADER_SIZE, wanted)

    def _count(self) -> tuple[int, int]:
        """(objects, bytes) of the segments as they are now."""
        log, end = self._old.log, self._tip.end
        size = sum(segment.length for segment in log.table.segments)
        first = log.table.segments[0].base
        n = 0
        for _, word in log.entries(0, end, OBJECTS):
            n += 1
            if n % _STEP == 0:
                self._tell("count", ((word >> 22) << 3) - first, end - first)
        return n, size

    # -- marking ---------------------------------------------------------------------------------------------

    def _mark(self) -> None:
        end, first = self._tip.end, self._old.log.table.segments[0].base
        self._tell("mark", 0, end - first)
        self._roots()
        self._marks.run(lambda at: self._tell("mark", end - at, end - first))

    def _roots(self) -> None:
        keep, marks, refs = self._keep, self._marks, self._refs
        for name in keep.branches or ():
            if name not in refs:
                raise NotFound("branch", name)
        starts = [(hash_, word, f"the branch {name}") for name, (hash_, word) in sorted(refs.items())]
        pinned = [(bytes(commit), 0, "a commit to keep") for commit in keep.commits]
        chosen = marks.chosen
        if chosen is None:
            for hash_, word, what in [*starts, *pinned]:
                marks.root(Kind.COMMIT, hash_, word, what)
            return
        history = [
            start
            for name, start in zip(sorted(refs), starts, strict=True)
            if keep.branches is None or name in keep.branches
        ]
        for hash_, word in choose(self._old, [*history, *pinned], self._policy, chosen, self._bitmap):
            marks.root(Kind.COMMIT, hash_, word, "a commit to keep")
        for hash_, word, what in starts:
            chosen.add(marks.root(Kind.COMMIT, hash_, word, what) >> 22)

    def _round(self, copier: Copier, end: Tip) -> None:
        """Copy all that was written after `end`, and what it leads to that was not kept so far."""
        log, marks = self._old.log, self._marks
        if self._tip.end == end.end:
            return
        marks.written(log.entries(end.end, self._tip.end, OBJECTS))
        self._roots()
        marks.run(lambda _: self._tell("follow", 0, 1))
        copier.run(marks, lambda _: self._tell("follow", 1, 1))

    def _moved_refs(self, relocation: Relocation) -> dict[str, tuple[bytes, int]]:
        refs: dict[str, tuple[bytes, int]] = {}
        for name, (hash_, word) in self._refs.items():
            head = self._old.resolve(Kind.COMMIT, hash_, word)
            moved = 0 if head is None else relocation.find(head.word >> 22)
            if not moved:
                raise DanglingHash(f"garbage collection, at the branch {name}", Hash(hash_))
            refs[name] = (hash_, moved)
        return refs

    # -- the new generation ----------------------------------------------------------------------------------

    def _need_space(self) -> None:
        marks, state = self._marks, self._state
        objects = sum(marks.counts.values())
        entries = objects if len(state.lookup.kinds) > 1 else marks.counts[Kind.COMMIT]
        need = marks.bytes + marks.bytes // 64 + objects * ENTRY + entries * _INDEXED + _SLACK
        free = self._files.free(state.root.path)
        if free < need:
            raise StorageError(
                f"{state.root.path}: garbage collection needs {need} bytes while it copies what is kept, and {free} "
                "are free; free some space, or keep less"
            )

    def _output(self, generation: int) -> Output:
        state, table = self._state, self._old.log.table
        base = (table.next_base() + _RESERVE + ALIGN - 1) & -ALIGN
        if base + 2 * self._marks.bytes + _RESERVE >= LIMIT:
            base = 0  # the lowest free offsets; a word of another generation is found out by its hash
        return Output(
            self._files,
            state.root,
            state.identity,
            self._codec.digest,
            generation,
            1 + max(segment.header.number for segment in table.segments),
            base,
            max(self._need_writer().sealing, self._marks.bytes >> 8),
            self._clock,
        )

    def _empty(self, generation: int) -> Manifest:
        return Manifest(self._state.identity.uuid, generation, (Row(0, 0, 0),), BEGIN)

    def _flip(self, manifest: Manifest) -> None:
        """Halted: the new generation takes the place of the old one. All of it is durable."""
        state, writer = self._state, self._need_writer()
        tip = state.tip
        try:
            # A process that has the old segments open looks at HEAD before it reads or writes on. If this one dies
            # between the two steps, it finds nothing there and asks MANIFEST.
            state.head.blank()
            write_manifest(self._files, state.root, manifest)
        except OSError as e:
            if self._stands(manifest.generation):
                raise writer.fail("the flip of a garbage collection may not be durable", e) from e
            try:
                state.publish(tip, 0, synced=False, sync=False)
            except OSError as again:
                raise writer.fail("HEAD cannot be written again", again) from again
            raise
        try:
            state.load()
            state.publish(manifest.tip, 0, synced=True, sync=True)
        except (OSError, IrminError) as e:
            raise writer.fail("the store cannot be read after a garbage collection", e) from e

    def _stands(self, generation: int) -> bool:
        """Whether MANIFEST names that generation, or cannot be read."""
        state = self._state
        try:
            return find_segments(self._files, state.root, state.identity).manifest.generation == generation
        except (OSError, IrminError):
            return True

    def _remove(self, segments: tuple[Row, ...]) -> None:
        """Remove the old generation; what cannot be removed now, the next writer will."""
        state = self._state
        with suppress(OSError):
            for row in segments:
                self._files.unlink(state.root.segment(row.number))
            state.clean()
            sync_directory(self._files, state.root.packs)

    def _abort(self, output: Output, places: Index | None, generation: int) -> None:
        output.abort()
        if places is not None:
            places.drop()
        state = self._state
        with suppress(OSError):
            remove_directory(self._files, state.root.index(generation, state.strategy))

    # -- odds and ends ---------------------------------------------------------------------------------------

    def _temporary_file(self) -> int:
        """A file without a name: it is gone with its descriptor. In the store, but for a handle that only reads."""
        folder = tempfile.gettempdir() if self._writer is None else self._state.root.path
        return nameless(self._files, folder)

    def _bitmap(self) -> Bitmap:
        return Bitmap(self._files, self._temporary_file())

    def _tell(self, what: str, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(what, done, total)

    def _kept(self) -> int:
        return sum(self._marks.counts.values())

    def _report(self, freed: int, before: int, after: int, *, dry_run: bool) -> Collected:
        counts = self._marks.counts
        return Collected(
            dry_run,
            counts[Kind.COMMIT],
            counts[Kind.NODE],
            counts[Kind.CONTENTS],
            after,
            freed,
            before - after,
            len(self._marks.shallow()),
            time.monotonic() - self._started,
        )
