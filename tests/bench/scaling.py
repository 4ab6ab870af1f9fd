"""`python -m tests.bench.scaling`: one commit of 100 updates on stores of 10^4 to 10^7 keys; it grows with the depth.

Each store (the keys of W1, 256 x 256 directories; pack, `minimal`, durability `none`) is built in batches in a process
of its own, reopened in another, given some commits of W2 that are not counted, and then `--commits` that are. What is
told: CPU ms a commit (median), objects that a commit writes, nodes that it reads, nodes on the way to a key, CPU µs
for each object written or read, peak memory. `--plot FILE` draws it, `--json FILE` keeps it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

from .building import build, opened
from .collect import peak_now
from .plot import Line, draw
from .workloads import key, rng, updates

WARMING = 20
"""Commits before the measured ones."""


def depth(path: str, n: int) -> float:
    """Nodes read to find a key when nothing is decoded; the mean over 200 keys."""
    following = rng(9)
    with opened(path) as repo:
        tree = repo.main().tree()
        repo.counters.reset()
        for _ in range(200):
            if tree.find(key(following(n)), cache=False) is None:
                raise SystemExit(f"{path} does not have the first {n} keys")
        return repo.counters.node_find / 200


def measure(path: str, n: int, commits: int) -> dict[str, Any]:
    """Commits of 100 updates on the store at `path`, which has the first `n` keys."""
    deep = depth(path, n)
    seconds: list[float] = []
    with opened(path) as repo:
        main = repo.main()
        written = read = 0
        for g, bindings in enumerate(updates(2, WARMING + commits, n)):
            repo.counters.reset()
            start = process_time()
            tree = main.tree()
            for at, contents in bindings:
                tree = tree.add(at, contents)
            main.set_tree((), tree, date=g + 1)
            spent = process_time() - start
            if g >= WARMING:
                seconds.append(spent)
                written += repo.counters.node_add + repo.counters.contents_add
                read += repo.counters.node_find
    median = statistics.median(seconds)
    return {
        "keys": n,
        "ms": 1000 * median,
        "least_ms": 1000 * min(seconds),
        "written": written / commits,
        "read": read / commits,
        "depth": deep,
        "us_per_object": 1e6 * median / ((written + read) / commits),
        "peak_mb": peak_now() / 1024,
        "load": os.getloadavg()[0],
    }


def child(*arguments: str) -> str:
    """What this module prints in a process of its own."""
    command = [sys.executable, "-m", __spec__.name, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def show(found: list[dict[str, Any]]) -> str:
    """The table, in Markdown."""
    rows = [
        "| keys | CPU ms a commit | beside the row above | objects written | nodes read | nodes on the way to a key "
        "| µs for each of them | peak, MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for before, row in zip([None, *found], found, strict=False):
        growth = "" if before is None else f"{row['ms'] / before['ms']:.2f}"
        rows.append(
            f"| {row['keys']:,} | {row['ms']:.1f} | {growth} | {row['written']:.0f} | {row['read']:.0f} "
            f"| {row['depth']:.1f} | {row['us_per_object']:.1f} | {row['peak_mb']:.0f} |"
        )
    return "\n".join(rows)


def plot(found: list[dict[str, Any]]) -> str:
    """An SVG: milliseconds a commit, and what they would be if they were as the nodes on the way to a key."""
    start = found[0]
    return draw(
        "One commit of 100 updates",
        "keys",
        "CPU ms",
        [
            Line("measured", [(row["keys"], row["ms"]) for row in found]),
            Line(
                "as nodes on the way to a key",
                [(row["keys"], start["ms"] * row["depth"] / start["depth"]) for row in found],
            ),
        ],
    )


def main() -> int:
    """Build, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--keys", default="10000,100000,1000000", help="default: %(default)s; 10^7 takes 3 GB of disk"
    )
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--from", dest="given", type=Path, help="draw what --json kept, and measure nothing")
    parser.add_argument("--do", nargs=3, metavar=("WHAT", "PATH", "N"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.do:
        what, path, n = given.do
        if what == "build":
            with opened(path) as repo:
                build(repo, int(n))
        else:
            print(json.dumps(measure(path, int(n), given.commits)))
        return 0
    if given.given:
        found = json.loads(given.given.read_text(encoding="utf-8"))
    else:
        found = []
        with tempfile.TemporaryDirectory() as folder:
            for n in given.keys.split(","):
                path = os.path.join(folder, n)
                child("--do", "build", path, n)
                told = child("--do", "measure", path, n, "--commits", str(given.commits))
                found.append(json.loads(told))
                print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    print(show(found))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if given.plot:
        given.plot.write_text(plot(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
