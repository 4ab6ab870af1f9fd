"""The Git backend against every suite."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy.backend import Maker
from irminpy.formats import Git as GitFormat
from irminpy.hash import SHA1, SHA256
from irminpy.metadata import Mode, Modes
from irminpy.schema import Schema
from irminpy.testing import BackendSuite, StoreMachine, StoreSuite, SyncSuite, TreeMachine, TreeSuite
from irminpy_git import Git
from irminpy_mem import Memory

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
EXAMPLES = settings(max_examples={"quick": 3, "ci": 15}.get(PROFILE, settings().max_examples))

SCHEMA: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=SHA1(), format=GitFormat())
LONG: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=SHA256(), format=GitFormat())


# The quick profile has a selection: what differs from other backends is in tests/unit/test_git_store.py.
LATER = pytest.mark.skipif(PROFILE == "quick", reason="runs in the profiles ci and deep")


class TestGit(BackendSuite):
    default = SCHEMA

    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Git(str(tmp_path / "store"))


@pytest.mark.profiled
@LATER
class TestGitWithLongHashesInAWorkTree(BackendSuite):
    default = LONG

    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return LONG

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Git(str(tmp_path / "store"), bare=False, hash="sha256", durability="none", pack=3)


class TestTreesInGit(TreeSuite):
    wide = 2_000
    wide_schema = SCHEMA
    illegal = (("",), ("a", "\0"), ("a/b",), ("\ud800",), ("..",), ("d", ".git"), ("\udcc3\udca9",))

    @pytest.fixture
    def schema(self) -> Schema[bytes, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Git(str(tmp_path / "store"), durability="none")

    @pytest.fixture
    def other_maker(self, tmp_path: Path) -> Maker | None:
        return Git(str(tmp_path / "other"), durability="none")


class TestStoresInGit(StoreSuite):
    early = 5
    increments = {"quick": 3, "ci": 20}.get(PROFILE, 100)

    @pytest.fixture
    def schema(self) -> Schema[bytes, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Git(str(tmp_path / "store"), durability="none")


@pytest.mark.profiled
@LATER
class TestSyncFromMemoryToGit(SyncSuite):
    @pytest.fixture
    def schema(self) -> Schema[bytes, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()

    @pytest.fixture
    def other_maker(self, tmp_path: Path) -> Maker:
        return Git(str(tmp_path / "other"), durability="none")


def test_random_edits_agree_with_dicts() -> None:
    with tempfile.TemporaryDirectory() as folder:

        class Machine(TreeMachine):
            schema = SCHEMA
            made = 0

            def make(self) -> Maker:
                Machine.made += 1
                return Git(f"{folder}/{Machine.made}", durability="none")

        run_state_machine_as_test(Machine, settings=EXAMPLES)


def test_random_writes_and_merges_agree_with_plain_values() -> None:
    with tempfile.TemporaryDirectory() as folder:

        class Machine(StoreMachine):
            schema = SCHEMA
            reopens = True
            made = 0

            def make(self) -> Maker:
                Machine.made += 1
                return Git(f"{folder}/{Machine.made}", durability="none", pack=20)

        run_state_machine_as_test(Machine, settings=EXAMPLES)
