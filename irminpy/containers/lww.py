"""A register in which the last writer wins: a value with the time it was written at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, Unpack

from .. import merge as merges
from ..commit import Commit
from ..contents import Contents
from ..errors import DecodeError
from ..merge import Conflict, Old
from ..path import PathLike
from ..store import Store, Writing
from .place import Place
from .stamp import Clock, Stamped, after, check, machine_clock

T = TypeVar("T")


@dataclass(frozen=True)
class LwwContents(Generic[T]):
    """The contents of registers that hold values of the type `of`.

    The bytes are the time stamp as a signed 64-bit number, big-endian, and those of the value.
    """

    of: Contents[T]

    @property
    def id(self) -> str:
        """Such as "lww(string/1)/1"."""
        return f"lww({self.of.id})/1"

    def encode(self, value: Stamped[T], /) -> bytes:
        """The canonical bytes of `value`; TypeError if it is not Stamped, and what `of` raises."""
        if not isinstance(value, Stamped):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"contents of type {self.id} are Stamped, not {type(value).__name__}")
        stamp = check(f"value of {self.id}", value.timestamp)
        return stamp.to_bytes(8, "big", signed=True) + self.of.encode(value.value)

    def decode(self, data: bytes, /) -> Stamped[T]:
        """The value whose canonical bytes are `data`; DecodeError for all other bytes."""
        if len(data) < 8:
            raise DecodeError(self.id, f"it has {len(data)} bytes, and the time stamp alone has 8")
        return Stamped(self.of.decode(data[8:]), int.from_bytes(data[:8], "big", signed=True))

    def merge(
        self, old: Old[Stamped[T] | None], ours: Stamped[T] | None, theirs: Stamped[T] | None, /
    ) -> Stamped[T] | Conflict | None:
        """The later of the two, or of equal times the one with the greater bytes; deleting what changed
        conflicts.
        """

        def later(old: Old[Stamped[T]], ours: Stamped[T], theirs: Stamped[T], /) -> Stamped[T]:
            return max(ours, theirs, key=lambda side: (side.timestamp, self.encode(side)))

        def equal(left: Stamped[T], right: Stamped[T]) -> bool:
            return self.encode(left) == self.encode(right)

        return merges.option(later, equal=equal)(old, ours, theirs)


class LwwRegister(Generic[T]):
    """The register at `path` of `store`, whose contents are `LwwContents`.

    A write is stamped with `clock`, and later than what it replaces even if the clock was set back.
    """

    __slots__ = ("_clock", "_place")

    def __init__(
        self, store: Store[Stamped[T], Any], path: PathLike, *, clock: Clock = machine_clock
    ) -> None:
        self._place: Place[Stamped[T]] = Place(store, path, LwwContents)
        self._clock = clock

    def read(self) -> T | None:
        """The value that was written last, or None."""
        found = self.find()
        return None if found is None else found.value

    def find(self) -> Stamped[T] | None:
        """The value that was written last and when, or None."""
        return self._place.store.find(self._place.path)

    def write(self, value: T, **how: Unpack[Writing]) -> Commit[Stamped[T], Any] | None:
        """Make `value` the value, in one commit; TooManyRetries after 100 lost races, or `retries`."""

        def stamped(seen: Stamped[T] | None) -> Stamped[T]:
            return Stamped(value, after(self._clock, None if seen is None else seen.timestamp))

        return self._place.update(stamped, how)
