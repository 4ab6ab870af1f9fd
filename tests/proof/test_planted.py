"""Each check deleted from the verifier is noticed: by a vector, by a case, or by a slice of the fuzzer."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, partial
from inspect import signature
from time import process_time
from types import ModuleType
from typing import Any

import pytest

from irminpy.testing.fuzz.campaign import Campaign
from irminpy.testing.fuzz.planted import Plant, plants, without

from . import test_cases, test_irmin_forms, test_jobs, test_produce, test_stream, test_vectors

CASES: tuple[ModuleType, ...] = (test_cases, test_stream, test_jobs, test_produce)
PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
PLANTS = plants()
FEW = [plant for plant in PLANTS if plant.module == "irminpy.proof.compact"][::4]
"""Vectors tell of these; the tests and the fuzzer, which take longer, are asked only if vectors do not."""


IRMIN = [plant for plant in plants(irmin=True) if plant.function != "IrminForm.encode"]
"""Those of Irmin's formats. Without the one that is left out, the test of it makes a proof that grows without bound."""


@cache
def vectors() -> list[dict[str, Any]]:
    return [
        vector for file in ("refused", "streams", "json", "honest") for vector in test_vectors.vectors(file)
    ]


@cache
def campaign() -> Campaign:
    return Campaign(3, None)


@cache
def cases() -> list[Callable[[], None]]:
    """The tests that need nothing, the quickest first."""
    found: list[tuple[float, int, Callable[[], None]]] = []
    for module in CASES:
        for name, function in vars(module).items():
            if name.startswith("test_") and callable(function) and not signature(function).parameters:
                started = process_time()
                function()
                found.append((process_time() - started, len(found), function))
    return [function for _, _, function in sorted(found)]


def by_a_vector() -> str | None:
    """The vector whose verdict, or the reason of it, is another one now."""
    for vector in vectors():
        try:
            found = test_vectors.of(vector)
        except Exception as e:
            return f"vector {vector['name']} raises {type(e).__name__}"
        if found != vector["expect"]:
            return f"vector {vector['name']}"
    return None


def by_a_case() -> str | None:
    """The test that fails now."""
    for case in cases():
        try:
            case()
        except (Exception, pytest.fail.Exception):
            return case.__name__
    return None


def by_the_fuzzer() -> str | None:
    """What the fuzzer finds."""
    found = campaign().run(3000).findings
    return f"fuzzer: {found[0].done}" if found else None


def noticed(plant: Plant) -> str | None:
    with without(plant):
        found = by_a_vector()
    if found is None:
        cases(), campaign()  # while nothing is missing
        with without(plant):
            found = by_a_case() or by_the_fuzzer()
    return found


def test_nothing_is_noticed_where_nothing_is_missing() -> None:
    assert by_a_vector() is None
    if PROFILE != "quick":
        assert by_a_case() is None
        assert by_the_fuzzer() is None


def test_every_number_of_what_acceptance_must_mean_has_checks() -> None:
    """V1 to V8, but V6: that a verification has no store is no check; P60 to P63 try it."""
    assert {plant.meaning for plant in PLANTS} == {"V1", "V2", "V3", "V4", "V5", "V7", "V8"}


@pytest.mark.profiled
@pytest.mark.parametrize("plant", {"quick": FEW, "ci": PLANTS[::4]}.get(PROFILE, PLANTS), ids=str)
def test_a_deleted_check_is_noticed(plant: Plant) -> None:
    """V1 to V8."""
    assert noticed(plant) is not None


def irmin_cases() -> list[Callable[[], object]]:
    """The tests of Irmin's forms, each with all that it is parametrized by, but those that grow with the profile."""
    found: list[Callable[[], object]] = []
    for name, function in vars(test_irmin_forms).items():
        if name.startswith("test_") and callable(function):
            given: list[pytest.Mark] = getattr(function, "pytestmark", [])
            marks = [mark for mark in given if mark.name == "parametrize"]
            if not given:
                found.append(function)
            for mark in marks if marks == given else []:
                label, values = mark.args
                found += [partial(function, **{label: value}) for value in values]
    return found


@pytest.mark.profiled
@pytest.mark.parametrize("plant", {"quick": IRMIN[::25], "ci": IRMIN[::4]}.get(PROFILE, IRMIN), ids=str)
def test_a_deleted_check_of_irmins_forms_is_noticed(plant: Plant) -> None:
    """V1 to V8, of proofs in Irmin's formats."""
    with without(plant):
        for case in irmin_cases():
            try:
                case()
            except (Exception, pytest.fail.Exception):
                return
    pytest.fail("no test of Irmin's forms tells")
