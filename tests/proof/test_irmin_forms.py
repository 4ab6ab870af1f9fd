"""Proofs of Irmin's formats: what they show, and what a hostile prover tries with extenders, inodes and streams.

What agrees with the bytes of the real Irmin is in tests/unit/test_irmin_vectors.py.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from random import Random
from typing import Any

import pytest

import irminpy
from irminpy import (
    Hash,
    KindedHash,
    Proof,
    ProofMismatch,
    Schema,
    StreamProof,
    Tree,
    verify_proof,
    verify_stream,
)
from irminpy.contents import String
from irminpy.errors import BadProof, Corrupted, DanglingHash, StreamTooLong, StreamTooShort
from irminpy.formats import Custom, Inodes, Irmin, Irmin2, Tezos
from irminpy.hash import BLAKE2B, SHA1
from irminpy.metadata import Own
from irminpy.objects import Kind, Objects
from irminpy.proof import (
    BlindedContents,
    BlindedInode,
    BlindedNode,
    Contents,
    Extender,
    Inode,
    InodeExtender,
    InodeTree,
    InodeValues,
    Limits,
    Node,
    Read,
    hash_of_proof_state,
    to_tree,
)
from irminpy.repr import varint

from .stores import Computation


def _digit(depth: int, step: bytes) -> int:
    return step[depth] - 48


TRIE = Schema(hash=SHA1(), format=Irmin2(Inodes(2, 2, Custom("ascii/1", _digit))))
"""The bucket of a step at depth d is its digit d: the store of Irmin's own tests of extenders."""
SMALL = Schema(hash=BLAKE2B(32), format=Irmin(Inodes(2, 3, "seeded")))
FLAT = Schema(hash=BLAKE2B(32), format=Irmin(None))
TEZOS = Schema(hash=BLAKE2B(32), format=Tezos())
SCHEMAS = [TRIE, SMALL, FLAT, TEZOS, Schema(hash=BLAKE2B(32), format=Tezos(Inodes(2, 3, "seeded")))]


class Held:
    """A tree in a store, and its root, which clients trust."""

    def __init__(self, bindings: dict[str, bytes], schema: Schema[Any, Any]) -> None:
        self.schema = schema
        self.repo = irminpy.open("mem:", schema)
        editor = Tree.empty(schema).edit()
        for path, value in bindings.items():
            editor.add(path, value)
        tree = editor.tree()
        self.repo.save_tree(tree)
        self.root = tree.kinded_hash()

    def proof(self, f: Computation) -> Proof[Any, Any]:
        return self.repo.produce_proof(self.root, f)[0]

    def stream(self, f: Computation) -> StreamProof[Any, Any]:
        return self.repo.produce_stream(self.root, f)[0]


def everything(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
    return tree, tree.to_concrete()


def nothing(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
    return tree, None


def reading(*paths: str) -> Computation:
    return lambda tree: (tree, [tree.find(path) for path in paths])


THREE = Held({"00100": b"x", "00101": b"y", "00110": b"z"}, TRIE)
FOUR = Held({"10000": b"x1", "00000": b"x", "00001": b"y", "00010": b"z"}, TRIE)
MANY = Held({f"k{i}": b"v%d" % i for i in range(40)}, SMALL)
BIG = Held({f"k{i}": b"v%d" % i for i in range(300)}, TEZOS)
X, Y, Z = (BlindedContents(Hash(SHA1().digest(c)), None) for c in (b"x", b"y", b"z"))


def bottom() -> InodeTree[Any, Any]:
    """The inode in which the three steps of THREE part."""
    low = InodeValues((("00100", Contents(b"x", None)), ("00101", Y)))
    return InodeTree(3, ((0, low), (1, InodeValues((("00110", Z),)))))


def refused(state: Any, reason: str, schema: Schema[Any, Any] = TRIE, root: KindedHash = THREE.root) -> None:
    """`state` is refused for `reason` as a value; written out, in bytes and JSON, too."""
    with pytest.raises(ProofMismatch, match=reason):
        verify_proof(Proof(root, root, state, schema), nothing, schema, root=root, strict=False)
    with pytest.raises(ProofMismatch, match=reason):
        hash_of_proof_state(state, schema)
    shown = Proof(root, root, state, schema).to_json()
    with pytest.raises(BadProof, match=reason):
        verify_proof(Proof.from_json(json.loads(json.dumps(shown)), schema), nothing, schema, root=root)


# -- what is shown -----------------------------------------------------------------------------------------------


def test_a_chain_of_inodes_is_an_extender() -> None:
    """PR-06, PR-10, PT-22."""
    state = THREE.proof(reading("00100")).state
    assert isinstance(state, Extender)
    assert (state.length, state.segments) == (3, (0, 0, 1))
    assert isinstance(state.proof, InodeTree)
    inner = FOUR.proof(reading("00000")).state
    assert isinstance(inner, Inode)
    assert [type(part) for _, part in inner.proofs] == [InodeExtender, BlindedInode]
    for held, path in ((THREE, "00100"), (FOUR, "00000")):
        proof = Proof.from_bytes(held.proof(reading(path)).to_bytes(), TRIE)
        assert verify_proof(proof, reading(path), TRIE, root=held.root)[1] == [b"x"]
        stream = StreamProof.from_bytes(held.stream(reading(path)).to_bytes(), TRIE)
        assert verify_stream(stream, reading(path), TRIE, root=held.root)[1] == [b"x"]


def test_the_elements_of_the_stream_that_irmin_tests_for() -> None:
    """PR-14, PT-24: PX-02 of Irmin's own tests, with its hashes."""
    assert THREE.root.hash.hex() == "89462ea2b45446d2102de06c77e241170b6aedc2"
    shown = THREE.stream(reading("00100")).to_json()["state"]
    below = "25c1a3d3bb7e5124cf61954851d0c9ccf5113d4e"
    low, high = "580c8955c438ca5b1f94d2f4eb712a85e2634b70", "8410f4d1be1d571f0d63638927d42c7c1c6f3df1"
    assert shown[0] == {"Inode_extender": {"length": 3, "segments": [0, 0, 1], "proof": below}}
    assert shown[1] == {"Inode": {"length": 3, "proofs": [[0, low], [1, high]]}}
    assert [step for step, _ in shown[2]["Node"]] == ["00100", "00101"]
    assert shown[2]["Node"][0][1] == {"Contents": ["11f6ad8ec52a2984abaafd7c3b516503785c2072", {}]}
    assert shown[3] == {"Contents": "x"}
    assert len(shown) == 4


def test_a_stable_directory_is_shown_whole_and_a_larger_one_by_its_buckets() -> None:
    """TC-148."""
    small = Held({f"k{i}": b"v" for i in range(256)}, TEZOS)
    state = small.proof(reading("k7")).state
    assert isinstance(state, Node)
    assert len(state.entries) == 256
    state = BIG.proof(reading("k7")).state
    assert isinstance(state, Inode)
    assert state.length == 300
    assert sum(type(part) is InodeValues for _, part in state.proofs) == 1


def test_what_is_made_of_the_state_has_the_hash_of_the_tree() -> None:
    for held in (THREE, FOUR, MANY, BIG):
        proof = held.proof(everything)
        assert hash_of_proof_state(proof.state, held.schema) == held.root
        assert to_tree(proof).kinded_hash() == held.root
        blinded = to_tree(held.proof(nothing))
        with pytest.raises(DanglingHash):
            blinded.find("k1")


@pytest.mark.parametrize("schema", SCHEMAS, ids=Schema.describe)
def test_a_run_that_edits_has_one_result_here_and_there(schema: Schema[Any, Any]) -> None:
    # Steps that every order of buckets has an answer for.
    names = [format(i, "06b") for i in range(48)]
    d, e, copy = "000000", "100000", "110000"
    held = Held({f"{d}/{name}": name.encode() for name in names} | {f"{e}/{d}": b"g"}, schema)

    def edit(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        for name in names[:40:3]:
            tree = tree.remove(f"{d}/{name}")
        tree = tree.add(f"{d}/000001", b"new").add(f"{e}/{copy}/{d}", b"j").add_tree(copy, tree.get_tree(d))
        return tree, (tree.length(d), [step for step, _ in tree.list(d, offset=3, length=4)])

    proof, result = held.repo.produce_proof(held.root, edit)
    tree, again = verify_proof(Proof.from_bytes(proof.to_bytes(), schema), edit, schema, root=held.root)
    assert (again, tree.kinded_hash()) == (result, proof.after)
    parsed = Proof.from_json(json.loads(json.dumps(proof.to_json())), schema)
    assert parsed == proof
    assert parsed.to_bytes() == proof.to_bytes()
    stream, result = held.repo.produce_stream(held.root, edit)
    tree, again = verify_stream(
        StreamProof.from_bytes(stream.to_bytes(), schema), edit, schema, root=held.root
    )
    assert (again, tree.kinded_hash()) == (result, stream.after)
    assert StreamProof.from_json(stream.to_json(), schema).to_bytes() == stream.to_bytes()


def test_what_stands_at_many_places_is_shown_at_all_of_them() -> None:
    shared = {f"{side}/{name}": b"v" for side in ("a", "b", "c") for name in ("x", "y")}
    held = Held(shared, FLAT)
    proof = held.proof(reading("a/x"))
    state = proof.state
    assert isinstance(state, Node)
    assert state.entries[0][1] == state.entries[1][1] == state.entries[2][1]
    assert verify_proof(Proof.from_bytes(proof.to_bytes(), FLAT), reading("b/y"), FLAT, root=held.root)[
        1
    ] == [b"v"]
    blinded = Node(
        (
            state.entries[0],
            ("b", BlindedNode(Tree.shallow(held.repo, held.root).get_tree("b").hash())),
            state.entries[2],
        )
    )
    refused(blinded, "inconsistent sharing", FLAT, held.root)


def test_a_proof_that_would_grow_without_bound_is_not_made() -> None:
    tree = Tree.empty(FLAT).add("0", b"v").add("1", b"v")
    for _ in range(40):
        tree = Tree.empty(FLAT).add_tree("0", tree).add_tree("1", tree)
    repo = irminpy.open("mem:", FLAT)
    repo.save_tree(tree)
    path = "/".join("0" * 41)
    with pytest.raises(BadProof, match="every place"):
        repo.produce_proof(tree.kinded_hash(), reading(path))
    stream, _ = repo.produce_stream(tree.kinded_hash(), reading(path))
    assert verify_stream(stream, reading(path), FLAT, root=tree.kinded_hash())[1] == [b"v"]


def mode(data: bytes) -> int:
    if len(data) != 1:
        raise irminpy.DecodeError("mode", "one byte is expected")
    return data[0]


class Mode(Own[int]):
    """One byte."""

    def read(self, data: bytes, at: int, /) -> tuple[int, int]:
        return mode(data[at : at + 1]), at + 1


MODES = Schema(
    metadata=Mode("mode/1", 0, lambda value: bytes([value]), mode, lambda old, ours, theirs: ours),
    hash=SHA1(),
    format=Irmin(Inodes(2, 2, "seeded")),
)


def test_metadata_and_contents_at_the_root() -> None:
    schema = MODES
    tree = Tree.empty(schema).add("a", b"1", metadata=7).add("b", b"2").add("c", b"3", metadata=9)
    repo = irminpy.open("mem:", schema)
    repo.save_tree(tree)
    root = tree.kinded_hash()
    for f in (reading("a"), reading("b", "c"), everything):
        proof, result = repo.produce_proof(root, f)
        parsed = Proof.from_bytes(proof.to_bytes(), schema)
        assert parsed == Proof.from_json(proof.to_json(), schema) == proof
        assert verify_proof(parsed, f, schema, root=root)[1] == result
        stream, _ = repo.produce_stream(root, f)
        again = StreamProof.from_bytes(stream.to_bytes(), schema)
        assert StreamProof.from_json(stream.to_json(), schema) == again
        assert verify_stream(again, f, schema, root=root)[1] == result
    leaf = tree.get_tree("a").kinded_hash()
    for f in (everything, nothing):
        proof, result = repo.produce_proof(leaf, f)
        parsed = Proof.from_bytes(proof.to_bytes(), schema)
        assert verify_proof(parsed, f, schema, root=leaf)[1] == result
        other = replace(leaf, metadata=b"\x08")
        with pytest.raises(ProofMismatch, match="root mismatch"):
            verify_proof(parsed, f, schema, root=other)


# -- extenders and inodes of a hostile prover ----------------------------------------------------------------------


def test_segments_in_another_order_have_another_root() -> None:
    """P16: the entries are misplaced, too, so that no root helps."""
    refused(Extender(3, (1, 0, 0), bottom()), "misplaced entry")
    whole = Extender(3, (1, 0, 0), BlindedInode(Hash(b"\1" * 20)))
    with pytest.raises(ProofMismatch, match="root mismatch"):
        verify_proof(Proof(THREE.root, THREE.root, whole, TRIE), nothing, TRIE, root=THREE.root)


@pytest.mark.parametrize("segments", [(), (0,)])
def test_an_extender_has_two_segments_at_least(segments: tuple[int, ...]) -> None:
    """P17, P20."""
    refused(Extender(3, segments, bottom()), "not canonical: an extender of . segments")


def test_an_extender_does_not_go_on_below_itself() -> None:
    """P18, P19, P20: one way to write each chain."""
    hidden = BlindedInode(Hash(b"\1" * 20))
    refused(Extender(3, (0, 0), InodeExtender(3, (1, 0), hidden)), "goes on below itself")
    refused(Extender(3, (0, 0), InodeTree(3, ((1, hidden),))), "goes on below itself")
    refused(Inode(3, ((0, InodeTree(3, ((0, hidden),))),)), "not written as an extender")
    refused(Inode(3, ((0, InodeExtender(3, (0, 1), hidden)),)), "not written as an extender")
    chain = Inode(3, ((0, InodeTree(3, ((0, InodeTree(3, ((1, bottom()),))),))),))
    refused(chain, "not written as an extender")
    honest = Extender(3, (0, 0, 1), bottom())
    assert hash_of_proof_state(honest, TRIE) == THREE.root


def test_the_length_of_an_extender_is_that_of_what_is_below() -> None:
    """P32, P29, P30, PS-04."""
    for wrong in (4, 5):
        refused(Extender(wrong, (0, 0, 1), bottom()), "bad length")
    lying = InodeTree(4, bottom().proofs)
    refused(Extender(4, (0, 0, 1), lying), "bad length")
    refused(Extender(4, (0, 0, 1), bottom()), "bad length")
    full = InodeValues((("10", X), ("11", Y)))
    refused(Inode(2, ((0, BlindedInode(Hash(b"\1" * 20))), (1, full))), "not canonical shape")
    hidden = BlindedInode(Hash(b"\1" * 20))
    refused(Inode(4, ((0, InodeTree(4, ((0, hidden), (1, hidden)))), (1, hidden))), "bad length")


@pytest.mark.parametrize("length", [0, -1, 1 << 63, True])
def test_a_length_that_is_none(length: int) -> None:
    """P31."""
    hidden = BlindedInode(Hash(b"\1" * 20))
    for state in (Extender(length, (0, 0), hidden), Inode(length, ((0, hidden),))):
        with pytest.raises(ProofMismatch, match="bad length"):
            hash_of_proof_state(state, TRIE)


@pytest.mark.parametrize("index", [-1, 2, 32, 1 << 31, 1 << 63, "0", True])
def test_an_index_that_is_none(index: Any) -> None:
    """P21."""
    hidden = BlindedInode(Hash(b"\1" * 20))
    for state in (
        Extender(3, (0, index), hidden),
        Extender(3, (index, 0), hidden),
        Inode(3, ((index, hidden),)),
    ):
        with pytest.raises(ProofMismatch, match="index out of range"):
            hash_of_proof_state(state, TRIE)


def test_a_step_in_another_bucket_is_refused() -> None:
    """P01 to P04: whatever root the prover makes of it."""
    low, high = bottom().proofs[0][1], bottom().proofs[1][1]
    refused(Extender(3, (0, 0, 1), InodeTree(3, ((0, high), (1, low)))), "misplaced entry")
    both = InodeValues((("00100", X), ("00110", Z)))
    one = InodeValues((("00110", X),))
    refused(Extender(3, (0, 0, 1), InodeTree(3, ((0, both), (1, one)))), "misplaced entry")
    twice = InodeTree(4, ((0, low), (1, InodeValues((("00101", Y), ("00110", Z))))))
    refused(Extender(4, (0, 0, 1), twice), "misplaced entry")
    refused(Extender(3, (0, 1, 0), bottom()), "misplaced entry")
    short = InodeTree(3, ((0, low), (1, InodeValues((("001", Z),)))))
    refused(Extender(3, (0, 0, 1), short), "misplaced entry")


def test_one_inode_is_not_in_two_places_of_a_directory() -> None:
    """V4: even if nothing of it is shown."""
    hidden = BlindedInode(Hash(b"\1" * 20))
    low = InodeTree(3, ((0, hidden), (1, hidden)))
    refused(Inode(6, ((0, low), (1, low))), "one bucket in places of different indices")
    assert hash_of_proof_state(
        Node((("a", Inode(4, ((0, low), (1, hidden)))), ("b", Inode(5, ((0, low), (1, hidden)))))), TRIE
    )


def test_inodes_and_flat_directories_each_in_their_place() -> None:
    """P05, P06, P26 to P28, PS-01, PS-03, PS-06."""
    hidden = BlindedInode(Hash(b"\1" * 20))
    entries = tuple((f"0010{i}", X) for i in range(3))
    refused(Node(entries), "not canonical shape")
    refused(Inode(2, ((0, hidden), (1, hidden))), "not canonical shape")
    refused(Inode(3, ()), "empty inode")
    refused(Inode(3, ((0, InodeValues(())), (1, hidden))), "empty bucket")
    refused(
        Inode(4, ((0, InodeValues(tuple((f"00{i}", X) for i in range(3)))), (1, hidden))), "too many values"
    )
    refused(Inode(3, ((0, InodeTree(2, ((0, hidden), (1, hidden)))), (1, hidden))), "not canonical shape")
    other = BlindedInode(Hash(b"\1" * 32))
    refused(Inode(3, ((0, other), (1, other))), "flat, and have no inodes|too deep", FLAT, MANY.root)
    refused(Extender(3, (0, 0), other), "flat, and have no inodes|too deep", FLAT, MANY.root)
    refused(Node((("a", Node(())),)), "empty directory", FLAT, MANY.root)
    refused(Node((("a", BlindedNode(Hash(FLAT.codec.empty))),)), "empty directory", FLAT, MANY.root)
    refused(BlindedNode(Hash(TRIE.codec.empty)), "empty directory")
    refused(InodeTree(60, ((0, hidden), (1, hidden))), "in the place of the root|no part of a tree")
    wrong: Any = Extender(60, (0, 0), hidden)
    refused(Inode(60, ((0, wrong), (1, hidden))), "in the place of a bucket|no bucket of a tree")
    refused(Extender(60, (0,) * 51, hidden), "too deep")


def test_indices_and_steps_ascend() -> None:
    """P22 to P25, PS-02."""
    hidden = BlindedInode(Hash(b"\1" * 20))
    refused(Inode(3, ((0, hidden), (0, hidden))), "duplicate index")
    refused(Inode(3, ((1, hidden), (0, hidden))), "unsorted")
    refused(Node((("b", X), ("a", Y))), "unsorted")
    refused(Node((("a", X), ("a", Y))), "duplicate entry")
    # The order is that of the bytes: U+FFFF comes before U+10000.
    fine = Node((("\uffff", X), ("\U00010000", Y)))
    assert hash_of_proof_state(fine, TRIE)


def test_kinds_do_not_pass_for_each_other() -> None:
    """P09, P10, P13: in `tezos` the empty contents and the empty directory have one hash."""
    empty = Hash(TEZOS.codec.empty)
    assert TEZOS.codec.digest(TEZOS.codec.encode_contents([b""])[0]) == empty
    held = Held({"a": b"", "b": b"1"}, TEZOS)
    proof = held.proof(reading("a"))
    assert verify_proof(proof, reading("a"), TEZOS, root=held.root)[1] == [b""]
    state = proof.state
    assert isinstance(state, Node)
    lying = Node((("a", Node(())), state.entries[1]))
    refused(lying, "empty directory", TEZOS, held.root)
    root = KindedHash("contents", held.root.hash)
    with pytest.raises(ProofMismatch, match="root mismatch"):
        verify_proof(proof, reading("a"), TEZOS, root=root)
    stream = held.stream(reading("a"))
    elements = list(stream.elements)
    swapped = StreamProof(held.root, held.root, [elements[0], b"\1\0"], TEZOS)
    with pytest.raises(ProofMismatch, match="kind mismatch"):
        verify_stream(swapped, reading("a"), TEZOS, root=held.root)
    as_node = StreamProof(held.root, held.root, [varint(0) + varint(0)], TEZOS)
    with pytest.raises(ProofMismatch, match="kind mismatch"):
        verify_stream(as_node, reading("a"), TEZOS, root=held.root)


def test_a_blinded_bucket_is_not_an_absence() -> None:
    """P43, P44, P47, S11, PV-03."""
    proof = Proof.from_bytes(BIG.proof(reading("k1")).to_bytes(), TEZOS)
    absent = next(f"x{i}" for i in range(100) if TEZOS.codec.digit(f"x{i}", 0) != TEZOS.codec.digit("k1", 0))

    def swallowing(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        with contextlib.suppress(irminpy.PrunedHash):
            tree.find(absent)
        return tree, tree.find("k1")

    for f in (reading(absent), reading("k1", absent), swallowing):
        with pytest.raises(ProofMismatch, match="read of a blinded part"):
            verify_proof(proof, f, TEZOS, root=BIG.root)
    with pytest.raises(ProofMismatch, match="surplus data"):
        verify_proof(proof, nothing, TEZOS, root=BIG.root)
    assert verify_proof(proof, nothing, TEZOS, root=BIG.root, strict=False)[1] is None


# -- bytes ---------------------------------------------------------------------------------------------------------

PROOFS: list[tuple[Held, Computation]] = [
    (THREE, reading("00100")),
    (FOUR, reading("00000", "00011")),
    (MANY, reading("k3", "nope")),
    (MANY, lambda tree: (tree.remove("k7").add("new", b"1"), tree.length())),
    (Held({"a/b": b"1", "a/c": b"22", "d": b"\xff\x00"}, FLAT), reading("a/b", "d")),
]


PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
MUTANTS = {"quick": 120, "ci": 600}.get(PROFILE, 1 << 30)


def mutants(raw: bytes) -> list[bytes]:
    """Each byte changed in some ways, left out, doubled; each truncation; what follows the end. A sample of them."""
    found = {
        raw[:at] + bytes((b,)) + raw[at + 1 :] for at in range(len(raw)) for b in (0, 1, 2, 3, 127, 128, 255)
    }
    found |= {raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :] for at in range(len(raw))}
    found |= {raw[:at] for at in range(len(raw))} | {raw[:at] + raw[at + 1 :] for at in range(len(raw))}
    found |= {raw[: at + 1] + raw[at:] for at in range(len(raw))} | {raw + b"\0", raw + raw}
    found.discard(raw)
    return Random(1).sample(sorted(found), min(MUTANTS, len(found)))


@pytest.mark.profiled
@pytest.mark.parametrize("number", range(len(PROOFS)))
def test_no_other_bytes_are_taken(number: int) -> None:
    """V5, P36 to P39."""
    held, f = PROOFS[number]
    raw = held.proof(f).to_bytes()
    assert verify_proof(Proof.from_bytes(raw, held.schema), f, held.schema, root=held.root)
    for mutant in mutants(raw):
        with pytest.raises(BadProof):
            verify_proof(Proof.from_bytes(mutant, held.schema), f, held.schema, root=held.root)


@pytest.mark.profiled
@pytest.mark.parametrize("number", range(len(PROOFS)))
def test_no_other_bytes_of_a_stream_are_taken(number: int) -> None:
    """S01 to S05, V5."""
    held, f = PROOFS[number]
    raw = held.stream(f).to_bytes()
    assert verify_stream(StreamProof.from_bytes(raw, held.schema), f, held.schema, root=held.root)
    for mutant in mutants(raw):
        with pytest.raises(BadProof):
            verify_stream(StreamProof.from_bytes(mutant, held.schema), f, held.schema, root=held.root)


def test_claims_beyond_the_bytes_and_the_limits() -> None:
    """P53 to P56: nothing is made room for, and nothing recurses."""
    roots = b"\1" + b"\0" * 32 + b"\1" + b"\0" * 32
    huge = varint(1 << 40)
    for state in (b"\2" + huge, b"\4\5" + huge, b"\5\5" + huge, b"\0" + huge, b"\2\1" + huge):
        with pytest.raises(BadProof, match=r"truncated|a value of|elements are claimed"):
            Proof.from_bytes(roots + state, FLAT)
    for count in (huge, varint((1 << 63) - 1)):
        with pytest.raises(BadProof):
            StreamProof.from_bytes(roots + count, FLAT)
    deep = roots + b"\2\1\1a" * 1_000_000 + b"\3" + b"\0" * 32
    with pytest.raises(BadProof, match="too deep"):
        Proof.from_bytes(deep, FLAT)
    with pytest.raises(BadProof, match="too deep"):
        Proof.from_bytes(roots + b"\4\x7f\1\0" + b"\2\x7f\1\0" * 100_000, SMALL)
    wide = b"".join([b"\1%c" % c + b"\2\0" for c in range(1, 100)])
    with pytest.raises(BadProof, match="node limit"):
        Proof.from_bytes(roots + b"\2\x63" + wide, FLAT, Limits(objects=50))
    with pytest.raises(BadProof, match="the limit is 10"):
        Proof.from_bytes(roots, FLAT, Limits(total=10))
    with pytest.raises(BadProof, match="a value of 5 bytes"):
        Proof.from_bytes(roots + b"\0\5hello", FLAT, Limits(contents=4))


def test_json_has_one_form() -> None:
    proof = FOUR.proof(reading("00000"))
    shown = proof.to_json()
    assert Proof.from_json(shown, TRIE) == proof
    text = json.dumps(shown)
    state = json.dumps(shown["state"])
    for old, new in (
        ('"length": 3', '"length": 3.0'),
        ('"length": 3', '"length": true'),
        ('"length": 3', '"length": 3, "extra": 1'),
        ('"segments": [0, 0]', '"segments": ["0", 0]'),
        ('"segments": [0, 0]', '"segments": 0'),
        ('"after"', '"extra": 1, "after"'),
        ('"after"', '"After"'),
        ('"before": {"Node"', '"before": {"node"'),
        (f'"{shown["before"]["Node"]}"', f'"{shown["before"]["Node"].upper()}"'),
        ('"Inode"', '"Inode_tree"'),
        ('"Inode_extender"', '"Extender"'),
        ('"x"', '{"base64": "eA=="}'),
        ('["x", {}]', '["x", null]'),
        ('["x", {}]', '["x"]'),
        (state, f"[{state}]"),
        (state, "null"),
    ):
        assert old in text
        with pytest.raises(BadProof):
            Proof.from_json(json.loads(text.replace(old, new, 1)), TRIE)
    text = TEZOS.codec.show_hash(BIG.root.hash)
    assert BIG.proof(nothing).to_json()["before"] == {"Node": text}
    with pytest.raises(BadProof, match="a hash is expected"):
        StreamProof.from_json(
            {"before": {"Node": BIG.root.hash.hex()}, "after": {"Node": text}, "state": []}, TEZOS
        )
    for element in ({"Node": [["a", "x"]]}, {"Inode": {"length": 1}}, {"Blinded_node": text}, "Node", {}):
        with pytest.raises(BadProof):
            StreamProof.from_json(
                {"before": {"Node": text}, "after": {"Node": text}, "state": [element]}, TEZOS
            )


def test_every_field_of_a_value_is_looked_at() -> None:
    """V8, P34, P50: whatever a program puts there."""
    hash_ = Hash(b"\1" * 20)
    hidden: Any = BlindedInode(hash_)
    states: dict[str, Any] = {
        "a tuple of pairs": Node([("a", X)]),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        "tuple of pairs": Node((("a", X, 1),)),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        "segments of an extender are a tuple": Extender(3, [0, 1], hidden),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        "bad step": Node(((5, X),)),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        "surrogate": Node((("\ud800", X),)),
        "in the place of an entry": Node((("a", InodeValues((("b", X),))),)),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        "in the place of a bucket": Inode(3, ((0, Node((("b", X),))), (1, hidden))),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        "does not say its length": Inode(3, ((0, BlindedInode(hash_, 2)), (1, hidden))),
        "bad hash size": Node((("a", BlindedNode(Hash(b"\1" * 19))),)),
        "bad hash size: 20": Inode(
            3,
            (
                (
                    0,
                    BlindedInode(Hash(b"")),
                ),
                (1, hidden),
            ),
        ),
        "contents that are none": Node((("a", Contents("text", None)),)),
        "metadata that is none": Node((("a", BlindedContents(hash_, 7)),)),
        "contents are blinded at one place": Node((("a", Contents(b"x", None)), ("b", X))),
    }
    for reason, state in states.items():
        with pytest.raises(ProofMismatch, match=reason):
            hash_of_proof_state(state, TRIE)
    for data in (b"\xff", b"\xc0\x80"):
        raw = b"\1" + b"\0" * 32 + b"\1" + b"\0" * 32 + b"\2\1\1a\0" + varint(len(data)) + data
        with pytest.raises(BadProof, match="contents that are none"):
            Proof.from_bytes(raw, TEXT)
    proof = Proof(THREE.root, THREE.root, THREE.proof(everything).state, TRIE)
    for limits, reason in (
        (Limits(contents=0), "/ bucket .*: a value of 1 bytes|/00100: a value of 1 bytes"),
        (Limits(objects=3), "node limit: more than 3 objects"),
    ):
        with pytest.raises(ProofMismatch, match=reason):
            verify_proof(proof, nothing, TRIE, root=THREE.root, limits=limits)
        proof = Proof(THREE.root, THREE.root, proof.state, TRIE)
    deep = Node((("a", Node((("a", Node((("a", X),))),))),))
    root = hash_of_proof_state(deep, TRIE)
    with pytest.raises(ProofMismatch, match="too deep: the limit is 1 directories"):
        verify_proof(Proof(root, root, deep, TRIE), nothing, TRIE, root=root, limits=Limits(depth=1))


TEXT = Schema(String(), hash=BLAKE2B(32), format=Irmin(None))


def test_bytes_are_refused_where_they_are_wrong() -> None:
    """P38, P54, V7, V8: each with the byte."""
    roots = b"\1" + b"\0" * 32 + b"\1" + b"\0" * 32
    negative = varint((1 << 63) - 1)
    for schema, tail, limits, reason in (
        (FLAT, b"\3" + b"\0" * 31, Limits(), r"byte \d+: truncated: 32 bytes are claimed, 31"),
        (FLAT, b"\2\1\5a", Limits(), r"byte \d+: truncated"),
        (FLAT, b"\0\5hello", Limits(contents=4), r"byte \d+: a value of 5 bytes"),
        (FLAT, b"\0" + negative, Limits(), r"byte \d+: bad length: -1"),
        (FLAT, b"\2\1" + negative, Limits(), r"byte \d+: bad length: -1"),
        (FLAT, b"\2" + negative, Limits(), r"byte \d+: truncated: -1 elements"),
        (SMALL, b"\5\x7f\x33" + b"\0" * 51 + b"\0" * 33, Limits(), r"byte \d+: too deep"),
        (SMALL, b"\4\x7f\1\0" + b"\2\x7f\1\0" * 60 + b"\0" * 33, Limits(), r"byte \d+: too deep"),
        (FLAT, b"\2\1\1a\2\1\1a\2\1\1a\3" + b"\0" * 32, Limits(depth=1), r"byte \d+: too deep"),
        (FLAT, b"\2\2\1a\0\0\1b\0\0", Limits(objects=2), r"byte \d+: node limit"),
        (FLAT, b"\2\2\1a\0\0\1b\0\0", Limits(density=4), r"byte \d+: node limit"),
        (FLAT, b"\6", Limits(), r"byte \d+: unknown tag 6 of a part"),
        (SMALL, b"\4\x7f\1\0\4", Limits(), r"byte \d+: unknown tag 4 of a bucket"),
        (FLAT, b"\0\1a\0", Limits(), r"byte \d+: trailing data: 1"),
    ):
        with pytest.raises(BadProof, match=reason):
            Proof.from_bytes(roots + tail, schema, limits)
    with pytest.raises(BadProof, match=r"byte \d+: unknown tag 2 of a root"):
        Proof.from_bytes(b"\2" + roots, FLAT)
    with pytest.raises(BadProof, match=r"byte \d+: metadata that are none"):
        Proof.from_bytes((b"\1" + b"\0" * 20) * 2 + b"\0\1a", MODES)
    with pytest.raises(BadProof, match=r"byte \d+: node limit"):
        StreamProof.from_bytes(roots + b"\2" + b"\0\0" * 2, FLAT, Limits(objects=1))
    with pytest.raises(BadProof, match="the limit is 10"):
        StreamProof.from_bytes(roots, FLAT, Limits(total=10))


@pytest.mark.parametrize("value", ["0A", "a", "zz", 7, None, ["07"], "0707"])
def test_metadata_in_json_have_one_form(value: Any) -> None:
    root = {"Node": "00" * 20}
    shown = {"before": root, "after": root, "state": {"Blinded_contents": ["11" * 20, value]}}
    with pytest.raises(BadProof, match=r"metadata in hexadecimal digits|metadata that are none"):
        Proof.from_json(shown, MODES)


@pytest.mark.parametrize(
    "value", [5, None, {"base64": "!"}, {"base64": "YQ"}, {"base64": 5}, {"hex": "00"}, ["a"]]
)
def test_strings_in_json_have_one_form(value: Any) -> None:
    root = {"Node": "00" * 20}
    for state in ({"Contents": [value, {}]}, {"Node": [[value, {"Blinded_node": "11" * 20}]]}):
        with pytest.raises(BadProof, match=r"a string is expected|not canonical"):
            Proof.from_json({"before": root, "after": root, "state": state}, TRIE)


# -- streams -------------------------------------------------------------------------------------------------------


def elements_of(held: Held, f: Computation) -> list[bytes]:
    return list(held.stream(f).elements)


def follow(elements: list[bytes], f: Computation, held: Held = THREE) -> Any:
    proof = StreamProof(held.root, held.root, elements, held.schema)
    return verify_stream(proof, f, held.schema, root=held.root)[1]


def written(*parts: int | bytes) -> bytes:
    return b"".join([varint(part) if isinstance(part, int) else part for part in parts])


def test_a_chain_in_a_stream_is_one_extender() -> None:
    """S08: the same inodes one by one, an extender of one, one that is cut, and one that reaches too far."""
    elements = elements_of(THREE, reading("00100"))
    below = bytes.fromhex("25c1a3d3bb7e5124cf61954851d0c9ccf5113d4e")
    hashes = [below]
    for depth, index in ((2, 1), (1, 0)):
        hashes.append(TRIE.codec.digest(TRIE.codec.encode_inode(depth, bytes([index]), [3], hashes[-1])))
    two, one = hashes[1], hashes[2]
    assert follow(elements, reading("00100")) == [b"x"]
    single = [written(2, 3, 1, 0, one), written(2, 3, 1, 0, two), written(2, 3, 1, 1, below)]
    for head in (
        single,
        [written(3, 3, 2, 0, 0, two), single[2]],
        [single[0], written(3, 3, 2, 0, 1, below)],
    ):
        with pytest.raises(ProofMismatch, match="not written as an extender"):
            follow([*head, *elements[1:]], reading("00100"))
    for wrong in (written(3, 3, 1, 0, one), written(3, 3, 0, below)):
        with pytest.raises(ProofMismatch, match="segments, and two are the least"):
            follow([wrong, *single[1:], *elements[1:]], reading("00100"))

    def root_only(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        return tree, tree.length()

    assert follow(elements_of(THREE, root_only), root_only) == 3
    with pytest.raises(ProofMismatch, match="reaches further"):
        follow([elements[0]], root_only)
    with pytest.raises(ProofMismatch, match="mismatch"):
        follow([written(3, 3, 3, 1, 0, 0, below), *elements[1:]], reading("00100"))
    with pytest.raises(ProofMismatch, match="mismatch"):
        follow([written(3, 4, 3, 0, 0, 1, below), *elements[1:]], reading("00100"))


def test_a_stream_is_read_to_its_end_and_no_further() -> None:
    """S01 to S04, S06, S10: and what the run catches changes nothing."""
    f = reading("k3", "k4")
    elements = elements_of(MANY, f)
    assert follow(elements, f, MANY) == [b"v3", b"v4"]
    with pytest.raises(StreamTooLong):
        follow([*elements, elements[-1]], f, MANY)
    with pytest.raises(StreamTooShort):
        follow(elements[:-1], f, MANY)
    with pytest.raises(ProofMismatch):
        follow([elements[1], elements[0], *elements[2:]], f, MANY)
    with pytest.raises(BadProof):
        follow([elements[0], *elements], f, MANY)
    with pytest.raises(BadProof):
        follow(elements, reading("k4", "k3"), MANY)

    def swallowing(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        with contextlib.suppress(BadProof):
            tree.find("k3")
        return tree, None

    with pytest.raises(StreamTooShort):
        follow(elements[:1], swallowing, MANY)


def test_the_inodes_of_a_flat_directory_follow_it() -> None:
    """A stable directory of more entries than a bucket holds: Irmin writes its inodes, too, and they must be right."""
    held = Held({f"k{i}": b"v%d" % i for i in range(40)}, TEZOS)
    f = reading("k7")
    elements = elements_of(held, f)
    assert len(elements) > 10
    assert follow(elements, f, held) == [b"v7"]
    for at in range(1, len(elements) - 1):
        with pytest.raises(BadProof):
            follow([*elements[:at], *elements[at + 1 :]], f, held)
    swapped = [*elements[:1], elements[2], elements[1], *elements[3:]]
    with pytest.raises(ProofMismatch, match="another inode"):
        follow(swapped, f, held)
    with pytest.raises(ProofMismatch, match="wrong proof type"):
        verify_proof(held.stream(f), f, TEZOS, root=held.root)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def lying(depth: int, count: int) -> tuple[KindedHash, list[bytes], Objects]:
    """A directory of three entries whose only bucket is an inode of `depth` that holds `count`; its elements."""
    codec = TRIE.codec
    values: list[tuple[list[str], bytes]] = [(["00100", "00101"], b"xy"), (["00110"], b"z")]
    objects = Objects()
    hashes: list[bytes] = []
    elements: list[bytes] = []
    for steps, contents in values:
        column = b"".join([codec.digest(bytes([c])) for c in contents])
        data = codec.encode_bucket(steps, b"\1" * len(steps), column, [])
        hashes.append(codec.digest(data))
        objects.nodes[hashes[-1]] = data
    inner = codec.encode_inode(depth, b"\0\1", [count], b"".join(hashes))
    root = codec.encode_inode(0, b"\0", [3], codec.digest(inner))
    objects.nodes[codec.digest(inner)] = inner
    objects.nodes[codec.digest(root)] = root
    elements.append(written(2, 3, 1, 0, codec.digest(inner)))
    elements.append(written(2, count, 2, 0, hashes[0], 1, hashes[1]))
    return KindedHash("node", Hash(codec.digest(root))), elements, objects


@pytest.mark.parametrize(("depth", "count"), [(2, 3), (3, 3), (1, 4)])
def test_an_inode_of_another_depth_or_length_is_refused(depth: int, count: int) -> None:
    """PT-26: as an element of a stream, and in a store."""
    root, elements, objects = lying(depth, count)

    def looking(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        try:
            return tree, tree.find("00100")
        except Corrupted:
            return tree, None

    with pytest.raises(ProofMismatch, match=r"kind mismatch|bad length|misplaced"):
        verify_stream(StreamProof(root, root, elements, TRIE), looking, TRIE, root=root)
    repo = irminpy.open("mem:", TRIE)
    backend = repo._opened.backend  # pyright: ignore[reportPrivateUsage]
    backend.write(objects)
    assert backend.read(Kind.NODE, root.hash) is not None
    with pytest.raises(Corrupted, match="depth or count"):
        Tree.shallow(repo, root).find("00100")


def test_a_misplaced_entry_in_a_stream_is_refused() -> None:
    """P01, P04, V4: the run may have seen nothing of it."""
    root, elements, objects = lying(1, 3)
    # At depth 1 the steps have the digit 0, all of them.
    high = list(objects.nodes.values())[1]
    bucket = written(1, 1) + b"\x0500110" + b"\0" + high[-20:]

    def looking(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        return tree, tree.find("01000")

    with pytest.raises(ProofMismatch, match="misplaced"):
        verify_stream(StreamProof(root, root, [*elements, bucket], TRIE), looking, TRIE, root=root)


def test_every_element_of_a_stream_is_looked_at() -> None:
    """S03, S05, P21, P31, P52, V1, V8."""
    f = reading("00100")
    elements = elements_of(THREE, f)
    for at, element, reason in (
        (3, b"\0\1y", "mismatch: another object"),
        (3, b"\0\1x\0", "not canonical: trailing data"),
        (3, b"\0\2x", "not canonical: truncated"),
        (3, b"\x09", "not canonical: unknown tag"),
        (3, elements[2], "kind mismatch: Node where contents"),
        (2, elements[3], "kind mismatch: Contents where a directory"),
        (2, elements[1], "mismatch: another object"),
        (1, written(2, 0, 1, 0, b"\1" * 20), "bad length: 0"),
        (1, written(2, 3, 1, 2, b"\1" * 20), "index out of range"),
        (0, written(3, 3, 3, 0, 0, 2, b"\1" * 20), "index out of range"),
        (0, written(3, (1 << 63) - 1, 2, 0, 0, b"\1" * 20), "bad length: -1"),
        (0, written(3, 3, 50, *[0] * 50, b"\1" * 20), "mismatch: another object"),
        (
            0,
            written(3, 3, 51, *[0] * 51, b"\1" * 20),
            "too deep: an extender of 51 segments, and there are 50 levels",
        ),
    ):
        with pytest.raises(ProofMismatch, match=reason) as caught:
            follow([*elements[:at], element, *elements[at + 1 :]], f)
        assert caught.value.place == f"element {at + 1}"
    with pytest.raises(ProofMismatch, match="an element is bytes"):
        follow([*elements[:3], "x"], f)  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


def own(schema: Schema[Any, Any], data: bytes) -> KindedHash:
    return KindedHash("node", Hash(schema.codec.digest(data)))


def test_a_root_of_the_provers_own_does_not_help_in_a_stream() -> None:
    """P11, P52, V3, V8: directories that no store has."""
    codec = FLAT.codec
    empty = codec.encode_node(["a"], b"\0", codec.empty, [])
    element = written(1, 1, b"\1a", b"\1", codec.empty)
    root = own(FLAT, empty)
    with pytest.raises(ProofMismatch, match="empty directory"):
        verify_stream(StreamProof(root, root, [element], FLAT), reading("a"), FLAT, root=root)
    text = TEXT.codec.encode_contents([b"\xff"])[0]
    data = TEXT.codec.encode_node(["a"], b"\1", TEXT.codec.digest(text), [])
    root = own(TEXT, data)
    row = written(1, 1, b"\1a", b"\0", TEXT.codec.digest(text))
    with pytest.raises(ProofMismatch, match="contents that are none"):
        verify_stream(StreamProof(root, root, [row, b"\0\1\xff"], TEXT), reading("a"), TEXT, root=root)
    # An inode of depth 1 in the place of a directory.
    codec = TRIE.codec
    inner = codec.encode_inode(1, b"\0\1", [3], b"\1" * 20 + b"\2" * 20)
    data = codec.encode_node(["0"], b"\0", codec.digest(inner), [])
    root = own(TRIE, data)
    rows = [
        written(1, 1, b"\x010", b"\1", codec.digest(inner)),
        written(2, 3, 2, 0, b"\1" * 20, 1, b"\2" * 20),
    ]

    def looking(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        with contextlib.suppress(Corrupted):
            return tree, tree.length("0")
        return tree, None

    with pytest.raises(ProofMismatch, match="kind mismatch"):
        verify_stream(StreamProof(root, root, rows, TRIE), looking, TRIE, root=root)
    # Steps that no order of inodes has an answer for.
    odd = Schema(hash=SHA1(), format=Irmin2(Inodes(2, 3, Custom("ascii/1", _digit))))
    steps, column = ["0", "1", "x"], b"".join([bytes([i]) * 20 for i in range(3)])
    root = own(odd, odd.codec.encode_node(steps, b"\1\1\1", column, []))
    row = written(1, 3, *[b"\1" + step.encode() + b"\0" + bytes([i]) * 20 for i, step in enumerate(steps)])
    with pytest.raises(ProofMismatch, match="no inodes can hold"):
        verify_stream(StreamProof(root, root, [row], odd), looking, odd, root=root)


def test_a_bucket_that_two_directories_share_may_be_blinded_in_one() -> None:
    """Irmin shows a bucket in the directory through which it was read; here that is a matter of `strict`."""
    held = Held({f"{side}/k{i}": b"v" for side in "ab" for i in range(12)} | {"b/k0": b"w"}, SMALL)
    path = next(
        f"a/k{i}" for i in range(1, 12) if SMALL.codec.digit(f"k{i}", 0) != SMALL.codec.digit("k0", 0)
    )
    proof = held.proof(reading(path, path.replace("a/", "b/")))
    state = proof.state
    assert isinstance(state, Node)
    (_, left), (_, right) = state.entries
    assert isinstance(left, Inode)
    assert isinstance(right, Inode)
    shared = next(
        i
        for i, (part, other) in enumerate(zip(left.proofs, right.proofs, strict=True))
        if part == other and not isinstance(part[1], BlindedInode)
    )
    part = right.proofs[shared][1]
    whole = hash_of_proof_state(Node((("b", right),)), SMALL)
    assert whole
    inode = SMALL.codec
    shown = proof.shown()
    hashes = {
        hash_
        for hash_, record in shown.nodes.items()
        if record.count == (part.length if isinstance(part, InodeTree) else len(getattr(part, "entries", ())))
    }
    root_record = shown.nodes[Tree.shallow(held.repo, held.root).get_tree("b").hash()]
    blinded = BlindedInode(
        Hash(root_record.hashes[shared * inode.hash_size : (shared + 1) * inode.hash_size])
    )
    assert blinded.hash in hashes
    apart = Node(
        (
            ("a", left),
            (
                "b",
                Inode(
                    right.length,
                    tuple((n, blinded if i == shared else p) for i, (n, p) in enumerate(right.proofs)),
                ),
            ),
        )
    )
    as_irmin = Proof(held.root, held.root, apart, SMALL)
    with pytest.raises(ProofMismatch, match="inconsistent sharing"):
        verify_proof(as_irmin, reading(path), SMALL, root=held.root)
    assert verify_proof(as_irmin, reading(path), SMALL, root=held.root, strict=False)[1] == [b"v"]


def test_read_is_a_job_of_these_formats_too() -> None:
    job = Read(["k1", "nope"])
    proof, found = BIG.repo.produce_proof(BIG.root, job)
    assert verify_proof(Proof.from_bytes(proof.to_bytes(), TEZOS), job, TEZOS, root=BIG.root.hash)[1] == found


def test_the_elements_of_a_stream_in_json_are_a_list() -> None:
    root = {"Node": "00" * 20}
    for value in ({"a": 1}, "ab", None):
        with pytest.raises(BadProof, match="a list of elements is expected"):
            StreamProof.from_json({"before": root, "after": root, "state": value}, TRIE)
