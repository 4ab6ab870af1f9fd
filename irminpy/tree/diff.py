"""What differs between two trees, one binding at a time.

Directories are compared by the hashes of their nodes, so that what is shared is never read. This module knows
neither handles nor values: it gives the contents on both sides as they stand in their directories, unread. No
recursion: a path may have any number of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..comparison import differences
from ..core import unlike
from ..diff import Added, Change, Removed, Updated
from ..shape import Place, Record, bucket
from .edit import same
from .lazy import Child, Leaf, RepoSource, Stored
from .listing import bindings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..path import Path

__all__ = ["Contents", "change_of", "data_of", "differing", "held"]

T = TypeVar("T")

_MOST = 256
"""Pairs of nodes that are read at once, before the first difference in them is told."""

Contents = bytes | Leaf
"""Contents as a directory holds them."""


def differing(
    before: Stored | Leaf, after: Stored | Leaf
) -> Iterator[tuple[Path, Contents | None, Contents | None]]:
    """(path, contents before, contents after) for each path whose contents or metadata differ.

    None stands for nothing. A directory in the place of contents gives the contents at the path and the rest
    below it. What is gone comes before what took its place, so that the differences can be applied one after
    the other. Apart from that the order is that of `comparison.differences`, depth first: it depends on the
    bindings of the two trees alone.

    Cost: the nodes on the way to a difference, on both sides, when the iterator reaches them, a few hundred of them at
    once; no contents.
    """
    if isinstance(before, Leaf) and isinstance(after, Leaf) and same(before, after):
        return
    # INVARIANT: contents on both sides of a pair differ.
    path: list[str] = []
    root: Iterator[_Pair] = iter([((), before, after)])
    # Of each level the pairs, contents that come after them, and how many steps lead to it.
    levels: list[tuple[Iterator[_Pair], Contents | None, int]] = [(root, None, 0)]
    while levels:
        pairs, made, depth = levels[-1]
        del path[depth:]
        pair = next(pairs, None)
        if pair is None:
            levels.pop()
            if made is not None:
                yield tuple(path), None, made
            continue
        steps, a, b = pair
        path.extend(steps)
        gone, made = _contents(a), _contents(b)
        x, y = _directory(a), _directory(b)
        if x is None and y is None:
            yield tuple(path), gone, made
            continue
        if gone is not None:
            yield tuple(path), gone, None
        levels.append((_pairs(x, y), made, len(path)))


def held(directory: Stored, step: str, place: Place) -> Child:
    """The child of `directory` that `step` is bound to at `place`, unread: what is in memory, if it is."""
    child = directory.now.get(step)
    return directory.open(*place) if child is None else child


def data_of(contents: Contents) -> bytes:
    """The bytes of `contents`, which do not stay in memory; at most one read."""
    return contents.data(cache=False) if isinstance(contents, Leaf) else contents


def change_of(before: Contents | None, after: Contents | None, value: Callable[[Contents], T]) -> Change[T]:
    """The change from `before` to `after`, not both None, of what `value` makes of them."""
    if before is None:
        assert after is not None
        return Added(value(after))
    return Removed(value(before)) if after is None else Updated(value(before), value(after))


_Pair = tuple[tuple[str, ...], Child | None, Child | None]


def _pairs(a: Stored | None, b: Stored | None) -> Iterator[_Pair]:
    """Two directories where their entries differ, or those further below; None is a directory without entries."""
    if a is None or b is None:
        if a is not None:
            for step, child in bindings(a, cache=False):
                yield (step,), child, None
        if b is not None:
            for step, child in bindings(b, cache=False):
                yield (step,), None, child
        return
    if a.hash != b.hash:
        yield from _between(a, b, a.record(cache=False), b.record(cache=False))


def _between(a: Stored, b: Stored, x: Record, y: Record) -> Iterator[_Pair]:
    """As `_pairs`, between the parts `x` of `a` and `y` of `b`."""
    left, right = a.source, b.source
    # Then records lead to all that there is, and what is in memory need not be asked.
    plain = type(left) is RepoSource and type(right) is RepoSource and a.pins is b.pins is None
    found = None
    if plain and left.codec.looks:
        found = unlike(x, y, left.nodes.recent, left.node, right.nodes.recent, right.node, _MOST)
    if found is None:

        def child(directory: Stored, step: str, place: Place | None) -> Child | None:
            if place is None:
                return None
            return directory.open(*place) if plain else held(directory, step, place)

        for step, i, j in differences(left.codec, left.node, x, right.node, y):
            yield (step,), child(a, step, i), child(b, step, j)
        return
    for steps, p, q, at in found:
        if at >= 0:
            yield steps, a.open(p, at), b.open(q, at)
        else:
            # A bucket of a directory that `steps` lead to: no more of these calls are within each other than it has
            # levels.
            for more, c, d in _between(a, b, bucket(left.node, p, ~at), bucket(right.node, q, ~at)):
                yield steps + more, c, d


def _contents(child: Child | None) -> Contents | None:
    return child if isinstance(child, bytes | Leaf) else None


def _directory(child: Child | None) -> Stored | None:
    return child if isinstance(child, Stored) else None
