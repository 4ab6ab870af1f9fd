"""Proofs of Irmin's formats with their parts moved about: refused, or what they say is so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from irminpy import Hash, KindedHash, Proof, Schema, Tree, verify_proof
from irminpy.errors import BadProof
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
    Node,
    hash_of_proof_state,
)
from irminpy.proof.irmin.values import _Showing  # pyright: ignore[reportPrivateUsage]

from .stores import Computation
from .test_irmin_forms import FLAT, FOUR, SMALL, TEZOS, TRIE, Held

RUNS = {"quick": 40, "ci": 400}.get(os.environ.get("IRMINPY_PROFILE", "quick"), 20_000)
FLAT_PARTS, INNER_PARTS, CHAINS = (Node, InodeValues), (Inode, InodeTree), (Extender, InodeExtender)


def names(n: int, start: int = 0) -> list[str]:
    return [format(i, "06b") for i in range(start, start + n)]


HELD = [
    FOUR,
    Held({name: name.encode() for name in names(21)}, TRIE),
    Held({f"{d}/{name}": b"v" for d in ("000000", "100000") for name in names(9)}, TRIE),
    Held({name: name.encode() for name in names(17)} | {"d/e/f": b"1", "d/g": b""}, SMALL),
    Held({f"{a}/{b}": b"v" + b.encode() for a in "abc" for b in "abc"}, FLAT),
    Held({f"k{i}": b"%d" % i for i in range(260)} | {"d/e": b"1"}, TEZOS),
]


def runs(held: Held, chosen: Random) -> Iterator[Computation]:
    """Some computations over `held`."""
    paths: list[str] = []
    tree: Tree[Any, Any] = Tree.shallow(held.repo, held.root)
    tree.fold(None, contents=lambda path, _, __: paths.append("/".join(path)))
    a, b, c = (chosen.choice(paths) for _ in range(3))
    yield lambda tree: (tree, [tree.find(a), tree.find(b), tree.length()])
    yield lambda tree: (tree.remove(a).add(b, b"new"), [tree.mem_tree(c)])
    yield lambda tree: (tree, [step for step, _ in tree.list((), offset=2, length=5)])
    yield lambda tree: (tree, [tree.find("111111"), tree.find(a + "/x"), tree.find_tree(b) is None])


def parts(state: Any) -> list[Any]:
    """All parts below `state`, itself first."""
    found = [state]
    for part in found:
        found += [child for _, child in pairs(part)]
    return found


def pairs(part: Any) -> tuple[tuple[Any, Any], ...]:
    """The labels and the parts of `part`; a chain has one, without a label."""
    rows: tuple[tuple[Any, Any], ...] = ()
    if type(part) in FLAT_PARTS:
        rows = part.entries
    elif type(part) in INNER_PARTS:
        rows = part.proofs
    elif type(part) in CHAINS:
        rows = ((0, part.proof),)
    return rows


def rebuilt(part: Any, rows: tuple[tuple[Any, Any], ...]) -> Any:
    """`part` with other parts."""
    cls: Any = type(part)
    if cls in FLAT_PARTS:
        return cls(rows)
    if cls in INNER_PARTS:
        return cls(part.length, rows)
    return cls(part.length, part.segments, rows[0][1]) if cls in CHAINS else part


def replaced(state: Any, old: Any, new: Any) -> Any:
    """`state` with `new` wherever `old` itself stands."""
    if state is old:
        return new
    rows = pairs(state)
    return (
        rebuilt(state, tuple((label, replaced(child, old, new)) for label, child in rows)) if rows else state
    )


class Spoiler:
    """Changes of one state: `hashes` has those of its parts, by identity."""

    def __init__(self, proof: Proof[Any, Any], others: list[Any], chosen: Random) -> None:
        showing = _Showing(proof.schema, proof.shown())
        self.state: Any = showing.run()
        self.hashes = {id(part): Hash(hash_) for (_, hash_), part in showing.made.items()}
        self.hashes |= {id(part): Hash(hash_) for (hash_, _), part in showing.values.items()}
        self.others = others
        self.chosen = chosen

    def one(self, state: Any) -> Any:
        """`state` with one change."""
        chosen = self.chosen
        part = chosen.choice(parts(state))
        return replaced(state, part, self.changed(part))

    def changed(self, part: Any) -> Any:
        chosen, kind = self.chosen, self.chosen.randrange(9)
        rows = list(pairs(part))
        if kind == 0 or not rows:
            return self.blinded(part)
        if kind == 1:
            rows.pop(chosen.randrange(len(rows)))
        elif kind == 2:
            i, j = chosen.randrange(len(rows)), chosen.randrange(len(rows))
            rows[i], rows[j] = (rows[i][0], rows[j][1]), (rows[j][0], rows[i][1])
        elif kind == 3:
            rows.insert(chosen.randrange(len(rows) + 1), chosen.choice(rows))
        elif kind == 4:
            i = chosen.randrange(len(rows))
            label = (
                chosen.choice([0, 1, "000001"])
                if type(rows[i][0]) is int
                else chosen.choice(["111111", "z", ""])
            )
            rows[i] = (label, rows[i][1])
            rows.sort(key=lambda row: str(row[0]))
        elif kind == 5:
            i = chosen.randrange(len(rows))
            rows[i] = (rows[i][0], chosen.choice(self.others))
        elif kind == 6 and type(part) in (*INNER_PARTS, *CHAINS):
            length = chosen.choice([part.length - 1, part.length + 1, 0, len(rows)])
            return (
                type(part)(length, part.proofs)
                if type(part) in INNER_PARTS
                else type(part)(length, part.segments, part.proof)
            )
        elif kind == 7:
            return self.reshaped(part)
        else:
            return chosen.choice(self.others)
        if type(part) in CHAINS and len(rows) != 1:
            return part.proof
        return rebuilt(part, tuple(rows))

    def blinded(self, part: Any) -> Any:
        """What stands for `part` where it is not shown; shown with another value if it is not."""
        if type(part) is BlindedContents:
            return Contents(b"wrong", None)
        hash_ = self.hashes.get(id(part), Hash(bytes(len(next(iter(self.hashes.values()))))))
        if type(part) is Contents:
            return BlindedContents(hash_, None)
        return (BlindedNode if type(part) in (Node, Inode, Extender, BlindedNode) else BlindedInode)(hash_)

    def reshaped(self, part: Any) -> Any:
        """`part` written in another way, as the same or nearly the same inodes."""
        if type(part) in CHAINS:
            bucket: Any = part.proof
            for at in range(len(part.segments) - 1, -1, -1):
                cls: Any = Inode if at == 0 and type(part) is Extender else InodeTree
                bucket = cls(part.length, ((part.segments[at], bucket),))
            if self.chosen.randrange(2):
                return bucket
            return type(part)(part.length, part.segments[::-1], part.proof)
        if type(part) in INNER_PARTS:
            (index, below) = part.proofs[0]
            return (Extender if type(part) is Inode else InodeExtender)(part.length, (index,), below)
        if type(part) in FLAT_PARTS and part.entries:
            cls = Inode if type(part) is Node else InodeTree
            half = len(part.entries) // 2 or 1
            low, high = InodeValues(part.entries[:half]), InodeValues(part.entries[half:])
            return cls(len(part.entries), ((0, low), (1, high)))
        return part


def verdict(state: Any, root: KindedHash, after: KindedHash, f: Computation, schema: Schema[Any, Any]) -> Any:
    """What `f` gives with a proof of `state`, or None if it is refused."""
    try:
        proof = Proof(root, after, state, schema)
        raw = proof.to_bytes()
        again = Proof.from_bytes(raw, schema)
        assert again.to_bytes() == raw
        return verify_proof(again, f, schema, root=root, strict=False)[1]
    except BadProof:
        return None


@pytest.mark.profiled
@pytest.mark.parametrize("number", range(len(HELD)))
def test_a_proof_whose_parts_are_moved_about_is_refused_or_says_the_same(number: int) -> None:
    """V1 to V5, V8: with its own root, and with that of the mutant; nothing but BadProof is raised."""
    held, chosen = HELD[number], Random(number)
    others: list[Any] = []
    for other in (held, FOUR):
        for f in runs(other, chosen):
            others += parts(other.proof(f).state)
    accepted = 0
    for _ in range(RUNS):
        f = chosen.choice(list(runs(held, chosen)))
        proof, expected = held.repo.produce_proof(held.root, f)
        spoiler = Spoiler(proof, others, chosen)
        state = spoiler.state
        for _ in range(chosen.randrange(1, 3)):
            state = spoiler.one(state)
        found = verdict(state, held.root, proof.after, f, held.schema)
        assert found in (None, expected)
        accepted += found is not None
        try:
            own = hash_of_proof_state(state, held.schema)
        except BadProof:
            continue
        # The mutant as an honest proof of another tree: it proves nothing about this one.
        if own != held.root:
            verdict(state, own, proof.after, f, held.schema)  # whatever it is, it raises nothing else
            with pytest.raises(BadProof):
                verify_proof(Proof(own, proof.after, state, held.schema), f, held.schema, root=held.root)
    assert accepted < RUNS
