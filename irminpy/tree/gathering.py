"""Directories of a repository taken in at once: nodes and small values are read and checked in one call each.

What is in memory already is not asked for here, and what a call cannot tell is read node by node, as everywhere
(docs/decisions/086).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..objects import DIRECTORY, Inode
from ..shape import Record, bucket
from .lazy import Child, Leaf, RepoSource, Stored

__all__ = ["ROOM", "Pairs", "gathered", "in_parts"]

ROOM: Final = 1 << 20
"""Bytes of values that are held at once, with what they take besides."""
_MOST: Final = 1 << 12
"""Entries that one call takes in. Larger directories are taken bucket by bucket."""

Pairs = list[tuple[str, Child]]


def gathered(directory: Stored, room: int) -> tuple[int, Pairs] | None:
    """(room taken, all (step, child) of `directory` in the format's order), with values of up to `room` bytes.

    None if something of it is in memory or changed, it is large, or its repository cannot do so. Cost: one read per node
    and value.
    """
    source = directory.source
    if directory.now or type(source) is not RepoSource:
        return None
    return _gathered(source, directory.hash, directory.word, 0, -1, room)


def _gathered(
    source: RepoSource, hash: bytes, word: int, depth: int, count: int, room: int
) -> tuple[int, Pairs] | None:
    found = source.gather(hash, word, depth, count, _MOST, room)
    if found is None:
        return None
    _, values, used, steps, children = found
    if values == len(children):
        return used, list(zip(steps, children, strict=True))  # type: ignore[arg-type]  # all of them are values
    return used, [
        (step, child if type(child) is bytes else _opened(source, child))
        for step, child in zip(steps, children, strict=True)
    ]


def _opened(source: RepoSource, child: tuple[int, bytes, int]) -> Stored | Leaf:
    kind, hash_, word = child
    return (
        Stored(hash_, source, None, None, word)
        if kind == DIRECTORY
        else Leaf(source, hash_, None, None, word)
    )


def in_parts(directory: Stored, room: int) -> Iterator[tuple[int, Pairs]]:
    """(room taken, (step, child) of a part) for the parts of a directory that `gathered` does not give, in order.

    Nothing is kept. Raises DanglingHash, PrunedHash, Corrupted where the iterator reaches what is missing or wrong.
    """
    source, now = directory.source, directory.now
    stack: list[tuple[Inode, int]] = []
    current: Record | None = directory.record(cache=False)
    while current is not None:
        if type(current) is Inode:
            stack.append((current, 0))
        else:
            pairs: Pairs = []
            for step, i in current.index.items():
                child = now.get(step)
                pairs.append((step, directory.open(current, i) if child is None else child))
            yield 0, pairs
        current = None
        while stack and current is None:
            parent, i = stack.pop()
            if i == len(parent.buckets):
                continue
            stack.append((parent, i + 1))
            count = parent.below(i)
            part = None
            if count is not None and not now and type(source) is RepoSource:
                part = _gathered(source, parent.child(i), parent.word(i), parent.depth + 1, count, room)
            if part is None:
                current = bucket(source.node, parent, i)
            else:
                yield part
