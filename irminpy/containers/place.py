"""A path of a store as one variable: read, and changed by compare-and-set until nobody came in between."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

from ..commit import Commit
from ..errors import DecodeError, TestWas, TooManyRetries
from ..path import PathLike
from ..store import Store, Writing
from ..tree import Tree

V = TypeVar("V")

RETRIES = 100
"""How often an operation of a container starts over by default: many writers of one path are the usual case."""


class Place(Generic[V]):
    """What is at `path` of `store`; `kind` is the class that the contents of the store must have."""

    __slots__ = ("path", "store")

    def __init__(self, store: Store[V, Any], path: PathLike, kind: type) -> None:
        contents = store.tree().schema.contents
        if not isinstance(contents, kind):
            raise TypeError(f"a store with contents of {kind.__name__} is needed; these are {contents.id}")
        self.store = store
        self.path = path

    def change(self, f: Callable[[Tree[V, Any] | None], Tree[V, Any]], how: Writing) -> Commit[V, Any] | None:
        """Replace what is there by `f` of it, in one commit; `f` runs again if another writer was quicker.

        Raises TooManyRetries, with nothing changed, after as many runs as `retries` allows.
        """
        retries = how.get("retries", RETRIES)
        once = Writing(**how)
        once["retries"] = 0
        for attempt in range(max(retries, 0) + 1):
            if attempt:
                time.sleep(random.random() * min(0.0001 * 2 ** min(attempt, 10), 0.05))
            try:
                return self.store.with_tree(self.path, f, **once)
            except (TestWas, TooManyRetries):
                continue
        raise TooManyRetries(retries)

    def update(self, f: Callable[[V | None], V], how: Writing) -> Commit[V, Any] | None:
        """As `change`, for contents; their metadata stay as they are."""
        schema = self.store.tree().schema

        def replace(seen: Tree[V, Any] | None) -> Tree[V, Any]:
            if seen is None:
                return Tree.of_contents(f(None), schema)
            require(seen, "contents")
            return seen.update((), f, keep=True)

        return self.change(replace, how)


def require(seen: Tree[Any, Any], kind: Literal["contents", "node"]) -> None:
    """DecodeError unless `seen` is of the `kind` that a container replaces: what else is there is not its own."""
    if seen.kind() != kind:
        there = "a directory" if kind == "contents" else "a value"
        raise DecodeError(
            "container", f"there is {there} at its path; remove that first, or use another path"
        )
