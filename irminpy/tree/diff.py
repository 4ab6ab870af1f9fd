"""What differs between two trees, one binding at a time.

Directories are compared by the hashes of their nodes, so that what is shared is never read. This module knows
neither handles nor values: it gives the contents on both sides as they stand in their directories, unread. No
recursion: a path may have any number of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..comparison import differences
from ..diff import Added, Change, Removed, Updated
from ..shape import Place
from .edit import same
from .lazy import Child, Leaf, Stored
from .listing import bindings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..path import Path

__all__ = ["Contents", "change_of", "data_of", "differing", "held"]

T = TypeVar("T")

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

    Cost: the nodes on the way to a difference, on both sides, when the iterator reaches them; no contents.
    """
    if isinstance(before, Leaf) and isinstance(after, Leaf) and same(before, after):
        return
    # The root is the entry of a step that no path shows. INVARIANT: contents on both sides of a pair differ.
    path: list[str] = []
    root: Iterator[_Pair] = iter([("", before, after)])
    levels: list[tuple[Iterator[_Pair], Contents | None]] = [(root, None)]
    while levels:
        pairs, made = levels[-1]
        pair = next(pairs, None)
        if pair is None:
            levels.pop()
            if made is not None:
                yield tuple(path[1:]), None, made
            if path:
                path.pop()
            continue
        step, a, b = pair
        path.append(step)
        gone, made = _contents(a), _contents(b)
        x, y = _directory(a), _directory(b)
        if x is None and y is None:
            yield tuple(path[1:]), gone, made
            path.pop()
            continue
        if gone is not None:
            yield tuple(path[1:]), gone, None
        levels.append((_pairs(x, y), made))


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


_Pair = tuple[str, Child | None, Child | None]


def _pairs(a: Stored | None, b: Stored | None) -> Iterator[_Pair]:
    """The steps of two directories whose entries differ; None is a directory without entries."""
    if a is None or b is None:
        if a is not None:
            for step, child in bindings(a, cache=False):
                yield step, child, None
        if b is not None:
            for step, child in bindings(b, cache=False):
                yield step, None, child
        return
    if a.hash == b.hash:
        return
    found = differences(
        a.source.codec, a.source.node, a.record(cache=False), b.source.node, b.record(cache=False)
    )
    for step, x, y in found:
        yield step, None if x is None else held(a, step, x), None if y is None else held(b, step, y)


def _contents(child: Child | None) -> Contents | None:
    return child if isinstance(child, bytes | Leaf) else None


def _directory(child: Child | None) -> Stored | None:
    return child if isinstance(child, Stored) else None
