"""Endless: bouts of all experiments, each with a seed of its own, for as many minutes as are asked for.

A bout is a short program, and one experiment on it; the next one has the next seed, the next experiment and the next
subject. A bout that finds something names its seed, and `bout(seed)` does it again.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from .carry import carry, slices, snapshots
from .collecting import collecting
from .flip import flip
from .fsyncgate import fsyncgate
from .kill import kill
from .lapse import lapse
from .packs import pack, packs
from .program import Program, random_program
from .replay import replay
from .subject import Subject
from .sweep import sweep

__all__ = ["bout", "endless"]

Figures = dict[str, int]
Bout = Callable[[Subject, int, Program], tuple[Figures, list[str]]]


def _replay(subject: Subject, seed: int, program: Program) -> tuple[Figures, list[str]]:
    one = replay(subject, program, seed=seed, limit=4)
    return {"images": one.distinct}, one.violations


def _sweep(subject: Subject, seed: int, program: Program) -> tuple[Figures, list[str]]:
    one = sweep(subject, program, seed=seed, runs=80)
    return {"failed calls": one.runs.total()}, one.violations


def _kill(subject: Subject, seed: int, program: Program) -> tuple[Figures, list[str]]:
    one = kill(subject, program, seed=seed, kills=20)
    return {"kills": one.killed.total()}, one.violations


def _collecting(subject: Subject, seed: int, program: Program) -> tuple[Figures, list[str]]:
    one = collecting(subject, seed=seed, steps=len(program), limit=4, runs=60, first=seed % 61, stride=61)
    figures = {"images": one.images, "failed calls": one.runs, "deaths": one.deaths}
    return figures, one.violations


def _flip(subject: Subject, seed: int, program: Program) -> tuple[Figures, list[str]]:
    how: dict[str, Any] = {"io": "mmap"} if seed % 2 else {}
    one = flip(pack(**how), program[:10], seed=seed, flips=200, write=seed % 4 > 1)
    return {"flips": one.total}, one.violations


def _fsyncgate(subject: Subject, seed: int, program: Program) -> tuple[Figures, list[str]]:
    one = fsyncgate(subject, program[:10], seed=seed, stride=31, first=seed % 31)
    return {"failed syncs": one.syncs, "images": one.images}, one.violations


def _lapse(subject: Subject, seed: int, program: Program) -> tuple[Figures, list[str]]:
    one = lapse(subject, program[:8], seed=seed, stride=83, first=seed % 83)
    return {"deaths": one.deaths, "images": one.images}, one.violations


def _carry(subject: Subject, seed: int, program: Program) -> tuple[Figures, list[str]]:
    way, limit, stride = (slices(), 3, 11) if seed % 2 else (snapshots(), 1, 61)
    one = carry(subject, seed=seed, ways=[way], limit=limit, stride=stride)
    return {"images": one.images, "failed calls": one.faults}, one.violations


BOUTS: dict[str, Bout] = {
    "replay": _replay,
    "sweep": _sweep,
    "kill": _kill,
    "collecting": _collecting,
    "flip": _flip,
    "fsyncgate": _fsyncgate,
    "lapse": _lapse,
    "carry": _carry,
}


def bout(seed: int) -> tuple[str, Figures, list[str]]:
    """(experiment and subject, figures, violations) of the bout with this seed."""
    draw = random.Random(seed)
    name = list(BOUTS)[seed % len(BOUTS)]
    subject = packs()[seed // len(BOUTS) % len(packs())]
    if subject.lossy and name in ("fsyncgate", "lapse"):
        subject = pack("minimal")  # what is not synced cannot be lost by a sync that fails
    program = random_program(seed, draw.randrange(4, 24), collect=True)
    figures, wrong = BOUTS[name](subject, seed, program)
    return f"{name}, {subject.name}, seed {seed}", figures, wrong


def endless(seed: int, minutes: float, tell: Callable[[str], None]) -> list[str]:
    """Bouts from `seed` on until `minutes` have passed; `tell` gets one line a minute, or a bout. The violations."""
    began = told = time.monotonic()
    totals, wrong, bouts = Counter[str](), list[str](), 0

    def line() -> str:
        shown = ", ".join(f"{count} {name}" for name, count in totals.items())
        spent = (time.monotonic() - began) / 60
        return f"{spent:.0f} min: {bouts} bouts, seeds {seed} to {seed + bouts - 1}: {shown}; {len(wrong)} violations"

    while time.monotonic() - began < 60 * minutes:
        name, figures, found = bout(seed + bouts)
        bouts += 1
        totals.update(figures)
        for one in found:
            wrong.append(f"{name}: {one}")
            tell(wrong[-1][:1000])
        if time.monotonic() - told >= 60:
            told = time.monotonic()
            tell(line())
    tell(line())
    return wrong
