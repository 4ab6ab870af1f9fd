"""Reading trees with broken positions: the table BR-01 to BR-09, and TR-05, TR-20, TC-083, TC-094, TC-096.

A shallow position that leads nowhere raises DanglingHash, a pruned one PrunedHash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from irminpy.errors import DanglingHash, PrunedHash
from irminpy.tree import Tree
from tests.tree_repo import TreeRepo

VALUE = Tree.of_contents(b"contents")
DIRECTORY = Tree.empty().add("B", b"contents").add("other", b"x")

Break = Callable[[Tree[bytes, None]], Tree[bytes, None]]


def shallow(tree: Tree[bytes, None]) -> Tree[bytes, None]:
    return TreeRepo().shallow(tree)


def pruned(tree: Tree[bytes, None]) -> Tree[bytes, None]:
    return Tree.pruned(tree.kinded_hash())


BREAKS = pytest.mark.parametrize(
    ("broken", "error"), [(shallow, DanglingHash), (pruned, PrunedHash)], ids=["shallow", "pruned"]
)
# P is where the broken position is, B a path below it.
PLACES = pytest.mark.parametrize("P", ["", "P", "a/b/P"])
KINDS = pytest.mark.parametrize("real", [VALUE, DIRECTORY], ids=["contents", "node"])


def at(path: str, tree: Tree[bytes, None]) -> Tree[bytes, None]:
    around = Tree.empty().add("z", b"sibling") if path else Tree.empty()
    return around.add_tree(path, tree)


def below(path: str) -> list[str]:
    return [f"{path}/B", f"{path}/B/C"]


@BREAKS
@PLACES
@KINDS
def test_hash(broken: Break, error: type[Exception], P: str, real: Tree[bytes, None]) -> None:
    """BR-01, TC-094: as with the real value, and nothing is read for it."""
    tree = at(P, broken(real))
    assert tree.hash() == at(P, real).hash()
    assert tree == at(P, real)
    assert tree.kinded_hash() == at(P, real).kinded_hash()


@BREAKS
@PLACES
@KINDS
def test_an_edit_at_the_position_replaces_it(
    broken: Break, error: type[Exception], P: str, real: Tree[bytes, None]
) -> None:
    """BR-02."""
    new = Tree.singleton("k", b"v")
    assert at(P, broken(real)).add(P, b"new") == at(P, real).add(P, b"new")
    assert at(P, broken(real)).add_tree(P, new) == at(P, real).add_tree(P, new)
    assert at(P, broken(real)).remove(P) == at(P, real).remove(P)


@BREAKS
@PLACES
def test_an_edit_below(broken: Break, error: type[Exception], P: str) -> None:
    """BR-03: contents make way for a directory, a directory would have to be read."""
    new = Tree.singleton("k", b"v")
    for path in below(P):
        assert at(P, broken(VALUE)).add(path, b"new") == at(P, VALUE).add(path, b"new")
        assert at(P, broken(VALUE)).add_tree(path, new) == at(P, VALUE).add_tree(path, new)
        with pytest.raises(error):
            at(P, broken(DIRECTORY)).add(path, b"new").hash()
        with pytest.raises(error):
            at(P, broken(DIRECTORY)).add_tree(path, new)
        with pytest.raises(error):
            at(P, broken(DIRECTORY)).remove(path)
        tree = at(P, broken(VALUE))
        assert tree.remove(path) is tree


@BREAKS
@PLACES
def test_find_at_the_position(broken: Break, error: type[Exception], P: str) -> None:
    """BR-04."""
    for read in ("find", "get", "find_all", "get_all"):
        with pytest.raises(error):
            getattr(at(P, broken(VALUE)), read)(P)
    assert at(P, broken(DIRECTORY)).find(P) is None
    assert at(P, broken(DIRECTORY)).find_all(P) is None


@BREAKS
@PLACES
def test_find_below(broken: Break, error: type[Exception], P: str) -> None:
    """BR-05."""
    for path in below(P):
        assert at(P, broken(VALUE)).find(path) is None
        assert at(P, broken(VALUE)).find_tree(path) is None
        for read in ("find", "find_tree", "mem", "mem_tree", "kind"):
            with pytest.raises(error):
                getattr(at(P, broken(DIRECTORY)), read)(path)


@BREAKS
@PLACES
@KINDS
def test_what_is_there_is_known_unread(
    broken: Break, error: type[Exception], P: str, real: Tree[bytes, None]
) -> None:
    """TR-06, TR-11: kind, membership and the subtree need no read."""
    tree = at(P, broken(real))
    assert tree.kind(P) == real.kind()
    assert tree.mem_tree(P)
    assert tree.mem(P) == real.mem()
    assert tree.get_tree(P) == real
    assert not tree.is_empty()


@BREAKS
@PLACES
def test_list(broken: Break, error: type[Exception], P: str) -> None:
    """BR-06."""
    for path in (P, *below(P)):
        assert at(P, broken(VALUE)).list(path) == []
        assert at(P, broken(VALUE)).length(path) == 0
        with pytest.raises(error):
            at(P, broken(DIRECTORY)).list(path)
        with pytest.raises(error):
            at(P, broken(DIRECTORY)).length(path)


@BREAKS
@PLACES
@KINDS
def test_fold(broken: Break, error: type[Exception], P: str, real: Tree[bytes, None]) -> None:
    """BR-07, TC-096: forced raises; unforced calls the function once per broken position."""
    tree = at(P, broken(real))
    with pytest.raises(error):
        tree.fold(None)
    path = tuple(P.split("/")) if P else ()
    start: list[Any] = []
    assert tree.fold(start, force=lambda path, acc: [*acc, path]) == [path]


@BREAKS
@PLACES
@KINDS
def test_to_concrete(broken: Break, error: type[Exception], P: str, real: Tree[bytes, None]) -> None:
    """TF-12: forces everything."""
    with pytest.raises(error):
        at(P, broken(real)).to_concrete()


@BREAKS
@PLACES
@KINDS
def test_export(broken: Break, error: type[Exception], P: str, real: Tree[bytes, None]) -> None:
    """BR-08, TR-20, decision 28: what is pruned is never written; what is shallow is trusted, and found wanting when
    it is read.
    """
    repo = TreeRepo()
    if error is PrunedHash:
        with pytest.raises(PrunedHash):
            repo.save(at(P, broken(real)))
        assert not len(repo.reader.objects)
        return
    tree = repo.save(at(P, repo.shallow(real)))
    assert tree.hash() == at(P, real).hash()
    with pytest.raises(DanglingHash):
        tree.to_concrete()


@BREAKS
@KINDS
def test_the_root_may_be_replaced_by_a_broken_tree(
    broken: Break, error: type[Exception], real: Tree[bytes, None]
) -> None:
    """BR-09, TC-083: without a read."""
    tree = Tree.singleton("a", b"1").update_tree((), lambda _: broken(real))
    assert tree.hash() == real.hash()
    with pytest.raises(error):
        tree.fold(None)


def test_hashing_a_shallow_tree_reads_nothing() -> None:
    """BR-01."""
    repo = TreeRepo()
    tree = Tree.empty().add_tree("a/P", repo.shallow(DIRECTORY)).add("a/q", b"1")
    tree.hash()
    assert repo.reader.reads == []


@BREAKS
def test_clearing_and_printing_do_not_raise(broken: Break, error: type[Exception]) -> None:
    for real in (VALUE, DIRECTORY):
        for tree in (broken(real), at("a/P", broken(real))):
            tree.clear()
            assert repr(tree)
            assert tree.dump()
            assert tree._repr_html_()
            assert tree.stats().skips == 1
