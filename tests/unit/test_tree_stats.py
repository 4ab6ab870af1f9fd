"""Statistics: row TF-09 and TC-036, TC-092."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from irminpy.errors import DanglingHash, DecodeError, PrunedHash
from irminpy.key import KindedHash
from irminpy.tree import Stats, Tree
from tests.tree_repo import TreeRepo


def test_the_empty_tree_is_all_zero() -> None:
    """TC-036."""
    assert Tree.empty().stats() == Stats()
    assert Tree.empty().stats(force=True) == Stats(0, 0, 0, 0, 0)


def test_a_directory_of_two() -> None:
    """TC-036: and empty again after the removals."""
    tree = Tree.empty().add("foo/1", b"a").add("foo/2", b"b")
    assert tree.stats() == Stats(nodes=2, leafs=2, skips=0, depth=2, width=2)
    assert tree.remove("foo/1").remove("foo/2").stats() == Stats()


def test_contents_at_the_root() -> None:
    assert Tree.of_contents(b"x").stats() == Stats(leafs=1)


def test_depth_is_that_of_the_longest_path_and_width_the_largest() -> None:
    """TF-09."""
    tree = Tree.empty().add("a/b/c/d", b"1").add("w/1", b"1").add("w/2", b"1").add("w/3", b"1")
    assert tree.stats() == Stats(nodes=5, leafs=4, skips=0, depth=4, width=3)


def test_a_lazy_tree_is_one_skip() -> None:
    """TF-09."""
    repo = TreeRepo()
    tree = repo.fresh(Tree.empty().add("a/b", b"1").add("a/c", b"2").add("d", b"3"))
    assert tree.stats() == Stats(skips=1)
    assert tree.stats(force=True) == Stats(nodes=2, leafs=3, skips=0, depth=2, width=2)
    assert tree.stats() == Stats(skips=1), "a forced count keeps nothing"


def test_what_a_length_has_read_is_kept_only_where_it_may_be() -> None:
    """QK-19, TR-17: Irmin ignores `cache` of a length; here it means what it means for other reads."""
    repo = TreeRepo()
    tree = repo.fresh(Tree.empty().add("a/b", b"1").add("a/c", b"2").add("d", b"3"))
    assert (tree.length(cache=False), tree.length("a", cache=False)) == (2, 2)
    assert tree.stats() == Stats(skips=1)
    assert tree.length() == 2
    assert tree.stats() == Stats(nodes=1, skips=2, depth=1, width=2)


def test_one_skip_per_lazy_position() -> None:
    repo = TreeRepo()
    tree = repo.fresh(Tree.empty().add("a/b", b"1").add("a/c", b"2").add("d", b"3").add("e/f", b"4"))
    assert tree.get("a/b") == b"1"
    repo.forget()
    # The root and "a" are in memory, and "a/b"; lazy are "a/c", "d" and "e".
    assert tree.stats() == Stats(nodes=2, leafs=1, skips=3, depth=2, width=3)
    assert repo.reader.reads == []


def test_edits_are_not_lazy() -> None:
    repo = TreeRepo()
    tree = repo.fresh(Tree.empty().add("a/b", b"1").add("d", b"3")).add("new/x", b"4")
    assert tree.stats() == Stats(nodes=2, leafs=1, skips=2, depth=2, width=3)


def test_forced_counts_do_not_read_contents() -> None:
    repo = TreeRepo()
    tree = Tree.empty().add("a", b"1").add_tree("b", repo.shallow(Tree.of_contents(b"gone")))
    assert tree.stats(force=True) == Stats(nodes=1, leafs=2, skips=0, depth=1, width=2)


def test_a_large_saved_directory() -> None:
    repo = TreeRepo()
    editor = Tree.empty().edit()
    for i in range(1000):
        editor[f"{i}"] = b"x"
    tree: Tree[Any, Any] = repo.fresh(editor.tree())
    assert tree.get("5") == b"x"
    assert tree.stats() == Stats(skips=1)
    assert tree.stats(force=True) == Stats(1, 1000, 0, 1, 1000)


def test_broken_positions() -> None:
    repo = TreeRepo()
    hash_ = Tree.singleton("k", b"gone").hash()
    pruned = Tree.empty().add_tree("p/q", Tree.pruned(KindedHash("node", hash_)))
    assert pruned.stats() == Stats(nodes=2, leafs=0, skips=1, depth=2, width=1)
    with pytest.raises(PrunedHash):
        pruned.stats(force=True)
    with pytest.raises(DanglingHash):
        Tree.empty().add_tree("p", Tree.shallow(repo, KindedHash("node", hash_))).stats(force=True)


def test_stats_are_a_value() -> None:
    stats = Stats(1, 2, 3, 4, 5)
    assert Stats.from_json(stats.to_json()) == stats
    assert pickle.loads(pickle.dumps(stats)) == stats
    good = stats.to_json()
    bad: list[object] = [None, 1, [], {}, {"nodes": 1}]
    bad += [good | {"nodes": -1}, good | {"nodes": True}, good | {"more": 1}]
    for value in bad:
        with pytest.raises(DecodeError):
            Stats.from_json(value)
