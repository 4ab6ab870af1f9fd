"""Random programs over a pack whose process crashes, forks and shares the store with others."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy.testing.torture.machine import TortureMachine

EXAMPLES, STEPS = {"quick": (2, 8), "ci": (40, 40), "deep": (2000, 50)}[
    os.environ.get("IRMINPY_PROFILE", "quick")
]


@pytest.mark.profiled
def test_a_random_program_survives_crashes() -> None:
    few = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(TortureMachine, settings=few)
