"""What the suites of stores share: the fixtures, and short names. `StoreSuite` has all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from ..backend import Maker
from ..commit import Commit
from ..repo import Repo
from ..schema import Schema
from ..store import Store

__all__ = ["Repos", "StoreFixtures", "Stores", "made"]

Repos = Repo[bytes, Any]
Stores = Store[bytes, Any]


def made(commit: Commit[bytes, Any] | None) -> Commit[bytes, Any]:
    """`commit`, which must have been made."""
    assert commit is not None
    return commit


class StoreFixtures:
    """The fixtures of all suites of stores. A subclass overrides `maker`, and may override `schema` (of bytes).

    `reopens` says whether two opens of one maker give the same store; `early` is a date that the schema can hold.
    """

    reopens: bool = True
    early: int = -5

    @pytest.fixture
    def maker(self) -> Maker:
        """A maker for a store that does not exist yet: override this."""
        raise NotImplementedError("a subclass of StoreSuite overrides the fixture `maker`")

    @pytest.fixture
    def schema(self) -> Schema[bytes, Any]:
        """The schema of the repository."""
        return Schema()

    @pytest.fixture
    def repo(self, maker: Maker, schema: Schema[bytes, Any]) -> Iterator[Repos]:
        """An open repository whose clock ticks once a commit."""
        ticks = count()
        with Repo.open(maker, schema, author="suite", clock=lambda: next(ticks)) as repo:
            yield repo

    @pytest.fixture
    def main(self, repo: Repos) -> Stores:
        """Its branch main, which has no head yet."""
        return repo.main()
