"""The cases of a hostile prover, one test each: P01 to P63 (docs/proofs.md tells what they have in common).

A case that begins with a root of the prover's own checks the rule alone; wherever it matters, the same is tried against
the root that the caller trusts.
"""

from __future__ import annotations

import sys
import threading
import zlib
from dataclasses import replace
from typing import Any

import pytest

import irminpy
from irminpy import Hash, KindedHash, Proof, ProofMismatch, Schema, Tree, verify_proof
from irminpy.contents import String
from irminpy.errors import BadProof, DanglingHash, NotFound, PrunedHash
from irminpy.formats import Native
from irminpy.hash import SHA256
from irminpy.proof import (
    BlindedContents,
    BlindedInode,
    BlindedNode,
    Contents,
    Extender,
    Inode,
    InodeTree,
    InodeValues,
    Limits,
    Node,
    hash_of_proof_state,
)
from irminpy.proof.compact import head, varint

from .stores import MODES, SMALL, Computation, carried, root_of, store_of

WIDE = Schema(String(), format=Native(fanout=16, leaf=2))
"""Eight entries make an inner node whose buckets are flat."""

STEPS = [f"k{i}" for i in range(8)]
MAIN = store_of({step: f"v{step}" for step in STEPS}, WIDE)
ROOT = MAIN.tree().kinded_hash()
DEEP = store_of({f"k{i}": f"v{i}" for i in range(40)}, SMALL)


def everything(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
    return tree, tree.to_concrete()


def reading(path: str) -> Computation:
    return lambda tree: (tree, tree.find(path))


def nothing(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
    return tree, None


def whole() -> Inode[str, Any]:
    """All of MAIN."""
    state = MAIN.produce_proof(everything)[0].state
    assert isinstance(state, Inode)
    return state


def refused(
    state: Any,
    reason: str,
    schema: Schema[Any, Any] = WIDE,
    root: KindedHash = ROOT,
    f: Computation = everything,
) -> BadProof:
    """`state` is refused for `reason`, as a value, and as a statement of its own about whatever root it has."""
    with pytest.raises(ProofMismatch, match=reason) as caught:
        verify_proof(Proof(root, root, state, schema), f, schema, root=root)
    return caught.value


def moved(inode: Inode[str, Any], *, keep: bool = False, value: str | None = None) -> Inode[str, Any]:
    """`inode` with the first entry of its first bucket in another one; `keep` leaves it there, too."""
    buckets = dict(inode.proofs)
    source = min(buckets)
    part = buckets[source]
    assert isinstance(part, InodeValues)
    (step, child), *rest = part.entries
    target = next(
        d for d, b in buckets.items() if d != source and isinstance(b, InodeValues) and len(b.entries) == 1
    )
    into = buckets[target]
    assert isinstance(into, InodeValues)
    moving = child if value is None else Contents(value, None)
    buckets[target] = InodeValues(tuple(sorted([*into.entries, (step, moving)], key=lambda row: row[0])))
    if not keep:
        if rest:
            buckets[source] = InodeValues(tuple(rest))
        else:
            del buckets[source]
    length = inode.length + (1 if keep else 0)
    return Inode(length, tuple(sorted(buckets.items())))


# -- entries in wrong places ---------------------------------------------------------------------------------


def test_p01_an_entry_in_another_bucket() -> None:
    """P01: as a value; the way to its own bucket would make it look absent."""
    refused(moved(whole()), "misplaced entry")


def test_p02_a_false_value_in_one_bucket_and_the_true_one_in_another() -> None:
    """P02."""
    refused(moved(whole(), keep=True, value="false"), "misplaced entry")


def test_p03_the_same_step_in_two_buckets() -> None:
    """P03: with equal values, of which one is blinded since a value is shown once."""
    state = moved(whole(), keep=True)
    buckets = dict(state.proofs)
    first = buckets[min(buckets)]
    assert isinstance(first, InodeValues)
    step, _ = first.entries[0]
    value = MAIN.tree().get_tree(step).hash()
    for digit, bucket in buckets.items():
        if digit != min(buckets) and isinstance(bucket, InodeValues):
            rows = [(s, BlindedContents(value, None) if s == step else c) for s, c in bucket.entries]
            buckets[digit] = InodeValues(tuple(rows))
    refused(Inode(state.length, tuple(buckets.items())), "misplaced entry")


def test_p04_an_entry_at_a_wrong_depth_or_bucket_even_if_all_is_hashed_again() -> None:
    """P04: the bytes of such a tree are refused whatever root they are for."""
    proof, _ = DEEP.produce_proof(everything)
    state = proof.state
    assert isinstance(state, Inode)
    low, high = state.proofs
    swapped = Inode(state.length, ((low[0], high[1]), (high[0], low[1])))
    error = refused(swapped, "misplaced entry", SMALL)
    assert "bucket" in error.place
    honest = proof.to_bytes()
    start = len(head(SMALL, 1)) + 1
    # The first inner node, both its buckets revealed, becomes one with its two bits exchanged by a blinded one.
    assert honest[start : start + 3] == bytes((1, 1, 2 | 2 << 2))
    for place in range(start, len(honest)):
        mutant = bytearray(honest)
        mutant[place] ^= 1
        with pytest.raises(BadProof):
            verify_proof(Proof.from_bytes(bytes(mutant), SMALL), everything, SMALL, root=proof.before)


def test_p05_a_flat_node_that_is_too_large() -> None:
    """P05."""
    rows = tuple((step, Contents(f"v{step}", None)) for step in STEPS)
    refused(Node(rows), "not canonical shape")
    raw = head(WIDE, 1) + b"\0\1" + varint(16) + b"\2" * 8 + b"\5" * 8 + "".join(STEPS).encode()
    raw += b"".join(b"\3v" + step.encode() for step in STEPS)
    with pytest.raises(ProofMismatch, match="not canonical"):
        Proof.from_bytes(raw, WIDE)


def test_p06_an_inner_node_that_is_too_small() -> None:
    """P06."""
    digit, bucket = whole().proofs[0]
    assert isinstance(bucket, InodeValues)
    refused(Inode(len(bucket.entries), ((digit, bucket),)), "not canonical")


def test_p21_an_index_out_of_range() -> None:
    """P21."""
    (_, bucket), *rest = whole().proofs
    for index in (-1, 16, 1 << 31, 1 << 63, "0", 1.0, True, None):
        refused(Inode(8, ((index, bucket), *rest)), "index out of range")  # type: ignore[arg-type]


def test_p22_an_index_twice() -> None:
    """P22."""
    first, *rest = whole().proofs
    refused(Inode(8, (first, first, *rest)), "duplicate index")


def test_p23_indices_that_descend() -> None:
    """P23."""
    refused(Inode(8, tuple(reversed(whole().proofs))), "unsorted")


def test_p24_steps_out_of_order() -> None:
    """P24."""
    rows = (("b", Contents("1", None)), ("a", Contents("2", None)))
    refused(Node(rows), "unsorted")
    raw = head(WIDE, 1) + b"\0\1" + varint(4) + b"\1\1" + b"\5\5" + b"ba" + b"\1x\1y"
    with pytest.raises(ProofMismatch, match="not strictly ascending"):
        Proof.from_bytes(raw, WIDE)


def test_p25_a_step_twice() -> None:
    """P25, P40: first false, then true. The bytes have no maps in which a reader might keep the last."""
    rows = (("a", Contents("false", None)), ("a", Contents("true", None)))
    refused(Node(rows), "duplicate entry")
    raw = head(WIDE, 1) + b"\0\1" + varint(4) + b"\1\1" + b"\5\5" + b"aa" + b"\1x\1y"
    with pytest.raises(ProofMismatch, match="not strictly ascending"):
        Proof.from_bytes(raw, WIDE)


def test_p26_an_inner_node_without_buckets() -> None:
    """P26."""
    refused(Inode(8, ()), "empty inode")
    with pytest.raises(BadProof):
        Proof.from_bytes(head(WIDE, 1) + b"\0\1" + b"\1" + bytes(4), WIDE)


def test_p27_a_bucket_without_entries() -> None:
    """P27."""
    (digit, _), *rest = whole().proofs
    refused(Inode(8, ((digit, InodeValues(())), *rest)), "empty bucket")


def test_p28_a_bucket_with_too_many_entries() -> None:
    """P28."""
    digit, _ = whole().proofs[0]
    rows = tuple((step, BlindedContents(Hash(bytes(32)), None)) for step in STEPS)
    refused(Inode(8, ((digit, InodeValues(rows)),)), "too many values")


def test_p29_to_p31_lengths() -> None:
    """P29, P30, P31: smaller or larger than what is visible, nothing, negative, too large, no number."""
    proofs = whole().proofs
    for length in (7, 9, 1, 1 << 62, 0, -1, 1 << 63, True, 8.0):
        refused(Inode(length, proofs), "bad length")  # type: ignore[arg-type]
    (digit, _), *rest = proofs
    for count in (0, -1, 1 << 63, None):
        refused(Inode(8, ((digit, BlindedInode(Hash(bytes(32)), count)), *rest)), "bad length")


def test_p33_too_deep() -> None:
    """P33, P57: an inner node below the last digit; no grinding of names gets there in more than linear time."""
    part: Any = BlindedInode(Hash(b"x" * 32), 5)
    for level in range(300):
        part = (Inode if level == 299 else InodeTree)(5, ((0, part),))
    refused(part, "too deep", SMALL)
    raw = head(SMALL, 1) + b"\0\1" + b"\1\2" * 300
    with pytest.raises(BadProof, match="too deep"):
        Proof.from_bytes(raw, SMALL)


def test_p52_an_entry_that_is_an_empty_directory() -> None:
    """P52: revealed or blinded."""
    refused(Node((("a", Node(())),)), "empty directory")
    refused(Node((("a", BlindedNode(Hash(WIDE.codec.empty))),)), "empty directory")
    raw = head(WIDE, 1) + b"\0\1" + varint(2) + b"\1\4a" + b"\0"
    with pytest.raises(ProofMismatch, match="empty directory"):
        Proof.from_bytes(raw, WIDE)


# -- roots ----------------------------------------------------------------------------------------------------


def test_p07_another_root_before() -> None:
    """P07, P46, PT-11, PV-04: the proof's claim, or the root that the caller trusts, is another."""
    proof, _ = MAIN.produce_proof(everything)
    other = KindedHash("node", Hash(b"x" * 32))
    lying = Proof(other, proof.after, proof.state, WIDE)
    for root in (other, ROOT):
        with pytest.raises(ProofMismatch, match="root mismatch"):
            verify_proof(lying, everything, WIDE, root=root)
    with pytest.raises(ProofMismatch, match="root mismatch"):
        verify_proof(proof, everything, WIDE, root=other)
    with pytest.raises(ProofMismatch, match="root mismatch"):
        lying.to_bytes()
    with pytest.raises(irminpy.InvalidHash):
        verify_proof(proof, everything, WIDE, root=b"short")
    with pytest.raises(TypeError):
        verify_proof(proof, everything, WIDE, root=ROOT.hash.hex())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        verify_proof(proof, everything, WIDE)  # type: ignore[call-arg]


def test_p08_another_root_after() -> None:
    """P08, PT-12."""
    proof, _ = MAIN.produce_proof(lambda tree: (tree.add("new", "n"), None))
    for after in (ROOT, KindedHash("node", Hash(b"x" * 32)), KindedHash("contents", proof.after.hash)):
        lying = carried(Proof(proof.before, after, proof.state, WIDE), WIDE)
        with pytest.raises(ProofMismatch, match="after mismatch"):
            verify_proof(lying, lambda tree: (tree.add("new", "n"), None), WIDE, root=ROOT)


def test_p09_the_kind_comes_from_the_parent() -> None:
    """P09, P10: nothing empty is everything empty, and no contents are a node, whatever their bytes."""
    empty = SMALL.codec.empty
    main = store_of({"node": "x", "dir/a": "y"}, SMALL)
    root = main.tree().kinded_hash()
    node = Node((("dir", Contents("", None)), ("node", Contents("x", None))))
    refused(node, "root mismatch", SMALL, root)
    refused(Contents("", None), "root mismatch", SMALL, KindedHash("node", Hash(empty)))
    refused(Node(()), "root mismatch", SMALL, KindedHash("contents", Hash(empty)))
    plain = Schema()
    inner = plain.codec.encode_node(["a"], b"\1", bytes(32), [])
    outer = irminpy.open("mem:", plain).main()
    outer.set("node", inner, message="")
    claim = Node((("node", Node((("a", BlindedContents(Hash(bytes(32)), None)),))),))
    refused(claim, "root mismatch", plain, outer.tree().kinded_hash())


def test_p11_a_bucket_is_no_directory() -> None:
    """P11: the hash of a bucket where a directory is due, shown elsewhere or not; and the reverse."""
    proof, _ = DEEP.produce_proof(everything)
    state = proof.state
    assert isinstance(state, Inode)
    bucket = state.proofs[0][1]
    assert isinstance(bucket, InodeTree)
    refused(Node((("a", bucket),)), "kind mismatch", SMALL)  # type: ignore[arg-type]
    refused(Inode(80, ((0, state), (1, state))), "kind mismatch", SMALL)  # type: ignore[arg-type]
    # Its hash, as that of a directory beside the place where it is revealed.
    shown = proof.shown()
    (hash_,) = [h for h, record in shown.nodes.items() if getattr(record, "depth", None) == 1][:1]
    refused(Node((("a", state), ("b", BlindedNode(Hash(hash_))))), "kind mismatch", SMALL)
    directory = hash_of_proof_state(state, SMALL).hash
    both = (
        ("a", state),
        ("b", Inode(80, ((0, BlindedInode(directory, 40)), (1, BlindedInode(directory, 40))))),
    )
    refused(Node(both), "kind mismatch", SMALL)


def test_p12_a_commit_is_no_tree() -> None:
    """P12."""
    proof, _ = MAIN.produce_proof(everything)
    commit = MAIN.head().hash
    with pytest.raises(ProofMismatch, match="root mismatch"):
        verify_proof(proof, everything, WIDE, root=commit)
    kinded = KindedHash("node", commit)
    refused(BlindedNode(commit), "read of a blinded part", WIDE, kinded)


def test_p13_contents_are_no_directory() -> None:
    """P13."""
    key = MAIN.tree().get_tree("k0").kinded_hash()
    proof = Proof(key, key, Contents("vk0", None), WIDE)
    with pytest.raises(NotFound):
        verify_proof(proof, lambda tree: (tree, tree.get("k0")), WIDE, root=key)


def test_p14_a_blinded_root_that_is_read() -> None:
    """P14."""
    refused(BlindedNode(ROOT.hash), "read of a blinded part")


def test_p15_a_blinded_root_that_is_not_read() -> None:
    """P15."""
    other = KindedHash("node", Hash(b"x" * 32))
    proof = Proof(ROOT, other, BlindedNode(ROOT.hash), WIDE)
    with pytest.raises(ProofMismatch, match="after mismatch"):
        verify_proof(proof, nothing, WIDE, root=ROOT)
    assert verify_proof(Proof(ROOT, ROOT, BlindedNode(ROOT.hash), WIDE), nothing, WIDE, root=ROOT)[1] is None


def test_p45_absence_is_not_shown_by_another_directory() -> None:
    """P45."""
    main = store_of({"a/x": "1", "b/y": "2"}, WIDE)
    a = main.tree().get_tree("a")
    proof, result = irminpy.Repo(main._opened).produce_proof(a.kinded_hash(), reading("y"))
    assert result is None
    with pytest.raises(ProofMismatch, match="root mismatch"):
        verify_proof(proof, reading("y"), WIDE, root=root_of(main))
    swapped = Node((("a", BlindedNode(a.hash())), ("b", proof.state)))
    root = main.tree().kinded_hash()
    refused(swapped, "inconsistent sharing|root mismatch", WIDE, root, reading("b/y"))


def test_p49_metadata_belong_to_the_root() -> None:
    """P49."""
    main = store_of({"a": ("x", 1), "b": ("y", 0)}, MODES)
    proof, _ = main.produce_proof(lambda tree: (tree, tree.get_all("a")))
    state = proof.state
    assert isinstance(state, Node)
    (step, a), b = state.entries
    assert isinstance(a, Contents)
    root = proof.before
    for metadata in (0, 2):
        refused(Node(((step, replace(a, metadata=metadata)), b)), "root mismatch", MODES, root)
    refused(Node(((step, replace(a, metadata="no")), b)), "metadata that is none", MODES, root)
    raw = proof.to_bytes()
    at = raw.index(b"\1\1\1x")
    for wrong in (b"\1\0\1x", b"\2\1\1\1x", b"\0\1x"):
        with pytest.raises(BadProof, match=r"metadata|truncated|trailing"):
            Proof.from_bytes(raw[:at] + wrong + raw[at + 4 :], MODES)


# -- bytes ----------------------------------------------------------------------------------------------------


def test_p34_hashes_of_another_size() -> None:
    """P34: as values; the bytes have no place for their size."""
    for size in (0, 31, 33, 64):
        wrong = Hash(bytes(size))
        for part in (BlindedContents(wrong, None), BlindedNode(wrong)):
            refused(Node((("a", part),)), "bad hash size")
            refused(part, "bad hash size")
        (digit, _), *rest = whole().proofs
        refused(Inode(8, ((digit, BlindedInode(wrong, 1)), *rest)), "bad hash size")


def test_p35_another_hash_function_or_shape() -> None:
    """P35, P48: the schema is part of what is proved."""
    proof, _ = MAIN.produce_proof(everything)
    schemas: list[Schema[Any, Any]] = [
        Schema(String(), hash=SHA256(), format=Native(16, 2)),
        Schema(String(), format=Native(2, 2)),
        Schema(String(), format=Native(16, 3)),
        Schema(format=Native(16, 2)),
    ]
    for schema in schemas:
        with pytest.raises(ProofMismatch, match="parameter mismatch"):
            Proof.from_bytes(proof.to_bytes(), schema)
        with pytest.raises(ProofMismatch, match="parameter mismatch"):
            Proof.from_json(proof.to_json(), schema)
        with pytest.raises(ProofMismatch, match="parameter mismatch"):
            verify_proof(proof, everything, schema, root=ROOT)


def test_p36_unknown_tags() -> None:
    """P36: of the format, its version, the kind, a root, a node, an entry, a bucket."""
    proof, _ = MAIN.produce_proof(reading("k0"))
    raw = proof.to_bytes()
    start = len(head(WIDE, 1))
    reasons = {
        0: "unknown tag",
        4: "version",
        5: "wrong proof type",
        start: "unknown tag",
        start + 1: "unknown tag",
    }
    reasons |= {start + 2: "unknown tag", start + 3: "unknown tag"}
    for place, reason in reasons.items():
        for byte in (3, 9, 255):
            mutant = raw[:place] + bytes((byte,)) + raw[place + 1 :]
            # A root that is contents, a number that goes on, two buckets that are there: other things are wrong.
            if (place, byte) in ((start + 1, 3), (start + 2, 255), (start + 3, 9)):
                continue
            with pytest.raises(BadProof, match=reason):
                Proof.from_bytes(mutant, WIDE)
    entry = head(WIDE, 1) + b"\0\1" + varint(2) + b"\1"
    for state in (3, 7, 8, 255):
        with pytest.raises(BadProof, match="unknown tag of an entry"):
            Proof.from_bytes(entry + bytes((state,)) + b"a" + bytes(32), WIDE)


def test_p37_bytes_after_the_end() -> None:
    """P37."""
    raw = MAIN.produce_proof(everything)[0].to_bytes()
    for more in (b"\0", raw, bytes(40)):
        with pytest.raises(BadProof, match="trailing data"):
            Proof.from_bytes(raw + more, WIDE)


def test_p38_truncation_at_each_byte() -> None:
    """P38."""
    raw = MAIN.produce_proof(lambda tree: (tree.remove("k0"), tree.find("k3")))[0].to_bytes()
    for end in range(len(raw)):
        with pytest.raises(BadProof, match=r"truncated|unknown tag"):
            Proof.from_bytes(raw[:end], WIDE)


def test_p39_numbers_have_one_form() -> None:
    """P39."""
    start = head(WIDE, 1) + b"\0\1"
    honest = start + b"\2" + b"\1" + b"\5a" + b"\1x"
    assert Proof.from_bytes(honest, WIDE).state == Node((("a", Contents("x", None)),))
    for mutant in (
        start + b"\x82\0" + b"\1" + b"\5a" + b"\1x",
        start + b"\2" + b"\x81\0" + b"\5a" + b"\1x",
        start + b"\2" + b"\1" + b"\5a" + b"\x81\0x",
        start + b"\2" + b"\1" + b"\5a" + b"\x81\x80\0x",
    ):
        with pytest.raises(BadProof, match=r"not as short|truncated|not canonical"):
            Proof.from_bytes(mutant, WIDE)
    for number in (b"\xff" * 9 + b"\1", b"\x80" * 20):
        with pytest.raises(BadProof, match="63 bits"):
            Proof.from_bytes(start + number, WIDE)
    for wrong in (bytearray(honest), memoryview(honest), "text", None):
        with pytest.raises(TypeError):
            Proof.from_bytes(wrong, WIDE)  # type: ignore[arg-type]
    after = (
        head(WIDE, 1) + b"\1" + b"\0" + Proof.from_bytes(honest, WIDE).before.hash + honest[len(start) - 1 :]
    )
    with pytest.raises(BadProof, match="written out"):
        Proof.from_bytes(after, WIDE)


def test_p50_bad_steps() -> None:
    """P50: as values and as bytes."""
    for step in ("", "a/b", "a\0b", "x" * 4097, "\ud800", "é" * 2049):
        refused(Node(((step, Contents("x", None)),)), "bad step")
        data = step.encode("utf-8", "surrogatepass")
        raw = head(WIDE, 1) + b"\0\1" + varint(2) + varint(len(data)) + b"\5" + data + b"\1x"
        with pytest.raises(BadProof, match="step"):
            Proof.from_bytes(raw, WIDE)
    refused(Node(((b"bytes", Contents("x", None)),)), "bad step")  # type: ignore[arg-type]


def test_p51_text_is_not_normalised() -> None:
    """P51: one letter in two forms, or in two cases, is two steps."""
    main = store_of({"é": "1", "e\u0301": "2", "E": "3", "e": "4"}, SMALL)
    for path, value in (("é", "1"), ("e\u0301", "2"), ("E", "3"), ("e", "4"), ("É", None)):
        proof, found = main.produce_proof(reading(path))
        assert found == value
        assert verify_proof(carried(proof), reading(path), SMALL, root=root_of(main))[1] == value


# -- what is shown, and what is read ----------------------------------------------------------------------------


def test_p41_one_node_is_shown_in_one_way() -> None:
    """P41: twice, or not at its first place."""
    main = store_of({"a/x": "1", "b/x": "1", "c": "2"}, Schema(String()))
    schema = main.tree().schema
    proof, _ = main.produce_proof(lambda tree: (tree, (tree.find("a/x"), tree.find("b/x"))))
    state = proof.state
    assert isinstance(state, Node)
    (_, a), (_, b), c = state.entries
    assert isinstance(a, Node)
    assert isinstance(b, BlindedNode)
    root = main.tree().kinded_hash()
    f = reading("a/x")
    refused(Node((("a", a), ("b", a), c)), "inconsistent sharing", schema, root, f)
    refused(Node((("a", b), ("b", a), c)), "inconsistent sharing", schema, root, f)
    raw = proof.to_bytes()
    at = raw.index(b"\4\0\1abc")
    later = raw[:at] + b"\0\4\1abc" + raw[at + 6 :]
    with pytest.raises(BadProof, match="inconsistent sharing"):
        Proof.from_bytes(later, schema)
    with pytest.raises(BadProof, match="inconsistent sharing"):
        Proof.from_bytes(raw[:at] + b"\4\4\1abc" + raw[at + 38 :] + raw[-6:], schema)


def test_p42_what_is_not_needed() -> None:
    """P42, US-13: refused, unless the caller says that it may be there."""
    proof, _ = MAIN.produce_proof(everything)
    for f in (reading("k0"), nothing, lambda tree: (tree, tree.length())):
        with pytest.raises(ProofMismatch, match="surplus data") as caught:
            verify_proof(carried(proof, WIDE), f, WIDE, root=ROOT)
        assert caught.value.place
        assert verify_proof(proof, f, WIDE, root=ROOT, strict=False)[1] == f(MAIN.tree())[1]
    smaller = carried(MAIN.produce_proof(reading("k0"))[0], WIDE)
    with pytest.raises(ProofMismatch, match="surplus data"):
        verify_proof(smaller, lambda tree: (tree, tree.kind("k0")), WIDE, root=ROOT)


def test_p43_a_leaf_that_is_needed() -> None:
    """P43, PV-03: the place is told."""
    main = store_of({"a/b": "x", "a/c": "y", "d": "z"}, SMALL)
    proof, _ = main.produce_proof(lambda tree: (tree, tree.kind("a/b")))
    with pytest.raises(ProofMismatch, match="read of a blinded part") as caught:
        verify_proof(carried(proof), reading("a/b"), SMALL, root=root_of(main))
    assert caught.value.place == "/a/b"
    assert isinstance(caught.value.__cause__, PrunedHash)


def test_p44_absence_is_not_shown_by_a_blinded_bucket() -> None:
    """P44, QK-09."""
    proof, length = MAIN.produce_proof(lambda tree: (tree, tree.length()))
    assert length == 8
    digits = {WIDE.codec.digit(step, 0) for step in STEPS}
    inside = next(f"n{i}" for i in range(1000) if WIDE.codec.digit(f"n{i}", 0) in digits)
    outside = next(f"n{i}" for i in range(1000) if WIDE.codec.digit(f"n{i}", 0) not in digits)
    with pytest.raises(ProofMismatch, match="read of a blinded part") as caught:
        verify_proof(carried(proof, WIDE), reading(inside), WIDE, root=ROOT)
    assert caught.value.place == f"/ bucket {WIDE.codec.digit(inside, 0):x}"
    # Where there is no bucket for a step, it is absent.
    assert verify_proof(carried(proof, WIDE), reading(outside), WIDE, root=ROOT)[1] is None


def test_p47_another_function_that_reads_more() -> None:
    """P47."""
    proof, _ = MAIN.produce_proof(reading("k0"))

    def two(path: str) -> Computation:
        return lambda tree: (tree, (tree.find("k0"), tree.find(path)))

    for path in STEPS[1:]:
        with pytest.raises(ProofMismatch, match="read of a blinded part"):
            verify_proof(carried(proof, WIDE), two(path), WIDE, root=ROOT)


def test_p60_a_verified_tree_has_no_store() -> None:
    """P60: read on after the verification."""
    proof, _ = MAIN.produce_proof(reading("k0"))
    tree, _ = verify_proof(carried(proof, WIDE), reading("k0"), WIDE, root=ROOT)
    MAIN.tree().find("k1")
    for path in STEPS[1:]:
        with pytest.raises(DanglingHash):
            tree.find(path)


def test_p63_nothing_is_there_but_the_proof() -> None:
    """P63: a function that brings a store of its own reads what it likes, which docs/proofs.md says."""
    proof, _ = MAIN.produce_proof(reading("k0"))

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        assert tree._home.repo is None
        assert tree._home.codec is not WIDE.codec
        assert tree.key() is None
        assert MAIN.get("k1") == "vk1"
        return tree, tree.find("k0")

    assert verify_proof(carried(proof, WIDE), f, WIDE, root=ROOT)[1] == "vk0"


# -- what it costs ------------------------------------------------------------------------------------------------


def test_p53_nesting_without_end() -> None:
    """P53: 16 MiB of directories in directories, or of inner nodes in inner nodes; no recursion."""
    depth = sys.getrecursionlimit()
    for unit in (b"\2\1\4a", b"\1\2"):
        start = head(SMALL, 1) + b"\0\1"
        raw = start + unit * (((16 << 20) - len(start)) // len(unit))
        with pytest.raises(BadProof, match="too deep"):
            Proof.from_bytes(raw, SMALL)
    legal = head(SMALL, 1) + b"\0\1" + b"\2\1\4a" * 1000 + b"\2\1\5a\1x"
    proof = Proof.from_bytes(legal, SMALL)
    path = "/".join("a" * 1001)
    assert verify_proof(proof, reading(path), SMALL, root=proof.before)[1] == "x"
    again = Proof(proof.before, proof.after, proof.state, SMALL)
    assert again == proof
    assert again.to_bytes() == legal
    assert hash(again.state) == hash(proof.state)
    assert repr(again.state)
    assert Proof.from_json(again.to_json(), SMALL) == proof
    assert sys.getrecursionlimit() == depth


@pytest.mark.parametrize("claim", [1 << 32, 1 << 40, (1 << 62) - 1])
def test_p54_a_count_that_the_input_does_not_hold(claim: int) -> None:
    """P54, P55: nothing is made room for."""
    start = head(WIDE, 1) + b"\0"
    with pytest.raises(BadProof, match=r"truncated|limit"):
        Proof.from_bytes(start + b"\1" + varint(2 * claim) + bytes(20), WIDE)
    with pytest.raises(BadProof, match=r"truncated|limit"):
        Proof.from_bytes(start + b"\3" + varint(claim) + bytes(10), WIDE)
    with pytest.raises(BadProof, match=r"truncated|limit"):
        Proof.from_bytes(start + b"\1" + varint(2) + varint(claim) + b"\5" + bytes(20), WIDE)


def test_p56_a_million_tiny_nodes() -> None:
    """P56."""
    schema = Schema()
    row = bytes((64,)) + b"\1" * 32 + b"\4" * 32 + bytes(range(64, 96))
    raw = b"\0"
    for _ in range(4):
        raw = row + raw * 32
    for limits in (Limits(), Limits(density=1 << 40)):
        with pytest.raises(BadProof, match="node limit"):
            Proof.from_bytes(head(schema, 1) + b"\0\1" + raw, schema, limits)


def test_p58_nothing_is_decompressed() -> None:
    """P58."""
    raw = MAIN.produce_proof(everything)[0].to_bytes()
    with pytest.raises(BadProof, match="unknown tag"):
        Proof.from_bytes(zlib.compress(raw + bytes(1 << 20)), WIDE)


def test_p59_a_function_that_goes_on_for_ever_is_its_callers() -> None:
    """P59: whatever bounds it set for its run goes through."""
    main = store_of({"n": "1000000"}, SMALL)

    class Budget(Exception):
        pass

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        for i in range(int(tree.get("n"))):
            if i == 10:
                raise Budget
        return tree, None

    with pytest.raises(Budget):
        main.produce_proof(f)
    proof, _ = main.produce_proof(reading("n"))
    with pytest.raises(Budget):
        verify_proof(carried(proof), f, SMALL, root=root_of(main))


def test_p62_eight_threads_verify_at_once() -> None:
    """P62: the verdicts are those of one after the other."""
    proofs = [(path, carried(DEEP.produce_proof(reading(path))[0])) for path in (f"k{i}" for i in range(8))]
    root = root_of(DEEP)
    barrier = threading.Barrier(8)
    found: list[tuple[int, int, object]] = []

    def verdict(i: int, j: int) -> object:
        path, _ = proofs[i]
        try:
            return verify_proof(proofs[j][1], reading(path), SMALL, root=root)[1]
        except ProofMismatch as e:
            return e.reason

    def run(i: int) -> None:
        barrier.wait(60)
        found.extend((i, j, verdict(i, j)) for j in range(8))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 64
    assert all(result == verdict(i, j) for i, j, result in found)
    assert all(result == f"v{i}" for i, j, result in found if i == j)


def test_extenders_have_no_place_in_native_proofs() -> None:
    """PS-06: what they must look like where they have one comes with Irmin's forms."""
    for segments in ((), (0,), (0, 1)):
        chain: Any = Extender(8, segments, BlindedInode(Hash(bytes(32)), 8))
        refused(chain, "no extenders")


def test_shapes_of_a_directory_are_checked_one_by_one() -> None:
    """PS-01 to PS-05: the rules of Irmin's loader; each has its cases above, and these are the rest."""
    refused(InodeValues(()), "kind mismatch")
    refused(BlindedInode(Hash(bytes(32)), 1), "kind mismatch")
    refused(Node([("a", BlindedNode(Hash(bytes(32))))]), "tuple of pairs")  # type: ignore[arg-type]
    refused(Node((("a",),)), "tuple of pairs")  # type: ignore[arg-type]
    refused(Contents(1, None), "contents that are none")
    with pytest.raises(TypeError):
        Proof(ROOT, ROOT, "state", WIDE)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Proof(ROOT.hash, ROOT, BlindedNode(ROOT.hash), WIDE)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        verify_proof("proof", everything, WIDE, root=ROOT)  # type: ignore[arg-type]
    big = Limits(contents=2)
    proof, _ = MAIN.produce_proof(everything)
    with pytest.raises(ProofMismatch, match="limit"):
        verify_proof(Proof(ROOT, ROOT, proof.state, WIDE), everything, WIDE, root=ROOT, limits=big)
    with pytest.raises(ProofMismatch, match="node limit"):
        verify_proof(
            Proof(ROOT, ROOT, proof.state, WIDE), everything, WIDE, root=ROOT, limits=Limits(objects=3)
        )


def test_values_are_held_to_the_limit_of_depth() -> None:
    """P53, V7: parts that come as values or as JSON are no deeper than those that come as bytes."""
    state: Any = Node((("a", Contents("x", None)),))
    for _ in range(3):
        state = Node((("a", state),))
    root = hash_of_proof_state(state, WIDE)
    proof = Proof(root, root, state, WIDE)
    verify_proof(proof, everything, WIDE, root=root, limits=Limits(depth=3))
    with pytest.raises(ProofMismatch, match="too deep"):
        verify_proof(Proof(root, root, state, WIDE), everything, WIDE, root=root, limits=Limits(depth=2))


def test_an_extender_in_json_has_segments_and_one_part() -> None:
    """V8: the format decides later whether it has extenders at all."""
    obj = MAIN.produce_proof(nothing)[0].to_json()
    part = [0, {"blinded_inode": "00" * 32, "length": 8}]
    fine = {"length": 8, "segments": [0, 1], "proofs": [part]}
    with pytest.raises(BadProof, match="no extenders"):
        verify_proof(Proof.from_json({**obj, "state": [{"extender": fine}]}, WIDE), nothing, WIDE, root=ROOT)
    changes: list[dict[str, Any]] = [
        {"proofs": []},
        {"proofs": [part, part]},
        {"proofs": [[1, part[1]]]},
        {"segments": 0},
    ]
    for change in changes:
        with pytest.raises(BadProof, match="an extender has segments and one part"):
            Proof.from_json({**obj, "state": [{"extender": {**fine, **change}}]}, WIDE)


def test_what_is_no_commit_is_none_whatever_its_hash() -> None:
    """V1, V3, P12: other bytes, and other objects with their own hash."""
    commit = MAIN.head()
    raw = commit.to_bytes()
    assert irminpy.verify_commit(raw, WIDE, hash=commit.hash).tree_hash == ROOT.hash
    with pytest.raises(ProofMismatch, match="commit mismatch"):
        irminpy.verify_commit(raw[:-1] + bytes((raw[-1] ^ 1,)), WIDE, hash=commit.hash)
    # Hashes that begin alike are shown as a whole: nobody sees a difference in what is cut off.
    alike = commit.hash[:-1] + bytes((commit.hash[-1] ^ 1,))
    with pytest.raises(ProofMismatch, match=f"hash to {commit.hash.hex()}, not to {alike.hex()}"):
        irminpy.verify_commit(raw, WIDE, hash=alike)
    node = WIDE.codec.encode_node(["a"], b"\1", bytes(32), [])
    with pytest.raises(ProofMismatch, match="no commit"):
        irminpy.verify_commit(node, WIDE, hash=WIDE.codec.digest(node))
