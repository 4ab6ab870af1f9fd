"""Where the children of nodes lie that were read to be changed: noted for each, looked through when asked."""

from __future__ import annotations

from ..objects import located
from ..shape import Record

__all__ = ["Words"]


class Words:
    """Hash to word. Most are never asked for, so the columns are taken apart with the first question."""

    __slots__ = ("_known", "_noted")

    def __init__(self, known: dict[bytes, int] | None = None) -> None:
        self._known: dict[bytes, int] = {} if known is None else known
        self._noted: list[Record] = []

    def note(self, record: Record) -> None:
        """Know the words of the children of `record`. Only as long as nobody else has this object."""
        if record.words:
            self._noted.append(record)

    def all(self) -> dict[bytes, int]:
        """All that is known; to be read only."""
        noted = self._noted
        if noted:
            known = self._known.copy()
            for record in noted:
                known.update(located(record.hashes, record.words))
            # In this order: another thread then does the same again, and misses nothing.
            self._known = known
            self._noted = []
        return self._known

    def find(self, hash: bytes) -> int:
        """The word of `hash`, or 0."""
        return self.all().get(hash, 0) if self._noted or self._known else 0

    def joined(self, other: Words) -> Words:
        """What this and `other` know; where they differ, what `other` says."""
        words = Words(self._known | other._known)
        words._noted = self._noted + other._noted
        return words
