"""Directories of a repository taken in at once: nodes and small values are read and checked in one call each.

What is in memory already is not asked for here, and what a call cannot tell is read node by node, as everywhere
(docs/decisions/086).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ..objects import DIRECTORY, Inode
from ..shape import Record, bucket
from .lazy import Leaf, RepoSource, Source, Stored

__all__ = ["BELOW", "ROOM", "Pairs", "gathered", "in_parts", "opened"]

ROOM: Final = 1 << 20
"""Bytes of values that are held at once, with what they take besides."""
BELOW: Final = 8
"""Levels of directories that are taken in with the one that was asked for."""
_MOST: Final = 1 << 12
"""Entries that one call takes in. Larger directories are taken bucket by bucket."""

Pairs = list[tuple[str, Any]]
"""Steps and children: values, directories and contents to be read, or what `opened` makes such of, or a directory with
what it holds: (kind, hash, word, pairs, whether all are values)."""


def gathered(directory: Stored, room: int, below: int) -> tuple[int, Pairs] | None:
    """(room taken, all (step, child) of `directory` in the format's order), with values of up to `room` bytes.

    Directories in it come with what they hold up to `below` levels, as long as it is little. None if something of it is
    in memory or changed, it is large, or its repository cannot do so. Cost: one read per node and value.
    """
    source = directory.source
    if directory.now or type(source) is not RepoSource:
        return None
    return source.gather(directory.hash, directory.word, 0, -1, _MOST, room, below)


def opened(source: Source, child: tuple[int, bytes, int]) -> Stored | Leaf:
    """The directory or contents `child`, unread."""
    kind, hash_, word = child
    return (
        Stored(hash_, source, None, None, word)
        if kind == DIRECTORY
        else Leaf(source, hash_, None, None, word)
    )


def in_parts(directory: Stored, room: int, below: int) -> Iterator[tuple[str, Any]]:
    """(step, child) of a directory that `gathered` does not give, in the format's order, some thousand at a time.

    Nothing is kept. Raises DanglingHash, PrunedHash, Corrupted where the iterator reaches what is missing or wrong.
    """
    source, now = directory.source, directory.now
    stack: list[tuple[Inode, int]] = []
    current: Record | None = directory.record(cache=False)
    while current is not None:
        if type(current) is Inode:
            stack.append((current, 0))
        else:
            for step, i in current.index.items():
                child = now.get(step)
                yield step, directory.open(current, i) if child is None else child
        current = None
        while stack and current is None:
            parent, i = stack.pop()
            if i == len(parent.buckets):
                continue
            stack.append((parent, i + 1))
            count = parent.below(i)
            part = None
            if count is not None and not now and type(source) is RepoSource:
                hash_, word = parent.child(i), parent.word(i)
                part = source.gather(hash_, word, parent.depth + 1, count, _MOST, room, below)
            if part is None:
                current = bucket(source.node, parent, i)
            else:
                yield from part[1]
