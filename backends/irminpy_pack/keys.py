"""Keys of a pack: `Direct` says where the object lies, `Indexed` leaves that to the index.

Two keys are equal, ordered and hashed by the hash of the object alone. A key changes in one way only: `promote`
turns an Indexed one into a Direct one, once its place is known; doing it again changes nothing.
"""

from __future__ import annotations

from typing import Any

from irminpy.errors import DecodeError
from irminpy.fields import NamedTuple
from irminpy.hash import Hash

from . import word as words

__all__ = ["Direct", "Indexed", "PackKey", "v_direct", "v_indexed"]


class Direct(NamedTuple):
    """The object `hash` lies in the frame of `length` bytes at the virtual `offset`: one read, no index."""

    hash: Hash
    offset: int
    length: int


class Indexed(NamedTuple):
    """Where the object `hash` lies is for the index to say."""

    hash: Hash


class PackKey:
    """A key of a pack store; see `inspect`. Pickled, it is Indexed: places are good in one store only."""

    __slots__ = ("_hash", "_word")

    def __init__(self, hash: Hash, word: int) -> None:
        self._hash = hash
        self._word = word

    @property
    def hash(self) -> Hash:
        """The hash of the object."""
        return self._hash

    @property
    def word(self) -> int:
        """Place, length and kind in 64 bits; 0 for an Indexed key."""
        return self._word

    def inspect(self) -> Direct | Indexed:
        """What the key says now. The length is at least 8 MiB where it is given as that."""
        word = self._word
        if not word:
            return Indexed(self._hash)
        return Direct(self._hash, words.offset_of(word), words.units_of(word) << 3)

    def promote(self, word: int) -> None:
        """Say from now on where the object lies; nothing happens to a Direct key."""
        if not self._word:
            self._word = word

    def __eq__(self, other: object) -> bool:
        return self._hash == other._hash if isinstance(other, PackKey) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._hash < other._hash if isinstance(other, PackKey) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._hash)

    def __repr__(self) -> str:
        return f"<PackKey {self.inspect()!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (PackKey, (self._hash, 0))


def v_direct(hash: Hash, offset: int, length: int, kind: int) -> PackKey:
    """A Direct key; DecodeError for a place that no frame can have."""
    if offset % 8 or length % 8 or not 0 < offset < words.LIMIT or length <= 0 or kind not in (1, 2, 3):
        raise DecodeError("key", f"offset {offset} and length {length} are no place of a frame", None)
    return PackKey(hash, words.pack(offset, length >> 3, kind))


def v_indexed(hash: Hash) -> PackKey:
    """An Indexed key."""
    return PackKey(hash, 0)
