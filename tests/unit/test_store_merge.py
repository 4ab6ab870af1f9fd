"""Writes that merge, and those that test and get: SW-11 to SW-13, SW-17, D14."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import irminpy
from irminpy import Repo, Schema, Store, TestWas, Tree, merge
from irminpy.contents import Counter, String
from irminpy.errors import DecodeError, MergeConflict
from irminpy.metadata import Own
from irminpy_mem import Memory

Stores = Store[str, None]
SCHEMA = Schema(String())


@pytest.fixture
def repo() -> Iterator[Repo[str, None]]:
    with Repo.open(Memory(), SCHEMA, clock=lambda: 0) as opened:
        yield opened


@pytest.fixture
def main(repo: Repo[str, None]) -> Stores:
    return repo.main()


def made(commit: irminpy.Commit[str] | None) -> irminpy.Commit[str]:
    assert commit is not None
    return commit


def tree_of(**bindings: str) -> Tree[str, None]:
    tree = Tree.empty(SCHEMA)
    for step, value in bindings.items():
        tree = tree.add(step, value)
    return tree


def test_test_set_and_get_gives_the_commit_of_each_update(main: Stores) -> None:
    """SW-12, TC-033: equal test and set make none."""
    first = made(main.test_set_and_get("a", test=None, set="1", message="first"))
    second = made(main.test_set_and_get("a", test="1", set="2", message="second"))
    assert [c.info.message for c in (first, second)] == ["first", "second"]
    assert [c.tree().get("a") for c in (first, second)] == ["1", "2"]
    assert main.test_set_and_get("a", test="2", set="2") is None
    with pytest.raises(TestWas):
        main.test_set_and_get("a", test="1", set="2")
    third = made(main.test_set_and_get_tree("a", test=main.get_tree("a"), set=tree_of(x="3")))
    assert third.tree().get("a/x") == "3"
    assert main.head() == third


@pytest.mark.parametrize(
    ("old", "current", "value", "result"),
    [
        (None, None, "x", "x"),
        (None, None, None, None),
        (None, "x", None, "x"),
        (None, "x", "x", "x"),
        ("o", "o", "x", "x"),
        ("o", "o", None, None),
        ("o", "x", "o", "x"),
        ("o", None, "o", None),
        ("o", "x", "x", "x"),
        ("o", None, None, None),
    ],
)
def test_a_value_is_merged_into_what_is_there(
    main: Stores, old: str | None, current: str | None, value: str | None, result: str | None
) -> None:
    """SW-13: without a conflict; a commit exactly if the binding changes."""
    main.set("beside", "0")
    if current is not None:
        main.set("d/a", current)
    commit = main.merge("d/a", value, old=old, message="merged")
    assert main.find("d/a") == result
    assert (commit is None) is (current == result)
    assert main.get("beside") == "0"


@pytest.mark.parametrize(
    ("old", "current", "value"), [(None, "x", "y"), ("o", "x", "y"), ("o", None, "y"), ("o", "x", None)]
)
def test_a_merge_at_a_path_that_conflicts_says_where(
    main: Stores, old: str | None, current: str | None, value: str | None
) -> None:
    """SW-13: the path of a conflict starts at the root of the store, and nothing has changed."""
    main.set("beside", "0")
    if current is not None:
        main.set("d/a", current)
    head = main.head()
    with pytest.raises(MergeConflict) as caught:
        main.merge("d/a", value, old=old)
    (conflict,) = caught.value.conflicts
    assert isinstance(conflict, irminpy.Conflict)
    assert (conflict.path, conflict.ours, conflict.theirs) == (("d", "a"), current, value)
    assert main.head() == head
    main.merge("d/a", value, old=old, on_conflict="theirs")
    assert main.find("d/a") == value


def test_counters_add_up_and_may_be_absent() -> None:
    """SW-13: contents that merge are merged by their type, also where one side has none."""
    with Repo.open(Memory(), Schema(Counter())) as repo:
        main = repo.main()
        main.merge("n", 5, old=None)
        main.merge("n", 3, old=1)
        assert main.get("n") == 7
        main.merge("n", 2, old=None)
        assert main.get("n") == 9


def test_subtrees_are_merged_at_a_path(main: Stores) -> None:
    """SW-13, TC-026, TC-046: additions of both sides stay; None and an empty tree are nothing."""
    old = tree_of(a="1", b="2")
    main.set_tree("d", old)
    main.set("d/mine", "3")
    main.merge_tree("d", old.add("theirs", "4").remove("a"), old=old)
    assert main.get_tree("d") == tree_of(b="2", mine="3", theirs="4")
    main.merge_tree("new", tree_of(x="1"), old=None)
    assert main.get("new/x") == "1"
    assert main.merge_tree("new", tree_of(x="1"), old=Tree.empty(SCHEMA)) is None
    main.merge_tree("new", None, old=tree_of(x="1"))
    assert not main.mem_tree("new")
    main.merge_tree((), main.tree().add("top", "5"), old=main.tree())
    assert main.get("top") == "5"
    with pytest.raises(MergeConflict):
        main.merge_tree("top", tree_of(x="1"), old=None)


def test_metadata_is_tested_with_the_value_and_set_anew() -> None:
    """SW-03, SW-11: a value that is set without metadata has the default one."""
    kind = Own("kind/1", "", str.encode, bytes.decode, merge.default())
    with Repo.open(Memory(), Schema(String(), metadata=kind)) as repo:
        main = repo.main()
        main.set("a", "1", metadata="bold")
        assert main.get_all("a") == ("1", "bold")
        with pytest.raises(TestWas):
            main.test_and_set("a", test="1", set="2")
        bold = Tree.of_contents("1", repo.schema, metadata="bold")
        main.test_and_set_tree("a", test=bold, set=Tree.of_contents("2", repo.schema, metadata="thin"))
        assert main.get_all("a") == ("2", "thin")
        assert main.set("a", "2") is not None
        assert main.get_all("a") == ("2", "")
        assert main.test_and_set("a", test="2", set="3") is not None


def test_a_merge_keeps_the_metadata_of_the_side_that_changed_it() -> None:
    """SW-13: values without metadata have the default one, which is what the ancestor has too."""
    with Repo.open(
        Memory(), Schema(String(), metadata=Own("kind/1", "", str.encode, bytes.decode, merge.default()))
    ) as repo:
        main = repo.main()
        main.set("a", "1", metadata="bold")
        main.merge("a", "2", old="1")
        assert main.get_all("a") == ("2", "bold")


def test_contents_cannot_be_merged_into_the_root(main: Stores) -> None:
    """SW-03, SW-13."""
    attempts: list[Callable[[], Any]] = [
        lambda: main.merge((), "x", old=None),
        lambda: main.merge((), None, old="x"),
        lambda: main.merge_tree("", Tree.of_contents("x", SCHEMA), old=None),
    ]
    for attempt in attempts:
        with pytest.raises(DecodeError):
            attempt()
    assert main.find_head() is None


def test_with_tree_merges_contents_that_were_removed_meanwhile(main: Stores, repo: Repo[str, None]) -> None:
    """SW-17: removed by one, changed by the other is a conflict of those two, not of a file and a directory."""
    main.set("keep", "0")
    main.set("a", "1")

    def f(tree: Tree[str, None] | None) -> Tree[str, None]:
        repo.main().remove("a")
        return Tree.of_contents("2", SCHEMA)

    with pytest.raises(MergeConflict) as caught:
        main.with_tree("a", f, strategy="merge", retries=0)
    assert (caught.value.path, caught.value.reason) == (("a",), "add/del")
    main.set("a", "1")
    main.with_tree("a", f, strategy="merge", retries=0, on_conflict="theirs")
    assert main.get("a") == "2"


def test_with_tree_runs_again_on_a_conflict(main: Stores, repo: Repo[str, None]) -> None:
    """SW-17."""
    main.set("d/x", "0")
    seen: list[str] = []

    def f(tree: Tree[str, None] | None) -> Tree[str, None]:
        assert tree is not None
        seen.append(tree.get("x"))
        if len(seen) < 3:
            repo.main().set("d/x", f"other {len(seen)}")
        return tree.add("x", "mine")

    main.with_tree("d", f, strategy="merge")
    assert seen == ["0", "other 1", "other 2"]
    assert main.get("d/x") == "mine"
