"""Patterns of paths, against a plain model."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import Tree
from irminpy.tree.glob import glob

STEPS = st.sampled_from(["a", "b", "ab", ".c", "[x]", "é"])
PATHS = st.lists(STEPS, min_size=1, max_size=4).map(tuple)
PARTS = st.sampled_from(["a", "b", "*", "**", "?", "a*", "[ab]", "[!a]", "[[]x]", ".?", "ab"])
PATTERNS = st.lists(PARTS, max_size=5)


def tree_of(*paths: tuple[str, ...]) -> Tree[bytes, None]:
    tree = Tree.empty()
    for path in paths:
        tree = tree.add(path, b"x")
    return tree


def looks_like(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return looks_like(path, pattern[1:]) or (bool(path) and looks_like(path[1:], pattern))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and looks_like(path[1:], pattern[1:])


@given(st.lists(PATHS, max_size=8), PATTERNS)
def test_all_that_looks_like_the_pattern_and_nothing_else_is_found_once(
    paths: list[tuple[str, ...]], pattern: list[str]
) -> None:
    tree = tree_of(*paths)
    every: list[tuple[str, ...]] = []
    stack: list[tuple[tuple[str, ...], Tree[bytes, None]]] = [((), tree)]
    while stack:
        path, below = stack.pop()
        every.append(path)
        stack.extend(((*path, step), child) for step, child in below.seq())
    expected = sorted(path for path in every if looks_like(path, tuple(pattern)))
    found = list(glob(tree, pattern))
    assert sorted(path for path, _ in found) == expected
    assert all(below == tree.get_tree(path) for path, below in found)
    order = {path: i for i, (path, _) in enumerate(found)}
    assert all(order[path] > order[path[:-1]] for path in order if path[:-1] in order and path)


def test_a_pattern_is_text_or_steps() -> None:
    tree = tree_of(("a", "b"), ("a", "c", "d"))
    assert [path for path, _ in glob(tree, "/a/*/")] == [("a", "b"), ("a", "c")]
    assert [path for path, _ in glob(tree, ["a", "**", "d"])] == [("a", "c", "d")]
    assert [path for path, _ in glob(tree, "")] == [()]
    assert list(glob(tree, "a/b/c")) == []


def test_steps_without_wildcards_are_looked_up_and_directories_not_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree = tree_of(("a", "b", "c"), ("x", "b", "c"))

    def listed(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a directory was listed")

    monkeypatch.setattr(Tree, "seq", listed)
    assert [path for path, _ in glob(tree, "a/b/c")] == [("a", "b", "c")]
    with pytest.raises(AssertionError):
        list(glob(tree, "a/*"))


def test_a_very_deep_tree_is_searched_without_recursion() -> None:
    path = ("d",) * 3000
    assert [found for found, _ in glob(tree_of(path), "**/d")][-1] == path
