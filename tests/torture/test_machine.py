"""Random programs over a pack whose process crashes, forks and shares the store with others."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy.testing.torture.machine import TortureMachine
from irminpy.testing.torture.packs import pack

EXAMPLES, STEPS = {"quick": (1, 8), "ci": (10, 30), "deep": (2000, 50)}[
    os.environ.get("IRMINPY_PROFILE", "quick")
]


class Minimal(TortureMachine):
    subject = pack("minimal")
    by_hash = False


@pytest.mark.profiled
@pytest.mark.parametrize("machine", [TortureMachine, Minimal])
def test_a_random_program_survives_crashes(machine: type[TortureMachine]) -> None:
    few = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=few)
