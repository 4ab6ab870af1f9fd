"""Random writes, merges, exports and imports, with garbage collected between them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy import Hash
from irminpy.backend import Maker
from irminpy.testing import StoreMachine
from irminpy_pack import Pack

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
TRIES = {
    "quick": settings(max_examples=2, stateful_step_count=10),
    "ci": settings(max_examples=25, stateful_step_count=50),
}


@pytest.mark.profiled
@pytest.mark.parametrize("index", ["always", "minimal"])
def test_random_work_with_collections_agrees_with_plain_values(index: str) -> None:
    with tempfile.TemporaryDirectory() as folder:

        class Machine(StoreMachine):
            collects = True
            reopens = True
            by_hash = index == "always"
            made = 0

            def make(self) -> Maker:
                Machine.made += 1
                return Pack(f"{folder}/{Machine.made}", index=index, durability="none", seal=1 << 14)

            def collect(self, keep: Sequence[Hash]) -> None:
                self.repos[0].gc(keep=keep)

        how = TRIES.get(PROFILE, settings())
        run_state_machine_as_test(Machine, settings=how)
