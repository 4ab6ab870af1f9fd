"""Objects kept on this machine: a pack store in a directory, which holds what was read and was found right.

It is asked before the network, and it may be removed at any time. Every object in it is checked again when it is read,
and one that is damaged is fetched again. It has no refs: where a branch stands is always asked.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

from irminpy.backend import Backend, Options
from irminpy.errors import Corrupted, StorageError
from irminpy.hash import Hash
from irminpy.objects import Kind, Objects
from irminpy.registry import maker_of_uri
from irminpy.schema import Schema

__all__ = ["Cache"]

_OBJECTS: Final = 512
_BYTES: Final = 4 << 20


class Cache:
    """The pack store in `directory`, made if it is not there. Raises as opening that does."""

    def __init__(self, directory: str, schema: Schema[Any, Any]) -> None:
        maker = maker_of_uri(f"pack:{directory}?durability=none&index=always")
        self._backend: Backend = maker.open(schema, Options())[0]
        self._lock = threading.Lock()
        self._new = Objects()
        self._size = 0

    def find(self, kind: Kind, hashes: Sequence[Hash]) -> list[bytes | None]:
        """The objects that are here, in order."""
        waiting = self._new.of_kind(kind)
        found = [waiting.get(hash_) for hash_ in hashes]
        absent = [at for at, data in enumerate(found) if data is None]
        if absent:
            for at, data in zip(absent, self._stored(kind, [hashes[at] for at in absent]), strict=True):
                found[at] = data
        return found

    def _stored(self, kind: Kind, hashes: Sequence[Hash]) -> list[bytes | None]:
        try:
            return self._backend.read_many(kind, hashes)
        except Corrupted:
            return [None] * len(hashes)

    def keep(self, kind: Kind, objects: dict[bytes, bytes]) -> None:
        """Keep `objects`, each of which has the hash that it is under."""
        with self._lock:
            self._new.of_kind(kind).update(objects)
            self._size += sum(map(len, objects.values()))
            if len(self._new) < _OBJECTS and self._size < _BYTES:
                return
        self.flush()

    def flush(self) -> None:
        """Write what is only in memory. A disk that takes nothing costs the cache, not the answer."""
        with self._lock:
            new, self._new, self._size = self._new, Objects(shallow=True), 0
        if len(new):
            try:
                self._backend.write(new)
            except StorageError:
                return

    def close(self) -> None:
        """Write what is only in memory, and close. A second call does nothing."""
        self.flush()
        self._backend.close()
