"""`proofs-*.json`: what a run over a tree reads, as tree proofs and stream proofs in Irmin's form.

Each is made again by running the operations, compared in bytes and JSON, and verified both ways.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from ...errors import BadProof
from ...key import KindedHash
from ...path import Path
from ...proof import Proof, StreamProof, verify_proof, verify_stream
from ...repo import Repo
from ...schema import Schema
from ...tree import Tree
from .report import Decided, Outcome, failed, same
from .values import Bound, data_of, of_bindings, path_of, shown

__all__ = ["proofs"]

Case = dict[str, Any]
Checks = list[tuple[str, Any, Any]]
Run = Callable[[Bound], tuple[Bound, list[Any]]]


def proofs(repo: Repo[bytes, None], file: Case) -> Iterator[tuple[str, Outcome]]:
    """All trees of a file, and all that is proved about them."""
    for i, case in enumerate(file["cases"]):
        name = f"{case['tree_name']} #{i}"
        bindings = case["bindings"]
        if bindings is None:
            bindings = [([f"k{n}"], f"v{n}") for n in range(case["n_bindings"])]
        tree = of_bindings(repo.schema, bindings)
        repo.save_tree(tree)
        root = tree.kinded_hash()
        yield f"{name} root", same([("the root", tree.hash().hex(), case["root_hash"])])
        for j, proof in enumerate(case["proofs"]):
            what = f"{name} {proof.get('ops_name', j)}"
            job = _Job(repo, root, proof)
            yield f"{what} tree proof", _tree_proof(repo, root, job, proof)
            yield f"{what} stream proof", _stream_proof(repo, root, job, proof)


class _Job:
    """The operations of a case, as a function that is proved.

    Irmin's `mem` reads the contents, and a directory that was edited is listed by it as a map, sorted and whole; the
    function does as Irmin. What we list there is looked at first (rule `list-order`).
    """

    def __init__(self, repo: Repo[bytes, None], root: KindedHash, case: Case) -> None:
        self.schema: Schema[bytes, None] = repo.schema
        self.case = case
        self.sorted: set[int] = set()
        """The operations that list as Irmin lists an edited directory."""
        self.outcome: Outcome = None
        tree: Bound = Tree.shallow(repo, root)
        for i, (op, result) in enumerate(zip(case["ops"], case["results"], strict=True)):
            if op["op"] == "list" and _list(tree, op) != result:
                if _list(tree, op, as_map=True) != result or sorted(_all(tree, op)) != sorted(
                    _all(tree, op, True)
                ):
                    self.outcome = failed(
                        f"the list {i} is {_list(tree, op)!r:.200}, Irmin has {result!r:.200}"
                    )
                    return
                self.sorted.add(i)
                self.outcome = Decided("list-order")
            tree, _ = self.step(tree, i, op)

    def __call__(self, tree: Bound) -> tuple[Bound, list[Any]]:
        results: list[Any] = []
        for i, op in enumerate(self.case["ops"]):
            tree, result = self.step(tree, i, op)
            results.append(result)
        return tree, results

    def step(self, tree: Bound, i: int, op: Case) -> tuple[Bound, Any]:
        """One operation: the tree after it, and its result."""
        kind = op["op"]
        if kind == "add":
            return tree.add(path_of(op["path"]), data_of(op["contents"])), None
        if kind == "remove":
            return tree.remove(path_of(op["path"])), None
        if kind == "add_tree":
            return tree.add_tree(path_of(op["path"]), of_bindings(self.schema, op["bindings"])), None
        if kind == "copy_tree":
            return tree.add_tree(path_of(op["to"]), tree.get_tree(path_of(op["from"]))), None
        if kind == "list":
            return tree, _list(tree, op, as_map=i in self.sorted)
        return tree, _READS[kind](tree, path_of(op.get("path", ())))


def _found(tree: Bound, path: Path) -> Any:
    value = tree.find(path)
    return None if value is None else shown(value)


def _found_tree(tree: Bound, path: Path) -> str | None:
    found = tree.find_tree(path)
    return None if found is None else found.hash().hex()


def _count(tree: Bound, path: Path) -> int:
    return tree.fold(0, contents=lambda _, __, n: n + 1)


_READS: dict[str, Callable[[Bound, Path], Any]] = {
    "find": _found,
    "mem": lambda tree, path: tree.find(path) is not None,
    "mem_tree": lambda tree, path: tree.mem_tree(path),
    "find_tree": _found_tree,
    "length": lambda tree, path: tree.length(path),
    "fold_all_contents": _count,
    "hash": lambda tree, _: tree.hash().hex(),
}


def _all(tree: Bound, op: Case, as_map: bool = False) -> list[str]:
    return [step for step, _ in tree.list(path_of(op["path"]), sorted=as_map)]


def _list(tree: Bound, op: Case, *, as_map: bool = False) -> list[Any]:
    offset, length = op["offset"] or 0, op["length"]
    if as_map:
        steps = _all(tree, op, as_map=True)[offset:]
        steps = steps if length is None else steps[:length]
    else:
        steps = [step for step, _ in tree.list(path_of(op["path"]), offset=offset, length=length)]
    return [shown(step.encode("utf-8", "surrogateescape")) for step in steps]


def _roots(case: Case) -> list[Any]:
    return [case["before"], case["after"]]


def _written(what: str, data: bytes, expected: Case) -> Checks:
    checks: Checks = [(f"the length of {what}", len(data), expected["len"])]
    if "sha256" in expected:
        checks.append((f"the SHA-256 of {what}", hashlib.sha256(data).hexdigest(), expected["sha256"]))
    if "hex" in expected:
        checks.append((what, data.hex(), expected["hex"]))
    return checks


def _json(what: str, case: Case, obj: Any) -> Checks:
    text = json.dumps(obj, separators=(",", ":"), ensure_ascii=False)
    checks: Checks = []
    if case.get(what) is not None:
        checks.append((f"the JSON of the {what}", obj, case[what]))
    if f"{what}_json_len" in case:
        checks.append((f"the length of the JSON of the {what}", len(text.encode()), case[f"{what}_json_len"]))
    if f"{what}_json_sha256" in case:
        digest = hashlib.sha256(text.encode()).hexdigest()
        checks.append((f"the SHA-256 of the JSON of the {what}", digest, case[f"{what}_json_sha256"]))
    return checks


def _tree_proof(repo: Repo[bytes, None], root: KindedHash, job: _Job, case: Case) -> Outcome:
    if job.outcome is not None and not isinstance(job.outcome, Decided):
        return job.outcome
    schema = repo.schema
    proof, _ = repo.produce_proof(root, job)
    raw = proof.to_bytes()
    again = Proof.from_bytes(raw, schema)
    checks = _run(case, proof, lambda: verify_proof(again, job, schema, root=root)[1], job)
    if case["verified"] is not True:
        # Irmin's lacks something that the run reads.
        theirs = Proof.from_json(case["proof"], schema) if case["proof"] else None
        if theirs is not None:
            checks.append(("Irmin's proof", _refused(theirs, job, root), True))
        return same(checks) or Decided("own-proof")
    checks += _written("the proof", raw, case["proof_bin"]) + _json("proof", case, proof.to_json())
    if "hex" in case["proof_bin"]:
        found = Proof.from_bytes(bytes.fromhex(case["proof_bin"]["hex"]), schema)
        results = verify_proof(found, job, schema, root=root)[1]
        checks.append(("the results with Irmin's proof", results, case["results"]))
    if case["proof"] is not None:
        parsed = Proof.from_json(case["proof"], schema)
        checks.append(("the bytes of Irmin's JSON", parsed.to_bytes(), raw))
    return same(checks) or job.outcome


def _stream_proof(repo: Repo[bytes, None], root: KindedHash, job: _Job, case: Case) -> Outcome:
    if job.outcome is not None and not isinstance(job.outcome, Decided):
        return job.outcome
    schema = repo.schema
    proof, _ = repo.produce_stream(root, job)
    raw = proof.to_bytes()
    again = StreamProof.from_bytes(raw, schema)
    checks = _run(case, proof, lambda: verify_stream(again, job, schema, root=root)[1], job)
    checks.append(("the JSON, read again", StreamProof.from_json(proof.to_json(), schema).to_bytes(), raw))
    if case["stream_verified"] is not True:
        return same(checks) or Decided("own-proof")
    checks += _written("the stream", raw, case["stream_bin"]) + _json("stream", case, proof.to_json())
    if "hex" in case["stream_bin"]:
        found = StreamProof.from_bytes(bytes.fromhex(case["stream_bin"]["hex"]), schema)
        results = verify_stream(found, job, schema, root=root)[1]
        checks.append(("the results with Irmin's stream", results, case["results"]))
    return same(checks) or job.outcome


def _run(
    case: Case, proof: Proof[bytes, None] | StreamProof[bytes, None], verify: Callable[[], Any], job: _Job
) -> Checks:
    """What is to hold of any proof that we make."""
    roots = [proof.before.to_json(), proof.after.to_json()]
    checks: Checks = [("the roots", roots, _roots(case))]
    try:
        results = verify()
    except BadProof as e:
        results = e
    checks.append(("what our proof gives", results, case["results"]))
    return checks


def _refused(proof: Proof[bytes, None], job: Run, root: KindedHash) -> bool:
    try:
        verify_proof(proof, job, proof.schema, root=root)
    except BadProof:
        return True
    return False
