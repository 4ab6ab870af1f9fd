"""A filter before the index: it says of most contents that are new that they are new, without a look into LMDB.

Only to leave out what is there already, where a wrong no means that it is written twice. It is made from the index once
enough was asked to be worth the pass, and then told of all that goes there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from irminpy.core import filter_add, filter_find

from .index import Index

__all__ = ["MOST", "Absent"]

MOST: Final = 1 << 23
"""Entries of an index beyond which there is no filter: it would take more than 16 MiB."""
_BITS: Final = 10  # for each hash: of 40 that were not added one is taken for added
_LEAST: Final = 1 << 16
_SHARE: Final = 40  # to look a hash up, in some runs, takes about as long as to go over so many
_SHORTEST: Final = 16  # bytes of a hash, of which a filter takes its bits


@final
class Absent:
    """What is known to be absent from an index, of one kind. One thread at a time adds; any may ask."""

    __slots__ = ("_asked", "_bits", "_room", "kind")

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self._bits: bytearray | None = None
        self._room = 0  # how many more the filter is made for
        self._asked = 0  # since there is none, or it became too small

    def rest(self, hashes: list[bytes]) -> list[bytes]:
        """Those of `hashes` that may be in the index."""
        bits = self._bits
        if bits is None:
            self._asked += len(hashes)
            return hashes
        return filter_find(bits, hashes)

    def add(self, hashes: list[bytes], places: Index) -> None:
        """`hashes` were added to the index `places`. Raises IndexDamaged, StorageError; then there is no filter.

        Cost: now and then a pass over the hashes of this kind in the index.
        """
        bits, self._room = self._bits, self._room - len(hashes)
        if bits is not None and self._room >= 0:
            filter_add(bits, hashes, 0)
            return
        count = places.count
        if count > MOST or any(len(hash_) < _SHORTEST for hash_ in hashes):
            self.forget()
        elif bits is not None or self._asked * _SHARE >= count:
            self.forget()
            self._make(max(2 * count, _LEAST), places.keys(self.kind))

    def _make(self, room: int, pages: Iterable[list[bytes]]) -> None:
        bits = bytearray(1 << (room * _BITS // 8 - 1).bit_length())
        for page in pages:
            filter_add(bits, page, 1)
            room -= len(page)
        self._bits, self._room = bits, room

    def forget(self) -> None:
        """Whatever the index holds: nothing is known of it."""
        self._bits, self._room, self._asked = None, 0, 0
