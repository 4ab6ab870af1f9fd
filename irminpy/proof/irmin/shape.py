"""The rules that hold between the nodes of a proof of Irmin's formats, wherever one refers to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import DepthExceeded, ProofMismatch
from ...objects import BUCKET, ROOT, Inode, Node
from ..shown import Shown, find_place

if TYPE_CHECKING:
    from ...formats.format import Codec
    from ...shape import Record

__all__ = ["check_shape", "levels_of"]


class _Common(NamedTuple):
    """What the steps below a node, as far as they are shown, have in common."""

    sample: str
    """One of them."""
    levels: int
    """At so many depths, from the first on, they all have its digits."""


def levels_of(codec: Codec) -> int:
    """The depths at which there may be inodes; 0 in stores without them."""
    levels: int = getattr(codec, "levels", 0)
    return levels


def check_shape(codec: Codec, shown: Shown) -> None:
    """Raise ProofMismatch unless whatever refers to a revealed node says of it what it is.

    Of a bucket: that it is one level deeper, that it has so many entries as there may be, and that all steps below it
    have its index at its depth, as far as they are shown. Of a directory: that it is no bucket. Cost: in proportion
    to the entries; of each step in a bucket at most as many digits are computed as there are levels.
    """
    nodes, size = shown.nodes, codec.hash_size
    digits = _Digits(codec)
    if shown.root.kind == "node":
        _directory(nodes.get(shown.root.hash), shown, shown.root.hash, size)
    inodes: list[tuple[int, bytes, Inode]] = []
    for hash_, node in nodes.items():
        if type(node) is Inode:
            inodes.append((node.depth, hash_, node))
            continue
        hashes = node.hashes
        for i, kind in enumerate(node.kinds):
            if not kind:
                child = hashes[i * size : (i + 1) * size]
                _directory(nodes.get(child), shown, child, size)
    # The deepest first: what the steps below a bucket have in common is carried up.
    inodes.sort(key=lambda item: -item[0])
    known: dict[bytes, _Common | None] = {}
    for depth, hash_, inode in inodes:
        upper: _Common | None = None
        total = hidden = 0
        for i, child in enumerate(inode.children()):
            record = nodes.get(child)
            if record is None:
                hidden += 1
                continue
            _bucket(record, depth, shown, child, size)
            total += record.count
            if type(record) is Node and child not in known:
                known[child] = digits.common(list(record.index))
            below = known[child]
            if below is None:
                continue
            if below.levels <= depth or digits.at(below.sample, depth) != inode.buckets[i]:
                raise ProofMismatch(
                    f"misplaced entry: {below.sample!r:.80}, or one beside it, does not belong to its bucket "
                    f"{inode.buckets[i]} at depth {depth}",
                    find_place(shown, child, size),
                )
            upper = below if upper is None else digits.joined(upper, below)
        # A bucket that is not shown has one entry at least.
        if total + hidden > inode.count or (not hidden and total != inode.count):
            raise ProofMismatch(
                f"bad length: {inode.count}, and {total} entries are below"
                + (f" and {hidden} more buckets" if hidden else ""),
                find_place(shown, hash_, size),
            )
        known[hash_] = upper


def _directory(record: Record | None, shown: Shown, hash_: bytes, size: int) -> None:
    wrong = record is not None and (record.depth if type(record) is Inode else record.place == BUCKET)
    if wrong:
        raise ProofMismatch(
            "kind mismatch: a bucket in the place of a directory", find_place(shown, hash_, size)
        )


def _bucket(record: Record, depth: int, shown: Shown, hash_: bytes, size: int) -> None:
    fits = record.depth == depth + 1 if type(record) is Inode else record.place != ROOT
    if not fits or not record.count:
        raise ProofMismatch(
            "kind mismatch: no bucket of this depth in the place of one", find_place(shown, hash_, size)
        )


class _Digits:
    """The digits of steps, which may take a hash each."""

    def __init__(self, codec: Codec) -> None:
        self._digit = codec.digit
        self._levels = levels_of(codec)
        self._known: dict[str, list[int | None]] = {}

    def at(self, step: str, depth: int) -> int | None:
        """The digit of `step` at `depth`; None if it has none there."""
        known = self._known.setdefault(step, [])
        while len(known) <= depth:
            try:
                known.append(self._digit(step, len(known)))
            except DepthExceeded:
                known.append(None)
        return known[depth]

    def common(self, steps: list[str]) -> _Common | None:
        """What `steps` have in common."""
        if not steps:
            return None
        sample, levels = steps[0], self._levels
        for step in steps[1:]:
            levels = self._agreed(sample, step, levels)
        return _Common(sample, levels)

    def joined(self, a: _Common, b: _Common) -> _Common:
        """What the steps of both have in common."""
        return _Common(a.sample, self._agreed(a.sample, b.sample, min(a.levels, b.levels)))

    def _agreed(self, a: str, b: str, most: int) -> int:
        for depth in range(most):
            if self.at(a, depth) != self.at(b, depth) or self.at(a, depth) is None:
                return depth
        return most
