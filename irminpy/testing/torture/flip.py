"""Flips: each byte of a file at rest is changed, and the store is read with a cold cache: the right answer, or an
error with a type, and never other data. The store's own offline check notices each byte that was changed in a segment.
"""

from __future__ import annotations

import os
import random
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from irminpy_pack.files import Files

from ...errors import IrminError
from ...hash import Hash
from ..model import bindings_of
from .forks import Died, Raised, call, spread
from .program import Ledger, Program, ledger_of, open_repo, refs_of
from .recording import load, tree_of
from .replay import ALARM, STORE, box, run
from .subject import Subject

__all__ = ["Flip", "Flips", "flip", "store_of"]

VALUES = (0x01, 0x80, 0xFF)
"""What a byte is xored with."""


class Flip(NamedTuple):
    """Byte `offset` of `file` is xored with `value`."""

    file: str
    offset: int
    value: int

    def __str__(self) -> str:
        return f"{self.file}, byte {self.offset} ^ {self.value:02x}"


@dataclass(slots=True)
class Flips:
    """How often the answer was right or an error had a type, by file; each wrong answer and each death."""

    right: Counter[str] = field(default_factory=Counter[str])
    typed: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])

    @property
    def total(self) -> int:
        """How many flips there were."""
        return self.right.total() + self.typed.total()


def store_of(subject: Subject, program: Program) -> dict[str, bytes | None]:
    """The files of a store after `program`, closed."""
    with box() as root:
        answer = call(
            lambda: run(subject, str(root / STORE), Files(), program, lambda state: None), 4 * ALARM
        )
        if isinstance(answer, Died | Raised):
            raise RuntimeError(f"the run without faults failed: {answer}")
        return tree_of(root)


def flip(
    subject: Subject,
    program: Program,
    *,
    seed: int,
    flips: int = 0,
    files: Sequence[str] = (),
    write: bool = False,
    values: Sequence[int] = VALUES,
    stride: int = 1,
    stop: int = 20,
) -> Flips:
    """Change every byte of every file (of those whose path contains one of `files`), or `flips` of them.

    Or each `stride`-th byte, the first one by the seed, and one of `values` each.
    The store is opened as a reader, or as a writer with `write`, each time in a child of its own.
    """
    ledger = ledger_of(program)
    made = store_of(subject, program)
    outcome = Flips()
    chosen = {
        name: data
        for name, data in made.items()
        if data and "lock" not in name.lower() and (not files or any(part in name for part in files))
    }
    draw = random.Random(seed)
    if flips:
        # As many of each file, since the small ones rule the large ones.
        each = max(1, flips // max(1, len(chosen)))
        todo = [
            Flip(name, draw.randrange(len(data)), draw.choice(values))
            for name, data in chosen.items()
            for _ in range(each)
        ]
    elif stride > 1:
        todo = [
            Flip(name, offset, draw.choice(values))
            for name, data in chosen.items()
            for offset in range(seed % stride, len(data), stride)
        ]
    else:
        todo = [
            Flip(name, offset, value)
            for name, data in chosen.items()
            for offset in range(len(data))
            for value in values
        ]

    def one(planned: list[Flip]) -> list[list[str]]:
        with box() as root:
            load(root, made)
            return [_one(subject, ledger, root, made, change, write=write) for change in planned]

    # One loading serves many flips of a reader, who changes nothing.
    groups = [todo[i : i + (1 if write else 20)] for i in range(0, len(todo), 1 if write else 20)]
    for group, answer in spread(one, groups, timeout=ALARM, batch=8):
        if isinstance(answer, Died | Raised):
            shown = f"{group[0]}" if len(group) == 1 else f"one of {group[0]} to {group[-1]}"
            outcome.violations.append(f"seed {seed}, {shown}: {answer}")
            continue
        for change, (word, text) in zip(group, answer, strict=True):
            file = os.path.basename(change.file)
            if word == "right":
                outcome.right[file] += 1
            elif word == "typed":
                outcome.typed[file] += 1
            else:
                outcome.violations.append(f"seed {seed}, {change}: {text}")
        if len(outcome.violations) >= stop:
            break
    return outcome


def _one(
    subject: Subject,
    ledger: Ledger,
    root: Path,
    made: dict[str, bytes | None],
    change: Flip,
    *,
    write: bool,
) -> list[str]:
    data = made[change.file]
    assert data is not None
    path = root / change.file
    flipped = bytearray(data)
    flipped[change.offset] ^= change.value
    path.write_bytes(flipped)
    try:
        # In a child: the caches of a process know what the file held before.
        answer = call(lambda: read_all(subject, str(root / STORE), ledger, write=write), ALARM)
        if not write and not isinstance(answer, Died | Raised) and answer[0] != "wrong":
            noticed = call(lambda: _noticed(subject, str(root / STORE)), ALARM)
            if noticed is not True and (change.file.endswith(".pack") or noticed is not False):
                return ["wrong", f"D6: fsck does not notice it: {noticed}"]
    finally:
        path.write_bytes(data)
    return ["wrong", str(answer)] if isinstance(answer, Died | Raised) else answer


def _noticed(subject: Subject, path: str) -> bool:
    """Whether the store's own offline check finds something, or says that this is no store."""
    if subject.fsck is None:
        return True
    try:
        health = subject.fsck(path)
    except IrminError:
        return True
    return health is None or bool(health.heals or health.damage)


def read_all(subject: Subject, path: str, ledger: Ledger, *, write: bool) -> list[str]:
    """["right", ""], ["typed", the error] or ["wrong", why]: what reading the whole store leads to."""
    state = ledger.states[-1]
    told: list[str] = []
    indexed = any(Path(path).rglob("data.mdb"))
    warnings.simplefilter("always")
    try:
        with (
            warnings.catch_warnings(record=True) as warned,
            open_repo(subject.maker(path, Files()), create=False, readonly=not write, timeout=0.5) as repo,
        ):
            refs = refs_of(repo)
            if refs != state.refs:
                if warned:
                    return ["typed", f"{warned[0].category.__name__}: {warned[0].message}"]
                return ["wrong", f"D6: other refs and no error: {sorted(refs)}"]
            for name, hash_ in refs.items():
                try:
                    found = bindings_of(repo.branch(name).tree())
                except IrminError as e:
                    told.append(f"{type(e).__name__}: {e}")
                    continue
                if found != ledger.bindings[hash_]:
                    return ["wrong", f"D6: other bindings on {name} and no error"]
            for hash_ in sorted(state.commits):
                try:
                    commit = repo.find_commit(Hash(hash_))
                    held = None if commit is None else bindings_of(commit.tree())
                except IrminError as e:
                    told.append(f"{type(e).__name__}: {e}")
                    continue
                if held is None:
                    # DESIGN 4: a miss in an index that was not compared is a miss of a best-effort index.
                    if indexed:
                        return ["wrong", f"D6: the commit {hash_.hex()[:12]} is said not to exist"]
                    told.append(f"the commit {hash_.hex()[:12]} was not found by its hash")
                    continue
                if held != ledger.bindings[hash_]:
                    return ["wrong", "D6: other bindings in a commit and no error"]
    except IrminError as e:
        return ["typed", f"{type(e).__name__}: {e}"]
    return ["typed", told[0]] if told else ["right", ""]
