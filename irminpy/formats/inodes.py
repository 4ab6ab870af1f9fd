"""How Irmin splits large directories: the configuration of inodes, and which child a step belongs to.

Source: irmin-pack 3.7.2, `conf.ml` and `inode.ml`. A directory of more than `entries` bindings is a tree of nodes with
at most `entries` children each. One of at most `stable` bindings is hashed as if it were flat all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from ..errors import DepthExceeded
from ..hash import HashFunction
from ..path import step_bytes
from ..repr import seeded_hash

__all__ = ["ChildOrder", "Custom", "Digits", "Inodes"]

_DEPTH_BITS: Final = 50  # an inode tree is at most as deep as this many bits of a hash tell steps apart
_HASHED_STEPS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Custom:
    """An order of the caller's: `function(depth, step)` gives the child, from 0 up, of a step in bytes.

    `name` is recorded in the schema.
    """

    name: str
    function: Callable[[int, bytes], int]


ChildOrder = Literal["seeded", "hash-bits"] | Custom
"""Irmin's `Seeded_hash` (steps that fall together can be chosen), `Hash_bits`, `Custom`."""


@dataclass(frozen=True, slots=True)
class Inodes:
    """Irmin's configuration of inodes: `entries` (a power of two, 2 to 256), `stable` (Irmin's `stable_hash`), `order`.

    A directory of at most `stable` bindings, from 0 up, has one object, whatever `entries` is. No store records
    these: whoever opens one must know them. ValueError for other parameters.
    """

    entries: int = 32
    stable: int = 256
    order: ChildOrder = "hash-bits"

    def __post_init__(self) -> None:
        if type(self.entries) is not int or self.entries not in (2, 4, 8, 16, 32, 64, 128, 256):
            raise ValueError(f"entries {self.entries!r}: use a power of two from 2 to 256")
        if type(self.stable) is not int or not 0 <= self.stable < 1 << 31:
            raise ValueError(f"stable {self.stable!r}: use a number from 0 up")
        if not isinstance(self.order, Custom) and self.order not in ("seeded", "hash-bits"):
            raise ValueError(f"order {self.order!r}: use 'seeded', 'hash-bits' or a Custom")

    @property
    def parameters(self) -> tuple[int | str, ...]:
        """(entries, stable, order), as in the identity of a schema."""
        order = f"custom:{self.order.name}" if isinstance(self.order, Custom) else self.order
        return (self.entries, self.stable, order)


class Digits(Protocol):
    """Which child of an inode a step belongs to."""

    levels: int
    """Depths at which there may be inodes: 0 to `levels` - 1."""

    def digit(self, step: str, depth: int, /) -> int:
        """The child of `step` in an inode of `depth`; DepthExceeded below the last level."""
        ...

    def keys(self, steps: list[str], /) -> list[bytes]:
        """What `split` needs to know of each step."""
        ...

    def split(
        self, steps: list[str], keys: list[bytes], rows: Sequence[int], depth: int, levels: int = 1, /
    ) -> list[list[int]]:
        """As `Codec.split`, one level at a time."""
        ...


def digits_of(inodes: Inodes, hash: HashFunction) -> Digits:
    """The order of `inodes`, over `hash`."""
    levels = _DEPTH_BITS // (inodes.entries.bit_length() - 1)
    if inodes.order == "hash-bits":
        return _Bits(inodes.entries, min(levels, 8 * hash.size // (inodes.entries.bit_length() - 1)), hash)
    if isinstance(inodes.order, Custom):
        return _Computed(inodes.entries, levels, inodes.order.function)
    return _Computed(inodes.entries, levels, lambda depth, step: seeded_hash(depth, step) % inodes.entries)


def _too_deep(step: str, levels: int) -> DepthExceeded:
    return DepthExceeded(step, f"more steps than a bucket holds belong together at all {levels} depths")


class _Computed:
    """The child is a function of depth and step: `Seeded_hash` and `Custom`."""

    __slots__ = ("_fanout", "_function", "levels")

    def __init__(self, fanout: int, levels: int, function: Callable[[int, bytes], int]) -> None:
        self._fanout = fanout
        self._function = function
        self.levels = levels

    def digit(self, step: str, depth: int, /) -> int:
        """The child of `step`."""
        return self._child(step, step_bytes(step), depth)

    def _child(self, step: str, key: bytes, depth: int) -> int:
        if depth >= self.levels:
            raise _too_deep(step, self.levels)
        try:
            child = self._function(depth, key)
        except (IndexError, ValueError) as e:
            raise DepthExceeded(step, f"the order of children has no answer at depth {depth}: {e}") from e
        if not 0 <= child < self._fanout:
            raise DepthExceeded(step, f"the order of children gives {child} at depth {depth}")
        return child

    def keys(self, steps: list[str], /) -> list[bytes]:
        """The bytes of the steps."""
        return [step_bytes(step) for step in steps]

    def split(
        self, steps: list[str], keys: list[bytes], rows: Sequence[int], depth: int, levels: int = 1, /
    ) -> list[list[int]]:
        """The `rows` by their child at `depth`."""
        groups: list[list[int]] = [[] for _ in range(self._fanout)]
        for row in rows:
            groups[self._child(steps[row], keys[row], depth)].append(row)
        return groups


class _Bits:
    """The child is what `log2 entries` bits of the hash of the step say, the first ones at depth 0: `Hash_bits`."""

    __slots__ = ("_digest", "_digest_many", "_fanout", "_hashed", "_size", "_width", "levels")

    def __init__(self, fanout: int, levels: int, hash: HashFunction) -> None:
        self._fanout = fanout
        self._width = fanout.bit_length() - 1
        self.levels = levels
        self._size = 8 * hash.size
        self._digest = hash.digest
        self._digest_many = hash.digest_many
        self._hashed: dict[str, bytes] = {}

    def _key(self, step: str) -> bytes:
        key = self._hashed.get(step)
        if key is None:
            if len(self._hashed) >= _HASHED_STEPS:
                self._hashed.clear()
            key = self._hashed[step] = self._digest(step_bytes(step))
        return key

    def digit(self, step: str, depth: int, /) -> int:
        """The child of `step`."""
        if depth >= self.levels:
            raise _too_deep(step, self.levels)
        return self._at(self._key(step), depth)

    def _at(self, key: bytes, depth: int) -> int:
        # A digit lies in at most two bytes, since it has at most 8 bits.
        at, skip = divmod(depth * self._width, 8)
        return (
            int.from_bytes(key[at : at + 2].ljust(2, b"\0"), "big") >> 16 - skip - self._width
            & self._fanout - 1
        )

    def keys(self, steps: list[str], /) -> list[bytes]:
        """The hashes of the steps."""
        return self._digest_many([step_bytes(step) for step in steps])

    def split(
        self, steps: list[str], keys: list[bytes], rows: Sequence[int], depth: int, levels: int = 1, /
    ) -> list[list[int]]:
        """The `rows` by their child at `depth`."""
        if depth >= self.levels and rows:
            raise _too_deep(steps[rows[0]], self.levels)
        groups: list[list[int]] = [[] for _ in range(self._fanout)]
        for row in rows:
            groups[self._at(keys[row], depth)].append(row)
        return groups


class NoDigits:
    """Of a format without inodes."""

    __slots__ = ()

    levels: Any = 0

    def digit(self, step: str, depth: int, /) -> int:
        """Raises DepthExceeded."""
        raise _too_deep(step, 0)

    def keys(self, steps: list[str], /) -> list[bytes]:
        """Nothing is needed."""
        return [b""] * len(steps)

    def split(
        self, steps: list[str], keys: list[bytes], rows: Sequence[int], depth: int, levels: int = 1, /
    ) -> list[list[int]]:
        """Raises DepthExceeded if there is anything to split."""
        if rows:
            raise _too_deep(steps[rows[0]], 0)
        return []
