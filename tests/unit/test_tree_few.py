"""New directories of a few values are plain dicts: no handle may tell, and none may change with another."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy.formats import FlatNative, Native
from irminpy.schema import Schema
from irminpy.testing.model import Bindings, bindings_of, built
from irminpy.testing.samples import in_threads
from irminpy.tree import Editor, Tree
from irminpy.tree.stage import MOST_FEW, Staged

AnyTree = Tree[bytes, Any]

SCHEMAS = [Schema(), Schema(format=Native(2, 2)), Schema(format=FlatNative())]


def few_of(tree: AnyTree, *steps: str) -> bool:
    """True if the directory at `steps` is a plain dict in memory: what these tests are about."""
    node: Any = tree._root
    for step in steps:
        assert type(node) is Staged
        node = node.now[step]
    return type(node) is dict


def edited(n: int, schema: Schema[bytes, Any] = SCHEMAS[0]) -> AnyTree:
    editor: Editor[bytes, Any] = Tree.empty(schema).edit()
    for i in range(n):
        editor[("a", "b", f"k{i}")] = b"%d" % i
    return editor.tree()


def expected(n: int) -> Bindings:
    return {("a", "b", f"k{i}"): b"%d" % i for i in range(n)}


@pytest.mark.parametrize("schema", SCHEMAS, ids=["native", "narrow", "flat"])
@pytest.mark.parametrize("n", [1, 2, 3, MOST_FEW - 1, MOST_FEW, MOST_FEW + 1, 3 * MOST_FEW])
def test_a_directory_is_the_same_below_and_above_the_most_that_are_a_few(
    schema: Schema[bytes, Any], n: int
) -> None:
    tree = edited(n, schema)
    assert few_of(tree, "a", "b") == (n <= MOST_FEW)
    assert tree.length("a/b") == n
    assert tree.kind("a/b") == "node"
    assert tree.find("a/b") is None
    assert tree.find("a/b/k0") == b"0"
    assert tree.find("a/b/k0/k0") is None
    assert tree.find(f"a/b/k{n}") is None
    assert tree == built(schema, expected(n))
    assert bindings_of(tree) == expected(n)


def test_a_handle_keeps_a_few_values_that_newer_ones_change() -> None:
    tree = edited(2)
    more = tree.add("a/b/k9", b"9")
    other = tree.add("a/b/k0", b"other")
    fewer = more.remove("a/b/k0")
    gone = fewer.remove("a/b")
    again = gone.add("a/b/k0", b"again").add("a/b/k1", b"again")
    assert tree.add("a/b/k0", b"0") is tree
    assert tree.remove("a/b/absent") is tree
    assert bindings_of(tree) == expected(2)
    assert bindings_of(more) == expected(2) | {("a", "b", "k9"): b"9"}
    assert bindings_of(other) == expected(2) | {("a", "b", "k0"): b"other"}
    assert bindings_of(fewer) == {("a", "b", "k1"): b"1", ("a", "b", "k9"): b"9"}
    assert bindings_of(gone) == {}
    assert bindings_of(again) == {("a", "b", "k0"): b"again", ("a", "b", "k1"): b"again"}


def test_a_few_values_read_and_edited_as_a_tree_of_their_own() -> None:
    tree = edited(2)
    part = tree.get_tree("a/b")
    changed = part.add("k0", b"changed")
    assert bindings_of(part) == {("k0",): b"0", ("k1",): b"1"}
    assert tree.add_tree("a/b", part) is tree
    assert bindings_of(tree.add_tree("a/b", changed)) == expected(2) | {("a", "b", "k0"): b"changed"}
    assert bindings_of(tree.add_tree("c", part).add("c/k0/deep", b"d")) == expected(2) | {
        ("c", "k0", "deep"): b"d",
        ("c", "k1"): b"1",
    }
    assert bindings_of(tree) == expected(2)


def test_an_editor_does_not_write_into_what_it_gave_away() -> None:
    editor: Editor[bytes, Any] = Tree.empty().edit()
    editor["a/b/k0"] = b"0"
    first = editor.tree()
    editor["a/b/k1"] = b"1"
    second = editor.tree()
    # The same directory hashed in between: what was kept of it must not grow with the editor.
    editor["a/c/k0"] = b"0"
    editor.add_tree("a/c", Tree.empty().add("x", b"x"))
    editor["a/c/y"] = b"y"
    editor.remove("a/b/k0")
    assert few_of(first, "a", "b")
    assert bindings_of(first) == expected(1)
    assert bindings_of(second) == expected(2)
    assert bindings_of(editor.tree()) == {
        ("a", "b", "k1"): b"1",
        ("a", "c", "x"): b"x",
        ("a", "c", "y"): b"y",
    }


STEPS = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(STEPS, min_size=1, max_size=4).map(tuple)
# What is done, with which handle, at which path, with which value.
EDITS = st.tuples(
    st.sampled_from(["edit", "edit", "give", "add", "add", "remove", "subtree", "hash"]),
    st.integers(0, 7),
    PATHS,
    st.sampled_from([b"0", b"1"]),
)


def bound(model: Bindings, path: tuple[str, ...], value: bytes | None) -> Bindings:
    """`model` with `path` bound to `value`, or without what is there: what a tree must then hold."""
    n = len(path)
    left = {p: v for p, v in model.items() if p[:n] != path}
    if value is None:
        return left
    return {p: v for p, v in left.items() if p != path[: len(p)]} | {path: value}


@given(st.lists(EDITS, max_size=40), st.sampled_from(SCHEMAS))
def test_edits_of_many_handles_and_an_editor_agree_with_dicts(
    edits: list[tuple[str, int, tuple[str, ...], bytes]], schema: Schema[bytes, Any]
) -> None:
    """Old handles stay right, and the hash depends on the bindings alone."""
    handles: list[tuple[AnyTree, Bindings]] = [(Tree.empty(schema), {})]
    editor: Editor[bytes, Any] = Tree.empty(schema).edit()
    in_editor: Bindings = {}
    for what, which, path, value in edits:
        tree, model = handles[-1 - which % len(handles)]
        if what == "edit":
            editor[path] = value
            in_editor = bound(in_editor, path, value)
        elif what == "give":
            handles.append((editor.tree(), in_editor))
        elif what == "add":
            handles.append((tree.add(path, value), bound(model, path, value)))
        elif what == "remove":
            editor.remove(path)
            in_editor = bound(in_editor, path, None)
            handles.append((tree.remove(path), bound(model, path, None)))
        elif what == "subtree":
            below = {p[len(path) :]: v for p, v in model.items() if p[: len(path)] == path and p != path}
            part = tree.find_tree(path)
            if below:
                assert part is not None
                editor["z"] = part
                in_editor = bound(in_editor, ("z",), None) | {("z", *p): v for p, v in below.items()}
                handles.append((part.add("a", value), bound(below, ("a",), value)))
        else:
            assert tree.hash() == built(schema, model).hash()
    for tree, model in [*handles, (editor.tree(), in_editor)]:
        for path, value in model.items():
            assert tree.find(path) == value
        assert bindings_of(tree) == model
        assert tree.hash() == built(schema, model).hash()


def test_readers_see_a_few_values_while_a_writer_adds_more() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    first = edited(2)
    handles: list[tuple[AnyTree, int]] = [(first, 2)]
    done = threading.Event()

    def work(n: int) -> None:
        if n == 0:
            try:
                for i in range(2, 1000):
                    tree = handles[-1][0]
                    # Each directory goes through being a few values, being opened, and being edited.
                    handles.append((tree.add(("a", f"d{i // 4}", f"k{i}"), b"%d" % i), i + 1))
            finally:
                done.set()
            return
        while not done.is_set():
            tree, count = handles[-1]
            at = f"d{count // 4}"
            for i in range(count - 2, count + 2):
                inside = i < count and i >= 2 and i // 4 == count // 4
                assert tree.find(("a", at, f"k{i}")) == (b"%d" % i if inside else None)
            assert tree.length(("a", at)) == sum(i // 4 == count // 4 for i in range(2, count))

    try:
        in_threads(3, work)
    finally:
        sys.setswitchinterval(interval)
    assert bindings_of(first) == expected(2)
