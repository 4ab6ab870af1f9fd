"""What the benchmarks measure beside each other: a side commits bindings, and may look some up in an old version.

Each is given the same paths, values and commits. `Pack` is ours.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import lmdb

from irminpy import Commit

from .building import opened
from .workloads import Updates, commit_all

__all__ = ["Lmdb", "Pack", "Prolly", "PyTrie", "Side", "Sqlite", "Zodb", "size"]


def size(path: str) -> int:
    """Bytes of a file, or of all files below a folder."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(path) for name in names)


class Side(ABC):
    """A store in the folder `path`, which is not there yet."""

    name: ClassVar[str]
    module: ClassVar[str] = ""
    """What has to be importable."""

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def absent(cls) -> str | None:
        """Why it cannot run here; None if it can."""
        try:
            if cls.module:
                importlib.import_module(cls.module)
        except ImportError:
            return f"{cls.module} is not installed (the extra `bench` has it)"
        return None

    @abstractmethod
    def commit(self, bindings: Updates) -> None:
        """Bind all of them, on top of what is there, in one commit."""

    def finds(self, version: int, paths: list[str]) -> None:
        """Look `paths` up in what the commit number `version` (0: the first) made."""
        raise NotImplementedError(self.name)

    def size(self) -> int:
        """Bytes on the disk (0: none)."""
        return size(self.path) if os.path.exists(self.path) else 0

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Close it."""


class Pack(Side):
    """Ours, through immutable handles; nothing is synced."""

    name = "pack"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.repo = opened(path)
        self._made = 0
        self._commits: list[Commit[bytes]] = []

    def commit(self, bindings: Updates) -> None:
        commit_all(self.repo, bindings, self._made)
        self._made += 1

    def batch(self, bindings: Updates) -> None:
        """The first commit, through an editor."""
        editor = self.repo.empty_tree().edit()
        editor.add_many(bindings)
        self.repo.main().set_tree((), editor.tree(), date=self._made)
        self._made += 1

    def _commit(self, version: int) -> Commit[bytes]:
        if len(self._commits) != self._made:
            self._commits = list(self.repo.main().log())[::-1]
        return self._commits[version]

    def finds(self, version: int, paths: list[str]) -> None:
        tree = self._commit(version).tree()
        for path in paths:
            tree.find(path)

    def bare_finds(self, version: int, paths: list[str]) -> None:
        """As `finds`, with nothing decoded but the root's address: nothing is kept from one to the next."""
        tree = self._commit(version).tree()
        for path in paths:
            tree.find(path, cache=False)

    def close(self) -> None:
        self.repo.close()


class Lmdb(Side):
    """The last state only, a transaction a commit, not synced: the floor, without history and without hashes."""

    name = "LMDB"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._env = lmdb.open(path, map_size=1 << 30, sync=False)

    def commit(self, bindings: Updates) -> None:
        with self._env.begin(write=True) as txn:
            for path, value in bindings:
                txn.put(path.encode(), value)

    def finds(self, version: int, paths: list[str]) -> None:
        """In the last state, all in one transaction, whatever `version` says."""
        with self._env.begin() as txn:
            for path in paths:
                txn.get(path.encode())

    def close(self) -> None:
        self._env.close()


class Sqlite(Side):
    """A table of all versions of all paths, without hashes: WAL, not synced."""

    name = "SQLite"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE history (path TEXT, version INT, value BLOB, PRIMARY KEY (path, version))"
        )
        self._version = 0

    def commit(self, bindings: Updates) -> None:
        db, version = self._db, self._version
        db.execute("BEGIN")
        # One of the bindings of a generation may be there twice.
        for name, data in bindings:
            db.execute("INSERT OR REPLACE INTO history VALUES (?, ?, ?)", (name, version, data))
        db.execute("COMMIT")
        self._version += 1

    def finds(self, version: int, paths: list[str]) -> None:
        for path in paths:
            self._db.execute(
                "SELECT value FROM history WHERE path = ? AND version <= ? ORDER BY version DESC LIMIT 1",
                (path, version),
            ).fetchone()

    def close(self) -> None:
        self._db.close()


class Zodb(Side):
    """A FileStorage: a BTree for each directory, one transaction a commit, which it syncs: CPU time alone counts."""

    name = "ZODB"
    module = "ZODB"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._tree: Any = importlib.import_module("BTrees.OOBTree").OOBTree
        self._db: Any = importlib.import_module("ZODB").DB(path)
        self._connection: Any = self._db.open()

    def commit(self, bindings: Updates) -> None:
        root, tree = self._connection.root(), self._tree
        for path, value in bindings:
            *steps, last = path.split("/")
            node = root
            for step in steps:
                below = node.get(step)
                if below is None:
                    below = node[step] = tree()
                node = below
            node[last] = value
        self._connection.transaction_manager.commit()

    def close(self) -> None:
        self._connection.close()
        self._db.close()


class PyTrie(Side):
    """A HexaryTrie over a dict; old versions stay in it; nothing is on the disk."""

    name = "py-trie"
    module = "trie"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._type: Any = importlib.import_module("trie").HexaryTrie
        self._trie: Any = self._type({})
        self._roots: list[bytes] = []

    def commit(self, bindings: Updates) -> None:
        """The root hash is there after each binding."""
        for path, value in bindings:
            self._trie[path.encode()] = value
        self._roots.append(self._trie.root_hash)

    def finds(self, version: int, paths: list[str]) -> None:
        old = self._type(self._trie.db, self._roots[version])
        for path in paths:
            old[path.encode()]

    def proofs(self, paths: list[str]) -> list[Any]:
        """One for each path."""
        return [self._trie.get_proof(path.encode()) for path in paths]

    def verify(self, paths: list[str], proofs: list[Any]) -> None:
        """Check what `proofs` gave."""
        for path, proof in zip(paths, proofs, strict=True):
            self._type.get_from_proof(self._trie.root_hash, path.encode(), proof)


class Prolly(Side):
    """prollytree's tree in memory (Rust), a batch a commit; old versions are not kept."""

    name = "prollytree"
    module = "prollytree"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._prolly: Any = importlib.import_module("prollytree").ProllyTree()

    def commit(self, bindings: Updates) -> None:
        self._prolly.insert_batch([(path.encode(), value) for path, value in bindings])
        self._prolly.get_root_hash()
