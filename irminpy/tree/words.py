"""Where the children of nodes lie that were read to be changed: noted for each, looked through when asked."""

from __future__ import annotations

from ..objects import DIRECTORY, Inode, Kind, Objects, located, no_words
from ..objects import Words as Known
from ..shape import Record

__all__ = ["Words", "add"]


_NOTHING = no_words()  # never changed, as all that is known of words


class Words:
    """Kind and hash to word. Most are never asked for, so the columns are taken apart with the first question."""

    __slots__ = ("_known", "_noted")

    def __init__(self, known: Known | None = None) -> None:
        self._known: Known = _NOTHING if known is None else known
        self._noted: list[Record] = []

    @property
    def noted(self) -> list[Record]:
        """Records whose words are known; more may be added as long as nobody else has this object."""
        return self._noted

    def _all(self) -> Known:
        noted = self._noted
        if noted:
            known = {kind: words.copy() for kind, words in self._known.items()}
            for record in noted:
                add(known, record)
            # In this order: another thread then does the same again, and misses nothing.
            self._known = known
            self._noted = []
        return self._known

    def put(self, objects: Objects) -> None:
        """Tell `objects` all that is known."""
        for kind, words in self._all().items():
            objects.words[kind].update(words)

    def find(self, kind: Kind, hash: bytes) -> int:
        """The word of an object, or 0."""
        return self._all()[kind].get(hash, 0)

    def joined(self, other: Words) -> Words:
        """What this and `other` know; where they differ, what `other` says."""
        words = Words({kind: known | other._known[kind] for kind, known in self._known.items()})
        words._noted = self._noted + other._noted
        return words


def add(known: Known, record: Record) -> None:
    """Add the words of the children of `record` to `known`."""
    found = located(record.hashes, record.words)
    if type(record) is Inode or not any(record.kinds):
        known[Kind.NODE].update(found)
    elif DIRECTORY not in record.kinds:
        known[Kind.CONTENTS].update(found)
    else:
        size = len(record.hashes) // len(record.kinds)
        for i, kind in enumerate(record.kinds):
            words = known[Kind.NODE if kind == DIRECTORY else Kind.CONTENTS]
            words[record.hashes[i * size : (i + 1) * size]] = record.word(i)
