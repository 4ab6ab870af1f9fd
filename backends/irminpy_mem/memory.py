"""Objects and refs in dictionaries, one per kind; a batch happens under one lock.

Nothing is hashed or checked on reading: what is in memory is trusted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sortedcontainers import SortedDict

from irminpy.backend import ANY, Backend, Options, RefChange, RefListener, RefUpdate
from irminpy.errors import Closed, NotAStore, ReadOnly
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.schema import Schema

__all__ = ["Memory", "MemoryBackend"]

_MOST_MATCHES = 20


class _Store:
    """What all handles on one memory store share."""

    def __init__(self, schema: Schema[Any, Any]) -> None:
        self.schema = schema
        self.objects = Objects()
        self.refs = cast("dict[str, Hash]", SortedDict())  # pyright: ignore[reportUnknownMemberType]
        self.lock = threading.RLock()
        self.listeners: list[RefListener] = []
        # Changes wait here until their turn, so that listeners hear of them in order though no lock is held.
        self.pending: deque[tuple[RefChange, tuple[RefListener, ...]]] = deque()
        self.speaking = threading.RLock()
        self.inside = False  # a listener is being called, by the thread that holds `speaking`


_named: dict[str, _Store] = {}
_naming = threading.Lock()


@dataclass(frozen=True, slots=True)
class Memory:
    """A store in memory: a fresh one, or the one called `name` that all of this process share.

    A named store lives until the process ends; another open of the same name sees the same objects and refs.
    """

    name: str | None = None

    @staticmethod
    def of_uri(rest: str, options: dict[str, str]) -> Memory:
        """The maker for "mem:REST"; TypeError for any option, since there is none."""
        if options:
            raise TypeError(f"mem: takes no option {sorted(options)[0]!r}")
        return Memory(rest or None)

    def open(self, schema: Schema[Any, Any] | None, options: Options, /) -> tuple[Backend, Schema[Any, Any]]:
        """A handle on the store; see `irminpy.backend.Maker`."""
        with _naming:
            store = None if self.name is None else _named.get(self.name)
            if store is None:
                if not options.create:
                    raise NotAStore(
                        f"mem:{self.name or ''}", "there is no memory store of that name in this process"
                    )
                store = _Store(Schema() if schema is None else schema)
                if self.name is not None:
                    _named[self.name] = store
        if schema is not None:
            schema.require(store.schema)
        return MemoryBackend(store, readonly=options.readonly), schema or store.schema


class MemoryBackend:
    """A handle on a memory store; see `irminpy.backend.Backend` for the methods."""

    def __init__(self, store: _Store, *, readonly: bool) -> None:
        self._store = store
        self._readonly = readonly
        self._closed = False
        self._stops: list[Callable[[], None]] = []

    def _open(self) -> _Store:
        if self._closed:
            raise Closed("the memory store")
        return self._store

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The object, or None."""
        return self._open().objects.of_kind(kind).get(hash_of_key(key))

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """The objects, in order."""
        objects = self._open().objects.of_kind(kind)
        return [objects.get(hash_of_key(key)) for key in keys]

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """The hashes of the objects that are here: exact, not best effort."""
        objects = self._open().objects.of_kind(kind)
        return [hash_ if hash_ in objects else None for hash_ in hashes]

    def find_commits(self, prefix: str, /) -> list[Hash]:
        """The hashes of commits that begin with `prefix`."""
        store = self._open()
        with store.lock:
            found = sorted(hash_ for hash_ in store.objects.commits if hash_.hex().startswith(prefix))
        return [Hash(hash_) for hash_ in found[:_MOST_MATCHES]]

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        """Write all or nothing; whether it happened."""
        store = self._open()
        if self._readonly:
            raise ReadOnly("the memory store")
        with store.lock:
            moved: dict[str, Hash | None] = {}
            changes: list[RefChange] = []
            for update in updates:
                before = moved[update.name] if update.name in moved else store.refs.get(update.name)
                if update.test is not ANY and before != update.test:
                    return False
                moved[update.name] = update.set
                if before != update.set:
                    changes.append(RefChange(update.name, before, update.set))
            store.objects.update(objects)
            for change in changes:
                if change.after is None:
                    del store.refs[change.name]
                else:
                    store.refs[change.name] = change.after
            if store.listeners:
                listeners = tuple(store.listeners)
                store.pending.extend((change, listeners) for change in changes)
        if changes:
            self._speak(store)
        return True

    def _speak(self, store: _Store) -> None:
        with store.speaking:
            if store.inside:
                return  # a listener writes: its change has its turn when all have heard the one before
            store.inside = True
            try:
                while True:
                    try:
                        change, listeners = store.pending.popleft()
                    except IndexError:
                        return
                    for listener in listeners:
                        if listener in store.listeners:
                            listener(change)
            finally:
                store.inside = False

    def ref(self, name: str, /) -> Hash | None:
        """The commit of the ref, or None."""
        return self._open().refs.get(name)

    def refs(self) -> dict[str, Hash]:
        """All refs, ordered by name."""
        store = self._open()
        with store.lock:
            return dict(store.refs)

    def watch(self, listener: RefListener, /) -> Callable[[], None]:
        """Call `listener` with each change from now on."""
        store = self._open()

        def relay(change: RefChange) -> None:
            listener(change)

        with store.lock:
            store.listeners.append(relay)

        def stop() -> None:
            with store.lock:
                if relay in store.listeners:
                    store.listeners.remove(relay)
            # A call that is under way on another thread ends before stopping has returned.
            with store.speaking:
                pass

        self._stops.append(stop)
        return stop

    def close(self) -> None:
        """Forget the handle; a store without a name goes with its last handle."""
        if not self._closed:
            self._closed = True
            for stop in self._stops:
                stop()
