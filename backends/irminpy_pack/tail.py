"""What was written lately and is not in the index yet: from hash to word, with a filter before it.

Nearly all that is asked is new, and is not here: the filter, some hundred kilobytes, says so without a look into
dicts of many thousand hashes, which each time would be somewhere else in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from irminpy.core import filter_add, filter_find

from .index import Entries, no_entries

__all__ = ["Tail"]

_BYTES: Final = 1 << 17
"""Of the filter. Of 65,536 hashes it takes one in thousands that are not here for one that is."""


@final
class Tail:
    """Words of objects, by kind and hash. One thread at a time adds; any may ask."""

    __slots__ = ("_filter", "entries")

    def __init__(self) -> None:
        self.entries: Entries = no_entries()
        self._filter: bytearray | None = bytearray(_BYTES)  # None if there are hashes too short for one

    def __len__(self) -> int:
        return sum(map(len, self.entries.values()))

    def find(self, kind: int, hash: bytes) -> int:
        """The word of an object, or 0."""
        return self.entries[kind].get(hash, 0)

    def find_many(self, kind: int, hashes: Iterable[bytes]) -> dict[bytes, int]:
        """The words of those of `hashes` that are here."""
        words = self.entries[kind]
        if not words:
            return {}
        some = hashes if self._filter is None else filter_find(self._filter, hashes)
        return {hash_: words[hash_] for hash_ in some if hash_ in words}

    def add(self, entries: Entries) -> int:
        """Add `entries`, over what is here; how many they are."""
        count = 0
        for kind, words in entries.items():
            if words:
                self._note(words)
                self.entries[kind].update(words)
                count += len(words)
        return count

    def add_older(self, entries: Entries) -> int:
        """Add those of `entries` that are not here; how many they are in all."""
        count = 0
        for kind, words in entries.items():
            self._note(words)
            here = self.entries[kind]
            for hash_, word in words.items():
                here.setdefault(hash_, word)
            count += len(words)
        return count

    def _note(self, words: dict[bytes, int]) -> None:
        # Before they are added: who asks meanwhile finds them, or not yet.
        if self._filter is not None:
            try:
                filter_add(self._filter, words, 0)
            except ValueError:
                self._filter = None
