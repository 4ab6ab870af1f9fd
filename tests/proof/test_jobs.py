"""The usual computations, commits beside proofs, and proofs over a pack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import irminpy
from irminpy import DecodeError, InvalidHash, Proof, ProofMismatch, Schema, verify_commit, verify_proof
from irminpy.proof import Absence, Page, Read, Transition

from .stores import SCHEMA, SMALL, root_of, store_of

BINDINGS = {f"accounts/{i:03}": str(i) for i in range(200)} | {"meta/name": "ledger"}


@pytest.fixture(params=[SCHEMA, SMALL], ids=["fan-out 16", "fan-out 2"])
def main(request: pytest.FixtureRequest) -> irminpy.Store[str, Any]:
    return store_of(BINDINGS, request.param)


def shown(main: irminpy.Store[Any, Any], f: Any) -> tuple[Any, int]:
    """What a client learns of `f`, and the size of the proof in bytes."""
    schema = main.tree().schema
    raw = main.produce_proof(f)[0].to_bytes()
    return verify_proof(Proof.from_bytes(raw, schema), f, schema, root=root_of(main))[1], len(raw)


def test_paths_in_a_batch_share_their_nodes(main: irminpy.Store[str, Any]) -> None:
    """PT-21: one path, many paths."""
    one, size = shown(main, Read(["accounts/017"]))
    assert one == {("accounts", "017"): "17"}
    paths = [f"accounts/{i:03}" for i in range(0, 200, 4)]
    many, total = shown(main, Read([*paths, "nothing", "meta"]))
    assert list(many.values()) == [str(i) for i in range(0, 200, 4)] + [None, None]
    assert total < 50 * size / 3
    with pytest.raises(TypeError):
        Read("a/b")
    assert Read(["a", ("a",), "b"]) == Read([["a"], "/b/"])


def test_absence_is_shown(main: irminpy.Store[str, Any]) -> None:
    """PV-02."""
    result, _ = shown(main, Absence(["accounts/999", "accounts/001", "meta", "meta/name/below", "x/y"]))
    assert list(result.values()) == [True, False, False, True, True]


def test_pages_add_up_to_the_directory(main: irminpy.Store[str, Any]) -> None:
    (total, everything), whole = shown(main, Page("accounts"))
    assert total == 200
    pages: list[Any] = []
    sizes: list[int] = []
    for offset in range(0, 200, 30):
        (n, page), size = shown(main, Page("accounts", offset, 30))
        assert n == 200
        pages += page
        sizes.append(size)
    assert pages == everything
    assert {kind for _, kind in pages} == {"contents"}
    assert max(sizes) < whole
    assert shown(main, Page("accounts", 500))[0] == (200, [])
    assert shown(main, Page("nowhere"))[0] == (0, [])
    with pytest.raises(DecodeError):
        Page("a", -1)


def test_a_transition_is_checked_without_the_store(main: irminpy.Store[str, Any]) -> None:
    changes = Transition({"accounts/000": "100", "accounts/001": None, "accounts/new": "7"})
    proof, _ = main.produce_proof(changes)
    root = root_of(main)
    tree, _ = verify_proof(proof, changes, main.tree().schema, root=root)
    for path, value in changes.changes:
        if value is None:
            main.remove(path)
        else:
            main.set(path, value)
    assert tree.hash() == root_of(main) == proof.after.hash
    with pytest.raises(ProofMismatch):
        verify_proof(proof, Transition({"accounts/000": "101"}), main.tree().schema, root=root)
    with pytest.raises(DecodeError, match="twice"):
        Transition([("a", "1"), ("/a/", "2")])


def test_who_trusts_a_commit_gets_its_root(main: irminpy.Store[str, Any]) -> None:
    schema = main.tree().schema
    head = main.head()
    raw = head.to_bytes()
    commit = verify_commit(raw, schema, hash=head.hash)
    assert commit.tree_hash == root_of(main)
    assert (commit.hash, commit.parents, commit.info) == (head.hash, head.parents, head.info)
    assert commit == verify_commit(raw, schema, hash=bytes(head.hash))
    assert {commit: 1}[verify_commit(raw, schema, hash=head.hash)] == 1
    assert head.short() in repr(commit)
    result = verify_proof(
        main.produce_proof(Read(["meta/name"]))[0], Read(["meta/name"]), schema, root=commit.tree_hash
    )[1]
    assert result == {("meta", "name"): "ledger"}
    for i in range(len(raw)):
        with pytest.raises(ProofMismatch, match="commit mismatch"):
            verify_commit(raw[:i] + bytes((raw[i] ^ 1,)) + raw[i + 1 :], schema, hash=head.hash)
    node = schema.codec.encode_node([], b"", b"", [])
    with pytest.raises(ProofMismatch, match="kind mismatch"):
        verify_commit(node, schema, hash=schema.codec.empty)
    with pytest.raises(InvalidHash):
        verify_commit(raw, schema, hash=b"short")
    with pytest.raises(TypeError):
        verify_commit(raw, schema, hash=head.hash.hex())  # type: ignore[arg-type]


@pytest.mark.parametrize("index", ["always", "minimal"])
def test_proofs_over_a_pack(index: str, tmp_path: Path) -> None:
    """PP-01, PP-07: objects have words, no hash leads to them with the index minimal, and they move."""
    schema: Schema[bytes] = Schema()
    with irminpy.open(f"pack:{tmp_path}/store?index={index}", schema) as repo:
        main = repo.main()
        with main.edit(message="all") as editor:
            for i in range(300):
                editor[f"d/k{i}"] = b"v%d" % i
        first = main.head()
        main.set("d/k7", b"new", message="change")
        f = Read(["d/k7", "d/k8", "none"])
        kept: list[irminpy.Tree[bytes]] = []

        def keeping(tree: irminpy.Tree[bytes]) -> tuple[irminpy.Tree[bytes], Any]:
            kept.append(tree.add("e", b"f"))
            return f(tree)

        raw = main.produce_proof(keeping)[0].to_bytes()
        assert verify_proof(Proof.from_bytes(raw, schema), f, schema, root=main.head().tree_hash)[1] == {
            ("d", "k7"): b"new", ("d", "k8"): b"v8", ("none",): None
        }  # fmt: skip
        old = repo.produce_proof(first.tree().key() or first.tree_hash, f)[0]
        assert verify_proof(old, f, schema, root=first.tree_hash)[1][("d", "k7")] == b"v7"
        repo.gc()
        assert main.produce_proof(f)[0].to_bytes() == raw
        main.set_tree((), kept[0].remove("d/k9"), message="of a proof")
        assert main.find("d/k9") is None
        assert main.get("d/k8") == b"v8"
        assert repo.check().ok
        stream, _ = main.produce_stream(f)
        irminpy.verify_stream(stream, f, schema, root=main.head().tree_hash)
