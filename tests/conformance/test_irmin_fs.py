"""The backend of irmin-fs against the suites of every backend."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy.backend import Maker
from irminpy.formats import Irmin
from irminpy.hash import BLAKE2B
from irminpy.schema import Schema
from irminpy.testing import BackendSuite, StoreMachine, StoreSuite, TreeSuite
from irminpy_upstream import IrminFs

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
SCHEMA: Schema[bytes, None] = Schema(hash=BLAKE2B(64), format=Irmin(None))
EXAMPLES = settings(max_examples={"quick": 3, "ci": 15}.get(PROFILE, settings().max_examples))


class TestIrminFs(BackendSuite):
    """TC-140."""

    default = SCHEMA

    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return IrminFs(str(tmp_path / "store"), durability="none", poll=0.02)


@pytest.mark.profiled
@pytest.mark.skipif(PROFILE == "quick", reason="runs in the profiles ci and deep")
class TestTreesInIrminFs(TreeSuite):
    wide = 300
    wide_schema = SCHEMA
    illegal = (("\ud800",), ("a", "\udcc3\udca9"))
    legal = (("",), ("a", "\0"), ("a/b",), ("x" * 4097,), ("a", "\udcff"))

    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return IrminFs(str(tmp_path / "store"), durability="none")

    @pytest.fixture
    def other_maker(self, tmp_path: Path) -> Maker | None:
        return IrminFs(str(tmp_path / "other"), durability="none")


class TestStoresInIrminFs(StoreSuite):
    increments = {"quick": 3, "ci": 20}.get(PROFILE, 100)

    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return IrminFs(str(tmp_path / "store"), durability="none")


def test_random_writes_and_merges_agree_with_plain_values() -> None:
    with tempfile.TemporaryDirectory() as folder:

        class Machine(StoreMachine):
            schema = SCHEMA
            reopens = True
            made = 0

            def make(self) -> Maker:
                Machine.made += 1
                return IrminFs(f"{folder}/{Machine.made}", durability="none")

        run_state_machine_as_test(Machine, settings=EXAMPLES)
