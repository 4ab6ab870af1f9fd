"""Stores that somebody could use instead: ZODB, dulwich and py-trie, each only if it is installed.

Each is given the same keys and the same commits, and told in CPU seconds. ZODB keeps old versions and hashes nothing;
dulwich writes a pack a commit, as git would, compressed; py-trie keeps all in a dict and writes nothing.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, NamedTuple

from .timing import timed
from .workloads import Updates

__all__ = ["RIVALS", "Times", "absent", "run"]


class Times(NamedTuple):
    """CPU seconds of the first commit and of all that follow, and bytes on the disk then (0: none)."""

    first: float
    following: float
    size: int


class Zodb:
    """A FileStorage: a BTree for each directory, one transaction a commit, which it syncs: CPU time alone counts."""

    module = "ZODB"

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "zodb.fs")
        self._tree: Any = importlib.import_module("BTrees.OOBTree").OOBTree
        self._db: Any = importlib.import_module("ZODB").DB(self._path)
        self._connection: Any = self._db.open()

    def commit(self, bindings: Updates) -> None:
        """Set `bindings` in one transaction."""
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

    def size(self) -> int:
        """Bytes of the file."""
        return os.path.getsize(self._path)

    def close(self) -> None:
        """Close it."""
        self._connection.close()
        self._db.close()


class Dulwich:
    """A bare repository: a pack for each commit, trees of directories that changed made anew from dicts in memory."""

    module = "dulwich"

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "dulwich")
        os.mkdir(self._path)
        self._objects: Any = importlib.import_module("dulwich.objects")
        self._repo: Any = importlib.import_module("dulwich.repo").Repo.init_bare(self._path)
        self._root: dict[str, Any] = {}
        self._head: list[bytes] = []

    def commit(self, bindings: Updates) -> None:
        """Commit `bindings` on top of what is there."""
        made: list[Any] = []
        touched: dict[str, Any] = {}
        for path, value in bindings:
            *steps, last = path.split("/")
            node, way = self._root, touched
            for step in steps:
                node, way = node.setdefault(step, {}), way.setdefault(step, {})
            blob = self._objects.Blob.from_string(value)
            node[last] = blob.id
            made.append((blob, None))
        commit = self._objects.Commit()
        commit.tree = self._tree(self._root, touched, made)
        commit.parents = self._head
        commit.author = commit.committer = b"bench <bench>"
        commit.author_time = commit.commit_time = 0
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = b""
        made.append((commit, None))
        self._repo.object_store.add_objects(made)
        self._repo.refs[b"refs/heads/main"] = commit.id
        self._head = [commit.id]

    def _tree(self, node: dict[str, Any], touched: dict[str, Any], made: list[Any]) -> bytes:
        for step, below in touched.items():
            # The hash of a directory lies in it, under a step that no path has.
            node[step][""] = self._tree(node[step], below, made)
        tree = self._objects.Tree()
        for step, child in node.items():
            if isinstance(child, dict):
                tree.add(step.encode(), 0o40000, child[""])
            elif step:
                tree.add(step.encode(), 0o100644, child)
        made.append((tree, None))
        return tree.id  # type: ignore[no-any-return]  # dulwich is imported by name

    def size(self) -> int:
        """Bytes of all files."""
        files = [os.path.join(at, name) for at, _, names in os.walk(self._path) for name in names]
        return sum(map(os.path.getsize, files))

    def close(self) -> None:
        """Close it."""
        self._repo.close()


class PyTrie:
    """A HexaryTrie over a dict; old versions stay in it."""

    module = "trie"

    def __init__(self, folder: str) -> None:
        self._trie: Any = importlib.import_module("trie").HexaryTrie({})

    def commit(self, bindings: Updates) -> None:
        """Set `bindings`; the root hash is there after each."""
        for path, value in bindings:
            self._trie[path.encode()] = value

    def size(self) -> int:
        """Nothing is on the disk."""
        return 0

    def close(self) -> None:
        """Nothing to close."""


RIVALS: dict[str, type[Zodb | Dulwich | PyTrie]] = {"ZODB": Zodb, "dulwich": Dulwich, "py-trie": PyTrie}
"""Name to what runs it."""


def absent(name: str) -> bool:
    """Whether the rival is not installed."""
    try:
        importlib.import_module(RIVALS[name].module)
    except ImportError:
        return True
    return False


def run(name: str, folder: str, first: Updates, generations: list[Updates]) -> Times:
    """The rival commits `first`, then each of `generations`."""
    rival = RIVALS[name](folder)
    try:
        once, _ = timed(rival.commit, first)

        def all_() -> None:
            for bindings in generations:
                rival.commit(bindings)

        rest, _ = timed(all_)
        return Times(once, rest, rival.size())
    finally:
        rival.close()
