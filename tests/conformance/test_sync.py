"""Sync between two backends of each kind: GR-16."""

from __future__ import annotations

import pytest

from irminpy.backend import Maker
from irminpy.testing import SyncSuite
from irminpy_mem import Mapped, Memory


class TestMemoryToMemory(SyncSuite):
    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()

    @pytest.fixture
    def other_maker(self) -> Maker:
        return Memory()


class TestMemoryAndMapped(SyncSuite):
    """GR-16: the suite goes both ways."""

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()

    @pytest.fixture
    def other_maker(self) -> Maker:
        return Mapped({})
