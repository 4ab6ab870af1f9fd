"""Git's bytes in memory and in a pack, against every suite: the hashes are Git's wherever a store is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy.backend import Maker
from irminpy.formats import Git
from irminpy.hash import SHA1, SHA256
from irminpy.metadata import Mode, Modes
from irminpy.schema import Schema
from irminpy.testing import BackendSuite, StoreSuite, SyncSuite, TreeMachine, TreeSuite
from irminpy_mem import Memory
from irminpy_pack import Pack

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
DEEP = PROFILE == "deep"
EXAMPLES = settings(max_examples={"quick": 4, "ci": 15}.get(PROFILE, settings().max_examples))

SCHEMA: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=SHA1(), format=Git())
LONG: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=SHA256(), format=Git())


LATER = pytest.mark.skipif(PROFILE == "quick", reason="runs in the profiles ci and deep")


class TestGitObjectsInMemory(BackendSuite):
    reopens = False

    @pytest.fixture
    def schema(self) -> Schema[Any, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()


class TestGitTreesInMemory(TreeSuite):
    wide = 2_000
    wide_schema = SCHEMA
    illegal = (("",), ("a", "\0"), ("a/b",), ("\ud800",), ("..",), ("d", ".git"), ("\udcc3\udca9",))

    @pytest.fixture(params=[SCHEMA, LONG] if PROFILE != "quick" else [SCHEMA], ids=repr)
    def schema(self, request: pytest.FixtureRequest) -> Schema[bytes, Any]:
        chosen: Schema[bytes, Any] = request.param
        return chosen

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()

    @pytest.fixture
    def other_maker(self) -> Maker | None:
        return Memory()


class TestGitStoresInMemory(StoreSuite):
    reopens = False
    early = 5
    increments = 10

    @pytest.fixture
    def schema(self) -> Schema[bytes, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()


@pytest.mark.profiled
@LATER
class TestGitStoresInAPack(StoreSuite):
    early = 5
    increments = 10

    @pytest.fixture
    def schema(self) -> Schema[bytes, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), durability="none")


@pytest.mark.profiled
@LATER
class TestGitObjectsFromMemoryToAPack(SyncSuite):
    @pytest.fixture
    def schema(self) -> Schema[bytes, Any]:
        return SCHEMA

    @pytest.fixture
    def maker(self) -> Maker:
        return Memory()

    @pytest.fixture
    def other_maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "other"), durability="none")


def test_random_edits_of_git_trees_agree_with_dicts() -> None:
    class Machine(TreeMachine):
        schema = SCHEMA

        def make(self) -> Maker:
            return Memory()

    run_state_machine_as_test(Machine, settings=EXAMPLES)
