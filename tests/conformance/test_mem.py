"""The memory backend against every suite."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest
from hypothesis.stateful import run_state_machine_as_test

from irminpy.backend import Maker
from irminpy.formats import Format
from irminpy.schema import Schema
from irminpy.testing import BackendSuite, TreeMachine, TreeSuite
from irminpy.testing.strategies import FORMATS
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


class TestTreesInMemory(TreeSuite):
    wide = 500_000 if os.environ.get("IRMINPY_PROFILE", "quick") == "deep" else 50_000

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()

    @pytest.fixture
    def other_maker(self) -> Maker | None:
        return Memory()


@pytest.mark.parametrize("format_", FORMATS, ids=repr)
def test_random_edits_agree_with_dicts(format_: Format) -> None:
    class Machine(TreeMachine):
        schema = Schema(format=format_)

        def make(self) -> Maker:
            return Memory()

    run_state_machine_as_test(Machine)
