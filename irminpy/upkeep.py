"""What a maker of stores may offer besides opening one: taking care of its files. Each protocol is optional.

All take the store as it lies and need no open handle; `schema` None means the schema that the store records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol, runtime_checkable

from .backend import Maker
from .hash import Hash
from .schema import Schema

__all__ = [
    "Advance",
    "Measuring",
    "Mending",
    "Recording",
    "Reindexing",
    "Salvaging",
    "Snapshots",
    "Told",
    "Traversing",
    "Verdict",
    "Verifying",
]

Advance = Callable[[int, int], object]
"""Called with how much is done, and of how much: bytes, unless something else is said."""


class Told(Protocol):
    """What was found or done: `str()` is for people."""

    def to_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        ...


class Verdict(Told, Protocol):
    """What a check found."""

    @property
    def status(self) -> int:
        """0: nothing is wrong; 1: only what is derived; 5: data is damaged."""
        ...


@runtime_checkable
class Recording(Protocol):
    """The store says what it is."""

    def recorded(self) -> Schema[Any, Any]:
        """The schema that the store records; see `irminpy.recorded`. Raises NotAStore and SchemaMismatch."""
        ...


@runtime_checkable
class Measuring(Protocol):
    """Statistics."""

    def stats(self, *, garbage: bool = False, progress: Advance | None = None) -> Told:
        """What the store holds; with `garbage` what a garbage collection would free. Nothing is written."""
        ...


@runtime_checkable
class Traversing(Protocol):
    """The store can be read record by record."""

    def traverse(self, schema: Schema[Any, Any] | None = None) -> Iterator[Told]:
        """Every record in the order in which it was written, damaged ones too. Nothing is written."""
        ...


@runtime_checkable
class Reindexing(Protocol):
    """The store has an index that is derived."""

    def rebuild_index(self, *, timeout: float = 5.0, progress: Advance | None = None) -> Told:
        """Make the index anew. Locked if somebody else still writes after `timeout` seconds."""
        ...


@runtime_checkable
class Salvaging(Protocol):
    """Damage can be looked into."""

    def quarantine(
        self,
        schema: Schema[Any, Any] | None = None,
        directory: str | None = None,
        *,
        progress: Advance | None = None,
    ) -> Told:
        """Copy what is damaged into `directory` (None: one of the store's own) and tell what it affects.

        Nothing that is there is changed or removed.
        """
        ...


@runtime_checkable
class Mending(Protocol):
    """What is derived can be put in order."""

    def mend(self, schema: Schema[Any, Any] | None = None, *, timeout: float = 5.0) -> Verdict:
        """Finish what a dead process left, and make damaged indexes anew. What is data is not touched."""
        ...


@runtime_checkable
class Verifying(Protocol):
    """The store is in the hands of somebody who need not be believed."""

    def verifying(self, root: str, /) -> Maker:
        """The same store, of which a branch is believed only if it is at the commit, or at the root directory, whose
        hash is `root` in hexadecimal digits; any other raises Corrupted. What is read below is hashed on arrival.
        """
        ...


@runtime_checkable
class Snapshots(Protocol):
    """A store is written to a stream, and made from one, in bounded memory (docs/formats/slice.md)."""

    def export_snapshot(
        self,
        file: BinaryIO,
        schema: Schema[Any, Any] | None = None,
        *,
        commit: Hash | None = None,
        branch: str = "main",
        depth: int | None = 0,
        progress: Advance | None = None,
    ) -> Told:
        """Write all branches with their history to `file`; or `commit`, as the head of `branch`, with `depth` parents
        before it (None: all). `progress` is told objects.

        Every object is hashed on the way. Raises NotAStore, DanglingHash, Corrupted, StorageError; then what was
        written is no whole snapshot, and is refused.
        """
        ...

    def import_snapshot(
        self, file: BinaryIO, schema: Schema[Any, Any] | None = None, *, progress: Advance | None = None
    ) -> Told:
        """Make the store, which must not exist, from a snapshot; `schema` None means the default one.

        All of it is checked first. Raises DecodeError, SchemaMismatch, UnsupportedVersion, DanglingHash, Corrupted,
        NotAStore (something is there), StorageError; then nothing is there.
        """
        ...
