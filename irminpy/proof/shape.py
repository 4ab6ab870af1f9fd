"""The rules that hold between the nodes of a native proof, wherever one refers to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import ProofMismatch
from ..objects import Inode, Node
from ..shape import Record
from .shown import Shown, find_place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..formats.format import Codec

__all__ = ["check_shape"]


class _Digits(NamedTuple):
    """What the hashes of all steps below a node, as far as they are shown, have in common."""

    sample: int
    """The hash of one of them."""
    bits: int
    """In so many first bits they all agree."""
    step: str


def check_shape(codec: Codec, shown: Shown) -> None:
    """Raise ProofMismatch unless whatever refers to a revealed node says of it what it is.

    Of a bucket: that it is one level deeper, that it has so many entries, and that all steps below it have its digits,
    as far as they are shown. Of a directory: that it is no bucket. This holds wherever a revealed node is referred
    to, also where the proof blinds it. Cost: in proportion to the entries; each step in a bucket is hashed once.
    """
    nodes, size = dict(shown.nodes), codec.hash_size  # each is decoded once, and looked up often
    _directory(nodes.get(shown.root.hash), shown, shown.root.hash, size)
    inodes: list[_Inner] = []
    for hash_, node in nodes.items():
        if type(node) is Inode:
            inodes.append((node.depth, hash_, node, _shown_below(node, nodes, size)))
            continue
        hashes = node.hashes
        for i, kind in enumerate(node.kinds):
            if not kind:
                child = hashes[i * size : (i + 1) * size]
                _directory(nodes.get(child), shown, child, size)
    width, bits = codec.fanout.bit_length() - 1, 8 * size
    # The deepest first: what the steps below a bucket have in common is carried up.
    inodes.sort(key=lambda item: -item[0])
    known: dict[bytes, _Digits | None] = {}
    for depth, hash_, inode, children in inodes:
        upper: _Digits | None = None
        end = (depth + 1) * width
        for i, child, record in children:
            fits = type(record) is Node or (type(record) is Inode and record.depth == depth + 1)
            if not fits or record.count != inode.counts[i]:
                reason = "kind mismatch: a bucket whose depth or count is not what its parent states"
                raise ProofMismatch(reason, find_place(shown, child, size))
            if type(record) is Node and child not in known:
                known[child] = _common(codec, record, bits)
            below = known[child]
            if below is None:
                continue
            if below.bits < end or (below.sample >> (bits - end)) & (codec.fanout - 1) != inode.buckets[i]:
                raise _misplaced(below.step, depth, find_place(shown, child, size))
            if upper is None:
                upper = below
            else:
                agreed = bits - (upper.sample ^ below.sample).bit_length()
                upper = _Digits(upper.sample, min(upper.bits, below.bits, agreed), upper.step)
        # That it agrees in `depth` digits is said by what refers to this node, which is shown, too.
        known[hash_] = upper
    _one_place(reversed(inodes), shown, width, size)


_Inner = tuple[int, bytes, Inode, list[tuple[int, bytes, Record]]]
"""Depth, hash, and an inner node; of its buckets those that are shown: position, hash, node."""


def _shown_below(inode: Inode, nodes: dict[bytes, Record], size: int) -> list[tuple[int, bytes, Record]]:
    hashes = inode.hashes
    children = [hashes[at : at + size] for at in range(0, len(hashes), size)]
    return [(i, child, nodes[child]) for i, child in enumerate(children) if child in nodes]


def _one_place(inodes: Iterable[_Inner], shown: Shown, width: int, size: int) -> None:
    """Raise ProofMismatch if an inner node stands below two different sequences of digits; the highest come first.

    It has entries, and they have the digits of one place, whether or not any of them is shown.
    """
    digits: dict[bytes, int] = {}
    for _, hash_, inode, children in inodes:
        above = digits.get(hash_, 0) << width
        for i, child, record in children:
            if type(record) is Inode:
                here = above | inode.buckets[i]
                if digits.setdefault(child, here) != here:
                    reason = "misplaced entry: one bucket in places of different digits"
                    raise ProofMismatch(reason, find_place(shown, child, size))


def _directory(record: Node | Inode | None, shown: Shown, hash_: bytes, size: int) -> None:
    if type(record) is Inode and record.depth:
        raise ProofMismatch(
            "kind mismatch: a bucket in the place of a directory", find_place(shown, hash_, size)
        )


def _common(codec: Codec, node: Node, bits: int) -> _Digits:
    steps = list(node.index)
    keys = codec.keys(steps)
    low, high = int.from_bytes(min(keys), "big"), int.from_bytes(max(keys), "big")
    return _Digits(low, bits - (low ^ high).bit_length(), steps[0])


def _misplaced(step: str, depth: int, place: str) -> ProofMismatch:
    return ProofMismatch(
        f"misplaced entry: {step!r:.80}, or one beside it, lacks the digits of its bucket at level {depth}",
        place,
    )
