"""Readers: processes read while one writes, seals segments and collects garbage; no read may be torn or dangling.

Every commit binds the same number below several paths, so that a tree whose paths differ was mixed from two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from irminpy_pack.files import Files

from ...errors import IrminError
from ...store import Store
from .forks import Child, Died, start
from .program import open_repo
from .replay import STORE, box
from .subject import Subject

__all__ = ["Readers", "readers"]

PATHS = ("a", "dir/b", "dir/deep/c", "wide/k1", "wide/k2")
COLLECT = 50  # commits between two collections of garbage


@dataclass(slots=True)
class Readers:
    """How many trees were read, how many commits were made meanwhile, and what was wrong."""

    reads: int = 0
    commits: int = 0
    collections: int = 0
    violations: list[str] = field(default_factory=list[str])


def readers(subject: Subject, *, processes: int, seconds: float) -> Readers:
    """`processes` read for `seconds`, while this one writes."""
    outcome = Readers()
    with box() as root:
        path = str(root / STORE)
        with open_repo(subject.maker(path, Files())) as repo:
            store = repo.branch("main")
            end = time.monotonic() + seconds
            _write(store, 0)
            children: list[Child[list[int | str]]] = [
                start(_reader(subject, path, end), seconds + 60.0) for _ in range(processes)
            ]
            while time.monotonic() < end:
                outcome.commits += 1
                _write(store, outcome.commits)
                if subject.collect is not None and outcome.commits % COLLECT == 0:
                    subject.collect(repo)
                    outcome.collections += 1
        for child in children:
            answers = child.rest()
            died = child.wait()
            if died != Died():
                outcome.violations.append(f"a reader ended by itself: {died}")
            for reads, *wrong in answers:
                outcome.reads += int(reads)
                outcome.violations += [str(one) for one in wrong]
    return outcome


def _write(store: Store[bytes, Any], number: int) -> None:
    with store.edit() as editor:
        for path in PATHS:
            editor[path] = b"%d" % number


def _reader(subject: Subject, path: str, end: float) -> Callable[[Callable[[list[int | str]], None]], None]:
    def body(send: Callable[[list[int | str]], None]) -> None:
        reads, last = 0, 0
        wrong: list[int | str] = []
        try:
            with open_repo(subject.maker(path, Files()), create=False, readonly=True) as repo:
                store = repo.branch("main")
                while time.monotonic() < end and not wrong:
                    tree = store.tree()
                    values = {int(tree.get(path)) for path in PATHS}
                    reads += 1
                    if len(values) > 1:
                        wrong.append(f"D2: one tree holds the numbers {sorted(values)}")
                    elif max(values) < last:
                        wrong.append(f"D2: after number {last} the reader saw number {max(values)}")
                    last = max(values)
        except IrminError as e:
            wrong.append(f"D3: a reader failed: {type(e).__name__}: {e}")
        send([reads, *wrong])

    return body
