"""From a hash to a word: a tail of what was written lately, in memory, before the index.

The index lags behind the log. What it does not hold yet lies in `tail`, which is made again from the frames when a
store is opened; so a look-up sees every batch at once. A word found here is a hint like any other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from .frame import BLOB, COMMIT, LARGE, NODE
from .index import Index, IndexDamaged

__all__ = ["ALWAYS", "INDEXED", "MINIMAL", "Lookup"]

T = TypeVar("T")

ALWAYS, MINIMAL = "always", "minimal"
INDEXED = {ALWAYS: frozenset((BLOB, LARGE, NODE, COMMIT)), MINIMAL: frozenset((COMMIT,))}
"""Strategy to the kinds of frames whose objects are indexed."""


class Lookup:
    """The index `places`, or none, behind the tail. Look-ups need no lock.

    `mend(lookup)` is called when the index turns out to be damaged: afterwards `places` is another one, or None with
    everything in the tail. Questions that come meanwhile wait for it.
    """

    __slots__ = ("_mend", "_mending", "_older", "_tail", "end", "kinds", "places")

    def __init__(self, strategy: str, places: Index | None, mend: Callable[[Lookup], None]) -> None:
        self.kinds = INDEXED[strategy]
        """The kinds of frames that are indexed."""
        self.places = places
        self.end = 0
        """The virtual offset up to which the index reaches."""
        self._mend = mend
        self._mending = threading.Lock()
        self._tail: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}  # on its way into the index

    def __del__(self) -> None:
        # Not when it is replaced: others may be asking it. This may run while an index is being opened.
        if self.places is not None:
            self.places.abandon()

    def __len__(self) -> int:
        return len(self._tail) + len(self._older)

    def recent(self, key: bytes) -> int:
        """The word of an object that the index does not hold yet, or 0."""
        return self._tail.get(key) or self._older.get(key, 0)

    def find(self, kind: int, hash: bytes) -> int:
        """The word of an object, or 0."""
        key = bytes((kind,)) + hash
        word = self.recent(key)
        return word or self._ask(lambda places: places.find(kind, hash), lambda: self.recent(key))

    def find_many(self, kind: int, hashes: Sequence[bytes]) -> list[int]:
        """The words of many objects, 0 for those that are not found."""
        prefix = bytes((kind,))
        words = [self.recent(prefix + hash_) for hash_ in hashes]
        missing = [i for i, word in enumerate(words) if not word]
        if missing:
            wanted = [hashes[i] for i in missing]
            found = self._ask(
                lambda places: places.find_many(kind, wanted),
                lambda: [self.recent(prefix + hash_) for hash_ in wanted],
            )
            for i, word in zip(missing, found, strict=True):
                words[i] = word
        return words

    def _ask(self, question: Callable[[Index], T], without: Callable[[], T]) -> T:
        """The answer of the index; of the tail alone if there is none. Raises StorageError if it cannot be used now."""
        while True:
            places = self.places
            if places is None:
                return without()
            try:
                return question(places)
            except IndexDamaged:
                self.mend(places)

    def mend(self, damaged: Index) -> None:
        """Have the index that is damaged replaced, unless somebody else has done so."""
        with self._mending:
            if self.places is damaged:
                self._mend(self)

    def prefix(self, kind: int, prefix: str, limit: int) -> list[bytes]:
        """The hashes that begin with the hexadecimal digits `prefix`, ascending; at most `limit`."""
        found = set(self._ask(lambda places: places.prefix(kind, prefix, limit), list[bytes]))
        for entries in (self._tail, self._older):
            found.update(
                key[1:] for key in list(entries) if key[0] == kind and key[1:].hex().startswith(prefix)
            )
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
