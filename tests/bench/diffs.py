"""`python -m tests.bench.diffs`: W6, the differences of neighbouring commits of a hundred updates, in memory."""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise

import irminpy
from irminpy import Commit, Repo

from .commits import work
from .timing import Calibration, Side, report, timed
from .workloads import N, first, updates


def history(repo: Repo[bytes], commits: int, n: int = N) -> list[Commit[bytes]]:
    """W1 and `commits` commits of W2 after it, oldest first."""
    first(repo, n)
    work(repo, list(updates(2, commits, n)))
    return list(repo.main().log())[::-1]


def differences(commits: list[Commit[bytes]]) -> int:
    """How many changes there are between neighbours, each pair read into trees of its own."""
    found = 0
    for before, after in pairwise(commits):
        found += sum(1 for _ in before.tree().diff(after.tree()))
    return found


def main() -> int:
    """Print the rate of diffs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--commits", type=int, default=100)
    given = parser.parse_args()
    count: int = given.commits
    calibration = Calibration()
    diffs = Side("diffs", "W6_diffs_per_cpu_s", 5)
    for _ in range(given.runs):
        calibration.run()
        with irminpy.open("mem:") as repo:
            commits = history(repo, count)
            assert repo.home.repo is not None
            repo.home.repo.clear()  # nothing decoded is in memory
            spent, _ = timed(differences, commits)
        diffs.rates.append(count / spent)
    report("W6, diffs of neighbouring commits", [diffs], calibration)
    return 0


if __name__ == "__main__":
    sys.exit(main())
