"""Self-test: the harness must notice each planted bug within a minute, and nothing where none is planted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .collecting import littered
from .flip import flip
from .fsyncgate import fsyncgate
from .lapse import lapse
from .packs import pack
from .plants import PLANTS, planted
from .probes import PROBES
from .program import Step, random_program
from .replay import replay
from .subject import Subject

__all__ = ["LONGEST", "Caught", "selftest"]

LONGEST = 60.0
"""Seconds within which a planted bug must be noticed."""

# Few steps, but each kind of write, and a segment that is begun on the way.
_PROGRAM = [
    Step("set", "main", "a", b"first"),
    Step("edit", "main", "wide", b"x"),
    Step("tree", "dev", "wide", b"y" * 50),
    Step("clone", "topic/x", other="dev"),
    Step("set", "dev", "b", b"z" * 4000),
    Step("set", "main", "b", b"z" * 4000),
    Step("set", "main", "c", b"after the seal"),
]


@dataclass(frozen=True, slots=True)
class Caught:
    """What became of a planted bug: the first violation that it led to, empty if nobody noticed."""

    name: str
    experiment: str
    violation: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether it was noticed in time."""
        return bool(self.violation) and self.seconds <= LONGEST


def _replay(subject: Subject, seed: int) -> list[str]:
    return replay(subject, _PROGRAM, seed=seed, limit=12, stop=1).violations


def _fsyncgate(subject: Subject, seed: int) -> list[str]:
    # From the end, where segments are begun: the syncs of the creation are many.
    return fsyncgate(subject, _PROGRAM, seed=seed, stride=-1, stop=1).violations


def _lapse(subject: Subject, seed: int) -> list[str]:
    # Only the second step, in which a segment is begun.
    program = [Step("edit", "main", "wide", b"x" * 1200), Step("set", "main", "a", b"after the seal")]
    return lapse(subject, program, seed=seed, stop=1, during="set").violations


def _collect(subject: Subject, seed: int) -> list[str]:
    return replay(subject, littered(seed, 3), seed=seed, limit=12, stop=1, during="collect").violations


def _flip(subject: Subject, seed: int) -> list[str]:
    program = random_program(seed, 6, reopen=False)
    return flip(subject, program, seed=seed, flips=600, files=["pack/"], stop=1).violations


EXPERIMENTS: dict[str, Callable[[Subject, int], list[str]]] = {
    "replay": _replay,
    "fsyncgate": _fsyncgate,
    "lapse": _lapse,
    "collect": _collect,
    "flip": _flip,
    **PROBES,
}


def selftest(names: Sequence[str] = (), *, seed: int = 1) -> list[Caught]:
    """Plant the bugs `names`, or all, one after the other, and run the experiment that must notice each."""
    out: list[Caught] = []
    for name, (experiment, plant) in PLANTS.items():
        if names and name not in names:
            continue
        started = time.monotonic()
        with plant() as wrap:
            violations = EXPERIMENTS[experiment](planted(pack(), wrap), seed)
        first = violations[0] if violations else ""
        out.append(Caught(name, experiment, first, time.monotonic() - started))
    return out


def sound(*, seed: int = 1) -> list[str]:
    """What the same experiments find where nothing is planted: must be nothing."""
    return [f"{name}: {one}" for name, experiment in EXPERIMENTS.items() for one in experiment(pack(), seed)]
