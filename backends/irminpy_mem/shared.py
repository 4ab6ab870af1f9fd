"""What a store in one process owes whatever holds its objects: refs, batches, listeners, closing.

A subclass of `Shared` says where objects and refs go, a subclass of `Handle` how objects are read.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from sortedcontainers import SortedDict

from irminpy.announce import Announcer
from irminpy.backend import ANY, RefChange, RefListener, RefUpdate
from irminpy.errors import Closed, ReadOnly
from irminpy.hash import Hash
from irminpy.objects import Objects
from irminpy.schema import Schema

__all__ = ["Handle", "Shared"]

_MOST_MATCHES = 20


class Shared(ABC):
    """What all handles on one store share."""

    def __init__(self, schema: Schema[Any, Any], refs: Mapping[str, Hash]) -> None:
        self.schema = schema
        self.refs = cast("dict[str, Hash]", SortedDict(refs))  # pyright: ignore[reportUnknownMemberType]
        self.lock = threading.RLock()
        self.announcer = Announcer()

    @abstractmethod
    def put(self, objects: Objects, changes: Sequence[RefChange]) -> None:
        """Keep `objects`, then `changes` beyond `refs`; called with the lock held. All of it, or an error."""

    @abstractmethod
    def commits(self) -> Iterable[bytes]:
        """The hashes of all commits; called with the lock held."""


S = TypeVar("S", bound=Shared)


class Handle(Generic[S]):
    """An open handle; see `irminpy.backend.Backend` for the methods."""

    what = "the store"

    def __init__(self, store: S, *, readonly: bool) -> None:
        self._store = store
        self._readonly = readonly
        self._closed = False
        self._stops: list[Callable[[], None]] = []

    def _open(self) -> S:
        if self._closed:
            raise Closed(self.what)
        return self._store

    def find_commits(self, prefix: str, /) -> list[Hash]:
        """The hashes of commits that begin with `prefix`."""
        store = self._open()
        with store.lock:
            found = sorted(hash_ for hash_ in store.commits() if hash_.hex().startswith(prefix))
        return [Hash(hash_) for hash_ in found[:_MOST_MATCHES]]

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        """Write all or nothing; whether it happened."""
        store = self._open()
        if self._readonly:
            raise ReadOnly(self.what)
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
            store.put(objects, changes)
            for change in changes:
                if change.after is None:
                    del store.refs[change.name]
                else:
                    store.refs[change.name] = change.after
            store.announcer.queue(changes)
        store.announcer.speak()
        return True

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
        stop = self._open().announcer.listen(listener)
        self._stops.append(stop)
        return stop

    def close(self) -> None:
        """Forget the handle; what it leads to stays."""
        if not self._closed:
            self._closed = True
            for stop in self._stops:
                stop()
