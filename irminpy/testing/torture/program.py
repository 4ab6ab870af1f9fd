"""Programs: what a workload does, step by step, and the states that it must leave behind.

A step is one call on a repository and at most one commit. The states are computed beforehand, by running the
program over a store in memory: hashes do not depend on the backend, so they tell which refs must be there after each
step, and trees in memory tell what must be readable below them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ...backend import Maker
from ...registry import maker_of_uri
from ...repo import Repo
from ...schema import Schema
from ...tree import Tree
from ..model import Bindings, bindings_of

__all__ = ["Ledger", "Op", "Program", "State", "Step", "act", "ledger_of", "open_repo", "random_program"]

Repos = Repo[bytes, Any]
Op = Literal["set", "edit", "tree", "remove", "clone", "drop", "merge", "reopen", "collect"]
BRANCHES = ("main", "dev", "topic/x")
_NAMES = ("a", "b", "c", "dir/a", "dir/b", "dir/deep/c", "é/x")
_WEIGHTS: dict[Op, int] = {
    "set": 8,
    "edit": 4,
    "remove": 2,
    "clone": 2,
    "merge": 3,
    "drop": 1,
    "tree": 1,
    "reopen": 1,
    "collect": 2,
}
_WIDE = 40  # entries of a directory that no longer fits into one node


class Step(NamedTuple):
    """`op` on the branch `branch`; what else it needs depends on the operation."""

    op: Op
    branch: str = "main"
    path: str = ""
    value: bytes = b""
    other: str = ""

    def __str__(self) -> str:
        shown = f" {len(self.value)} bytes" if self.value else ""
        return f"{self.op} {self.branch} {self.path}{self.other}{shown}"


Program = Sequence[Step]


@dataclass(frozen=True, slots=True)
class State:
    """The refs after a step, and the commits that must be readable, on a branch or not."""

    refs: dict[str, bytes]
    commits: frozenset[bytes]


@dataclass(slots=True)
class Ledger:
    """`states[k]` is what stands after the first k steps, `bindings` what each commit holds."""

    states: list[State] = field(default_factory=list["State"])
    bindings: dict[bytes, Bindings] = field(default_factory=dict[bytes, Bindings])


def random_program(
    seed: int, length: int, *, collect: bool = False, largest: int = 6000, reopen: bool = True
) -> list[Step]:
    """`length` steps drawn with `seed`; values have up to `largest` bytes. A program is legal on any store.

    `collect`: garbage is collected at least once.
    """
    draw = random.Random(seed)
    skipped = ("reopen",) * (not reopen) + ("collect",) * (not collect)
    ops: list[Op] = [op for op, weight in _WEIGHTS.items() if op not in skipped for _ in range(weight)]
    steps: list[Step] = [Step("set", "main", "a", b"first")]
    for i in range(1, length):
        op = draw.choice(ops)
        branch = draw.choice(BRANCHES)
        size = draw.choice([3, 3, 40, 40, 700, largest])
        value = f"{seed}.{i}.".encode() + draw.randbytes(draw.randrange(size))
        other = draw.choice([name for name in BRANCHES if name != branch])
        match op:
            case "remove" | "set":
                steps.append(Step(op, branch, draw.choice(_NAMES), value if op == "set" else b""))
            case "edit" | "tree":
                steps.append(Step(op, branch, f"wide{draw.randrange(2)}", value[:60]))
            case "clone" | "merge":
                steps.append(Step(op, branch, other=other))
            case _:
                steps.append(Step(op, branch))
    if collect and length > 2 and all(step.op != "collect" for step in steps):
        steps[-2] = Step("collect")  # with something that was written before it and after
    return steps


def open_repo(maker: Maker, schema: Schema[bytes, Any] | None = None, **how: Any) -> Repos:
    """The repository, with an author and a clock that make equal programs equal commits."""
    return Repo.open(maker, schema or Schema(), author="torture", clock=lambda: 0, **how)


def act(repo: Repos, step: Step, collect: Callable[[Repos], None] | None = None) -> None:
    """Do `step`, but for "reopen", which is the caller's. One batch at most."""
    store = repo.branch(step.branch)
    match step.op:
        case "set":
            store.set(step.path, step.value)
        case "edit":
            with store.edit(step.path) as edit:
                for i in range(0, _WIDE, 7):
                    edit[f"k{i}"] = step.value + bytes([i])
        case "tree":
            tree = Tree.empty(repo.schema)
            for i in range(_WIDE):
                tree = tree.add(f"k{i}", step.value + bytes([i % 5]))
            store.set_tree(step.path, tree)
        case "remove":
            store.remove(step.path)
        case "clone":
            repo.branch(step.other).clone(step.branch)
        case "drop":
            repo.remove_branch(step.branch)
        case "merge":
            if repo.branch(step.other).find_head() is not None:
                store.merge_with_branch(step.other, on_conflict="ours")
        case "collect":
            if collect is not None:
                collect(repo)
        case "reopen":
            raise ValueError("the caller reopens")


def refs_of(repo: Repos) -> dict[str, bytes]:
    """Branch to commit hash, from one moment."""
    return {name: bytes(hash_) for name, hash_ in repo._opened.backend.refs().items()}


def ledger_of(program: Program, schema: Schema[bytes, Any] | None = None) -> Ledger:
    """The states that `program` goes through, from a store in memory."""
    ledger = Ledger()
    commits: frozenset[bytes] = frozenset()
    with open_repo(maker_of_uri("mem:"), schema) as repo:
        ledger.states.append(State({}, commits))
        for step in program:
            if step.op != "reopen":
                act(repo, step)
            refs = refs_of(repo)
            for name, hash_ in refs.items():
                if hash_ not in ledger.bindings:
                    ledger.bindings[hash_] = bindings_of(repo.branch(name).tree())
            commits |= frozenset(refs.values())
            if step.op == "collect":
                commits = frozenset(reachable(repo))
            ledger.states.append(State(refs, commits))
    return ledger


def reachable(repo: Repos) -> Iterator[bytes]:
    """The commits that the branches lead to."""
    for name in repo.branches():
        for commit in repo.branch(name).log():
            yield bytes(commit.hash)
