"""From a hash to a word: a tail of what was written lately, in memory, before the index.

The index lags behind the log. What it does not hold yet lies in `tail`, which is made again from the frames when a
store is opened; so a look-up sees every batch at once. A word found here is a hint like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from .frame import BLOB, COMMIT, LARGE, NODE

__all__ = ["ALWAYS", "INDEXED", "MINIMAL", "Lookup", "Places"]

ALWAYS, MINIMAL = "always", "minimal"
INDEXED = {ALWAYS: frozenset((BLOB, LARGE, NODE, COMMIT)), MINIMAL: frozenset((COMMIT,))}
"""Strategy to the kinds of frames whose objects are indexed."""


class Places(Protocol):
    """The index of a generation: keys are a kind byte and a hash."""

    @property
    def end(self) -> int:
        """The virtual offset up to which frames are in it."""
        ...

    def find(self, kind: int, hash: bytes, /) -> int:
        """The word, or 0."""
        ...

    def find_many(self, kind: int, hashes: Sequence[bytes], /) -> list[int]:
        """The words, 0 for those that are not here."""
        ...

    def prefix(self, kind: int, prefix: str, limit: int, /) -> list[bytes]:
        """The hashes that begin with the hexadecimal digits, ascending."""
        ...

    def add(self, entries: Mapping[bytes, int], end: int, /) -> None:
        """Add entries, durably; from then on the index reaches to `end`."""
        ...


class Lookup:
    """The index `places`, or none, behind the tail. Look-ups need no lock."""

    __slots__ = ("_older", "_tail", "kinds", "places")

    def __init__(self, strategy: str, places: Places | None) -> None:
        self.kinds = INDEXED[strategy]
        """The kinds of frames that are indexed."""
        self.places = places
        self._tail: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}  # on its way into the index

    def __len__(self) -> int:
        return len(self._tail) + len(self._older)

    def recent(self, key: bytes) -> int:
        """The word of an object that the index does not hold yet, or 0."""
        return self._tail.get(key) or self._older.get(key, 0)

    def find(self, kind: int, hash: bytes) -> int:
        """The word of an object, or 0."""
        key = bytes((kind,)) + hash
        word = self.recent(key)
        if not word and self.places is not None:
            return self.places.find(kind, hash)
        return word

    def find_many(self, kind: int, hashes: Sequence[bytes]) -> list[int]:
        """The words of many objects, 0 for those that are not found."""
        prefix = bytes((kind,))
        words = [self.recent(prefix + hash_) for hash_ in hashes]
        places = self.places
        missing = [i for i, word in enumerate(words) if not word] if places is not None else []
        if places is not None and missing:
            for i, word in zip(missing, places.find_many(kind, [hashes[i] for i in missing]), strict=True):
                words[i] = word
        return words

    def prefix(self, kind: int, prefix: str, limit: int) -> list[bytes]:
        """The hashes that begin with the hexadecimal digits `prefix`, ascending; at most `limit`."""
        found = set[bytes]()
        for entries in (self._tail, self._older):
            found.update(
                key[1:] for key in list(entries) if key[0] == kind and key[1:].hex().startswith(prefix)
            )
        if self.places is not None:
            found.update(self.places.prefix(kind, prefix, limit))
        return sorted(found)[:limit]

    def add(self, entries: Mapping[bytes, int] | Iterable[tuple[bytes, int]]) -> None:
        """Objects that were written."""
        self._tail.update(entries)

    def turn(self) -> dict[bytes, int]:
        """The tail as it is now, to be put into the index; it is seen here until `turned`."""
        self._older, self._tail = self._tail, {}
        return self._older

    def turned(self, done: bool) -> None:
        """The tail of `turn` is in the index, or is not."""
        if not done:
            self._tail = {**self._older, **self._tail}
        self._older = {}
