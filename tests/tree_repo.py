"""A repository of two dicts, for tests of trees that need one to read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irminpy.formats import Native
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.schema import Schema
from irminpy.tree import Tree
from irminpy.tree.export import gather, save
from irminpy.tree.home import Home
from irminpy.tree.lazy import Counters, RepoSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from irminpy.hash import Hash


class DictReader:
    """Objects in memory; counts what is read."""

    def __init__(self) -> None:
        self.objects = Objects()
        self.reads: list[tuple[Kind, bytes]] = []

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        hash_ = hash_of_key(key)
        self.reads.append((kind, hash_))
        return self.objects.of_kind(kind).get(hash_)

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        return [self.read(kind, key) for key in keys]

    def of_kind(self, kind: Kind) -> int:
        """How many objects of `kind` were read."""
        return sum(1 for read, _ in self.reads if read is kind)


class TreeRepo:
    """What trees need of a repository: a home, and a way to save."""

    def __init__(self, schema: Schema[Any, Any] | None = None, reader: DictReader | None = None) -> None:
        schema = Schema() if schema is None else schema
        self.reader = DictReader() if reader is None else reader
        self.source = RepoSource(schema.codec, self.reader, Counters(), 0)
        self.home: Home[Any, Any] = Home(schema, self.source)

    def save(self, tree: Tree[Any, Any], *, clear: bool = True) -> Tree[Any, Any]:
        """Write all that `tree` holds in memory; it goes on as a tree of this repository."""
        root = tree._settled()
        objects = gather(root, self.source)
        self.reader.objects.update(objects)
        tree._root = save(root, objects, self.source, clear=clear)
        return tree

    def shallow(self, tree: Tree[Any, Any]) -> Tree[Any, Any]:
        """`tree` by its hash, unread; saved or not."""
        return Tree.shallow(self, tree.kinded_hash())

    def fresh(self, tree: Tree[Any, Any]) -> Tree[Any, Any]:
        """`tree` after saving, as somebody else would open it."""
        self.save(tree)
        self.forget()
        return self.shallow(tree)

    def forget(self) -> None:
        """Empty the cache and the list of reads."""
        self.source.clear()
        self.reader.reads.clear()


SMALL = Schema(format=Native(fanout=2, leaf=2))
"""Directories of more than two entries are trees of nodes."""

Path = tuple[str, ...]


def store(reader: DictReader, tree: Tree[Any, Any]) -> Tree[Any, Any]:
    """`tree`, which was made in memory, as somebody else would read it from `reader`; reads so far are not counted."""
    return TreeRepo(tree.schema, reader).fresh(tree)


def tree_of(bindings: Any, schema: Schema[Any, Any] = SMALL) -> Tree[Any, Any]:
    """The tree in memory that holds `bindings`, a mapping from paths."""
    editor = Tree.empty(schema).edit()
    for path, value in bindings.items():
        editor.add(path, value)
    return editor.tree()


def bindings_of(tree: Tree[Any, Any]) -> dict[Path, Any]:
    """All contents of `tree`, by way of `list` alone."""
    out: dict[Path, Any] = {}
    stack: list[tuple[Path, Tree[Any, Any]]] = [((), tree)]
    while stack:
        path, node = stack.pop()
        if node.kind() == "contents":
            out[path] = node.get()
        else:
            stack += [((*path, step), child) for step, child in node.list()]
    return out
