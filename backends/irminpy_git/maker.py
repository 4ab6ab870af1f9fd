"""Where a repository of Git is and how it is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

from irminpy.backend import Backend, Options
from irminpy.carrier import Carrier
from irminpy.errors import NotAStore, SchemaMismatch, StorageError
from irminpy.formats import Git as GitFormat
from irminpy.metadata import Mode, Modes
from irminpy.schema import Schema

from .address import is_address
from .backend import GitBackend
from .files import typed
from .kinds import HASHES
from .refs import Refs
from .repository import Repository, create, find
from .store import ObjectStore
from .unpacking import LARGEST

__all__ = ["Git"]

_DURABILITY: Final = ("full", "none")
_YES: Final = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class Git:
    """The repository of Git at `path`: bare, or the one of a work tree, whose files are left alone.

    A new one is bare unless `bare` is false, and made with the hash function `hash` ("sha1" or "sha256") if no schema
    says which. `durability`: "full" syncs objects and refs before a write returns, "none" leaves that to the system.
    `pack`: a batch of so many new objects becomes a pack, a smaller one loose objects. `level`: of zlib. `reflog`:
    whether moves of branches are logged; None: as the repository says. `alternates`: whether objects are read from the
    repositories that this one borrows from. `poll`: seconds between two looks at what other processes did to
    branches, while somebody listens. StorageError for other values.
    """

    path: str
    bare: bool = True
    hash: str = "sha1"
    durability: str = "full"
    pack: int = 100
    level: int = 6
    reflog: bool | None = None
    alternates: bool = True
    poll: float = 0.2
    largest: int = LARGEST

    def __post_init__(self) -> None:
        for name, value, known in (
            ("durability", self.durability, _DURABILITY),
            ("hash", self.hash, tuple(HASHES)),
        ):
            if value not in known:
                raise StorageError(f"{name}={value!r:.40} is none of {', '.join(known)}")
        if not 0 <= self.level <= 9:
            raise StorageError(f"level={self.level} is not from 0 to 9")

    @staticmethod
    def of_uri(rest: str, options: dict[str, str]) -> Git:
        """The maker for "git:PATH?bare=…&hash=…&durability=…&pack=…&level=…&reflog=…&alternates=…"."""
        if not rest:
            raise TypeError("git: needs the path of a repository, as in git:./project")
        known: dict[str, Any] = {}
        for name, value in options.items():
            if name in ("hash", "durability"):
                known[name] = value
            elif name in ("bare", "reflog", "alternates") and value in _YES:
                known[name] = _YES[value]
            elif name in ("pack", "level") and value.isascii() and value.isdigit():
                known[name] = int(value)
            else:
                raise TypeError(f"git: takes no option {name}={value:.40}")
        return Git(rest, **known)

    @staticmethod
    def remote(url: str) -> Carrier | None:
        """The repository elsewhere at `url`, to sync with; None if `url` is not meant as one of a remote.

        DecodeError for one that may not be used; ModuleNotFoundError without the extra `git`.
        """
        if not is_address(url):
            return None
        from .remote import GitRemote  # late: it needs the extra, and nothing else here does

        return GitRemote(url)

    def open(self, schema: Schema[Any, Any] | None, options: Options, /) -> tuple[Backend, Schema[Any, Any]]:
        """A handle on the repository; see `irminpy.backend.Maker`.

        A repository records its object format and no types: any type of contents may be given, and the schema None
        means bytes with modes. Its format is `irminpy.formats.Git`, anything else is a SchemaMismatch. StorageError
        for `options.exclusive`, which cannot be had.
        """
        path = os.path.abspath(self.path)
        if options.exclusive:
            raise StorageError(
                f"{path}: git cannot be kept out of its repository; open it without `exclusive`"
            )
        with typed(path):
            repository = find(path)
            if repository is None:
                if not options.create or options.readonly:
                    raise NotAStore(path, "there is no repository of Git")
                algorithm = self.hash if schema is None else _algorithm(schema)
                repository = create(path, algorithm, bare=self.bare)
            return self._open(repository, schema, options)

    def default(self) -> Schema[bytes, Mode]:
        """Bytes with modes, with the hash function of the repository, or of one that would be made."""
        path = os.path.abspath(self.path)
        with typed(path):
            repository = find(path)
        return _schema(self.hash if repository is None else repository.algorithm)

    def _open(
        self, repository: Repository, schema: Schema[Any, Any] | None, options: Options
    ) -> tuple[Backend, Schema[Any, Any]]:
        own = _schema(repository.algorithm)
        if schema is not None and (schema.format != own.format or schema.hash.name != own.hash.name):
            raise SchemaMismatch(schema.describe(), own.describe())
        sync = self.durability == "full"
        store = ObjectStore(
            repository.objects,
            repository.algorithm,
            repository.size,
            level=self.level,
            sync=sync,
            largest=self.largest,
            alternates=self.alternates,
        )
        backend = GitBackend(
            repository,
            schema or own,
            store,
            Refs(repository.common, repository.size, sync=sync, timeout=options.timeout),
            readonly=options.readonly,
            pack_from=self.pack,
            poll=self.poll,
            reflog=repository.reflog if self.reflog is None else self.reflog,
            timeout=options.timeout,
        )
        return backend, schema or own


def _algorithm(schema: Schema[Any, Any]) -> str:
    """The object format of a new repository for `schema`."""
    if schema.format != GitFormat():
        raise SchemaMismatch(schema.describe(), _schema("sha1").describe())
    return schema.hash.name


def _schema(algorithm: str) -> Schema[bytes, Mode]:
    """Bytes with modes."""
    return Schema(metadata=Modes(), hash=HASHES[algorithm], format=GitFormat())
