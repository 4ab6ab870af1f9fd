"""All that a directory of the pack binds, in one call: its nodes and small values read, checked and taken apart.

For the default format and hash only, as `_frames`. What it gives is right; where it gives None, whoever asks goes from
node to node, and finds out what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from ._core import load_inode, load_node
from ._frames import Mapped, frame_in

__all__ = ["Gathered", "gather"]

_NODE, _CONTENTS = 1, 2
_HASH = 32
_MOST_VALUE = 4096  # bytes with the domain; a longer value is read when it is asked for
_OVERHEAD = 64  # bytes that a value takes besides itself

Gathered: TypeAlias = tuple[int, int, int, list[str], list[bytes | tuple[int, bytes, int]]]


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
    /,
) -> Gathered | None:
    """(nodes read, values read, room they took, steps, children) of the directory `hash` at `word`.

    Or of a bucket at `depth`, of which the parent says that it has `count` entries; -1 for a directory. Steps come in the
    order of the format. A child is the value of contents, or (kind, hash, word): of a directory, and of a value that is
    long, does not lie where its word says, or found no room. `room` bytes of values are given at most.

    None where this cannot tell: more than `most` entries, metadata, a node without words, in no map, or not right.
    """
    steps: list[str] = []
    found: list[bytes | tuple[int, bytes, int]] = []
    nodes = values = used = 0
    stack = [(hash, word, depth, count)]
    try:
        while stack:
            hash, word, depth, count = stack.pop()
            frame = None if hash == empty else frame_in(bases, segments, head, _NODE, hash, word)
            if frame is None:
                return None
            data, words = frame
            nodes += 1
            if data[:1] == b"I":
                level, _, counts, hashes, _ = load_inode(data, _HASH, fanout, leaf, levels, empty)
                total = sum(counts)
                if level != depth or (count >= 0 and count != total) or total > most - len(steps):
                    return None
                if len(words) != 8 * len(counts):
                    return None
                below = [
                    (hashes[_HASH * i : _HASH * (i + 1)], _word(words, i), depth + 1, counts[i])
                    for i in range(len(counts))
                ]
                stack += reversed(below)
                continue
            index, kinds, hashes, metadata, _ = load_node(data, _HASH, leaf, empty)
            n = len(kinds)
            if metadata or (count >= 0 and count != n) or n > most - len(steps) or len(words) != 8 * n:
                return None
            if any(a >= b for a, b in pairwise(index)):
                return None
            steps += index
            for i, kind in enumerate(kinds):
                child = hashes[_HASH * i : _HASH * (i + 1)]
                place = _word(words, i)
                value = None
                if kind and used < room:
                    value = frame_in(bases, segments, head, _CONTENTS, child, place)
                if value is None or value[0][:1] != b"B" or len(value[0]) > _MOST_VALUE:
                    found.append((kind, child, place))
                    continue
                took = len(value[0]) - 1 + _OVERHEAD
                if took > room - used:
                    found.append((kind, child, place))
                    continue
                used += took
                values += 1
                found.append(value[0][1:])
    except ValueError:
        return None
    return nodes, values, used, steps, found


def _word(words: bytes, i: int) -> int:
    return int.from_bytes(words[8 * i : 8 * i + 8], "little")
