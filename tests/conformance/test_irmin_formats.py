"""Irmin's formats against the suites of every backend: a format is a format like any other."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy.backend import Maker
from irminpy.formats import Inodes, Irmin, Irmin2, Tezos
from irminpy.hash import BLAKE2B, SHA1
from irminpy.schema import Schema
from irminpy.testing import BackendSuite, StoreMachine, StoreSuite, SyncSuite, TreeMachine, TreeSuite
from irminpy_mem import Memory
from irminpy_pack import Pack

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
IRMIN: Schema[bytes, None] = Schema(hash=BLAKE2B(64), format=Irmin(Inodes(2, 3, "hash-bits")))
IRMIN2: Schema[bytes, None] = Schema(hash=SHA1(), format=Irmin2(Inodes(4, 4, "seeded")))
TEZOS: Schema[bytes, None] = Schema(hash=BLAKE2B(32), format=Tezos())
FLAT: Schema[bytes, None] = Schema(hash=SHA1(), format=Irmin(None))
MORE = PROFILE != "quick"


class TestTezosInMemory(BackendSuite):
    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return TEZOS

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory(uuid4().hex)


class TestIrminInAMinimalPack(BackendSuite):
    by_hash = False

    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return IRMIN

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), index="minimal", durability="none")


class TestTreesOfIrmin2InAPack(TreeSuite):
    """Any bytes are steps; only what stands for none is refused."""

    wide = 1_000
    by_hash = False
    illegal = (("\ud800",), ("a", "\udcc3\udca9"))
    legal = (("",), ("a", "\0"), ("a/b",), ("x" * 4097,), ("a", "\udcff"))

    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return IRMIN2

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), durability="none", index="minimal")

    @pytest.fixture
    def other_maker(self, tmp_path: Path) -> Maker | None:
        return Pack(str(tmp_path / "other"), durability="none", index="minimal")


class TestStoresOfTezosInAPack(StoreSuite):
    increments = 5

    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return TEZOS

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), durability="none")


class TestSyncOfIrmin2(SyncSuite):
    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return IRMIN2

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()

    @pytest.fixture
    def other_maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "other"), durability="none")


EXAMPLES = settings(max_examples=100 if MORE else 4)


@pytest.mark.parametrize("of", [IRMIN, IRMIN2, TEZOS, FLAT] if MORE else [IRMIN, IRMIN2], ids=Schema.describe)
def test_random_edits_agree_with_dicts(of: Schema[bytes, None]) -> None:
    class Machine(TreeMachine):
        schema = of

        def make(self) -> Maker:
            return Memory()

    run_state_machine_as_test(Machine, settings=EXAMPLES)


@pytest.mark.parametrize("of", [IRMIN, IRMIN2, TEZOS, FLAT] if MORE else [TEZOS], ids=Schema.describe)
def test_random_writes_and_merges_agree_with_plain_values(of: Schema[bytes, None]) -> None:
    with tempfile.TemporaryDirectory() as folder:

        class Machine(StoreMachine):
            schema = of
            reopens = True
            by_hash = False
            made = 0

            def make(self) -> Maker:
                Machine.made += 1
                return Pack(f"{folder}/{Machine.made}", index="minimal", durability="none")

        run_state_machine_as_test(Machine, settings=EXAMPLES)
