"""A directory of irmin-fs: `objects/<2 digits>/<the others>` and `refs/<branch>`, read and written.

Source: irmin-fs 3.7.2. A file of an object holds what Irmin stores, which is what it hashes without the letter in front
("B", "N", "C" in Irmin 3, nothing in Irmin 2); that of a branch the bytes of the hash. The letter comes from the kind
that is asked for, and every read is hashed: what was changed, or is of another kind, is never given. In Irmin 2 nothing
tells the kinds apart, and a file is given as any kind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from irminpy.backend import Options, RefListener, RefUpdate
from irminpy.contents import Bytes
from irminpy.errors import Closed, Corrupted, InvalidHash, NotAStore, ReadOnly, SchemaMismatch, StorageError
from irminpy.formats import Irmin, Irmin2
from irminpy.formats.irmin import IrminCodec
from irminpy.hash import BLAKE2B, Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.polled import polled
from irminpy.schema import Schema

from .fs_refs import FsRefs
from .placing import Placing, typed

__all__ = ["IrminFs", "IrminFsBackend"]

_MOST_MATCHES: Final = 20
_DURABILITY: Final = ("full", "none")


@dataclass(frozen=True, slots=True)
class IrminFs:
    """The irmin-fs store in the directory `path`. Nothing in it says what its schema is.

    Without one it is taken for `Irmin_fs_unix.KV` of strings: BLAKE2B of 64 bytes, `Irmin(None)`. `durability`: "full"
    syncs files and directories before a write returns; "none" leaves that to the system, as Irmin does. `poll`: seconds
    between two looks at what other processes did to branches, while somebody listens.
    """

    path: str
    durability: str = "full"
    poll: float = 0.2

    def __post_init__(self) -> None:
        if self.durability not in _DURABILITY:
            raise StorageError(f"durability={self.durability!r:.40} is none of {', '.join(_DURABILITY)}")

    @staticmethod
    def of_uri(rest: str, options: dict[str, str]) -> IrminFs:
        """The maker for "irmin-fs:DIR?durability=…"."""
        if not rest:
            raise TypeError("irmin-fs: needs the path of a directory, as in irmin-fs:./store")
        for name in options.keys() - {"durability"}:
            raise TypeError(f"irmin-fs: takes no option {name}")
        return IrminFs(rest, options.get("durability", "full"))

    def default(self) -> Schema[bytes, None]:
        """That of `Irmin_fs_unix.KV` of strings."""
        return Schema(Bytes(), hash=BLAKE2B(64), format=Irmin(None))

    def open(
        self, schema: Schema[Any, Any] | None, options: Options, /
    ) -> tuple[IrminFsBackend, Schema[Any, Any]]:
        """The store, and its schema. NotAStore if there is none and none may be made, or something else is there.

        SchemaMismatch for a format that irmin-fs has not; StorageError for `options.exclusive`, which cannot be had.
        """
        path = os.path.abspath(self.path)
        if options.exclusive:
            raise StorageError(f"{path}: Irmin cannot be kept out of its store; open it without `exclusive`")
        if schema is None:
            schema = self.default()
        own = isinstance(schema.format, Irmin | Irmin2) and schema.format.inodes is None
        codec = schema.codec
        if not own or not isinstance(codec, IrminCodec):
            known = f"{self.default().describe()}, or another of Irmin(None) or Irmin2(None), as irmin-fs has no inodes"
            raise SchemaMismatch(schema.describe(), known)
        with typed(path):
            if not os.path.isdir(os.path.join(path, "objects")):
                if not options.create or options.readonly:
                    raise NotAStore(path, "there is no directory `objects` in it")
                if os.path.exists(path) and (not os.path.isdir(path) or os.listdir(path)):
                    raise NotAStore(path, "something is there, but no directory `objects`")
                for name in ("objects", "refs"):
                    os.makedirs(os.path.join(path, name), 0o755, exist_ok=True)
            path = os.path.realpath(path)
        placing = Placing(path, sync=self.durability == "full")
        return IrminFsBackend(
            path, codec, placing, FsRefs(path, codec.hash_size, placing, options.timeout), options, self.poll
        ), schema


class IrminFsBackend:
    """An open irmin-fs store; see `irminpy.backend.Backend`. Each read opens one file."""

    def __init__(
        self,
        path: str,
        codec: IrminCodec,
        placing: Placing,
        refs: FsRefs,
        options: Options,
        poll: float,
    ) -> None:
        self._path = path
        self._what = f"the irmin-fs store {path}"
        self._objects = os.path.join(path, "objects")
        self._codec = codec
        self._placing = placing
        self._refs = refs
        self._readonly = options.readonly
        self._poll = poll
        self._shared = polled(path)
        self._closed = False
        self._stops: list[Callable[[], None]] = []

    def _open(self) -> None:
        if self._closed:
            raise Closed(self._what)

    def _file(self, hash: bytes) -> str:
        digits = hash.hex()
        return os.path.join(self._objects, digits[:2], digits[2:])

    # -- objects ---------------------------------------------------------------------------------------------

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The canonical bytes, or None if no object of this kind has the hash; Corrupted if the file is damaged."""
        self._open()
        hash_ = hash_of_key(key)
        path = self._file(hash_)
        with typed(path):
            try:
                with open(path, "rb") as file:
                    stored = file.read()
            except (FileNotFoundError, NotADirectoryError):
                return None
        codec = self._codec
        data = codec.domain(kind) + stored
        if codec.digest(data) == hash_:
            return data
        if any(codec.digest(codec.domain(other) + stored) == hash_ for other in Kind):
            return None
        raise Corrupted(path, 0, Hash(hash_), "its bytes have another hash")

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """`read` for each of the keys."""
        self._open()
        return [self.read(kind, key) for key in keys]

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """The hashes of those that are there; each is read."""
        self._open()
        return [hash_ if self.read(kind, hash_) is not None else None for hash_ in hashes]

    def find_commits(self, prefix: str, /) -> list[Hash]:
        """The commits that begin with `prefix`; objects with these digits are read, of all kinds."""
        self._open()
        found: list[Hash] = []
        for hash_ in self._hashes(prefix):
            if self.read(Kind.COMMIT, hash_) is not None:
                found.append(hash_)
                if len(found) == _MOST_MATCHES:
                    break
        return found

    def _hashes(self, prefix: str) -> Iterator[Hash]:
        """The names of files, in order; those of somebody else's files are left out."""
        for first in self._names(self._objects):
            if first.startswith(prefix[:2]):
                for rest in self._names(os.path.join(self._objects, first)):
                    digits = first + rest
                    if digits.startswith(prefix) and digits == digits.lower():
                        try:
                            yield Hash.of_hex(digits, self._codec.hash_size)
                        except InvalidHash:
                            continue

    def _names(self, folder: str) -> list[str]:
        with typed(folder):
            try:
                return sorted(os.listdir(folder))
            except (FileNotFoundError, NotADirectoryError):
                return []

    # -- writing ---------------------------------------------------------------------------------------------

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        """Write all or nothing; whether it happened. Several refs move one after the other."""
        self._open()
        if self._readonly:
            raise ReadOnly(self._what)
        shared = self._shared
        with typed(self._path):
            self._put(objects)
            if updates:
                with shared.lock:
                    changes = self._refs.update(updates)
                    if changes is None:
                        return False
                    shared.told(changes)
        shared.announcer.speak()
        return True

    def _put(self, objects: Objects) -> None:
        """Write the objects that are not there, children first."""
        codec = self._codec
        folders: set[str] = set()
        for kind in (Kind.CONTENTS, Kind.NODE, Kind.COMMIT):
            skip = len(codec.domain(kind))
            for hash_, data in objects.of_kind(kind).items():
                path = self._file(hash_)
                # A file that is there is not written again, unless a power cut has left it short.
                if _size(path) != len(data) - skip:
                    self._placing.write(path, data[skip:])
                    folders.add(os.path.dirname(path))
        self._placing.settle(folders)

    # -- refs ------------------------------------------------------------------------------------------------

    def ref(self, name: str, /) -> Hash | None:
        """The commit of the branch, or None; Corrupted for a file that holds no hash."""
        self._open()
        with typed(self._path):
            return self._refs.get(name)

    def refs(self) -> dict[str, Hash]:
        """All branches, ordered by name; no change by this process happens meanwhile."""
        self._open()
        with typed(self._path), self._shared.lock:
            return self._refs.all()

    def watch(self, listener: RefListener, /) -> Callable[[], None]:
        """Call `listener` with each change from now on, whoever makes it."""
        self._open()
        with typed(self._path):
            stop = self._shared.listen(listener, self._refs, self._poll)
        self._stops.append(stop)
        return stop

    def close(self) -> None:
        """Forget the handle. A second call does nothing."""
        if not self._closed:
            self._closed = True
            for stop in self._stops:
                stop()


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
