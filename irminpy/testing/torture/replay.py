"""Replay: a workload is recorded once, and every crash image of the recording is opened and checked."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from irminpy_pack.files import Files

from .checker import Promise, check
from .forks import Died, Raised, spread
from .images import Image, fingerprint, images
from .program import Ledger, Op, Program, act, ledger_of, open_repo
from .recording import Recording, load, tree_of
from .subject import Subject

__all__ = ["ALARM", "STORE", "Outcome", "box", "record", "replay", "run"]

STORE = "store"
"""The name of the store below the directory of an experiment; beside it are its temporary directories."""

PROBED = 4
"""Of so many moments, the stores of one are also written to after recovery."""

ALARM = 120.0
"""Seconds after which one check counts as hung: it takes milliseconds, but the machine may have a load of dozens."""


@contextmanager
def box() -> Generator[Path, None, None]:
    """An empty directory for one experiment, in memory where the system has such a place."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    root = Path(tempfile.mkdtemp(prefix="torture.", dir=place))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def run(
    subject: Subject,
    path: str,
    files: Files,
    program: Program,
    acknowledge: Callable[[int], None],
    *,
    phase: Callable[[str], None] = lambda name: None,
    start: int = 0,
) -> None:
    """Open the store, do the steps of `program` from number `start`, and close it.

    `acknowledge(k)` is called when state k of the ledger stands as far as the user knows; `phase` with the name of
    what begins.
    """
    phase("create" if start == 0 else "reopen")
    repo = open_repo(subject.maker(path, files))
    try:
        acknowledge(start)
        for number, step in enumerate(program[start:], start):
            phase(step.op)
            if step.op == "reopen":
                repo.close()
                repo = open_repo(subject.maker(path, files), create=False)
            else:
                act(repo, step, subject.collect)
            acknowledge(number + 1)
        phase("close")
    finally:
        repo.close()


def record(subject: Subject, program: Program, root: Path, *, files: Recording | None = None) -> Recording:
    """What running `program` over a store in the empty directory `root` does to the disk."""
    recording = files or Recording(root)

    def phase(name: str) -> None:
        recording.phase = name

    run(subject, str(root / STORE), recording, program, recording.mark, phase=phase)
    return recording


@dataclass(slots=True)
class Outcome:
    """How many images were checked, and what was wrong with which."""

    images: int = 0
    distinct: int = 0
    variants: Counter[str] = field(default_factory=Counter[str])
    points: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])


def _unknown(recording: Recording, root: Path) -> dict[str, bytes]:
    """The files below `root` that `recording` knows nothing of."""
    tree = recording.start.copy()
    for event in recording.events:
        tree.apply(event)
    known = tree.walk()
    return {name: data for name, data in tree_of(root).items() if name not in known and data is not None}


def replay(
    subject: Subject,
    program: Program,
    *,
    seed: int,
    limit: int = 1 << 30,
    stop: int = 20,
    classify: Callable[[Image], frozenset[str]] = lambda image: frozenset[str](),
    recording: Recording | None = None,
    ledger: Ledger | None = None,
    outcome: Outcome | None = None,
    during: Op | None = None,
) -> Outcome:
    """Check the crash images of `program`, at most `limit` for each moment, until `stop` violations are found.

    `during`: only of the moments in steps of this kind.
    `classify` names the crash points that an image is a case of. Files that the recording does not know, which are
    LMDB's, are missing in two images of three; in the others they are as at the end of the run, and so of a later
    time than the image.
    """
    ledger = ledger or ledger_of(program)
    outcome = outcome or Outcome()
    unknown: dict[str, bytes] = {}
    if recording is None:
        with box() as root:
            recording = record(subject, program, root)
            unknown = _unknown(recording, root)
    known: set[tuple[bytes, int]] = set()
    contents: set[bytes] = set()

    def wanted() -> Iterator[Image]:
        for image in images(recording.start, recording.events, seed, limit=limit):
            if during not in (None, image.event.phase):
                continue
            outcome.images += 1
            outcome.points.update(
                classify(image)
            )  # an image that was checked before is a case of it all the same
            mark = fingerprint(image.tree)
            if (mark, image.acknowledged) not in known:
                known.add((mark, image.acknowledged))
                contents.add(mark)
                yield image

    def judge(image: Image) -> list[str]:
        with box() as root:
            load(root, image.tree)
            if image.at % 3 == 0:
                for name, data in unknown.items():
                    if (root / name).parent.is_dir():
                        (root / name).write_bytes(data)
            promise = Promise.after(image.acknowledged, ledger, lossy=subject.lossy)
            probe = image.at % PROBED == 0
            return check(subject, str(root / STORE), ledger, promise, probe=probe).violations

    for image, answer in spread(judge, wanted(), timeout=ALARM):
        outcome.distinct = len(contents)
        outcome.variants[image.variant] += 1
        if isinstance(answer, Died | Raised):
            answer = [f"the checker {'raised' if isinstance(answer, Raised) else 'died'}: {answer}"]
        outcome.violations += [f"seed {seed}, {image}: {one}" for one in answer]
        if len(outcome.violations) >= stop:
            break
    return outcome
