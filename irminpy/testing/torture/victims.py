"""Victims: processes that run a program until they are killed, and tell a parent outside what was acknowledged.

strace can be attached to a victim: then it dies, or a call of it fails, exactly at the N-th call of a kind, LMDB's
calls included.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from irminpy_pack.files import Files

from ...errors import StorageError
from .forks import Child, Died, start
from .program import Ledger, Program, act, open_repo, refs_of
from .subject import Subject

__all__ = ["KILLABLE", "Ended", "count_calls", "has_strace", "victim", "work"]

KILLABLE = ("pwrite64", "fdatasync", "fsync", "rename", "ftruncate", "unlink")
"""The calls at which a victim is killed. Some libraries spell the last ones with `at`."""

_SPELLINGS = {"rename": "?rename,?renameat,?renameat2", "unlink": "?unlink,?unlinkat"}
_ATTACH = 10.0  # seconds that strace may take to attach
_LINE = re.compile(r"^\d+\s+([a-z0-9_]+)\(")


def has_strace() -> bool:
    """Whether strace is installed."""
    return shutil.which("strace") is not None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a victim ended: the last state it acknowledged, and whether the kill reached it."""

    acknowledged: int
    died: Died
    seconds: float
    """From the first call to the end."""
    error: str = ""
    """An error of ours that ended it, as text."""


def work(
    subject: Subject, path: str, program: Program, ledger: Ledger, done: int, tell: Callable[[int], None]
) -> None:
    """Open the store, find out whether it is in state `done` or the next one, and go on from there to the end.

    `done` -1: the store need not exist.
    """
    repo = open_repo(subject.maker(path, Files()))
    refs = refs_of(repo)
    at = max(done, 0)
    if refs != ledger.states[at].refs and at + 1 < len(ledger.states) and refs == ledger.states[at + 1].refs:
        at += 1
    tell(at)
    for number in range(at, len(program)):
        step = program[number]
        if step.op == "reopen":
            repo.close()
            repo = open_repo(subject.maker(path, Files()), create=False)
        else:
            act(repo, step, subject.collect)
        tell(number + 1)
    repo.close()


def victim(
    subject: Subject,
    path: str,
    program: Program,
    ledger: Ledger,
    done: int,
    *,
    inject: Sequence[str] = (),
    delay: float | None = None,
    timeout: float = 60.0,
    log: Path | None = None,
) -> Ended:
    """Run `work` in a child, with strace and the options `inject` attached, or killed after `delay` seconds."""
    ready, go = os.pipe()

    def body(send: Callable[[str | int], None]) -> None:
        os.close(go)
        os.read(ready, 1)
        os.close(ready)
        try:
            work(subject, path, program, ledger, done, send)
        except StorageError as e:
            send(f"{type(e).__name__}: {e}")

    child: Child[str | int] = start(body, timeout)
    os.close(ready)
    tracer: subprocess.Popen[bytes] | None = None
    if inject:
        tracer = _attached(child.pid, inject, log)
    began = time.monotonic()
    os.close(go)
    if delay is not None:
        time.sleep(delay)
        os.kill(child.pid, signal.SIGKILL)
    answers = child.rest()
    seconds = time.monotonic() - began
    died = child.wait()
    if tracer is not None:
        tracer.wait()
        assert tracer.stderr is not None
        tracer.stderr.close()
    states = [answer for answer in answers if isinstance(answer, int)]
    errors = [answer for answer in answers if isinstance(answer, str)]
    return Ended(max([done, *states]), died, seconds, errors[0] if errors else "")


def _attached(pid: int, options: Sequence[str], log: Path | None) -> subprocess.Popen[bytes]:
    command = ["strace", "-f", "-p", str(pid), "-o", str(log or "/dev/null"), *options]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert tracer.stderr is not None
    end = time.monotonic() + _ATTACH
    told = b""
    while b"attached" not in told:
        line = tracer.stderr.readline()
        told += line
        if not line or time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            raise OSError(f"strace cannot attach to a process of ours: {told.decode(errors='replace')}")
    return tracer


def spelled(call: str) -> str:
    """The names under which the system may know `call`, for strace."""
    return _SPELLINGS.get(call, call)


def killing(call: str, when: int) -> list[str]:
    """Options of strace: SIGKILL at call number `when` of `call`."""
    names = spelled(call)
    return ["-e", f"trace={names}", "-e", f"inject={names}:signal=KILL:when={when}"]


def failing(call: str, error: str, when: str, path: str) -> list[str]:
    """Options of strace: `call` on the file `path` fails with `error`, at the calls `when` ("3", "3+": and later)."""
    names = spelled(call)
    return ["-P", path, "-e", f"trace={names}", "-e", f"inject={names}:error={error}:when={when}"]


def count_calls(
    subject: Subject, path: str, program: Program, ledger: Ledger, log: Path, *, only: str = ""
) -> Counter[str]:
    """How often a run makes each killable call, on the file `only` if that is given."""
    names = ",".join(spelled(call) for call in KILLABLE)
    options = [*(["-P", only] if only else []), "-e", f"trace={names}"]
    victim(subject, path, program, ledger, -1, inject=options, log=log)
    counts = Counter[str]()
    for line in log.read_text(errors="replace").splitlines():
        found = _LINE.match(line)
        if found:
            name = found.group(1)
            counts[next((call for call in KILLABLE if name.startswith(call)), name)] += 1
    return counts
