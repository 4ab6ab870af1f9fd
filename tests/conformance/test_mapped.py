"""A store in any mapping, against every suite: BE-07, BE-08."""

from __future__ import annotations

import dbm.dumb
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import cast

import pytest

from irminpy.backend import Maker
from irminpy.testing import BackendSuite, TreeSuite
from irminpy_mem import Mapped


def dumb(path: Path) -> MutableMapping[bytes, bytes]:
    return cast("MutableMapping[bytes, bytes]", dbm.dumb.open(str(path), "c"))


class TestADict(BackendSuite):
    """BE-07: get, set and delete of bytes are enough for a whole backend."""

    @pytest.fixture
    def maker(self) -> Maker:
        return Mapped({})


class TestAFile(BackendSuite):
    """BE-07, BE-08: objects of all kinds and refs in one file of the standard library."""

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Iterator[Maker]:
        file = dumb(tmp_path / "store")
        yield Mapped(file)
        cast("dbm.dumb._Database", file).close()


class TestTreesInADict(TreeSuite):
    @pytest.fixture
    def maker(self) -> Maker:
        return Mapped({})

    @pytest.fixture
    def other_maker(self) -> Maker | None:
        return Mapped({})


class TestTreesInAFile(TreeSuite):
    wide = 2_000

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Iterator[Maker]:
        file = dumb(tmp_path / "store")
        yield Mapped(file)
        cast("dbm.dumb._Database", file).close()
