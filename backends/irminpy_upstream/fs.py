"""A directory of irmin-fs, read-only: `objects/<2 digits>/<the others>` and `refs/<branch>`.

Source: irmin-fs 3.7.2. A file of an object holds what Irmin stores, which is what it hashes without the letter in front
("B", "N", "C" in Irmin 3, nothing in Irmin 2); that of a branch the bytes of the hash. The letter comes from the kind
that is asked for, and every read is hashed: what was changed, or is of another kind, is never given. In Irmin 2 nothing
tells the kinds apart, and a file is given as any kind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from irminpy import branch
from irminpy.backend import Options, RefListener, RefUpdate
from irminpy.contents import Bytes
from irminpy.errors import Closed, Corrupted, InvalidHash, NotAStore, ReadOnly, SchemaMismatch, StorageError
from irminpy.formats import Irmin, Irmin2
from irminpy.formats.irmin import IrminCodec
from irminpy.hash import BLAKE2B, Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.schema import Schema

__all__ = ["IrminFs", "IrminFsBackend"]

_MOST_MATCHES = 20
_WHAT = "the irmin-fs store"


@dataclass(frozen=True, slots=True)
class IrminFs:
    """The irmin-fs store in the directory `path`. Nothing in it says what its schema is.

    Without one it is taken for `Irmin_fs_unix.KV` of strings: BLAKE2B of 64 bytes, `Irmin(None)`.
    """

    path: str

    @staticmethod
    def of_uri(rest: str, options: dict[str, str]) -> IrminFs:
        """`irmin-fs:DIR`; there are no options."""
        if options:
            raise StorageError(f"irmin-fs: has no option {next(iter(options))!r}; name the directory alone")
        return IrminFs(rest)

    def open(
        self, schema: Schema[Any, Any] | None, options: Options, /
    ) -> tuple[IrminFsBackend, Schema[Any, Any]]:
        """The store, and its schema. NotAStore if it is none; SchemaMismatch for a format that irmin-fs has not."""
        if schema is None:
            schema = Schema(Bytes(), hash=BLAKE2B(64), format=Irmin(None))
        own = isinstance(schema.format, Irmin | Irmin2) and schema.format.inodes is None
        codec = schema.codec
        if not own or not isinstance(codec, IrminCodec):
            raise SchemaMismatch("Irmin(None) or Irmin2(None), as irmin-fs has no inodes", schema.describe())
        if not os.path.isdir(os.path.join(self.path, "objects")):
            raise NotAStore(self.path, "there is no directory `objects` in it")
        return IrminFsBackend(self.path, codec), schema


class IrminFsBackend:
    """An open irmin-fs store; see `irminpy.backend.Backend`. Each read opens one file."""

    def __init__(self, path: str, codec: IrminCodec) -> None:
        self._path = path
        self._codec = codec
        self._closed = False

    def _open(self) -> None:
        if self._closed:
            raise Closed(_WHAT)

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The canonical bytes, or None if no object of this kind has the hash; Corrupted if the file is damaged."""
        self._open()
        hash_ = hash_of_key(key)
        digits = hash_.hex()
        path = os.path.join(self._path, "objects", digits[:2], digits[2:])
        try:
            with open(path, "rb") as file:
                stored = file.read()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise StorageError(f"{path}: {e.strerror or e}") from e
        codec = self._codec
        data = codec.domain(kind) + stored
        if codec.digest(data) == hash_:
            return data
        if any(codec.digest(codec.domain(other) + stored) == hash_ for other in Kind):
            return None
        raise Corrupted(path, 0, Hash(hash_), "its bytes have another hash")

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """`read` for each of the keys."""
        return [self.read(kind, key) for key in keys]

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """The hashes of those that are there; each is read."""
        return [hash_ if self.read(kind, hash_) is not None else None for hash_ in hashes]

    def find_commits(self, prefix: str, /) -> list[Hash]:
        """The commits that begin with `prefix`; objects with these digits are read, of all kinds."""
        self._open()
        folder = os.path.join(self._path, "objects")
        found: list[Hash] = []
        for first in _names(folder):
            if not first.startswith(prefix[:2]):
                continue
            for rest in _names(os.path.join(folder, first)):
                hash_ = self._hash(first + rest) if (first + rest).startswith(prefix) else None
                if hash_ is not None and self.read(Kind.COMMIT, hash_) is not None:
                    found.append(hash_)
        return sorted(found)[:_MOST_MATCHES]

    def _hash(self, digits: str) -> Hash | None:
        try:
            return Hash.of_hex(digits, self._codec.hash_size)
        except InvalidHash:
            return None  # a file of somebody else's, or a temporary one

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> NoReturn:
        """Raises ReadOnly."""
        self._open()
        raise ReadOnly(_WHAT)

    def ref(self, name: str, /) -> Hash | None:
        """The commit of the branch, or None; Corrupted for a file that holds no hash."""
        self._open()
        if not branch.is_valid(name):
            return None
        path = os.path.join(self._path, "refs", name)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except OSError as e:
            raise StorageError(f"{path}: {e.strerror or e}") from e
        if len(data) != self._codec.hash_size:
            raise Corrupted(path, 0, None, f"it has {len(data)} bytes, a hash has {self._codec.hash_size}")
        return Hash(data)

    def refs(self) -> dict[str, Hash]:
        """All branches, ordered by name; files whose name is none of a branch are not looked at."""
        self._open()
        root = os.path.join(self._path, "refs")
        found: dict[str, Hash] = {}
        for folder, _, files in os.walk(root):
            for file in files:
                name = os.path.relpath(os.path.join(folder, file), root).replace(os.sep, "/")
                head = self.ref(name)
                if head is not None:
                    found[name] = head
        return dict(sorted(found.items()))

    def watch(self, listener: RefListener, /) -> Callable[[], None]:
        """Nothing changes through this handle; what other programs write is not watched."""
        self._open()
        return lambda: None

    def close(self) -> None:
        """Forget the handle."""
        self._closed = True


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as e:
        raise StorageError(f"{folder}: {e.strerror or e}") from e
