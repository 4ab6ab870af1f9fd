"""`python -m tests.bench.memory`: the most memory that W1 and W2 take, and a fold over more than memory may hold.

Each in a process of its own: its peak as the system tells it (VmHWM), and what of it is the process's alone (RssAnon):
pages of mapped files are the system's, which takes them back. W1 and W2 may take 350 MB, a fold over 5,000,000 leaves
(`--leaves`; built in batches, about a gigabyte) 300 MB. The exit status is 1 if one takes more.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

from irminpy import Tree

from .building import build, opened
from .collect import peak_now
from .sides import size
from .workloads import N, key, updates, value, work

MOST: Final = {"w1w2": 350, "fold": 300}
"""Megabytes, of 10^6 bytes."""


def w1w2(path: str) -> str:
    """W1, then W2."""
    with opened(path) as repo:
        tree: Tree[bytes] = Tree.empty()
        for i in range(N):
            tree = tree.add(key(i), value(i, 0))
        repo.main().set_tree((), tree, date=0)
        del tree
        after = peak_now()
        work(repo, list(updates(2, 1000)))
    return f"{N:,} adds and a commit ({after * 1024 / 1e6:.0f} MB until then), 1,000 commits of 100 updates"


def fold(path: str) -> str:
    """All leaves, sorted."""
    with opened(path, readonly=True) as repo:
        n, total = (
            repo.main().tree().fold((0, 0), contents=lambda _, leaf, acc: (acc[0] + 1, acc[1] + len(leaf)))
        )
    return f"{n:,} leaves of {total:,} bytes, in a store of {size(path):,}"


def child(what: str, path: str, leaves: int) -> None:
    """Do `what`, and print what it took."""
    if what == "build":
        with opened(path) as repo:
            build(repo, leaves)
        return
    own, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            own[0] = max(own[0], peak_now("RssAnon"))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    told = w1w2(path) if what == "w1w2" else fold(path)
    stop.set()
    watcher.join()
    peak = peak_now() * 1024 / 1e6
    missed = "" if peak <= MOST[what] else "   MISSED"
    print(
        f"{told}: peak {peak:.0f} MB of at most {MOST[what]}{missed}, of its own {own[0] * 1024 / 1e6:.0f} MB",
        flush=True,
    )
    sys.exit(1 if missed else 0)


def main() -> int:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leaves", type=int, default=5_000_000)
    parser.add_argument("--store", type=Path, help="a store that `--do build` made: fold over it, build none")
    parser.add_argument(
        "--do", nargs=2, metavar=("WHAT", "PATH"), help="build, fold or w1w2, in this process"
    )
    given = parser.parse_args()
    if given.do is not None:
        what, path = given.do
        child(what, path, given.leaves)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        store = str(given.store or os.path.join(folder, "large"))
        todo = [
            ("w1w2", os.path.join(folder, "store")),
            *([("build", store)] * (given.store is None)),
            ("fold", store),
        ]
        missed = 0
        for what, path in todo:
            command = [
                sys.executable,
                "-m",
                "tests.bench.memory",
                "--leaves",
                str(given.leaves),
                "--do",
                what,
                path,
            ]
            missed |= subprocess.run(command, check=False).returncode
        return missed


if __name__ == "__main__":
    sys.exit(main())
