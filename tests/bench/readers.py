"""`python -m tests.bench.readers`: finds in one process, and in two at once, in one store.

Each process opens the store of W1 (`--keys`), goes through its finds once, waits for the other, and does them again
with what caches hold decoded. What two find in a second of wall time over what one does must be 1.8, if
the machine has two processors to spare. The same by CPU time is told too: it says what they cost each other (memory,
caches of the processor), whatever else runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from time import perf_counter, process_time

from .building import build, opened
from .workloads import N, key, rng

MUST = 1.8


def reader(path: str, n: int, finds: int, seed: int) -> None:
    """Say when it is ready, wait for a line, and print wall and CPU seconds of `finds`."""
    following = rng(seed)
    paths = [key(following(n)) for _ in range(finds)]
    with opened(path, readonly=True) as repo:
        for cached in (True, False):
            tree = repo.main().tree()
            if not cached:
                print("ready", flush=True)
                sys.stdin.readline()
            wall, cpu = perf_counter(), process_time()
            for each in paths:
                if tree.find(each) is None:
                    sys.exit(f"{each} is not there")
        print(perf_counter() - wall, process_time() - cpu, flush=True)


def together(path: str, n: int, finds: int, count: int) -> tuple[float, float]:
    """(wall seconds of the slowest, CPU seconds of one on average) of `count` readers that begin at once."""
    command = [
        sys.executable,
        "-m",
        "tests.bench.readers",
        "--keys",
        str(n),
        "--finds",
        str(finds),
        "--do",
        path,
    ]
    readers = [
        subprocess.Popen([*command, str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seed in range(3, 3 + count)
    ]
    for each in readers:
        assert each.stdout is not None
        if each.stdout.readline() != "ready\n":
            sys.exit("a reader failed")
    for each in readers:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    told = [each.communicate()[0].split() for each in readers]
    return max(float(wall) for wall, _ in told), statistics.mean(float(cpu) for _, cpu in told)


def main() -> int:
    """Measure, by turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=N)
    parser.add_argument("--finds", type=int, default=300_000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--do", nargs=2, metavar=("PATH", "SEED"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.do:
        reader(given.do[0], given.keys, given.finds, int(given.do[1]))
        return 0
    walls: list[float] = []
    cpus: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "store")
        with opened(path) as repo:
            build(repo, given.keys)
        before = os.getloadavg()[0]
        for _ in range(given.turns):
            one, two = (together(path, given.keys, given.finds, count) for count in (1, 2))
            walls.append(2 * one[0] / two[0])
            cpus.append(2 * one[1] / two[1])
            print(
                f"one {one[0]:.2f} s wall, {one[1]:.2f} s CPU; two {two[0]:.2f} s, {two[1]:.2f} s each",
                flush=True,
            )
    wall = statistics.median(walls)
    print(
        f"two readers find {wall:.2f} times as much as one in the same time ({min(walls):.2f} to {max(walls):.2f}), "
        f"must be {MUST}{'' if wall >= MUST else '   MISSED'}; by CPU time {statistics.median(cpus):.2f}; "
        f"load {before:.1f} before"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
