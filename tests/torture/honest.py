"""A small honest store in one log file: what the harness is tested on, since a harness that passes all shows nothing.

A batch is `length u32 | crc32 u32 | body`, appended and synced before it is acknowledged. Opening replays the log,
writes what it adopts again, and truncates what is torn. Each thing that can be forgotten is a method of its own,
so that a test can forget it.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack

from irminpy.backend import Backend, Options, RefListener, RefUpdate
from irminpy.errors import Closed, Corrupted, Locked, NotAStore, ReadOnly, StorageError
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.schema import Schema
from irminpy_pack.files import Files, read_at, sync_directory, write_at

HEADER = 8


@dataclass(frozen=True, slots=True)
class Log:
    """The maker of a `LogBackend`, or of one with a planted bug."""

    path: str
    files: Files
    backend: type[LogBackend] = field(default_factory=lambda: LogBackend)

    def open(self, schema: Schema[Any, Any] | None, options: Options, /) -> tuple[Backend, Schema[Any, Any]]:
        schema = schema or Schema()
        return self.backend(self.path, self.files, schema, options), schema


class LogBackend:
    def __init__(self, path: str, files: Files, schema: Schema[Any, Any], options: Options) -> None:
        self.path, self.files, self.codec = path, files, schema.codec
        self.readonly = options.readonly
        self.closed = False
        self.failed: str | None = None
        self.log = -1
        self.lock = -1
        try:
            if not files.exists(path):
                if options.readonly or not options.create:
                    raise NotAStore(path, "there is nothing there")
                self.create()
            if not self.readonly:
                self.lock = files.open(f"{path}/LOCK", os.O_RDWR)
                try:
                    files.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as e:
                    raise Locked(path) from e
                self.sync_parent()  # whoever made it may have died before that
            self.log = files.open(f"{path}/pack", os.O_RDONLY if self.readonly else os.O_RDWR)
            self.replay()
        except OSError as e:
            self.close()
            raise StorageError(f"{path}: {e}") from e
        except StorageError:
            self.close()
            raise

    # -- what can be forgotten -----------------------------------------------------------------------------------

    def create(self) -> None:
        temporary = f"{self.path}.tmp.{os.getpid()}"
        for name in ("LOCK", "pack"):
            if self.files.exists(f"{temporary}/{name}"):
                self.files.unlink(f"{temporary}/{name}")
        if not self.files.exists(temporary):
            self.files.mkdir(temporary)
        for name in ("LOCK", "pack"):
            fd = self.files.open(f"{temporary}/{name}", os.O_RDWR | os.O_CREAT)
            self.files.fsync(fd)
            self.files.close(fd)
        sync_directory(self.files, temporary)
        self.files.rename(temporary, self.path)
        self.sync_parent()

    def sync_parent(self) -> None:
        sync_directory(self.files, os.path.dirname(self.path))

    def sync(self) -> None:
        self.files.fdatasync(self.log)

    def give_up(self, error: OSError) -> None:
        self.failed = f"{self.path}: a sync failed: {error}"

    def adopt(self, data: bytes) -> None:
        """After a failed sync reading back proves nothing: what is adopted is written again."""
        write_at(self.files, self.log, data, 0)
        self.sync()

    def checksum_ok(self, body: bytes, crc: int) -> bool:
        return zlib.crc32(body) == crc

    def verified(self, kind: Kind, hash_: bytes, data: bytes) -> bytes:
        if self.codec.digest(data) != hash_:
            raise Corrupted(f"{self.path}/pack", self.where[kind, hash_][0], hash_, "another hash")
        return data

    def allowed(self, updates: Sequence[RefUpdate]) -> bool:
        return all(
            not (one.test is None or isinstance(one.test, bytes)) or self.heads.get(one.name) == one.test
            for one in updates
        )

    # -- the log -------------------------------------------------------------------------------------------------

    def replay(self) -> None:
        self.where: dict[tuple[Kind, bytes], tuple[int, int]] = {}
        self.heads: dict[str, Hash] = {}
        self.end = 0
        data = read_at(self.files, self.log, self.files.size(self.log), 0)
        while self.end + HEADER <= len(data):
            size = int.from_bytes(data[self.end : self.end + 4], "little")
            crc = int.from_bytes(data[self.end + 4 : self.end + 8], "little")
            body = data[self.end + HEADER : self.end + HEADER + size]
            if not size or len(body) < size or not self.checksum_ok(body, crc):
                break
            self.take(msgpack.unpackb(body), self.end + HEADER, body)
            self.end += HEADER + size
        if not self.readonly:
            self.adopt(data[: self.end])
            if self.end < len(data):
                self.files.ftruncate(self.log, self.end)
                self.files.fsync(self.log)

    def take(self, batch: list[Any], base: int, body: bytes) -> None:
        objects, refs = batch
        for kind, hash_, data in objects:
            self.where[Kind(kind), hash_] = (base + body.index(data), len(data))
        for name, hash_ in refs:
            if hash_ is None:
                self.heads.pop(name, None)
            else:
                self.heads[name] = Hash(hash_)

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        self.check()
        if self.readonly:
            raise ReadOnly(self.path)
        if self.failed:
            raise StorageError(self.failed)
        if not self.allowed(updates):
            return False
        batch = [
            [
                [int(kind), hash_, data]
                for kind in (Kind.CONTENTS, Kind.NODE, Kind.COMMIT)
                for hash_, data in objects.of_kind(kind).items()
            ],
            [[one.name, one.set] for one in updates],
        ]
        body = msgpack.packb(batch)
        data = len(body).to_bytes(4, "little") + zlib.crc32(body).to_bytes(4, "little") + body
        try:
            write_at(self.files, self.log, data, self.end)
        except OSError as e:
            self.undo()
            raise StorageError(f"{self.path}: {e}") from e
        try:
            self.sync()
        except OSError as e:
            self.give_up(e)
            raise StorageError(f"{self.path}: {e}") from e
        self.take(batch, self.end + HEADER, body)
        self.end += len(data)
        return True

    def undo(self) -> None:
        try:
            self.files.ftruncate(self.log, self.end)
        except OSError as e:
            self.give_up(e)

    # -- reading -------------------------------------------------------------------------------------------------

    def check(self) -> None:
        if self.closed:
            raise Closed("the log")

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        self.check()
        hash_ = hash_of_key(key)
        place = self.where.get((kind, hash_))
        if place is None:
            return None
        try:
            data = read_at(self.files, self.log, place[1], place[0])
        except OSError as e:
            raise StorageError(f"{self.path}: {e}") from e
        return self.verified(kind, hash_, data)

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        return [self.read(kind, key) for key in keys]

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        self.check()
        return [hash_ if (kind, hash_) in self.where else None for hash_ in hashes]

    def find_commits(self, prefix: str, /) -> list[Hash]:
        self.check()
        found = sorted(h for kind, h in self.where if kind is Kind.COMMIT and h.hex().startswith(prefix))
        return [Hash(hash_) for hash_ in found[:20]]

    def ref(self, name: str, /) -> Hash | None:
        self.check()
        return self.heads.get(name)

    def refs(self) -> dict[str, Hash]:
        self.check()
        return dict(sorted(self.heads.items()))

    def watch(self, listener: RefListener, /) -> Callable[[], None]:
        raise NotImplementedError("the harness watches nothing")

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            for fd in (self.log, self.lock):
                if fd >= 0:
                    try:
                        self.files.close(fd)
                    except OSError:
                        self.failed = "closing failed"
