"""How long a garbage collection takes and how much memory: python -m tests.bench.collect --size 1G.

Makes a store of about that size, of which a quarter is garbage (unless `--path` names one that is there), and collects
in a process of its own. Prints objects, bytes, seconds and peak memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from irminpy import Repo
from irminpy_pack import Pack

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def fill(path: Path, size: int, value: int, batch: int) -> None:
    """A store of about `size` bytes: values of `value` bytes, `batch` of them a commit, each fourth on a branch that
    goes.
    """
    with Repo.open(Pack(str(path), index="minimal", durability="none")) as repo:
        main, side = repo.main(), repo.branch("side")
        n = written = 0
        while written < size:
            store = side if n % 4 == 3 else main
            editor = store.tree().edit()
            for i in range(batch):
                editor.add(f"d{(n * 7 + i) % 97}/e{i % 31}/{n}-{i}", os.urandom(value))
            store.set_tree((), editor.tree(), message=str(n))
            n += 1
            packs = path / "pack"
            written = sum(os.path.getsize(packs / name) for name in os.listdir(packs))
        repo.remove_branch("side")


def peak_now() -> int:
    """The most memory that this process had so far, in KiB; not that of its parent, as `ru_maxrss` may be."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def collect(path: Path) -> None:
    """Collect, and print what it took."""
    idle = peak_now()
    with Repo.open(Pack(str(path), index="minimal", io="pread")) as repo:
        loaded = peak_now()
        began = time.perf_counter()
        report = repo.gc()
        seconds = time.perf_counter() - began
    peak = peak_now()
    print(report)
    print(
        f"{seconds:.1f} s, {seconds / max(1, report.kept) * 1e6:.1f} us per object kept; "
        f"peak {peak / 1024:.0f} MiB ({idle / 1024:.0f} MiB after imports, {loaded / 1024:.0f} MiB after opening)"
    )
    print(f"peak_kib {peak}")


def peak_of(path: Path) -> int:
    """Peak memory in KiB of a process that collects in the store at `path`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.collect", "--path", str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    print(done.stdout, end="")
    return int(done.stdout.rsplit("peak_kib ", 1)[1])


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="100M", help="bytes, with K, M or G (default %(default)s)")
    parser.add_argument("--value", type=int, default=200, help="bytes of a value (default %(default)s)")
    parser.add_argument("--batch", type=int, default=1000, help="values per commit (default %(default)s)")
    parser.add_argument("--path", type=Path, help="a store that is there: collect in it, in this process")
    given = parser.parse_args()
    if given.path is not None:
        collect(given.path)
        return
    unit = given.size[-1:]
    size = int(given.size[:-1]) * _UNITS[unit] if unit in _UNITS else int(given.size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        began = time.perf_counter()
        fill(path, size, given.value, given.batch)
        print(f"made in {time.perf_counter() - began:.0f} s")
        peak_of(path)


if __name__ == "__main__":
    main()
