"""A backend whose keys of contents hold the contents, against the suites (TC-107)."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy import Repo
from irminpy.backend import Maker
from irminpy.testing import BackendSuite, StoreMachine, StoreSuite
from tests.inlined import Inlined, InlinedKey

QUICK = os.environ.get("IRMINPY_PROFILE", "quick") == "quick"


class TestInlined(BackendSuite):
    @pytest.fixture
    def maker(self) -> Maker:
        return Inlined(uuid4().hex)


class TestStoresInlined(StoreSuite):
    increments = 10 if QUICK else 250

    @pytest.fixture
    def maker(self) -> Maker:
        return Inlined(uuid4().hex)


def test_random_writes_and_merges_agree_with_plain_values() -> None:
    """TC-107: the battery of a store over keys that are the values."""

    class Machine(StoreMachine):
        def make(self) -> Maker:
            return Inlined(uuid4().hex)

    run_state_machine_as_test(Machine, settings=settings(max_examples=5 if QUICK else 50))


def test_a_key_that_is_the_value_is_read_without_the_store() -> None:
    """TC-107."""
    with Repo.open(Inlined(uuid4().hex)) as repo:
        repo.main().set("a", b"value", message="a")
        tree = repo.main().get_tree("a")
        kinded = repo.find_key(tree)
        assert kinded is not None
        key = kinded.key
        assert isinstance(key, InlinedKey)
    with Repo.open(Inlined(uuid4().hex)) as other:
        assert other.find_contents(key) == b"value"
