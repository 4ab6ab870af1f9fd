"""Trees that are edited and hashed for ever without a commit do not keep what was superseded."""

from __future__ import annotations

from irminpy import Tree
from irminpy.tree.lazy import Pool, Source


def held(tree: Tree[bytes]) -> int:
    """How many unsaved objects the tree keeps alive."""
    source: Source | None = getattr(tree._root, "source", None)
    total = 0
    while isinstance(source, Pool) and not source.saved:
        total += len(source.objects)
        source = source.parent
    return total


def test_superseded_objects_are_left_behind() -> None:
    """Each round hashes 3 new objects; without a sweep 4,500 rounds would hold 13,500 of them."""
    tree = Tree.empty()
    for i in range(100):
        tree = tree.add(f"d/k{i}", b"%d" % i)
    model = {f"d/k{i}": b"%d" % i for i in range(100)}
    for i in range(4_500):
        path, value = f"d/k{i % 100}", b"new %d" % i
        tree, model[path] = tree.add(path, value), value
        tree.hash()
    assert held(tree) < 10_000
    assert {path: tree.find(path) for path in model} == model
    fresh = Tree.empty().edit()
    for path, value in model.items():
        fresh[path] = value
    assert tree.hash() == fresh.tree().hash()


def test_an_older_handle_and_a_subtree_from_elsewhere_outlive_a_sweep() -> None:
    other = Tree.singleton("deep/er", b"other")
    other.hash()
    tree = Tree.empty().add_tree("in/there", other)
    old = tree
    old.hash()
    for i in range(6_000):
        tree = tree.add("count", b"%d" % i)
        tree.hash()
    assert held(tree) < 5_000
    assert tree.find("in/there/deep/er") == old.find("in/there/deep/er") == b"other"
    assert tree.find("count") == b"5999"
    assert old.find("count") is None
    assert tree.remove("count") == old
