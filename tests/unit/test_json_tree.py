"""JSON as trees: TY-20."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import Repo, Schema, Tree
from irminpy.contents import Json
from irminpy.errors import DecodeError, InvalidStep, NotFound
from irminpy.json_tree import get_tree, of_concrete_tree, set_tree, to_concrete_tree
from irminpy.tree import ConcreteContents
from irminpy_mem import Memory

JSON = Schema(Json())
KEYS = st.text("abé ", min_size=1, max_size=3)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab")
)
VALUES = st.recursive(
    LEAVES | st.lists(LEAVES | st.dictionaries(KEYS, LEAVES, max_size=2), max_size=3),
    lambda below: st.dictionaries(KEYS, below, max_size=4),
    max_leaves=12,
)


def without_empty(value: Any) -> Any:
    """`value` as a tree holds it: without objects that hold nothing."""
    if not isinstance(value, dict):
        return value
    below = {key: without_empty(inner) for key, inner in value.items()}
    return {key: inner for key, inner in below.items() if inner != {}}


def test_an_object_is_a_directory_and_every_other_value_a_leaf() -> None:
    """TY-20."""
    tree = set_tree(Tree.empty(JSON), (), {"a": {"b": 1, "c": [{"d": 2}]}, "e": None})
    assert tree.to_concrete() == {
        "a": {"b": ConcreteContents(1), "c": ConcreteContents([{"d": 2}])},
        "e": ConcreteContents(None),
    }
    assert get_tree(tree) == {"a": {"b": 1, "c": [{"d": 2}]}, "e": None}
    assert get_tree(tree, "a/c") == [{"d": 2}]
    assert get_tree(tree, "e") is None


@given(VALUES)
def test_a_value_comes_back_from_its_concrete_form(value: Any) -> None:
    """TY-20: empty objects included."""
    assert of_concrete_tree(to_concrete_tree(value)) == value


@given(VALUES, st.sampled_from(["", "x", "x/y"]))
def test_a_value_comes_back_from_a_tree_without_its_empty_objects(value: Any, path: str) -> None:
    """TY-20."""
    tree = set_tree(Tree.empty(JSON), path, value)
    kept = without_empty(value)
    if kept == {} and path:
        assert tree.is_empty()
    else:
        assert get_tree(tree, path) == kept


def test_an_empty_object_unbinds_its_path() -> None:
    """TY-20, TU-06: a tree has no empty directories."""
    tree = set_tree(set_tree(Tree.empty(JSON), "a/b", {"c": 1}), "d", 2)
    assert get_tree(set_tree(tree, "a/b", {})) == {"d": 2}
    assert get_tree(set_tree(tree, "a", {"b": {"c": {}}})) == {"d": 2}
    assert get_tree(set_tree(tree, (), {})) == {}


def test_what_was_at_the_path_is_gone() -> None:
    tree = set_tree(Tree.empty(JSON), "a", {"b": 1})
    assert get_tree(set_tree(tree, "a", {"c": 2})) == {"a": {"c": 2}}
    assert get_tree(set_tree(tree, "a", [3])) == {"a": [3]}
    assert set_tree(tree, "a", {"b": 1}) is tree


@pytest.mark.parametrize("key", ["", "a/b", "a\0b", "\ud800"])
def test_a_key_that_is_no_legal_step_is_refused(key: str) -> None:
    """TY-20: where Irmin drops it. Nothing is lost unsaid."""
    values: list[Any] = [{key: 1}, {"a": {key: {}}}]
    for value in values:
        with pytest.raises(InvalidStep):
            to_concrete_tree(value)
        with pytest.raises(InvalidStep):
            set_tree(Tree.empty(JSON), "x", value)


def test_what_is_no_json_is_refused() -> None:
    holds_itself: dict[str, Any] = {}
    holds_itself["a"] = {"b": holds_itself}
    with pytest.raises(DecodeError, match="holds itself"):
        to_concrete_tree(holds_itself)
    with pytest.raises(TypeError, match="keys of JSON"):
        to_concrete_tree({1: 2})
    for leaf in ((), b"", {1}):
        with pytest.raises(TypeError):
            set_tree(Tree.empty(JSON), "x", {"a": leaf})
    with pytest.raises(DecodeError):
        set_tree(Tree.empty(JSON), "x", float("nan"))
    with pytest.raises(TypeError, match="ConcreteContents"):
        of_concrete_tree([1])  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        get_tree(Tree.empty(JSON), "x")


def test_one_object_in_two_places_is_no_cycle() -> None:
    shared = {"x": 1}
    assert get_tree(set_tree(Tree.empty(JSON), (), {"a": shared, "b": shared})) == {"a": shared, "b": shared}


def test_objects_may_be_nested_deeper_than_the_stack() -> None:
    """No recursion in either direction."""
    value: Any = 1
    for _ in range(20_000):
        value = {"k": value}
    again = get_tree(set_tree(Tree.empty(JSON), (), value))
    for _ in range(20_000):
        again = again["k"]
    assert again == 1


def test_json_is_set_and_read_in_a_store() -> None:
    """TY-20: what is set starts from an empty tree and goes under the path."""
    with Repo.open(Memory(), JSON) as repo:
        main = repo.main()
        main.set_tree("conf", set_tree(repo.empty_tree(), (), {"a": {"b": 1}, "gone": True}))
        main.set_tree("conf", set_tree(repo.empty_tree(), (), {"a": {"b": 2}}))
        assert get_tree(main.tree(), "conf") == {"a": {"b": 2}}
        assert main.get("conf/a/b") == 2
