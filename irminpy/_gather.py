"""All that a directory of the pack binds, in one call: its nodes and small values read, checked and taken apart.

For the default format and hash only, as `_frames`. What it gives is right; where it gives None, whoever asks goes from
node to node, and finds out what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from ._core import load_inode, load_node
from ._frames import Mapped, frame_in

__all__ = ["Gathered", "Unread", "gather"]

_NODE, _CONTENTS = 1, 2
_HASH = 32
_MOST_VALUE = 4096  # bytes with the domain; a longer value is read when it is asked for
_OVERHEAD = 64  # bytes that a value takes besides itself

Unread: TypeAlias = tuple[int, bytes, int]
"""Kind, hash and word."""
Gathered: TypeAlias = tuple[int, int, int, list[tuple[str, Any]]]


def gather(
    bases: list[int],
    segments: Sequence[Mapped],
    head: int,
    fanout: int,
    leaf: int,
    levels: int,
    empty: bytes,
    hash: bytes,
    word: int,
    depth: int,
    count: int,
    most: int,
    room: int,
    below: int,
    /,
) -> Gathered | None:
    """(nodes read, values read, room they took, (step, child) of all entries) of the directory `hash` at `word`.

    Or of a bucket at `depth`, of which the parent says that it has `count` entries; -1 for a directory. The order is
    that of the format. A child is the value of contents; or (kind, hash, word) of a directory, and of a value that is
    long, does not lie where its word says, or found no room: `room` bytes of values are given at most. Directories in
    it are taken in with what they hold, as (kind, hash, word, pairs, whether all are values), up to `below` levels of
    them, and up to the first of which not all could be.

    None where this cannot tell: more than `most` entries, metadata, a node without words, in no map, or not right.
    """
    reading = _Gathering((bases, segments, head), (fanout, leaf, levels, empty), most, room)
    try:
        pairs = reading.directory(hash, word, depth, count, below, nested=False)
    except ValueError:
        return None
    return None if pairs is None else (reading.nodes, reading.values, reading.used, pairs)


class _Gathering:
    """What was read until now."""

    def __init__(
        self,
        where: tuple[list[int], Sequence[Mapped], int],
        shape: tuple[int, int, int, bytes],
        most: int,
        room: int,
    ) -> None:
        self.where = where
        self.shape = shape
        self.most: int = most
        self.room = room
        self.nodes: int = 0
        self.values: int = 0
        self.used: int = 0
        self.full = False

    def directory(
        self, hash: bytes, word: int, depth: int, count: int, below: int, *, nested: bool
    ) -> list[tuple[str, Any]] | None:
        """The entries of a directory, or None. Raises ValueError for what is no node."""
        fanout, leaf, levels, empty = self.shape
        pairs: list[tuple[str, Any]] = []
        stack = [(hash, word, depth, count)]
        while stack:
            hash, word, depth, count = stack.pop()
            frame = None if hash == empty else frame_in(*self.where, _NODE, hash, word)
            if frame is None:
                return None
            data, words = frame
            self.nodes += 1
            if data[:1] == b"I":
                level, _, counts, hashes, _ = load_inode(data, _HASH, fanout, leaf, levels, empty)
                total = sum(counts)
                if level != depth or (count >= 0 and count != total) or total > self.most:
                    return None
                if len(words) != 8 * len(counts):
                    return None
                stack += [
                    (hashes[_HASH * i : _HASH * (i + 1)], _word(words, i), depth + 1, counts[i])
                    for i in range(len(counts) - 1, -1, -1)
                ]
                continue
            index, kinds, hashes, metadata, _ = load_node(data, _HASH, leaf, empty)
            n = len(kinds)
            if metadata or (count >= 0 and count != n) or n > self.most or len(words) != 8 * n:
                return None
            if any(a >= b for a, b in pairwise(index)):
                return None
            self.most -= n
            for i, step in enumerate(index):
                unread = kinds[i], hashes[_HASH * i : _HASH * (i + 1)], _word(words, i)
                child = self.value(unread) if unread[0] else self.inner(unread, below)
                if child is unread and nested and unread[0]:
                    return None
                pairs.append((step, child))
        return pairs

    def value(self, unread: Unread) -> Any:
        """The value, or `unread` if it is not to be given."""
        _, hash_, word = unread
        found = frame_in(*self.where, _CONTENTS, hash_, word) if self.used < self.room else None
        if found is None or found[0][:1] != b"B" or len(found[0]) > _MOST_VALUE:
            return unread
        value = found[0][1:]
        if len(value) + _OVERHEAD > self.room - self.used:
            return unread
        self.used += len(value) + _OVERHEAD
        self.values += 1
        return value

    def inner(self, unread: Unread, below: int) -> Any:
        """A directory in a directory with what it holds, or `unread`."""
        if self.full or not below:
            return unread
        before = self.nodes, self.values, self.used, self.most
        try:
            pairs = self.directory(unread[1], unread[2], 0, -1, below - 1, nested=True)
        except ValueError:
            pairs = None
        if pairs is None:
            self.full = True
            self.nodes, self.values, self.used, self.most = before
            return unread
        return *unread, pairs, all(type(child) is bytes for _, child in pairs)


def _word(words: bytes, i: int) -> int:
    return int.from_bytes(words[8 * i : 8 * i + 8], "little")
