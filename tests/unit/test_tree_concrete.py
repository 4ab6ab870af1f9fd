"""Concrete trees: rows TF-11, TF-12 and TC-079, TC-100."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy.errors import DanglingHash, DecodeError, InvalidStep, PrunedHash
from irminpy.metadata import Own
from irminpy.schema import Schema
from irminpy.tree import ConcreteContents, Tree, concrete_of_json, concrete_to_json
from tests.tree_repo import TreeRepo


def mode_of(data: bytes) -> str:
    if data not in (b"x", b"-"):
        raise DecodeError("mode", f"{data!r}")
    return data.decode()


MODES: Schema[bytes, str] = Schema(
    metadata=Own("mode/1", "-", str.encode, mode_of, lambda old, ours, theirs: ours)
)


def test_empty() -> None:
    """TC-079, TR-01: and an empty tree that is saved leaves the others in memory."""
    assert Tree.empty().to_concrete() == {}
    tree = Tree.of_concrete({})
    assert tree.is_empty()
    assert tree == Tree.empty()
    other = Tree.empty()
    TreeRepo().save(tree)
    assert (tree.inspect(), other.inspect(), Tree.empty().inspect()) == ("key", "map", "map")
    assert (other.key(), other.to_concrete()) == (None, {})


def test_there_and_back() -> None:
    """TF-12: children are sorted by step."""
    tree = Tree.empty().add("b/y", b"2").add("b/x", b"1").add("a", b"3")
    concrete = tree.to_concrete()
    assert concrete == {
        "a": ConcreteContents(b"3"),
        "b": {"x": ConcreteContents(b"1"), "y": ConcreteContents(b"2")},
    }
    assert isinstance(concrete, dict)
    assert list(concrete) == ["a", "b"]
    assert isinstance(concrete["b"], dict)
    assert list(concrete["b"]) == ["x", "y"]
    assert Tree.of_concrete(concrete) == tree


def test_looser_forms() -> None:
    tree = Tree.empty().add("a", b"1").add("b/c", b"2").add("b/d", b"3")
    assert Tree.of_concrete([("b", {"c": b"2", "d": ConcreteContents(b"3")}), ("a", b"1")]) == tree
    assert Tree.of_concrete({"a": b"1", "b": (["c", b"2"], ("d", b"3"))}) == tree
    assert Tree.of_concrete(b"x") == Tree.of_contents(b"x")
    assert Tree.of_contents(b"x").to_concrete() == ConcreteContents(b"x")


def test_empty_directories_are_left_out() -> None:
    """TF-11, TC-100: at every level, whole-empty input included."""
    assert Tree.of_concrete({"a": {"b": {}, "c": {"d": []}}}).is_empty()
    tree = Tree.of_concrete({"a": {"b": {}, "c": b"1"}, "d": {}, "e": {"f": {"g": ()}}})
    assert tree == Tree.singleton("a/c", b"1")
    assert tree.kind("e") is None
    assert tree.length() == 1


@pytest.mark.parametrize(
    "concrete",
    [
        [("k", b"1"), ("k", b"1")],
        [("k", {}), ("k", b"1")],
        {"a": [("k", {"x": b"1"}), ("l", b"2"), ("k", {"y": b"1"})]},
    ],
)
def test_a_step_bound_twice(concrete: object) -> None:
    """TF-11, TC-100: the message names the step."""
    with pytest.raises(InvalidStep, match="of_concrete: duplicate bindings for step `k`") as caught:
        Tree.of_concrete(concrete)
    assert caught.value.step == "k"


@pytest.mark.parametrize("bad", [["k"], [("k",)], [("k", b"1", b"2")], [None], ["kv"], {"a": [b"kv"]}])
def test_no_pairs(bad: object) -> None:
    with pytest.raises(DecodeError):
        Tree.of_concrete(bad)


def test_illegal_steps_and_values() -> None:
    for step in ("", "a/b", "\0"):
        with pytest.raises(InvalidStep):
            Tree.of_concrete({step: b"x"})
    with pytest.raises(TypeError):
        Tree.of_concrete({"a": 3})
    with pytest.raises(TypeError):
        Tree.of_concrete([(1, b"x")])


def test_metadata() -> None:
    tree = Tree.empty(MODES).add("a", b"1", metadata="x").add("b", b"2", metadata="-").add("c", b"3")
    concrete = tree.to_concrete()
    assert concrete == {
        "a": ConcreteContents(b"1", "x"),
        "b": ConcreteContents(b"2"),
        "c": ConcreteContents(b"3"),
    }
    assert Tree.of_concrete(concrete, MODES) == tree
    obj = concrete_to_json(concrete, MODES)
    assert obj == {
        "tree": [
            ["a", {"contents": "31", "metadata": "78"}],
            ["b", {"contents": "32"}],
            ["c", {"contents": "33"}],
        ]
    }
    assert concrete_of_json(obj, MODES) == concrete
    root = Tree.of_contents(b"1", MODES, metadata="x")
    assert Tree.of_concrete(root.to_concrete(), MODES) == root


def test_all_of_a_lazy_tree_is_read_and_nothing_kept() -> None:
    repo = TreeRepo()
    tree = Tree.empty().add("a/b", b"1").add("c", b"2")
    lazy = repo.fresh(tree)
    assert lazy.to_concrete() == tree.to_concrete()
    assert lazy.stats().skips == 1
    with pytest.raises(DanglingHash):
        Tree.empty().add_tree("a", repo.shallow(Tree.of_contents(b"gone"))).to_concrete()
    with pytest.raises(PrunedHash):
        Tree.empty().add_tree("a", Tree.pruned(tree.kinded_hash())).to_concrete()


def test_a_tree_of_concrete_can_be_edited() -> None:
    tree = Tree.of_concrete({"a": {"b": b"1", "c": b"2"}})
    edited = tree.add("a/d", b"3").remove("a/b")
    assert edited == Tree.of_concrete({"a": {"c": b"2", "d": b"3"}})
    assert tree == Tree.of_concrete({"a": {"b": b"1", "c": b"2"}})
    assert tree.add("a/b", b"1") is tree


def test_concrete_contents_are_a_value() -> None:
    contents = ConcreteContents[bytes, None](b"x")
    assert pickle.loads(pickle.dumps(contents)) == contents
    assert {contents: 1}[ConcreteContents(b"x")] == 1


@pytest.mark.parametrize(
    "bad",
    [
        None,
        3,
        "x",
        [],
        {},
        {"tree": {}},
        {"tree": [], "contents": "00"},
        {"tree": [], "more": 1},
        {"contents": 1},
        {"contents": "0"},
        {"contents": "0G"},
        {"contents": "AB"},
        {"contents": "61 62"},
        {"contents": "61", "metadata": None},
        {"contents": "61", "metadata": "7a"},
        {"contents": "61", "metadata": "2d"},
        {"contents": "61", "more": 1},
        {"tree": [["a"]]},
        {"tree": [["a", {"contents": "61"}, 1]]},
        {"tree": [[1, {"contents": "61"}]]},
        {"tree": [["", {"contents": "61"}]]},
        {"tree": [["a/b", {"contents": "61"}]]},
        {"tree": [["a", {"contents": "61"}], ["a", {"contents": "61"}]]},
        {"tree": [["a", {"tree": [["b", None]]}]]},
        {"tree": ["ab"]},
    ],
)
def test_malformed_json(bad: object) -> None:
    with pytest.raises(DecodeError):
        concrete_of_json(bad, MODES)


def test_json_of_looser_forms() -> None:
    schema = Schema()
    assert concrete_to_json([("a", b"x"), ("b", {})], schema) == {
        "tree": [["a", {"contents": "78"}], ["b", {"tree": []}]]
    }
    assert concrete_to_json(b"x", schema) == {"contents": "78"}
    with pytest.raises(InvalidStep):
        concrete_to_json([("a", b"x"), ("a", b"x")], schema)


def test_deep() -> None:
    """5,000 steps, both ways, JSON too."""
    path = ("d",) * 5000
    tree = Tree.singleton(path, b"end")
    concrete: Any = tree.to_concrete()
    assert Tree.of_concrete(concrete) == tree
    obj = concrete_to_json(concrete, tree.schema)
    assert Tree.of_concrete(concrete_of_json(obj, tree.schema)) == tree
    with pytest.raises(DecodeError):
        Tree.of_concrete([concrete])


def test_wide() -> None:
    n = 100_000
    tree = Tree.of_concrete({f"{i}": b"v" for i in range(n)})
    assert tree.length() == n
    concrete = tree.to_concrete()
    assert isinstance(concrete, dict)
    assert list(concrete) == sorted(concrete)


leaves = st.binary(max_size=4).map(ConcreteContents[bytes, None])
steps = st.text("abc€\U0001f300", min_size=1, max_size=3)
concretes = st.recursive(
    leaves, lambda below: st.dictionaries(steps, below, min_size=1, max_size=5), max_leaves=20
)


@given(concretes)
def test_any_concrete_tree_comes_back(concrete: Any) -> None:
    tree = Tree.of_concrete(concrete)
    assert tree.to_concrete() == concrete
    schema = Schema()
    obj = concrete_to_json(concrete, schema)
    assert concrete_of_json(json.loads(json.dumps(obj)), schema) == concrete
