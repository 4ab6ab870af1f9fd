"""Patterns of paths: which paths of a tree look like one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import translate
from typing import TYPE_CHECKING, Any

from ..path import Path

if TYPE_CHECKING:
    from .tree import Tree

__all__ = ["glob"]

_ANY = "**"


def glob(tree: Tree[Any, Any], pattern: str | Sequence[str]) -> Iterator[tuple[Path, Tree[Any, Any]]]:
    """(path, subtree) of all that is bound to a path that looks like `pattern`, contents and directories.

    A step of the pattern takes `*`, `?`, `[…]` and `[!…]` as a shell does, a leading dot included; `**` stands for any
    number of steps, none too. Parents come before what is below, entries in the format's order, each once. Lazy. Cost:
    a look-up per step of the pattern without wildcards, else the directory; no contents.
    """
    parts = [part for part in pattern.split("/") if part] if isinstance(pattern, str) else [*pattern]
    steps: list[str] = [part for i, part in enumerate(parts) if part != _ANY or parts[i - 1 : i] != [_ANY]]
    tests = [None if part == _ANY or not _wild(part) else re.compile(translate(part)) for part in steps]
    end = len(steps)

    def open_up(places: frozenset[int]) -> frozenset[int]:
        """`places` in the pattern, and those behind a `**` that may stand for nothing."""
        more = {place + 1 for place in places if place < end and steps[place] == _ANY}
        return places if more <= places else open_up(places | more)

    def after(places: frozenset[int], step: str) -> frozenset[int]:
        found: set[int] = set()
        for place in places:
            if place == end:
                continue
            test = tests[place]
            if steps[place] == _ANY:
                found.add(place)
            elif step == steps[place] if test is None else test.match(step) is not None:
                found.add(place + 1)
        return open_up(frozenset(found))

    def entries(node: Tree[Any, Any], places: frozenset[int]) -> Iterator[tuple[str, Tree[Any, Any]]]:
        going = [place for place in places if place < end]
        if any(steps[place] == _ANY or tests[place] is not None for place in going):
            return node.seq(cache=False)
        named = dict.fromkeys(steps[place] for place in going)
        found = [(step, node.find_tree((step,))) for step in named]
        return iter([(step, below) for step, below in found if below is not None])

    start = open_up(frozenset([0]))
    if end in start:
        yield (), tree
    # A stack of its own: a path may have any number of steps.
    path: list[str] = []
    levels = [(entries(tree, start), start)]
    while levels:
        left, places = levels[-1]
        pair = next(left, None)
        if pair is None:
            levels.pop()
            if path:
                path.pop()
            continue
        step, below = pair
        now = after(places, step)
        if end in now:
            yield (*path, step), below
        if now - {end} and below.kind() == "node":
            path.append(step)
            levels.append((entries(below, now), now))


def _wild(step: str) -> bool:
    return any(c in step for c in "*?[")
