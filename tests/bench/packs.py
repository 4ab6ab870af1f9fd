"""`python -m tests.bench.packs`: the pack beside the real Irmin, LMDB, SQLite, ZODB, dulwich, py-trie, bare barriers.

W1 to W4 and W7 over 100,000 keys (tests/vectors/irmin/README.md), index "minimal" and durability "none" unless a row
says otherwise. All sides run by turns in one process, CPU seconds but for the durable row, medians of `--runs`. Irmin
ran on another machine; its figures are scaled by the calibration loops of `timing.py`. ZODB, dulwich and py-trie are
skipped where they are not installed; dulwich and py-trie, and we beside them, get 10,000 keys.

`--rows` runs only the parts whose rows are named, as "3,16,17".
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from time import perf_counter
from typing import Literal, NamedTuple

from irminpy import Repo, Schema, Tree
from irminpy_pack.maker import Pack

from .commits import work
from .peers import Lmdb, barriers, sqlite_commits
from .rivals import RIVALS, absent
from .rivals import run as rival
from .timing import IRMIN, Calibration, timed
from .trees import SHAPES, VALUES, edits, hashing, immutable_adds
from .workloads import N, key, rng, updates, value


class Row(NamedTuple):
    """A goal: what must be reached and what would be good, as ratios; `least` says that more is better.

    Without a goal the figure is there to be known.
    """

    what: str
    must: float | None
    ambitious: float | None
    least: bool


ROWS = {
    "2": Row("W1, commit of 100,000, Irmin pack / ours", 1, 1.7, True),
    "3": Row("W2, commits of 100 updates, ours / Irmin pack", 3, 6, True),
    "3 always": Row("W2, time with always / minimal", 1.4, 1.2, False),
    "4": Row("W4, commits of one entry, ours / Irmin pack", 1.5, 4, True),
    "5": Row("W3, finds after reopening, ours / Irmin pack", 1.2, 2, True),
    "6": Row("W3, finds on the same tree, ours / Irmin pack", 0.4, 0.7, True),
    "9": Row("W7, fold over all sorted, ours / Irmin pack", 1.5, 4, True),
    "9 again": Row("W7, fold in any order after it, ours / Irmin pack", None, None, True),
    "10": Row("first insert of 10,000, py-trie / ours", 40, 80, True),
    "11": Row("W2 on them, rate, ours / py-trie", 7, 15, True),
    "14": Row("first insert of 10,000, dulwich / ours", 8, 14, True),
    "15 dulwich": Row("W2 on them, rate, ours / dulwich", None, None, True),
    "16 10x100x100": Row("W2, rate, ours / SQLite history table", 0.4, 0.8, True),
    "16 256x256": Row("W2, rate, ours / SQLite history table", 0.4, 0.8, True),
    "17": Row("W2, rate, ours / ZODB, 10x100x100", 2, 3.5, True),
    "17 disk": Row("bytes after it, ours / ZODB", 0.7, 0.5, False),
    "18 10x100x100": Row("warm find in an old version / LMDB get", 4, 2, False),
    "18 256x256": Row("warm find in an old version / LMDB get", 4, 2, False),
    "19 10x100x100": Row("find with nothing decoded / LMDB get", 24, 12, False),
    "19 256x256": Row("find with nothing decoded / LMDB get", 24, 12, False),
    "21 10x100x100": Row("staging and commit / hashing the values", 16, 8, False),
    "21 256x256": Row("staging and commit / hashing the values", 22, 12, False),
    "22": Row("durable commits of 100, wall / two barriers", 12, 6, False),
    "24": Row("kB written per updated key", 2, 1.6, False),
}


def opened(path: str, index: str = "minimal", durability: str = "none") -> Repo[bytes]:
    """A pack store."""
    return Repo.open(Pack(path, index=index, durability=durability), Schema())


def size(path: str) -> int:
    """Bytes of the segments of a store."""
    sizes = [os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(path) for name in names]
    return sum(sizes)


def commit_all(repo: Repo[bytes], tree: Tree[bytes]) -> None:
    """One commit of `tree`."""
    repo.main().set_tree((), tree, date=0)


def finds(tree: Tree[bytes], paths: list[str]) -> None:
    """Look every path up."""
    for path in paths:
        tree.find(path)


def bare_finds(tree: Tree[bytes], paths: list[str]) -> None:
    """Look every path up, with nothing decoded but the root's address: nothing is kept from one to the next."""
    for path in paths:
        tree.find(path, cache=False)


# Irmin ran on 256x256, the figures for SQLite and LMDB are from 10x100x100: these rows show both.
BOTH = ("10x100x100", "256x256")


class Run:
    """One turn of all sides: the figure of each row, Irmin's as if this machine were the one it ran on."""

    def __init__(self, folder: str, commits: int) -> None:
        self.folder = folder
        self.count = commits
        self.found: dict[str, float] = {}
        self.generations = {shape: list(updates(2, commits, paths=SHAPES[shape])) for shape in BOTH}
        following = rng(3)
        self.numbers = [following(N) for _ in range(N)]

    def path(self, name: str) -> str:
        """Where a store of this run lies."""
        return os.path.join(self.folder, name)

    def first(self) -> None:
        """W1, and the same shape of 10x100x100."""
        hashed = timed(hashing)[0]
        for shape in ("10x100x100", "256x256"):
            staging, tree = timed(edits, SHAPES[shape])
            with opened(self.path(shape)) as repo:
                committing, _ = timed(commit_all, repo, tree)
            self.found[f"21 {shape}"] = (staging + committing) / hashed
        with opened(self.path("w1")) as repo:
            tree = immutable_adds(SHAPES["256x256"])
            assert tree.find(key(0)) == VALUES[0]
            spent, _ = timed(commit_all, repo, tree)
        self.found["2"] = IRMIN["pack"]["W1_commit_cpu_s"] / spent

    def commits(self) -> None:
        """W2, with both kinds of index, and SQLite."""
        seconds: dict[str, float] = {}
        for shape, generations in self.generations.items():
            for index in ("minimal", "always") if shape == "256x256" else ("minimal",):
                at = self.path(index + shape)
                with opened(at, index) as repo:
                    commit_all(repo, edits(SHAPES[shape]))
                    before = size(at)
                    spent, _ = timed(work, repo, generations)
                    seconds[index] = spent / len(generations)
                    if index == "minimal":
                        written = size(at) - before
                        self.found["24"] = written / 100 / len(generations) / 1000
            other = sqlite_commits(self.path("sqlite" + shape), SHAPES[shape], generations)
            self.found[f"16 {shape}"] = other / seconds["minimal"]
        # Irmin becomes slower with the number of commits: only as many are comparable.
        rate = IRMIN["pack"][
            "W2_commits_per_cpu_s" if self.count == 1000 else "W2_first_100_commits_per_cpu_s"
        ]
        self.found["3"] = 1 / seconds["minimal"] / rate
        self.found["3 always"] = seconds["always"] / seconds["minimal"]

    def reads(self) -> None:
        """W3 on the store that W2 left, and reads of an old version beside LMDB."""
        pack = IRMIN["pack"]
        for shape, generations in self.generations.items():
            paths = [SHAPES[shape][i] for i in self.numbers]
            with opened(self.path("minimal" + shape)) as repo:
                if shape == "256x256":
                    tree = repo.main().tree()
                    first = timed(finds, tree, paths)[0]
                    self.found["5"] = N / first / pack["W3_finds_per_cpu_s_reopened"]
                    same = timed(finds, tree, paths)[0]
                    self.found["6"] = N / same / pack["W3_finds_per_cpu_s_same_tree"]
                self._beside_lmdb(shape, repo, len(generations), paths)

    def _beside_lmdb(self, shape: str, repo: Repo[bytes], commits: int, paths: list[str]) -> None:
        """Finds in a tree of a commit in the middle, made anew each time: warm is what the repository keeps."""
        some, few = paths[: N // 5], paths[: N // 50]
        other = Lmdb(self.path("lmdb" + shape), SHAPES[shape])
        commit = list(repo.main().log())[commits // 2]
        finds(commit.tree(), some)
        warm, bare, yardstick = [0.0] * 3, [0.0] * 3, [0.0] * 3
        for turn in range(3):
            yardstick[turn] = other.gets(some) / len(some)
            warm[turn] = timed(finds, commit.tree(), some)[0] / len(some)
        repo.home.clear()
        for turn in range(3):
            repo.counters.reset()
            bare[turn] = timed(bare_finds, commit.tree(), few)[0] / len(few)
            # Each reads the nodes of three directories at least.
            assert repo.counters.node_find >= 3 * len(few)
        other.close()
        self.found[f"18 {shape}"] = statistics.median(warm) / statistics.median(yardstick)
        self.found[f"19 {shape}"] = statistics.median(bare) / statistics.median(yardstick)

    def flat(self) -> None:
        """W4."""
        editor = Tree.empty().edit()
        for i in range(N):
            editor[f"dir/k{i}"] = value(i, 0)
        following = rng(4)
        changes = [(f"dir/k{i}", value(i, g + 1)) for g, i in enumerate(following(N) for _ in range(1000))]
        with opened(self.path("flat")) as repo:
            commit_all(repo, editor.tree())
            spent, _ = timed(work, repo, [[change] for change in changes])
        self.found["4"] = len(changes) / spent / IRMIN["pack"]["W4_one_entry_commits_per_s"]

    def folds(self) -> None:
        """W7 on the store of W1."""
        pack = IRMIN["pack"]

        def leaves(tree: Tree[bytes], order: Literal["sorted", "undefined"]) -> None:
            found = tree.fold(0, contents=lambda path, value, acc: acc + 1, order=order)
            assert found == N

        with opened(self.path("w1")) as repo:
            if repo.main().find_head() is None:
                commit_all(repo, edits(SHAPES["256x256"]))
            repo.home.clear()
            tree = repo.main().tree()
            first = timed(leaves, tree, "sorted")[0]
            again = timed(leaves, tree, "undefined")[0]
        self.found["9"] = N / first / pack["W7_leaves_per_cpu_s_sorted"]
        self.found["9 again"] = N / again / pack["W7_leaves_per_cpu_s_second_any_order"]

    def rivals(self) -> None:
        """First insert and W2 beside stores that are not Irmin: ZODB with all keys, the slow ones with a tenth."""
        shape = "10x100x100"
        for name in RIVALS:
            if absent(name):
                continue
            n = N if name == "ZODB" else N // 10
            paths = SHAPES[shape][:n]
            first = [(path, value(i, 0)) for i, path in enumerate(paths)]
            generations = list(updates(2, self.count if n == N else 50, n, paths))
            at = self.path("beside " + name)
            with opened(at) as repo:
                spent, _ = timed(work, repo, [first])
                following, _ = timed(work, repo, generations, 1)
            other = rival(name, self.folder, first, generations)
            if name == "ZODB":
                self.found["17"] = other.following / following
                self.found["17 disk"] = size(at) / other.size
            else:
                rows = ("10", "11") if name == "py-trie" else ("14", "15 dulwich")
                self.found[rows[0]] = other.first / spent
                self.found[rows[1]] = other.following / following

    def durable(self) -> None:
        """W2 with every commit synced, wall time."""
        some = self.generations["256x256"][:50]
        with opened(self.path("durable"), durability="wal") as repo:
            commit_all(repo, edits(SHAPES["256x256"]))
            two = barriers(self.folder)
            start = perf_counter()
            work(repo, some)
            self.found["22"] = (perf_counter() - start) / len(some) / two


PARTS = {
    "first": ("2", "21"),
    "commits": ("3", "16", "24"),
    "reads": ("5", "6", "18", "19"),
    "flat": ("4",),
    "folds": ("9",),
    "rivals": ("10", "11", "14", "15", "17"),
    "durable": ("22",),
}
"""What a run consists of, with the rows that each part finds."""


def show(runs: list[Run], scale: float) -> None:
    """The table."""
    print(f"this machine takes {scale:.2f} times as long as Irmin's; load {os.getloadavg()[0]:.1f}")
    print(f"  {'row':<15}{'what':<52}{'must':>7}{'good':>7}{'ours':>9}   from, to")
    for name in RIVALS:
        if absent(name):
            print(f"  {name} is not installed: its rows are skipped")
    for name, row in ROWS.items():
        if name not in runs[0].found:
            continue
        figures = [run.found[name] * (scale if "Irmin" in row.what else 1) for run in runs]
        reached = statistics.median(figures)
        must = good = ""
        missed = False
        if row.must is not None and row.ambitious is not None:
            missed = reached < row.must if row.least else reached > row.must
            must, good = f"{'>=' if row.least else '<='}{row.must:g}", f"{row.ambitious:g}"
        print(
            f"  {name:<15}{row.what:<52}{must:>7}{good:>7}{reached:>9.2f}"
            f"   {min(figures):.2f}, {max(figures):.2f}{'   MISSED' if missed else ''}"
        )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--commits", type=int, choices=(100, 1000), default=1000, help="of W2; the workload is 1,000"
    )
    parser.add_argument("--rows", default="", help='only the parts with these rows, as "3,16"; default: all')
    given = parser.parse_args()
    wanted = set(filter(None, given.rows.split(",")))
    if wanted & set(PARTS["reads"]):
        wanted |= set(PARTS["commits"])  # which leave the stores that are read
    calibration = Calibration()
    runs: list[Run] = []
    for _ in range(given.runs):
        calibration.run()
        with tempfile.TemporaryDirectory() as folder:
            run = Run(folder, given.commits)
            for part, rows in PARTS.items():
                if not wanted or wanted.intersection(rows):
                    getattr(run, part)()
        runs.append(run)
    show(runs, calibration.scale())
    return 0


if __name__ == "__main__":
    sys.exit(main())
