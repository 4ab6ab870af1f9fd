"""Diff, merge, length and pages of directories of a million entries: what they read, not how long they take.

TR-12, TR-14, TF-10, TU-07.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from irminpy.diff import Updated
from irminpy.errors import MergeConflict
from irminpy.objects import Kind, Objects
from irminpy.schema import Schema
from irminpy.shape import build
from irminpy.tree import Tree
from irminpy.tree.home import Home
from irminpy.tree.lazy import Counters, Pool, RepoSource, Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from irminpy.hash import Hash
    from irminpy.key import Key

N = 1_000_000
VALUE = b"v"


class CountingReader:
    """A store of one directory of `N` entries, and of edited versions of it."""

    def __init__(self) -> None:
        schema = Schema()
        codec = schema.codec
        data = codec.encode_contents([VALUE])[0]
        hash_ = codec.digest(data)
        self.schema = schema
        self.nodes: dict[bytes, bytes] = {}
        self.contents = {hash_: data}
        self.reads: list[Kind] = []
        self.root = build(codec, self.nodes, [f"k{i}" for i in range(N)], b"\1" * N, [hash_] * N, {})

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        self.reads.append(kind)
        objects = self.nodes if kind is Kind.NODE else self.contents
        return objects.get(bytes(key if isinstance(key, bytes) else key.hash))

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        return [self.read(kind, key) for key in keys]

    def open(self, hash_: bytes) -> Tree[bytes, None]:
        """The tree with `hash_`, with nothing of it in memory."""
        repo = RepoSource(self.schema.codec, self, Counters())
        return Tree(Home(self.schema, repo), Stored(hash_, repo))

    def save(self, tree: Tree[bytes, None]) -> bytes:
        """Write `tree`, an edited version of what is here; its hash."""
        root = tree._settled()
        assert type(root) is Stored
        source = root.source
        while isinstance(source, Pool):
            objects: Objects = source.objects
            self.nodes.update(objects.nodes)
            self.contents.update(objects.contents)
            assert source.parent is not None
            source = source.parent
        return root.hash

    def node_reads(self) -> int:
        return self.reads.count(Kind.NODE)


@pytest.fixture(scope="module")
def store() -> CountingReader:
    return CountingReader()


@pytest.fixture(scope="module")
def versions(store: CountingReader) -> tuple[bytes, bytes, bytes]:
    """The base, and two versions with one entry changed in each."""
    base = store.open(store.root)
    return store.root, store.save(base.add("k123456", b"ours")), store.save(base.add("k654321", b"theirs"))


def test_a_diff_of_one_entry_reads_a_handful_of_nodes(
    store: CountingReader, versions: tuple[bytes, bytes, bytes]
) -> None:
    base, ours, _ = versions
    a, b = store.open(base), store.open(ours)
    store.reads.clear()
    assert list(a.diff(b)) == [(("k123456",), Updated(VALUE, b"ours"))]
    assert store.node_reads() <= 2 * 6
    assert store.reads.count(Kind.CONTENTS) == 2


def test_a_merge_of_one_entry_on_each_side_reads_a_handful_of_nodes(
    store: CountingReader, versions: tuple[bytes, bytes, bytes]
) -> None:
    old, ours, theirs = map(store.open, versions)
    store.reads.clear()
    merged = ours.merge(theirs, old=old)
    root = merged.hash()
    assert store.node_reads() <= 40
    assert store.reads.count(Kind.CONTENTS) == 0
    assert merged.length() == N
    assert merged.get("k123456") == b"ours"
    assert merged.get("k654321") == b"theirs"
    assert root == store.open(versions[0]).add("k654321", b"theirs").add("k123456", b"ours").hash()


def test_a_conflict_in_one_entry_reads_a_handful_of_nodes(
    store: CountingReader, versions: tuple[bytes, bytes, bytes]
) -> None:
    base = store.open(versions[0])
    other = store.save(base.add("k123456", b"other"))
    old, ours, theirs = store.open(versions[0]), store.open(versions[1]), store.open(other)
    store.reads.clear()
    with pytest.raises(MergeConflict) as caught:
        ours.merge(theirs, old=old)
    assert caught.value.path == ("k123456",)
    assert store.node_reads() <= 40
    assert store.reads.count(Kind.CONTENTS) == 3


def test_a_small_side_joined_without_ancestor_does_not_read_the_large_one(store: CountingReader) -> None:
    small = Tree.singleton("new", b"1").add("k5", VALUE)
    large = store.open(store.root)
    store.reads.clear()
    merged = large.merge(small, old=None)
    assert merged.length() == N + 1
    assert store.node_reads() <= 40


def test_the_length_of_a_large_directory_costs_one_read(
    store: CountingReader, versions: tuple[bytes, bytes, bytes]
) -> None:
    """TR-14, CG-14: counts are in the root node, also after one entry was edited."""
    for hash_ in versions[:2]:
        tree = store.open(hash_)
        store.reads.clear()
        assert tree.length() == N
        assert store.reads == [Kind.NODE]
        assert tree.length() == N
        assert store.reads == [Kind.NODE], "it is kept"
        longer = tree.add("one more", b"")
        reads = len(store.reads)
        assert (longer.length(), longer.add("and one", b"").length()) == (N + 1, N + 2)
        assert len(store.reads) - reads < 10, "it is not counted again"


@pytest.mark.parametrize("offset", [0, N // 2, N - 10], ids=["start", "middle", "end"])
def test_a_page_of_ten_reads_a_handful_of_nodes(
    store: CountingReader, versions: tuple[bytes, bytes, bytes], offset: int
) -> None:
    """TR-12: buckets before the page are skipped by their counts. Two versions have the same steps there."""
    pages: list[list[str]] = []
    for hash_ in versions[:2]:
        tree = store.open(hash_)
        store.reads.clear()
        pages.append([step for step, _ in tree.list(offset=offset, length=10)])
        assert 0 < store.node_reads() <= 40
        assert store.reads.count(Kind.CONTENTS) == 0
    assert len(set(pages[0])) == 10
    assert pages[0] == pages[1]


def test_a_page_beyond_the_end_is_empty_and_reads_the_root(store: CountingReader) -> None:
    """TR-12."""
    tree = store.open(store.root)
    store.reads.clear()
    assert tree.list(offset=N, length=10) == []
    assert len(tree.list(offset=N - 3, length=10)) == 3
    assert store.node_reads() <= 40
