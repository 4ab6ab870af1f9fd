"""The memory backend against every suite."""

from __future__ import annotations

from uuid import uuid4

import pytest

from irminpy.backend import Maker
from irminpy.testing import BackendSuite
from irminpy_mem import Memory


class TestNamedMemory(BackendSuite):
    @pytest.fixture
    def maker(self) -> Maker:
        return Memory(uuid4().hex)


class TestFreshMemory(BackendSuite):
    reopens = False

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()
