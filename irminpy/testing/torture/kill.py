"""Kill: processes are killed with SIGKILL at chosen system calls and at random moments, several times per store.

What a killed process was told to be done is known to its parent, which nothing happens to. Each round goes on where
the store is after the last one, so that recovery is killed too.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from .checker import Promise, check
from .forks import Died, Raised, call, spread
from .program import Ledger, Program, ledger_of
from .replay import ALARM, STORE, box
from .subject import Subject
from .victims import Ended, count_calls, has_strace, killing, victim

__all__ = ["Kills", "kill"]

ROUNDS = 3  # kills of one store


class Blow(NamedTuple):
    """SIGKILL at call number `when` of `call`, or after `delay` seconds if there is no call."""

    call: str
    when: int
    delay: float

    def __str__(self) -> str:
        return f"{self.call} {self.when}" if self.call else f"after {self.delay:.3f} s"


@dataclass(slots=True)
class Kills:
    """How many processes were killed, by call; how many ended before; what was wrong after which."""

    killed: Counter[str] = field(default_factory=Counter[str])
    missed: int = 0
    violations: list[str] = field(default_factory=list[str])


def kill(
    subject: Subject, program: Program, *, seed: int, kills: int, stop: int = 10, delays_only: bool = False
) -> Kills:
    """Kill at least `kills` processes that run `program`; without strace, or `delays_only`, at random moments only."""
    ledger = ledger_of(program)
    draw = random.Random(seed)
    outcome = Kills()
    traced = has_strace() and not delays_only
    with box() as root:
        counts = Counter[str]()
        if traced:
            counts = count_calls(subject, str(root / STORE), program, ledger, root / "log")
        length = victim(subject, str(root / "again"), program, ledger, -1).seconds
    every = [Blow(name, when, 0) for name, count in sorted(counts.items()) for when in range(1, count + 1)]

    def blows() -> list[Blow]:
        out: list[Blow] = []
        for _ in range(ROUNDS):
            if every and draw.random() < 0.8:
                out.append(draw.choice(every))
            else:
                out.append(Blow("", 0, draw.uniform(0, length)))
        return out

    def one(planned: list[Blow]) -> list[list[str]]:
        return _rounds(subject, program, ledger, planned)

    while outcome.killed.total() < kills and len(outcome.violations) < stop:
        todo = [blows() for _ in range(max(4, (kills - outcome.killed.total()) // 2))]
        for planned, answer in spread(one, todo, timeout=4 * ALARM, batch=4):
            if isinstance(answer, Died | Raised):
                outcome.violations.append(f"seed {seed}, kills at {', '.join(map(str, planned))}: {answer}")
                continue
            for word, text in answer:
                if word == "killed":
                    outcome.killed[text] += 1
                elif word == "missed":
                    outcome.missed += 1
                else:
                    outcome.violations.append(f"seed {seed}, {text}")
        if outcome.missed > 20 * kills:
            outcome.violations.append(f"seed {seed}: nearly no kill reaches its process")
            break
    return outcome


def _rounds(subject: Subject, program: Program, ledger: Ledger, blows: list[Blow]) -> list[list[str]]:
    out: list[list[str]] = []
    with box() as root:
        path = str(root / STORE)
        done = -1
        for blow in blows:
            ended = _strike(subject, path, program, ledger, done, blow)
            if ended.error:
                out.append(["wrong", f"D4: {blow}: an error without a fault: {ended.error}"])
                return out
            if ended.died.signal == signal.SIGALRM or ended.died.code:
                out.append(["wrong", f"D4: {blow}: the process ended by itself: {ended.died}"])
                return out
            reached = ended.died.signal == signal.SIGKILL
            out.append(["killed" if reached else "missed", blow.call or "delay"])
            done = ended.acknowledged
            if not reached:
                break
        answer = call(
            lambda: (
                check(subject, path, ledger, Promise.after(done, ledger, lossy=False)).violations
            ),  # a killed process loses nothing, whatever the mode
            ALARM,
        )
        if isinstance(answer, Died | Raised):
            answer = [str(answer)]
        shown = ", ".join(str(blow) for blow in blows)
        out += [["wrong", f"kills at {shown}, {done} acknowledged: {one}"] for one in answer]
    return out


def _strike(subject: Subject, path: str, program: Program, ledger: Ledger, done: int, blow: Blow) -> Ended:
    if blow.call:
        return victim(subject, path, program, ledger, done, inject=killing(blow.call, blow.when))
    return victim(subject, path, program, ledger, done, delay=blow.delay)
