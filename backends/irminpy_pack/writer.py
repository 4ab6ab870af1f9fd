"""Writing batches: many threads append, one at a time syncs for all of them (docs/formats/pack.md, "Commits").

Two locks. `mutex` guards what is appended: refs as they will be, the end of the log, the file position. `turn` is
held by the one who syncs and publishes; who waits for it usually finds his batch done. `turn` is taken before
`mutex`, never after it.

LOCK is taken with the first batch that is appended and given back when everything appended is published.
"""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from irminpy.announce import Announcer
from irminpy.backend import ANY, Moved, RefUpdate
from irminpy.errors import StorageError
from irminpy.formats.format import Codec
from irminpy.hash import HashFunction
from irminpy.objects import Kind, Objects, words_of

from .append import Batch, Builder, Older, Piece
from .ends import absent_parents, end_name, is_end
from .files import typed, write_at
from .head import MODES
from .index import Entries, IndexDamaged
from .large import LIMIT, Large, split
from .lock import Lock
from .log import Marks, Ref, apply, change
from .lookup import ALWAYS, INDEXED
from .recent import Recent
from .segment import HEADER_SIZE, Segment
from .settings import Settings
from .state import TAIL_BYTES, State
from .trailer import Tip

__all__ = ["Writer"]

_SYNC_EVERY: Final = 16 << 20  # bytes of the log between two syncs of HEAD
_TAIL_ENTRIES: Final = 1 << 16
_RUNS: Final = 12  # of the index, beyond which they are merged although the store is being closed
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
# Before Python 3.12 to name a member of an enumeration costs four times as much as this.
_NODE: Final = Kind.NODE
_CONTENTS: Final = Kind.CONTENTS
_COMMIT: Final = Kind.COMMIT
_LONGEST_HOLD: Final = 0.05  # seconds that LOCK may be kept for batch after batch


class _Pending(NamedTuple):
    """A batch that is appended and not yet published."""

    tip: Tip
    marks: Marks
    segment: Segment
    entries: Entries
    moves: list[Ref]


class Writer:
    """Appends batches to the store that `state` knows, and moves `state` on as they are published."""

    def __init__(
        self,
        state: State,
        codec: Codec,
        function: HashFunction,
        lock: Lock,
        announcer: Announcer,
        settings: Settings,
        clock: Callable[[], float],
    ) -> None:
        self._state = state
        self._codec = codec
        self._function = function
        self._lock = lock
        self._announcer = announcer
        self._settings = settings
        self._clock = clock
        self._mode = MODES.index(settings.durability)
        self._builder = Builder(
            *(state.framing, codec, function, self._place, INDEXED[state.strategy]),
            self._older if state.identity.differences else None,
            strict=state.strategy != ALWAYS,
        )
        self.mutex = threading.RLock()
        self._turn = threading.Lock()
        self._pending: deque[_Pending] = deque()
        self._overlay: dict[str, bytes | None] = {}
        self._tip = state.tip  # the end of what is appended; good while something is pending
        self._marks = state.marks
        self._segment: Segment | None = None
        self._since = 0.0  # when LOCK was taken
        self._synced_head = state.tip.end
        self._failed: str | None = None
        self._flusher: threading.Thread | None = None
        self._recent = Recent()

    @property
    def busy(self) -> bool:
        """Whether batches are on their way, so that LOCK is held."""
        return bool(self._pending)

    # -- one batch -------------------------------------------------------------------------------------------

    def write(
        self,
        objects: Objects,
        updates: Sequence[RefUpdate] = (),
        reader: Callable[[], object] | None = None,
        larges: Sequence[Large] | None = None,
    ) -> bool:
        """Append, sync and publish; whether the conditions of `updates` held. See `Backend.write`.

        Raises Moved if the words of `objects` are not of the reader that `reader()` gives while nothing can move.
        `larges` are large contents whose chunks have been written, at the words in `objects`; where they are given,
        the contents in `objects` are chunks themselves or short, and go in as they are.
        """
        while True:
            self.check()
            generation = self._state.manifest.generation
            mine = self._dedup(objects)
            mine, large = self._split(mine) if larges is None else (mine, larges)
            if not updates and not large and not len(mine):
                return True
            self._let_others()
            with self.mutex:
                self._enter()
                try:
                    if reader is not None and objects.reader is not None and objects.reader is not reader():
                        raise Moved
                    if self._state.manifest.generation != generation:
                        # Garbage was collected since: the words that were found just now lead elsewhere.
                        for words in objects.words.values():
                            words.clear()
                        objects.hints.clear()
                        continue
                    moved = self._tested(updates)
                    if moved is not None:
                        self._append(mine, large, moved)
                finally:
                    behind = self._pending[-1].tip if self._pending else None
                    self._leave()
                    if behind is not None and sys.exc_info()[0] is not None:
                        # Pieces of what failed: orphans, but nobody else would publish them.
                        self._publish_pending()
                        self._leave()
            break
        # Who lost a compare-and-set to a batch that is not published yet must see it before he tries again.
        if behind is not None:
            self._flush(behind)
        return moved is not None

    def put(self, chunks: Sequence[tuple[bytes, bytes]], /) -> list[int]:
        """Write chunks as contents that nothing leads to yet; the word of each."""
        objects = Objects(contents=dict(chunks))
        with typed(self._state.root.path):
            self.write(objects, larges=())
        return [objects.words[Kind.CONTENTS][hash_] for hash_, _ in chunks]

    def put_large(self, large: Large, reader: Callable[[], object], before: Any) -> int:
        """Write large contents whose chunks have been written since `reader()` gave `before`; their word.

        Raises Moved if it gives another one now.
        """
        word = self._place(Kind.CONTENTS, large.hash)
        if word and self._state.view.large(word, large.hash) == large:
            return word
        chunks = dict(zip(large.hashes, large.words, strict=True))
        objects = Objects(words=words_of(Kind.CONTENTS, chunks), reader=before)
        with typed(self._state.root.path):
            self.write(objects, (), reader, [large])
        return objects.words[Kind.CONTENTS][large.hash]

    def _split(self, objects: Objects) -> tuple[Objects, list[Large]]:
        """`objects` with the chunks that are not here yet in the place of large contents, and these."""
        found: list[Large] = []
        if max(map(len, objects.contents.values()), default=0) <= LIMIT:
            return objects, found  # as it mostly is
        for hash_ in [hash_ for hash_, data in objects.contents.items() if len(data) > LIMIT]:
            parts = split(hash_, objects.contents[hash_], self._codec)
            if parts is not None:
                large, chunks = parts
                if not found:
                    objects = objects.instead({**objects.contents}, objects.nodes, objects.commits)
                del objects.contents[hash_]
                objects.contents.update(self._dedup(Objects(chunks, words=objects.words)).contents)
                found.append(large)
        return objects, found

    def _let_others(self) -> None:
        """Wait until LOCK is given back if this process has kept it for long."""
        pending = self._pending
        if pending and not self._settings.exclusive and time.monotonic() - self._since > _LONGEST_HOLD:
            try:
                tip = pending[-1].tip
            except IndexError:
                return
            self._flush(tip)

    def _append(
        self,
        objects: Objects,
        larges: Sequence[Large],
        moved: list[tuple[str, bytes | None, bytes | None]],
    ) -> None:
        builder, now = self._builder, int(self._clock() * 1e6)
        before: Piece | None = None
        begin = 0

        def start() -> int:
            nonlocal begin, before
            if before is not None:
                self._put(before, begin, [], now)
                before = None
            begin = self._begin()
            return begin

        for piece in builder.pieces(objects, larges, start):
            before = piece
        assert before is not None
        moves = [Ref(name, old, new, self._word_of(objects, new), now) for name, old, new in moved]
        if objects.shallow:
            moves += self._new_ends(objects, now)
        if before.frames or moves:
            self._put(before, begin, moves, now)

    def _new_ends(self, objects: Objects, now: int) -> list[Ref]:
        """What says that parents of these commits are nowhere, where nothing says it yet."""
        known = self._state.shallow()
        return [
            Ref(end_name(parent), None, parent, 0, now)
            for parent in absent_parents(objects, self._codec)
            if parent not in known
            and end_name(parent) not in self._overlay
            and not self._place(Kind.COMMIT, parent)
        ]

    def _word_of(self, objects: Objects, commit: bytes | None) -> int:
        if commit is None:
            return 0
        return objects.words[Kind.COMMIT].get(commit) or self._place(Kind.COMMIT, commit)

    def _place(self, kind: int, hash: bytes) -> int:
        """The word of an object that is appended or published, or 0."""
        for pending in reversed(self._pending):
            word = pending.entries[kind].get(hash, 0)
            if word:
                return word
        return self._state.lookup.find(kind, hash)

    def _dedup(self, objects: Objects) -> Objects:
        """`objects` without those that lie in the store already, byte for byte; their words go into `objects`."""
        lookup = self._state.lookup
        contents, nodes, commits = objects.contents, objects.nodes, objects.commits
        if self._state.strategy == ALWAYS:
            # New nodes are mostly new.
            contents = self._unknown(_CONTENTS, objects, lookup.known_contents(contents))
            nodes = self._unknown(_NODE, objects, lookup.recent_many(_NODE, nodes))
        # Only a commit that is made twice in a row is the same.
        commits = self._unknown(_COMMIT, objects, lookup.recent_many(_COMMIT, commits))
        if contents is objects.contents and nodes is objects.nodes and commits is objects.commits:
            return objects
        return objects.instead(contents, nodes, commits)

    def _unknown(self, kind: Kind, objects: Objects, words: dict[bytes, int]) -> dict[bytes, bytes]:
        """Those of `objects` of this kind that do not lie where `words` says."""
        kept = given = objects.of_kind(kind)
        if not words:
            return kept
        view = self._state.view
        for hash_, word in words.items():
            lies = view.at(word, hash_)
            if lies is not None and lies[0] == given[hash_]:
                objects.words[kind][hash_] = word
                if kind is _NODE:
                    objects.hints[hash_] = lies[1]
                if kept is given:
                    kept = {**given}
                del kept[hash_]
        return kept

    def _tested(self, updates: Sequence[RefUpdate]) -> list[tuple[str, bytes | None, bytes | None]] | None:
        """(name, before, after) of what `updates` move of the refs as they will be; None if one's condition fails."""
        now: dict[str, bytes | None] = {}
        moves: list[tuple[str, bytes | None, bytes | None]] = []
        for update in updates:
            before = now[update.name] if update.name in now else self._ref(update.name)
            if update.test is not ANY and before != update.test:
                return None
            now[update.name] = update.set
            if before != update.set:
                moves.append((update.name, before, update.set))
        return moves

    def _ref(self, name: str) -> bytes | None:
        if name in self._overlay:
            return self._overlay[name]
        found = self._state.refs.get(name)
        return None if found is None else found[0]

    # -- the end of the log -----------------------------------------------------------------------------------

    def _enter(self) -> None:
        """With the mutex: hold LOCK, and know what others wrote before."""
        self.check()
        if self._pending:
            return
        state = self._state
        if not self._lock.held:
            self._lock.take(self._settings.timeout)
            self._since = time.monotonic()
            try:
                self._announcer.queue(state.take_over())
            except OSError as e:
                self._lock.release()
                raise StorageError(f"{state.root.path}: {e}") from e
            except BaseException:
                self._lock.release()
                raise
        self._tip, self._marks, self._segment = state.tip, state.marks, state.log.table.last()

    def _leave(self) -> None:
        """With the mutex: give LOCK back if nothing is pending."""
        if not self._pending and self._lock.held and not self._settings.exclusive:
            self._lock.release()

    @contextmanager
    def halted(self) -> Generator[None]:
        """With LOCK held and nothing pending: meanwhile nobody writes, here or in another process.

        Raises Locked, StorageError. What others wrote before is known.
        """
        try:
            with self._turn, self.mutex:
                self._enter()
                try:
                    self._publish_pending()
                    yield
                finally:
                    self._leave()
        finally:
            self._announcer.speak()

    @property
    def sealing(self) -> int:
        """Bytes of a segment beyond which the next batch begins another."""
        return self._settings.seal

    def check(self) -> None:
        """Raise StorageError if this handle failed for good."""
        if self._failed is not None:
            raise StorageError(self._failed)

    def _begin(self) -> int:
        """Where the next batch begins; in another segment if the active one is full."""
        segment = self._segment
        assert segment is not None
        end = max(self._tip.end, segment.base + HEADER_SIZE)
        if end - segment.base >= self._settings.seal:
            self._publish_pending()
            try:
                self._state.files.fdatasync(segment.fd)
            except OSError as e:
                raise self.fail("a segment cannot be synced", e) from e
            try:
                segment = self._segment = self._state.new_segment()
            except OSError as e:
                full = "; free some space and try again" if e.errno in _FULL else ""
                raise StorageError(f"{self._state.root.path}: no segment can be begun: {e}{full}") from e
            end = segment.base + HEADER_SIZE
        return end

    def _put(self, piece: Piece, start: int, moves: list[Ref], now: int) -> None:
        """Append one batch. Nothing has changed if it raises."""
        segment = self._segment
        assert segment is not None
        first = start == segment.base + HEADER_SIZE
        batch = self._builder.batch(
            *(piece, start, self._tip, self._marks, moves, self._refs_now, now), table=first
        )
        self._pwrite(segment, batch, start)
        self._recent.add(self._state.log.table, start, batch.data)
        self._pending.append(_Pending(batch.tip, batch.marks, segment, batch.entries, moves))
        self._tip, self._marks = batch.tip, batch.marks
        for move in moves:
            self._overlay[move.name] = move.new

    def _pwrite(self, segment: Segment, batch: Batch, start: int) -> None:
        files, at = self._state.files, start - segment.base
        try:
            write_at(files, segment.fd, batch.data, at)
        except OSError as e:
            try:
                # A full disk, or a write cut short: what was appended before stands, and so does this handle.
                files.ftruncate(segment.fd, at)
            except OSError as again:
                raise self.fail("what a failed write left cannot be cut off", again) from e
            full = "; free some space and try again" if e.errno in _FULL else ""
            raise StorageError(f"{segment.path}: the batch was not written: {e}{full}") from e

    def _older(self) -> Older:
        """What finds the nodes that those of a batch may be differences from."""
        table = self._state.log.table
        return (*table.rows, table.read, *self._recent.of(table))

    def _refs_now(self) -> Mapping[str, tuple[bytes, int]]:
        refs = self._state.refs | self._state.ends
        for pending in self._pending:
            for move in pending.moves:
                apply(move, refs)
        return refs

    def fail(self, what: str, cause: BaseException) -> StorageError:
        """This handle can promise nothing any more; the error that says so."""
        self._failed = f"{self._state.root.path}: {what}: {cause}; close the store and open it again"
        self._pending.clear()
        self._overlay.clear()
        return StorageError(self._failed)

    # -- syncing and publishing --------------------------------------------------------------------------------

    def _flush(self, tip: Tip) -> None:
        """Come back when the batch that ends at `tip` is durable, as promised, and published."""
        state = self._state
        if state.tip.batch_no < tip.batch_no:
            with self._turn:
                if state.tip.batch_no < tip.batch_no:
                    self.check()
                    if self._settings.linger:
                        time.sleep(self._settings.linger)
                    self._sync_and_publish()
        self._index_in_time()
        self._announcer.speak()  # the last thing: a listener may close this handle

    def _sync_and_publish(self) -> None:
        """With the turn: one sync for everything that is appended now."""
        with self.mutex:
            if not self._pending:
                return
            last = self._pending[-1].tip
            segments: dict[int, Segment] = {}
            if self._settings.durability != "none":
                segments = {id(pending.segment): pending.segment for pending in self._pending}
        try:
            for segment in segments.values():
                self._state.files.fdatasync(segment.fd)
        except OSError as e:
            with self.mutex:
                error = self.fail("the segments cannot be synced", e)
                self._give_up()
            raise error from e
        with self.mutex:
            self.check()
            self._publish(last)
            self._leave()

    def _publish_pending(self) -> None:
        """With the mutex and not the turn: sync and publish everything that is appended.

        Somebody may be syncing the same; both will find it good.
        """
        if not self._pending:
            return
        try:
            if self._settings.durability != "none":
                for pending in self._pending:
                    self._state.files.fdatasync(pending.segment.fd)
        except OSError as e:
            raise self.fail("the segments cannot be synced", e) from e
        self._publish(self._pending[-1].tip)

    def _publish(self, tip: Tip) -> None:
        """With the mutex: HEAD names the batch that ends at `tip`, and all of this process sees it."""
        ready: list[_Pending] = []
        while self._pending and self._pending[0].tip.batch_no <= tip.batch_no:
            ready.append(self._pending.popleft())
        if not ready:
            return  # by another thread, meanwhile
        try:
            self._name(ready[-1].tip, [pending.segment for pending in ready])
            self._show(ready)
        except BaseException as e:
            # What is in the log and what is known here may differ now.
            raise self.fail("HEAD cannot be written", e) from e

    def _name(self, tip: Tip, segments: list[Segment]) -> None:
        state = self._state
        synced = self._settings.durability != "none"
        far = not 0 <= tip.end - self._synced_head < _SYNC_EVERY
        if far and not synced:
            for segment in segments:
                state.files.fdatasync(segment.fd)
        state.publish(tip, self._mode, synced=synced or far, sync=far or self._settings.durability == "full")
        if far:
            self._synced_head = tip.end

    def _show(self, ready: list[_Pending]) -> None:
        state = self._state
        for pending in ready:
            segment = pending.segment
            segment.length = max(segment.length, pending.tip.end - segment.base)
            state.lookup.add(pending.entries)
            for move in pending.moves:
                apply(move, state.ends if is_end(move.name) else state.refs)
            if len(self._announcer):  # after that, so that who listens from now on finds the new refs
                moves = [move for move in pending.moves if not is_end(move.name)]
                self._announcer.queue([change(move.name, move.old, move.new) for move in moves])
        state.marks = ready[-1].marks
        self._overlay = {move.name: move.new for pending in self._pending for move in pending.moves}

    def _give_up(self) -> None:
        if self._lock.held:
            self._lock.release()

    # -- the index -------------------------------------------------------------------------------------------

    def _index_in_time(self) -> None:
        """Put the tail into the index when it has grown long, off the way of commits."""
        lookup = self._state.lookup
        if lookup.places is None or self._flusher is not None:
            return
        if lookup.added >= _TAIL_ENTRIES or self._state.tip.end - lookup.end >= TAIL_BYTES:
            with self.mutex:
                if self._flusher is None:
                    self._flusher = threading.Thread(target=self._index, name="irminpy-index", daemon=True)
                    self._flusher.start()

    def _index(self) -> None:
        try:
            self.index()
        finally:
            self._flusher = None

    def index(self, *, last: bool = False) -> None:
        """Put the tail into the index now, for the `last` time perhaps. If that cannot be done the tail keeps it."""
        with self.mutex:
            lookup, end = self._state.lookup, self._state.tip.end
            places = lookup.places
            if places is None or not len(lookup):
                return
            entries = lookup.turn()
        done = False
        try:
            try:
                places.add_kinds(entries, end)
                lookup.end, done = end, True
                if not last:
                    lookup.absent.add(entries[Kind.CONTENTS].hashes(), places)
            finally:
                lookup.turned(done)
            if not last or places.runs > _RUNS:
                places.merge()
        except IndexDamaged:
            lookup.mend(places)
        except StorageError:
            pass  # no space, no memory: there will be another time

    # -- closing ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Publish what is pending, put the tail into the index, let go of LOCK."""
        flusher = self._flusher
        if flusher is not None:
            flusher.join()
        try:
            if self._failed is None:
                with self._turn:
                    self._sync_and_publish()
                self.index(last=True)
                self._put_away()
        finally:
            self._lock.close()

    def _put_away(self) -> None:
        """Unless somebody else is writing: leave MANIFEST as it should be. It is derived, so failing is no loss."""
        with self.mutex:
            if self._lock.held or self._lock.attempt():
                with suppress(OSError, StorageError):
                    self._state.take_over()
                    self._state.put_away(self._mode)
