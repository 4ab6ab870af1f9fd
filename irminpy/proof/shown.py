"""What a proof shows, hashed: objects by the hash that was computed from them, and the root they belong to.

This is what is verified, and what a producer records. Where an object is referred to several times, a proof reveals it
at the first of these places and blinds it at the others, so `opened` gives the one way to write down what is shown:
nodes in pre-order, where all entries of a node come before what is below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, final

from ..errors import ProofMismatch
from ..objects import DIRECTORY, Kind, Node
from ..path import join
from ..shape import Record

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from ..formats.format import Codec
    from ..key import KindedHash

__all__ = [
    "Encoded",
    "Opened",
    "Reads",
    "Shown",
    "check_together",
    "depth_of",
    "find_place",
    "opened",
    "place_of",
    "step_of",
]


Reads = dict[tuple[Kind, bytes], Record | bytes]
"""What was read, in the order of the first reads: nodes decoded, contents as the bytes of their type."""


@final
class Encoded(Mapping[bytes, Record]):
    """Nodes by hash, of which most are bytes as long as nobody asks for them.

    A look-up goes through the bytes (`core.follow`): few of the nodes that a proof shows are ever decoded.
    """

    __slots__ = ("_codec", "known")

    def __init__(self, codec: Codec, known: dict[bytes, bytes | Record]) -> None:
        self._codec = codec
        self.known = known
        """Each node decoded, or its canonical bytes."""

    def __getitem__(self, hash: bytes) -> Record:
        found = self.known[hash]
        if isinstance(found, bytes):
            found = self.known[hash] = self._codec.decode_node(found)
        return found

    def __contains__(self, hash: object) -> bool:
        return hash in self.known

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


class Shown(NamedTuple):
    """The root of a proof and the objects it reveals. INVARIANT: each lies under its own hash."""

    root: KindedHash
    nodes: Mapping[bytes, Record]
    contents: dict[bytes, bytes]
    """The bytes of the contents type."""
    apart: str = ""
    """Where a bucket is blinded that is revealed in another directory, in forms that allow it; else empty."""


def check_together(shown: Shown) -> None:
    """Raise ProofMismatch if a bucket is blinded that is revealed in another directory: strict verification."""
    if shown.apart:
        raise ProofMismatch(
            "inconsistent sharing: a bucket is blinded here and shown in another directory; Irmin writes it so, and "
            "strict=False takes it",
            shown.apart,
        )


class Opened(NamedTuple):
    """A node that a proof reveals, at the first place that leads to it."""

    hash: bytes
    record: Record
    reveals: bytearray
    """For each entry or bucket: 1 if the proof reveals at this place what it leads to."""
    parent: int
    """The number of the node that leads here, -1 for the root."""
    at: int
    """Which entry or bucket of the parent that is."""
    depth: int
    """Directories above it."""


def opened(
    root: bytes, nodes: Mapping[bytes, Record], contents: Container[bytes], hash_size: int
) -> list[Opened]:
    """The nodes that are reached from `root` through `nodes`, in pre-order, each once.

    `contents` are those that are revealed too. No recursion. Cost: in proportion to the entries of the nodes.
    """
    return list(_opened(root, nodes, contents, hash_size))


def _opened(
    root: bytes, nodes: Mapping[bytes, Record], contents: Container[bytes], hash_size: int
) -> Iterator[Opened]:
    """As `opened`, one by one."""
    if root not in nodes:
        return
    number = 0
    claimed = {root}
    values: set[bytes] = set()
    stack = [(root, -1, 0, 0)]
    while stack:
        hash_, parent, at, depth = stack.pop()
        record = nodes[hash_]
        hashes = record.hashes
        below: list[tuple[bytes, int, int, int]] = []
        if type(record) is Node:
            kinds = record.kinds
            reveals = bytearray(len(kinds))
            for i, kind in enumerate(kinds):
                child = hashes[i * hash_size : (i + 1) * hash_size]
                if kind:
                    if child in contents and child not in values:
                        values.add(child)
                        reveals[i] = 1
                elif child in nodes and child not in claimed:
                    claimed.add(child)
                    reveals[i] = 1
                    below.append((child, number, i, depth + 1))
        else:
            n = len(record.buckets)
            reveals = bytearray(n)
            for i in range(n):
                child = hashes[i * hash_size : (i + 1) * hash_size]
                if child in nodes and child not in claimed:
                    claimed.add(child)
                    reveals[i] = 1
                    below.append((child, number, i, depth))
        yield Opened(hash_, record, reveals, parent, at, depth)
        number += 1
        below.reverse()
        stack += below


def depth_of(shown: Shown, hash_size: int) -> int:
    """The most directories above a node that `shown` reveals, each at the first place that leads to it, as in `opened`.

    Cost: in proportion to the buckets, and to the directories that are bound.
    """
    nodes, root = shown.nodes, shown.root.hash
    deepest = 0
    claimed: set[bytes] = {root}
    stack: list[tuple[bytes, int]] = [(root, 0)] if root in nodes else []
    while stack:
        hash_, depth = stack.pop()
        deepest = max(deepest, depth)
        record = nodes[hash_]
        hashes = record.hashes
        below: list[tuple[bytes, int]] = []
        if type(record) is Node:
            kinds, own = record.kinds, depth + 1
        else:
            kinds, own = bytes(len(hashes) // hash_size), depth
        i = kinds.find(DIRECTORY)
        while i >= 0:
            child = hashes[i * hash_size : (i + 1) * hash_size]
            if child in nodes and child not in claimed:
                claimed.add(child)
                below.append((child, own))
            i = kinds.find(DIRECTORY, i + 1)
        below.reverse()
        stack += below
    return deepest


def step_of(node: Node, i: int) -> str:
    """The step at position `i`."""
    return next(step for step, at in node.index.items() if at == i)


def place_of(found: list[Opened], number: int, at: int | None = None) -> str:
    """Where node `number` stands, or what its entry `at` leads to: a path, and the digits of a bucket."""
    steps: list[str] = []
    digits: list[str] = []
    while number >= 0:
        node = found[number]
        if at is not None:
            if type(node.record) is Node:
                steps.append(step_of(node.record, at))
            elif not steps:
                digits.append(f"{node.record.buckets[at]:x}")
        at, number = node.at, node.parent
    return "/" + join(tuple(reversed(steps))) + (f" bucket {'.'.join(reversed(digits))}" if digits else "")


def find_place(shown: Shown, hash: bytes, hash_size: int) -> str:
    """The first place that leads to `hash`, empty if none does. Cost: in proportion to what stands before it."""
    if hash == shown.root.hash:
        return "/"
    found: list[Opened] = []
    for node in _opened(shown.root.hash, shown.nodes, shown.contents, hash_size):
        found.append(node)
        hashes = node.record.hashes
        if hash not in hashes:
            continue
        for at in range(len(node.reveals)):
            if hashes[at * hash_size : (at + 1) * hash_size] == hash:
                return place_of(found, len(found) - 1, at)
    return ""
