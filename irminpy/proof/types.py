"""What a proof shows, as values: the parts of a tree that were read, and the hashes of the parts that were not.

`Contents`, `BlindedContents`, `Node`, `BlindedNode`, `Inode` and `Extender` stand where a directory binds something,
or at the root; `BlindedInode`, `InodeValues`, `InodeTree` and `InodeExtender` where a large directory has a bucket.
The names are Irmin's. Which of them a format has is its business: the native format has no extenders, and a blinded
bucket says how many entries it has.

Values only: nothing here is checked against a hash. Comparing, hashing and printing take no recursion, so that a proof
may be as deep as the limits allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, ClassVar, Generic, TypeAlias, cast

from ..hash import Hash
from ..types import C, M

__all__ = [
    "BlindedContents",
    "BlindedInode",
    "BlindedNode",
    "Bucket",
    "Contents",
    "Extender",
    "Inode",
    "InodeExtender",
    "InodeTree",
    "InodeValues",
    "Node",
    "Part",
    "State",
]


class Part:
    """What all parts of a proof share: two are equal if they show the same."""

    __slots__ = ()

    _fields: ClassVar[tuple[str, ...]] = ()
    _rows: ClassVar[str] = ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part):
            return NotImplemented
        return self is other or all(a == b for a, b in zip_longest(_tokens(self), _tokens(other)))

    def __hash__(self) -> int:
        return hash(tuple(_tokens(self)))

    def __repr__(self) -> str:
        """One level of it."""
        shown = [f"{name}={getattr(self, name)!r:.200}" for name in self._fields]
        if self._rows:
            rows = cast("tuple[tuple[Any, Part], ...]", getattr(self, self._rows))
            names = ", ".join(f"{label!r}: {type(child).__name__}" for label, child in rows[:8])
            shown.append(f"{self._rows}=<{len(rows)}: {names}{', …' if len(rows) > 8 else ''}>")
        return f"{type(self).__name__}({', '.join(shown)})"


def _tokens(part: Part) -> Iterator[object]:
    """What `part` consists of, in order: two parts have the same tokens exactly when they are the same."""
    stack: list[tuple[object, object]] = [(None, part)]
    while stack:
        label, item = stack.pop()
        yield label
        yield type(item)
        if not isinstance(item, Part):
            yield item
            continue
        for name in item._fields:  # pyright: ignore[reportPrivateUsage]
            value = getattr(item, name)
            if isinstance(value, Part):
                stack.append((None, value))
            else:
                yield value
        if item._rows:  # pyright: ignore[reportPrivateUsage]
            rows = cast("tuple[tuple[object, Part], ...]", getattr(item, item._rows))  # pyright: ignore[reportPrivateUsage]
            yield len(rows)
            stack.extend(reversed(rows))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Contents(Part, Generic[C, M]):
    """Contents that were read (PR-01)."""

    _fields: ClassVar[tuple[str, ...]] = ("value", "metadata")

    value: C
    metadata: M


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlindedContents(Part, Generic[M]):
    """Contents that were not read (PR-02)."""

    _fields: ClassVar[tuple[str, ...]] = ("hash", "metadata")

    hash: Hash
    metadata: M


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Node(Part, Generic[C, M]):
    """A flat directory with all its entries, in the order of the format (PR-03)."""

    _rows: ClassVar[str] = "entries"

    entries: tuple[tuple[str, State[C, M]], ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlindedNode(Part):
    """A directory that was not read (PR-04)."""

    _fields: ClassVar[tuple[str, ...]] = ("hash",)

    hash: Hash


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Inode(Part, Generic[C, M]):
    """The root of a large directory: how many entries it has, and each bucket by its digit, ascending (PR-05)."""

    _fields: ClassVar[tuple[str, ...]] = ("length",)
    _rows: ClassVar[str] = "proofs"

    length: int
    proofs: tuple[tuple[int, Bucket[C, M]], ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Extender(Part, Generic[C, M]):
    """A chain of inner nodes with one bucket each, from the root of a directory down (PR-06)."""

    _fields: ClassVar[tuple[str, ...]] = ("length", "segments", "proof")

    length: int
    segments: tuple[int, ...]
    proof: Bucket[C, M]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlindedInode(Part):
    """A bucket that was not read (PR-07); how many entries it has, in formats that say so beside the hash."""

    _fields: ClassVar[tuple[str, ...]] = ("hash", "length")

    hash: Hash
    length: int | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class InodeValues(Part, Generic[C, M]):
    """A bucket that is flat, with all its entries (PR-08)."""

    _rows: ClassVar[str] = "entries"

    entries: tuple[tuple[str, State[C, M]], ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class InodeTree(Part, Generic[C, M]):
    """A bucket that is an inner node, as `Inode` (PR-09)."""

    _fields: ClassVar[tuple[str, ...]] = ("length",)
    _rows: ClassVar[str] = "proofs"

    length: int
    proofs: tuple[tuple[int, Bucket[C, M]], ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class InodeExtender(Part, Generic[C, M]):
    """A chain as `Extender`, in the middle of a directory (PR-10)."""

    _fields: ClassVar[tuple[str, ...]] = ("length", "segments", "proof")

    length: int
    segments: tuple[int, ...]
    proof: Bucket[C, M]


State: TypeAlias = (
    Contents[C, M] | BlindedContents[M] | Node[C, M] | BlindedNode | Inode[C, M] | Extender[C, M]
)
"""What a proof shows of a tree: a directory or contents, read or not."""

Bucket: TypeAlias = BlindedInode | InodeValues[C, M] | InodeTree[C, M] | InodeExtender[C, M]
"""What a proof shows of a bucket."""
