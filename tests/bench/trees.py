"""`python -m tests.bench.trees`: what the tree costs beside plain dicts and beside hashing alone.

Both sides run interleaved in one process; CPU seconds, medians of 5 (`--runs N`). All sides take the same `str` paths
and split them inside the loop. Every ratio is printed with the bound it is held to; none is asserted in the tests.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import Any

from blake3 import blake3

import irminpy
from irminpy import Store, Tree

from .timing import timed
from .workloads import N, key

SHAPES = {
    "10x100x100": [f"a{i % 10}/b{i // 10 % 100}/k{i}" for i in range(N)],
    "256x256": [key(i) for i in range(N)],
    "flat": [f"dir/k{i}" for i in range(N)],
}
VALUES = [b"%08d:" % i + b"v" * 91 for i in range(N)]


def nested_dicts(paths: list[str]) -> dict[str, Any]:
    """The yardstick: the same inserts into nested dicts."""
    root: dict[str, Any] = {}
    for path, value in zip(paths, VALUES, strict=True):
        directory = root
        steps = path.split("/")
        for step in steps[:-1]:
            directory = directory.setdefault(step, {})
        directory[steps[-1]] = value
    return root


def nested_finds(root: dict[str, Any], paths: list[str]) -> None:
    """The yardstick for look-ups."""
    for path in paths:
        node = root
        for step in path.split("/"):
            node = node[step]


def immutable_adds(paths: list[str]) -> Tree[bytes]:
    """One new handle per binding."""
    tree = Tree.empty()
    for path, value in zip(paths, VALUES, strict=True):
        tree = tree.add(path, value)
    return tree


def edits(paths: list[str], values: list[bytes] = VALUES) -> Tree[bytes]:
    """The same through an editor."""
    editor = Tree.empty().edit()
    for path, value in zip(paths, values, strict=True):
        editor[path] = value
    return editor.tree()


def finds(tree: Tree[bytes], paths: list[str]) -> None:
    """Look every path up."""
    for path in paths:
        tree.find(path)


def hashing(values: list[bytes] = VALUES) -> None:
    """The yardstick for commits: the same values hashed, and nothing else."""
    [blake3(value).digest() for value in values]


def commit(main: Store[bytes], tree: Tree[bytes]) -> Any:
    """Commit `tree` to `main`; the committed tree, nothing of it loaded."""
    main.set_tree((), tree, message="all", date=0)
    return main.tree()


def alternating(runs: int) -> None:
    """Finds on the oldest and the newest of 100,000 handles by turns, against as many on one of them."""
    tree = Tree.empty()
    handles = []
    for path, value in zip(SHAPES["10x100x100"], VALUES, strict=True):
        tree = tree.add(path, value)
        handles.append(tree)
    oldest, newest = handles[0], handles[-1]
    path = SHAPES["10x100x100"][0]

    def both() -> None:
        for _ in range(5_000):
            oldest.find(path)
            newest.find(path)

    def one() -> None:
        for _ in range(10_000):
            newest.find(path)

    ratios = [timed(both)[0] / timed(one)[0] for _ in range(runs)]
    show("alternating finds, old and new / one handle", statistics.median(ratios), 20)


def show(what: str, ratio: float, bound: float) -> None:
    """One row."""
    print(f"  {what:<52} {ratio:6.2f}   bound {bound:g}{'' if ratio <= bound else '   MISSED'}")


def measure(name: str, runs: int) -> None:
    """All rows of one shape."""
    paths = SHAPES[name]
    seconds: dict[str, list[float]] = {}

    def note(key: str, value: float) -> None:
        seconds.setdefault(key, []).append(value)

    for _ in range(runs):
        cpu, root = timed(nested_dicts, paths)
        note("dicts", cpu)
        cpu, tree = timed(immutable_adds, paths)
        note("adds", cpu)
        cpu, edited = timed(edits, paths)
        note("edits", cpu)
        note("hashing", timed(hashing)[0])
        note("dict finds", timed(nested_finds, root, paths)[0])
        note("finds, staged", timed(finds, tree, paths)[0])
        cpu, stored = timed(commit, irminpy.open("mem:").main(), edited)
        note("commit", cpu)
        finds(stored, paths)
        note("finds, loaded", timed(finds, stored, paths)[0])
    median = {key: statistics.median(values) for key, values in seconds.items()}
    print(name, " ".join(f"{key} {value:.3f}s" for key, value in median.items()))
    show("immutable add / dict insert", median["adds"] / median["dicts"], 8)
    show("edit / dict insert", median["edits"] / median["dicts"], 4)
    show(
        "stage (edit) + commit / hashing the values",
        (median["edits"] + median["commit"]) / median["hashing"],
        8,
    )
    show(
        "stage (add) + commit / hashing the values",
        (median["adds"] + median["commit"]) / median["hashing"],
        8,
    )
    show("find in a staged tree / dict look-up", median["finds, staged"] / median["dict finds"], 6)
    show("find in a loaded tree / dict look-up", median["finds, loaded"] / median["dict finds"], 6)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    for name in SHAPES:
        measure(name, runs)
    alternating(runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
