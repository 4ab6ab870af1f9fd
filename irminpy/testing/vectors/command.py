"""Run a directory of vectors: each file by its name, each case by what it is.

    python -m irminpy.testing.vectors DIR [FILE…]

The last line is `N passed, D by decision, M failed`. The exit status is 0 only if M is 0.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TextIO

from ...errors import IrminError
from ...registry import maker_of_uri
from ...repo import Repo
from ...schema import Schema
from .merges import merges
from .objects import commits, inodes, trees
from .proofs import proofs
from .report import Outcome, Report, failed
from .stores import fs_store, pack_store
from .traces import traces
from .types import check_type
from .values import STORES
from .workloads import bench_roots

__all__ = ["main", "run"]

Named = Iterator[tuple[str, Outcome]]
File = dict[str, Any]


def _memory(schema: Schema[bytes, None]) -> Repo[bytes, None]:
    return Repo.open(maker_of_uri("mem:"), schema)


def _types(file: File) -> Named:
    for case in file["cases"]:
        yield f"{case['type']} {case['value'][:40]!r}", check_type(case)


def _over(check: Callable[[Repo[bytes, None], File], Named]) -> Callable[[File], Named]:
    """`check` on a fresh repository in memory, of the store that the file names."""

    def run(file: File) -> Named:
        with _memory(STORES[file["store"]]) as repo:
            yield from check(repo, file)

    return run


def _traces(file: File) -> Named:
    schema = STORES[file["store"]]
    yield from traces(lambda: _memory(schema), file)


def _rates(file: File) -> Named:
    """Speeds of the real Irmin: there is nothing to check."""
    yield from ()


KINDS: tuple[tuple[str, Callable[[File], Named]], ...] = (
    ("types.json", _types),
    ("trees-", _over(trees)),
    ("commits-", _over(commits)),
    ("inodes-", _over(inodes)),
    ("diff-merge", _over(merges)),
    ("traces-", _traces),
    ("proofs-", _over(proofs)),
    ("bench-irmin", _rates),
    ("bench-roots", lambda file: bench_roots(_memory, file)),
)
"""How the name of a file begins, and what checks it."""


def run(path: str, out: TextIO) -> Report:
    """Check all cases of one file."""
    report = Report(out)
    name = os.path.basename(path)
    check = next((check for prefix, check in KINDS if name.startswith(prefix)), None)
    if name.startswith("store-"):
        # The file of a store stands beside its directory.
        store = fs_store if name == "store-fs.json" else pack_store
        check = partial(store, path.removesuffix(".json"))
    if check is None:
        report.add(name, failed("no kind of file with this name is known"))
        return report
    done = "the first case"
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        found = check(data)
        for case, outcome in found:
            done = f"what follows {case}"
            report.add(f"{name}: {case}", outcome)
    except (IrminError, OSError, ValueError, LookupError, TypeError, AttributeError) as e:
        # A case that the checks do not understand; those after it do not count as anything but this one failure.
        report.add(f"{name}: {done}", failed(f"{type(e).__name__}: {e}"))
    return report


def main(arguments: Sequence[str], out: TextIO = sys.stdout) -> int:
    """The command; the exit status."""
    if not arguments:
        print("usage: python -m irminpy.testing.vectors DIR [FILE...]", file=out)
        return 2
    folder, *names = arguments
    try:
        found = names or sorted(name for name in os.listdir(folder) if not name.endswith(".md"))
    except OSError as e:
        print(f"{folder}: {e}", file=out)
        return 2
    total = Report(out)
    for name in found:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            if not any(
                os.path.isfile(os.path.join(folder, f"{base}.json"))
                for base in (name, name.removesuffix("-lower"))
            ):
                total.add(name, failed("a directory that no file describes"))
            continue
        report = run(path, out)
        print(f"{name}: {report.line}", file=out)
        total.join(report)
    for rule, n in sorted(total.decided.items()):
        print(f"by decision {rule}: {n}", file=out)
    print(total.line, file=out)
    return 0 if total.failures == 0 else 1
