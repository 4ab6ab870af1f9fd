"""How a write is done: the keywords that all writes of a store share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from ..commit import Commit, Infos
from ..hash import Hash

__all__ = ["Writing"]


class Writing(TypedDict, total=False):
    """How a write is done; every keyword may be left out."""

    message: str
    """Why; empty by default."""
    author: str
    """Who; by default what the repository was opened with."""
    date: int
    """When, in seconds since 1970; by default now, by the clock of the repository."""
    info: Infos
    """All of that at once, or a function that makes it, called for each commit that is attempted."""
    retries: int
    """How often to start over when another writer was quicker; 13 by default. Then TooManyRetries."""
    allow_empty: bool
    """Commit even if nothing changes."""
    parents: Sequence[Hash | Commit[Any, Any]]
    """The parents of the commit, instead of the head."""
    clear: bool
    """Forget what is in memory of the tree that was committed, which can be read again; True by default."""
