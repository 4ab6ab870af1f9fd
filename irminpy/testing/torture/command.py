"""The command: `python -m irminpy.testing.torture --profile ci|long [--seed S]`, or one experiment of it.

With `--minutes N` it goes on with one seed after the other until N minutes have passed, one line a minute.
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from .carry import carry, slices, snapshots
from .collecting import collecting
from .endless import endless
from .flip import Flips, flip
from .fsyncgate import fsyncgate
from .kill import kill
from .lapse import lapse
from .packs import pack, packs
from .points import POINTS, classify, points
from .program import random_program
from .readers import readers
from .register import register
from .replay import Outcome, replay
from .selftest import selftest
from .subject import Subject
from .sweep import sweep
from .syscalls import syscalls
from .victims import has_strace

__all__ = ["PROFILES", "Profile", "main"]

Result = tuple[str, list[str]]
"""Figures in one line, and violations."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How much of each experiment: figures are floors, reached with as many programs as it takes.

    `limit`: images of one moment. `collections`: failing calls of one collection of garbage, 0 for all. `stride`: of
    the bytes of a small store every so many are changed.
    """

    images: int
    limit: int
    sweeps: int
    collections: int
    kills: int
    flips: int
    stride: int
    syncs: int
    deaths: int
    steps: int
    processes: int
    operations: int
    seconds: float


PROFILES = {
    "tiny": Profile(
        images=60,
        limit=4,
        sweeps=40,
        collections=6,
        kills=3,
        flips=40,
        stride=97,
        syncs=2,
        deaths=2,
        steps=6,
        processes=2,
        operations=10,
        seconds=0.5,
    ),
    "ci": Profile(
        images=5000,
        limit=24,
        sweeps=2000,
        collections=60,
        kills=100,
        flips=1600,
        stride=5,
        syncs=12,
        deaths=12,
        steps=14,
        processes=8,
        operations=100,
        seconds=10,
    ),
    "long": Profile(
        images=100_000,
        limit=10**6,
        sweeps=20_000,
        collections=0,
        kills=10_000,
        flips=100_000,
        stride=1,
        syncs=400,
        deaths=400,
        steps=40,
        processes=16,
        operations=10_000,
        seconds=600,
    ),
}


def _points(profile: Profile, seed: int) -> Result:
    found = points(seed=seed, limit=min(profile.limit, 10))
    met = sum(1 for count in found.met.values() if count)
    absent = [f"{name} ({POINTS[name].title})" for name, count in found.met.items() if not count]
    figures = f"{met}/{len(POINTS)} points met" + (f"; not met: {', '.join(absent)}" if absent else "")
    return figures, found.violations


def _rotate(seed: int) -> list[tuple[int, Subject]]:
    """Subjects in turn, each with a seed of its own."""
    draw = random.Random(seed)
    return [(draw.randrange(1 << 30), subject) for subject in packs()]


def _replay(profile: Profile, seed: int) -> Result:
    outcome, base = Outcome(), seed
    checked = 0
    while checked < profile.images and not outcome.violations:
        for own, subject in _rotate(base):
            program = random_program(own, profile.steps, collect=True)
            one = replay(subject, program, seed=own, limit=profile.limit, classify=classify)
            checked += one.distinct
            outcome.points.update(one.points)
            outcome.violations += [f"{subject.name}: {text}" for text in one.violations]
            if checked >= profile.images or outcome.violations:
                break
        base += 1
    return f"{checked} distinct images, {len(outcome.points)} of the points among them", outcome.violations


def _sweep(profile: Profile, seed: int) -> Result:
    runs = errors = 0
    base = seed
    while runs < profile.sweeps:
        for own, subject in _rotate(base):
            program = random_program(own, profile.steps, collect=True)
            one = sweep(subject, program, seed=own, runs=profile.sweeps - runs)
            runs += one.runs.total()
            errors += one.errors
            if one.violations:
                return f"{runs} runs", [f"{subject.name}: {text}" for text in one.violations]
            if runs >= profile.sweeps:
                break
        base += 1
    return f"{runs} runs, {errors} of which met an error", []


def _collect(profile: Profile, seed: int) -> Result:
    images = runs = deaths = 0
    wrong: list[str] = []
    for own, subject in _rotate(seed):
        one = collecting(
            subject,
            seed=own,
            steps=profile.steps // 2,
            limit=max(2, profile.limit // 4),
            runs=profile.collections,
            stride=max(1, 200 // profile.deaths),
        )
        images, runs, deaths = images + one.images, runs + one.runs, deaths + one.deaths
        wrong += [f"{subject.name}: {text}" for text in one.violations]
    return f"{images} images, {runs} failing calls, {deaths} deaths in collections", wrong


def _carry(profile: Profile, seed: int) -> Result:
    images = faults = 0
    wrong: list[str] = []
    for own, subject in _rotate(seed):
        limit, stride = max(2, profile.limit // 6), max(1, 100 // profile.deaths)
        # A snapshot is checked to its depths when it is imported, so that a run costs ten times one of a slice.
        for one in (
            carry(subject, seed=own, ways=[slices()], limit=limit, stride=stride),
            carry(subject, seed=own, ways=[snapshots()], limit=1, every=3, stride=20 * stride),
        ):
            images, faults = images + one.images, faults + one.faults
            wrong += [f"{subject.name}: {text}" for text in one.violations]
    return f"{images} images, {faults} failing calls in exports and imports", wrong


def _kill(profile: Profile, seed: int) -> Result:
    killed, wrong = 0, list[str]()
    subjects = _rotate(seed)
    for own, subject in subjects:
        share = -(-profile.kills // len(subjects))
        one = kill(subject, random_program(own, profile.steps, collect=True), seed=own, kills=share)
        killed += one.killed.total()
        wrong += [f"{subject.name}: {text}" for text in one.violations]
    return f"{killed} processes killed", wrong


def _flip(profile: Profile, seed: int) -> Result:
    """Both ways of reading, readers and writers; then each `stride`-th byte of the segments of a small store."""
    right = typed = 0
    wrong: list[str] = []

    def add(one: Flips, what: str) -> None:
        nonlocal right, typed
        right += one.right.total()
        typed += one.typed.total()
        wrong.extend(f"{what}: {text}" for text in one.violations)

    for index, io, write in product(("always", "minimal"), ("pread", "mmap"), (False, True)):
        subject = pack(index, io=io)
        program = random_program(seed, min(profile.steps, 10), collect=True)
        one = flip(subject, program, seed=seed, flips=profile.flips // 8, write=write)
        add(one, f"{subject.name}, {'writer' if write else 'reader'}")
    bytes_ = 0
    for io in ("pread", "mmap"):
        subject = pack(io=io)
        small = random_program(seed, 3, collect=True, largest=700)
        one = flip(subject, small, seed=seed, files=["pack/"], stride=profile.stride)
        bytes_ += one.total
        add(one, f"{subject.name}, each byte")
    figures = f"{right + typed} flips, {typed} reported, {right} harmless"
    return f"{figures}; {bytes_} of them each {profile.stride}. byte of the segments of a small store", wrong


def _fsyncgate(profile: Profile, seed: int) -> Result:
    own, subject = _rotate(seed)[0]
    program = random_program(own, profile.steps, collect=True)
    stride = max(1, 3 * profile.steps // profile.syncs)
    one = fsyncgate(subject, program, seed=own, stride=stride)
    return f"{one.syncs} syncs failed, {one.images} images", one.violations


def _lapse(profile: Profile, seed: int) -> Result:
    own, subject = _rotate(seed)[0]
    program = random_program(own, min(profile.steps, 8), collect=True)
    one = lapse(subject, program, seed=own, stride=max(1, 200 // profile.deaths))
    return f"{one.deaths} processes died, {one.images} images of the next one", one.violations


def _syscalls(profile: Profile, seed: int) -> Result:
    """The index of both strategies, and the one that garbage collection makes."""
    first = 1 if profile.steps < 10 else 3
    program = random_program(seed, profile.steps, collect=True)
    reached = runs = errors = 0
    wrong: list[str] = []
    for generation, strategy in ((1, "always"), (1, "minimal"), (2, "always")):
        file = f"index/{generation}-{strategy}/data.mdb"
        one = syscalls(pack(strategy), program, seed=seed, first=first, index=file)
        reached, runs, errors = reached + one.reached, runs + one.runs.total(), errors + one.errors
        wrong += [f"{file}: {text}" for text in one.violations]
    return f"{reached} calls on the index failed in {runs} runs, {errors} users met an error", wrong


def _register(profile: Profile, seed: int) -> Result:
    kills = profile.processes * profile.operations // 50
    one = register(
        pack(seal=1 << 20), seed=seed, processes=profile.processes, operations=profile.operations, kills=kills
    )
    figures = f"{profile.processes} processes, {one.acknowledged} compare-and-sets, {one.killed} killed"
    return figures, one.violations


def _readers(profile: Profile, seed: int) -> Result:
    one = readers(pack(), processes=min(profile.processes, 8), seconds=profile.seconds)
    figures = f"{one.reads} trees read in {profile.seconds:.0f} s while {one.commits} commits were made"
    return f"{figures}, {one.collections} collections of garbage", one.violations


def _selftest(profile: Profile, seed: int) -> Result:
    caught = selftest(seed=seed)
    wrong = [f"{one.name}: not noticed by {one.experiment} within a minute" for one in caught if not one.ok]
    slowest = max(caught, key=lambda one: one.seconds)
    figures = f"{len(caught) - len(wrong)}/{len(caught)} planted bugs caught"
    return f"{figures}, the slowest in {slowest.seconds:.1f} s ({slowest.name})", wrong


EXPERIMENTS: dict[str, Callable[[Profile, int], Result]] = {
    "points": _points,
    "replay": _replay,
    "sweep": _sweep,
    "collect": _collect,
    "carry": _carry,
    "kill": _kill,
    "flip": _flip,
    "fsyncgate": _fsyncgate,
    "lapse": _lapse,
    "syscalls": _syscalls,
    "register": _register,
    "readers": _readers,
    "selftest": _selftest,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiments; 0 if nothing was violated, else 1, with the seed of each violation."""
    parser = argparse.ArgumentParser(prog="python -m irminpy.testing.torture", description=__doc__)
    parser.add_argument("experiment", nargs="*", choices=[[], *EXPERIMENTS], help="default: all of them")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="ci")
    parser.add_argument("--seed", type=int, default=1, help="draws the programs and the faults")
    parser.add_argument("--all", action="store_true", help="of points: exit code 1 unless all 25 are met")
    parser.add_argument(
        "--minutes", type=float, help="bouts of all experiments, seed after seed, for so long"
    )
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    if given.minutes is not None:
        wrong = endless(given.seed, given.minutes, lambda line: print(line, flush=True))
        print("FAILED" if wrong else "ok")
        return int(bool(wrong))
    profile = PROFILES[given.profile]
    failed = False
    started = time.monotonic()
    if not has_strace():
        print("strace is not here: no syscalls, and kill strikes at random moments only", flush=True)
    for name in given.experiment or EXPERIMENTS:
        if name == "syscalls" and not has_strace():
            continue
        began = time.monotonic()
        figures, wrong = EXPERIMENTS[name](profile, given.seed)
        failed |= bool(wrong)
        if name == "points" and given.all and not figures.startswith("25/"):
            failed = True
        spent = time.monotonic() - began
        print(f"{name}: {figures}; {len(wrong)} violations; seed {given.seed}; {spent:.0f} s", flush=True)
        for text in wrong[:10]:
            # Of a traceback the end says what was raised.
            print(f"  {text if len(text) <= 1000 else f'{text[:300]} … {text[-600:]}'}", flush=True)
    print(f"{'FAILED' if failed else 'ok'}, {time.monotonic() - started:.0f} s")
    return int(failed)
