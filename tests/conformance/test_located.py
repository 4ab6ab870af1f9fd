"""A backend whose objects have words and may move, against every suite; also where words are all that leads to them."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis.stateful import rule, run_state_machine_as_test

from irminpy.backend import Maker
from irminpy.formats import Native
from irminpy.schema import Schema
from irminpy.testing import BackendSuite, StoreMachine, StoreSuite, TreeMachine, TreeSuite
from tests.located import Located, collect

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
# Where every object can be found by its hash, little can go wrong that does not go wrong without.
QUICK = PROFILE == "quick"


class TestLocated(BackendSuite):
    @pytest.fixture
    def maker(self) -> Maker:
        return Located(uuid4().hex)


class TestMinimal(BackendSuite):
    by_hash = False

    @pytest.fixture
    def maker(self) -> Maker:
        return Located(uuid4().hex, minimal=True)


class TestTreesMinimal(TreeSuite):
    by_hash = False
    wide = 5_000 if QUICK else 50_000

    @pytest.fixture
    def maker(self) -> Maker:
        return Located(uuid4().hex, minimal=True)

    @pytest.fixture
    def other_maker(self) -> Maker | None:
        return Located(uuid4().hex, minimal=True)


class TestStoresMinimal(StoreSuite):
    increments = 10 if QUICK else 250

    @pytest.fixture
    def maker(self) -> Maker:
        return Located(uuid4().hex, minimal=True)


if not QUICK:

    class TestTreesLocated(TestTreesMinimal):
        by_hash = True

        @pytest.fixture
        def maker(self) -> Maker:
            return Located(uuid4().hex)

        @pytest.fixture
        def other_maker(self) -> Maker | None:
            return Located(uuid4().hex)

    class TestStoresLocated(TestStoresMinimal):
        @pytest.fixture
        def maker(self) -> Maker:
            return Located(uuid4().hex)


TRIES = {
    "quick": settings(max_examples=5, stateful_step_count=30),
    "ci": settings(max_examples=15, stateful_step_count=50),
}
FEW = TRIES.get(PROFILE, settings())
MODES = pytest.mark.parametrize("mode", ["always", "minimal", "translates"])


def made(mode: str) -> Located:
    return Located(uuid4().hex, minimal=mode != "always", translates=mode == "translates")


@pytest.mark.profiled
@MODES
def test_random_edits_agree_with_dicts_while_objects_move(mode: str) -> None:
    class Machine(TreeMachine):
        schema = Schema(format=Native(2, 2))

        def make(self) -> Maker:
            self.maker = made(mode)
            return self.maker

        @rule()
        def collect(self) -> None:
            collect(self.maker)

    run_state_machine_as_test(Machine, settings=FEW)


@pytest.mark.profiled
@MODES
def test_random_writes_and_merges_agree_while_objects_move(mode: str) -> None:
    class Machine(StoreMachine):
        schema = Schema(format=Native(2, 2))
        reopens = True
        by_hash = mode == "always"

        def make(self) -> Maker:
            self.located = made(mode)
            return self.located

        @rule()
        def collect(self) -> None:
            collect(self.located, commits=True)

    run_state_machine_as_test(Machine, settings=FEW)
