"""The workloads that the real Irmin was timed on, and the roots that it reached on them (`bench-roots.json`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...repo import Repo
from ...schema import Schema
from ...tree import Tree
from .report import Outcome, failed, same
from .values import STORES

__all__ = ["N", "bench_roots", "key", "rng", "spread", "value"]

N = 100_000
"""Keys in each workload."""

_ALPHABET = bytes(range(97, 123)) * 5
_GENERATIONS = 1000
_LISTED = 20  # of a store with one object per directory, so many commits of W4


def spread(i: int) -> int:
    """A number below 2^32 that looks random, and is the same in every run."""
    return ((i + 1) * 2654435761) % 2**32


def key(i: int) -> str:
    """The path of the i-th key."""
    return f"a{spread(i) >> 24:02x}/b{spread(i) >> 16 & 255:02x}/k{i}"


def value(i: int, g: int) -> bytes:
    """The 100 bytes that the i-th key has in generation `g`."""
    at = (i + g + 18) % 26
    return b"%08d:%08d:" % (i, g) + _ALPHABET[at : at + 82]


def rng(seed: int) -> Callable[[int], int]:
    """A function that gives the next number below its argument."""
    state = seed

    def following(m: int) -> int:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % m

    return following


def bench_roots(
    open_: Callable[[Schema[bytes, None]], Repo[bytes, None]], file: dict[str, Any]
) -> Iterator[tuple[str, Outcome]]:
    """Each root of each store; `open_` gives a fresh repository."""
    for name, expected in file.items():
        if name == "about":
            continue
        schema = STORES[name]
        with open_(schema) as repo:
            ours = dict(_roots(repo))
        for what in sorted(ours.keys() | expected.keys()):
            if what in ours and what in expected:
                yield f"{name} {what}", same([("the root", ours[what], expected[what])])
            else:
                yield f"{name} {what}", failed("no workload with this root is known, or Irmin has none")


def _roots(repo: Repo[bytes, None]) -> Iterator[tuple[str, str]]:
    """The roots of W1, W2 and W4.

    A root is a function of the bindings: the keys of many commits are bound in one edit, since nothing is timed here.
    """
    editor = Tree.empty(repo.schema).edit()
    for i in range(N):
        editor[key(i)] = value(i, 0)
    head = repo.main().set_tree((), editor.tree(), date=0)
    assert head is not None
    yield "W1.root_hash", head.tree_hash.hex()
    following = rng(2)
    editor = head.tree().edit()
    for g in range(_GENERATIONS):
        for _ in range(100):
            i = following(N)
            editor[key(i)] = value(i, g + 1)
        if g == 99:
            yield "W2_100commits.final_root_hash", editor.tree().hash().hex()
    yield "W2.final_root_hash", editor.tree().hash().hex()
    editor = Tree.empty(repo.schema).edit()
    for i in range(N):
        editor[f"dir/k{i}"] = value(i, 0)
    head = repo.branch("w4").set_tree((), editor.tree(), date=0)
    assert head is not None
    yield "W4.root_hash_initial", head.tree_hash.hex()
    following = rng(4)
    editor = head.tree().edit()
    inodes = repo.schema.codec.leaf < N
    for g in range(_GENERATIONS if inodes else _LISTED):
        i = following(N)
        editor[f"dir/k{i}"] = value(i, g + 1)
    yield "W4.final_root_hash", editor.tree().hash().hex()
