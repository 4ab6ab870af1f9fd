"""`python -m tests.bench.reopen`: opening a pack whose writer was killed with a long tail behind HEAD and the index.

It commits until the log is 64 MiB longer (`--mib N`), in batches of `--batch` bytes, then HEAD, MANIFEST
and the index are put back to what they were before, as if the power had gone: all of the tail has to be walked over,
checked, written again and synced (docs/formats/pack.md, "Settling"). Printed are the seconds until the store is open,
of a reader, of the writer, and of one that opens after it; each in a process of its own. It fails if the writer
takes a second or more of CPU time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time

from irminpy import Repo
from irminpy_pack import Pack

MIB = 1 << 20
MOST = 1.0  # seconds


def fill(folder: str, size: int, batch: int, value: int) -> None:
    """Commit `size` bytes of contents of `value` bytes each, in batches of `batch` bytes."""
    store = Path(folder) / "store"
    with Repo.open(Pack(str(store))) as repo:
        repo.main().set("first", b"1")
    before = Path(folder) / "before"
    shutil.copytree(store, before)
    with Repo.open(Pack(str(store)), create=False) as repo:
        main = repo.main()
        for i in range(size // batch):
            with main.edit(f"{i >> 6}/{i & 63}") as edit:
                for j in range(batch // value):
                    edit[f"{j}"] = os.urandom(value)
        crashed = Path(folder) / "crashed"
        shutil.copytree(store, crashed)
    for name in ("HEAD", "MANIFEST"):
        shutil.copy(before / name, crashed / name)
    shutil.rmtree(crashed / "index")
    shutil.copytree(before / "index", crashed / "index")


def opened(folder: str, readonly: bool) -> None:
    """Open the crashed store, and print the seconds, and those of the CPU."""
    began, cpu = perf_counter(), process_time()
    with Repo.open(Pack(f"{folder}/crashed"), create=False, readonly=readonly) as repo:
        spent, used = perf_counter() - began, process_time() - cpu
        assert repo.main().get("first") == b"1"
        commits = sum(1 for _ in repo.main().log())
    print(spent, used, commits)


def again(folder: str, *how: str) -> tuple[float, float, int]:
    """`opened` in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.reopen", "--open", folder, *how]
    spent, used, commits = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(spent), float(used), int(commits)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if opening takes less than a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--batch", type=int, default=MIB, help="bytes of a batch")
    parser.add_argument("--value", type=int, default=4096, help="bytes of a value")
    parser.add_argument("--folder", help="where the store is made")
    parser.add_argument("--open", help=argparse.SUPPRESS)
    parser.add_argument("--readonly", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.open:
        opened(given.open, given.readonly)
        return 0
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        fill(folder, given.mib * MIB, given.batch, given.value)
        print(f"a tail of {given.mib} MiB, batches of {given.batch} bytes, values of {given.value}")
        slow = False
        for who, how in (("a reader", ["--readonly"]), ("the writer", []), ("a writer after it", [])):
            spent, used, commits = again(folder, *how)
            slow |= who == "the writer" and used >= MOST
            print(f"{who:>18}: {spent:6.2f} s, of the CPU {used:6.2f} s; {commits} commits")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
