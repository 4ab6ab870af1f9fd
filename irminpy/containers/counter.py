"""A counter: branches count for themselves, and a merge adds up what they counted."""

from __future__ import annotations

from typing import Any, Unpack

from .. import contents
from ..commit import Commit
from ..path import PathLike
from ..store import Store, Writing
from .place import Place


class Counter:
    """The counter at `path` of `store`, whose contents are `contents.Counter`; absent it is 0.

    Free to share between threads: no count is lost. Writers on branches that will be merged need authors or
    dates of their own: two equal counts from one head, with equal info, are one commit and count once.
    """

    __slots__ = ("_place",)

    def __init__(self, store: Store[int, Any], path: PathLike) -> None:
        self._place: Place[int] = Place(store, path, contents.Counter)

    def read(self) -> int:
        """The count now, which may be negative."""
        return self._place.store.find(self._place.path) or 0

    def inc(self, by: int = 1, **how: Unpack[Writing]) -> Commit[int, Any] | None:
        """Count up by `by`, in one commit; None if nothing changes.

        DecodeError if the count has no 64 bits; TooManyRetries after 100 lost races, or `retries`.
        """
        return self._place.update(lambda count: (count or 0) + by, how)

    def dec(self, by: int = 1, **how: Unpack[Writing]) -> Commit[int, Any] | None:
        """Count down by `by`; as `inc`."""
        return self.inc(-by, **how)
