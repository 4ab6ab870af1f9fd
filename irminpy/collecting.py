"""What a backend may offer besides its contract: garbage collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from .hash import Hash

__all__ = ["Collected", "Collecting", "Keep", "Progress"]


@dataclass(frozen=True, slots=True)
class Keep:
    """What garbage collection keeps, besides every head with its tree."""

    branches: tuple[str, ...] | None = None
    """Branches whose history is kept; None: all."""
    commits: tuple[Hash, ...] = ()
    """Commits that are kept with their history, as if branches led there."""
    depth: int | None = None
    """Of a history the commits at most so many parents away from where it begins are kept."""
    since: int | None = None
    """Of a history the commits are kept that are not older than this, in seconds since 1970, down to the first
    that is. What `depth` or `since` keeps is kept; with neither, all of it."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What garbage collection did, or would do."""

    dry_run: bool
    """Whether nothing was done."""
    commits: int
    """Commits that are kept."""
    nodes: int
    """Directories and inner nodes that are kept."""
    contents: int
    """Contents that are kept."""
    kept_bytes: int
    """What they need on the disk, without indexes."""
    freed: int
    """Objects that are gone."""
    freed_bytes: int
    """By how much the store is smaller, without indexes."""
    shallow: int
    """Commits at which history ends now though others name them as parents."""
    seconds: float

    @property
    def kept(self) -> int:
        """Objects that are kept."""
        return self.commits + self.nodes + self.contents

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    def __str__(self) -> str:
        verb = ("would keep", "would free") if self.dry_run else ("kept", "freed")
        return (
            f"{verb[0]} {self.kept} objects ({self.commits} commits, {self.nodes} nodes, {self.contents} contents) "
            f"in {self.kept_bytes} bytes; {verb[1]} {self.freed} objects and {self.freed_bytes} bytes; "
            f"{self.shallow} parents cut off; {self.seconds:.1f} s"
        )


Progress = Callable[[str, int, int], object]
"""Called with what is being done ("count", "mark", "copy", "follow", "flip"), and how much of it, of how much."""


@runtime_checkable
class Collecting(Protocol):
    """Optional, of a backend: it can drop what no branch leads to."""

    def collect(self, keep: Keep, /, *, dry_run: bool = False, progress: Progress | None = None) -> Collected:
        """Drop all that `keep` does not keep; `dry_run`: only say what that is.

        Readers and writers go on meanwhile; what is written meanwhile is kept. Nothing has happened if it raises,
        also by `progress`. NotFound for a branch of `keep`, DanglingHash for a commit that is not here; StorageError if
        the space does not suffice; Locked while another collection runs.
        """
        ...

    def shallow(self) -> frozenset[Hash]:
        """The commits at which history ends though others name them as parents: they were dropped."""
        ...
