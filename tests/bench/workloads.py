"""The fixed workloads, as the real Irmin ran them: keys, values and random numbers (tests/vectors/irmin/README.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from irminpy import Commit, Repo, Tree
from irminpy.testing.vectors.workloads import N, key, rng, spread, value

__all__ = ["N", "Updates", "first", "key", "rng", "spread", "updates", "value"]

Updates = list[tuple[str, bytes]]


def updates(seed: int, generations: int, n: int = N, paths: Sequence[str] | None = None) -> Iterator[Updates]:
    """W2: a hundred bindings a generation; of other `paths` if they are given."""
    following = rng(seed)
    for g in range(generations):
        numbers = [following(n) for _ in range(100)]
        yield [(key(i) if paths is None else paths[i], value(i, g + 1)) for i in numbers]


def first(repo: Repo[bytes], n: int = N) -> Commit[bytes]:
    """W1: all keys, in one commit to main."""
    editor = Tree.empty(repo.schema).edit()
    for i in range(n):
        editor[key(i)] = value(i, 0)
    commit = repo.main().set_tree((), editor.tree(), date=0)
    assert commit is not None
    return commit
