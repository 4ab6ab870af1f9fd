"""Decision 096: a directory that lies on no other is hashed in one call of the core, and comes out as step by step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

import irminpy
import irminpy.tree.at_once
from irminpy import Schema, Tree, _edits, core
from irminpy.contents import Bytes
from irminpy.formats import FlatNative, Native
from irminpy.hash import SHA256
from irminpy.objects import DIRECTORY, Inode, Kind
from irminpy.tree.lazy import Leaf, Pool, Stored
from irminpy.tree.stage import Staged

from ..marks import MARKS

pytestmark = pytest.mark.skipif(core.CORE != "c", reason="only the compiled core does anything at once")

SHAPES = {"default": Native(), "narrow": Native(2, 2), "wide": Native(256, 2), "middle": Native(4, 3)}
steps = st.sampled_from(["a", "b", "é", "\U0001f600", "z" * 200, *[f"k{i}" for i in range(30)]])
paths = st.lists(steps, min_size=1, max_size=4).map(tuple)
values = st.one_of(st.binary(max_size=3), st.just(b"v" * 5000))


@contextmanager
def step_by_step() -> Iterator[None]:
    with patch.object(irminpy.tree.at_once, "settle_new", _edits.settle_new):
        yield


@contextmanager
def watched() -> Iterator[list[bool]]:
    """Whether each call of the core had an answer."""
    answered: list[bool] = []

    def call(*arguments: Any) -> Any:
        found = core.settle_new(*arguments)
        answered.append(found is not None)
        return found

    with patch.object(irminpy.tree.at_once, "settle_new", call):
        yield answered


def pool_of(tree: Tree[Any, Any], *, keep: bool) -> tuple[bytes, Pool]:
    root = tree._settled(keep=keep)
    assert type(root) is Stored
    assert type(root.source) is Pool
    return root.hash, root.source


def counted(tree: Tree[Any, Any]) -> tuple[int, int]:
    counters = tree._home.counters
    return counters.contents_hash, counters.node_hash


def check_order(schema: Schema[Any, Any], pool: Pool) -> None:
    """Children stand before what points at them, and all that is pointed at is there."""
    seen: set[bytes] = set()
    for hash_, data in pool.objects.nodes.items():
        assert schema.codec.digest(data) == hash_
        record = schema.codec.decode_node(data)
        if type(record) is Inode:
            assert seen.issuperset(record.children())
        else:
            for _, entry in record.entries():
                own = seen if entry[0] == DIRECTORY else pool.objects.contents
                assert entry[1:33] in own
        seen.add(hash_)


@given(
    st.sampled_from(sorted(SHAPES)),
    st.dictionaries(paths, values, min_size=1, max_size=80),
    st.booleans(),
    st.booleans(),
)
def test_a_new_tree_has_the_objects_that_it_has_step_by_step(
    shape: str, bindings: dict[tuple[str, ...], bytes], keep: bool, edited: bool
) -> None:
    schema = Schema(Bytes(), format=SHAPES[shape])

    def made() -> Tree[bytes]:
        if edited:
            editor = Tree.empty(schema).edit()
            for path, value in bindings.items():
                editor[path] = value
            return editor.tree()
        tree = Tree.empty(schema)
        for path, value in bindings.items():
            tree = tree.add(path, value)
        return tree

    with watched() as answered:
        one = made()
        hash_, pool = pool_of(one, keep=keep)
    assert answered == [True]
    with step_by_step():
        other = made()
        hash_2, pool_2 = pool_of(other, keep=keep)
    assert hash_ == hash_2
    assert pool.objects.nodes == pool_2.objects.nodes
    assert pool.objects.contents == pool_2.objects.contents
    assert counted(one) == counted(other)
    check_order(schema, pool)
    # What was in memory still is, and nothing else.
    assert shown(one._root) == shown(other._root)
    assert leaves(one) == leaves(other)


def leaves(tree: Tree[bytes]) -> dict[tuple[str, ...], bytes]:
    return tree.fold({}, contents=lambda path, value, found: found | {tuple(path): value})


def shown(root: Any) -> Any:
    """What is in memory of a directory."""
    return {
        step: child if type(child) is bytes else (child.hash, shown(child))
        for step, child in root.now.items()
    }


@given(st.dictionaries(paths, values, min_size=1, max_size=40), st.lists(paths, max_size=20))
def test_what_was_removed_or_replaced_on_the_way_is_not_there(
    bindings: dict[tuple[str, ...], bytes], removed: list[tuple[str, ...]]
) -> None:
    """A step that leads to nothing any more is for Python: both ways give the same."""
    found: list[bytes] = []
    for way in (watched, step_by_step):
        with way():
            tree: Tree[bytes] = Tree.empty()
            for path, value in bindings.items():
                tree = tree.add(path, value)
            for path in removed:
                tree = tree.remove(path)
            found.append(tree.hash())
            assert tree.add("new/one", b"1").remove("new/one").hash() == found[-1]
    assert found[0] == found[1]


def test_what_is_not_all_new_or_not_only_values_is_for_python() -> None:
    other = Tree.empty().add("x/y", b"1")
    other.hash()
    marked = Schema(Bytes(), metadata=MARKS)
    deep = "/".join(["d"] * 70)
    trees: dict[str, Tree[Any, Any]] = {
        "a directory with its hash": Tree.empty().add("a", b"1").add_tree("b", other),
        "an edit in one": Tree.empty().add("a", b"1").add_tree("b", other).add("b/x/z", b"2"),
        "a step that was removed": Tree.empty().add("a", b"1").add("b", b"2").remove("b"),
        "metadata": Tree.empty(marked).add("a", b"1", metadata=b"m"),
        "many levels": Tree.empty().add(deep, b"1"),
    }
    for what, tree in trees.items():
        with watched() as answered:
            hash_ = tree._settled(keep=False).hash
        assert answered == [False], what
        with step_by_step():
            assert hash_ == Tree.of_concrete(tree.to_concrete(), tree.schema).hash(), what


def test_an_older_version_of_a_line_is_hashed_as_it_was() -> None:
    old = Tree.empty().add("a/b", b"1")
    new = old.add("a/c", b"2")
    with watched() as answered:
        before = old.hash()
        after = new.hash()
    assert answered == [True]  # only the newest is asked for
    assert before == Tree.empty().add("a/b", b"1").hash()
    assert after == Tree.empty().add("a/c", b"2").add("a/b", b"1").hash()


def test_a_flat_format_and_another_hash_are_for_python() -> None:
    for schema in (Schema(Bytes(), format=FlatNative()), Schema(Bytes(), hash=SHA256())):
        with watched() as answered:
            tree = Tree.empty(schema).add("a/b", b"1")
            tree.hash()
        assert answered == []


def test_what_is_no_staged_directory_gets_no_answer() -> None:
    staged = Tree.empty().add("a", b"1")._root
    assert type(staged) is Staged
    assert core.settle_new(staged, None, 32, 32, 4, False, Staged, Stored) is not None
    for arguments in (
        (None, None, 32, 32, 4, False, Staged, Stored),
        (staged, None, 0, 32, 4, False, Staged, Stored),
        (staged, None, 32, 0, 4, False, Staged, Stored),
        (staged, None, 32, 32, 9, False, Staged, Stored),
        (staged, None, 32, 32, 0, False, Staged, Stored),
        (staged, None, 1 << 30, 32, 4, False, Staged, Stored),
        (staged, None, 32, 32, 4, False, int, Stored),
    ):
        assert core.settle_new(*arguments) is None
    odd = Staged(staged.line, None, {}, 0)
    assert core.settle_new(odd, None, 32, 32, 4, False, Staged, Stored) is None
    odd.now = {"a": Leaf(staged.line.void, None, b"1", b"m")}
    assert core.settle_new(odd, None, 32, 32, 4, False, Staged, Stored) is None
    itself: dict[str, Any] = {}
    itself["a"] = itself
    odd.now = itself
    assert core.settle_new(odd, None, 32, 32, 4, False, Staged, Stored) is None


def test_a_commit_of_it_is_read_again(tmp_path: Any) -> None:
    bindings = {f"d{i % 7}/e{i % 50}/k{i}": b"%d" % i for i in range(5000)} | {"big": b"x" * 9000}
    with watched() as answered, irminpy.open(f"pack:{tmp_path / 's'}") as repo:
        editor = repo.empty_tree().edit()
        for path, value in bindings.items():
            editor[path] = value
        repo.main().set_tree((), editor.tree())
        assert answered == [True]
    with irminpy.open(f"pack:{tmp_path / 's'}") as repo:
        assert leaves(repo.main().tree()) == {
            tuple(path.split("/")): value for path, value in bindings.items()
        }
        source = repo.home.source()
        assert source.holds(Kind.COMMIT, repo.main().head().hash)
