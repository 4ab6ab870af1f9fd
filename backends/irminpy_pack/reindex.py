"""Making an index anew from the frames, because somebody asks for it, and telling what it changed.

The engine does so by itself when it finds an index damaged. Here every frame is looked at, also those behind damage
that would stop the engine, the old index is compared with the new one, and nothing that was there is lost before the
new one is whole.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from irminpy.errors import StorageError
from irminpy.fields import replaced

from .files import Files, remove_directory, sync_directory
from .identity import Identity, Root
from .index import CHECK, Index, IndexDamaged
from .indexing import MANY, set_aside
from .lock import Lock
from .log import KIND_OF_FRAME
from .lookup import INDEXED
from .opening import write_manifest
from .scan import Gap, scan
from .still import Still
from .walk import walk
from .word import offset_of, pack

__all__ = ["Rebuilt", "rebuild"]

_NEW: Final = ".new"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What making an index anew did."""

    strategy: str
    generation: int
    entries: int
    """Of the new index."""
    before: int | None
    """Entries of the old one; None if there was none that could be read."""
    missing: int
    """Entries that the old one should have had and had not."""
    wrong: int
    """Entries of the old one that led elsewhere, or nowhere."""
    behind: int
    """Entries for what was written after the old one was last brought up to date: no fault."""
    reason: str | None
    """Why the old one could not be read."""
    gaps: int
    """Damaged places in the segments: what lies there is not in the index. `fsck` tells more."""
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        old = (
            f"the old one could not be read: {self.reason}"
            if self.before is None
            else f"the old one had {self.before}: {self.missing} missing, {self.wrong} wrong, {self.behind} not yet"
        )
        damaged = f"; {self.gaps} damaged places in the segments, see fsck" if self.gaps else ""
        return f"index {self.strategy}: {self.entries} entries in {self.seconds:.1f} s; {old}{damaged}"


def rebuild(
    path: str,
    strategy: str,
    *,
    files: Files,
    timeout: float = 5.0,
    check: int = CHECK,
    progress: Callable[[int, int], None] | None = None,
) -> Rebuilt:
    """Make the index of `strategy` anew. `progress(done, total)` is told bytes of segments.

    Raises Locked after `timeout` seconds if somebody else is writing; StorageError, with the old index in its place,
    if the new one cannot be written. Interrupted, the old one is in its place too, or none, which is one that lags.
    A handle that is open meanwhile goes on with the index that it has.
    Cost: one pass over all segments, and one over the old index in a process of its own. Memory: `indexing.MANY`
    entries.
    """
    began = time.perf_counter()
    root = Root(os.path.abspath(path))
    Identity.read(files, root)  # before LOCK is made in a directory that is no store
    lock = Lock(files, root.lock)
    try:
        lock.take(timeout)
        return _Run(Still.open(path, files), strategy, check, progress).run(began)
    except (OSError, IndexDamaged) as e:
        raise StorageError(f"{root.path}: the index cannot be made anew: {e}") from e
    finally:
        lock.close()


class _Run:
    def __init__(
        self, still: Still, strategy: str, check: int, progress: Callable[[int, int], None] | None
    ) -> None:
        self.still = still
        self.strategy = strategy
        self.check = check
        self.progress = progress
        self.directory = still.root.index(still.manifest.generation, strategy)
        self.gaps = 0

    def open(self, directory: str, *, readonly: bool) -> Index:
        still = self.still
        return Index.open(
            directory,
            uuid=still.identity.uuid,
            generation=still.manifest.generation,
            hash_size=still.identity.hash_size,
            readonly=readonly,
            files=still.files,
            fingerprint=still.manifest.index(self.strategy) if readonly else None,
            check=self.check,
        )

    def run(self, began: float) -> Rebuilt:
        files, root = self.still.files, self.still.root
        fresh = self.directory + _NEW
        remove_directory(files, fresh)
        if not files.exists(root.indexes):
            files.mkdir(root.indexes)
        try:
            index = self.open(fresh, readonly=False)
            try:
                self.fill(index)
                entries = index.count
                before, missing, wrong, behind, reason = self.compare(index)
            finally:
                fingerprint = index.close()
        except BaseException:
            with suppress(OSError):
                remove_directory(files, fresh)
            raise
        manifest = self.still.manifest
        known = {name: found for name, found in manifest.indexes if name != self.strategy}
        if self.still.settled:
            # What MANIFEST knows of the old one must not be held against the new one.
            write_manifest(files, root, replaced(manifest, indexes=tuple(sorted(known.items()))))
        if reason is not None:
            set_aside(files, self.directory)
        remove_directory(files, self.directory)
        files.rename(fresh, self.directory)
        sync_directory(files, root.indexes)
        if self.still.settled and fingerprint is not None:
            known[self.strategy] = fingerprint
            write_manifest(files, root, replaced(manifest, indexes=tuple(sorted(known.items()))))
        seconds = time.perf_counter() - began
        generation = manifest.generation
        return Rebuilt(
            self.strategy,
            generation,
            entries,
            before,
            missing,
            wrong,
            behind,
            reason,
            self.gaps,
            seconds,
        )

    def fill(self, index: Index) -> None:
        """Every whole frame up to the end of the log."""
        still, kinds = self.still, INDEXED[self.strategy]
        end, total, done = still.tip.end, still.bytes, 0
        entries: dict[bytes, int] = {}
        for segment in still.table.segments:
            for found in scan(still.framing, segment):
                offset = segment.base + found.at
                if offset >= end:
                    break
                if isinstance(found, Gap):
                    self.gaps += 1
                    continue
                frame = found.frame
                if frame.kind in kinds:
                    code = KIND_OF_FRAME[frame.kind]
                    entries[bytes((code,)) + frame.hash] = pack(offset, frame.size >> 3, code)
                    if len(entries) >= MANY:
                        index.add(entries, offset + frame.size)
                        index.merge()
                        entries = {}
                        if self.progress is not None:
                            self.progress(done + found.at, total)
            done += segment.length
        index.add(entries, end)
        index.merge(wholly=True)

    def compare(self, index: Index) -> tuple[int | None, int, int, int, str | None]:
        """(entries of the old index, missing, wrong, behind, why it cannot be read)."""
        still = self.still
        if not still.files.exists(self.directory):
            return None, 0, 0, 0, "there is none"
        try:
            walk(
                self.directory,
                uuid=still.identity.uuid,
                generation=still.manifest.generation,
                hash_size=still.identity.hash_size,
            )
            old = self.open(self.directory, readonly=True)
        except (IndexDamaged, StorageError) as e:
            return None, 0, 0, 0, str(e)
        before = missing = wrong = behind = 0
        try:
            end = old.end
            for key, here, there in _joined(index.dump(), old.dump()):
                before += there > 0
                if here == there:
                    continue
                if here and offset_of(here) >= end:
                    behind += not there
                elif not there:
                    missing += 1
                elif not here or not self.leads(key, there):
                    wrong += 1
            return before, missing, wrong, behind, None
        except (IndexDamaged, StorageError) as e:
            return None, 0, 0, 0, str(e)
        finally:
            old.close()

    def leads(self, key: bytes, word: int) -> bool:
        """Whether a whole frame of that kind and hash lies at `word`: an object may lie in several places."""
        frame = self.still.log.frame(offset_of(word))
        return frame is not None and KIND_OF_FRAME.get(frame.kind) == key[0] and frame.hash == key[1:]


def _joined(
    one: Iterator[tuple[bytes, int]], other: Iterator[tuple[bytes, int]]
) -> Iterator[tuple[bytes, int, int]]:
    """(key, word in `one`, word in `other`) of two ascending rows; 0 where a row lacks the key."""
    a, b = next(one, None), next(other, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a[0] < b[0]):
            assert a is not None
            yield a[0], a[1], 0
            a = next(one, None)
        elif a is None or b[0] < a[0]:
            yield b[0], 0, b[1]
            b = next(other, None)
        else:
            yield a[0], a[1], b[1]
            a, b = next(one, None), next(other, None)
