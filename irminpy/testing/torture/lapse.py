"""Lapse: a process dies at one of its file calls, the next one goes on with what it finds, and then the power goes.

What the second process finds in the files may be nowhere but in memory: it must not acknowledge anything on top of
that before it is durable.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .forks import Child, Died, Raised, call, spread, start
from .fsyncgate import judge_all, persist
from .program import Ledger, Op, Program, ledger_of
from .recording import Event, Recording
from .replay import ALARM, STORE, box, record
from .subject import Subject

__all__ = ["Lapses", "lapse"]

_DEAD = 3  # the exit code of a process that died where it was told to


@dataclass(slots=True)
class Lapses:
    """How many processes died and were followed by another, and how many crash images of the second were checked."""

    deaths: int = 0
    images: int = 0
    violations: list[str] = field(default_factory=list[str])


def lapse(
    subject: Subject,
    program: Program,
    *,
    seed: int,
    stride: int = 1,
    first: int = 0,
    stop: int = 10,
    during: Op | None = None,
) -> Lapses:
    """Let a process die at each `stride`-th file call of a run of `program`, after `first` others.

    From the last one if `stride` is negative. `during`: only at calls that are made in steps of this kind.
    """
    ledger = ledger_of(program)
    outcome = Lapses()

    def count() -> list[int]:
        numbers: list[int] = []

        def before(name: str, what: str | int, creates: bool) -> None:
            if during in (None, recording.phase):
                numbers.append(len(recording.calls))

        with box() as root:
            recording = Recording(root, before)
            record(subject, program, root, files=recording)
        return numbers

    calls = call(count, 4 * ALARM)
    if isinstance(calls, Died | Raised):
        outcome.violations.append(f"the run without faults failed: {calls}")
        return outcome

    def one(number: int) -> list[str | int]:
        return _lapse(subject, program, ledger, number, seed)

    for number, answer in spread(
        one, calls[::stride] if stride < 0 else calls[first::stride], timeout=8 * ALARM, batch=4
    ):
        if isinstance(answer, Died | Raised):
            answer = [0, f"the run ended: {answer}"]
        outcome.deaths += 1
        outcome.images += int(answer[0])
        outcome.violations += [f"seed {seed}, a process dies at call {number}: {one}" for one in answer[1:]]
        if len(outcome.violations) >= stop:
            break
    return outcome


def _lapse(subject: Subject, program: Program, ledger: Ledger, number: int, seed: int) -> list[str | int]:
    with box() as root:
        past = _first_life(subject, str(root / STORE), program, number)
        if isinstance(past, str):
            return [0, past]
        recording = Recording(root, past=past)
        done = max([event.offset for event in past if event.op == "mark"], default=-1)
        wrong = persist(subject, str(root / STORE), recording, program, ledger, done)
    return [0, *wrong] if wrong else judge_all(subject, ledger, recording, seed)


def _first_life(subject: Subject, path: str, program: Program, number: int) -> list[Event] | str:
    """The events of a process that dies at call `number`, or what else became of it."""

    def body(send: Callable[[Any], None]) -> None:
        def before(name: str, what: str | int, creates: bool) -> None:
            if len(recording.calls) == number:
                send([event.to_json() for event in recording.events])
                os._exit(_DEAD)

        recording = Recording(os.path.dirname(path), before)
        record(subject, program, recording.root, files=recording)

    child: Child[list[Any]] = start(body, ALARM)
    answers = child.rest()
    died = child.wait()
    if died.code != _DEAD:
        return f"the process that was to die ended by itself: {died}"
    return [Event.of_json(fields) for fields in answers[0]]
