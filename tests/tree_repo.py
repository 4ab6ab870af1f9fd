"""A repository of two dicts, for tests of trees that need one to read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.schema import Schema
from irminpy.tree import Tree
from irminpy.tree.home import Home
from irminpy.tree.lazy import Counters, Pool, RepoSource, Stored

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


class TreeRepo:
    """What trees need of a repository: a home, and a way to save."""

    def __init__(self, schema: Schema[Any, Any] | None = None) -> None:
        schema = Schema() if schema is None else schema
        self.reader = DictReader()
        self.source = RepoSource(schema.codec, self.reader, Counters(), 0)
        self.home: Home[Any, Any] = Home(schema, self.source)

    def save(self, tree: Tree[Any, Any], *, clear: bool = True) -> Tree[Any, Any]:
        """Write all that `tree` holds in memory; it goes on as a tree of this repository."""
        root = tree._settled()
        sources: list[Any] = []
        stack: list[Any] = [root]
        while stack:
            part = stack.pop()
            source = part.source
            while isinstance(source, Pool) and not source.saved and source not in sources:
                sources.append(source)
                source = source.parent
            if type(part) is Stored:
                stack.extend((part.pins or {}).values())
        for pool in sources:
            self.reader.objects.update(pool.objects)
        for pool in sources:
            pool.mark_saved(self.source)
        if clear:
            tree.clear()
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
