"""How long the care of a large store takes and how much memory: python -m tests.bench.collect --size 1G.

Makes a store of about that size, of which a quarter is garbage (unless `--path` names one that is there), and does
each of WORKS in a process of its own. Prints seconds and peak memory: of all that is mapped (VmHWM), and of what is the
process's alone (RssAnon, looked at every 50 ms): pages of an index or a segment that are mapped are the system's.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from irminpy import Repo
from irminpy_pack import Pack
from irminpy_pack.fsck import LEVELS

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def fill(path: Path, size: int, value: int, batch: int, index: str = "minimal") -> None:
    """A store of about `size` bytes: values of `value` bytes, `batch` of them a commit, each fourth on a branch that
    goes.
    """
    with Repo.open(Pack(str(path), index=index, durability="none")) as repo:
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


def peak_now(name: str = "VmHWM") -> int:
    """A line of /proc/self/status, in KiB; the most memory that this process had so far, and not that of its parent, as
    `ru_maxrss` may be.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1])
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def gc(path: Path, index: str) -> str:
    """Collect."""
    with Repo.open(Pack(str(path), index=index, io="pread")) as repo:
        return str(repo.gc())


def fold(path: Path, index: str) -> str:
    """Read every value of the newest tree."""
    with Repo.open(Pack(str(path), index=index, io="pread"), readonly=True) as repo:
        total, n = repo.main().tree().fold((0, 0), contents=_add)
    return f"{n} values of {total} bytes"


def _add(_path: object, value: bytes, acc: tuple[int, int]) -> tuple[int, int]:
    return acc[0] + len(value), acc[1] + 1


def export(path: Path, index: str) -> str:
    """A snapshot of all branches, to nowhere."""
    with open(os.devnull, "wb") as file:
        return str(Pack(str(path), index=index, io="pread").export_snapshot(file))


def restore(path: Path, index: str) -> str:
    """A snapshot to a file, and a store of it, both gone afterwards. The file is written by another process."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        file, target = Path(folder) / "file", Path(folder) / "copy"
        code = "import sys; from irminpy_pack import Pack; Pack(sys.argv[1]).export_snapshot(open(sys.argv[2], 'wb'))"
        subprocess.run([sys.executable, "-c", code, str(path), str(file)], check=True)
        with open(file, "rb") as source:
            return str(Pack(str(target), index=index).import_snapshot(source))


def rebuild(path: Path, index: str) -> str:
    """The index made anew."""
    return str(Pack(str(path), index=index).rebuild_index())


def stats(path: Path, index: str) -> str:
    """Statistics, with a dry run of a garbage collection."""
    return str(Pack(str(path), index=index, io="pread").stats(garbage=True)).replace("\n", "; ")


def _fsck(level: str) -> Callable[[Path, str], str]:
    return lambda path, index: str(Pack(str(path), index=index).fsck(level=level))


WORKS: Final[dict[str, Callable[[Path, str], str]]] = {
    "fold": fold,
    **{f"fsck-{level}": _fsck(level) for level in LEVELS},
    "stats": stats,
    "export": export,
    "restore": restore,
    "rebuild": rebuild,
    "gc": gc,
}


def work(name: str, path: Path, index: str) -> None:
    """Do one of WORKS, and print what it took."""
    idle, most, stop = peak_now(), [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            most[0] = max(most[0], peak_now("RssAnon"))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    began, cpu = time.perf_counter(), time.process_time()
    told = WORKS[name](path, index)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    stop.set()
    watcher.join()
    peak = peak_now()
    print(
        f"{name}: {seconds:.1f} s ({cpu:.1f} s CPU); peak {peak / 1024:.0f} MiB, of its own {most[0] / 1024:.0f} MiB, "
        f"after imports {idle / 1024:.0f} MiB; {told}"
    )
    print(f"peak_kib {peak} own_kib {most[0]}")


def peak_of(path: Path, name: str = "gc", index: str = "minimal") -> int:
    """Peak memory in KiB of a process that does `name` to the store at `path`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.collect", "--path", str(path), "--work", name, "--index", index],
        check=True,
        capture_output=True,
        text=True,
    )
    print(done.stdout.rsplit("peak_kib ", 1)[0], end="", flush=True)
    return int(done.stdout.rsplit("peak_kib ", 1)[1].split()[0])


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="100M", help="bytes, with K, M or G (default %(default)s)")
    parser.add_argument("--value", type=int, default=200, help="bytes of a value (default %(default)s)")
    parser.add_argument("--batch", type=int, default=1000, help="values per commit (default %(default)s)")
    parser.add_argument("--index", default="minimal", help="the strategy (default %(default)s)")
    parser.add_argument("--work", nargs="*", default=list(WORKS), help=f"which of {', '.join(WORKS)}")
    parser.add_argument("--path", type=Path, help="a store that is there: work on it, in this process")
    given = parser.parse_args()
    if given.path is not None:
        for name in given.work:
            work(name, given.path, given.index)
        return
    unit = given.size[-1:]
    size = int(given.size[:-1]) * _UNITS[unit] if unit in _UNITS else int(given.size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        began = time.perf_counter()
        fill(path, size, given.value, given.batch, given.index)
        print(f"made in {time.perf_counter() - began:.0f} s", flush=True)
        for name in given.work:
            peak_of(path, name, given.index)


if __name__ == "__main__":
    main()
