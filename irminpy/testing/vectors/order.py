"""The order in which Irmin lists the differences of two trees, and how it merges what we call a conflict.

Both are functions of our own results, so that what Irmin computed can be compared with what we compute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from ...diff import Added, Change, Removed
from ...errors import MergeConflict
from ...merge import Conflict
from ...path import Path, step_bytes
from ...tree import Tree
from .values import shown

__all__ = ["as_irmin_merges", "diff_rows"]

Bound = Tree[bytes, None]
Node = dict[str, Any]


def _trie(paths: Iterator[Path]) -> Node:
    root: Node = {}
    for path in paths:
        at = root
        for step in path:
            at = at.setdefault(step, {})
    return root


def _steps(node: Node) -> list[str]:
    return sorted(node, key=step_bytes)


def diff_rows(before: Bound, after: Bound) -> list[Any]:
    """`before.diff(after)` as rows of the files, in Irmin's order (`tree.ml`, `diff_node` and `entries`).

    Irmin takes the entries of a directory in order, and directories that are on both sides later, the last first;
    each difference that it finds comes before those found so far.
    """
    found: dict[tuple[Path, str], Change[bytes]] = {}
    for path, change in before.diff(after):
        kind = (
            "added" if isinstance(change, Added) else "removed" if isinstance(change, Removed) else "updated"
        )
        found[path, kind] = change
    rows: list[tuple[Path, str]] = []
    stack: list[tuple[Path, Node]] = [((), _trie(path for path, _ in found))]
    while stack:
        path, node = stack.pop()
        for step in _steps(node):
            at = (*path, step)
            x, y = before.kind(at), after.kind(at)
            if x == y == "node":
                stack.append((at, node[step]))
                continue
            # Contents that make way come first; a directory that makes way comes after what replaces it.
            rows += [(at, kind) for kind in ("removed", "added", "updated") if (at, kind) in found]
            if x == "node":
                rows += [(below, "removed") for below in _entries(at, node[step])]
            elif y == "node":
                rows += [(below, "added") for below in _entries(at, node[step])]
    if len(rows) != len(found):
        return [["a difference that has no place in Irmin's order"]]
    return [_row(path, kind, found[path, kind]) for path, kind in reversed(rows)]


def _entries(path: Path, node: Node) -> list[Path]:
    """All contents below a directory that is on one side only: contents first, then directories, the last first."""
    found: list[Path] = []
    stack = [(path, node)]
    while stack:
        at, below = stack.pop()
        for step in _steps(below):
            if below[step]:
                stack.append(((*at, step), below[step]))
            else:
                found.append((*at, step))
    return found[::-1]


def _row(path: Path, kind: str, change: Change[bytes]) -> Any:
    where = [shown(step_bytes(step)) for step in path]
    if kind == "updated":
        assert change.before is not None
        assert change.after is not None
        return [where, {kind: [shown(change.before), shown(change.after)]}]
    value = change.after if kind == "added" else change.before
    assert value is not None
    return [where, {kind: shown(value)}]


def as_irmin_merges(conflict: Conflict) -> Any:
    """What a merge of commits by Irmin gives where we have a conflict; the conflict itself if Irmin has one, too.

    Irmin merges the contents and the directories of a directory apart, and a directory that is not there like an
    empty one. Where both come out, the directory wins (`node.ml`, `Merge_with_contents`).
    """
    sides = [conflict.base, conflict.ours, conflict.theirs]
    contents = [side if isinstance(side, bytes) else None for side in sides]
    trees: list[Bound | None] = [cast("Bound", side) if isinstance(side, Tree) else None for side in sides]
    if not any(tree is not None for tree in trees):
        return conflict
    value = _option(*contents)
    if isinstance(value, Conflict):
        return conflict
    schema = next(tree.schema for tree in trees if tree is not None)
    base, ours, theirs = [Tree.empty(schema) if tree is None else tree for tree in trees]
    try:
        merged = ours.merge(theirs, old=base, on_conflict=as_irmin_merges)
    except MergeConflict:
        return conflict
    return value if merged.is_empty() else merged


def _option(base: bytes | None, ours: bytes | None, theirs: bytes | None) -> bytes | Conflict | None:
    if ours == theirs or theirs == base:
        return ours
    return theirs if ours == base else Conflict("default")
