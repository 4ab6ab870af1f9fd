"""That the workloads are those of the real Irmin: with its formats they reach the roots that it reached.

Every commit of W1, W2 and W4 is made as it is when it is timed, in memory and on the pack.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

import irminpy
from irminpy import Repo, Schema
from irminpy.testing.vectors.values import STORES
from irminpy_pack import Pack

from .workloads import N, commit_all, key, updates, value, work

__all__ = ["ROOTS", "check", "roots"]

ROOTS: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "irmin" / "bench-roots.json").read_text(encoding="utf-8")
)
"""The name of a store to the roots that it reached."""

SOON, ALL = 100, 1000
FEW = 20
"""Commits of W4 where a directory is one object of 100,000 entries."""


def roots(repo: Repo[bytes]) -> Iterator[tuple[str, str]]:
    """(name, root in hex) as `bench-roots.json` has them: W1, W2 on it, and W4 on a branch of its own."""

    def root() -> str:
        return repo.main().head().tree_hash.hex()

    commit_all(repo, [(key(i), value(i, 0)) for i in range(N)], 0)
    yield "W1.root_hash", root()
    generations = list(updates(2, ALL))
    work(repo, generations[:SOON])
    yield "W2_100commits.final_root_hash", root()
    work(repo, generations[SOON:], SOON)
    yield "W2.final_root_hash", root()
    repo.remove_branch("main")
    commit_all(repo, [(f"dir/k{i}", value(i, 0)) for i in range(N)], 0)
    yield "W4.root_hash_initial", root()
    paths = [f"dir/k{i}" for i in range(N)]
    inodes = repo.schema.codec.leaf < N
    work(repo, list(updates(4, ALL if inodes else FEW, N, paths, 1)))
    yield "W4.final_root_hash", root()


def check(out: TextIO) -> int:
    """Compare all of them, in memory and on the pack, and say so; the number of roots that differ."""
    wrong = 0
    for name, expected in ROOTS.items():
        if name == "about":
            continue
        schema: Schema[bytes] = STORES[name]
        for place in ("mem", "pack"):
            with tempfile.TemporaryDirectory() as folder:
                maker = Pack(os.path.join(folder, "store"), index="minimal", durability="none")
                with irminpy.open("mem:", schema) if place == "mem" else Repo.open(maker, schema) as repo:
                    for what, found in roots(repo):
                        same = found == expected[what]
                        wrong += not same
                        print(
                            f"{name} {place} {what} {found} {'' if same else 'NOT '}that of Irmin",
                            file=out,
                            flush=True,
                        )
    return wrong
