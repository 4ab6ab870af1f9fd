"""A store in memory whose keys of contents hold the contents: to read one, the store is not asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from irminpy.backend import Backend, Options
from irminpy.hash import Hash
from irminpy.key import Key
from irminpy.objects import Kind
from irminpy.schema import Schema
from irminpy_mem import Memory
from irminpy_mem.memory import MemoryBackend

__all__ = ["Inlined", "InlinedKey"]


@dataclass(frozen=True, order=True)
class InlinedKey:
    """A hash, and the canonical bytes of the contents; equal, ordered and hashed by the hash."""

    hash: Hash
    data: bytes = field(compare=False, repr=False)


class _Backend(MemoryBackend):
    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        if isinstance(key, InlinedKey):
            self._open()
            return key.data if kind is Kind.CONTENTS else None
        return super().read(kind, key)

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        return [self.read(kind, key) for key in keys]

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        if kind is not Kind.CONTENTS:
            return super().find_keys(kind, hashes)
        found = super().read_many(kind, hashes)
        return [
            None if data is None else InlinedKey(hash_, data)
            for hash_, data in zip(hashes, found, strict=True)
        ]


@dataclass(frozen=True)
class Inlined:
    """The store called `name`."""

    name: str

    def open(self, schema: Schema[Any, Any] | None, options: Options, /) -> tuple[Backend, Schema[Any, Any]]:
        backend, found = Memory(self.name).open(schema, options)
        assert isinstance(backend, MemoryBackend)
        return _Backend(backend._open(), readonly=options.readonly), found
