"""Register: processes compare-and-set one value on one branch, some are killed, and the history must be linearizable.

Each operation sets the value to its own name if it is what was read before, in one commit that names both. The chain
of commits is then the order of the register: every acknowledged operation is in it once, every other at most once,
each follows the one whose value it read, and none precedes one that was acknowledged before it began.
"""

from __future__ import annotations

import os
import random
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from irminpy_pack.files import Files

from ...errors import Locked, TestWas, TooManyRetries
from .forks import Child, Died, start
from .program import open_repo
from .replay import STORE, box
from .subject import Subject

__all__ = ["Register", "linearizable", "register"]

BRANCH = "main"
LONGEST = 6 * 3600.0
"""Seconds after which a process counts as hung."""
Told = list[str | float]
"""["start" or "ok", name of the operation, seconds]."""


@dataclass(slots=True)
class Register:
    """How many operations were acknowledged, how many processes were killed, and what was wrong."""

    acknowledged: int = 0
    killed: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list[str])


def register(subject: Subject, *, seed: int, processes: int, operations: int, kills: int = 0) -> Register:
    """`processes` at a time do `operations` each; `kills` times one is killed, and another does what it had left."""
    draw = random.Random(seed)
    outcome = Register()
    began = time.monotonic()
    started: dict[str, float] = {}
    done: dict[str, float] = {}
    with box() as root:
        path = str(root / STORE)
        with open_repo(subject.maker(path, Files())) as repo:
            repo.branch(BRANCH).set("r", b"none", message="none")
        running: dict[int, Child[Told]] = {}
        left: dict[int, int] = {}  # operations, by pipe
        born = 0

        def bear(number: int) -> None:
            nonlocal born
            child: Child[Told] = start(_worker(subject, path, f"p{born}", number), LONGEST)
            running[child.pipe], left[child.pipe] = child, number
            born += 1

        for _ in range(processes):
            bear(operations)
        # A kill after every so many acknowledgements.
        due = sorted(draw.randrange(1, max(2, processes * operations)) for _ in range(kills))
        while running:
            ready, _, _ = select.select(list(running), [], [], 60.0)
            if not ready:
                outcome.violations.append("D8: nobody has made progress for a minute")
                break
            for pipe in ready:
                child = running[pipe]
                before = len(child.buffer)
                told = child.answers(timeout=0)
                for word, name, at in told:
                    (started if word == "start" else done)[str(name)] = float(at)
                    left[pipe] -= word == "ok"
                if not told and len(child.buffer) == before:
                    del running[pipe]
                    died = child.wait()
                    if died.signal == signal.SIGKILL and left[pipe]:
                        bear(left[pipe])
                    elif died not in (Died(), Died(signal=signal.SIGKILL)):
                        outcome.violations.append(f"D4: a process ended by itself: {died}")
            while due and len(done) >= due[0] and running:
                due.pop(0)
                os.kill(draw.choice(sorted(child.pid for child in running.values())), signal.SIGKILL)
                outcome.killed += 1
        for child in running.values():
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        outcome.acknowledged = len(done)
        chain: list[tuple[str, str]] = []
        with open_repo(subject.maker(path, Files()), create=False) as repo:
            for commit in repo.branch(BRANCH).log():
                name, _, test = commit.info.message.partition("<")
                chain.append((name, test))
            outcome.violations += [f"D3: {problem}" for problem in repo.check().problems]
    chain.reverse()
    outcome.violations += [f"seed {seed}: {one}" for one in linearizable(chain, started, done)]
    outcome.seconds = time.monotonic() - began
    return outcome


def _worker(
    subject: Subject, path: str, name: str, operations: int
) -> Callable[[Callable[[Told], None]], None]:
    def body(send: Callable[[Told], None]) -> None:
        with open_repo(subject.maker(path, Files()), create=False, timeout=60.0) as repo:
            store = repo.branch(BRANCH)
            number = tries = 0
            while number < operations:
                me = f"{name}.{number}.{tries}"
                send(["start", me, time.monotonic()])
                was = store.get("r")
                try:
                    message = f"{me}<{was.decode()}"
                    store.test_and_set("r", test=was, set=me.encode(), message=message, retries=0)
                except (TestWas, TooManyRetries, Locked):
                    tries += 1
                    continue
                send(["ok", me, time.monotonic()])
                number, tries = number + 1, 0

    return body


def linearizable(
    chain: list[tuple[str, str]], started: dict[str, float], done: dict[str, float]
) -> list[str]:
    """What is wrong with `chain`, the (operation, operation whose value it read) in order, the first being "none".

    `started` and `done` say when operations began, and were acknowledged, in seconds of one clock.
    """
    wrong: list[str] = []
    names = [name for name, _ in chain]
    count = dict.fromkeys(names, 0)
    for name in names:
        count[name] += 1
    wrong += [f"D2: {name} is in the history {n} times" for name, n in count.items() if n > 1]
    wrong += [f"D1: {name} was acknowledged and is not in the history" for name in done if name not in count]
    wrong += [f"D2: {name} was never begun" for name in names[1:] if name not in started]
    wrong += [
        f"D2: {name} read {test} and follows {before}"
        for (before, _), (name, test) in pairwise(chain)
        if test != before
    ]
    earliest = float("inf")
    for name in reversed(names[1:]):
        if started.get(name, 0.0) > earliest:
            wrong.append(f"D2: {name} precedes an operation that was acknowledged before it began")
        earliest = min(earliest, done.get(name, float("inf")))
    return wrong
