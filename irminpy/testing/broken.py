"""`BrokenTreeSuite`: trees of which something cannot be read, and the fixtures of all tree suites."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from ..backend import Backend, Locating, Maker, Moving, Options, Reader
from ..errors import Closed, DanglingHash, PrunedHash, StorageError
from ..hash import Hash
from ..key import Key, hash_of_key
from ..objects import Kind
from ..schema import Schema
from ..tree import Tree
from .model import Bindings, Shelf, bindings_of, built
from .strategies import FORMATS

__all__ = ["SMALL", "BrokenTreeSuite"]

SCHEMAS: list[Schema[bytes, None]] = [Schema(format=format_) for format_ in FORMATS]

SMALL: Bindings = {
    ("foo", "1"): b"one",
    ("foo", "2"): b"two",
    ("foo", "bar", "a"): b"",
    ("b",): b"b",
    ("aa",): b"aa",
    ("ab",): b"ab",
    ("é", "\U0001f33f"): b"leaf",
}


class Forgetful:
    """A reader that does not find certain objects."""

    def __init__(self, reader: Reader, lost: set[bytes]) -> None:
        self.behind = reader
        self.lost = lost

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """As the reader, but None for what is lost."""
        return None if hash_of_key(key) in self.lost else self.behind.read(kind, key)

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """As the reader, but None for what is lost."""
        return [self.read(kind, key) for key in keys]


class LocatingForgetful(Forgetful):
    """The same over a reader that knows where the children of objects lie."""

    def __init__(self, reader: Locating, lost: set[bytes]) -> None:
        super().__init__(reader, lost)
        self.locating = reader

    def load(self, kind: Kind, hash: bytes, word: int, /) -> tuple[bytes, bytes] | None:
        """As the reader, but None for what is lost."""
        return None if hash in self.lost else self.locating.load(kind, hash, word)

    def key(self, hash: bytes, word: int, /) -> Hash | Key:
        """As the reader."""
        return self.locating.key(hash, word)

    def word(self, key: Hash | Key, /) -> int:
        """As the reader."""
        return self.locating.word(key)


def forgetful(backend: Backend, lost: set[bytes]) -> Forgetful:
    """A reader of `backend` that does not find what is `lost`."""
    reader = backend.reader if isinstance(backend, Moving) else backend
    return LocatingForgetful(reader, lost) if isinstance(reader, Locating) else Forgetful(reader, lost)


class BrokenTreeSuite:
    """Trees with parts that are lost, pruned, of another store or of a closed one. `TreeSuite` holds all of it.

    `by_hash`: whether directories and contents are found by their hash alone; commits always are.
    """

    by_hash: bool = True

    @pytest.fixture
    def maker(self) -> Maker:
        """A maker for a store that does not exist yet: override this."""
        raise NotImplementedError("a subclass of TreeSuite overrides the fixture `maker`")

    @pytest.fixture
    def other_maker(self) -> Maker | None:
        """A maker for another store; None leaves out the tests about two stores."""
        return None

    @pytest.fixture(params=SCHEMAS, ids=lambda schema: schema.describe())
    def schema(self, request: pytest.FixtureRequest) -> Schema[bytes, Any]:
        """The schemas to run under."""
        schema: Schema[bytes, Any] = request.param
        return schema

    @pytest.fixture
    def backend(self, maker: Maker, schema: Schema[bytes, Any]) -> Iterator[Backend]:
        """An open store."""
        backend, _ = maker.open(schema, Options())
        yield backend
        backend.close()

    @pytest.fixture
    def shelf(self, backend: Backend, schema: Schema[bytes, Any]) -> Shelf[bytes, Any]:
        """A place to store trees in."""
        return Shelf(backend, schema)

    def test_a_shallow_tree_is_not_looked_for_until_it_is_read(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TI-05, BR-01 to BR-06: hashed, embedded and replaced unread."""
        nowhere = built(schema, {("k", "x"): b"never stored"})
        broken = Tree.shallow(shelf, nowhere.kinded_hash())
        assert broken.hash() == nowhere.hash()
        host = Tree.singleton("other", b"", schema).add_tree("at", broken)
        assert host.hash() == Tree.singleton("other", b"", schema).add_tree("at", nowhere).hash()
        assert host.find("at") is None
        reads: list[Callable[[], Any]] = [
            lambda: host.find("at/k/x"),
            lambda: host.list("at"),
            lambda: host.add("at/y", b""),
            broken.length,
        ]
        for read in reads:
            with pytest.raises(DanglingHash) as caught:
                read()
            assert caught.value.hash == nowhere.hash()
        assert host.add("at", b"v").get("at") == b"v"
        assert host.remove("at") == Tree.singleton("other", b"", schema)
        assert broken.add_tree((), Tree.empty(schema)).is_empty()

    def test_an_object_that_was_lost_is_a_dangling_hash(
        self, backend: Backend, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TR-19, US-07, CG-09: what does not need it is still read."""
        stored = shelf.put(built(schema, SMALL))
        lost = {bytes(stored.get_tree("foo").hash()), bytes(stored.get_tree("b").hash())}
        key = stored.key()
        assert key is not None
        tree = Tree.shallow(Shelf(backend, schema, forgetful(backend, lost)), key)
        assert tree.get("aa") == b"aa"
        assert (tree.kind("b"), tree.kind("foo")) == ("contents", "node")
        for path in ("b", "foo/1"):
            with pytest.raises(DanglingHash) as caught:
                tree.find(path)
            assert caught.value.hash in lost
        assert tree.find("b/below") is None

    def test_a_pruned_tree_is_hashed_embedded_and_never_read_or_stored(
        self, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TR-05."""
        whole = built(schema, SMALL)
        pruned = Tree.pruned(whole.kinded_hash(), schema)
        assert pruned.hash() == whole.hash()
        host = Tree.singleton("x", b"", schema).add_tree("at", pruned)
        assert host == Tree.singleton("x", b"", schema).add_tree("at", whole)
        with pytest.raises(PrunedHash):
            host.find("at/b")
        with pytest.raises(PrunedHash):
            shelf.put(host)

    def test_a_part_of_another_store_is_taken_only_where_it_is_here_too(
        self, other_maker: Maker | None, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """TI-08, CG-12: also if it was edited in between."""
        if other_maker is None:
            pytest.skip("there is one store only")
        backend, _ = other_maker.open(schema, Options())
        there = Shelf(backend, schema).put(built(schema, SMALL))
        hosts = [there, Tree.singleton("x", b"", schema).add_tree("at", there)]
        hosts += [host.add("new/y", b"new") for host in hosts]
        hosts += [hosts[1].add("at/foo/new", b"new"), hosts[1].remove("at/foo/bar")]
        for host in hosts:
            with pytest.raises(StorageError):
                shelf.put(host)
        if not self.by_hash:
            backend.close()
            return
        shelf.put(built(schema, SMALL))
        for host in hosts:
            model = bindings_of(host)
            assert bindings_of(shelf.again(shelf.put(host))) == model
        backend.close()

    def test_a_tree_of_a_closed_store_raises_closed_where_it_has_to_read(
        self, backend: Backend, shelf: Shelf[bytes, Any], schema: Schema[bytes, Any]
    ) -> None:
        """What is in memory is still there."""
        stored = shelf.again(shelf.put(built(schema, SMALL)))
        made = built(schema, SMALL)
        backend.close()
        assert stored.hash() == made.hash()
        with pytest.raises(Closed):
            stored.find("b")
        assert made.get("b") == b"b"
