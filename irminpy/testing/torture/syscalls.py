"""Syscalls: LMDB's own calls on the file of the index fail, by strace; the store must not mind.

The index is derived, and never on the way of an acknowledgement: whatever happens to it, every acknowledged state
stands, and errors have a type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .checker import Promise, check
from .forks import Died, Raised, spread
from .program import Program, ledger_of
from .replay import ALARM, STORE, box
from .subject import Subject
from .victims import failing, has_strace, victim

__all__ = ["CALLS", "Syscalls", "syscalls"]

CALLS = ("pwrite64", "?pwritev,?writev", "fdatasync", "ftruncate", "mmap", "?open,?openat", "pread64")
"""The calls of LMDB that are made to fail."""

_NOTES = ("error", "reached")
_ERRORS = {"mmap": ("ENOMEM", "EACCES"), "?open,?openat": ("EMFILE", "EACCES"), "pread64": ("EIO",)}
_WRITING = ("EIO", "ENOSPC")


@dataclass(slots=True)
class Syscalls:
    """How many runs there were, by call; how many made the call; in how many the user met an error; what was wrong."""

    runs: Counter[str] = field(default_factory=Counter[str])
    reached: int = 0
    errors: int = 0
    violations: list[str] = field(default_factory=list[str])


def syscalls(
    subject: Subject,
    program: Program,
    *,
    seed: int,
    first: int,
    calls: Sequence[str] = CALLS,
    index: str = "index/1-always/data.mdb",
) -> Syscalls:
    """Let each of `calls` on the file `index` of the store fail, at each of the `first` first times, once and for good.

    Without strace nothing is done.
    """
    ledger = ledger_of(program)
    outcome = Syscalls()
    if not has_strace():
        return outcome
    todo = [
        (call, error, f"{n}{more}")
        for call in calls
        for error in _ERRORS.get(call, _WRITING)
        for n in range(1, first + 1)
        for more in ("", "+")
    ]

    def one(injection: tuple[str, str, str]) -> list[str]:
        call, error, when = injection
        with box() as root:
            path = str(root / STORE)
            options = failing(call, error, when, f"{path}/{index}")
            log = root / "log"
            ended = victim(subject, path, program, ledger, -1, inject=options, log=log)
            found = ["error"] if ended.error else []
            found += ["reached"] if "INJECTED" in log.read_text(errors="replace") else []
            if ended.died != Died():
                found.append(f"D6: the process ended by itself: {ended.died}")
            promise = Promise.after(ended.acknowledged, ledger, lossy=subject.lossy)
            return found + check(subject, path, ledger, promise).violations

    for injection, answer in spread(one, todo, timeout=2 * ALARM, batch=4):
        outcome.runs[injection[0]] += 1
        if isinstance(answer, Died | Raised):
            answer = [str(answer)]
        outcome.errors += "error" in answer
        outcome.reached += "reached" in answer
        shown = " ".join(injection)
        outcome.violations += [f"seed {seed}, {shown}: {one}" for one in answer if one not in _NOTES]
    return outcome
