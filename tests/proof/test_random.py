"""Random computations over random trees: a proof gives what the store gives, and its bytes have one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import irminpy
from irminpy import BadProof, Proof, Schema, StreamProof, Tree, verify_proof, verify_stream
from irminpy.contents import String
from irminpy.formats import Inodes, Irmin, Irmin2, Native, Tezos
from irminpy.hash import BLAKE2B, SHA1

from .stores import carried, root_of, store_of

STEPS = st.sampled_from([f"s{i}" for i in range(12)])
PATHS = st.lists(STEPS, min_size=1, max_size=3).map("/".join)
VALUES = st.sampled_from(["", "one", "two", "three"])
SCHEMAS = [
    Schema(String(), format=Native(fanout, leaf)) for fanout, leaf in ((2, 2), (4, 2), (16, 3), (16, 32))
]
SCHEMAS += [
    Schema(String(), hash=BLAKE2B(32), format=Irmin(None)),
    Schema(String(), hash=BLAKE2B(32), format=Irmin(Inodes(2, 3, "seeded"))),
    Schema(String(), hash=SHA1(), format=Irmin2(Inodes(4, 4, "hash-bits"))),
    Schema(String(), hash=BLAKE2B(32), format=Tezos(Inodes(2, 2, "seeded"))),
    Schema(String(), hash=BLAKE2B(32), format=Tezos()),
]
OPS = st.one_of(
    st.tuples(
        st.sampled_from(["find", "kind", "length", "list", "remove", "hash", "fold", "copy"]), PATHS, VALUES
    ),
    st.tuples(st.just("add"), PATHS, VALUES),
    st.tuples(st.just("page"), PATHS, st.integers(0, 9)),
    st.tuples(st.sampled_from(["merge", "diff"]), PATHS, VALUES),
)


@dataclass(frozen=True)
class Program:
    """A computation: operations one after the other."""

    ops: tuple[tuple[str, str, Any], ...]

    def __call__(self, start: Tree[Any, Any]) -> tuple[Tree[Any, Any], list[Any]]:
        tree, seen = start, list[Any]()
        for op, path, value in self.ops:
            if op == "add":
                tree = tree.add(path, value)
            elif op == "remove":
                tree = tree.remove(path)
            elif op == "copy":
                part = tree.find_tree(path)
                tree = tree if part is None else tree.add_tree("copied/" + path, part)
            elif op == "merge":
                theirs = start.add("theirs/" + path, value)
                tree = tree.merge(theirs, old=start, on_conflict="ours")
            elif op == "diff":
                seen.append(list(start.diff(tree)))
            elif op == "page":
                seen.append([(s, c.kind()) for s, c in tree.list(path, offset=value, length=3)])
            elif op == "list":
                seen.append([s for s, _ in tree.list(path)])
            elif op == "hash":
                found = tree.find_tree(path)
                seen.append(None if found is None else found.kinded_hash())
            elif op == "fold":
                part = tree.find_tree(path)
                seen.append(None if part is None else part.fold(0, contents=lambda p, v, n: n + len(v)))
            else:
                seen.append(getattr(tree, op)(path))
        return tree, seen


BINDINGS = st.dictionaries(PATHS, VALUES, max_size=40)


@given(BINDINGS, st.lists(OPS, max_size=8).map(lambda ops: Program(tuple(ops))), st.sampled_from(SCHEMAS))
def test_a_proof_gives_what_the_store_gives(
    bindings: dict[str, str], program: Program, schema: Schema[str, Any]
) -> None:
    """PT-04: same result, same root after; so with a stream, and with the values in the place of the bytes."""
    main = store_of(bindings, schema)
    root = main.tree().hash() if main.find_head() is None else root_of(main)
    real, expected = program(main.tree())
    proof, result = main.produce_proof(program)
    raw = proof.to_bytes()
    assert result == expected
    assert proof.after == real.kinded_hash()
    again = carried(proof, schema)
    assert again.to_bytes() == raw
    tree, found = verify_proof(again, program, schema, root=root)
    assert (tree, found) == (real, expected)
    by_value = Proof(proof.before, proof.after, again.state, schema)
    assert by_value.to_bytes() == raw
    assert verify_proof(by_value, program, schema, root=root)[1] == expected
    stream, result = main.produce_stream(program)
    assert result == expected
    passed = StreamProof.from_bytes(stream.to_bytes(), schema)
    tree, found = verify_stream(passed, program, schema, root=root)
    assert (tree, found) == (real, expected)


@given(
    BINDINGS,
    st.lists(OPS, max_size=6).map(lambda ops: Program(tuple(ops))),
    st.sampled_from(SCHEMAS),
    st.lists(
        st.tuples(st.integers(0, 1 << 16), st.integers(0, 7), st.integers(0, 3)), min_size=1, max_size=4
    ),
)
def test_a_changed_proof_is_refused_or_is_the_same_statement(
    bindings: dict[str, str], program: Program, schema: Schema[str, Any], changes: list[tuple[int, int, int]]
) -> None:
    """V5, V8: whatever is accepted is written in this one way, holds on the store, and nothing else is raised."""
    main = store_of(bindings, schema)
    root = main.tree().hash()
    raw = bytearray(main.produce_proof(program)[0].to_bytes())
    for at, bit, kind in changes:
        place = at % len(raw)
        if kind == 0:
            raw[place] ^= 1 << bit
        elif kind == 1:
            del raw[place]
        elif kind == 2:
            raw.insert(place, raw[place])
        else:
            raw[place:] = raw[place : place + 1] + raw[place:][:40]
    try:
        proof = Proof.from_bytes(bytes(raw), schema)
    except BadProof:
        return
    # Irmin's form of a bucket that two directories share is the one other way to write anything.
    assert (
        Proof(proof.before, proof.after, proof.state, schema).to_bytes() == bytes(raw) or proof.shown().apart
    )
    try:
        tree, found = verify_proof(proof, program, schema, root=root, strict=False)
    except BadProof:
        return
    assert (tree, found) == program(irminpy.proof.to_tree(main.produce_proof(program)[0]))
    assert found == program(main.tree())[1]
