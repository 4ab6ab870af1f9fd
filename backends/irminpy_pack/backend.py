"""An open pack store: the contract of a backend over a state, a writer and views."""

from __future__ import annotations

import io
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from irminpy.announce import Announcer
from irminpy.backend import (
    Moved,
    Options,
    Readable,
    RefListener,
    RefUpdate,
    stream_of,
)
from irminpy.errors import Closed, Forked, ReadOnly, StorageError
from irminpy.fields import NamedTuple
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Inode, Kind, Node, Objects
from irminpy.schema import Schema

from .files import sync_directory, typed
from .keys import PackKey
from .large import Large, open_large, put
from .lock import Lock
from .settings import Settings
from .state import State
from .view import View
from .word import kind_of

if TYPE_CHECKING:
    from irminpy.collecting import Collected, Keep, Progress
    from irminpy.core import Gathered

    from .gc.relocate import Relocation
    from .writer import Writer

__all__ = ["PackBackend", "PackReader"]

_MOST_MATCHES: Final = 20
_PIECE: Final = 1 << 20
_POLL: Final = 0.1  # seconds between two looks at HEAD for listeners

_all: weakref.WeakSet[PackBackend] = weakref.WeakSet()


class _Move(NamedTuple):
    """Where the objects of `generation` went when garbage was collected."""

    generation: int
    places: Relocation
    reader: weakref.ref[PackReader]
    """Who read them before."""


class PackReader:
    """Reads the objects of one generation. After garbage collection it reads on from the files it holds open."""

    __slots__ = ("__weakref__", "_backend", "generation", "view")

    def __init__(self, backend: PackBackend, generation: int, view: View) -> None:
        self._backend = backend
        self.generation = generation
        self.view = view

    def load(self, kind: Kind, hash: bytes, word: int, /) -> tuple[bytes, bytes] | None:
        """(canonical bytes, column of the children's words), or None if the object is not here.

        Cost: one read if `word` is right, else a look-up too. Raises Corrupted for a damaged object.
        """
        backend = self._backend
        if backend.closed:
            raise Closed("the pack store")
        if word & 3 == kind:  # as `kind_of` says
            found = self.view.at(word, hash)
            if found is not None:
                return found
        return backend.search(self, kind, hash, word)

    def release(self) -> None:
        """Give the pages of the segments that were read back to the system."""
        for segment in self.view.table.segments:
            segment.release()

    def descend(self, hash: bytes, word: int, steps: list[str], /) -> tuple[int, bytes | None] | None:
        """As `irminpy.backend.Descending`, where all that is read lies in maps."""
        if self._backend.closed:
            raise Closed("the pack store")
        return self.view.descend(hash, word, steps)

    def record(self, hash: bytes, word: int, /) -> Node | Inode | None:
        """As `irminpy.backend.Descending`, where it lies in a map."""
        if self._backend.closed:
            raise Closed("the pack store")
        return self.view.record(hash, word)

    def gather(
        self, hash: bytes, word: int, depth: int, count: int, most: int, room: int, below: int, /
    ) -> Gathered | None:
        """As `irminpy.backend.Gathering`, where all that is read lies in maps."""
        if self._backend.closed:
            raise Closed("the pack store")
        return self.view.gather(hash, word, depth, count, most, room, below)

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The canonical bytes, or None. An Indexed key that leads there is Direct afterwards."""
        if not isinstance(key, PackKey):
            found = self.load(kind, hash_of_key(key), 0)
            return None if found is None else found[0]
        found = self.load(kind, key.hash, key.word)
        if found is None:
            return None
        if not key.word:
            key.promote(self._backend.state.lookup.find(kind, key.hash))
        return found[0]

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """`read` for each of the keys."""
        return [self.read(kind, key) for key in keys]

    def open_stream(self, key: Hash | Key, /) -> io.BufferedReader | None:
        """Contents as a file for reading; see `irminpy.backend.StreamReader`. It reads on as this reader does."""
        backend, hash_, word = self._backend, hash_of_key(key), self.word(key)
        for place in backend.places(hash_, word):
            large = self.view.large(place, hash_)
            if large is not None:
                chunks = self.view.chunks(place, self._open)
                return open_large(large, chunks, self.view.codec, self.view.function)
        found = self.load(Kind.CONTENTS, hash_, word)
        return None if found is None else stream_of(self.view.codec.decode_contents(found[0]))

    def _open(self) -> PackReader:
        # What calls this holds the reader, and with it the files that it reads.
        if self._backend.closed:
            raise Closed("the pack store")
        return self

    def key(self, hash: bytes, word: int, /) -> Key:
        """A Direct key, or an Indexed one for the word 0."""
        return PackKey(Hash(hash), word)

    def word(self, key: Hash | Key, /) -> int:
        """Where the object of `key` lies; 0 if the key does not lead there, not even by way of where it was before
        garbage was collected. Cost: one read, none for an Indexed key.
        """
        if not isinstance(key, PackKey) or not key.word:
            return 0
        if self.view.holds(key.word, key.hash):
            return key.word
        return self._backend.moved(self, key.hash, key.word)


class PackBackend:
    """A handle on a pack store; see `irminpy.backend.Backend`. Free to share between threads."""

    def __init__(
        self,
        state: State,
        schema: Schema[Any, Any],
        settings: Settings,
        options: Options,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.state = state
        self.closed = False
        self._announcer = Announcer()
        self._forked = False
        self._poller: threading.Thread | None = None
        self._stop = threading.Event()
        self._exclusive = settings.exclusive
        self._mutex = threading.RLock()
        self._writer: Writer | None = None
        if options.readonly:
            state.load()
        else:
            self._writer = self._open_for_writing(schema, settings, clock)
            self._mutex = self._writer.mutex
        self._codec = schema.codec
        self._function = schema.hash
        self._reader = PackReader(self, state.manifest.generation, state.view)
        self._moves: list[_Move] = []
        self._shallow: tuple[dict[str, tuple[bytes, int]], int, frozenset[Hash]] | None = None
        _all.add(self)

    def _open_for_writing(
        self, schema: Schema[Any, Any], settings: Settings, clock: Callable[[], float]
    ) -> Writer:
        from .writer import Writer  # late: reading needs none of it

        state = self.state
        lock = Lock(state.files, state.root.lock)
        try:
            if settings.exclusive:
                lock.take(settings.timeout)
                lock.sign()
            else:
                lock.attempt()
            state.alone = lock.held
            state.load()
            if lock.held:
                # Whoever wrote last may have died: now is the time to put that in order.
                state.take_over()
                if not settings.exclusive:
                    lock.release()
            if state.tip.batch_no == 0:
                # Whoever made the store may have died before its name was durable.
                sync_directory(state.files, os.path.dirname(state.root.path))
        except BaseException:
            with suppress(OSError):
                lock.close()
            raise
        return Writer(state, schema.codec, schema.hash, lock, self._announcer, settings, clock)

    # -- reading ---------------------------------------------------------------------------------------------

    def _open(self) -> State:
        if self.closed:
            raise Closed("the pack store")
        return self.state

    @property
    def reader(self) -> PackReader:
        """The reader of the present generation."""
        state, reader = self.state, self._reader
        if reader.view is not state.now[0]:  # as it mostly is, and each read asks
            with self._mutex:
                reader = self._reader
                if reader.generation == state.manifest.generation:
                    reader.view = state.view
                else:
                    reader = self._reader = PackReader(self, state.manifest.generation, state.view)
        return reader

    def search(self, reader: PackReader, kind: Kind, hash: bytes, word: int) -> tuple[bytes, bytes] | None:
        """The object by its hash, since its word does not lead to it; or None."""
        state = self._open()
        damaged: set[tuple[View, int]] = set()
        again = True
        while True:
            view, lookup = state.now
            tried: set[tuple[View, int]] = set()
            if kind_of(word) == kind:
                # Where the reader's generation has it; else what an older reader was told by the present one.
                tried = {(reader.view, word), (view, word)}
            other = lookup.find(kind, hash)
            if other:
                tried.add((view, other))
            for where, place in tried - damaged:
                found = where.at(place, hash)
                if found is not None:
                    return found
            damaged |= tried
            if state.now[0] is not view:
                continue  # garbage was collected meanwhile
            if not again:
                break
            again = False
            if not self.refresh() and state.now[0] is view:
                break
            damaged.discard((reader.view, word))  # it may have been written since, by another process
            damaged.discard((view, word))
        for where, place in damaged:
            error = where.damage(place, hash)
            if error is not None:
                raise error
        return None

    def places(self, hash: bytes, word: int) -> Iterator[int]:
        """The words that may lead to the contents `hash`: `word`, what the index says, and what it says anew."""
        if word:
            yield word
        lookup = self._open().lookup
        found = lookup.find(Kind.CONTENTS, hash)
        if found:
            yield found
        elif self.refresh():
            yield from filter(None, (word, self.state.lookup.find(Kind.CONTENTS, hash)))

    def refresh(self) -> bool:
        """See what other processes wrote; whether there was something."""
        state = self._open()
        if self._exclusive:
            return False
        try:
            if state.unchanged():  # as it mostly is, and that is seen without the mutex
                return False
        except OSError:
            pass  # it comes again below, and is told there
        with self._mutex:
            if self._writer is not None and self._writer.busy:
                return False  # LOCK is held: nobody else writes
            before = state.tip
            with typed(state.root.path):
                self._announcer.queue(state.refresh())
            moved = state.tip != before
            self.reader  # noqa: B018  # takes over the view
        self._announcer.speak()
        return moved

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """As `PackReader.read`."""
        return self.reader.read(kind, key)

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """As `PackReader.read_many`."""
        return self.reader.read_many(kind, keys)

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """Direct keys of the objects that the index knows and that lie where it says; None for others.

        With the strategy `minimal` only commits are known.
        """
        state = self._open()
        view, lookup = state.now
        words = lookup.find_many(kind, hashes)
        if not words.keys() >= {*hashes} and (self.refresh() or state.now[0] is not view):
            view, lookup = state.now
            words = lookup.find_many(kind, hashes)
        return [
            PackKey(hash_, words[hash_]) if hash_ in words and view.holds(words[hash_], hash_) else None
            for hash_ in hashes
        ]

    def find_commits(self, prefix: str, /) -> list[Hash]:
        """The hashes of commits that begin with `prefix`."""
        self._open()
        self.refresh()
        return [Hash(hash_) for hash_ in self.state.lookup.prefix(Kind.COMMIT, prefix, _MOST_MATCHES)]

    # -- refs ------------------------------------------------------------------------------------------------

    def ref(self, name: str, /) -> Hash | None:
        """The commit of the ref, or None. Cost: one read of HEAD, none with an exclusive handle."""
        self.refresh()
        found = self.state.refs.get(name)
        return None if found is None else Hash(found[0])

    def refs(self) -> dict[str, Hash]:
        """All refs, ordered by name."""
        self.refresh()
        with self._mutex:
            found = sorted(self.state.refs.items())
        return {name: Hash(hash_) for name, (hash_, _) in found}

    def watch(self, listener: RefListener, /) -> Callable[[], None]:
        """Call `listener` with each change from now on; those of other processes come within a tenth of a second."""
        self._open()
        stop = self._announcer.listen(listener)
        if self._poller is None and not self._exclusive:
            self._poller = threading.Thread(target=self._poll, name="irminpy-pack-watch", daemon=True)
            self._poller.start()
        return stop

    def _poll(self) -> None:
        while not self._stop.wait(_POLL):
            if len(self._announcer):
                try:
                    self.refresh()
                except StorageError:
                    return  # whoever reads next is told

    # -- writing ---------------------------------------------------------------------------------------------

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        """Write all or nothing; whether it happened. See DESIGN of durability in docs/formats/pack.md."""
        try:
            return self._writing().write(objects, updates, self._now)
        except OSError as e:
            raise StorageError(f"{self.state.root.path}: {e}") from e

    def _now(self) -> PackReader:
        return self.reader

    def _writing(self) -> Writer:
        self._open()
        if self._writer is None:
            raise ReadOnly("the pack store")
        if self._forked:
            raise Forked("the pack store")
        return self._writer

    # -- large contents --------------------------------------------------------------------------------------

    def put_stream(self, file: Readable, /) -> Key:
        """Write contents from `file`; their key. Memory: some 24 MiB, whatever the length.

        The whole value in memory, for a format that hashes the length first or a hash function that is not
        `Incremental`. StorageError if the objects of the store moved meanwhile: nothing leads to the chunks yet, so
        garbage collection did not keep them.
        """
        writer, before = self._writing(), self.reader
        taken: Large | bytes
        codec, function = self.state.view.codec, self.state.view.function
        if codec.contents_prefix is None:
            (taken,) = codec.encode_contents([b"".join(iter(lambda: file.read(_PIECE), b""))])
        else:
            taken = put(file, codec, function, writer)
        if not isinstance(taken, Large):
            hash_ = codec.digest(taken)
            (word,) = writer.put([(hash_, taken)])
            return before.key(hash_, word)
        try:
            word = writer.put_large(taken, lambda: self.reader, before)
        except Moved:
            reason = "garbage was collected while contents were streamed into it, with their chunks"
            raise StorageError(f"{self.state.root.path}: {reason}; stream them again") from None
        return before.key(taken.hash, word)

    def open_stream(self, key: Hash | Key, /) -> io.BufferedReader | None:
        """As `PackReader.open_stream`."""
        return self.reader.open_stream(key)

    # -- garbage collection -----------------------------------------------------------------------------------

    def collect(self, keep: Keep, /, *, dry_run: bool = False, progress: Progress | None = None) -> Collected:
        """See `irminpy.backend.Collecting` and docs/formats/pack-gc.md."""
        state = self._open()
        if not dry_run:
            if self._writer is None:
                raise ReadOnly("the pack store")
            if self._forked:
                raise Forked("the pack store")
        from .gc.collect import Collection  # late: opening and reading need none of it

        run = Collection(state, self._writer, self._codec, self._function, self.refresh, keep, progress)
        try:
            return run.dry_run() if dry_run else run.run(self._flipped)
        except OSError as e:
            raise StorageError(f"{state.root.path}: garbage was not collected: {e}") from e

    def shallow(self) -> frozenset[Hash]:
        """Where history ends: since garbage was collected, or since a part of a history came."""
        self._open()
        state, known = self.state, self._shallow
        # Whenever the store is known anew, as in another generation, this is another dict; till then ends only come.
        if known is None or known[0] is not state.ends or known[1] != len(state.ends):
            with self._mutex:
                ends = state.ends
                known = self._shallow = (ends, len(ends), state.shallow())
        return known[2]

    def _flipped(self, places: Relocation) -> None:
        before, moves = self._reader, self._moves
        moves.append(_Move(before.generation, places, weakref.ref(before)))
        # Who still reads an older generation keeps all that follow it.
        while len(moves) > 1 and moves[0].reader() is None:
            moves.pop(0)

    def moved(self, reader: PackReader, hash: bytes, word: int) -> int:
        """Where the object `hash`, which lay at `word` in an older generation, lies for `reader`; 0 if unknown."""
        moves = self._moves.copy()
        for i in range(len(moves)):
            found, generation = word, moves[i].generation
            for move in moves[i:]:
                if not found or move.generation != generation:
                    break
                try:
                    found, generation = move.places.find(found >> 22), generation + 1
                except OSError:
                    found = 0  # then it is found by its hash, or copied
            if found and generation == reader.generation and reader.view.at(found, hash) is not None:
                return found
        return 0

    # -- closing ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Publish what is pending and let go of everything. A second call does nothing."""
        if self.closed:
            return
        self._stop.set()
        self._announcer.close()
        if self._poller is not None and self._poller is not threading.current_thread():
            self._poller.join()
        self.closed = True
        with typed(self.state.root.path):
            try:
                if self._writer is not None and not self._forked:
                    self._writer.close()
            finally:
                self.state.close()

    def forked(self) -> None:
        """In the child of a fork: reads go on, writes are refused, no lock of another thread is waited for."""
        self._forked = True
        self._mutex = threading.RLock()
        self._announcer = Announcer()
        self._poller = None
        self._stop = threading.Event()


def _after_fork() -> None:
    for backend in list(_all):
        backend.forked()


os.register_at_fork(after_in_child=_after_fork)
