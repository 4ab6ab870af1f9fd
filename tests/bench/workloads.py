"""The fixed workloads, as the real Irmin ran them: keys, values and random numbers (tests/vectors/irmin/README.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from irminpy import Commit, Repo, Store, Tree
from irminpy.testing.vectors.workloads import N, key, rng, spread, value

__all__ = [
    "N",
    "Updates",
    "branches",
    "commit_all",
    "differences",
    "first",
    "key",
    "merge",
    "rng",
    "sides",
    "spread",
    "updates",
    "value",
    "work",
]

Updates = list[tuple[str, bytes]]


def first(repo: Repo[bytes], n: int = N) -> Commit[bytes]:
    """W1: all keys, in one commit to main."""
    editor = Tree.empty(repo.schema).edit()
    for i in range(n):
        editor[key(i)] = value(i, 0)
    commit = repo.main().set_tree((), editor.tree(), date=0)
    assert commit is not None
    return commit


def updates(
    seed: int, generations: int, n: int = N, paths: Sequence[str] | None = None, each: int = 100
) -> Iterator[Updates]:
    """W2, seed 2: a hundred bindings a generation; of other `paths` if they are given. W4, seed 4: one (`each`)."""
    following = rng(seed)
    for g in range(generations):
        numbers = [following(n) for _ in range(each)]
        yield [(key(i) if paths is None else paths[i], value(i, g + 1)) for i in numbers]


def commit_all(repo: Repo[bytes], bindings: Updates, date: int) -> None:
    """One commit of `bindings` on top of the last, through immutable handles."""
    main = repo.main()
    tree = main.tree()
    for path, contents in bindings:
        tree = tree.add(path, contents)
    main.set_tree((), tree, date=date)


def work(repo: Repo[bytes], generations: Sequence[Updates], start: int = 0) -> None:
    """W2 and W4: commit each generation, of which `start` came before."""
    for g, bindings in enumerate(generations, start):
        commit_all(repo, bindings, g + 1)


def differences(commits: Sequence[Commit[bytes]]) -> int:
    """W6: how many changes there are between neighbours, each pair read into trees of its own."""
    found = 0
    for before, after in pairwise(commits):
        found += sum(1 for _ in before.tree().diff(after.tree()))
    return found


def sides(rounds: int, n: int = N, each: int = 100) -> Iterator[tuple[Updates, Updates]]:
    """W8: for each round what the left and what the right branch update, all of it distinct."""
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
