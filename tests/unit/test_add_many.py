"""`Editor.add_many` does what one `editor[path] = value` after the other does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import Schema, Tree, core
from irminpy.contents import Bytes, Json
from irminpy.errors import DecodeError, InvalidStep, IrminError
from irminpy.formats import Git, Native
from irminpy.hash import SHA1
from irminpy.tree.lazy import Stored
from irminpy.tree.stage import MOST_FEW, Staged

steps = st.sampled_from(["a", "b", "é", "ab", *[f"k{i}" for i in range(40)]])
texts = st.lists(steps, min_size=1, max_size=4).map("/".join)
paths = st.one_of(
    texts, texts, texts.map(lambda path: "//" + path + "/"), texts.map(lambda path: tuple(path.split("/")))
)
values = st.binary(max_size=3)
bindings_ = st.lists(st.tuples(paths, values), max_size=60)


@given(bindings_, bindings_, st.booleans(), st.sampled_from([Native(), Native(2, 2)]))
def test_many_bindings_are_as_one_by_one(
    before: list[tuple[Any, bytes]], many: list[tuple[Any, bytes]], stored: bool, shape: Native
) -> None:
    """On an empty tree, on one with hashes, and on edits of one."""
    schema = Schema(Bytes(), format=shape)
    found: list[Tree[bytes]] = []
    for at_once in (True, False):
        tree = Tree.empty(schema)
        for path, value in before:
            tree = tree.add(path, value)
        if stored:
            tree.hash()
        editor = tree.edit()
        editor["k0/first"] = b"1"
        older = editor.tree()
        if at_once:
            editor.add_many(many[: len(many) // 2])
            editor.add_many(iter(many[len(many) // 2 :]))
        else:
            for path, value in many:
                editor[path] = value
        found += [editor.tree(), older]
    one, one_before, other, other_before = found
    assert one.length() == other.length()
    assert one.hash() == other.hash()
    assert one_before.hash() == other_before.hash()  # what was given away stays as it was
    for path, _ in many:
        assert one.find(path) == other.find(path)


def test_a_mapping_is_taken_too_and_contents_are_encoded() -> None:
    editor = Tree.empty(Schema(Json())).edit()
    editor.add_many({"a/b": {"x": 1}, "a/c": [1, 2], ("d",): None})
    tree = editor.tree()
    assert (tree.get("a/b"), tree.get("a/c"), tree.get("d")) == ({"x": 1}, [1, 2], None)


@pytest.mark.parametrize("bad", [("a/\0", b"1"), ("a/\ud800", b"1"), ("x" * 5000, b"1"), (("a/b",), b"1")])
def test_what_is_refused_is_refused_as_alone_with_those_before_it_bound(bad: tuple[Any, bytes]) -> None:
    editor = Tree.empty().edit()
    with pytest.raises(InvalidStep) as many:
        editor.add_many([("a/b", b"1"), ("a/c", b"2"), bad, ("a/d", b"3")])
    with pytest.raises(InvalidStep) as alone:
        Tree.empty().edit()[bad[0]] = bad[1]
    assert str(many.value) == str(alone.value)
    tree = editor.tree()
    assert (tree.find("a/b"), tree.find("a/c"), tree.find("a/d")) == (b"1", b"2", None)


def test_a_value_that_is_no_contents_is_refused() -> None:
    editor = Tree.empty().edit()
    with pytest.raises((TypeError, IrminError)):
        editor.add_many([("a", "text")])  # type: ignore[list-item]
    with pytest.raises((TypeError, IrminError)):
        editor.add_many([("a", Tree.empty())])  # type: ignore[list-item]


def test_the_rules_of_the_format_for_steps_hold() -> None:
    editor = Tree.empty(Schema(Bytes(), hash=SHA1(), format=Git())).edit()
    with pytest.raises(InvalidStep):
        editor.add_many([("a/b", b"1"), ("a/../b", b"2")])
    with pytest.raises(InvalidStep):
        editor.add_many([("a/c", b"1"), ("a/.git/b", b"2")])
    assert editor.tree().find("a/c") == b"1"


def test_contents_at_the_root_and_below_contents() -> None:
    editor = Tree.empty().edit()
    editor.add_many([("a", b"1"), ("a/b", b"2"), ("c/d/e/f", b"3"), ("c/d", b"4")])
    assert (editor.find("a"), editor.find("a/b"), editor.find("c/d")) == (None, b"2", b"4")
    editor.add_many([((), b"root")])
    assert editor.tree().get() == b"root"


@pytest.mark.skipif(core.CORE != "c", reason="only the compiled core does anything at once")
def test_the_core_does_the_usual_ones_and_stops_where_it_does_not_know() -> None:
    root = Tree.empty().add("a/b", b"1").add("x", b"1")._root
    assert type(root) is Staged
    usual = [(f"a/k{i}", b"1") for i in range(31)] + [
        ("new/k", b"2"),
        ("x", b"3"),
        ("new//j/", b"4"),
        ("top", b"5"),
    ]
    assert core.put_many(root, usual, 0, 32, Staged) == len(usual)
    for path in ("a/b/c/d", "q/r/s", "é/b", "", ("a", "b"), "x/y"):
        assert core.put_many(root, [(path, b"1")], 0, 32, Staged) == 0, path
    assert core.put_many(root, [("a/k1", b"7"), ("a/b/c/d", b"1"), ("a/k2", b"7")], 0, 32, Staged) == 1
    stored = Stored(b"x" * 32, root.line.void)
    assert core.put_many(stored, usual, 0, 32, Staged) == 0
    assert core.put_many(root, usual, len(usual), 32, Staged) == len(usual)
    assert core.put_many(root, usual, 99, 32, Staged) == 99


def test_an_iterator_that_raises_leaves_what_came_before_or_less() -> None:
    def broken() -> Any:
        yield "a", b"1"
        raise DecodeError("mine", "no more")

    editor = Tree.empty().edit()
    with pytest.raises(DecodeError, match="no more"):
        editor.add_many(broken())
    assert editor.tree().find("a") in (None, b"1")


def test_directories_of_an_editor_count_what_is_new_in_them() -> None:
    tree = Tree.empty().add("d/a", b"1").add("d/e/f", b"1")
    tree.hash()
    editor = tree.edit()
    for path in ("d/b", "d/c", "d/e/g", "top", "d/new/x/y"):
        editor[path] = b"2"
    assert [editor.tree().length(path) for path in ("", "d", "d/e", "d/new", "d/new/x")] == [2, 5, 2, 1, 1]


def test_a_small_new_directory_stays_small() -> None:
    """A dict holds no more than a flat object of the default format does: `settle` makes one of it."""
    editor = Tree.empty().edit()
    editor.add_many([(f"d/k{i}", b"1") for i in range(100)] + [(f"e/k{i}", b"1") for i in range(MOST_FEW)])
    root = editor.tree()._root
    assert type(root) is Staged
    assert type(root.now["d"]) is Staged
    assert type(root.now["e"]) is dict
    assert len(root.now["e"]) == MOST_FEW
    editor.add_many([("e/k1", b"2")])
    assert type(root.now["e"]) is dict


def test_directories_count_what_many_bindings_bind_in_them() -> None:
    editor = Tree.empty().edit()
    editor.add_many(
        [(f"d{i % 3}/k{i}", b"1") for i in range(150)] + [("top", b"1"), ("top", b"2"), ("d1/k1", b"2")]
    )
    tree = editor.tree()
    assert [tree.length(path) for path in ("", "d0", "d1", "d2")] == [4, 50, 50, 50]
    again = tree.edit()
    again["top"] = b"3"
    again.add_many([("new/a", b"1"), ("new/b", b"1"), ("e", b"1"), ("e", b"2")])
    assert [again.tree().length(path) for path in ("", "new")] == [6, 2]
