"""Fsyncgate: each sync of a run fails once, on a disk that then forgets what the sync should have written.

After a failed fsync Linux marks the pages clean: reading still shows the bytes, a later sync succeeds, and the disk
never sees them. So each run is recorded, and its crash images hold nothing of what a failed sync should have
written, unless it was written again (reliability.md 0.5, 2.2).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from ...errors import IrminError
from .checker import Promise, check
from .faults import SYNCS
from .forks import Died, Raised, call, spread
from .images import fingerprint, images
from .program import Ledger, Program, act, ledger_of, open_repo, refs_of
from .recording import Recording, load
from .replay import ALARM, STORE, box, record
from .subject import Subject

__all__ = ["Gate", "fsyncgate"]

IMAGES = 2  # of each moment: all that is pending, and nothing of it
ATTEMPTS = 3  # at one step, on a new handle each


@dataclass(slots=True)
class Gate:
    """How many syncs failed, how many images were checked, how many acknowledgements came after a failure."""

    syncs: int = 0
    images: int = 0
    violations: list[str] = field(default_factory=list[str])


def fsyncgate(
    subject: Subject, program: Program, *, seed: int, stride: int = 1, first: int = 0, stop: int = 10
) -> Gate:
    """Fail each `stride`-th sync of a run of `program` in a run of its own, after `first` others.

    From the last one if `stride` is negative.
    """
    ledger = ledger_of(program)
    outcome = Gate()

    def count() -> int:
        with box() as root:
            recording = record(subject, program, root)
            return sum(recording.counts[name] for name in SYNCS)

    syncs = call(count, 4 * ALARM)
    if isinstance(syncs, Died | Raised):
        outcome.violations.append(f"the run without faults failed: {syncs}")
        return outcome

    def one(number: int) -> list[str | int]:
        return _gate(subject, program, ledger, number, seed)

    numbers = range(1, syncs + 1)[::stride] if stride < 0 else range(1 + first, syncs + 1, stride)
    for number, answer in spread(one, numbers, timeout=8 * ALARM, batch=4):
        outcome.syncs += 1
        if isinstance(answer, Died | Raised):
            answer = [0, f"the run ended: {answer}"]
        outcome.images += int(answer[0])
        outcome.violations += [f"seed {seed}, sync {number} fails: {one}" for one in answer[1:]]
        if len(outcome.violations) >= stop:
            break
    return outcome


def _failing(number: int) -> Callable[[str, str | int, bool], None]:
    count = 0

    def before(name: str, what: str | int, creates: bool) -> None:
        nonlocal count
        if name in SYNCS:
            count += 1
            if count == number:
                raise OSError(errno.EIO, f"{os.strerror(errno.EIO)} (injected at sync {number})", str(what))

    return before


def _gate(subject: Subject, program: Program, ledger: Ledger, number: int, seed: int) -> list[str | int]:
    with box() as root:
        recording = Recording(root, _failing(number))
        wrong = persist(subject, str(root / STORE), recording, program, ledger)
    if wrong:
        return [0, *wrong]
    return judge_all(subject, ledger, recording, seed)


def judge_all(subject: Subject, ledger: Ledger, recording: Recording, seed: int) -> list[str | int]:
    """The number of images of a recording, a few of each moment, and the violations in them."""
    known: set[tuple[bytes, int]] = set()
    out: list[str | int] = [0]
    for image in images(recording.start, recording.events, seed, limit=IMAGES):
        mark = (fingerprint(image.tree), image.acknowledged)
        if mark in known:
            continue
        known.add(mark)
        with box() as root:
            load(root, image.tree)
            promise = Promise.after(image.acknowledged, ledger, lossy=subject.lossy)
            out += [
                f"{image}: {one}" for one in check(subject, str(root / STORE), ledger, promise).violations
            ]
        if len(out) > 3:
            break
    out[0] = len(known)
    return out


def persist(
    subject: Subject, path: str, recording: Recording, program: Program, ledger: Ledger, done: int = -1
) -> list[str]:
    """Run the program from state `done` to its end, on a new handle after each error, noting what is acknowledged."""
    attempts = 0
    while done < len(program):
        try:
            repo = open_repo(subject.maker(path, recording))
        except IrminError as e:
            attempts += 1
            if attempts > ATTEMPTS:
                return [f"D4: cannot be opened after a failed sync: {e}"]
            continue
        try:
            refs = refs_of(repo)
            if done + 1 < len(ledger.states) and refs == ledger.states[done + 1].refs:
                done += 1
            elif refs != ledger.states[max(done, 0)].refs:
                return [f"D2: after a failed sync the store is in neither state {done} nor the next"]
            done = max(done, 0)
            # What is seen is promised: a reader was shown it.
            recording.mark(done)
            while done < len(program):
                recording.phase = program[done].op
                if program[done].op != "reopen":
                    act(repo, program[done], subject.collect)
                done += 1
                recording.mark(done)
                if program[done - 1].op == "reopen":
                    break
        except IrminError as e:
            attempts += 1
            if attempts > ATTEMPTS:
                return [f"D4: step {done} fails again and again after one failed sync: {e}"]
        finally:
            _close(repo.close)
    return []


def _close(close: Callable[[], None]) -> None:
    try:
        close()
    except IrminError:
        return  # the failed sync may be the one of closing
