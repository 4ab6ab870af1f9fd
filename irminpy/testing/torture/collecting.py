"""Collecting: garbage collection at every call of it: power cuts, failures, deaths followed by another writer."""

from __future__ import annotations

from dataclasses import dataclass, field

from .lapse import lapse
from .program import Program, Step, random_program
from .replay import replay
from .subject import Subject
from .sweep import sweep

__all__ = ["Collecting", "collecting", "littered"]


@dataclass(slots=True)
class Collecting:
    """How many crash images, runs with a failing call and deaths there were, and what was wrong."""

    images: int = 0
    runs: int = 0
    deaths: int = 0
    violations: list[str] = field(default_factory=list[str])


def littered(seed: int, steps: int) -> Program:
    """`steps` steps that leave garbage behind, a collection of it, and a commit on top."""
    return [
        *random_program(seed, max(1, steps - 2), reopen=False),
        Step("set", "topic/x", "litter", b"%d " % seed * 400),
        Step("drop", "topic/x"),
        Step("collect"),
        Step("set", "main", "after", b"the collection"),
    ]


def collecting(
    subject: Subject,
    *,
    seed: int,
    steps: int = 8,
    limit: int,
    runs: int = 0,
    stride: int = 1,
    first: int = 0,
    stop: int = 10,
) -> Collecting:
    """Break one collection in all ways: `limit` images of each moment, `runs` failures (0: all of them).

    A process dies at each `stride`-th call, after `first` others.
    """
    program = littered(seed, steps)
    outcome = Collecting()
    images = replay(subject, program, seed=seed, limit=limit, stop=stop, during="collect")
    outcome.images += images.distinct
    outcome.violations += images.violations
    failures = sweep(subject, program, seed=seed, runs=runs, stop=stop, during="collect")
    outcome.runs += failures.runs.total()
    outcome.violations += failures.violations
    deaths = lapse(subject, program, seed=seed, stride=stride, first=first, stop=stop, during="collect")
    outcome.deaths += deaths.deaths
    outcome.images += deaths.images
    outcome.violations += deaths.violations
    return outcome
