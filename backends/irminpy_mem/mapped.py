"""A whole store in one mapping from bytes to bytes: a dict, an open dbm file, or anything like it.

An object lies under its kind byte and its hash, a ref under "ref/" and its name, and what the store is under
"schema": the hexadecimal digits of the schema's identity, a space, and the schema in words.

Threads are kept apart by one lock, so the mapping need not be safe for them. Not promised: that a batch is whole
after a crash, or on a disk at all; what the mapping does with an assignment is what there is. Objects are written
before what points at them and refs last. While a store is open nobody else may change the mapping: not another
process, and not this one past irminpy.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, MutableMapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any
from weakref import WeakValueDictionary

from irminpy.backend import Backend, Options, RefChange
from irminpy.errors import Corrupted, NotAStore, SchemaMismatch, StorageError
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.schema import Schema

from .shared import Handle, Shared

__all__ = ["Mapped", "MappedBackend"]

Mapping = MutableMapping[bytes, bytes]

_SCHEMA = b"schema"
_REF = b"ref/"
_NAME = "the mapping"


@contextmanager
def _errors() -> Generator[None, None, None]:
    """Errors of the mapping become StorageError. Those of every dbm are OSError."""
    try:
        yield
    except OSError as cause:
        raise StorageError(f"{_NAME}: {cause}") from cause


class _Store(Shared):
    """Refs, as read when the store was opened, and the mapping."""

    def __init__(self, schema: Schema[Any, Any], mapping: Mapping) -> None:
        size = schema.codec.hash_size
        refs: dict[str, Hash] = {}
        for key in list(mapping):
            if key.startswith(_REF):
                hash_ = mapping[key]
                if len(hash_) != size:
                    raise Corrupted(_NAME, None, None, f"the ref {key[len(_REF) :]!r} names no hash")
                refs[key[len(_REF) :].decode()] = Hash(hash_)
        super().__init__(schema, refs)
        self.mapping = mapping

    def put(self, objects: Objects, changes: Sequence[RefChange]) -> None:
        """Objects, children first, then refs. An error undoes the refs that had moved, if the mapping lets it."""
        with _errors():
            self._put(objects, changes)

    def _put(self, objects: Objects, changes: Sequence[RefChange]) -> None:
        mapping = self.mapping
        done: list[RefChange] = []
        try:
            for kind in (Kind.CONTENTS, Kind.NODE, Kind.COMMIT):
                prefix = bytes([kind])
                for hash_, data in objects.of_kind(kind).items():
                    key = prefix + hash_
                    if key not in mapping:
                        mapping[key] = data
            for change in changes:
                done.append(change)
                self._move(change.name, change.after)
        except BaseException:
            for change in reversed(done):
                with suppress(OSError):
                    self._move(change.name, change.before)
            raise

    def _move(self, name: str, hash_: Hash | None) -> None:
        key = _REF + name.encode()
        if hash_ is not None:
            self.mapping[key] = bytes(hash_)
        elif key in self.mapping:
            del self.mapping[key]

    def commits(self) -> Iterable[bytes]:
        """All commits, found by looking at all keys."""
        prefix = bytes([Kind.COMMIT])
        with _errors():
            return [key[1:] for key in self.mapping if key.startswith(prefix)]


# All handles on one mapping share one store: by identity, for as long as one of them lives.
_open: WeakValueDictionary[int, _Store] = WeakValueDictionary()
_opening = threading.Lock()


class Mapped:
    """A store in `mapping`, from bytes to bytes; two makers are equal if they hold the very same mapping.

    The mapping stays the caller's, who opens it, flushes it and closes it after the store. Without a schema the
    default one is meant, unless the store is open already.
    """

    __slots__ = ("mapping",)

    def __init__(self, mapping: Mapping) -> None:
        if not isinstance(mapping, MutableMapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"a mapping that can be changed is expected, not {type(mapping).__name__}")
        self.mapping = mapping

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapped) and self.mapping is other.mapping

    def __hash__(self) -> int:
        return hash(id(self.mapping))

    def __repr__(self) -> str:
        return f"Mapped(<{type(self.mapping).__name__}>)"

    def open(self, schema: Schema[Any, Any] | None, options: Options, /) -> tuple[Backend, Schema[Any, Any]]:
        """A handle on the store; see `irminpy.backend.Maker`.

        NotAStore also for a mapping that holds something else, which is left as it was.
        """
        mapping = self.mapping
        with _errors(), _opening:
            store = _open.get(id(mapping))
            with nullcontext() if store is None else store.lock:
                wanted = schema or (Schema() if store is None else store.schema)
                recorded = mapping.get(_SCHEMA)
                if recorded is not None:
                    _compare(recorded, wanted)
                elif not options.create:
                    raise NotAStore(_NAME, "it holds no store")
                elif len(mapping):
                    raise NotAStore(_NAME, "it holds something else")
                elif store is not None:
                    wanted.require(store.schema)
                if store is None:
                    store = _open[id(mapping)] = _Store(wanted, mapping)
                if recorded is None and not options.readonly:
                    mapping[_SCHEMA] = f"{wanted.identity.hex()} {wanted.describe()}".encode()
        return MappedBackend(store, readonly=options.readonly), wanted


def _compare(recorded: bytes, schema: Schema[Any, Any]) -> None:
    identity, _, words = recorded.partition(b" ")
    if identity != schema.identity.hex().encode():
        raise SchemaMismatch(schema.describe(), words.decode(errors="replace"))


class MappedBackend(Handle[_Store]):
    """A handle on a store in a mapping. What is read is hashed, since a mapping may be a file."""

    what = "the mapped store"

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The object, or None; Corrupted if it does not hash to what it lies under."""
        (data,) = self.read_many(kind, [key])
        return data

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """The objects, in order."""
        store = self._open()
        prefix = bytes([kind])
        hashes = [hash_of_key(key) for key in keys]
        with _errors(), store.lock:
            found = [store.mapping.get(prefix + hash_) for hash_ in hashes]
        digest = store.schema.codec.digest
        for hash_, data in zip(hashes, found, strict=True):
            if data is not None and digest(data) != hash_:
                raise Corrupted(_NAME, None, hash_, f"its bytes hash to {digest(data).hex()}")
        return found

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """The hashes of the objects that are here: exact, not best effort."""
        store = self._open()
        prefix = bytes([kind])
        with _errors(), store.lock:
            return [hash_ if prefix + hash_ in store.mapping else None for hash_ in hashes]
