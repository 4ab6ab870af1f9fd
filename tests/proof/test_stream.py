"""Stream proofs: the objects in the order in which they are read. S01 to S12."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from irminpy import (
    BadProof,
    Hash,
    KindedHash,
    Proof,
    ProofMismatch,
    StreamProof,
    StreamTooLong,
    StreamTooShort,
    Tree,
    verify_proof,
    verify_stream,
)
from irminpy.errors import DanglingHash, PrunedHash
from irminpy.objects import CONTENTS
from irminpy.proof import Limits

from .stores import SMALL, Computation, root_of, store_of

MAIN = store_of({f"dir/k{i}": f"v{i}" for i in range(20)} | {"a": "1", "b": "2", "c/d": "3"}, SMALL)
ROOT = root_of(MAIN)


def reading(*paths: str) -> Computation:
    return lambda tree: (tree, [tree.find(path) for path in paths])


def with_elements(proof: StreamProof[Any, Any], elements: Any) -> StreamProof[Any, Any]:
    return StreamProof(proof.before, proof.after, elements, SMALL)


def refused(
    elements: Any, f: Computation, error: type[BadProof], reason: str, limits: Limits | None = None
) -> BadProof:
    proof = StreamProof(*(MAIN.tree().kinded_hash(),) * 2, elements, SMALL)
    with pytest.raises(error, match=reason) as caught:
        verify_stream(proof, f, SMALL, root=ROOT, limits=Limits() if limits is None else limits)
    assert type(caught.value) is error
    return caught.value


LOOK = reading("dir/k7", "a", "c/d")
PROOF, _ = MAIN.produce_stream(LOOK)
ELEMENTS = tuple(PROOF.elements)


def test_the_elements_are_the_objects_in_the_order_of_the_reads() -> None:
    """ST-01, ST-02, ST-03, ST-06, PR-11 to PR-13, PT-15: each once, a node before what it leads to."""
    codec = SMALL.codec
    hashes = [codec.digest(element) for element in ELEMENTS]
    assert len(set(hashes)) == len(hashes)
    assert hashes[0] == ROOT
    assert {element[:1] for element in ELEMENTS} == {b"I", b"N", b"B"}
    assert ELEMENTS[-1] == b"B3"
    assert verify_stream(PROOF, LOOK, SMALL, root=ROOT)[1] == ["v7", "1", "3"]
    again, _ = MAIN.produce_stream(reading("dir/k7", "a", "c/d", "dir/k7", "a"))
    assert again == PROOF
    # A list of values cannot be told apart from the same values in another order, a stream can.
    other, _ = MAIN.produce_stream(reading("a", "c/d", "dir/k7"))
    assert other != PROOF
    assert set(other.elements) == set(ELEMENTS)
    size = len(MAIN.produce_proof(LOOK)[0].to_bytes())
    assert len(PROOF.to_bytes()) > size


def test_a_stream_is_the_same_in_another_process() -> None:
    """ST-06: no order of a hash table shows in it."""
    program = (
        "import sys; from tests.proof.stores import SMALL, store_of\n"
        "main = store_of({f'dir/k{i}': f'v{i}' for i in range(20)}, SMALL)\n"
        "merged = lambda t: t.merge(t.remove('dir/k3').add('dir/n', 'x'), old=t)\n"
        "f = lambda t: (merged(t), t.fold(0, pre=lambda p, s, n: n + len(s)))\n"
        "print(main.produce_stream(f)[0].to_bytes().hex())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1


def test_s01_one_element_too_many() -> None:
    """S01, ST-04, ST-07: before the root after is looked at."""
    refused((*ELEMENTS, b"Bmore"), LOOK, StreamTooLong, "more")
    error = refused(ELEMENTS, reading("dir/k7"), StreamTooLong, "more")
    assert error.place.startswith("element ")


def test_s02_the_last_element_is_missing() -> None:
    """S02, ST-03, ST-07."""
    error = refused(ELEMENTS[:-1], LOOK, StreamTooShort, "contents .* is read")
    assert error.place == f"element {len(ELEMENTS)}"
    refused(ELEMENTS, reading("dir/k7", "a", "c/d", "b"), StreamTooShort, "contents .* is read")
    refused((), LOOK, StreamTooShort, "a directory")


def test_s03_two_elements_swapped() -> None:
    """S03, S06: at whatever place, and so for a function that reads in another order."""
    for i in range(len(ELEMENTS) - 1):
        swapped = [*ELEMENTS]
        swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
        error = refused(tuple(swapped), LOOK, ProofMismatch, "mismatch")
        assert error.place == f"element {i + 1}"
    refused(ELEMENTS, reading("a", "dir/k7", "c/d"), ProofMismatch, "mismatch")


def test_s04_an_element_twice() -> None:
    """S04."""
    for i in range(len(ELEMENTS)):
        twice = ELEMENTS[: i + 1] + ELEMENTS[i:]
        last = i == len(ELEMENTS) - 1
        refused(twice, LOOK, StreamTooLong if last else ProofMismatch, "more|mismatch")


def test_s05_an_element_of_another_kind() -> None:
    """S05: no two kinds have equal bytes here; a hash that leads to the other kind is told all the same."""
    codec = SMALL.codec
    inner = codec.encode_node(["x"], bytes([CONTENTS]), codec.digest(b"Bv"), [])
    outer = codec.encode_node(["n"], bytes([CONTENTS]), codec.digest(inner), [])
    root = KindedHash("node", Hash(codec.digest(outer)))
    proof = StreamProof(root, root, (outer, inner), SMALL)
    with pytest.raises(ProofMismatch, match="kind mismatch"):
        verify_stream(proof, reading("n"), SMALL, root=root)
    contents = KindedHash("contents", Hash(codec.digest(outer)))
    with pytest.raises(ProofMismatch, match="kind mismatch"):
        verify_stream(StreamProof(contents, contents, (outer,), SMALL), reading(""), SMALL, root=contents)
    for wrong in (b"", b"N", b"X" + inner[1:], inner + b"\0", b"B\xff"):
        refused((wrong,), LOOK, ProofMismatch, "mismatch")


def test_s07_elements_from_anywhere() -> None:
    """S07: an iterator that raises, never ends, or gives something else the second time; one pass, within limits."""

    def raising() -> Iterator[bytes]:
        yield ELEMENTS[0]
        raise OSError("gone")

    refused(raising(), LOOK, ProofMismatch, "the elements failed")

    def endless() -> Iterator[bytes]:
        yield from ELEMENTS
        while True:
            yield b"B"

    refused(endless(), LOOK, StreamTooLong, "more")
    assert verify_stream(with_elements(PROOF, iter(ELEMENTS)), LOOK, SMALL, root=ROOT)[1] == ["v7", "1", "3"]
    once = with_elements(PROOF, iter(ELEMENTS))
    verify_stream(once, LOOK, SMALL, root=ROOT)
    with pytest.raises(StreamTooShort):
        verify_stream(once, LOOK, SMALL, root=ROOT)
    refused(ELEMENTS, LOOK, ProofMismatch, "node limit", Limits(objects=2))
    refused(ELEMENTS, LOOK, ProofMismatch, "more than 10 bytes", Limits(total=10))
    refused((bytearray(ELEMENTS[0]),), LOOK, ProofMismatch, "bytes")


def test_s09_a_stream_is_no_tree_proof() -> None:
    """S09: and the reverse; as values and as bytes."""
    proof, _ = MAIN.produce_proof(LOOK)
    with pytest.raises(ProofMismatch, match="wrong proof type"):
        verify_proof(PROOF, LOOK, SMALL, root=ROOT)  # type: ignore[arg-type]
    with pytest.raises(ProofMismatch, match="wrong proof type"):
        verify_stream(proof, LOOK, SMALL, root=ROOT)  # type: ignore[arg-type]
    with pytest.raises(BadProof, match="wrong proof type"):
        Proof.from_bytes(PROOF.to_bytes(), SMALL)
    with pytest.raises(BadProof, match="wrong proof type"):
        StreamProof.from_bytes(proof.to_bytes(), SMALL)


def test_s10_an_error_that_is_caught_is_not_forgotten() -> None:
    """S10."""

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        try:
            return tree, tree.find("b")
        except BadProof:
            return tree, "hidden"

    refused((), f, StreamTooShort, "is read")
    refused((b"Bx",), f, ProofMismatch, "mismatch")

    def another(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        try:
            tree.find("b")
        except BadProof:
            raise KeyError("hidden") from None
        return tree, None

    refused((), another, StreamTooShort, "is read")


def test_s11_a_tree_verifier_does_not_forget_either() -> None:
    """S11, PV-06."""

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        try:
            return tree, tree.find("b")
        except PrunedHash:
            return tree, None

    for strict in (True, False):
        for path in ("a", "c/d"):
            proof, _ = MAIN.produce_proof(reading(path))
            with pytest.raises(ProofMismatch, match="read of a blinded part"):
                verify_proof(proof, f, SMALL, root=ROOT, strict=strict)

    def another(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        try:
            tree.find("b")
        except PrunedHash:
            raise KeyError("hidden") from None
        return tree, None

    with pytest.raises(ProofMismatch, match="read of a blinded part") as caught:
        verify_proof(MAIN.produce_proof(reading("a"))[0], another, SMALL, root=ROOT)
    assert isinstance(caught.value.__cause__, KeyError)


def test_s12_a_fold_in_undefined_order_is_no_stream() -> None:
    """S12, ST-06: refused where it is made, and where it is checked; other orders and tree proofs are free."""

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], int]:
        return tree, tree.fold(0, contents=lambda path, value, n: n + 1, order="undefined")

    with pytest.raises(BadProof, match="undefined order"):
        MAIN.produce_stream(f)
    with pytest.raises(BadProof, match="undefined order"):
        MAIN.produce_stream(lambda tree: f(tree.add("new", "n")))
    with pytest.raises(BadProof, match="undefined order"):
        verify_stream(PROOF, f, SMALL, root=ROOT)
    assert MAIN.produce_proof(f)[1] == 23
    tree, _ = verify_stream(PROOF, LOOK, SMALL, root=ROOT)
    with pytest.raises(DanglingHash):
        tree.find("b")


def test_roots_of_a_stream() -> None:
    """ST-05, ST-07: a root that is not the caller's, and another root after."""
    other = KindedHash("node", Hash(b"x" * 32))
    for proof, root in (
        (StreamProof(other, PROOF.after, ELEMENTS, SMALL), KindedHash("node", ROOT)),
        (PROOF, other),
    ):
        with pytest.raises(ProofMismatch, match="root mismatch"):
            verify_stream(proof, LOOK, SMALL, root=root)
    with pytest.raises(ProofMismatch, match="after mismatch"):
        verify_stream(StreamProof(PROOF.before, other, ELEMENTS, SMALL), LOOK, SMALL, root=ROOT)
    with pytest.raises(ProofMismatch, match="mismatch"):
        verify_stream(StreamProof(other, other, ELEMENTS, SMALL), LOOK, SMALL, root=other)


def test_objects_that_do_not_fit_each_other() -> None:
    """What refers to a bucket states its depth, count and digits: a root of the prover's own does not help it."""
    codec = SMALL.codec
    entries = {step: codec.digest(b"Bv") for step in ("k0", "k1", "k2")}
    zero = sorted(step for step in entries if codec.digit(step, 0) == 0) or ["k0"]
    leaf = codec.encode_node(zero[:1], bytes([CONTENTS]), entries[zero[0]], [])
    wrong = 1 - codec.digit(zero[0], 0)
    for counts in ([1, 2], [2, 1]):
        root = codec.encode_inode(0, b"\0\1", counts, codec.digest(leaf) * 2)
        kinded = KindedHash("node", Hash(codec.digest(root)))
        proof = StreamProof(kinded, kinded, (root, leaf), SMALL)
        with pytest.raises(ProofMismatch, match=r"misplaced|kind mismatch"):
            verify_stream(proof, lambda tree: (tree, [s for s, _ in tree.list()]), SMALL, root=kinded)
        missing = next(f"n{i}" for i in range(100) if codec.digit(f"n{i}", 0) == wrong)
        with pytest.raises(ProofMismatch, match=r"misplaced|kind mismatch"):
            verify_stream(proof, reading(missing), SMALL, root=kinded)


def test_bytes_of_streams_have_one_form() -> None:
    raw = PROOF.to_bytes()
    assert StreamProof.from_bytes(raw, SMALL) == PROOF
    assert StreamProof.from_bytes(raw, SMALL).to_bytes() == raw
    assert StreamProof.from_json(PROOF.to_json(), SMALL) == PROOF
    ends = 0
    for end in range(len(raw)):
        try:
            StreamProof.from_bytes(raw[:end], SMALL)
        except BadProof:
            continue
        ends += 1  # between two elements
    assert ends == len(ELEMENTS)
    changed = MAIN.produce_stream(lambda tree: (tree.add("a", "x"), None))[0].to_bytes()
    for wrong in (
        raw[:38] + b"\2" + raw[39:],
        raw[:39] + b"\1" + raw[40:],
        changed[:39] + b"\5" + changed[40:],
    ):
        with pytest.raises(BadProof, match="unknown tag"):
            StreamProof.from_bytes(wrong, SMALL)
    same = raw[:38] + b"\1\0" + ROOT + raw[39:]
    with pytest.raises(BadProof, match="written out"):
        StreamProof.from_bytes(same, SMALL)
    for limits in (Limits(total=10), Limits(objects=2)):
        with pytest.raises(BadProof, match="limit"):
            StreamProof.from_bytes(raw, SMALL, limits)
        with pytest.raises(BadProof, match="limit"):
            MAIN.produce_stream(LOOK, limits)
    good = PROOF.to_json()
    for bad in (
        None,
        {},
        good | {"stream": 2},
        good | {"stream": True},
        good | {"elements": {}},
        good | {"elements": ["?"]},
        good | {"elements": [1]},
        good | {"before": {}},
        good | {"schema": "00"},
        good | {"more": 1},
    ):
        with pytest.raises(BadProof):
            StreamProof.from_json(bad, SMALL)


def test_an_error_is_raised_where_the_run_reads() -> None:
    """ST-03, ST-05: the function meets the error of its read itself, and every read after it fails in the same way."""
    met: list[str] = []

    def f(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
        for path in ("dir/k7", "a"):
            try:
                tree.find(path)
            except BadProof as e:
                met.append(f"{type(e).__name__} {e.place}")
        return tree, None

    proof = with_elements(PROOF, ELEMENTS[:1])
    with pytest.raises(StreamTooShort):
        verify_stream(proof, f, SMALL, root=ROOT)
    assert met == ["StreamTooShort element 2"] * 2
