"""How a write is done: the keywords that all writes of a store share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, TypedDict

from ..commit import Commit, Infos
from ..hash import Hash

__all__ = ["RETRIES", "Writing", "attempts", "check", "pause", "retries"]

RETRIES = 13


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


_KEYWORDS = Writing.__annotations__.keys()


def check(how: Writing) -> None:
    """TypeError for keywords that do not exist or exclude each other, before anything happens."""
    if not how:
        return
    if not how.keys() <= _KEYWORDS:
        raise TypeError(f"a write takes no keyword {min(how.keys() - _KEYWORDS)!r}")
    if "info" in how and ("message" in how or "author" in how or "date" in how):
        raise TypeError("give info, or message, author and date; not both")


def attempts(how: Writing) -> range:
    """One attempt, and as many more as there may be."""
    check(how)
    more = retries(how)
    return range(1 + more if more > 0 else 1)


def pause(attempt: int) -> None:
    """Before another than the first attempt: for a time that grows."""
    if attempt:
        import random  # late: only a lost race needs it

        time.sleep(random.random() * min(0.0001 * 2**attempt, 0.05))


def retries(how: Writing) -> int:
    """How often to start over. TypeError for what is no whole number."""
    n = how.get("retries", RETRIES)
    if type(n) is not int:
        raise TypeError(f"retries are a whole number, not {type(n).__name__}")
    return n
