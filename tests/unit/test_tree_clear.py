"""Forgetting what can be read again: row TR-18 and TC-089."""

from __future__ import annotations

from typing import Any

import pytest

from irminpy.errors import DecodeError, PrunedHash
from irminpy.objects import Kind
from irminpy.tree import Stats, Tree
from tests.tree_repo import TreeRepo


def many(n: int = 3000) -> Tree[bytes, None]:
    editor = Tree.empty().edit()
    for i in range(n):
        editor[f"{i % 10}/{i % 300}/{i}"] = f"{i}".encode()
    return editor.tree()


def test_a_tree_that_is_not_saved_stays() -> None:
    """TR-18, TC-089, CG-08: the same statistics before and after, hashed or not."""
    tree = many()
    expected = tree.stats()
    assert expected.leafs == 3000
    for one in (tree, many()):
        one.clear()
        assert one.stats() == expected
        assert one.get("7/7/7") == b"7"
        assert one.inspect() == "map"
        one.clear()
        assert one == many()


def test_a_saved_tree_becomes_lazy() -> None:
    """TC-089: the root is a key, and the statistics are one skip."""
    repo = TreeRepo()
    tree = repo.save(many(), clear=False)
    assert tree.inspect() == "key"
    assert tree.stats().leafs == 3000
    assert repo.reader.reads == []
    tree.clear()
    assert tree.inspect() == "key"
    assert tree.stats() == Stats(skips=1)
    assert tree.get("7/7/7") == b"7"
    assert len(repo.reader.reads) == 4, "three directories and a value; what was written is not kept"
    assert tree == many()


def test_depth_keeps_what_is_above() -> None:
    """TR-18: directories at that depth and deeper, and contents below those."""
    repo = TreeRepo()
    tree = Tree.empty().add("x", b"0").add("a/y", b"1").add("a/b/z", b"2")

    def loaded() -> Tree[Any, Any]:
        fresh = repo.fresh(tree)
        fresh.fold(None, cache=True)
        return fresh

    expected = {
        0: Stats(skips=1),
        1: Stats(nodes=1, leafs=1, skips=1, depth=1, width=2),
        2: Stats(nodes=2, leafs=2, skips=1, depth=2, width=2),
        3: Stats(nodes=3, leafs=3, skips=0, depth=3, width=2),
    }
    for depth, stats in expected.items():
        one = loaded()
        one.clear(depth)
        assert one.stats() == stats
        assert one.to_concrete() == tree.to_concrete()
    with pytest.raises(DecodeError):
        tree.clear(-1)


def test_saved_subtrees_below_edits_become_lazy() -> None:
    """TR-18: what is staged or hashed but not saved stays, what is saved below it goes."""
    repo = TreeRepo()
    saved = repo.fresh(Tree.empty().add("a/b", b"1").add("a/c", b"2").add("d/e", b"3"))
    for hashed in (False, True):
        saved.fold(None, cache=True)
        tree = saved.add("a/new", b"4").add("n/o", b"5")
        other = Tree.empty().add("mem", b"6").add_tree("sub", saved)
        if hashed:
            tree.hash()
            other.hash()
        tree.clear()
        other.clear()
        repo.forget()
        unforced = other.fold(list[str](), force=lambda path, acc: [*acc, "/".join(path)])
        assert unforced == ["sub"]
        unforced = tree.fold(list[str](), force=lambda path, acc: [*acc, "/".join(path)])
        # Hashing an edited tree reads the directories on the way to the edits.
        assert unforced == ["a/b", "a/c", "d"]
        assert (Kind.CONTENTS not in {kind for kind, _ in repo.reader.reads}) is True
        assert tree.get("a/new") == b"4"
        assert tree.get("a/b") == b"1"
        assert other.get("mem") == b"6"
        assert other.get("sub/d/e") == b"3"


def test_contents_of_a_store() -> None:
    repo = TreeRepo()
    leaf = repo.fresh(Tree.singleton("a", b"1")).get_tree("a")
    repo.forget()
    assert leaf.get() == b"1"
    leaf.clear(1)
    assert leaf.get() == b"1"
    assert len(repo.reader.reads) == 1
    leaf.clear()
    assert leaf.stats() == Stats(skips=1)
    assert leaf.get() == b"1"
    assert len(repo.reader.reads) == 2


def test_pruned_positions_stay_pruned() -> None:
    hash_ = Tree.singleton("k", b"x").kinded_hash()
    tree = Tree.empty().add_tree("p", Tree.pruned(hash_)).add("q", b"1")
    for _ in range(2):
        tree.clear()
        assert tree.get("q") == b"1"
        with pytest.raises(PrunedHash):
            tree.get("p/k")
        tree.hash()


def test_older_handles_stay_readable() -> None:
    repo = TreeRepo()
    saved = repo.fresh(Tree.empty().add("a/b", b"1").add("c", b"2"))
    old = saved.add("a/b", b"x").add("c", b"y")
    new = old.add("a/b", b"z").remove("c")
    new.clear()
    old.clear()
    assert (old.get("a/b"), old.get("c")) == (b"x", b"y")
    assert (new.get("a/b"), new.find("c")) == (b"z", None)


def test_deep_and_wide() -> None:
    """TR-18: no recursion."""
    repo = TreeRepo()
    deep = Tree.singleton(("d",) * 5000, b"end")
    editor = Tree.empty().edit()
    for i in range(100_000):
        editor[f"{i}"] = b"v"
    tree = editor.tree().add_tree("deep", deep)
    tree.clear()
    assert tree.length() == 100_001
    tree.hash()
    tree.clear(3)
    repo.save(tree, clear=False)
    tree.clear(2)
    tree.clear()
    assert tree.stats() == Stats(skips=1)
    lazy = repo.shallow(tree)
    assert lazy.get(("deep",) + ("d",) * 5000) == b"end"
    lazy.clear(4000)
    lazy.clear()
    assert lazy.stats() == Stats(skips=1)


def test_a_subtree_that_hangs_at_many_places_is_cleared_once() -> None:
    shared = Tree.empty().add("x", b"1")
    for _ in range(60):  # 2 to the power of 60 paths
        shared = Tree.empty().add_tree("l", shared).add_tree("r", shared)
    shared.clear()
    assert shared.find(("l",) * 60 + ("x",)) == b"1"
