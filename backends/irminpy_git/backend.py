"""A repository of Git as a backend: objects by (kind, hash), branches as refs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from irminpy.backend import RefListener, RefUpdate
from irminpy.errors import Closed, Corrupted, ReadOnly
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.polled import polled
from irminpy.schema import Schema

from .files import LockFile, read_small, typed
from .kinds import Type
from .refs import Refs
from .repository import Repository
from .store import ObjectStore

__all__ = ["GitBackend"]

_TYPES: Final = {Kind.CONTENTS: Type.BLOB, Kind.NODE: Type.TREE, Kind.COMMIT: Type.COMMIT}
_MOST_MATCHES: Final = 20


class GitBackend:
    """An open handle; see `irminpy.backend.Backend` for the methods."""

    def __init__(
        self,
        repository: Repository,
        schema: Schema[Any, Any],
        store: ObjectStore,
        refs: Refs,
        *,
        readonly: bool,
        pack_from: int,
        poll: float,
        reflog: bool,
        timeout: float,
    ) -> None:
        self.repository = repository
        self.store = store
        self._codec = schema.codec
        self._ends: tuple[tuple[int, int], frozenset[Hash]] = ((-1, -1), frozenset())
        self._refs = refs
        self._readonly = readonly
        self._pack_from = pack_from
        self._poll = poll
        self._reflog = reflog
        self._timeout = timeout
        self._shared = polled(repository.common)
        self._closed = False
        self._stops: list[Callable[[], None]] = []

    def _check(self) -> None:
        if self._closed:
            raise Closed(f"the repository {self.repository.path}")

    # -- objects ---------------------------------------------------------------------------------------------

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The object with its header, or None."""
        self._check()
        id = hash_of_key(key)
        with typed(self.repository.path):
            found = self.store.read(id)
        if found is None:
            return None
        wanted = _TYPES[kind]
        data = found if isinstance(found, bytes) else b"%b %d\0%b" % (found[0].word, len(found[1]), found[1])
        if self._codec.digest(data) != id:
            raise Corrupted(self.store.objects, None, id, "its bytes have another hash")
        return data if data.startswith(wanted.word) else None

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """The objects, in order."""
        self._check()
        return [self.read(kind, key) for key in keys]

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """The hashes of the objects that are here: exact, not best effort."""
        self._check()
        wanted = _TYPES[kind]
        with typed(self.repository.path):
            return [hash_ if self.store.kind(hash_) is wanted else None for hash_ in hashes]

    def find_commits(self, prefix: str, /) -> list[Hash]:
        """The hashes of commits that begin with `prefix`."""
        self._check()
        found: list[Hash] = []
        with typed(self.repository.path):
            for id in self.store.ids(prefix):
                if self.store.kind(id) is Type.COMMIT:
                    found.append(Hash(id))
                    if len(found) == _MOST_MATCHES:
                        break
        return found

    def shallow(self) -> frozenset[Hash]:
        """The parents of the commits at which a shallow repository ends, by its file `shallow`."""
        path = os.path.join(self.repository.common, "shallow")
        try:
            at = os.stat(path)
        except FileNotFoundError:
            return frozenset()
        mark = (at.st_mtime_ns, at.st_ino)
        if mark != self._ends[0]:
            found = set[Hash]()
            for commit in self._cut():
                data = self.read(Kind.COMMIT, commit)
                if data is not None:
                    found.update(self._codec.decode_commit(data).parents)
            self._ends = (mark, frozenset(found))
        return self._ends[1]

    def _cut(self) -> list[Hash]:
        """The commits at which history ends, as the file `shallow` says."""
        data = read_small(os.path.join(self.repository.common, "shallow"), 1 << 30) or b""
        size = self.repository.size
        return [Hash.of_hex(digits.decode("ascii", "replace"), size) for digits in data.split()]

    # -- writing ---------------------------------------------------------------------------------------------

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        """Write all or nothing; whether it happened."""
        self._check()
        if self._readonly:
            raise ReadOnly(f"the repository {self.repository.path}")
        shared = self._shared
        with typed(self.repository.path):
            if updates and not self._possible(updates):
                return False
            self._put(objects)
            if objects.commits:
                self._cut_at(objects)
            if updates:
                with shared.lock:
                    changes = self._refs.update(updates, _who(objects) if self._reflog else None)
                    if changes is None:
                        return False
                    shared.told(changes)
        shared.announcer.speak()
        return True

    def _possible(self, updates: Sequence[RefUpdate]) -> bool:
        """False if the first condition on a branch fails already: then no object need be written."""
        seen = set[str]()
        for update in updates:
            first = update.name not in seen
            seen.add(update.name)
            if first and isinstance(update.test, Hash | None) and self._refs.get(update.name) != update.test:
                return False
        return True

    def _put(self, objects: Objects) -> None:
        store = self.store
        new: list[tuple[bytes, Type, bytes]] = []
        for kind in (Kind.CONTENTS, Kind.NODE, Kind.COMMIT):
            type_ = _TYPES[kind]
            new += [
                (id, type_, data) for id, data in objects.of_kind(kind).items() if not store.refreshed(id)
            ]
        if len(new) >= self._pack_from:
            # Commits lie first in Git's packs: walks through history read little.
            store.write_many(new[::-1])
        elif new:
            store.write_loose([(id, data) for id, _, data in new])

    def _cut_at(self, objects: Objects) -> None:
        """Keep the file `shallow`, without which Git takes a history that was cut off for a broken one.

        It names the commits of which a parent is not here; none of them once all of theirs have come.
        """
        path = os.path.join(self.repository.common, "shallow")
        if not objects.shallow and not os.path.exists(path):
            return
        store, decode = self.store, self._codec.decode_commit
        with self._shared.lock:
            lock = LockFile(path, self._timeout)
            try:
                before = self._cut()
                ends: dict[Hash, None] = {}
                for commit in dict.fromkeys((*before, *map(Hash, objects.commits))):
                    data = self.read(Kind.COMMIT, commit)
                    if data is not None and not all(map(store.has, decode(data).parents)):
                        ends[commit] = None
                if list(ends) != before:
                    lines = b"".join([commit.hex().encode() + b"\n" for commit in ends])
                    lock.write(lines, sync=self.store.syncs)
                    if lines:
                        lock.commit()
                    else:
                        os.unlink(path)
            finally:
                lock.release()

    # -- refs ------------------------------------------------------------------------------------------------

    def ref(self, name: str, /) -> Hash | None:
        """The commit of the branch, or None."""
        self._check()
        with typed(self.repository.path):
            return self._refs.get(name)

    def refs(self) -> dict[str, Hash]:
        """All branches, ordered by name; no change by this process happens meanwhile."""
        self._check()
        with typed(self.repository.path), self._shared.lock:
            return self._refs.all()

    def watch(self, listener: RefListener, /) -> Callable[[], None]:
        """Call `listener` with each change from now on, whoever makes it."""
        self._check()
        with typed(self.repository.path):
            stop = self._shared.listen(listener, self._refs, self._poll)
        self._stops.append(stop)
        return stop

    def close(self) -> None:
        """Let go of all files. A second call does nothing."""
        if not self._closed:
            self._closed = True
            for stop in self._stops:
                stop()
            self.store.close()


def _who(objects: Objects) -> dict[bytes, bytes]:
    """Commit to its line about the committer."""
    found: dict[bytes, bytes] = {}
    for id, data in objects.commits.items():
        at = data.find(b"\ncommitter ")
        end = data.find(b"\n", at + 1)
        if 0 <= at < end:
            found[id] = data[at + 11 : end]
    return found
