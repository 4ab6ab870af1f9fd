"""What differs between two directories, from their shapes: subtrees with equal hashes are never read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

from .objects import Inode, Node
from .shape import EMPTY, Load, Place, Record, bucket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .formats.format import Codec

__all__ = ["differences"]


@final
class _Unread(NamedTuple):
    """Bucket number `i` of `parent`, not read yet."""

    parent: Inode
    i: int


_Side = Node | Inode | _Unread  # one side of a comparison


def _sides(codec: Codec, record: Record, depth: int) -> dict[int, _Side]:
    """The parts of `record` by the digit of their steps at `depth`; of a flat record they are made here."""
    if type(record) is Inode:
        return {digit: _Unread(record, i) for i, digit in enumerate(record.buckets)}
    steps = list(record.index)
    parts: dict[int, _Side] = {}
    hashes, size = record.hashes, codec.hash_size
    for digit, group in enumerate(codec.split(steps, codec.keys(steps), range(len(steps)), depth)):
        if not group:
            continue
        parts[digit] = Node(
            {steps[i]: at for at, i in enumerate(group)},
            bytes([record.kinds[i] for i in group]),
            b"".join([hashes[i * size : (i + 1) * size] for i in group]),
            {at: record.metadata[i] for at, i in enumerate(group) if i in record.metadata},
            b"".join([record.words[8 * i : 8 * i + 8] for i in group]),
        )
    return parts


def _same_bucket(x: _Side, y: _Side) -> bool:
    return type(x) is _Unread and type(y) is _Unread and x.parent.child(x.i) == y.parent.child(y.i)


def _resolve(load: Load, side: _Side) -> Record:
    return bucket(load, side.parent, side.i) if type(side) is _Unread else side


def differences(
    codec: Codec, load_a: Load, a: Record, load_b: Load, b: Record
) -> Iterator[tuple[str, Place | None, Place | None]]:
    """(step, place in `a`, place in `b`) for each step whose entries differ; None where a side has none.

    The order is by buckets, and by step where both sides are flat: it depends on the two directories alone.
    Subtrees with equal hashes are skipped unread. Cost: the nodes on the way to a difference, on both sides,
    each when it is reached.
    """
    stack: list[tuple[_Side, _Side]] = [(a, b)]
    while stack:
        left, right = stack.pop()
        x, y = _resolve(load_a, left), _resolve(load_b, right)
        if type(x) is Node and type(y) is Node:
            yield from _flat_differences(codec, x, y)
            continue
        if type(x) is Inode and type(y) is Inode and x.buckets == y.buckets and x.depth == y.depth:
            if x.hashes != y.hashes:
                found = _unlike(x.hashes, y.hashes, len(x.buckets))
                found.reverse()
                stack += [(_Unread(x, i), _Unread(y, i)) for i in found]
            continue
        depth = x.depth if type(x) is Inode else y.depth if type(y) is Inode else 0
        ours, theirs = _sides(codec, x, depth), _sides(codec, y, depth)
        for digit in sorted(ours.keys() | theirs.keys(), reverse=True):
            i, j = ours.get(digit, EMPTY), theirs.get(digit, EMPTY)
            if not _same_bucket(i, j):
                stack.append((i, j))


def _unlike(ours: bytes, theirs: bytes, n: int) -> list[int]:
    """The positions at which two columns of `n` hashes, which are not equal, differ."""
    size = len(ours) // n
    return [
        i for i, at in enumerate(range(0, n * size, size)) if ours[at : at + size] != theirs[at : at + size]
    ]


def _flat_differences(codec: Codec, x: Node, y: Node) -> Iterator[tuple[str, Place | None, Place | None]]:
    if x.head and x.head == y.head and len(x.hashes) == len(y.hashes):
        # The bytes of both differ in nothing but hashes.
        if x.hashes != y.hashes:
            steps = list(x.index)
            for at in _unlike(x.hashes, y.hashes, len(steps)):
                yield steps[at], (x, at), (y, at)
        return
    if x.hashes == y.hashes and x[:4] == y[:4]:  # wherever their children lie
        return
    ours, theirs = dict(x.entries()), dict(y.entries())
    steps = [step for step, entry in ours.items() if theirs.get(step) != entry]
    new = [step for step in theirs if step not in ours]
    if new:
        steps = sorted(steps + new, key=codec.order)
    for step in steps:
        i, j = x.index.get(step), y.index.get(step)
        yield step, None if i is None else (x, i), None if j is None else (y, j)
