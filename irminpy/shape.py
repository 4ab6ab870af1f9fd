"""The shape of directories: when one is flat, when it is a tree of inner nodes. `reshape` keeps it so.

The shape is a function of the entries alone (docs/formats/native.md, "The shape of a directory"): at most
`codec.leaf` entries make one flat object, more make an inner node with a bucket per digit that occurs, and
each bucket follows the same rule one level deeper. All functions here are pure but for the nodes they load
through `Load` and hand to `nodes`.

No function recurses deeper than the number of digits of a step's hash, and that is bounded by the format.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, chain, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from .core import place
from .errors import Corrupted
from .hash import Hash
from .objects import ROOT, Inode, Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .formats.format import Codec

__all__ = [
    "EMPTY",
    "Load",
    "Place",
    "Record",
    "bucket",
    "build",
    "entries",
    "entry_at",
    "entry_of",
    "leaves",
    "listing",
    "page",
    "place_of",
    "put",
]

Record = Node | Inode
EMPTY = Node({}, b"", b"", {})


Place = tuple[Node, int]
"""Where a binding stands inside a directory: a flat record and a position in it."""


def entry_at(place: Place | None) -> bytes | None:
    """The entry at `place`, None for None."""
    return None if place is None else place[0].entry_at(place[1])


class Load(Protocol):
    """Gives the decoded node with a hash; raises DanglingHash, PrunedHash or Corrupted."""

    def __call__(self, hash: bytes, word: int = 0, /) -> Record:
        """The node with `hash`, which lies where `word` says, if that is known."""
        ...


def bucket(load: Load, parent: Inode, i: int) -> Record:
    """Bucket number `i` of `parent`, checked against the depth and the count that `parent` states.

    Cost: one read. Raises Corrupted when they do not fit: then `parent` lies about what it points at.
    """
    _, buckets, counts, hashes, words, _ = parent
    size = len(hashes) // len(buckets)
    hash_ = hashes[i * size : (i + 1) * size]
    child = load(hash_, int.from_bytes(words[8 * i : 8 * i + 8], "little")) if words else load(hash_)
    if len(counts) != len(buckets):
        fits = _fits(parent, i, child)
    elif type(child) is Node:
        fits = len(child.kinds) == counts[i] and child.place != ROOT
    else:
        fits = child.depth == parent.depth + 1 and sum(child.counts) == counts[i]
    if not fits:
        raise _unfit(hash_)
    return child


def _fits(parent: Inode, i: int, child: Record) -> bool:
    """Whether bucket number `i` of `parent` may be `child`."""
    depth, buckets, counts, _, _, _ = parent
    if type(child) is Node:
        count, here = len(child.kinds), child.place != ROOT
    else:
        count, here = child.count, type(child) is Inode and child.depth == depth + 1
    if len(counts) == len(buckets):
        return here and count == counts[i]
    # Each of the other buckets has one entry at least.
    return here and 0 < count <= parent.count - len(buckets) + 1


def _unfit(hash_: bytes) -> Corrupted:
    return Corrupted("", None, Hash(hash_), "a bucket whose depth or count is not what its parent states")


def entry_of(codec: Codec, load: Load, record: Record, step: str) -> bytes | None:
    """The entry of `step` below `record`, or None. Cost: at most one read per level."""
    return entry_at(place_of(codec, load, _nowhere, record, step))


def _nowhere(hash: bytes, /) -> None:
    return None


def place_of(
    codec: Codec, load: Load, recent: Callable[[bytes], Record | None], record: Record, step: str
) -> Place | None:
    """Where the binding of `step` stands below `record`, or None. Cost: at most one read per level.

    `recent` gives nodes that are at hand, by their hash: it is asked before `load` where the parent has words.
    """
    looks = codec.looks
    if looks:
        node, at = place(record, recent, step, looks)
        if at >= -1:
            return None if at < 0 else (node, at)
        record = node
    size = codec.hash_size
    if type(record) is Inode and not record.words:
        found = codec.bucket_of(load, record, step)
        if found is None:
            return None
        record = found
    # As `bucket`, in line: this is the way of every look-up.
    while type(record) is Inode:
        depth, buckets, counts, hashes, words, _ = record
        i = buckets.find(codec.digit(step, depth))
        if i < 0:
            return None
        hash_ = hashes[i * size : (i + 1) * size]
        child = recent(hash_) if words else None
        if child is None:
            child = load(hash_, int.from_bytes(words[8 * i : 8 * i + 8], "little")) if words else load(hash_)
        if len(counts) != len(buckets):
            fits = _fits(record, i, child)
        elif type(child) is Node:
            fits = len(child.kinds) == counts[i] and child.place != ROOT
        else:
            fits = child.depth == depth + 1 and sum(child.counts) == counts[i]
        if not fits:
            raise _unfit(hash_)
        record = child
    at = record.index.get(step, -1)
    return None if at < 0 else (record, at)


def entries(load: Load, record: Record) -> Iterator[tuple[str, bytes]]:
    """All (step, entry) pairs below `record` in the format's order.

    Cost: each node once, when it is reached.
    """
    for leaf in leaves(load, record):
        yield from leaf.entries()


def leaves(load: Load, record: Record) -> Iterator[Node]:
    """The flat records below `record`, or itself, in the format's order. Cost: as `entries`."""
    stack: list[tuple[Inode, int]] = []
    current: Record | None = record
    while current is not None:
        if type(current) is Inode:
            stack.append((current, 0))
        else:
            yield current
        current = None
        while stack:
            parent, i = stack.pop()
            if i < len(parent.buckets):
                stack.append((parent, i + 1))
                current = bucket(load, parent, i)
                break


def page(load: Load, record: Record, offset: int, length: int | None) -> Iterator[tuple[str, Place]]:
    """(step, place) of `length` bindings from number `offset` on (all the rest for None), in the format's order.

    Buckets before the page are skipped by their counts. Cost: the nodes on the page and those above them; where
    these have no counts of their buckets, one more read per bucket that is skipped.
    """
    left = record.count - offset if length is None else min(length, record.count - offset)
    stack: list[tuple[Inode, int]] = []
    current: Record | None = record
    while current is not None and left > 0:
        if type(current) is Inode:
            stack.append((current, 0))
        else:
            for i, step in enumerate(current.index):
                if i >= offset:
                    yield step, (current, i)
                    left -= 1
                    if not left:
                        return
            offset = max(0, offset - current.count)
        current = None
        while stack and current is None:
            parent, i = stack.pop()
            while i < len(parent.buckets):
                count = parent.below(i)
                if count is None:
                    current = bucket(load, parent, i)
                    count = current.count
                i += 1
                if offset < count:
                    stack.append((parent, i))
                    current = bucket(load, parent, i - 1) if current is None else current
                    break
                current = None
                offset -= count


def listing(codec: Codec, steps: list[str]) -> list[int]:
    """The positions of `steps`, which are those of a flat directory, in the order in which it is listed.

    That is the order of the inodes that it would consist of, if it were not flat: a function of the steps alone.
    """
    if len(steps) <= codec.leaf:
        return list(range(len(steps)))
    keys = codec.keys(steps)
    found: list[int] = []
    stack: list[tuple[list[int], int]] = [(list(range(len(steps))), 0)]
    while stack:
        rows, depth = stack.pop()
        if len(rows) <= codec.leaf:
            found += rows
        else:
            parts = codec.split(steps, keys, rows, depth)
            stack.extend((part, depth + 1) for part in reversed(parts) if part)
    return found


def build(
    codec: Codec,
    nodes: dict[bytes, bytes],
    steps: list[str],
    kinds: bytes,
    hashes: list[bytes],
    metadata: Mapping[str, bytes],
    depth: int = 0,
) -> bytes:
    """The hash of the directory with the given columns (in any order), its objects added to `nodes`.

    `metadata` holds the encoded metadata of the entries of kind `CONTENTS_META`. Raises DepthExceeded if more
    steps than a flat object holds agree in all digits of their hashes.
    """
    columns = _Columns(codec, nodes, steps, kinds, hashes, metadata)
    if len(steps) <= (codec.leaf if depth else codec.flat):
        encode = codec.encode_buckets if depth else codec.encode_nodes
        (hash_,) = columns.flat(columns.ordered(range(len(steps))), [len(steps)], encode)
        return hash_
    columns.keys = codec.keys(steps)
    return columns.inode(range(len(steps)), depth)


_Encode = Callable[[list[list[str]], bytes, list[bytes], "Mapping[str, bytes]"], list[bytes]]
"""`Codec.encode_nodes` or `Codec.encode_buckets`."""


class _Columns:
    """The entries of a directory that is built. They are told by their positions, of which lists are made: a tuple
    per entry would cost twice the time, much of it in the garbage collector.
    """

    __slots__ = ("codec", "hashes", "key", "keys", "kinds", "metadata", "nodes", "steps")

    def __init__(
        self,
        codec: Codec,
        nodes: dict[bytes, bytes],
        steps: list[str],
        kinds: bytes,
        hashes: list[bytes],
        metadata: Mapping[str, bytes],
    ) -> None:
        self.codec = codec
        self.nodes = nodes
        self.steps = steps
        self.keys: list[bytes] = []
        """The keys of the steps; nobody asks for those of a flat object."""
        self.kinds = kinds
        self.hashes = hashes
        self.metadata = metadata
        order = codec.order
        self.key: Callable[[int], Any] = steps.__getitem__ if order is None else lambda row: order(steps[row])

    def ordered(self, rows: Iterable[int]) -> list[int]:
        """The `rows` in the order of their steps."""
        return sorted(rows, key=self.key)

    def flat(self, rows: list[int], counts: list[int], encode: _Encode) -> list[bytes]:
        """The hashes of flat objects of `counts` of the `rows` each, which are in order within each; added."""
        codec = self.codec
        if len(rows) > 1:
            # Three times as fast as a comprehension per column.
            pick = itemgetter(*rows)
            steps, kinds, hashes = list(pick(self.steps)), bytes(pick(self.kinds)), list(pick(self.hashes))
        else:
            steps = [self.steps[row] for row in rows]
            kinds = bytes([self.kinds[row] for row in rows])
            hashes = [self.hashes[row] for row in rows]
        cuts = pairwise([0, *accumulate(counts)])
        data = encode([steps[at:end] for at, end in cuts], kinds, hashes, self.metadata)
        found = codec.digest_many(data)
        self.nodes.update(zip(found, data, strict=True))
        return found

    def inode(self, rows: Sequence[int], depth: int) -> bytes:
        """The hash of the inode of the entries `rows`, which are more than a flat object holds."""
        codec = self.codec
        # So many levels at once that a group will mostly fit a flat object.
        levels, room = 1, codec.fanout * codec.leaf
        while room < len(rows):
            levels += 1
            room *= codec.fanout
        return self._joined(codec.split(self.steps, self.keys, rows, depth, levels), depth)

    def _joined(self, groups: list[list[int]], depth: int) -> bytes:
        """The hash of the inode of `groups`, which are split by one digit or more, from that at `depth` on."""
        codec, leaf = self.codec, self.codec.leaf
        width = len(groups) // codec.fanout
        buckets: list[int] = []
        counts: list[int] = []
        flat: list[int] = []
        inodes: dict[int, bytes] = {}
        for digit in range(codec.fanout):
            part = groups[digit * width : (digit + 1) * width]
            count = sum(map(len, part))
            if not count:
                continue
            buckets.append(digit)
            counts.append(count)
            if count <= leaf:
                flat += self.ordered(part[0] if width == 1 else chain.from_iterable(part))
            elif width == 1:
                inodes[digit] = self.inode(part[0], depth + 1)
            else:
                inodes[digit] = self._joined(part, depth + 1)
        if inodes:
            rest = iter(self.flat(flat, [count for count in counts if count <= leaf], codec.encode_buckets))
            found = [inodes[digit] if digit in inodes else next(rest) for digit in buckets]
        else:
            found = self.flat(flat, counts, codec.encode_buckets)
        return put(codec, self.nodes, codec.encode_inode(depth, bytes(buckets), counts, b"".join(found)))


def put(codec: Codec, nodes: dict[bytes, bytes], data: bytes) -> bytes:
    """The hash of the object `data`, which is added to `nodes`."""
    hash_ = codec.digest(data)
    nodes[hash_] = data
    return hash_
