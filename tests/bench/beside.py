"""What the pack is measured beside: hashing alone, bare barriers, and the stores of `sides.py` and `git_sides.py`.

All sides of one race get the same bindings, chunk by chunk by turns.
"""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import Callable
from time import perf_counter

from irminpy import Proof, Tree, verify_proof
from irminpy.proof import Read

from .building import opened
from .figures import Figures
from .git_sides import Dulwich, FastImport, Pygit2
from .ours import Plan
from .sides import Lmdb, Pack, Prolly, PyTrie, Side, Sqlite, Zodb
from .timing import Spent, measured, median_of
from .trees import SHAPES, VALUES, edits, hashing
from .workloads import Updates, updates, value, work

__all__ = ["PEERS", "absent", "barriers", "durable", "race", "staging"]

CHUNK = 50
"""Commits that a side makes before it is the turn of the next."""
SLOW = 50
"""Commits of W2 for sides that make some tens of them a second."""
BARRIER = 20e-6
"""Seconds that two writes with their barriers take at least where there is a disk."""
WIDE, TALL = "10x100x100", "256x256"

PEERS: tuple[type[Side], ...] = (Lmdb, Sqlite, Zodb, FastImport, Prolly, PyTrie, Dulwich, Pygit2)
_FEWER: tuple[type[Side], ...] = (Prolly,)
"""Those that make only SLOW commits on all keys."""


def absent() -> dict[str, str]:
    """The peers that cannot run here, each with why."""
    return {peer.name: why for peer in PEERS if (why := peer.absent()) is not None}


def barriers(folder: str, times: int = 50) -> float:
    """Wall seconds of two writes of 20 kB, each followed by fdatasync; the mean."""
    fd = os.open(os.path.join(folder, "barriers"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        start = perf_counter()
        for n in range(2 * times):
            os.pwrite(fd, bytes(20_000), 20_000 * n)
            os.fdatasync(fd)
        return (perf_counter() - start) / times
    finally:
        os.close(fd)


def durable(folder: str, plan: Plan, found: Figures) -> None:
    """W2 with every commit synced, and bare barriers, both in wall time; nothing if the folder is in memory."""
    generations = list(updates(2, min(plan.commits, 50), plan.n))
    with opened(os.path.join(folder, "durable"), durability="wal") as repo:
        repo.main().set_tree((), _edited(TALL, plan.n), date=0)
        two = barriers(folder)
        if two < BARRIER:
            return
        found.is_("barriers", "two", two)
        start = perf_counter()
        work(repo, generations)
        found.is_("pack", "durable", (perf_counter() - start) / len(generations))


def _edited(shape: str, n: int) -> Tree[bytes]:
    return edits(SHAPES[shape][:n], VALUES[:n])


def staging(folder: str, plan: Plan, found: Figures) -> None:
    """All keys through an editor and in one commit, beside hashing the values."""
    found.took("hashing", "values", measured(hashing, VALUES[: plan.n])[0])
    for shape in (WIDE, TALL):
        staged, tree = measured(_edited, shape, plan.n)
        with opened(os.path.join(folder, "staging " + shape)) as repo:
            committed, _ = measured(lambda repo=repo, tree=tree: repo.main().set_tree((), tree, date=0))
        found.took("pack", f"edit and commit {shape}", staged + committed)


def race(
    folder: str, plan: Plan, found: Figures, shape: str, peers: tuple[type[Side], ...], small: bool
) -> None:
    """First insert, commits, and reads of old versions by ours and those of `peers` that are there.

    A `small` race is over a tenth of the keys (if there are more than 10,000), with SLOW commits.
    """
    n = min(plan.n, max(plan.n // 10, 10_000)) if small else plan.n
    suffix = f"{shape} small" if small else shape
    paths = SHAPES[shape][:n]
    first = [(path, value(i, 0)) for i, path in enumerate(paths)]
    generations = list(updates(2, min(plan.commits, SLOW) if small else plan.commits, n, paths))
    within = os.path.join(folder, suffix)
    os.mkdir(within)
    types: tuple[type[Side], ...] = (Pack, *peers)
    racers = [side(os.path.join(within, side.name)) for side in types if side.absent() is None]
    try:
        for side in racers:
            found.took(side.name, f"first {suffix}", measured(side.commit, first)[0])
        if not small:
            _batch(os.path.join(within, "batch"), first, suffix, found)
        _commits(racers, generations, suffix, found)
        _reads(racers, len(generations), paths, suffix, found)
        if not small and shape == WIDE:
            _proofs_of(racers, paths, found)
        if small:
            _proofs_beside(racers, paths, found)
    finally:
        for side in racers:
            side.close()


def _batch(path: str, first: Updates, suffix: str, found: Figures) -> None:
    pack = Pack(path)
    try:
        found.took(pack.name, f"first batch {suffix}", measured(pack.batch, first)[0])
    finally:
        pack.close()


def _commits(racers: list[Side], generations: list[Updates], suffix: str, found: Figures) -> None:
    before = {side.name: side.size() for side in racers}
    spent = {side.name: Spent(0, 0) for side in racers}
    made = dict.fromkeys(spent, 0)
    for start in range(0, len(generations), CHUNK):
        some = generations[start : start + CHUNK]
        for side in racers:
            if start >= SLOW and isinstance(side, _FEWER):
                continue
            more, _ = measured(_commit_some, side, some)
            spent[side.name] += more
            made[side.name] += len(some)
    for side in racers:
        name = side.name
        found.took(name, f"W2 {suffix}", spent[name], made[name])
        if now := side.size():
            found.is_(name, f"disk {suffix}", now)
            found.is_(name, f"written {suffix}", (now - before[name]) / 100 / made[name])


def _commit_some(side: Side, generations: list[Updates]) -> None:
    if isinstance(side, FastImport):
        side.commits(generations)
        return
    for bindings in generations:
        side.commit(bindings)


READERS: tuple[type[Side], ...] = (Pack, Lmdb, Sqlite, PyTrie)


def _reads(racers: list[Side], commits: int, paths: list[str], suffix: str, found: Figures) -> None:
    """Finds in a commit in the middle: twice, of which the second counts; then ours with nothing decoded."""
    rng = random.Random(3)
    some = [rng.choice(paths) for _ in range(len(paths) // 5)]
    few = some[: len(some) // 10]
    for side in racers:
        if isinstance(side, READERS):
            side.finds(commits // 2, some)
            found.took(side.name, f"finds {suffix}", measured(side.finds, commits // 2, some)[0], len(some))
    ours = next(side for side in racers if isinstance(side, Pack))
    ours.repo.home.clear()
    ours.repo.counters.reset()
    found.took(ours.name, f"bare finds {suffix}", measured(ours.bare_finds, commits // 2, few)[0], len(few))
    # Each reads the nodes of three directories.
    assert ours.repo.counters.node_find >= 3 * len(few)


PROOFS = 200
PASSES = 5


def _proofs_of(racers: list[Side], paths: list[str], found: Figures) -> None:
    """One-key proofs of ours, made to bytes and verified from bytes."""
    ours = next(side for side in racers if isinstance(side, Pack))
    main, schema = ours.repo.main(), ours.repo.schema
    root = main.head().tree_hash
    jobs = [Read([path]) for path in random.Random(1).sample(paths, min(PROOFS, len(paths)))]

    def prove() -> list[bytes]:
        return [main.produce_proof(job)[0].to_bytes() for job in jobs]

    # Nodes that nobody has asked for are read from the pack; then they are in memory, as those of py-trie are.
    found.took(ours.name, "prove first", measured(prove)[0], len(jobs))
    spent, raws = median_of(PASSES, prove)
    found.took(ours.name, "prove", spent, len(jobs))
    found.is_(ours.name, "proof bytes", statistics.median(map(len, raws)))

    def verify() -> None:
        for raw, job in zip(raws, jobs, strict=True):
            verify_proof(Proof.from_bytes(raw, schema), job, schema, root=root)

    found.took(ours.name, "verify", median_of(PASSES, verify)[0], len(jobs))


def _proofs_beside(racers: list[Side], paths: list[str], found: Figures) -> None:
    """Those of py-trie, of a tenth of the keys, which is to its advantage."""
    for side in racers:
        if isinstance(side, PyTrie):
            some = random.Random(1).sample(paths, min(PROOFS, len(paths)))
            spent, proofs = median_of(PASSES, side.proofs, some)
            found.took(side.name, "prove", spent, len(some))
            found.took(side.name, "verify", median_of(PASSES, side.verify, some, proofs)[0], len(some))


Part = Callable[[str, Plan, Figures], None]

PARTS: dict[str, tuple[Part, tuple[str, ...]]] = {
    "staging": (staging, ("21",)),
    "wide": (
        lambda folder, plan, found: race(folder, plan, found, WIDE, (Lmdb, Sqlite, Zodb, FastImport, Prolly), False),
        ("13", "14", "15", "16", "17", "18", "19", "20", "23", "24"),
    ),
    "tall": (
        lambda folder, plan, found: race(folder, plan, found, TALL, (Lmdb, Sqlite), False),
        ("16", "18", "19"),
    ),
    "small": (
        lambda folder, plan, found: race(folder, plan, found, WIDE, (PyTrie, Dulwich, Pygit2), True),
        ("10", "11", "12", "13", "14", "15"),
    ),
    "durable": (durable, ("22",)),
}  # fmt: skip
"""What is measured beside peers, with the goals that it has figures for."""
