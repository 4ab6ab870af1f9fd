"""Handles as values: every version stays as it was, whatever is made from it, on whatever thread."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from irminpy.backend import Options
from irminpy.errors import StorageError
from irminpy.formats import Native
from irminpy.hash import Hash
from irminpy.key import KindedHash
from irminpy.schema import Schema
from irminpy.testing.model import Bindings, Shelf, bindings_of, built
from irminpy.testing.samples import in_threads
from irminpy.tree import Tree
from irminpy_mem import Memory

NARROW = Schema(format=Native(2, 2))
AnyTree = Tree[bytes, Any]


def shelf(schema: Schema[bytes, Any] = NARROW) -> Shelf[bytes, Any]:
    backend, _ = Memory().open(schema, Options())
    return Shelf(backend, schema)


def test_an_old_handle_is_right_after_each_newer_one() -> None:
    tree: AnyTree = Tree.empty(NARROW)
    handles = [tree]
    for i in range(200):
        tree = tree.add(("d", str(i % 50)), b"%d" % i)
        handles.append(tree)
        for n, old in enumerate(handles[-60:], max(0, len(handles) - 60)):
            assert old.find(("d", str(i % 50))) == next(
                (b"%d" % k for k in range(n - 1, -1, -1) if k % 50 == i % 50), None
            )
            assert old.length("d") == min(n, 50)
    for n in (0, 1, 49, 50, 51, 200):
        expected: Bindings = {("d", str(i % 50)): b"%d" % i for i in range(n)}
        assert bindings_of(handles[n]) == expected
        assert handles[n].hash() == built(NARROW, expected).hash()


@pytest.mark.parametrize("stored", [False, True])
def test_a_chain_of_forks_deeper_than_reads_go(stored: bool) -> None:
    """Each fork starts from a handle that has a newer one, so that each makes a line of its own."""
    tree = built(NARROW, {("base", str(i)): b"b" for i in range(10)})
    if stored:
        tree = shelf().put(tree)
    model: Bindings = bindings_of(tree)
    for i in range(40):
        other = tree.add("elsewhere", b"%d" % i)
        before = tree
        tree = tree.add(("base", f"n{i}"), b"%d" % i).remove(("base", str(i % 10)))
        model = {p: v for p, v in model.items() if p != ("base", str(i % 10))} | {
            ("base", f"n{i}"): b"%d" % i
        }
        assert before.find("elsewhere") is None
        assert other.find("elsewhere") == b"%d" % i
        assert other.find(("base", f"n{i}")) is None
        assert tree.length("base") == len(model)
    assert bindings_of(tree) == model


def test_one_path_may_be_bound_ten_thousand_times_on_one_line() -> None:
    """Superseded values are left behind, but not those of handles that are still held."""
    tree: AnyTree = Tree.empty().add("other", b"kept")
    held: list[tuple[int, AnyTree]] = []
    for i in range(10_000):
        tree = tree.add("counter", b"%d" % i)
        if i % 997 == 0:
            held.append((i, tree))
    for i, old in held:
        assert old.get("counter") == b"%d" % i
        assert old.get("other") == b"kept"
        assert old == built(Schema(), {("counter",): b"%d" % i, ("other",): b"kept"})


def test_handles_of_one_line_go_into_each_other() -> None:
    tree: AnyTree = Tree.empty(NARROW).add("x", b"0")
    model: Bindings = {("x",): b"0"}
    for i in range(8):
        old, old_model = tree, model
        tree = tree.add("x", b"%d" % i).add_tree("before", old).add_tree(("d", str(i)), tree)
        model = {("x",): b"%d" % i} | {("before", *p): v for p, v in old_model.items()}
        model |= {p: v for p, v in old_model.items() if p[0] == "d"}
        model |= {("d", str(i), *p): v for p, v in old_model.items()}
        assert bindings_of(old) == old_model
    assert bindings_of(tree) == model


def test_a_subtree_is_a_handle_that_knows_nothing_of_the_tree_around_it() -> None:
    tree = Tree.empty(NARROW).add("d/a", b"1").add("e", b"2")
    part = tree.get_tree("d")
    after = part.add("b", b"3")
    around = tree.add("d/c", b"4")
    assert bindings_of(tree) == {("d", "a"): b"1", ("e",): b"2"}
    assert bindings_of(part) == {("a",): b"1"}
    assert bindings_of(after) == {("a",): b"1", ("b",): b"3"}
    assert bindings_of(around) == {("d", "a"): b"1", ("d", "c"): b"4", ("e",): b"2"}
    assert around.add_tree("d", after) == tree.add_tree("d", after)


def test_an_editor_and_handles_do_not_see_each_other() -> None:
    tree = Tree.empty(NARROW).add("d/a", b"1")
    editor = tree.edit()
    later = tree.add("d/b", b"2")
    editor["d/c"] = b"3"
    first = editor.tree()
    editor["d/d"] = b"4"
    from_first = first.add("d/e", b"5")
    del editor["d/a"]
    editor["copy"] = first
    editor["copy/a2"] = b"6"
    assert bindings_of(tree) == {("d", "a"): b"1"}
    assert bindings_of(later) == {("d", "a"): b"1", ("d", "b"): b"2"}
    assert bindings_of(first) == {("d", "a"): b"1", ("d", "c"): b"3"}
    assert bindings_of(from_first) == {("d", "a"): b"1", ("d", "c"): b"3", ("d", "e"): b"5"}
    assert bindings_of(editor.tree()) == {
        ("d", "c"): b"3",
        ("d", "d"): b"4",
        ("copy", "a2"): b"6",
        ("copy", "d", "a"): b"1",
        ("copy", "d", "c"): b"3",
    }


def test_two_threads_may_add_to_the_same_handle() -> None:
    for _ in range(50):
        start: AnyTree = Tree.empty(NARROW).add("d/x", b"0")
        ends: dict[int, AnyTree] = {}

        def work(n: int, start: AnyTree = start, ends: dict[int, AnyTree] = ends) -> None:
            tree = start
            for i in range(20):
                tree = tree.add(("d", f"{n}-{i}"), b"%d" % n)
            ends[n] = tree

        in_threads(2, work)
        assert bindings_of(start) == {("d", "x"): b"0"}
        for n, tree in ends.items():
            assert bindings_of(tree) == {("d", "x"): b"0"} | {("d", f"{n}-{i}"): b"%d" % n for i in range(20)}


@pytest.mark.parametrize("stored", [False, True])
def test_readers_see_their_handle_while_a_writer_makes_newer_ones(stored: bool) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    first = built(NARROW, {("d", f"b{i}"): b"base" for i in range(20)})
    if stored:
        first = shelf().put(first)
    handles: list[tuple[AnyTree, Bindings]] = [(first, bindings_of(first))]
    done = threading.Event()

    def work(n: int) -> None:
        rng = random.Random(n)
        if n == 0:
            try:
                for i in range(1500):
                    tree, model = handles[-1]
                    path = ("d", f"b{rng.randrange(40)}")
                    if rng.random() < 0.6:
                        handles.append((tree.add(path, b"%d" % i), model | {path: b"%d" % i}))
                    else:
                        handles.append((tree.remove(path), {p: v for p, v in model.items() if p != path}))
            finally:
                done.set()
            return
        while not done.is_set():
            tree, model = handles[-1] if rng.random() < 0.5 else rng.choice(handles)
            path = ("d", f"b{rng.randrange(40)}")
            assert tree.find(path) == model.get(path)
            assert tree.length("d") == len(model)
            assert tree.add(path, b"mine").find(path) == b"mine"
            if rng.random() < 0.1:
                # Embedding freezes the version; hashing the host reads it without settling the handle.
                assert bindings_of(Tree.empty(NARROW).add_tree("at", tree)) == {
                    ("at", *p): v for p, v in model.items()
                }

    try:
        in_threads(4, work)
    finally:
        sys.setswitchinterval(interval)


def test_hashing_does_not_wait_for_a_writer_of_an_embedded_tree() -> None:
    """Two trees that hold each other's versions, each hashed by a thread that was editing the other, waited for
    ever: each thread held the lock of one line and wanted the other."""
    inner = Tree.empty(NARROW).add("x/y", b"1")
    outer: AnyTree = Tree.empty(NARROW).add_tree("k", inner)
    line = inner._root.line
    with line.lock:
        thread = threading.Thread(target=outer.hash, daemon=True)
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
    assert outer == built(NARROW, {("k", "x", "y"): b"1"})


def calls(work: Callable[[], object]) -> int:
    """How many functions `work` calls: what it costs, without a clock."""
    n = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal n
        n += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return n


def test_a_directory_bound_in_many_places_is_hashed_once() -> None:
    """A tree that bound its part twice, and so did the part, was hashed once per path: 2 ** 40 times here."""
    tree: AnyTree = Tree.empty(NARROW).add("x", b"0")
    for _ in range(40):
        tree = Tree.empty(NARROW).add_tree("a", tree).add_tree("b", tree)
    same: AnyTree = Tree.empty(NARROW).add("x", b"0")
    for _ in range(40):
        same = Tree.empty(NARROW).add_tree("a", same).add_tree("b", same)
        same.hash()
    assert calls(tree.hash) < 40 * 500
    assert tree == same
    assert tree.get(["a", "b"] * 20 + ["x"]) == b"0"
    assert shelf().put(tree) == same


def test_the_oldest_and_the_newest_of_many_handles_cost_alike() -> None:
    """10,000 finds, in turn on the first and the last of 100,000 handles on one line."""

    def cost(n: int) -> int:
        tree: AnyTree = Tree.empty().add("d/0", b"first")
        oldest = tree
        for i in range(1, n):
            tree = tree.add(("d", str(i)), b"v")
        last = f"d/{n - 1}"

        def work() -> None:
            for _ in range(5_000):
                assert oldest.find(last) is None
                assert tree.find("d/0") == b"first"

        return calls(work)

    assert cost(100_000) <= cost(10) * 1.1


def test_a_part_of_another_store_is_not_taken_for_ones_own() -> None:
    """A subtree of store B was edited below a new root; storing that in A wrote the edits, and a root that led to
    objects which A did not have."""
    there = shelf().put(built(NARROW, {("p",): b"1", ("q", "r"): b"2"}))
    mixed: AnyTree = Tree.empty(NARROW).add_tree("x", there).add("x/new", b"3")
    with pytest.raises(StorageError):
        shelf().put(mixed)


def test_metadata_from_outside_has_one_form() -> None:
    """The bytes of the default, given explicitly, made another root of the same bindings."""
    leaf = Hash(bytes(32))
    plain: AnyTree = Tree.pruned(KindedHash("contents", leaf), NARROW)
    explicit: AnyTree = Tree.pruned(KindedHash("contents", leaf, b""), NARROW)
    assert Tree.empty(NARROW).add_tree("a", plain).hash() == Tree.empty(NARROW).add_tree("a", explicit).hash()
