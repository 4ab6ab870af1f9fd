"""`diff-merge.json`: differences, merges of trees and of commits with their conflicts, common ancestors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import MergeConflict
from ...hash import Hash
from ...info import Info
from ...merge import Conflict
from ...repo import Repo
from ...store import Store
from ...tree import Tree
from .order import as_irmin_merges, diff_rows
from .report import Decided, Outcome, failed, same
from .values import Bound, of_bindings, of_concrete, to_concrete

__all__ = ["merge", "merges"]

Checks = list[tuple[str, Any, Any]]


def merges(repo: Repo[bytes, None], file: dict[str, Any]) -> Iterator[tuple[str, Outcome]]:
    """All cases; the commits of the history come before what is asked about them."""
    known: dict[str, Hash] = {}
    for case in file["cases"]:
        if case["type"] == "history_commit":
            known[case["name"]] = Hash.of_hex(case["hash"])
        elif case["type"] == "history_merge" and {"l1", "r1"} <= known.keys():
            _complete(repo, known["l1"], known["r1"])
        yield f"{case['type']} {case['name']}", _case(repo, case)


def _case(repo: Repo[bytes, None], case: dict[str, Any]) -> Outcome:
    kind = case["type"]
    if kind == "tree_diff":
        left, right = (of_bindings(repo.schema, case[side]) for side in ("left", "right"))
        hashes = [tree.hash().hex() for tree in (left, right)]
        roots = [case["left_hash"], case["right_hash"]]
        return same([("the roots", hashes, roots), ("the differences", diff_rows(left, right), case["diff"])])
    if kind == "tree_merge":
        return _tree_merge(repo, case)
    if kind == "store_merge":
        return _store_merge(repo, case)
    if kind == "history_commit":
        tree = of_concrete(repo.schema, case["concrete"])
        info = Info(case["date"], case["author"], case["message"])
        parents = [Hash.of_hex(parent) for parent in case["parents"]]
        return same(
            [("the commit", repo.commit_tree(tree, info=info, parents=parents).hash.hex(), case["hash"])]
        )
    if kind == "history_merge":
        return _history(repo, case)
    return failed(f"no kind of case {kind!r} is known")


def _tree_merge(repo: Repo[bytes, None], case: dict[str, Any]) -> Outcome:
    trees = [None if case[k] is None else of_bindings(repo.schema, case[k]) for k in ("old", "left", "right")]
    old, left, right = trees
    assert left is not None
    assert right is not None
    expected = case["result"]
    try:
        merged = left.merge(right, old=old)
    except MergeConflict as e:
        if "conflict" in expected:
            return None if e.conflicts else failed("a conflict about nothing")
        return failed(f"we have the conflict {e}")
    if "ok" not in expected:
        return failed(f"Irmin has {expected}, we have no conflict")
    ok = expected["ok"]
    if _hollow(ok["concrete"]):
        # Irmin leaves a directory without entries. We leave none.
        ours = of_concrete(repo.schema, ok["concrete"])
        return Decided("empty-directory") if merged == ours else failed(f"we have {to_concrete(merged)}")
    return same(
        [("the root", merged.hash().hex(), ok["hash"]), ("the tree", to_concrete(merged), ok["concrete"])]
    )


def _hollow(concrete: Any) -> bool:
    """Whether there is an empty directory below the root."""
    rows = concrete.get("Tree", [])
    return any(below.get("Tree") == [] or _hollow(below) for _, below in rows)


def clash(conflict: object) -> bool:
    """Whether contents meet a directory in a conflict, or a side took a directory away: what Irmin hides."""
    assert isinstance(conflict, Conflict)
    return any(isinstance(side, Tree) for side in (conflict.base, conflict.ours, conflict.theirs))


def merge(
    into: Store[bytes, None], other: Store[bytes, None], expected: dict[str, Any], info: Info
) -> Outcome:
    """Merge `other` into `into` as Irmin does, whose result is `expected`; whether the decision was needed.

    Where Irmin merges what is a conflict to us, by its files and directories, we must first say so, and then, told
    what Irmin does, do the same. Whether the new head is Irmin's is for the caller to see.
    """
    try:
        other.merge_into(into, info=info)
    except MergeConflict as e:
        if "conflict" in expected or expected.get("error") == "Conflict":
            return None
        if not all(map(clash, e.conflicts)):
            return failed(f"we have the conflict {e}")
        try:
            other.merge_into(into, info=info, on_conflict=as_irmin_merges)
        except MergeConflict as again:
            return failed(f"we have the conflict {again}, even as Irmin merges")
        return Decided("clash")
    return None if "ok" in expected else failed(f"Irmin has {expected}, we have no conflict")


def _store_merge(repo: Repo[bytes, None], case: dict[str, Any]) -> Outcome:
    base, parents = None, []
    if case["old"] is not None:
        base = repo.commit_tree(of_bindings(repo.schema, case["old"]), info=Info(1, "t", "base"))
        parents = [base.hash]
    stores: list[Store[bytes, None]] = []
    checks: Checks = []
    for name, branch, date in (("left", "main", 2), ("right", "other", 3)):
        tree = of_bindings(repo.schema, case[name])
        commit = repo.commit_tree(tree, info=Info(date, "t", name), parents=parents)
        checks.append((f"the commit {name}", commit.hash.hex(), case[f"{name}_commit"]))
        stores.append(repo.branch(branch))
        stores[-1].set_head(commit)
    outcome = same(checks)
    if outcome is not None:
        return outcome
    outcome = merge(stores[0], stores[1], case["result"], Info(4, "t", "merge"))
    if "ok" not in case["result"] or not (outcome is None or isinstance(outcome, Decided)):
        return outcome
    return same(_head(stores[0], case["result"]["ok"])) or outcome


def _head(store: Store[bytes, None], ok: dict[str, Any]) -> Checks:
    head = store.head()
    tree: Bound = head.tree()
    checks: Checks = [
        ("the tree", to_concrete(tree), ok["concrete"]),
        ("the parents", [parent.hex() for parent in head.parents], ok["parents"]),
        ("the message", head.info.message, ok["message"]),
        ("the head", head.hash.hex(), ok["head"]),
    ]
    if "tree_hash" in ok:
        checks.append(("the root", head.tree_hash.hex(), ok["tree_hash"]))
    return checks


def _history(repo: Repo[bytes, None], case: dict[str, Any]) -> Outcome:
    into, other = repo.branch("into"), repo.branch("from")
    into.set_head(repo.commit(Hash.of_hex(case["into"])))
    other.set_head(repo.commit(Hash.of_hex(case["from"])))
    lcas = sorted(commit.hash.hex() for commit in into.lcas(other))
    outcome = same([("the common ancestors", lcas, sorted(case["lcas"]))])
    if outcome is not None:
        return outcome
    outcome = merge(into, other, case["result"], Info(999, "t", "merge"))
    if "ok" not in case["result"] or not (outcome is None or isinstance(outcome, Decided)):
        return outcome
    return same(_head(into, case["result"]["ok"])) or outcome


def _complete(repo: Repo[bytes, None], left: Hash, right: Hash) -> None:
    """Make the two commits of the history that the file leaves out: a merge of `left` and `right`, and one on it.

    Their hashes are parents of what Irmin merged, so that nothing is taken for granted.
    """
    tree = repo.commit(left).tree().add("r", b"1")
    merged = repo.commit_tree(tree, info=Info(105, "t", "c5"), parents=[left, right])
    repo.commit_tree(merged.tree().add("x3", b"1"), info=Info(107, "t", "c7"), parents=[merged])
