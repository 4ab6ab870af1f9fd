"""W1 to W8 on a store of ours: in memory, and the pack with `minimal` and `always`.

The works are named as the figures of the real Irmin are (`bench-irmin.json`). A work is a generator that pauses between
its parts, so that several stores do theirs by turns. Everything that is read from a file is compared with its hash.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import irminpy
from irminpy import Proof, Repo, Schema, Tree, verify_proof

from .building import opened
from .figures import Figures
from .sides import size
from .timing import Spent, measured
from .workloads import N, Updates, branches, differences, key, merge, rng, sides, updates, value, work

__all__ = ["PLACES", "Place", "Plan", "Store"]

SOON = 100
"""The commits of W2 that are told apart, and those whose differences W6 takes."""


class Plan(NamedTuple):
    """How much of everything."""

    n: int = N
    """Keys, and finds of W3."""
    commits: int = 1000
    """Of W2 and W4."""
    merges: int = 50
    """Of W8."""
    proofs: tuple[tuple[str, int, int, int], ...] = (
        ("1", 1, 0, 300),
        ("10", 10, 0, 60),
        ("100+10", 100, 10, 10),
    )
    """Of W5: name, finds, adds, how many."""

    @property
    def full(self) -> bool:
        """Whether it is what the real Irmin did."""
        return self == Plan()


def short(plan: Plan) -> Plan:
    """A tenth of the keys, 50 commits, fewer merges and proofs."""
    return plan._replace(
        n=plan.n // 10, commits=50, merges=10, proofs=tuple((*p[:3], max(p[3] // 10, 1)) for p in plan.proofs)
    )


class Place(NamedTuple):
    """Where our stores are: a name, and what opens one at a path."""

    name: str
    open: Callable[[str], Repo[bytes]]
    on_disk: bool


def _memory(_path: str) -> Repo[bytes]:
    return irminpy.open("mem:")


PLACES = (
    Place("mem", _memory, False),
    Place("pack", opened, True),
    Place("pack-always", lambda path: opened(path, "always"), True),
)


class Store:
    """One store of a place that the works are done on, in the order W1, W5, W7, W8, W2, W3, W6; and another for W4."""

    def __init__(self, place: Place, folder: str, plan: Plan, found: Figures) -> None:
        self.place = place
        self.plan = plan
        self.found = found
        self.folder = folder
        self.path = os.path.join(folder, place.name)
        self._repo: Repo[bytes] | None = None

    def close(self) -> None:
        """Close it; what is in memory is gone."""
        if self._repo is not None:
            self._repo.close()
            self._repo = None

    def reopened(self) -> Repo[bytes]:
        """The repository, nothing of it decoded; one in memory forgets what it has decoded."""
        if self._repo is not None and self.place.on_disk:
            self.close()
        if self._repo is None:
            self._repo = self.place.open(self.path)
        self._repo.home.clear()
        _calm()
        return self._repo

    def _took(self, name: str, spent: Spent, units: float = 1) -> None:
        self.found.took(self.place.name, name, spent, units)

    def w1(self) -> Iterator[None]:
        """Adds through immutable handles, and their commit."""
        n, repo = self.plan.n, self.reopened()
        bindings = [(key(i), value(i, 0)) for i in range(n)]

        def adds() -> Tree[bytes]:
            tree = Tree.empty(repo.schema)
            for path, contents in bindings:
                tree = tree.add(path, contents)
            return tree

        spent, tree = measured(adds)
        self._took("W1_adds_per_cpu_s", spent, n)
        yield
        spent, _ = measured(_commit, repo, tree)
        self._took("W1_commit_cpu_s", spent, 1)
        if self.place.on_disk:
            self.found.is_(self.place.name, "disk W1", size(self.path))
        yield

    def w2(self) -> Iterator[None]:
        """Commits of 100 updates, SOON at a time."""
        repo = self.reopened()
        generations = list(updates(2, self.plan.commits, self.plan.n))
        before = size(self.path) if self.place.on_disk else 0
        spent = Spent(0, 0)
        for start in range(0, len(generations), SOON):
            more, _ = measured(_committed, repo, generations[start : start + SOON], start)
            spent += more
            if start == 0 and len(generations) >= SOON:
                self._took("W2_first_100_commits_per_cpu_s", spent, SOON)
            yield
        if self.plan.full:
            self._took("W2_commits_per_cpu_s", spent, len(generations))
        self._took("W2 all", spent, len(generations))
        if self.place.on_disk:
            written = size(self.path) - before
            self.found.is_(self.place.name, "disk W2", before + written)
            self.found.is_(self.place.name, "written 256x256", written / 100 / len(generations))

    def w3(self) -> Iterator[None]:
        """Finds."""
        n = self.plan.n
        following = rng(3)
        paths = [key(following(n)) for _ in range(n)]

        def finds(tree: Tree[bytes]) -> None:
            for path in paths:
                tree.find(path)

        main = self.reopened().main()
        tree = main.tree()
        self._took("W3_finds_per_cpu_s_reopened", measured(finds, tree)[0], n)
        yield
        tree = main.tree()
        self._took("W3_finds_per_cpu_s_warm_fresh_tree", measured(finds, tree)[0], n)
        yield
        self._took("W3_finds_per_cpu_s_same_tree", measured(finds, tree)[0], n)
        yield

    def w4(self) -> Iterator[None]:
        """Commits of one entry in one directory."""
        n = self.plan.n
        paths = [f"dir/k{i}" for i in range(n)]
        values = [value(i, 0) for i in range(n)]
        with self.place.open(os.path.join(self.folder, self.place.name + "-flat")) as repo:

            def adds() -> Tree[bytes]:
                tree = Tree.empty(repo.schema)
                for path, contents in zip(paths, values, strict=True):
                    tree = tree.add(path, contents)
                return tree

            spent, tree = measured(adds)
            self._took("W4_adds_per_s", spent, n)
            spent, _ = measured(_commit, repo, tree)
            self._took("W4_commit_s", spent, 1)
            yield
            del tree
            _calm()
            generations = list(updates(4, self.plan.commits, n, paths, 1))
            self._took("W4_one_entry_commits_per_s", measured(work, repo, generations)[0], len(generations))
        yield

    def w5(self) -> Iterator[None]:
        """Proofs of finds and adds, produced (as bytes) and verified (from bytes)."""
        n = self.plan.n
        repo = self.reopened()
        main, root = repo.main(), repo.main().head().tree_hash
        following = rng(5)
        for name, finds, adds, times in self.plan.proofs:
            jobs = [_job(following, n, finds, adds, g) for g in range(times)]
            spent, raws = measured(lambda jobs=jobs: [main.produce_proof(job)[0].to_bytes() for job in jobs])
            self._took(f"W5_produce_per_s_{name}", spent, times)
            self.found.is_(self.place.name, f"W5_bytes_{name}", sum(map(len, raws)) / times)
            yield
            self._took(f"W5_verify_per_s_{name}", measured(_verify, raws, jobs, repo.schema, root)[0], times)
            yield

    def w6(self) -> Iterator[None]:
        """Differences of the first SOON neighbouring commits, and of W1."""
        repo = self.reopened()
        commits = list(repo.main().log())[::-1][: SOON + 1]
        repo.home.clear()
        self._took("W6_diffs_per_cpu_s", measured(differences, commits)[0], len(commits) - 1)
        yield

    def w7(self) -> Iterator[None]:
        """Folds over all leaves."""
        n = self.plan.n

        def leaves(tree: Tree[bytes], order: Literal["sorted", "undefined"]) -> None:
            found = tree.fold(0, contents=lambda path, value, acc: acc + 1, order=order)
            assert found == n

        tree = self.reopened().main().tree()
        self._took("W7_leaves_per_cpu_s_sorted", measured(leaves, tree, "sorted")[0], n)
        yield
        self._took("W7_leaves_per_cpu_s_second_any_order", measured(leaves, tree, "undefined")[0], n)
        yield

    def w8(self) -> Iterator[None]:
        """Merges of two branches; making the branches is not counted."""
        repo = self.reopened()
        spent = Spent(0, 0)
        for left, right in sides(self.plan.merges, self.plan.n):
            more, made = measured(merge, *branches(repo, left, right))
            assert made is not None
            assert len(made.parents) == 2
            spent += more
        self._took("W8_merges_per_cpu_s", spent, self.plan.merges)
        for name in ("left", "right"):
            repo.remove_branch(name)
        yield


def _commit(repo: Repo[bytes], tree: Tree[bytes]) -> None:
    repo.main().set_tree((), tree, date=0)


WORKS = ("w1", "w5", "w7", "w8", "w2", "w3", "w6", "w4")
"""In the order in which they are done: those before W2 find the store as W1 left it."""


Job = Callable[[Tree[bytes]], tuple[Tree[bytes], Any]]


def _job(following: Callable[[int], int], n: int, finds: int, adds: int, g: int) -> Job:
    """Finds and adds of random keys."""
    found = [key(following(n)) for _ in range(finds)]
    added = [(key(i), value(i, 100_000 + g)) for i in (following(n) for _ in range(adds))]

    def job(tree: Tree[bytes]) -> tuple[Tree[bytes], list[bytes | None]]:
        result = [tree.find(path) for path in found]
        for path, contents in added:
            tree = tree.add(path, contents)
        return tree, result

    return job


def _verify(raws: list[bytes], jobs: list[Job], schema: Schema[bytes], root: irminpy.Hash) -> None:
    for raw, job in zip(raws, jobs, strict=True):
        verify_proof(Proof.from_bytes(raw, schema), job, schema, root=root)


def _committed(repo: Repo[bytes], generations: list[Updates], start: int) -> None:
    """W2, and what it left to the thread that fills the index: that is among what commits cost."""
    work(repo, generations, start)
    _indexed()


def _calm() -> None:
    """Wait for what goes on beside: CPU time is that of all threads, and another place may fill its index."""
    _indexed()
    gc.collect()


def _indexed() -> None:
    for thread in threading.enumerate():
        if thread.name == "irminpy-index":
            thread.join()
