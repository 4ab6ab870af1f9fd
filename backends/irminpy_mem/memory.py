"""Objects and refs in dictionaries, one per kind; a batch happens under one lock.

Nothing is hashed or checked on reading: what is in memory is trusted.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from irminpy.backend import Backend, Options, RefChange
from irminpy.errors import NotAStore
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.schema import Schema

from .shared import Handle, Shared

__all__ = ["Memory", "MemoryBackend"]


class _Store(Shared):
    """Refs and the objects themselves."""

    def __init__(self, schema: Schema[Any, Any]) -> None:
        super().__init__(schema, {})
        self.objects = Objects()

    def put(self, objects: Objects, changes: Sequence[RefChange]) -> None:
        """Keep the objects; refs are nowhere else."""
        self.objects.update(objects)

    def commits(self) -> Iterable[bytes]:
        """All commits."""
        return self.objects.commits


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

    def recorded(self) -> Schema[Any, Any]:
        """The schema of the store, see `irminpy.upkeep.Recording`. NotAStore if nobody in this process has made it."""
        with _naming:
            return self._there().schema

    def _there(self) -> _Store:
        store = None if self.name is None else _named.get(self.name)
        if store is None:
            raise NotAStore(f"mem:{self.name or ''}", "there is no memory store of that name in this process")
        return store

    def open(self, schema: Schema[Any, Any] | None, options: Options, /) -> tuple[Backend, Schema[Any, Any]]:
        """A handle on the store; see `irminpy.backend.Maker`."""
        with _naming:
            store = None if self.name is None else _named.get(self.name)
            if store is None:
                if not options.create:
                    self._there()
                store = _Store(Schema() if schema is None else schema)
                if self.name is not None:
                    _named[self.name] = store
        if schema is not None:
            schema.require(store.schema)
        return MemoryBackend(store, readonly=options.readonly), schema or store.schema


class MemoryBackend(Handle[_Store]):
    """A handle on a memory store; readers take no lock. A store without a name goes with its last handle."""

    what = "the memory store"

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
