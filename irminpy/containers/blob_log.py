"""A log in one value: short to read, but every append writes all of it anew. See `linked_log` for long ones."""

from __future__ import annotations

from collections import Counter as Counts
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, Unpack

from .. import merge as merges
from ..commit import Commit
from ..contents import Contents, Msgpack
from ..errors import DecodeError
from ..merge import Conflict, NoAncestor, Old
from ..path import PathLike
from ..store import Store, Writing
from .place import Place
from .stamp import Clock, Stamped, after, check, machine_clock, parts

T = TypeVar("T")

Entries: TypeAlias = tuple[Stamped[T], ...]
"""The entries of a log, the newest first."""

_Row: TypeAlias = tuple[int, bytes]  # a time stamp and the canonical bytes of an entry
_MSGPACK = Msgpack()


@dataclass(frozen=True)
class BlobLogContents(Generic[T]):
    """The contents of logs with entries of the type `of`.

    The bytes are those of `Msgpack` for a list of [time stamp, bytes of the entry], the newest first, and of
    equal times the one with the greater bytes first.
    """

    of: Contents[T]

    @property
    def id(self) -> str:
        """Such as "blob-log(string/1)/1"."""
        return f"blob-log({self.of.id})/1"

    def encode(self, value: Entries[T], /) -> bytes:
        """The canonical bytes of `value`; TypeError if it is no tuple of Stamped, DecodeError if it is not in
        order.
        """
        rows = self._rows(value)
        if rows != sorted(rows, reverse=True):
            raise DecodeError(f"value of {self.id}", "its entries are not in order, the newest first")
        return _MSGPACK.encode([list(row) for row in rows])

    def decode(self, data: bytes, /) -> Entries[T]:
        """The entries whose canonical bytes are `data`; DecodeError for all other bytes."""
        rows: list[_Row] = []
        read: object = _MSGPACK.decode(data)
        items = parts(read)
        if type(read) is not list:
            raise DecodeError(self.id, "it is not a list")
        for item in items:
            row = parts(item)
            if [type(part) for part in row] != [int, bytes]:
                raise DecodeError(self.id, "its items are not pairs of a time stamp and bytes")
            rows.append((check(self.id, row[0]), row[1]))
        if rows != sorted(rows, reverse=True):
            raise DecodeError(self.id, "its entries are not in order, the newest first")
        return tuple([Stamped(self.of.decode(entry), timestamp) for timestamp, entry in rows])

    def merge(
        self, old: Old[Entries[T] | None], ours: Entries[T] | None, theirs: Entries[T] | None, /
    ) -> Entries[T] | Conflict | None:
        """The entries of the ancestor and those that either side added, by time; deleting what changed
        conflicts.
        """

        def equal(left: Entries[T], right: Entries[T]) -> bool:
            return self._rows(left) == self._rows(right)

        return merges.option(self._union, equal=equal)(old, ours, theirs)

    def _union(self, old: Old[Entries[T]], ours: Entries[T], theirs: Entries[T], /) -> Entries[T]:
        # Not "what is newer than the ancestor's newest": after merges, a side has older entries that are new.
        left, right = self._rows(ours), self._rows(theirs)
        counts = Counts(left) + Counts(right)
        if not isinstance(old, NoAncestor):
            counts -= Counts(self._rows(old))
        by_row = dict(zip([*left, *right], [*ours, *theirs], strict=True))
        return tuple([by_row[row] for row in sorted(counts.elements(), reverse=True)])

    def _rows(self, value: Entries[T]) -> list[_Row]:
        if type(value) is not tuple or not all(isinstance(entry, Stamped) for entry in value):  # pyright: ignore
            raise TypeError(f"contents of type {self.id} are a tuple of Stamped")
        what = f"value of {self.id}"
        return [(check(what, entry.timestamp), self.of.encode(entry.value)) for entry in value]


class BlobLog(Generic[T]):
    """The log at `path` of `store`, whose contents are `BlobLogContents`.

    An entry is stamped with `clock`, and later than all before it even if the clock was set back. Free to
    share between threads: no entry is lost.
    """

    __slots__ = ("_clock", "_place")

    def __init__(
        self, store: Store[Entries[T], Any], path: PathLike, *, clock: Clock = machine_clock
    ) -> None:
        self._place: Place[Entries[T]] = Place(store, path, BlobLogContents)
        self._clock = clock

    def append(self, entry: T, **how: Unpack[Writing]) -> Commit[Entries[T], Any] | None:
        """Add `entry`, in one commit. Cost: all of the log is written again.

        TooManyRetries after 100 lost races, or `retries`.
        """

        def longer(seen: Entries[T] | None) -> Entries[T]:
            before = () if seen is None else seen
            newest = before[0].timestamp if before else None
            return (Stamped(entry, after(self._clock, newest)), *before)

        return self._place.update(longer, how)

    def entries(self) -> Entries[T]:
        """All entries with their times, the newest first."""
        return self._place.store.find(self._place.path) or ()

    def read_all(self) -> list[T]:
        """All entries, the newest first."""
        return [entry.value for entry in self.entries()]
