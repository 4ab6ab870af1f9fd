"""From a hash to a word: a tail of what was written lately, in memory, before the index.

The index lags behind the log. What it does not hold yet lies in `tail`, which is made again from the frames when a
store is opened; so a look-up sees every batch at once. A word found here is a hint like any other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from irminpy.core import Words

from .absent import Absent
from .frame import BLOB, COMMIT, DIFFERENCE, LARGE, NODE
from .index import Entries, Index, IndexDamaged, no_entries
from .word import CONTENTS

__all__ = ["ALWAYS", "INDEXED", "MINIMAL", "Lookup"]

T = TypeVar("T")

ALWAYS, MINIMAL = "always", "minimal"
INDEXED = {ALWAYS: frozenset((BLOB, LARGE, NODE, DIFFERENCE, COMMIT)), MINIMAL: frozenset((COMMIT,))}
"""Strategy to the kinds of frames whose objects are indexed."""


class Lookup:
    """The index `places`, or none, behind the tail. Look-ups need no lock.

    `mend(lookup)` is called when the index turns out to be damaged: afterwards `places` is another one, or None with
    everything in the tail. Questions that come meanwhile wait for it.
    """

    __slots__ = (
        "_hash_size",
        "_mend",
        "_mending",
        "_older",
        "_tail",
        "absent",
        "added",
        "end",
        "kinds",
        "places",
    )

    def __init__(
        self, strategy: str, places: Index | None, mend: Callable[[Lookup], None], hash_size: int
    ) -> None:
        self.kinds = INDEXED[strategy]
        """The kinds of frames that are indexed."""
        self.places = places
        self.end = 0
        """The virtual offset up to which the index reaches."""
        self.absent = Absent(CONTENTS)
        """What contents the index does not hold, where that is known."""
        self.added = 0
        """About how many entries were added since the tail was turned; some may be the same."""
        self._mend = mend
        self._mending = threading.Lock()
        self._hash_size = hash_size
        self._tail = self._empty()
        self._older = self._empty()  # on its way into the index

    def __del__(self) -> None:
        # Not when it is replaced: others may be asking it. This may run while an index is being opened.
        if self.places is not None:
            self.places.abandon()

    def _empty(self) -> dict[int, Words]:
        return {kind: Words(self._hash_size) for kind in no_entries()}

    def __len__(self) -> int:
        return sum(map(len, (*self._tail.values(), *self._older.values())))

    def recent(self, kind: int, hash: bytes) -> int:
        """The word of an object that the index does not hold yet, or 0."""
        tail, older = (
            self._tail[kind],
            self._older[kind],
        )  # in this order, here and below: it may be turned meanwhile
        return tail.find(hash) or older.find(hash)

    def recent_many(self, kind: int, hashes: Collection[bytes]) -> dict[bytes, int]:
        """The words of those of `hashes` that the index does not hold yet."""
        tail, older = self._tail[kind], self._older[kind]
        found = tail.find_many(hashes)
        return older.find_many(hashes) | found if len(older) else found

    def find(self, kind: int, hash: bytes) -> int:
        """The word of an object, or 0."""
        word = self.recent(kind, hash)
        return word or self._ask(lambda places: places.find(kind, hash), lambda: self.recent(kind, hash))

    def find_many(self, kind: int, hashes: Collection[bytes]) -> dict[bytes, int]:
        """The words of those of `hashes` that are found."""
        found = self.recent_many(kind, hashes)
        return found | self._indexed(kind, _without(hashes, found))

    def known_contents(self, hashes: Collection[bytes]) -> dict[bytes, int]:
        """`find_many` of contents, for whoever can do without: it may miss what the index holds."""
        found = self.recent_many(CONTENTS, hashes)
        return found | self._indexed(CONTENTS, self.absent.rest(_without(hashes, found)))

    def _indexed(self, kind: int, hashes: list[bytes]) -> dict[bytes, int]:
        """The words of those that the index holds, or the tail by now."""
        if not hashes:
            return {}
        return self._ask(
            lambda places: _found(hashes, places.find_many(kind, hashes)),
            lambda: self.recent_many(kind, hashes),
        )

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
                self.absent.forget()
                self._mend(self)

    def prefix(self, kind: int, prefix: str, limit: int) -> list[bytes]:
        """The hashes that begin with the hexadecimal digits `prefix`, ascending; at most `limit`."""
        found = set(self._ask(lambda places: places.prefix(kind, prefix, limit), list[bytes]))
        for tail in (self._tail, self._older):
            found.update([hash_ for hash_ in tail[kind].hashes() if hash_.hex().startswith(prefix)])
        return sorted(found)[:limit]

    def add(self, entries: Entries) -> None:
        """Objects that were written."""
        for kind, words in entries.items():
            if words:
                self._tail[kind].add(words)
                self.added += len(words)

    def add_rows(self, rows: Iterable[tuple[bytes, int]]) -> None:
        """Objects that were written: kind byte and hash, and word."""
        entries = no_entries()
        for key, word in rows:
            entries[key[0]][key[1:]] = word
        self.add(entries)

    def turn(self) -> dict[int, Words]:
        """The tail as it is now, to be put into the index; it is seen here until `turned`."""
        self._older, self._tail, self.added = self._tail, self._empty(), 0
        return self._older

    def turned(self, done: bool) -> None:
        """The tail of `turn` is in the index, or is not."""
        if not done:
            # Into the tail that is there: others are adding to it.
            for kind, older in self._older.items():
                tail = self._tail[kind]
                tail.add({hash_: word for hash_, word in older.items() if not tail.find(hash_)})
                self.added += len(older)
        self._older = self._empty()


def _without(hashes: Collection[bytes], found: dict[bytes, int]) -> list[bytes]:
    return [hash_ for hash_ in hashes if hash_ not in found] if found else list(hashes)


def _found(hashes: Sequence[bytes], words: Sequence[int]) -> dict[bytes, int]:
    return {hash_: word for hash_, word in zip(hashes, words, strict=True) if word}
