"""`python -m tests.bench.commits`: W2, commits of a hundred updates on a tree of 100,000 keys, in memory."""

from __future__ import annotations

import argparse
import sys

import irminpy
from irminpy import Repo

from .timing import Calibration, Side, report, timed
from .workloads import Updates, first, updates


def work(repo: Repo[bytes], generations: list[Updates], start: int = 0) -> None:
    """Commit each generation on top of the last commit, through immutable handles."""
    main = repo.main()
    for g, bindings in enumerate(generations, start):
        tree = main.tree()
        for path, contents in bindings:
            tree = tree.add(path, contents)
        main.set_tree((), tree, date=g + 1)


def main() -> int:
    """Print the rates of the first hundred commits and of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--commits", type=int, default=1000, help="at least 100")
    given = parser.parse_args()
    count: int = given.commits
    generations = list(updates(2, count))
    calibration = Calibration()
    soon = Side("the first 100 commits", "W2_first_100_commits_per_cpu_s", 3)
    all_ = Side(f"{count} commits", "W2_commits_per_cpu_s", 3)
    for _ in range(given.runs):
        calibration.run()
        with irminpy.open("mem:") as repo:
            first(repo)
            early, _ = timed(work, repo, generations[:100])
            late, _ = timed(work, repo, generations[100:], 100)
        soon.rates.append(100 / early)
        all_.rates.append(count / (early + late))
    # Irmin's rate falls with the number of commits, so that fewer are not comparable.
    report("W2, 100 updates a commit", [soon, all_] if count == 1000 else [soon], calibration)
    return 0


if __name__ == "__main__":
    sys.exit(main())
