"""The pack backend against every suite."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy.backend import Maker
from irminpy.testing import BackendSuite, StoreMachine, StoreSuite, SyncSuite, TreeMachine, TreeSuite
from irminpy_mem import Memory
from irminpy_pack import Pack

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
DEEP = PROFILE == "deep"


class TestPack(BackendSuite):
    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"))


class TestPackReadByCalls(BackendSuite):
    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), io="pread", durability="full")


class TestPackOfTinySegments(BackendSuite):
    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), seal=4096, durability="none")


class TestPackOfCommitsIndexedOnly(BackendSuite):
    by_hash = False

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), index="minimal")


class TestTreesInAPack(TreeSuite):
    wide = 500_000 if DEEP else 5_000

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), durability="none")

    @pytest.fixture
    def other_maker(self, tmp_path: Path) -> Maker | None:
        return Pack(str(tmp_path / "other"), durability="none")


class TestTreesInAMinimalPack(TestTreesInAPack):
    by_hash = False

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), durability="none", index="minimal")

    @pytest.fixture
    def other_maker(self, tmp_path: Path) -> Maker | None:
        return Pack(str(tmp_path / "other"), durability="none", index="minimal")


class TestStoresInAPack(StoreSuite):
    increments = {"quick": 10, "ci": 50}.get(PROFILE, 1000)

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"))


class TestStoresInAMinimalPack(StoreSuite):
    increments = {"quick": 10, "ci": 50}.get(PROFILE, 1000)

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), index="minimal", durability="none")


class TestSyncFromMemoryToAPack(SyncSuite):
    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()

    @pytest.fixture
    def other_maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "other"), durability="none")


class TestSyncFromAMinimalPackToAPack(SyncSuite):
    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), durability="none", index="minimal")

    @pytest.fixture
    def other_maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "other"), durability="none")


EXAMPLES = settings(max_examples={"quick": 10, "ci": 25}.get(PROFILE, settings().max_examples))


@pytest.mark.profiled
@pytest.mark.parametrize("index", ["always", "minimal"])
def test_random_edits_agree_with_dicts(index: str) -> None:
    """TC-106: keys are places, and with "minimal" nothing but them leads to a directory."""
    with tempfile.TemporaryDirectory() as folder:

        class Machine(TreeMachine):
            made = 0

            def make(self) -> Maker:
                Machine.made += 1
                return Pack(f"{folder}/{Machine.made}", index=index, durability="none")

        run_state_machine_as_test(Machine, settings=EXAMPLES)


@pytest.mark.profiled
@pytest.mark.parametrize("index", ["always", "minimal"])
def test_random_writes_and_merges_agree_with_plain_values(index: str) -> None:
    with tempfile.TemporaryDirectory() as folder:

        class Machine(StoreMachine):
            reopens = True
            by_hash = index == "always"
            made = 0

            def make(self) -> Maker:
                Machine.made += 1
                return Pack(f"{folder}/{Machine.made}", index=index, durability="none", seal=1 << 14)

        run_state_machine_as_test(Machine, settings=EXAMPLES)
