"""Counting a tree: how many directories and contents, how deep, how wide."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from reprlib import repr as brief
from typing import Any, cast

from ..errors import DecodeError
from .lazy import Child, Leaf, Stored
from .listing import children, resident

__all__ = ["Stats", "stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """The size of a tree, or of the part of it that is in memory."""

    nodes: int = 0
    """Directories that are not empty, the root included."""
    leafs: int = 0
    """Contents."""
    skips: int = 0
    """Positions that were not looked into because they are not in memory."""
    depth: int = 0
    """Steps of the longest path."""
    width: int = 0
    """Children of the directory that has most."""

    def to_json(self) -> dict[str, int]:
        """Name to number."""
        return asdict(self)

    @staticmethod
    def from_json(value: Any) -> Stats:
        """The inverse of `to_json`; DecodeError for anything else."""
        try:
            found = Stats(**value)
        except TypeError:
            raise DecodeError("stats", f"{brief(value):.80}") from None
        if len(cast("dict[str, Any]", value)) != 5 or any(
            type(n) is not int or n < 0 for n in asdict(found).values()
        ):
            raise DecodeError("stats", f"{brief(value):.80}")
        return found


def stats(root: Child, *, force: bool) -> Stats:
    """The `Stats` below `root`; what is not in memory is a skip, or is read with `force`.

    Reads directories only, and keeps nothing of what was read: with `force`, contents count unread.
    """
    if type(root) is not Stored:
        lazy = type(root) is Leaf and not force and not root.loaded
        return Stats(skips=1) if lazy else Stats(leafs=1)
    nodes = leafs = skips = deepest = widest = 0
    stack = [(root, 0)]
    while stack:
        directory, depth = stack.pop()
        if not force and not resident(directory):
            skips += 1
            continue
        width = 0
        for _, child in children(directory):
            width += 1
            if type(child) is Stored:
                stack.append((child, depth + 1))
            elif force or type(child) is not Leaf or child.loaded:
                leafs += 1
            else:
                skips += 1
        if width:
            nodes += 1
            deepest = max(deepest, depth + 1)
            widest = max(widest, width)
    return Stats(nodes, leafs, skips, deepest, widest)
