"""Making proofs, and checking them again on nothing but what they show."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace
from typing import Any

import pytest

import irminpy
from irminpy import KindedHash, MergeConflict, Proof, ProofMismatch, Schema, Tree, verify_proof
from irminpy.errors import BadProof, DanglingHash, NotFound, PortableValue, PrunedHash, SchemaMismatch
from irminpy.formats import Native
from irminpy.hash import SHA256
from irminpy.proof import (
    BlindedContents,
    BlindedInode,
    BlindedNode,
    Contents,
    Inode,
    InodeValues,
    Limits,
    Node,
    hash_of_proof_state,
    to_tree,
)

from .stores import MODES, SCHEMA, SMALL, Computation, carried, checked, root_of, store_of

WIDE = {f"dir/k{i}": f"v{i}" for i in range(40)} | {"a/b/c": "deep", "a/x": "y", "top": "t"}


@pytest.fixture(params=[SCHEMA, SMALL], ids=["fan-out 16", "fan-out 2"])
def schema(request: pytest.FixtureRequest) -> Schema[str, Any]:
    chosen: Schema[str, Any] = request.param
    return chosen


def reading(*paths: str) -> Computation:
    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], list[Any]]:
        return tree, [tree.find(path) for path in paths]

    return f


def everything(tree: Tree[Any, Any]) -> dict[str, Any]:
    return tree.fold({}, contents=lambda path, value, acc: {**acc, "/".join(path): value})


COMPUTATIONS: dict[str, Computation] = {
    "nothing": lambda tree: (tree, None),
    "find": reading("dir/k7", "a/b/c"),
    "find what is not there": reading("dir/none", "a/b", "a/b/c/d", "nowhere/at/all"),
    "list": lambda tree: (tree, [step for step, _ in tree.list("dir")]),
    "a page": lambda tree: (tree, [step for step, _ in tree.list("dir", offset=7, length=5)]),
    "a sorted page": lambda tree: (tree, [s for s, _ in tree.list("dir", offset=3, length=5, sorted=True)]),
    "length": lambda tree: (tree, (tree.length("dir"), tree.length("a"), tree.length("top"))),
    "kind": lambda tree: (tree, (tree.kind("a"), tree.kind("top"), tree.kind("none"))),
    "add": lambda tree: (tree.add("dir/new", "n").add("a/b/d", "e"), None),
    "overwrite": lambda tree: (tree.add("a", "now contents"), None),
    "remove": lambda tree: (tree.remove("dir/k7").remove("a/b/c"), None),
    "remove nothing": lambda tree: (tree.remove("dir/none"), None),
    "shrink": lambda tree: (_without(tree, 3), None),
    "empty": lambda tree: (_without(tree, 0), None),
    "grow": lambda tree: (_with(tree, 40), None),
    "update": lambda tree: (tree.update("a/x", lambda value: f"{value}!"), None),
    "graft": lambda tree: (tree.add_tree("moved/dir", tree.get_tree("dir")).remove("dir"), None),
    "replace": lambda tree: (tree.add_tree((), tree.get_tree("a")), None),
    "forget": lambda tree: (Tree.empty(tree.schema), "gone"),
    "fold": lambda tree: (tree, everything(tree)),
    "fold keys": lambda tree: (tree, tree.fold(0, pre=lambda _, steps, n: n + len(steps))),
    "stats": lambda tree: (tree, tree.stats(force=True)),
    "concrete": lambda tree: (tree, str(tree.to_concrete())),
    "diff": lambda tree: (tree, list(tree.diff(tree.add("dir/k1", "new").remove("a/x")))),
    "merge": lambda tree: (tree.add("dir/k1", "l").merge(tree.add("dir/k2", "r"), old=tree), None),
    "an editor": lambda tree: (_edited(tree), None),
    "hash": lambda tree: (tree, tree.get_tree("dir").hash()),
    "is_empty": lambda tree: (tree, (tree.is_empty(), tree.get_tree("a").is_empty())),
}


def _without(tree: Tree[Any, Any], left: int) -> Tree[Any, Any]:
    for i in range(left, 40):
        tree = tree.remove(f"dir/k{i}")
    return tree


def _with(tree: Tree[Any, Any], more: int) -> Tree[Any, Any]:
    for i in range(more):
        tree = tree.add(f"a/more{i}", "m")
    return tree


def _edited(tree: Tree[Any, Any]) -> Tree[Any, Any]:
    editor = tree.edit()
    editor["dir/k3"] = "three"
    del editor["a/b"]
    return editor.tree()


@pytest.mark.parametrize("name", COMPUTATIONS)
def test_a_computation_gives_the_same_on_its_proof_as_on_the_store(
    name: str, schema: Schema[str, Any]
) -> None:
    """PP-01, PP-05, PP-06, PV-01, PV-02, PH-01 to PH-05, PT-04: all of the API of trees, tree proofs and streams."""
    f = COMPUTATIONS[name]
    main = store_of(WIDE, schema)
    real, expected = f(main.head().tree())
    tree, result, proof = checked(main, f)
    assert result == expected
    assert tree == real
    assert proof.before == main.tree().kinded_hash()
    # The values say the same as the bytes, and so does JSON.
    again = Proof(proof.before, proof.after, proof.state, schema)
    assert again == proof
    assert again.to_bytes() == proof.to_bytes()
    assert hash_of_proof_state(proof.state, schema) == proof.before
    assert Proof.from_json(json.loads(json.dumps(proof.to_json())), schema) == proof
    verify_proof(again, f, schema, root=root_of(main))
    stream, streamed = main.produce_stream(f)
    assert streamed == expected
    carried_stream = irminpy.StreamProof.from_bytes(stream.to_bytes(), schema)
    tree, result = irminpy.verify_stream(carried_stream, f, schema, root=root_of(main))
    assert (tree, result) == (real, expected)
    assert irminpy.StreamProof.from_json(stream.to_json(), schema) == stream


def test_what_is_not_read_is_only_hashes() -> None:
    """PR-01 to PR-05, PR-07 to PR-09, PP-10: the parts of a proof are those of Irmin."""
    main = store_of(WIDE)
    proof, _ = main.produce_proof(reading("a/b/c"))
    state = proof.state
    assert isinstance(state, Inode)
    assert state.length == 3
    found = [
        child for _, bucket in state.proofs if isinstance(bucket, InodeValues) for child in bucket.entries
    ]
    (a,) = [child for step, child in found if step == "a"]
    assert isinstance(a, Node)
    assert [step for step, _ in a.entries] == ["b", "x"]
    (_, b), (_, x) = a.entries
    assert isinstance(x, BlindedContents)
    assert isinstance(b, Node)
    ((step, c),) = b.entries
    assert (step, c) == ("c", Contents("deep", None))
    proof, _ = main.produce_proof(lambda tree: (tree, tree.length("dir")))
    text = repr(proof.to_json())
    assert "inode_tree" not in text or "k7" not in text
    assert "blinded_inode" in text
    proof, _ = main.produce_proof(reading("dir/k7"))
    names = repr(proof.to_json())
    assert "inode_tree" in names
    assert "inode_values" in names
    assert "blinded_inode" in names
    proof, _ = main.produce_proof(lambda tree: (tree, None))
    assert proof.state == BlindedNode(root_of(main))
    proof, _ = main.produce_proof(lambda tree: (tree, tree.length()))
    assert isinstance(proof.state, Inode)
    assert {type(bucket) for _, bucket in proof.state.proofs} == {BlindedInode}


def test_reads_in_any_order_make_one_proof(schema: Schema[str, Any]) -> None:
    """PP-02, PP-09: what is read twice is recorded once."""
    main = store_of(WIDE, schema)
    one, _ = main.produce_proof(reading("dir/k7", "a/b/c", "dir/k9"))
    other, _ = main.produce_proof(reading("dir/k9", "dir/k9", "a/b/c", "dir/k7", "dir/k7"))
    assert one == other
    assert one.to_bytes() == other.to_bytes()
    assert one != main.produce_proof(reading("dir/k7"))[0]


def test_the_worked_example() -> None:
    """PT-13 too: a proof that is made anew of its parts is as good."""
    main = store_of({"b/e/n": "10", "b/o/b": "20", "e/v/e": "30"}, SCHEMA)
    f = reading("e/v/e")
    _, result, proof = checked(main, f)
    assert result == ["30"]
    b = main.tree().get_tree("b").hash()
    expected = Node((("b", BlindedNode(b)), ("e", Node((("v", Node((("e", Contents("30", None)),))),)))))
    assert proof.state == expected
    assert hash_of_proof_state(expected, SCHEMA) == main.tree().kinded_hash()
    made = Proof(proof.before, proof.after, expected, SCHEMA)
    assert verify_proof(made, f, SCHEMA, root=root_of(main))[1] == ["30"]


def test_a_root_may_be_contents_with_metadata() -> None:
    """PR-01, PR-02: kind and metadata belong to the root."""
    main = store_of({"a": ("value", 7), "b": "plain"}, MODES)
    repo = main.tree()
    for path, metadata in (("a", 7), ("b", 0)):
        key = repo.get_tree(path).key()
        assert key is not None
        opened = irminpy.Repo(main._opened)
        for f, shown in ((lambda t: (t, t.get_all()), True), (lambda t: (t, t.kind()), False)):
            proof, result = opened.produce_proof(key, f)
            root = proof.before
            assert result == (("value" if metadata else "plain", metadata) if shown else "contents")
            assert isinstance(proof.state, Contents if shown else BlindedContents)
            again = carried(proof, MODES)
            assert again == proof
            assert again.state == proof.state
            assert verify_proof(again, f, MODES, root=root)[1] == result
            other = KindedHash("contents", root.hash, b"\x09")
            with pytest.raises(ProofMismatch, match="root mismatch"):
                verify_proof(again, f, MODES, root=other)
            with pytest.raises(ProofMismatch, match="root mismatch"):
                verify_proof(again, f, MODES, root=root.hash)
    tree, result, proof = checked(main, lambda t: (t.add("b", "plain", metadata=3), t.get_all("a")))
    assert result == ("value", 7)
    assert tree.get_all("b") == ("plain", 3)
    assert Proof.from_json(proof.to_json(), MODES) == proof


def test_an_empty_store_has_proofs() -> None:
    main = irminpy.open("mem:", SCHEMA).main()
    empty = SCHEMA.codec.empty
    for f in (reading("a"), lambda t: (t, None), lambda t: (t.add("a", "b"), t.length())):
        proof, result = main.produce_proof(f)
        assert proof.state == Node(())
        assert verify_proof(carried(proof, SCHEMA), f, SCHEMA, root=empty)[1] == result
        stream, _ = main.produce_stream(f)
        assert list(stream.elements) == []
        irminpy.verify_stream(stream, f, SCHEMA, root=empty)
    blinded = Proof(
        KindedHash("node", irminpy.Hash(empty)), proof.after, BlindedNode(irminpy.Hash(empty)), SCHEMA
    )
    with pytest.raises(ProofMismatch, match="not canonical"):
        verify_proof(blinded, reading(), SCHEMA, root=empty)


def test_one_object_at_many_places_is_shown_once(schema: Schema[str, Any]) -> None:
    """PP-02: 2^40 paths lead to one value, and the proof has a node for each of 40."""
    tree = Tree.empty(schema).add("v", "value")
    for _ in range(40):
        tree = Tree.empty(schema).add_tree("l", tree).add_tree("r", tree)
    main = irminpy.open("mem:", schema).main()
    main.set_tree((), tree, date=0)
    f = reading("/".join("r" * 40) + "/v", "/".join("lr" * 20) + "/v")
    _, result, proof = checked(main, f)
    assert result == ["value"] * 2
    assert len(proof.to_bytes()) < 4000


def test_an_environment_goes_with_the_tree(schema: Schema[str, Any]) -> None:
    """PP-03, PT-06, PT-07, PT-09, PH-06: what comes from the tree is recorded, wherever it ends up."""
    main = store_of(WIDE, schema)

    def environment(tree: Tree[Any, Any]) -> object:
        return tree._settled().source.environment

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], str | None]:
        own = environment(tree)
        assert own is not None
        fresh = Tree.empty(tree.schema).add("foo/age", "3")
        assert environment(fresh) is None
        assert environment(tree.get_tree("dir")) is own
        assert environment(tree.add("new", "n")) is own
        grafted = tree.add_tree("foo", fresh)
        assert environment(grafted) is own
        assert environment(grafted.get_tree("dir")) is own
        assert environment(fresh) is None
        assert environment(tree.add_tree((), fresh)) is None
        return tree, Tree.empty(tree.schema).add_tree("moved", tree.get_tree("dir")).find("moved/k7")

    _, result, _ = checked(main, f)
    assert result == "v7"


def test_trees_of_two_proofs_do_not_merge(schema: Schema[str, Any]) -> None:
    """PP-04, TU-07: they have different environments."""
    main = store_of(WIDE, schema)
    proof, _ = main.produce_proof(lambda tree: (tree, everything(tree)))
    shown = to_tree(proof)
    other = to_tree(carried(proof, schema))
    with pytest.raises(MergeConflict) as caught:
        shown.add("a/x", "1").merge(other.add("a/b/c", "2"), old=shown)
    assert caught.value.reason == "merge env"

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], str]:
        with pytest.raises(MergeConflict) as caught:
            tree.merge(shown.add("a/x", "1"), old=tree)
        return tree, caught.value.reason

    assert main.produce_proof(f)[1] == "merge env"
    # With a tree of no proof there is nothing to fear.
    assert shown.merge(main.tree().add("a/x", "1"), old=shown).find("a/x") == "1"


def test_after_the_scope_a_tree_is_one_of_the_store(schema: Schema[str, Any]) -> None:
    """PP-07, PT-10: it reads on, and can be committed."""
    main = store_of(WIDE, schema)
    kept: list[Tree[Any, Any]] = []

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], None]:
        kept.extend([tree, tree.get_tree("dir"), tree.add("a/new", "n")])
        return tree.add("b", "c"), None

    proof, _ = main.produce_proof(f)
    before = proof.to_bytes()
    for tree in kept:
        assert tree._settled().source.environment is None
    assert everything(kept[0]) == WIDE
    assert kept[1].find("k9") == "v9"
    assert kept[0].key() == main.tree().key()
    main.set_tree((), kept[2], date=0)
    assert main.get("a/new") == "n"
    assert main.get("dir/k9") == "v9"
    main.set_tree("copy", kept[1], date=0)
    assert main.get("copy/k9") == "v9"
    assert proof.to_bytes() == before
    assert main.produce_proof(f)[0] != proof


def test_a_tree_that_leaves_the_scope_keeps_no_history() -> None:
    """PP-07: what was read is let go of, however long trees and proofs are kept."""
    main = store_of({f"dir/k{i}": "v" * 1000 for i in range(500)}, SCHEMA)
    kept: list[Any] = []

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], int]:
        kept.append(tree)
        return tree, sum(len(tree.get(f"dir/k{i}", cache=False)) for i in range(500))

    _, total = main.produce_proof(f)
    assert total == 500_000
    (tree,) = kept
    source = tree._root.source
    assert source.nodes_read is None
    assert not source.contents_read
    assert not source.seen
    # Nothing of the 500 values is reachable from the tree.
    tree.clear()
    reachable = gc.get_referents(source)
    assert sum(len(o) for o in reachable if isinstance(o, dict | bytes)) == 0
    recording = weakref.ref(tree)
    kept.clear()
    del tree, source, reachable
    gc.collect()
    assert recording() is None


def test_a_proof_inside_a_proof_is_one_of_its_own(schema: Schema[str, Any]) -> None:
    """PP-08, P61."""
    main = store_of(WIDE, schema)
    inner: list[Proof[Any, Any]] = []

    def g(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        return tree, tree.find("dir/k7")

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        proof, value = main.produce_proof(g)
        inner.append(proof)
        verify_proof(carried(proof, schema), g, schema, root=root_of(main))
        with pytest.raises(ProofMismatch):
            verify_proof(carried(proof, schema), reading("a/x"), schema, root=root_of(main))
        return tree, (value, tree.find("a/x"))

    proof, result = main.produce_proof(f)
    assert result == ("v7", "y")
    assert proof == main.produce_proof(reading("a/x"))[0]
    assert inner[0] == main.produce_proof(g)[0]
    assert verify_proof(carried(proof, schema), f, schema, root=root_of(main))[1] == result


def test_what_the_function_raises_goes_through_and_there_is_no_proof() -> None:
    """PP-11, PV-05: in the one that makes the proof and in the one that checks it."""
    main = store_of(WIDE)
    proof, _ = main.produce_proof(reading("a/x"))

    class Mine(Exception):
        pass

    def raising(error: Exception) -> Computation:
        def f(tree: Tree[Any, Any]) -> Any:
            tree.get("a/x")
            raise error

        return f

    for error in (Mine("no"), AssertionError(), NotFound("path", "a"), PrunedHash("mine", b"")):
        for run in (
            lambda f: main.produce_proof(f),
            lambda f: main.produce_stream(f),
            lambda f: verify_proof(carried(proof), f, SMALL, root=root_of(main)),
        ):
            with pytest.raises(type(error)) as caught:
                run(raising(error))
            assert caught.value is error

    def answering(answer: Any) -> Computation:
        return lambda tree: answer

    for answer in (None, 3, (1, 2), (Tree.empty(SMALL),)):
        with pytest.raises(TypeError):
            main.produce_proof(answering(answer))
    with pytest.raises(SchemaMismatch):
        main.produce_proof(answering((Tree.empty(), 1)))


def test_a_verified_tree_reads_as_far_as_the_proof_goes(schema: Schema[str, Any]) -> None:
    """PV-03, PV-09, QK-08, P60, TR-22: beyond it DanglingHash, and nothing of it can be stored."""
    main = store_of(WIDE, schema)
    tree, _, _ = checked(main, lambda t: (t.add("new", "n"), t.find("dir/k7")))
    assert tree.find("dir/k7") == "v7"
    assert tree.find("new") == "n"
    with pytest.raises(DanglingHash):
        tree.find("a/x")
    other = tree.add("dir/k7", "other")
    assert other.hash() == main.tree().add("new", "n").add("dir/k7", "other").hash()
    assert other.inspect() == "portable"
    for edited in (tree, other):
        assert edited.key() is None
        with pytest.raises(PortableValue):
            main.set_tree((), edited, date=0)
    clean, _, _ = checked(main, reading("dir/k7"))
    assert clean.inspect() == "pruned"
    assert clean.key() is None
    elsewhere = irminpy.open("mem:", schema).main()
    with pytest.raises(PrunedHash):
        elsewhere.set_tree((), clean, date=0)
    # What a store has can be had of it: a proof's part is never taken for its object.
    with pytest.raises(PrunedHash):
        elsewhere.set_tree("here", clean.get_tree("dir"), date=0)


def test_a_proof_is_a_tree_to_look_at(schema: Schema[str, Any]) -> None:
    """PV-07, PV-08, PT-01, TC-017: 1,000 entries among others; updates hash as those of the real tree."""
    bindings = {f"dir/{i}": str(i) for i in range(1000)} | {
        "foo": "1",
        "bar/a": "2",
        "bar/d/e": "3",
        "x": "4",
    }
    main = store_of(bindings, schema)
    proof, _ = main.produce_proof(lambda tree: (tree, everything(tree)))
    tree = to_tree(carried(proof, schema))
    assert tree.hash() == root_of(main)
    assert list(tree.diff(main.tree())) == []
    for path in ("", "foo", "bar/d", "dir"):
        assert [s for s, _ in tree.list(path)] == [s for s, _ in main.tree().list(path)]
    assert tree.remove("dir/7").add("y", "z") == main.tree().remove("dir/7").add("y", "z")
    partial = to_tree(main.produce_proof(reading("bar/a"))[0])
    assert partial.find("bar/a") == "2"
    assert partial.add("bar/b", "new").hash() == main.tree().add("bar/b", "new").hash()
    with pytest.raises(DanglingHash):
        partial.find("dir/7")
    with pytest.raises(DanglingHash):
        partial.find("bar/d/e")


@pytest.mark.parametrize("format", [Native(), Native(2, 2), Native(256, 2), Native(32, 256)], ids=repr)
def test_directories_at_the_limits_of_their_shape(format: Native) -> None:
    """PH-04, PH-05, PT-18, PT-20: adding splits, removing collapses, at leaf ± 1 and far beyond, at every level."""
    schema = Schema(format=format)
    leaf = format.leaf
    for n in sorted({1, leaf - 1, leaf, leaf + 1, leaf + 2, 36, 308}):
        main = store_of({f"d/e{i}/k{j}": b"v" for i in range(2) for j in range(n)}, schema)
        for f in (
            lambda t: (t.add("d/e0/new", b"n"), None),
            lambda t: (t.remove("d/e0/k0"), None),
            lambda t: (t.remove("d/e0/k0").add("d/e1/new", b"n"), t.find_tree("d/e1/k0") is not None),
            lambda t: (t, (t.length("d/e0"), t.find("d/e1/absent"))),
        ):
            real, expected = f(main.head().tree())
            tree, result, _ = checked(main, f)
            assert (tree, result) == (real, expected)


def test_a_producer_says_at_once_what_a_verifier_would_refuse() -> None:
    main = store_of({f"d/k{i}": f"{i:050}" for i in range(30)} | {"a/b/c/d/e": "deep"}, SCHEMA)

    def all_(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        return tree, everything(tree)

    proof, _ = main.produce_proof(all_)
    size = len(proof.to_bytes())
    for limits in (
        Limits(total=size - 1),
        Limits(objects=20),
        Limits(depth=3),
        Limits(contents=49),
        Limits(density=54),
    ):
        with pytest.raises(BadProof, match="limits"):
            main.produce_proof(all_, limits)
        with pytest.raises(BadProof, match="limit"):
            Proof.from_bytes(proof.to_bytes(), SCHEMA, limits)
    fitting = Limits(total=size, objects=37, depth=4, contents=50, density=6 * 4 + 31)
    assert main.produce_proof(all_, fitting)[0] == proof
    assert Proof.from_bytes(proof.to_bytes(), SCHEMA, fitting) == proof
    with pytest.raises(ValueError, match="from 0 up"):
        Limits(total=-1)
    with pytest.raises(TypeError):
        replace(Limits(), depth=1.5)  # type: ignore[arg-type]


def test_another_hash_function_makes_other_proofs() -> None:
    schema = Schema(hash=SHA256())
    main = store_of({"a": b"1", "b": b"2"}, schema)
    checked(main, lambda t: (t, t.get("a")))
