"""What a handle knows of its store, and how that follows what other processes write.

A snapshot is (generation, end, refs, open segments). It moves forward by `refresh`, which reads HEAD and what was
appended since, or by what this handle writes itself. The caller serialises everything here but `view`.
"""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from typing import Final

from irminpy.backend import RefChange
from irminpy.errors import Corrupted, StorageError
from irminpy.formats.format import Codec
from irminpy.hash import Hash, HashFunction

from . import lock as locks
from .ends import branches, ends, is_end
from .files import Files, remove_directory
from .frame import Framing
from .generation import generation_at
from .head import MODES, HeadFile, Slot, slots
from .identity import Identity, Root
from .index import Index, IndexDamaged
from .indexing import fill, open_index, set_aside
from .log import Batch, Log, Marks, apply, change
from .lookup import INDEXED, Lookup
from .manifest import Manifest, Row
from .opening import BEGIN, Found, find, harden, manifest_bytes, open_table, write_manifest, write_segment
from .segment import HEADER_SIZE, Header, Segment, Table
from .settle import settle, start, walk
from .trailer import Tip
from .view import View
from .word import CONTENTS

__all__ = ["TAIL_BYTES", "Degraded", "State"]

TAIL_BYTES: Final = 64 << 20
"""Bytes of the log behind the index beyond which it is brought up to date."""

_ATTEMPTS: Final = 20


class Degraded(UserWarning):
    """A store was opened of which something acknowledged is missing; the message says what, and what was kept."""


class State:
    """The store at `root` as one handle knows it."""

    __slots__ = (
        "_check",
        "_codec",
        "_disorder",
        "_function",
        "_generation",
        "_mapped",
        "_odd",
        "_walked",
        "alone",
        "degraded",
        "durable",
        "ends",
        "files",
        "framing",
        "head",
        "identity",
        "log",
        "manifest",
        "marks",
        "now",
        "refs",
        "root",
        "strategy",
        "tip",
        "writing",
    )

    def __init__(
        self,
        files: Files,
        root: Root,
        identity: Identity,
        codec: Codec,
        function: HashFunction,
        strategy: str,
        *,
        check: int,
        mapped: bool,
        writing: bool,
    ) -> None:
        self.files = files
        self.root = root
        self.identity = identity
        self.framing = Framing(identity.hash_size)
        self.strategy = strategy
        self.writing = writing
        """Whether this handle may write: it holds segments open for it."""
        self.alone = False
        """Whether this handle holds LOCK, so that nobody else is writing."""
        self._walked: tuple[Tip, Tip, int] | None = None
        """From where the last look at the store walked on, and what it found, as long as LOCK is held."""
        self.degraded: list[str] = []
        """What was found missing, as told by `Degraded` too."""
        self._codec = codec
        self._function = function
        self._check = check
        self._mapped = mapped
        self._generation = 0  # of `tip`
        self.head = HeadFile(files, root.head, identity.uuid, writing=writing)
        # What tells of changes as long as HEAD does not name the end that is known; None if it does.
        self._odd: tuple[bytes, int] | None = None
        self._disorder = False  # MANIFEST is not right, or files lie about
        self.manifest: Manifest
        self.log: Log
        self.now: tuple[View, Lookup]
        """What reads objects and what finds them, of one generation: taken together, so that they fit."""
        self.refs: dict[str, tuple[bytes, int]] = {}
        self.ends: dict[str, tuple[bytes, int]] = {}
        self.marks = Marks()
        self.tip = BEGIN
        """The end that is published: what readers may see."""
        self.durable = BEGIN
        """The farthest end that is known to be synced."""

    @property
    def view(self) -> View:
        """What reads objects."""
        return self.now[0]

    @property
    def lookup(self) -> Lookup:
        """What finds objects by hash."""
        return self.now[1]

    # -- opening ---------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Know the store, anew if it was known, from its files. Nothing is written. Raises Corrupted, StorageError.

        Views and indexes from before go on, as long as somebody uses them.
        """
        for _ in range(_ATTEMPTS):
            before = manifest_bytes(self.files, self.root)
            found = find(self.files, self.root, self.identity)
            try:
                rows = found.manifest.segments
                table = open_table(
                    self.files, self.root, self.identity.uuid, rows, mapped=self._mapped, write=self.writing
                )
            except Corrupted:
                # Garbage collection may have replaced the segments meanwhile: then MANIFEST is another one.
                if find(self.files, self.root, self.identity).manifest == found.manifest:
                    raise
                continue
            if not self._take(found.manifest, table, before):
                continue
            collected = found.unborn and locks.is_free(self.files, self.root.collecting)
            self._disorder = found.rebuilt is not None or bool(found.strays or found.unlisted or collected)
            return
        raise StorageError(f"the segments of {self.root.path} change faster than they can be opened")

    def _take(self, manifest: Manifest, table: Table, before: bytes) -> bool:
        """Know the store by `manifest`, and by HEAD; False, and nothing has changed, if it became another meanwhile.

        `before`: MANIFEST as it was earlier than all of this. Nothing has changed if it raises.
        """
        seen = self.tip if self._generation == manifest.generation else BEGIN
        log = Log(self.framing, table)
        length = table.last().length
        head = self.head.read()
        found = slots(head, self.identity.uuid)
        newest = found[0] if found else None
        if newest is not None and newest.generation != manifest.generation:
            newest = None
        if (
            newest is not None
            and log.holds(newest.tip)
            and not (newest.mode == MODES.index("none") and self._idle())
        ):
            tip, adopt = newest.tip, self._idle()
            synced = tip
        else:
            tip, synced = start(log, found, manifest.tip, manifest.generation)
            adopt = True
        if adopt:
            # Nobody is writing: whole batches that were not published any more are there to be seen.
            began = tip
            tip, adopted = walk(log, began)
            # With LOCK held nothing changes until the store is settled, which need not read them again.
            self._walked = (began, tip, adopted) if self.alone else None
        if seen.batch_no > tip.batch_no and log.holds(seen):
            tip = seen  # as if HEAD was read while it was written: what was seen stays seen
        lost = tip.batch_no < synced.batch_no and not self.alone and self._idle()
        _trim(table, tip)
        refs, marks = log.refs_at(tip)
        lookup = self._take_index(manifest, head, before, log, tip.end)
        if lookup is None:
            return False
        if lost:
            # A writer who settles this says so, and keeps what he cuts off; a reader can only say it.
            self._degrade(f"batches {tip.batch_no + 1} to {synced.batch_no} were synced and are missing")
        self._generation, self.manifest, self.log, self.tip = manifest.generation, manifest, log, tip
        self.durable = manifest.tip if newest is None else newest.durable
        self.refs, self.ends, self.marks = branches(refs), ends(refs), marks
        self.head.said = head
        named = newest is not None and newest.tip.batch_no <= tip.batch_no
        self._odd = None if named else (before, length)
        self.now = (View(self.framing, table, self._codec, self._function, self._find_contents), lookup)
        return True

    def index_of(self, manifest: Manifest, *, readonly: bool) -> Index | None:
        """The index of this handle's strategy for the generation of `manifest`; see `open_index`."""
        return open_index(
            self.files, self.root, self.identity, manifest, self.strategy, self._check, readonly=readonly
        )

    def _take_index(
        self, manifest: Manifest, head: bytes, before: bytes, log: Log, end: int
    ) -> Lookup | None:
        """Look up by the index; what it lacks is in the tail, unless that is much.

        None if the store is not any more what `head`, HEAD, and `before`, MANIFEST, say, and the index is not theirs.
        """
        for _ in range(2):
            places = self.index_of(manifest, readonly=not self.writing)
            lookup = Lookup(self.strategy, places, self._mend, self.identity.hash_size)
            ahead = False
            try:
                ahead = places is not None and places.end > end
                if not ahead:
                    self._fill(lookup, places, log, end)
                    return lookup
            except IndexDamaged:
                pass  # or removed, with its generation
            lookup.places = None
            if places is not None:
                places.drop()
            if not self.alone and (
                manifest_bytes(self.files, self.root) != before or (ahead and self.head.read() != head)
            ):
                return None
            if not self.writing:
                break
            # It is damaged, or was filled from batches that were lost since.
            set_aside(self.files, self.root.index(manifest.generation, self.strategy))
        lookup = Lookup(self.strategy, None, self._mend, self.identity.hash_size)
        self._fill(lookup, None, log, end)
        return lookup

    def _fill(self, lookup: Lookup, places: Index | None, log: Log, end: int) -> None:
        """Bring index and tail up to `end`."""
        begin = 0 if places is None else places.end
        if places is not None and self.writing and end - begin >= TAIL_BYTES:
            with suppress(StorageError):
                fill(places, log.entries(begin, end, lookup.kinds), end)
            begin = places.end
        lookup.end = begin
        if begin < end:
            lookup.add_rows(log.entries(begin, end, lookup.kinds))

    def _mend(self, lookup: Lookup) -> None:
        """Replace the index of `lookup`, which is damaged."""
        if lookup is not self.lookup:
            lookup.places = None  # of a generation that is no more
            return
        directory = self.root.index(self.manifest.generation, self.strategy)
        if lookup.places is not None:
            lookup.places.close()
        places = None
        if self.writing:
            set_aside(self.files, directory)
            places = self.index_of(self.manifest, readonly=False)
        try:
            self._fill(lookup, places, self.log, self.tip.end)
        except IndexDamaged:
            # A medium that damages what it has just been given: all is kept in memory.
            places = None
            self._fill(lookup, None, self.log, self.tip.end)
        lookup.places = places

    def _degrade(self, what: str) -> None:
        self.degraded.append(what)
        warnings.warn(f"{self.root.path}: {what}", Degraded, stacklevel=2)

    def _find_contents(self, hash: bytes) -> int:
        return self.lookup.find(CONTENTS, hash)

    def _idle(self) -> bool:
        return self.alone or locks.is_free(self.files, self.root.lock)

    # -- HEAD ------------------------------------------------------------------------------------------------

    def publish(self, tip: Tip, mode: int, *, synced: bool, sync: bool) -> None:
        """Name `tip` in HEAD. `synced`: everything up to it is on the disk. `sync`: HEAD is to be, too."""
        if synced:
            self.durable = tip
        named = Slot(self.identity.uuid, self.manifest.generation, tip, self.durable, mode)
        self.head.name(named, sync=sync)
        self._odd = None
        self.tip = tip

    def shallow(self) -> frozenset[Hash]:
        """Where history was cut off, by garbage collection or before it came. Cost: one read."""
        flip = self.manifest.flip
        collected = generation_at(self.log, flip).shallow if flip else []
        return frozenset(map(Hash, (*collected, *(commit for commit, _ in self.ends.values()))))

    # -- following others ------------------------------------------------------------------------------------

    def unchanged(self) -> bool:
        """Whether nobody published anything since it was looked at last. Cost: one read of HEAD; where HEAD does not
        name the end that is known, one of MANIFEST more. Raises OSError.
        """
        head = self.head.read()
        return head == self.head.said and (self._odd is None or self._is_odd_still())

    def _is_odd_still(self) -> bool:
        return self._odd == (manifest_bytes(self.files, self.root), self.files.size(self.log.table.last().fd))

    def refresh(self) -> list[RefChange]:
        """See what other processes published since. Cost: one read of HEAD if that is nothing."""
        head = self.head.read()
        if head == self.head.said and (self._odd is None or self._is_odd_still()):
            return []
        for _ in range(_ATTEMPTS):
            found = slots(head, self.identity.uuid)
            if found and found[0].generation == self.manifest.generation:
                changes = self._extend(found[0].tip)
                if changes is not None:
                    self.head.said, self._odd = head, None
                    self.durable = max(found[0].durable, self.durable)
                    return changes
            else:
                before = self.refs
                self.load()
                return _changes(before, self.refs)
            head = self.head.read()
        before = self.refs
        self.load()
        return _changes(before, self.refs)

    def _extend(self, tip: Tip) -> list[RefChange] | None:
        """Go on to `tip`, a later end of the same log; None if it is not one."""
        old = self.tip
        if tip.batch_no <= old.batch_no:
            return [] if tip == old else None
        if not self._grow(tip):
            return None
        batches = self.log.back_to(tip, old)
        if batches is None:
            _trim(self.log.table, old)
            return None
        return self.advance(batches)

    def _grow(self, tip: Tip) -> bool:
        """Let the table show what lies up to `tip`, with segments that are new."""
        table = self.log.table
        for _ in range(2):
            for segment in table.segments:
                segment.length = max(segment.length, min(self.files.size(segment.fd), tip.end - segment.base))
            if table.locate(tip.end - 1) is not None:
                return True
            manifest = find(self.files, self.root, self.identity).manifest
            if manifest.generation != self.manifest.generation:
                return False
            known = {segment.header.number for segment in table.segments}
            rows = [row for row in manifest.segments if row.number not in known]
            new = open_table(
                self.files, self.root, self.identity.uuid, rows, mapped=self._mapped, write=self.writing
            )
            for segment in new.segments:
                table.add(segment)
            self.manifest = manifest
        return False

    def advance(self, batches: list[Batch]) -> list[RefChange]:
        """Take over `batches`, which follow what is known, and show nothing behind them."""
        changes: list[RefChange] = []
        old = self.tip
        for batch in batches:
            changes += self._moved(batch)
        tip = batches[-1].tip if batches else old
        if tip.end > old.end:
            self.lookup.add_rows(self.log.entries(old.end, tip.end, self.lookup.kinds))
        self.tip = tip
        _trim(self.log.table, tip)
        return changes

    def _moved(self, batch: Batch) -> list[RefChange]:
        marks, trailer = self.marks, batch.trailer
        changes: list[RefChange] = []
        size = 0
        for ref, length in self.log.moves(batch):
            size += length
            if is_end(ref.name):
                apply(ref, self.ends)
                continue
            before = self.refs.get(ref.name)
            apply(ref, self.refs)
            old = before and before[0]
            if old != ref.new:
                changes.append(change(ref.name, old, ref.new))
        fresh = trailer.table != marks.table
        table_bytes = marks.table_bytes
        if fresh:
            frame = self.log.frame(trailer.table)
            table_bytes = 0 if frame is None else frame.size
        last_refs = batch.tip.at if trailer.first_ref else marks.last_refs
        self.marks = Marks(trailer.table, last_refs, size if fresh else marks.ref_bytes + size, table_bytes)
        return changes

    # -- writing, under LOCK -----------------------------------------------------------------------------------

    def take_over(self) -> list[RefChange]:
        """After taking LOCK: see what others wrote, and settle what somebody left unfinished."""
        self.alone = True
        try:
            return self._take_over()
        finally:
            self.alone, self._walked = False, None

    def _take_over(self) -> list[RefChange]:
        changes = self.refresh()
        found = self.head.best()
        published = (
            found is not None and found.tip == self.tip and found.generation == self.manifest.generation
        )
        if self._disorder or not published or self._unfinished():
            changes += self.settle()
        return changes

    def _unfinished(self) -> bool:
        """Whether bytes lie behind the end: in the segment of the end, or in one that was begun after it."""
        end, size = self.tip.end, self.files.size
        here = self.log.table.locate(end - 1)
        first = 0 if here is None else here.base
        for segment in self.log.table.segments:
            base = segment.base
            if base >= first and size(segment.fd) != (
                end - base if end - base > HEADER_SIZE else HEADER_SIZE
            ):
                return True
        return False

    def settle(self) -> list[RefChange]:
        """Settle the store; see `settle.settle`. Raises StorageError if that cannot be written."""
        before = dict(self.refs)
        found = find(self.files, self.root, self.identity)
        uuid = self.identity.uuid
        table = open_table(self.files, self.root, uuid, found.manifest.segments, mapped=False, write=True)
        for segment in table.segments:
            if segment.header.number in found.unlisted:
                harden(self.files, self.root, segment)
        log = Log(self.framing, table)
        here = slots(self.head.read(), uuid)
        generation = found.manifest.generation
        done = settle(self.files, self.root, log, here, found.manifest.tip, generation, self._walked)
        for path in done.dropped:
            self.files.unlink(path)
            table.drop(path)
        self._clean(found)
        if done.degraded:
            self._degrade(done.degraded)
        rows = tuple([Row(s.header.number, s.base, 0) for s in table.segments])
        old = found.manifest
        manifest = Manifest(uuid, old.generation, _sealed(rows, table), done.tip, old.indexes, old.flip)
        changed = manifest.segments != old.segments
        # Without HEAD garbage collection may have died between MANIFEST's rename and the sync of its directory.
        if found.rebuilt or found.unlisted or not here or done.dropped or changed:
            write_manifest(self.files, self.root, manifest)
        self.manifest = manifest
        lost = any(slot.tip.batch_no > done.tip.batch_no for slot in here)
        if not here or (here[0].generation, here[0].tip) != (generation, done.tip):
            # What was adopted is on the disk: HEAD may say so.
            self.durable = done.tip
            self.publish(done.tip, 0, synced=True, sync=True)
        if lost:
            self.head.forget(done.tip.batch_no + 1)  # the batch that this slot names is lost
        self.load()
        return _changes(before, self.refs)

    def clean(self) -> None:
        """Under LOCK: remove what processes left behind that died while they collected garbage. Raises OSError."""
        self._clean(find(self.files, self.root, self.identity))

    def _clean(self, found: Found) -> None:
        files, generation = self.files, found.manifest.generation
        paths = found.strays
        collecting = not locks.is_free(files, self.root.collecting)
        if not collecting:
            paths += found.unborn
        for path in paths:
            files.unlink(path)
        for name in files.listdir(self.root.indexes):
            number, _, rest = name.partition("-")
            if not number.isdigit() or rest.partition(".")[0] not in INDEXED:
                continue
            if int(number) < generation or (int(number) > generation and not collecting):
                remove_directory(files, os.path.join(self.root.indexes, name))

    def new_segment(self) -> Segment:
        """Begin a segment behind the active one, which is sealed: the caller has synced it. Raises OSError.

        After an error nothing has changed but files that the next attempt writes again.
        """
        table, uuid = self.log.table, self.identity.uuid
        last = table.last()
        number = 1 + max(segment.header.number for segment in table.segments)
        generation = self.manifest.generation
        header = Header(
            uuid, self.identity.hash_size, number, generation, table.next_base(), last.header.number
        )
        # Others who have the store open go on in the old segment unless HEAD tells them to look again, and the batch
        # for which this one is made may never be written.
        self.head.blank()
        path = self.root.segment(write_segment(self.files, self.root, header).number)
        segment = Segment.open(self.files, path, uuid, HEADER_SIZE, mapped=self._mapped, write=True)
        rows = _sealed(tuple([Row(s.header.number, s.base, 0) for s in [*table.segments, segment]]), table)
        before = self.manifest
        manifest = Manifest(uuid, generation, rows, self.tip, before.indexes, before.flip)
        write_manifest(self.files, self.root, manifest)
        self.manifest = manifest
        table.add(segment)
        return segment

    # -- closing ---------------------------------------------------------------------------------------------

    def put_away(self, mode: int) -> None:
        """Under LOCK, with everything written: all is durable, and MANIFEST says what the index is. Raises OSError."""
        segment = self.log.table.last()
        if self.durable != self.tip:
            self.files.fdatasync(segment.fd)
            self.publish(self.tip, mode, synced=True, sync=True)
        places = self.lookup.places
        fingerprint = None
        if places is not None and not len(self.lookup):
            with suppress(IndexDamaged, StorageError):
                fingerprint = places.fingerprint()
        found = dict(self.manifest.indexes)
        if fingerprint is not None:
            found[self.strategy] = fingerprint
        rows = tuple([Row(s.header.number, s.base, 0) for s in self.log.table.segments])
        uuid, generation = self.identity.uuid, self.manifest.generation
        sealed = _sealed(rows, self.log.table)
        indexes, flip = tuple(sorted(found.items())), self.manifest.flip
        manifest = Manifest(uuid, generation, sealed, self.tip, indexes, flip)
        if manifest != self.manifest:
            write_manifest(self.files, self.root, manifest)
            self.manifest = manifest

    def close(self) -> None:
        """Give back what this handle holds. Views that somebody holds stay readable."""
        now = getattr(self, "now", None)
        if now is not None and now[1].places is not None:
            now[1].places.drop()
        self.head.close()


def _trim(table: Table, tip: Tip) -> None:
    """Let the table show nothing behind `tip`."""
    for segment in table.segments:
        if segment.base >= tip.end:
            segment.cut(min(segment.length, HEADER_SIZE))
        elif tip.end <= segment.end:
            segment.cut(tip.end - segment.base)


def _sealed(rows: tuple[Row, ...], table: Table) -> tuple[Row, ...]:
    """The rows, with the lengths of all segments but the one that grows, in the order of their batches."""
    lengths = {segment.header.number: segment.length for segment in table.segments}
    return tuple([row._replace(length=lengths[row.number]) for row in rows[:-1]]) + rows[-1:]


def _changes(before: dict[str, tuple[bytes, int]], after: dict[str, tuple[bytes, int]]) -> list[RefChange]:
    changes: list[RefChange] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if (old and old[0]) != (new and new[0]):
            changes.append(change(name, old and old[0], new and new[0]))
    return changes
