"""The memory backend against every suite."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy.backend import Maker
from irminpy.formats import Format
from irminpy.schema import Schema
from irminpy.testing import BackendSuite, StoreSuite, TreeMachine, TreeSuite
from irminpy.testing.strategies import FORMATS
from irminpy_mem import Memory
from tests.memory_machine import MemoryMachine

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
DEEP = PROFILE == "deep"
FEW = settings(max_examples={"quick": 20, "ci": 40}.get(PROFILE, settings().max_examples))


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
    wide = 500_000 if DEEP else 50_000

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()

    @pytest.fixture
    def other_maker(self) -> Maker | None:
        return Memory()


class TestStoresInMemory(StoreSuite):
    increments = 100 if PROFILE == "quick" else 1000

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory(uuid4().hex)


@pytest.mark.profiled
@pytest.mark.parametrize("format_", FORMATS, ids=repr)
def test_random_edits_agree_with_dicts(format_: Format) -> None:
    class Machine(TreeMachine):
        schema = Schema(format=format_)

        def make(self) -> Maker:
            return Memory()

    run_state_machine_as_test(Machine, settings=FEW)


@pytest.mark.profiled
@pytest.mark.parametrize("format_", FORMATS if DEEP else FORMATS[::2], ids=repr)
def test_random_writes_and_merges_agree_with_plain_values(format_: Format) -> None:
    class Machine(MemoryMachine):
        schema = Schema(format=format_)

    run_state_machine_as_test(Machine, settings=FEW)
