"""Folds: rows TF-01 to TF-08, TR-17, QK-01, QK-02 and TC-035, TC-091 to TC-093."""

from __future__ import annotations

import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from irminpy.errors import DanglingHash, DecodeError
from irminpy.formats.native import Native
from irminpy.key import KindedHash
from irminpy.schema import Schema
from irminpy.tree import Depth, Marks, Stats, Tree, empty_marks
from tests.tree_repo import TreeRepo

Path = tuple[str, ...]
Event = tuple[Any, ...]


def small() -> Tree[bytes, None]:
    return Tree.empty().add("b/x", b"1").add("b/y/z", b"2").add("a", b"3")


def events(tree: Tree[Any, Any], **options: Any) -> list[Event]:
    """Every callback, in order."""

    def note(name: str) -> Any:
        def callback(path: Path, what: Any, acc: list[Event]) -> list[Event]:
            shown = what.inspect() if isinstance(what, Tree) else what
            return [*acc, (name, "/".join(path), shown)]

        return callback

    names = ("contents", "node", "tree", "pre", "post")
    start: list[Event] = []
    return tree.fold(start, **{name: note(name) for name in names}, **options)


def visited(tree: Tree[Any, Any], **options: Any) -> list[tuple[str, Any]]:
    """Path and value of all contents, in the order they were seen."""
    start: list[tuple[str, Any]] = []
    return tree.fold(start, contents=lambda path, value, acc: [*acc, ("/".join(path), value)], **options)


def directories(tree: Tree[Any, Any], **options: Any) -> list[str]:
    start: list[str] = []
    return tree.fold(start, node=lambda path, _, acc: [*acc, "/".join(path)], **options)


def test_the_order_of_callbacks() -> None:
    """TF-01, QK-01, QK-02: node, tree, pre, children, post; contents, tree; steps in traversal order."""
    assert events(small()) == [
        ("node", "", "map"),
        ("tree", "", "map"),
        ("pre", "", ("a", "b")),
        ("contents", "a", b"3"),
        ("tree", "a", "contents"),
        ("node", "b", "map"),
        ("tree", "b", "map"),
        ("pre", "b", ("x", "y")),
        ("contents", "b/x", b"1"),
        ("tree", "b/x", "contents"),
        ("node", "b/y", "map"),
        ("tree", "b/y", "map"),
        ("pre", "b/y", ("z",)),
        ("contents", "b/y/z", b"2"),
        ("tree", "b/y/z", "contents"),
        ("post", "b/y", ("z",)),
        ("post", "b", ("x", "y")),
        ("post", "", ("a", "b")),
    ]


def test_a_fold_without_callbacks_gives_what_it_got() -> None:
    assert small().fold(7) == 7


def test_handles_are_subtrees_that_can_be_used() -> None:
    found: dict[Path, Any] = {}
    small().fold(None, tree=lambda path, tree, _: found.__setitem__(path, tree))
    assert found[("b", "y")] == Tree.singleton("z", b"2")
    assert found[("a",)].get() == b"3"
    assert found[()] == small()


def test_root_contents() -> None:
    """TF-08: depth says nothing about a root that is contents."""
    tree = Tree.of_contents(b"x")
    expected = [("contents", "", b"x"), ("tree", "", "contents")]
    assert events(tree) == expected
    assert events(tree, depth=Depth.eq(3)) == expected
    broken = Tree.pruned(tree.kinded_hash())
    assert events(broken, force=lambda path, acc: [*acc, ("lazy", path)]) == [("lazy", ())]


def test_the_empty_tree() -> None:
    """TC-035: nothing is visited at depth 1 of the empty tree."""
    assert events(Tree.empty()) == [
        ("node", "", "map"),
        ("tree", "", "map"),
        ("pre", "", ()),
        ("post", "", ()),
    ]
    assert [e for e in events(Tree.empty(), depth=Depth.eq(1)) if e[0] not in ("pre", "post")] == []


@pytest.mark.parametrize("schema", [Schema(), Schema(format=Native(fanout=2, leaf=2))])
def test_every_order_sees_everything_once(schema: Schema[bytes, None]) -> None:
    """TF-02."""
    steps = [f"{i * 7919 % 1000:03}" for i in range(1000)]
    editor = Tree.empty(schema).edit()
    for step in steps:
        editor[step] = step.encode()
    tree = editor.tree()
    in_order = [step for step, _ in visited(tree)]
    assert in_order == sorted(steps)
    assert sorted(step for step, _ in visited(tree, order="undefined")) == in_order
    shuffled = [step for step, _ in visited(tree, order=random.Random(1))]
    assert shuffled != in_order
    assert sorted(shuffled) == in_order
    repo = TreeRepo(schema)
    lazy = repo.fresh(tree)
    assert [step for step, _ in visited(lazy, order=random.Random(1))] == shuffled, "a seed is a seed"
    assert [step for step, _ in visited(lazy)] == in_order
    assert sorted(step for step, _ in visited(lazy, order="undefined")) == in_order


def test_a_shuffled_fold_may_be_unforced() -> None:
    """TF-02: also when lazy positions are left alone."""
    tree = Tree.empty()
    for i in range(100):
        tree = tree.add(f"{i:02}", b"x")
    steps = [path for path, _ in visited(tree, order=random.Random(3), force=lambda _, acc: acc)]
    assert steps != sorted(steps)
    assert len(steps) == 100


def test_unforced_calls_the_function_for_lazy_positions() -> None:
    """TF-03, TC-091, CG-03: exactly for the two lazy paths."""
    repo = TreeRepo()
    gone = Tree.singleton("k", b"not saved")
    tree = Tree.singleton("existing/subtree", b"value")
    tree = tree.add_tree("dangling/directory", repo.shallow(gone))
    tree = tree.add_tree("dangling/value", repo.shallow(gone.get_tree("k")))
    start: list[str] = []
    lazy = tree.fold(start, force=lambda path, acc: [*acc, "/".join(path)])
    assert lazy == ["dangling/directory", "dangling/value"]
    assert visited(tree, force=lambda _, acc: acc) == [("existing/subtree", b"value")]
    assert repo.reader.reads == []
    with pytest.raises(DanglingHash):
        tree.fold(None)


def test_unforced_reads_nothing_of_a_large_directory() -> None:
    """TF-03: a directory of which only some inner nodes are in memory is lazy as a whole."""
    repo = TreeRepo()
    editor = Tree.empty().edit()
    for i in range(2000):
        editor[f"{i}"] = b"x"
    tree = repo.fresh(editor.tree())
    assert tree.get("17") == b"x"
    edited = tree.add("17", b"y")
    edited.hash()
    repo.forget()
    for one in (tree, edited):
        assert one.fold(0, contents=lambda *a: 1, force=lambda path, acc: acc - 1) == -1
    assert repo.reader.reads == []
    edited.fold(None, cache=True)
    repo.forget()
    assert edited.fold(0, contents=lambda path, value, acc: acc + 1, force=lambda path, acc: -1) == 2000
    assert repo.reader.reads == []


def test_unforced_on_a_cleared_tree_in_memory_skips_nothing() -> None:
    """TC-035, CG-08."""
    tree = small()
    tree.hash()
    tree.clear()
    assert len(visited(tree, force=lambda path, acc: pytest.fail(f"{path} is lazy"))) == 3


def five() -> tuple[TreeRepo, Tree[Any, Any]]:
    repo = TreeRepo()
    tree = Tree.empty()
    for path in ("1", "2", "3", "4/1", "4/2"):
        tree = tree.add(f"{path}", path.encode())
    return repo, repo.fresh(tree)


def test_without_cache_a_fold_leaves_the_tree_lazy() -> None:
    """TF-04, TC-092."""
    _, tree = five()
    assert len(visited(tree)) == 5
    assert tree.stats() == Stats(skips=1)


def test_with_cache_a_fold_leaves_all_in_memory() -> None:
    """TF-04, TC-092: 2 directories, 5 contents, no skip, depth 2, width 4."""
    repo, tree = five()
    assert len(visited(tree, cache=True)) == 5
    repo.forget()
    assert tree.stats() == Stats(nodes=2, leafs=5, skips=0, depth=2, width=4)
    assert [value for _, value in visited(tree)] == [b"1", b"2", b"3", b"4/1", b"4/2"]
    assert tree.get("4/1") == b"4/1"
    assert repo.reader.reads == []


def test_without_cache_what_was_loaded_stays() -> None:
    """TR-17: the flag keeps new data out, it clears nothing."""
    repo, tree = five()
    assert tree.get("4/1") == b"4/1"
    tree.fold(None, cache=False)
    repo.forget()
    assert tree.find("4/1", cache=False) == b"4/1"
    assert repo.reader.reads == []


def test_uniq_enters_equal_directories_once() -> None:
    """TF-05: directories by hash, contents always."""
    same = Tree.empty().add("x", b"1").add("y", b"2")
    tree = Tree.empty().add_tree("a", same).add_tree("b", same).add("c", b"1").add("d", b"1")
    assert directories(tree) == ["", "a", "b"]
    assert directories(tree, uniq=True) == ["", "a"]
    assert [path for path, _ in visited(tree, uniq=True)] == ["a/x", "a/y", "c", "d"]


def test_marks_are_a_set_of_hashes() -> None:
    """BE-14, decision 2: a Python set, to which a fold adds each directory that it enters."""
    marks = empty_marks()
    tree = Tree.empty().add("a/x", b"1").add("b/x", b"1").add("c", b"2")
    tree.fold(0, uniq=marks)
    assert marks == {tree.hash(), tree.get_tree("a").hash()}
    assert isinstance(marks, set)
    assert all(len(mark) == 32 for mark in marks)
    before = set(marks)
    tree.fold(0, uniq=marks)
    assert marks == before  # what is there twice is there once


def test_marks_are_shared_by_folds() -> None:
    """TF-05."""
    marks = empty_marks()
    tree = small()
    assert directories(tree, uniq=marks) == ["", "b", "b/y"]
    assert marks == {tree.hash(), tree.get_tree("b").hash(), tree.get_tree("b/y").hash()}
    assert directories(tree, uniq=marks) == []
    assert directories(tree.add("new", b"n"), uniq=marks) == [""]
    assert pickle.loads(pickle.dumps(marks)) == marks
    assert isinstance(marks, Marks)


ALL = {"": 0, "a": 1, "b": 1, "b/x": 2, "b/y": 2, "b/y/z": 3}
CONTENTS = {"a", "b/x", "b/y/z"}


@pytest.mark.parametrize("n", range(5))
@pytest.mark.parametrize("op", ["eq", "le", "lt", "ge", "gt"])
def test_depth_selects_directories_and_contents(op: str, n: int) -> None:
    """TF-06."""
    depth = Depth(op, n)
    holds = {"eq": int.__eq__, "le": int.__le__, "lt": int.__lt__, "ge": int.__ge__, "gt": int.__gt__}[op]
    expected = {path for path, d in ALL.items() if holds(d, n)}
    assert set(directories(small(), depth=depth)) == expected - CONTENTS
    assert {path for path, _ in visited(small(), depth=depth)} == expected & CONTENTS
    trees = [path for name, path, _ in events(small(), depth=depth) if name == "tree"]
    assert sorted(trees) == sorted(expected)


def test_depth_loads_nothing_beyond_its_bound() -> None:
    """TF-06: a dangling directory at the bound is seen and not entered."""
    repo = TreeRepo()
    tree = Tree.empty().add_tree("a/b", repo.shallow(Tree.singleton("k", b"gone")))
    for depth in (Depth.eq(2), Depth.le(2), Depth.lt(3)):
        assert directories(tree, depth=depth)[-1] == "a/b"
    for depth in (Depth.eq(3), Depth.ge(2), Depth.lt(4)):
        with pytest.raises(DanglingHash):
            directories(tree, depth=depth)
    repo.forget()
    lazy = repo.fresh(small())
    assert directories(lazy, depth=Depth.lt(1)) == [""]
    assert repo.reader.reads == []


def test_depth_does_not_load_contents_it_does_not_select() -> None:
    repo = TreeRepo()
    tree = Tree.empty().add_tree("a", repo.shallow(Tree.of_contents(b"gone"))).add("b/c", b"1")
    assert visited(tree, depth=Depth.ge(2)) == [("b/c", b"1")]


def test_pre_and_post_are_for_directories_that_are_entered() -> None:
    """TF-06."""
    found = [(name, path) for name, path, _ in events(small(), depth=Depth.le(1)) if name in ("pre", "post")]
    assert found == [("pre", ""), ("post", "")]
    found = [(name, path) for name, path, _ in events(small(), depth=Depth.ge(3)) if name == "pre"]
    assert found == [("pre", ""), ("pre", "b"), ("pre", "b/y")]


def test_depth_is_a_value() -> None:
    for depth in (Depth.eq(3), Depth.le(0), Depth.lt(1), Depth.ge(2), Depth.gt(4)):
        assert Depth.from_json(depth.to_json()) == depth
        assert pickle.loads(pickle.dumps(depth)) == depth
        assert hash(depth) == hash(Depth(depth.op, depth.n))
    assert Depth.eq(3).to_json() == {"eq": 3}
    for bad in (
        None,
        3,
        {},
        {"eq": -1},
        {"eq": True},
        {"eq": "1"},
        {"ne": 1},
        {"eq": 1, "le": 2},
        [["eq", 1]],
    ):
        with pytest.raises(DecodeError):
            Depth.from_json(bad)


def test_an_updated_tree_is_seen_as_it_is_now() -> None:
    """TF-07, TC-093."""
    repo = TreeRepo()
    tree = Tree.empty()
    for path in ("a/1", "a/2", "b/1", "c"):
        tree = tree.add(path, b"old")
    tree = repo.fresh(tree)
    tree = tree.add("a/1", b"new").remove("b/1").add("d/e", b"added").add("c", b"x").add("c", b"y")
    expected = [("a/1", b"new"), ("a/2", b"old"), ("c", b"y"), ("d/e", b"added")]
    assert visited(tree) == expected
    assert sorted(visited(tree, order="undefined")) == expected
    assert sorted(visited(tree, order=random.Random(5))) == expected


def test_an_older_handle_folds_over_its_own_version() -> None:
    """TF-07."""
    old = small()
    new = old.add("b/x", b"other").remove("a")
    assert visited(old) == [("a", b"3"), ("b/x", b"1"), ("b/y/z", b"2")]
    assert visited(new) == [("b/x", b"other"), ("b/y/z", b"2")]


def test_the_unread_rest_of_a_fold_that_raised_is_left_alone() -> None:
    class Stop(Exception):
        pass

    def stop(path: Path, value: bytes, acc: None) -> None:
        raise Stop

    tree = small()
    with pytest.raises(Stop):
        tree.fold(None, contents=stop)
    assert len(visited(tree)) == 3


def test_contents_are_decoded() -> None:
    from irminpy.contents import Own

    numbers: Own[int] = Own("number/1", lambda n: b"%d" % n, int, lambda old, ours, theirs: ours)
    tree: Tree[int, None] = Tree.empty(Schema(numbers)).add("a", 1).add("b/c", 41)
    assert tree.fold(0, contents=lambda _, value, acc: acc + value) == 42


@pytest.mark.parametrize("lazy", [False, True])
def test_a_wide_directory(lazy: bool) -> None:
    """TU-08: 500,000 entries."""
    n = 500_000 if not lazy else 50_000
    editor = Tree.empty().edit()
    for i in range(n):
        editor[f"{i}"] = b"v"
    tree: Tree[Any, Any] = editor.tree()
    if lazy:
        tree = TreeRepo().fresh(tree)

    def count(path: Path, value: bytes, acc: int) -> int:
        return acc + 1

    assert tree.fold(0, contents=count) == n
    assert tree.fold(0, contents=count, order="undefined") == n
    assert tree.stats(force=True) == Stats(1, n, 0, 1, n)


def test_a_deep_path() -> None:
    """5,000 steps, unsaved and saved."""
    path = ("d",) * 5000
    tree = Tree.singleton(path, b"end")
    repo = TreeRepo()
    for one in (tree, repo.fresh(Tree.singleton(path, b"end"))):
        assert one.fold(0, node=lambda p, _, acc: max(acc, len(p))) == 4999
        assert one.fold(0, contents=lambda p, value, acc: acc + len(p), cache=True) == 5000
        assert one.stats() == Stats(5000, 1, 0, 5000, 1)


def test_a_shallow_tree_that_dangles_at_the_root() -> None:
    """TF-03."""
    repo = TreeRepo()
    tree = Tree.shallow(repo, KindedHash("node", small().hash()))
    assert directories(tree, force=lambda path, acc: [*acc, "lazy"]) == ["", "lazy"]
    assert visited(tree, force=lambda path, acc: [*acc, ("lazy", path)]) == [("lazy", ())]


@pytest.mark.parametrize("options", [{"order": "random"}, {"order": None}, {"force": False}, {"force": None}])
def test_options_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        small().fold(None, **options)


def test_threads_may_fold_clear_and_read_one_tree() -> None:
    """D4: handles are free to share."""
    repo = TreeRepo()
    editor = Tree.empty().edit()
    for i in range(2000):
        editor[f"{i % 7}/{i}"] = b"x"
    tree = repo.fresh(editor.tree())

    def work(which: int) -> int:
        total = 0
        for _ in range(10):
            if which % 3 == 0:
                tree.clear(which % 2)
                total += 2000
            else:
                total += tree.fold(0, contents=lambda path, value, acc: acc + 1, cache=which % 2 == 0)
        return total

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [20_000] * 6
