"""Sweep: a workload is run once for each of its file calls, and that call fails; SQLite's method.

Each call fails with each fault that the system can answer it with, once, and stickily: then all later calls fail
too until the disk is healed. After each failure the error must be typed, what was acknowledged must stand, the handle
must be as DESIGN 4 says, and the program must go on to its end on it or on the next one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import IrminError
from .checker import Promise, check
from .faults import FAULTS, SYNCS, Failing, Fault, applies
from .forks import Died, Raised, call, spread
from .program import Ledger, Op, Program, Repos, act, ledger_of, open_repo, refs_of
from .replay import ALARM, STORE, box, run
from .subject import Subject

__all__ = ["Injection", "Sweep", "injections", "sweep"]

STUBBORN = 2  # attempts on a disk that fails for good, before it is healed
HOPELESS = 8  # failures of one step after the disk was healed


class Injection(NamedTuple):
    """Call number `at`, which is `call`, fails with `fault`."""

    at: int
    call: str
    fault: Fault
    sticky: bool

    def __str__(self) -> str:
        return f"call {self.at} ({self.call}), {self.fault} {'sticky' if self.sticky else 'once'}"


@dataclass(slots=True)
class Sweep:
    """How many runs there were, by fault; how many of them met an error; what was wrong with which."""

    calls: int = 0
    runs: Counter[str] = field(default_factory=Counter[str])
    errors: int = 0
    violations: list[str] = field(default_factory=list[str])


def injections(calls: Sequence[tuple[str, bool]], faults: Sequence[Fault] = FAULTS) -> Iterator[Injection]:
    """All runs of a sweep over `calls`."""
    for at, (name, creates) in enumerate(calls, 1):
        for fault in faults:
            if applies(fault, name, creates=creates):
                yield Injection(at, name, fault, sticky=False)
                yield Injection(at, name, fault, sticky=True)


def sweep(
    subject: Subject,
    program: Program,
    *,
    seed: int,
    runs: int = 0,
    faults: Sequence[Fault] = FAULTS,
    stop: int = 20,
    only: Callable[[Injection], bool] = lambda injection: True,
    during: Op | None = None,
) -> Sweep:
    """Run `program` once per injection, or `runs` of them drawn with `seed`, until `stop` violations are found.

    `only` those for which it holds; `during` only those at calls that are made in steps of this kind.
    """
    ledger = ledger_of(program)
    outcome = Sweep()

    def count() -> list[tuple[str, bool, str]]:
        with box() as root:
            # In the very way of the runs that follow, so that a number means the same call.
            one = _Run(subject, program, ledger, Injection(0, "", "SHORT", sticky=False))
            one.files.heal()
            one.through(str(root / STORE))
            if one.found:
                raise RuntimeError(one.found[0])
            return [(*call, one.op_of(n)) for n, call in enumerate(one.files.calls, 1)]

    counted = call(count, 4 * ALARM)
    if isinstance(counted, Died | Raised):
        outcome.violations.append(f"seed {seed}: the run without faults failed: {counted}")
        return outcome
    outcome.calls = len(counted)
    ops = [op for *_, op in counted]
    todo = [
        one
        for one in injections([(name, creates) for name, creates, _ in counted], faults)
        if only(one) and during in (None, ops[one.at - 1])
    ]
    if runs and runs < len(todo):
        todo = random.Random(seed).sample(todo, runs)

    def one(injection: Injection) -> list[str]:
        return _Run(subject, program, ledger, injection).go()

    for injection, answer in spread(one, todo, timeout=ALARM):
        outcome.runs[injection.fault] += 1
        if isinstance(answer, Died | Raised):
            answer = [f"the run {'raised' if isinstance(answer, Raised) else 'died'}: {answer}"]
        outcome.errors += "error" in answer
        outcome.violations += [f"seed {seed}, {injection}: {one}" for one in answer if one != "error"]
        if len(outcome.violations) >= stop:
            break
    return outcome


class _Run:
    """One run: the program with one injection, then the checker. `go` gives violations, and "error" if it met one."""

    def __init__(self, subject: Subject, program: Program, ledger: Ledger, injection: Injection) -> None:
        self.subject = subject
        self.program = program
        self.ledger = ledger
        self.injection = injection
        self.files = Failing(injection.at, injection.fault, sticky=injection.sticky)
        self.done = -1  # the last acknowledged state
        self.found: list[str] = []
        self._begun: list[tuple[int, str]] = []  # (calls before a step, its kind)

    def op_of(self, number: int) -> str:
        """The kind of step in which call `number` was made."""
        return next((op for before, op in reversed(self._begun) if before < number), "create")

    def _begin(self, op: str) -> None:
        self._begun.append((len(self.files.calls), op))

    def go(self) -> list[str]:
        # The disk that dies for good takes the process with it, every second time.
        dies = self.injection.fault == "EIO" and self.injection.sticky and self.injection.at % 2 == 0
        with box() as root:
            path = str(root / STORE)
            if dies:
                answer = call(lambda: [self._until_it_fails(path), *self.found], ALARM)
                if isinstance(answer, Died | Raised):
                    return [f"the run ended: {answer}"]
                done, *found = answer
                assert isinstance(done, int)
                self.done, self.found = done, [str(one) for one in found]
                promise = Promise.after(self.done, self.ledger, lossy=self.subject.lossy)
            else:
                self.through(path)
                promise = Promise(self.done, self.done)
            if set(self.found) <= {"error"}:
                self.found += check(self.subject, path, self.ledger, promise).violations
        return self.found

    def _met(self, error: Exception, what: str) -> None:
        if "error" not in self.found:
            self.found.append("error")
        if not isinstance(error, IrminError):
            self.found.append(f"D6: {what} raised {type(error).__name__}, which has no type of ours: {error}")

    def _until_it_fails(self, path: str) -> int:
        try:
            run(self.subject, path, self.files, self.program, self._acknowledge)
        except (IrminError, OSError, ValueError) as e:
            self._met(e, "a run on a dying disk")
        return self.done

    def _acknowledge(self, state: int) -> None:
        self.done = state

    # -- going on ------------------------------------------------------------------------------------------------

    def through(self, path: str) -> None:
        """The whole program, opening again as often as it takes."""
        failures = 0
        while self.done < len(self.program):
            repo = self._open(path)
            if repo is None:
                failures += 1
                if failures > HOPELESS:
                    self.found.append("D4: the store cannot be opened after the disk was healed")
                    return
                self._calm(failures)
                continue
            try:
                good = self._steps(repo)
            finally:
                self._begin("close")
                self._close(repo)
            if not good:
                failures += 1
                self._calm(failures)
            if failures > HOPELESS or not set(self.found) <= {"error"}:
                if failures > HOPELESS:
                    self.found.append(f"D4: no way past step {self.done} on a healed disk")
                return

    def _calm(self, failures: int) -> None:
        if not self.injection.sticky or failures >= STUBBORN:
            self.files.heal()

    def _open(self, path: str) -> Repos | None:
        try:
            repo = open_repo(self.subject.maker(path, self.files), timeout=0.5)
        except (IrminError, OSError) as e:
            self._met(e, "opening")
            return None
        try:
            refs = refs_of(repo)
        except (IrminError, OSError) as e:
            self._met(e, "reading the refs")
            self._close(repo)
            return None
        self._settled(refs, "the store opened again")
        return repo

    def _settled(self, refs: dict[str, bytes], who: str) -> None:
        """The refs must be those of the acknowledged state, or of the step in flight."""
        promise = Promise.after(self.done, self.ledger, lossy=self.subject.lossy)
        for number in range(max(promise.low, 0), promise.high + 1):
            if self.ledger.states[number].refs == refs:
                self.done = max(number, self.done, 0)
                return
        shown = {name: hash_.hex()[:8] for name, hash_ in refs.items()}
        self.found.append(f"D2: {who} has refs of neither state {self.done} nor the next: {shown}")

    def _close(self, repo: Repos) -> None:
        try:
            repo.close()
        except (IrminError, OSError) as e:
            self._met(e, "closing")

    def _steps(self, repo: Repos) -> bool:
        """Steps on one handle until the program ends, wants to reopen, or fails; whether it did not fail."""
        while self.done < len(self.program):
            step = self.program[self.done]
            if step.op == "reopen":
                self.done += 1
                return True
            failed = len(self.files.failed)
            self._begin(step.op)
            try:
                act(repo, step, self.subject.collect)
            except (IrminError, OSError) as e:
                self._met(e, f"step {self.done} ({step})")
                return self._after(repo, failed)
            self.done += 1
        return True

    def _after(self, repo: Repos, failed: int) -> bool:
        """What the same handle must be like after a failure, number `failed` of the layer; whether to go on with it."""
        fault = self.injection.fault
        synced = "fdatasync" in self.files.failed[failed:]
        if self.injection.sticky and not synced:
            self._again(repo)  # what fails now may be settling, which writes again whatever it syncs
        self.files.heal()
        done = self._done_already(repo)
        again = self._again(repo)
        calls = set(self.files.failed[failed:])
        # `fdatasync` is what batches are synced with; `fsync` is for new files, which can be made anew.
        if "fdatasync" in calls:
            if again and synced and not done:
                self.found.append(f"D5: after a failed sync the handle took step {self.done - 1} again")
            return False
        if not again and not calls & SYNCS and fault in ("ENOSPC", "SHORT"):
            self.found.append(f"D4: after {fault} the handle is not good, though space is back")
        return again

    def _done_already(self, repo: Repos) -> bool:
        """Whether the step that failed is visible, so that doing it again writes nothing."""
        try:
            return self.done < len(self.program) and refs_of(repo) == self.ledger.states[self.done + 1].refs
        except (IrminError, OSError) as e:
            self._met(e, "reading the refs")
            return False

    def _again(self, repo: Repos) -> bool:
        """Try the step again, and look at the refs if it succeeds; whether it does."""
        if self.done == len(self.program):
            return True
        step = self.program[self.done]
        try:
            act(repo, step, self.subject.collect)
            refs = refs_of(repo)
        except (IrminError, OSError) as e:
            self._met(e, f"step {self.done} again")
            return False
        if refs != self.ledger.states[self.done + 1].refs:
            self.found.append(f"D2: step {self.done}, done again, led to other refs")
        self.done += 1
        return True
