"""`traces-*.json`: whole repositories, step by step.

After each step every head must be where Irmin has it. Where a decision makes the two differ, ours is checked first, and
then Irmin's heads are restored, so that every later step still counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ...errors import DecodeError, IrminError, MergeConflict, NoChange, NotFound, Rejected, TestWas
from ...hash import Hash
from ...info import Info
from ...repo import Repo
from ...schema import Schema
from ...store import Store
from ...tree import Tree
from .merges import merge
from .objects import dump
from .order import diff_rows
from .report import Decided, Outcome, failed, same
from .values import Bound, data_of, digest_of, of_bindings, of_concrete, path_of, shown

__all__ = ["traces"]

Heads = dict[str, tuple[str, str]]
"""Branch to the hashes of its head and of its root."""
Result = dict[str, Any]
_REFUSED = "is not a valid branch name"
_LONG = 300  # characters of JSON beyond which a list is given by its digest
_ALIAS = "alias"  # a branch that no trace uses, in the place of one that Irmin refuses


def traces(open_: Callable[[], Repo[bytes, None]], file: dict[str, Any]) -> Iterator[tuple[str, Outcome]]:
    """Each step of each trace, and how it ends; `open_` gives a fresh repository."""
    for case in file["cases"]:
        with open_() as repo:
            trace = _Trace(repo, case["seed"])
            for i, step in enumerate(case["steps"]):
                yield f"seed {case['seed']} step {i} {step['op']}", trace.step(i, step)
            yield f"seed {case['seed']} final", trace.final(case["final"])


def _heads(repo: Repo[bytes, None]) -> Heads:
    heads: Heads = {}
    for name in repo.branches():
        head = repo.branch(name).head()
        heads[name] = head.hash.hex(), head.tree_hash.hex()
    return heads


class _Trace:
    def __init__(self, repo: Repo[bytes, None], seed: int) -> None:
        self.repo = repo
        self.schema: Schema[bytes, None] = repo.schema
        self.author = f"t{seed}"
        self.heads: Heads = {}
        """Irmin's, after the steps so far."""

    def final(self, expected: dict[str, Any]) -> Outcome:
        """The state at the end."""
        ours: dict[str, Any] = {}
        for name in self.repo.branches():
            head = self.repo.branch(name).head()
            rows = dump(head.tree())
            ours[name] = {
                "commit": head.hash.hex(),
                "tree": head.tree_hash.hex(),
                "n_contents": len(rows),
                "contents_sha256": digest_of(rows),
            }
        return same([("the final state", ours, expected)])

    def step(self, i: int, step: dict[str, Any]) -> Outcome:
        """One step; afterwards the heads are Irmin's."""
        before = _heads(self.repo)
        for name, head in step.get("changed", {}).items():
            if head is None:
                self.heads.pop(name, None)
            else:
                self.heads[name] = head[0], head[1]
        expected = step["result"]
        info = Info(i, self.author, step["op"])
        op = _Op(self.repo, step["op"], step["args"], info)
        outcome: Outcome = None
        try:
            if op.name == "merge_into" and _REFUSED not in str(expected):
                outcome = op.merge(expected)
            else:
                result = op.run()
                if result != expected:
                    outcome = self._decided(op, expected, result, before)
                elif self._sets_nothing(op, before):
                    outcome = self._nothing_was_set(op, before)
        finally:
            ours = _heads(self.repo)
            self._restore(self.heads)
        agree = outcome is None or (
            isinstance(outcome, Decided) and outcome.rule in ("clash", "empty-directory")
        )
        if agree and ours != self.heads:
            return same([("the heads", ours, self.heads)])
        return outcome

    def _sets_nothing(self, op: _Op, before: Heads) -> bool:
        """Whether an empty directory is set where nothing is, on a branch that has a head."""
        args = op.args
        if op.name != "set_tree" or args.get("tree") != {"Tree": []} or args["branch"] not in before:
            return False
        return not self._tree(args["branch"], before).mem_tree(path_of(args["path"]))

    def _nothing_was_set(self, op: _Op, before: Heads) -> Outcome:
        """Irmin makes a commit of the same tree. We make none, unless told to."""
        if _heads(self.repo) != before:
            return (
                failed("a commit was made though nothing changes") if not op.args.get("allow_empty") else None
            )
        op.args["allow_empty"] = True
        op.run()
        return Decided("empty-directory")

    def _restore(self, heads: Heads) -> None:
        for name in self.repo.branches():
            if name not in heads:
                self.repo.remove_branch(name)
        for name, (commit, _) in heads.items():
            found = self.repo.find_commit(Hash.of_hex(commit))
            if found is not None:
                self.repo.branch(name).set_head(found)

    def _decided(self, op: _Op, expected: Result, result: Result, before: Heads) -> Outcome:
        """Whether what we do instead is what a decision says."""
        text = str(expected.get("exception", ""))
        differs = failed(f"we have {result!r:.300}, Irmin has {expected!r:.300}")
        if _REFUSED in text:
            return self._slash(op, text.split('"')[1].split(" ")[0], result, before) or differs
        if "Persisting an empty node" in text:
            head = self.repo.branch(op.args["branch"]).find_head()
            empty = head is not None and head.tree_hash == self.schema.codec.empty
            parents = [before[op.args["branch"]][0]] if op.args["branch"] in before else []
            made = (
                head is not None
                and [parent.hex() for parent in head.parents] == parents
                and head.info == op.info
            )
            return Decided("empty-root") if empty and made else differs
        if op.name == "test_and_set" and "ok" in expected and result.get("error") == "Test_was":
            tree = self._tree(op.args["branch"], before)
            value = None if op.args["set"] is None else data_of(op.args["set"])
            path = path_of(op.args["path"])
            as_set = tree.find(path) == value and tree.mem_tree(path) == (value is not None)
            return Decided("test-first") if as_set and result["tree"] == _find_tree(tree, path) else differs
        if op.name == "last_modified":
            return self._last_modified(op, expected, result) or differs
        if op.name == "history" and "ok" in expected and "ok" in result:
            return self._history(op, expected["ok"], result["ok"]) or differs
        return differs

    def _tree(self, branch: str, heads: Heads) -> Bound:
        if branch not in heads:
            return self.repo.empty_tree()
        return self.repo.commit(Hash.of_hex(heads[branch][0])).tree()

    def _slash(self, op: _Op, name: str, result: Result, before: Heads) -> Outcome:
        """Branches with a slash are branches: all is as with another name (TY-11)."""
        if "/" not in name:
            return None
        ours = _heads(self.repo)

        def renamed(heads: Heads) -> Heads:
            return {_ALIAS if key == name else key: value for key, value in heads.items()}

        self._restore(renamed(before))
        args = {key: _ALIAS if value == name else value for key, value in op.args.items()}
        again = _Op(self.repo, op.name, args, op.info)
        other = again.run()
        same_result = str(result) == str(other).replace(_ALIAS, name)
        return Decided("slash") if same_result and _heads(self.repo) == renamed(ours) else None

    def _last_modified(self, op: _Op, expected: Result, result: Result) -> Outcome:
        """Ours, checked against the definition: the newest commits in which the contents differ from every parent's."""
        if "ok" not in expected or "ok" not in result:
            return None
        store, path, n = self.repo.branch(op.args["branch"]), path_of(op.args["path"]), op.args["n"]
        changed: list[tuple[int, str]] = []
        for commit in store.history():
            value = commit.tree().find(path)
            parents = [self.repo.commit(parent).tree().find(path) for parent in commit.parents]
            if all(parent != value for parent in parents) if parents else value is not None:
                changed.append((commit.info.date, commit.hash.hex()))
        found = [hash_ for _, hash_ in sorted(changed)[-n:]]
        ours: list[str] = result["ok"]
        return Decided("walks") if sorted(ours) == sorted(found) else None

    def _history(self, op: _Op, expected: Any, result: Any) -> Outcome:
        """Irmin loses commits that it first meets on a longer way; ours are those within the depth by the shortest."""
        depth, head = op.args["depth"], op.store().find_head()
        if depth is None or head is None:
            return None
        within = {head.hash: 0}
        queue = [head]
        for commit in queue:
            for parent in commit.parents:
                if within[commit.hash] < depth and parent not in within:
                    within[parent] = within[commit.hash] + 1
                    queue.append(self.repo.commit(parent))
        edges = sum(parent in within for commit in queue for parent in commit.parents)
        ours = (result["vertices"], result["edges"]) == (len(within), edges)
        fewer = expected["vertices"] < result["vertices"] and expected["head_pred"] == result["head_pred"]
        return Decided("walks") if ours and fewer else None


def _find_tree(tree: Bound, path: tuple[str, ...]) -> Any:
    found = tree.find_tree(path)
    if found is None or (found.kind() == "node" and found.is_empty() and path):
        return None
    if found.kind() == "node":
        return {"node": found.hash().hex()}
    return {"contents": shown(found.get()), "hash": found.hash().hex()}


def _long(rows: list[Any]) -> Any:
    text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False)
    return {"count": len(rows), "sha256": digest_of(rows)} if len(text.encode()) > _LONG else rows


class _Op:
    """One operation and its arguments, on a repository."""

    def __init__(self, repo: Repo[bytes, None], name: str, args: dict[str, Any], info: Info) -> None:
        self.repo = repo
        self.name = name
        self.args = args
        self.info = info

    def store(self, key: str = "branch") -> Store[bytes, None]:
        """The store of the branch in the argument `key`."""
        return self.repo.branch(self.args[key])

    def run(self) -> Result:
        """The result, in Irmin's words."""
        operation: Callable[[], Any] | None = getattr(self, f"_{self.name}", None)
        if operation is None:
            return {"unknown": self.name}
        try:
            return {"ok": operation()}
        except TestWas as e:
            return {"error": "Test_was", "tree": self._seen(e.current)}
        except MergeConflict:
            return {"error": "Conflict"}
        except NoChange:
            return {"error": "No_change"}
        except Rejected:
            return {"error": "Rejected"}
        except (NotFound, DecodeError) as e:
            return {"exception": self._words(e)}

    def _seen(self, current: Any) -> Any:
        """What a failed test found, in Irmin's words."""
        if isinstance(current, bytes):
            current = Tree.of_contents(current, schema=self.repo.schema)
        return None if current is None else _find_tree(current, ())

    def _words(self, error: IrminError) -> str:
        """What Irmin says where we raise `error`."""
        if isinstance(error, NotFound):
            if error.what == "branch":
                return f'Invalid_argument("Branch.get: {error.name} not found")'
            return 'Invalid_argument("Irmin.head: no head")'
        if self.name == "set" and not self.args["path"]:
            return 'Invalid_argument("cannot add contents at the root")'
        return repr(error)

    def merge(self, expected: Result) -> Outcome:
        """`merge_into`."""
        into, other = self.store("into"), self.store("from")
        head = other.find_head()
        words = f'Invalid_argument("merge_with_branch: {self.args["from"]} is not a valid branch ID")'
        if head is None:
            try:
                into.merge_with_branch(self.args["from"], info=self.info)
            except NotFound:
                return same([("the merge", {"exception": words}, expected)])
            return failed("a branch without a head was merged")
        return merge(into, other, expected, self.info)

    def _merge_into(self) -> None:
        self.store("into").merge_with_branch(self.args["from"], info=self.info)

    # -- writing ---------------------------------------------------------------------------------------------

    def _set(self) -> None:
        args = self.args
        empty = args.get("allow_empty", False)
        self.store().set(path_of(args["path"]), data_of(args["contents"]), info=self.info, allow_empty=empty)

    def _set_tree(self) -> None:
        args = self.args
        if "bulk" in args:
            n, mod = args["bulk"]["n"], args["bulk"]["mod"]
            tree = of_bindings(self.repo.schema, [([f"k{i}"], f"v{i % mod}") for i in range(n)])
        else:
            tree = of_concrete(self.repo.schema, args["tree"])
        empty = args.get("allow_empty", False)
        self.store().set_tree(path_of(args["path"]), tree, info=self.info, allow_empty=empty)

    def _remove(self) -> None:
        empty = self.args.get("allow_empty", False)
        self.store().remove(path_of(self.args["path"]), info=self.info, allow_empty=empty)

    def _test_and_set(self) -> None:
        test, new = (None if self.args[key] is None else data_of(self.args[key]) for key in ("test", "set"))
        self.store().test_and_set(path_of(self.args["path"]), test=test, set=new, info=self.info)

    def _clone(self) -> None:
        self.store("src").clone(self.args["dst"])

    def _branch_remove(self) -> None:
        self.repo.remove_branch(self.args["branch"])

    def _branch_set(self) -> str | None:
        if self.store("src").find_head() is None:
            return "no such src: skipped"
        if self.args["commit"] is not None:
            self.store("dst").set_head(self.repo.commit(Hash.of_hex(self.args["commit"])))
        return None

    def _fast_forward(self) -> None:
        into = self.store("into")
        head = self.store("from").find_head()
        if head is None:
            raise NotFound("branch", self.args["from"])
        into.fast_forward(head)

    # -- reading ---------------------------------------------------------------------------------------------

    def _path(self) -> tuple[str, ...]:
        return path_of(self.args["path"])

    def _find(self) -> Any:
        value = self.store().find(self._path())
        return None if value is None else shown(value)

    def _find_tree(self) -> Any:
        found = self.store().find_tree(self._path())
        return None if found is None else _find_tree(found, ())

    def _mem(self) -> bool:
        return self.store().mem(self._path())

    def _mem_tree(self) -> bool:
        return self.store().mem_tree(self._path())

    def _list(self) -> Any:
        offset, length = self.args["offset"], self.args["length"]
        rows = self.store().tree().list(self._path(), offset=offset or 0, length=length)
        return _long([[shown(step.encode("utf-8", "surrogateescape")), child.kind()] for step, child in rows])

    def _length(self) -> int:
        return self.store().tree().length(self._path())

    def _fold(self) -> Any:
        tree = self.store().tree()
        nodes = tree.fold(0, node=lambda _, __, n: n + 1)
        rows = dump(tree)
        return {"contents": len(rows), "nodes": nodes, "sha256": digest_of(rows)}

    def _lcas(self) -> list[str]:
        return sorted(commit.hash.hex() for commit in self.store("a").lcas(self.store("b")))

    def _last_modified(self) -> list[str]:
        found = self.store().last_modified(self._path(), n=self.args["n"])
        if not found:
            self.store().head()  # Irmin says so where there is none; to us, nothing was modified
        return [commit.hash.hex() for commit in found]

    def _history(self) -> Any:
        store = self.store()
        history = store.history(self.args["depth"])
        head = store.find_head()
        # With a depth of 0, or in a history of one commit, Irmin's graph has the head, and no edge.
        known = head is not None and head in history.commits
        pred = len(history.pred(head)) if known and head is not None else None
        succ = len(history.succ(head)) if known and head is not None else None
        counts = {"vertices": len(history), "edges": len(history.edges)}
        return {**counts, "head_pred": pred, "head_succ": succ}

    def _tree_diff(self) -> Any:
        return _long(diff_rows(self.store("a").tree(), self.store("b").tree()))

    def _status(self) -> Any:
        kind, branch = self.args["of"], self.args["branch"]
        if kind == "empty":
            return "empty" if self.repo.empty().status.commit is None else "not empty"
        if kind == "branch":
            return {"branch": self.store().status.branch}
        head = self.store().find_head()
        if head is None:
            raise NotFound("branch", branch)
        status = self.repo.detached(head).status
        return {"commit": None if status.commit is None else status.commit.hash.hex()}
