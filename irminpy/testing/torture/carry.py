"""Carry: a store is carried to another one by way of a file, interrupted at every call; the crash point C25.

Power goes at each moment of the export and of the import, and each of their calls fails once. The store that is
read is not changed; the file is not under its name before it is whole; the store that is written to is as it was, or
one step further, or has all; and doing it again ends well.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from irminpy_pack.files import Files, write_file

from ...errors import IrminError
from ...schema import Schema
from ...slice import Slice
from ...upkeep import Snapshots
from .checker import Promise, check
from .faults import Counting, Failing, Fault
from .forks import Died, Raised, call, spread
from .images import fingerprint, images
from .program import Ledger, Program, State, Step, ledger_of, open_repo, random_program, refs_of
from .recording import Recording, load, tree_of
from .replay import ALARM, STORE, box, run
from .subject import Subject

__all__ = ["Carried", "Carry", "carry", "slices", "snapshots"]

SOURCE = "source"
FILE = "carried"
FAULTS: tuple[Fault, ...] = ("EIO", "ENOSPC")


@dataclass(frozen=True, slots=True)
class Carry:
    """`save(subject, store, file, files)` writes a file of the store, `load` brings it into the other store.

    `into` says that the other store is there already: what is loaded is added to it, with a branch per head.
    Otherwise `load` makes the store.
    """

    name: str
    save: Callable[[Subject, str, str, Files], None]
    load: Callable[[Subject, str, str, Files], None]
    into: bool


def _save_slice(subject: Subject, store: str, file: str, files: Files) -> None:
    with open_repo(subject.maker(store, files), create=False, readonly=True) as repo:
        write_file(files, file, repo.export().to_bytes())


def _load_slice(subject: Subject, store: str, file: str, files: Files) -> None:
    slice_ = Slice.from_bytes(Path(file).read_bytes(), Schema())
    with open_repo(subject.maker(store, files), create=False) as repo:
        repo.import_(slice_)
        for number, head in enumerate(sorted(slice_.heads)):
            repo.branch(f"{FILE}/{number}").set_head(repo.commit(head))


def slices() -> Carry:
    """By `Repo.export` and `Repo.import_`, into a store that has branches of its own."""
    return Carry("slices", _save_slice, _load_slice, into=True)


def _snapshots_of(subject: Subject, store: str, files: Files) -> Snapshots:
    maker = subject.maker(store, files)
    assert isinstance(maker, Snapshots)
    return maker


def _save_snapshot(subject: Subject, store: str, file: str, files: Files) -> None:
    out = io.BytesIO()
    _snapshots_of(subject, store, files).export_snapshot(out)
    write_file(files, file, out.getvalue())


def _load_snapshot(subject: Subject, store: str, file: str, files: Files) -> None:
    with open(file, "rb") as data:
        _snapshots_of(subject, store, files).import_snapshot(data)


def snapshots() -> Carry:
    """By `export_snapshot` and `import_snapshot`, which makes the store."""
    return Carry("snapshots", _save_snapshot, _load_snapshot, into=False)


@dataclass(slots=True)
class Carried:
    """How many crash images and failing calls were checked, and what was wrong with which."""

    images: int = 0
    faults: int = 0
    violations: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is there before, and the states that the other store may be in."""

    subject: Subject
    way: Carry
    start: dict[str, bytes | None]
    ledger: Ledger
    wanted: Ledger
    """Of the other store: as it was, and after each head."""

    def paths(self, root: Path) -> tuple[str, str, str]:
        return str(root / SOURCE), str(root / FILE), str(root / STORE)

    def judge(self, root: Path) -> list[str]:
        """What is wrong with what an interrupted carrying has left, and after it was done again."""
        source, file, store = self.paths(root)
        last = len(self.wanted.states) - 1
        end = len(self.ledger.states) - 1
        found = check(self.subject, source, self.ledger, Promise(end, end), probe=False).violations
        if self.way.into or os.path.exists(store):
            low = 0 if self.way.into else last
            found += check(self.subject, store, self.wanted, Promise(low, last), probe=False).violations
        if found:
            return found
        if os.path.exists(file):
            found = self._loaded(root)
            if found:
                return [f"from the file that is under its name: {one}" for one in found]
            os.unlink(file)
        self.way.save(self.subject, source, file, Files())
        return [f"done again: {one}" for one in self._loaded(root)]

    def _loaded(self, root: Path) -> list[str]:
        _, file, store = self.paths(root)
        last = len(self.wanted.states) - 1
        if self.way.into or not os.path.exists(store):
            try:
                self.way.load(self.subject, store, file, Files())
            except IrminError as e:
                return [f"D4: {type(e).__name__}: {e}"]
        return check(self.subject, store, self.wanted, Promise(last, last), probe=False).violations


def _made(subject: Subject, program: Program, other: Program, way: Carry) -> _Plan:
    """Two stores, and what the second must be when the first was carried there."""

    def make() -> list[list[str]]:
        ends: list[list[str]] = []
        for name, steps in ((SOURCE, program), (STORE, other)):
            run(subject, str(root / name), Files(), steps, lambda state: None)
            with open_repo(subject.maker(str(root / name), Files()), create=False, readonly=True) as repo:
                ends.append(sorted({hash_.hex() for hash_ in refs_of(repo).values()}))
        return ends

    with box() as root:
        made = call(make, 4 * ALARM)
        if isinstance(made, Died | Raised):
            raise RuntimeError(f"the run without faults failed: {made}")
        start = tree_of(root)
    ledger, own = ledger_of(program), ledger_of(other)
    if way.into:
        states = [own.states[-1]]
        for number, head in enumerate(map(bytes.fromhex, made[0])):
            refs = states[-1].refs | {f"{FILE}/{number}": head}
            states.append(State(refs, states[-1].commits | {head}))
    else:
        start = {name: data for name, data in start.items() if name.split("/", 1)[0] != STORE}
        # A snapshot has what branches lead to, not what was on them before.
        states = [ledger_of([*program, Step("collect")]).states[-1]]
    wanted = Ledger(states, ledger.bindings | own.bindings)
    return _Plan(subject, way, start, ledger, wanted)


def carry(
    subject: Subject,
    *,
    seed: int,
    ways: Sequence[Carry],
    limit: int = 6,
    every: int = 1,
    stride: int = 1,
    stop: int = 10,
) -> Carried:
    """Interrupt the export and the import of each of `ways` at every moment, `limit` images each.

    Of the images each `every`-th is checked; each `stride`-th call fails in a run of its own.
    """
    program = random_program(seed, 6, reopen=False, largest=900)
    other = random_program(seed + 1, 3, reopen=False, largest=900)
    outcome = Carried()
    for way in ways:
        plan = _made(subject, program, other, way)
        for phase in ("save", "load"):
            _crashes(plan, phase, seed, limit, every, outcome, stop)
            _failures(plan, phase, stride, seed, outcome, stop)
    return outcome


def _prepared(plan: _Plan, root: Path, phase: str) -> None:
    load(root, plan.start)
    if phase == "load":
        source, file, _ = plan.paths(root)
        plan.way.save(plan.subject, source, file, Files())


def _act(plan: _Plan, root: Path, phase: str, files: Files) -> None:
    source, file, store = plan.paths(root)
    if phase == "save":
        plan.way.save(plan.subject, source, file, files)
    else:
        plan.way.load(plan.subject, store, file, files)


def _crashes(plan: _Plan, phase: str, seed: int, limit: int, every: int, outcome: Carried, stop: int) -> None:
    with box() as root:
        _prepared(plan, root, phase)
        recording = Recording(root)
        recording.phase = phase
        _act(plan, root, phase, recording)
    found = images(recording.start, recording.events, seed, limit=limit)
    todo = list({fingerprint(image.tree): image for image in found}.values())[::every]

    def judge(number: int) -> list[str]:
        with box() as root:
            load(root, todo[number].tree)
            return plan.judge(root)

    for number, answer in spread(judge, range(len(todo)), timeout=ALARM):
        wrong = [str(answer)] if isinstance(answer, Died | Raised) else answer
        outcome.images += 1
        where = f"{plan.way.name}, {phase}, seed {seed}, {todo[number]}"
        outcome.violations += [f"{where}: {one}" for one in wrong]
        if len(outcome.violations) >= stop:
            return


def _failures(plan: _Plan, phase: str, stride: int, seed: int, outcome: Carried, stop: int) -> None:
    def count() -> int:
        with box() as root:
            _prepared(plan, root, phase)
            files = Counting()
            _act(plan, root, phase, files)
            return len(files.calls)

    calls = call(count, 4 * ALARM)
    if isinstance(calls, Died | Raised):
        outcome.violations.append(f"{plan.way.name}, {phase}: the run without faults failed: {calls}")
        return

    def one(blow: tuple[int, Fault]) -> list[str]:
        files = Failing(blow[0], blow[1], sticky=False)
        with box() as root:
            _prepared(plan, root, phase)
            try:
                _act(plan, root, phase, files)
            except (IrminError, OSError) as e:
                # A file that is written by hand fails by hand; whatever the store does has a type.
                if not isinstance(e, IrminError) and phase == "load":
                    return [f"D6: {type(e).__name__}, which has no type of ours: {e}"]
            return plan.judge(root)

    todo: list[tuple[int, Fault]] = [
        (number, fault) for number in range(1, calls + 1, stride) for fault in FAULTS
    ]
    for (number, fault), answer in spread(one, todo, timeout=ALARM):
        found = [str(answer)] if isinstance(answer, Died | Raised) else answer
        outcome.faults += 1
        where = f"{plan.way.name}, {phase}, seed {seed}, call {number}, {fault}"
        outcome.violations += [f"{where}: {one}" for one in found]
        if len(outcome.violations) >= stop:
            return
