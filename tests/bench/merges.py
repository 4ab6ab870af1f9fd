"""`python -m tests.bench.merges`: W8, merges of two branches with a hundred updates each, in memory."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import irminpy
from irminpy import Commit, Repo, Store

from .timing import Calibration, Side, report, timed
from .workloads import N, Updates, first, key, rng, value


def sides(rounds: int, n: int = N, each: int = 100) -> Iterator[tuple[Updates, Updates]]:
    """For each round what the left and what the right branch update, all of it distinct."""
    following = rng(8)
    for g in range(rounds):
        numbers: dict[int, None] = {}
        while len(numbers) < 2 * each:
            numbers[following(n)] = None
        some = list(numbers)
        left, right = (
            [(key(i), value(i, 200_000 + 2 * g + side)) for i in some[side * each : (side + 1) * each]]
            for side in (0, 1)
        )
        yield left, right


def branches(repo: Repo[bytes], left: Updates, right: Updates) -> tuple[Store[bytes], Store[bytes]]:
    """Two branches from the head of main, each with its updates."""
    made = []
    for name, bindings in (("left", left), ("right", right)):
        store = repo.main().clone(name)
        tree = store.tree()
        for path, contents in bindings:
            tree = tree.add(path, contents)
        store.set_tree((), tree, date=1)
        made.append(store)
    return made[0], made[1]


def merge(left: Store[bytes], right: Store[bytes]) -> Commit[bytes] | None:
    """Merge right into left."""
    return right.merge_into(left, date=2)


def main() -> int:
    """Print the rate of merges."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=50)
    given = parser.parse_args()
    rounds = list(sides(given.rounds))
    calibration = Calibration()
    merges = Side("merges", "W8_merges_per_cpu_s", 2)
    for _ in range(given.runs):
        calibration.run()
        spent = 0.0
        with irminpy.open("mem:") as repo:
            first(repo)
            for left, right in rounds:
                cpu, made = timed(merge, *branches(repo, left, right))
                assert made is not None
                assert len(made.parents) == 2
                spent += cpu
        merges.rates.append(len(rounds) / spent)
    report("W8, merges of 100 and 100 updates", [merges], calibration)
    return 0


if __name__ == "__main__":
    sys.exit(main())
