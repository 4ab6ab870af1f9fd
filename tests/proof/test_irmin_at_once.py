"""Decision 089: proofs in Irmin's forms are read alike with the compiled core and without, honest, changed or hostile.

That is: what they show, and in which order; or the type, the reason and the place of the error.

Without a compiled core there is nothing to compare, and one line of the summary says so.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from hashlib import blake2b
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import Hash, Proof, Schema, Store, StreamProof, Tree, _nodes, core
from irminpy.contents import String
from irminpy.errors import BadProof, DecodeError, IrminError
from irminpy.formats import Custom, Inodes, Irmin, Irmin2, Tezos
from irminpy.hash import BLAKE2B, SHA1, Own
from irminpy.metadata import Own as OwnMetadata
from irminpy.path import step_bytes, step_of_bytes
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
)
from irminpy.proof.irmin import values
from irminpy.proof.irmin.at_once import state_at_once
from irminpy.proof.irmin.binary import read_state, state_bytes
from irminpy.proof.irmin.fields import Fields, Input
from irminpy.proof.irmin.shape import levels_of
from irminpy.proof.shown import Shown
from irminpy.proof.types import Part
from irminpy.repr import varint

from ..marks import MARKS, Marks, decode_marks
from .stores import store_of

ccore: Any = pytest.importorskip("irminpy._ccore", reason="the compiled core was not built here")


class Modes(OwnMetadata[int]):
    """Metadata of one byte."""

    def read(self, data: bytes, at: int, /) -> tuple[int, int]:
        if at == len(data):
            raise DecodeError("mode", "there is none", at)
        return data[at], at + 1


MODES = Modes("mode/1", 7, lambda mode: bytes([mode]), lambda data: data[0], lambda old, ours, theirs: ours)
ODD = Custom("odd/1", lambda depth, step: (step[depth % len(step)] if step else 0) + depth & 3)
SHORT = Own("first-eight", 8, lambda data: blake2b(data, digest_size=32).digest()[:8])
SCHEMAS: list[Schema[Any, Any]] = [
    Schema(hash=BLAKE2B(64), format=Irmin(Inodes(2, 3, "hash-bits"))),
    Schema(hash=BLAKE2B(32), format=Irmin(Inodes(4, 2, "seeded"))),
    Schema(hash=SHA1(), format=Irmin2(Inodes(2, 2, "seeded"))),
    Schema(hash=BLAKE2B(20), format=Irmin2(Inodes(2, 0, "hash-bits"))),
    Schema(hash=BLAKE2B(32), format=Tezos(Inodes(2, 3, "seeded"))),
    Schema(hash=BLAKE2B(32), format=Tezos()),
    Schema(String(), hash=SHORT, format=Irmin(Inodes(8, 8, "hash-bits"))),
    Schema(metadata=MARKS, hash=BLAKE2B(32), format=Irmin(Inodes(2, 3, "seeded"))),
    Schema(metadata=MARKS, hash=SHA1(), format=Irmin2(Inodes(4, 4, "hash-bits"))),
    Schema(metadata=MODES, hash=BLAKE2B(32), format=Irmin(Inodes(2, 3, "seeded"))),
    Schema(hash=BLAKE2B(32), format=Irmin(Inodes(4, 4, ODD))),
    Schema(hash=BLAKE2B(32), format=Irmin(None)),
]
Path = tuple[str, ...]
Bindings = dict[Path, bytes]
MUTANTS = {"quick": 2_500, "ci": 20_000, "deep": 1_000_000}[os.environ.get("IRMINPY_PROFILE", "quick")]
LIMITS = Limits(explained=1 << 30)
STEPS = st.one_of(st.sampled_from([f"s{i}" for i in range(24)]), st.binary(max_size=9).map(step_of_bytes))
BINDINGS = st.dictionaries(
    st.lists(STEPS, min_size=1, max_size=3).map(tuple), st.sampled_from([b"", b"x", b"y" * 130, b"zz"]), min_size=1,
    max_size=40,
)  # fmt: skip


def all_of(shown: Shown) -> tuple[object, ...]:
    """All there is to know of what was read."""
    return shown.root, list(shown.nodes.items()), list(shown.contents.items()), shown.apart


def one_by_one(
    data: bytes, schema: Schema[Any, Any], limits: Limits = LIMITS
) -> tuple[object, ...] | IrminError:
    """What the state `data` shows and where it ends, by the functions in Python; or their error."""
    fields = Fields(schema)
    source = Input(data, fields)
    try:
        state = read_state(source, fields, levels_of(schema.codec), limits)
        return source.at, *all_of(values.load(schema, state, limits))
    except IrminError as e:
        return e


def at_once(data: bytes, schema: Schema[Any, Any], limits: Limits = LIMITS) -> tuple[object, ...] | None:
    """The same by the compiled core; None where it has no answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core, "read_state", ccore.read_state)
        found = state_at_once(data, 0, schema, limits)
    return None if found is None else (found[0], *all_of(found[1]))


def same(state: Part | bytes, schema: Schema[Any, Any], limits: Limits = LIMITS) -> str:
    """Both cores agree on a state that shows a directory: "read", or the reason for which it is refused."""
    data = state if isinstance(state, bytes) else state_bytes(Fields(schema), state)
    expected = one_by_one(data, schema, limits)
    found = at_once(data, schema, limits)
    # What is refused without looking for the reason is refused, and nothing else.
    try:
        briefly = at_once(data, schema, replace(limits, explained=0))
    except BadProof:
        assert isinstance(expected, IrminError)
    else:
        assert briefly == found
    if isinstance(expected, IrminError):
        assert found is None, expected
        return str(expected)
    if data[0] not in (2, 4, 5):
        assert found is None  # a root that shows no directory costs nothing in Python
        return "read"
    assert found == expected
    return "read, apart" if expected[-1] else "read"


def verdict(raw: bytes, schema: Schema[Any, Any], chosen: Any) -> object:
    """What a client learns of a proof with one of the cores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core, "read_state", chosen.read_state)
        try:
            proof = Proof.from_bytes(raw, schema, LIMITS)
            return proof.before, proof.after, all_of(proof.shown()), proof.to_bytes()
        except IrminError as e:
            return type(e), str(e)


def honest(schema: Schema[Any, Any], bindings: Bindings, asked: list[Path]) -> Proof[Any, Any]:
    """The proof of a run on the tree of `bindings` that reads `asked`, or all."""
    return stored(schema, bindings).produce_proof(Read(asked) if asked else everything)[0]


def everything(tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], Any]:
    """A run that reads all."""
    return tree, tree.to_concrete()


def stored(schema: Schema[Any, Any], bindings: Bindings) -> Store[Any, Any]:
    """A store of `bindings`; what is bound later wins."""
    tree: Tree[Any, Any] = Tree.empty(schema)
    for path, value in bindings.items():
        given: Any = value.decode() if isinstance(schema.contents, String) else value
        metadata: Any = None
        if value and schema.metadata is MARKS:
            metadata = step_bytes(path[-1])[-2:]
        elif value and schema.metadata is MODES:
            metadata = len(path[-1])
        tree = tree.add(path, given, metadata=metadata)
    main = store_of({}, schema)
    main.set_tree((), tree, message="", date=0)
    return main


@given(st.data(), st.sampled_from(SCHEMAS), BINDINGS)
def test_honest_proofs_and_changed_ones_are_read_alike(
    data: st.DataObject, schema: Schema[Any, Any], bindings: Bindings
) -> None:
    asked = data.draw(st.lists(st.sampled_from(sorted(bindings)), unique=True))
    proof = honest(schema, bindings, asked)
    raw = proof.to_bytes()
    assert verdict(raw, schema, _nodes) == verdict(raw, schema, ccore)
    state = state_bytes(Fields(schema), proof.state)
    assert same(state, schema) == "read"
    at = data.draw(st.integers(0, len(state) - 1))
    changed = bytearray(state)
    changed[at] = data.draw(st.integers(0, 255))
    same(bytes(changed), schema)
    same(state[:at], schema)
    most = data.draw(st.integers(0, 20))
    for limit in ({"objects": most}, {"density": most}, {"depth": most % 4}, {"contents": most}):
        limits = replace(LIMITS, **limit)
        same(state, schema, limits)
    # With its root it is refused, or shows another one.
    changed = bytearray(raw)
    changed[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert verdict(bytes(changed), schema, _nodes) == verdict(bytes(changed), schema, ccore)
    assert verdict(raw + b"\0", schema, _nodes) == verdict(raw + b"\0", schema, ccore)


# -- parts that are changed, with hashes that are right again --------------------------------------------------

FLAT = (Node, InodeValues)
INNER = (Inode, InodeTree)
CHAIN = (Extender, InodeExtender)
TWINS: dict[type[Any], type[Any]] = {
    Node: InodeValues, InodeValues: Node, Inode: InodeTree, InodeTree: Inode, Extender: InodeExtender,
    InodeExtender: Extender, BlindedNode: BlindedInode, BlindedInode: BlindedNode,
}  # fmt: skip


def children(part: Any) -> list[tuple[Any, Any]]:
    """Labels and parts of a part."""
    if type(part) in CHAIN:
        return [(None, part.proof)]
    return list(part.entries if type(part) in FLAT else part.proofs if type(part) in INNER else ())


def with_children(part: Any, rows: list[tuple[Any, Any]]) -> Any:
    """`part` with other parts."""
    if type(part) in CHAIN:
        return replace(part, proof=rows[0][1])
    return replace(part, entries=tuple(rows)) if type(part) in FLAT else replace(part, proofs=tuple(rows))


def places(part: Any, at: tuple[int, ...] = ()) -> list[tuple[tuple[int, ...], Any]]:
    """All parts, with the positions that lead to each."""
    below = [found for i, (_, child) in enumerate(children(part)) for found in places(child, (*at, i))]
    return [(at, part), *below]


def put(part: Any, at: tuple[int, ...], new: Any) -> Any:
    """`part` with `new` in one place."""
    if not at:
        return new
    rows = children(part)
    rows[at[0]] = rows[at[0]][0], put(rows[at[0]][1], at[1:], new)
    return with_children(part, rows)


def blinded(part: Any, bucket: bool, schema: Schema[Any, Any], hashes: dict[Any, bytes]) -> Any:
    """What stands for `part` where it is not shown; its own hash if that is known."""
    hash = Hash(hashes.get(part, bytes(schema.codec.hash_size)))
    if type(part) in (Contents, BlindedContents):
        return BlindedContents(hash, part.metadata)
    return BlindedInode(hash) if bucket else BlindedNode(hash)


def hashes_in(state: Any, schema: Schema[Any, Any]) -> dict[Any, bytes]:
    """The hash of each value, directory and bucket that an honest state shows."""
    found: dict[Any, bytes] = {}
    shown = values.load(schema, state, LIMITS)
    codec, usual = schema.codec, schema.metadata.default

    def hash_of(part: Any, bucket: bool, level: int) -> bytes:
        if type(part) in (BlindedContents, BlindedNode, BlindedInode):
            return cast("bytes", part.hash)
        if type(part) is Contents:
            found[part] = codec.digest(codec.encode_contents([schema.contents.encode(part.value)])[0])
            return found[part]
        if type(part) in FLAT:
            metadata = [
                child.metadata if type(child) in (Contents, BlindedContents) else None
                for _, child in part.entries
            ]
            kinds = bytes(
                [
                    2 if own not in (None, usual) else type(child) in (Contents, BlindedContents)
                    for own, (_, child) in zip(metadata, part.entries, strict=True)
                ]
            )
            column = b"".join([hash_of(child, False, 0) for _, child in part.entries])
            encode = codec.encode_bucket if bucket else codec.encode_node
            own = [schema.metadata.encode(mark) for mark in metadata if mark not in (None, usual)]
            data = encode([step for step, _ in part.entries], kinds, column, own)
        elif type(part) in INNER:
            column = b"".join([hash_of(child, True, level + 1) for _, child in part.proofs])
            data = codec.encode_inode(level, bytes([i for i, _ in part.proofs]), [part.length], column)
        else:
            column = hash_of(part.proof, True, level + len(part.segments))
            for i in range(len(part.segments) - 1, 0, -1):
                column = codec.digest(
                    codec.encode_inode(level + i, bytes((part.segments[i],)), [part.length], column)
                )
            data = codec.encode_inode(level, bytes(part.segments[:1]), [part.length], column)
        found[part] = codec.digest(data)
        return found[part]

    assert hash_of(state, False, 0) == shown.root.hash
    return found


def twin(part: Any, bucket: bool) -> Any:
    """The same as a bucket, or as a directory."""
    if type(part) in (BlindedNode, BlindedInode):
        return (BlindedNode if bucket else BlindedInode)(part.hash)
    fields = [getattr(part, name) for name in type(part).__slots__]
    return TWINS[type(part)](*fields)


def changed_part(rng: Random, state: Any, schema: Schema[Any, Any]) -> Any:
    """`state` with one part that is not what it was."""
    hashes = hashes_in(state, schema)
    everywhere = places(state)
    at, part = rng.choice(everywhere)
    other = rng.choice(everywhere)[1]
    rows = children(part)
    bucket = type(part) in (InodeValues, InodeTree, InodeExtender, BlindedInode)
    kinds = ["blind", "blind", "blind", "other", "copy"] + (["twin"] if at and type(part) in TWINS else [])
    kinds += ["drop", "swap", "twice", "label", "label"] if len(rows) > 1 else []
    kinds += ["length", "length"] if type(part) in (*INNER, *CHAIN) else []
    kinds += (
        ["marked"] if schema.metadata in (MARKS, MODES) and type(part) in (Contents, BlindedContents) else []
    )
    kinds += ["segments"] if type(part) in CHAIN else ["chain"] if type(part) in INNER else []
    kind = rng.choice(kinds)
    n = rng.randrange(max(1, len(rows)))
    new: Any = part
    if kind == "blind":
        new = blinded(part, bucket, schema, hashes)
    elif kind == "other":
        new = other
    elif kind == "copy":
        # What is shown elsewhere, blinded in this place.
        new = blinded(other, bucket, schema, hashes)
    elif kind == "twin":
        new = twin(part, bucket)
    elif kind == "drop":
        new = with_children(part, rows[:n] + rows[n + 1 :])
    elif kind == "swap":
        new = with_children(part, rows[n:] + rows[:n])
    elif kind == "twice":
        new = with_children(part, [*rows[: n + 1], *rows[n:]])
    elif kind == "label":
        label: Any = (
            rng.choice([rows[n][0] + "0", rows[0][0], "s3"]) if type(part) in FLAT else rng.randrange(9)
        )
        new = with_children(part, [*rows[:n], (label, rows[n][1]), *rows[n + 1 :]])
    elif kind == "length":
        new = replace(
            part, length=part.length + rng.choice([-1, 1, -part.length, 1 << 61, (1 << 62) - part.length])
        )
    elif kind == "marked":
        marks: list[Any] = [b"", b"a", b"a2"] if schema.metadata is MARKS else [0, 7, 8]
        new = replace(part, metadata=rng.choice(marks))
    elif kind == "segments":
        new = replace(part, segments=tuple([rng.randrange(3) for _ in range(rng.choice([0, 1, 2, 3, 60]))]))
    elif kind == "chain":
        cls = Extender if type(part) is Inode else InodeExtender
        new = cls(part.length, tuple([rng.randrange(2) for _ in range(rng.randrange(1, 4))]), rows[0][1])
    return put(state, at, new)


def read_again(data: bytes, schema: Schema[Any, Any]) -> Any:
    """The state with these bytes."""
    fields = Fields(schema)
    return read_state(Input(data, fields), fields, levels_of(schema.codec), LIMITS)


@pytest.mark.profiled
def test_parts_of_a_hostile_prover_are_read_or_refused_alike() -> None:
    """Any part may be blinded, replaced, left out or shown twice: all hashes above it are computed from that."""
    rng = Random(5)
    states: list[tuple[Schema[Any, Any], bytes]] = []
    for schema in SCHEMAS[:-1]:
        below: Bindings = {(f"s{i}",): b"s%d" % i for i in range(14)}
        more: Bindings = {**below, ("d", "s1"): b"s1"}
        again = {(top, *path): value for top in ("a", "b") for path, value in more.items()}
        runs: list[tuple[Bindings, list[Path]]] = [
            (below, [("s3",)]),
            (below, [("s3",), ("s4",), ("s5",)]),
            (below, []),
            (again, [("a", "s3"), ("b", "s4")]),
            (again, [("a", "s3"), ("b", "d", "s1")]),
            (again, []),
        ]
        states += [
            (schema, state_bytes(Fields(schema), honest(schema, bindings, asked).state))
            for bindings, asked in runs
        ]
    verdicts: set[str] = set()
    for _ in range(MUTANTS):
        schema, data = rng.choice(states)
        for _ in range(rng.randrange(1, 4)):
            state = changed_part(rng, read_again(data, schema), schema)
            try:
                data = state_bytes(Fields(schema), state)
            except (KeyError, TypeError, OverflowError):
                break  # nothing that can be written down
            found = same(data, schema)
            verdicts.add(found.partition(": ")[2].partition(":")[0] or found)
            if not found.startswith("read"):
                break
            if data[0] not in (2, 4, 5):
                break
    assert verdicts >= {
        "read", "read, apart", "bad length", "duplicate entry", "inconsistent sharing", "kind mismatch",
        "misplaced entry", "not canonical", "not canonical shape", "too deep", "unsorted",
    }  # fmt: skip


@pytest.mark.parametrize("size", [8, 20, 32, 64])
def test_blake2b_of_every_length_of_some_blocks(size: int) -> None:
    """At the borders of blocks, and where hashlib takes over."""
    schema: Schema[Any, Any] = Schema(hash=BLAKE2B(size), format=Irmin2(Inodes()))
    for n in (*range(300), 383, 384, 385, 4094, 4095, 4096, 4097, 9000):
        value = bytes([i * n & 255 for i in range(n)])
        state = b"\2\1\1a\0" + varint(n) + value
        found = at_once(state, schema)
        assert found is not None
        assert found[3] == [(blake2b(value, digest_size=size).digest(), value)]
        assert found == one_by_one(state, schema)


def test_what_is_unusual_is_read_in_python() -> None:
    """Short hashes, a directory that is hashed like an inode."""
    blind = b"\2\1\1a\1"
    short: Schema[Any, Any] = Schema(hash=BLAKE2B(7), format=Irmin())
    assert isinstance(one_by_one(blind + bytes(7), short), tuple)
    assert at_once(blind + bytes(7), short) is None
    # The length of this step, read as a number of entries, and its bytes, read as two buckets, make an inode.
    schema: Schema[Any, Any] = Schema(hash=SHA1(), format=Irmin2(Inodes(2, 2, "seeded")))
    hash = bytes(range(100, 120))
    step = b"\2" + b"\0" + hash + b"\1"
    assert "the bytes of a directory with this step alone" in same(
        b"\2\1" + varint(len(step)) + step + b"\3" + hash, schema
    )
    assert same(b"\2\1" + varint(len(step)) + b"\3" + step[1:] + b"\3" + hash, schema) == "read"


def test_metadata_that_are_none_are_refused_alike() -> None:
    """Where they end is asked of their type; that they are some is asked of it, too, for each that is another."""
    picky = Marks(
        "picky/1", b"", MARKS.encode, lambda data: _refusing(data, b"x"), lambda old, ours, theirs: ours
    )
    schema: Schema[Any, Any] = Schema(metadata=picky, hash=BLAKE2B(32), format=Irmin())
    blind = b"\2\2\1a\1" + bytes(32) + b"\1y\1b\1" + bytes(32)
    assert same(blind + b"\1y", schema) == "read"
    assert same(blind + b"\0", schema) == "read"
    assert "metadata that are none" in same(blind + b"\1x", schema)
    assert "the bytes end within them" in same(blind + b"\2x", schema)
    assert "the bytes end within them" in same(blind, schema)
    # Behind bytes there may be a NUL: it is none of them.
    zero = b"\2\2\1a\1" + bytes(32) + b"\1\0\1b\1" + bytes(32) + b"\1"
    assert same(zero + b"\0", schema) == "read"
    assert "the bytes end within them" in same(zero, schema)


def _refusing(data: bytes, what: bytes) -> bytes:
    if what in data:
        raise DecodeError("marks", "not these", 0)
    return decode_marks(data)


def test_an_entry_with_metadata_is_not_mistaken_for_an_inode() -> None:
    """Without prefixes, the bytes of a directory of one entry may be those of an inode, metadata or not."""
    schema: Schema[Any, Any] = Schema(metadata=MARKS, hash=SHA1(), format=Irmin2(Inodes(2, 2, "seeded")))
    hash = bytes(range(100, 120))
    # Read as an inode: depth 2, 3 entries, 2 buckets, which are 0 and 1.
    mark = b"\3" + b"\2\0" + hash[:1]
    step = hash[1:19] + b"\1"
    assert "the bytes of a directory with this step alone" in same(
        b"\2\1" + varint(len(step)) + step + b"\1" + hash + mark, schema
    )
    for index in (b"\0", b"\2"):
        other = step[:-1] + index
        assert same(b"\2\1" + varint(len(other)) + other + b"\1" + hash + mark, schema) == "read"


def test_what_the_callers_functions_do_is_not_taken_for_an_answer() -> None:
    """What is no place in the bytes has no answer; an error is raised."""
    data = b"\2\1\1a\1" + bytes(32) + b"\0"

    def asked(skip: Any, digit: Any = None, order: int = 0, raw: bytes = data) -> Any:
        levels = 5 if order else 0
        return ccore.read_state(
            *(raw, 0, 0, b"N", b"B", 1, bytes, 32, 2, 2, 2, levels, order, digit, bytes(32), skip, b"\0"),
            *(9, 99, 99, 99),
        )

    def failing(*given: object) -> int:
        raise KeyError(*given)

    assert asked(lambda data, at: at + 1)[0] == len(data)
    for wrong in (None, "", 1.5, -2, 1 << 80, 0, 35, 99):
        assert asked(lambda data, at, wrong=wrong: wrong) is None
        taken = ccore.take_elements(b"\1\1\0\0" + bytes(33), 0, 1, 32, lambda data, at, wrong=wrong: wrong, 9)
        assert taken is None
    assert asked(lambda data, at: -1) == len(data) - 1
    with pytest.raises(KeyError):
        asked(failing)
    with pytest.raises(KeyError):
        ccore.take_elements(b"\1\1\0\0" + bytes(33), 0, 1, 32, failing, 9)
    # A bucket of two entries in an inode of three.
    rows = b"\1a\1" + bytes(32) + b"\1b\1" + bytes(32)
    inode = b"\4\3\2\0\1\2" + rows + b"\1\0" + bytes(32)
    answer = asked(None, lambda depth, step: 0, 3, inode)
    assert answer[0] == len(inode)
    for wrong in (None, "", 1.5, -1, 1, 1 << 40):
        assert asked(None, lambda depth, step, wrong=wrong: wrong, 3, inode) == len(inode), wrong
    with pytest.raises(OverflowError):
        asked(None, lambda depth, step: 1 << 80, 3, inode)
    with pytest.raises(KeyError):
        asked(None, failing, 3, inode)
    assert asked(None, 7, 3, inode) is None
    # The format `tezos` has no place for metadata.
    tezos = (b"\2\1\1a\1" + bytes(32), 0, 1, b"", b"", 1, bytes, 32, 2, 2, 2, 0, 0, None, bytes(32))
    assert ccore.read_state(*tezos, None, b"", 9, 99, 99, 99) is not None
    assert ccore.read_state(*tezos, lambda data, at: at, b"", 9, 99, 99, 99) is None


def test_arguments_of_any_type_have_no_answer_or_the_right_one() -> None:
    """Each argument of the functions of the core, of types that it is not for: nothing is raised."""
    right: list[Any] = [
        b"\2\1\1a\1" + bytes(32),
        0,
        0,
        b"N",
        b"B",
        1,
        bytes,
        32,
        2,
        2,
        3,
        5,
        1,
        None,
        bytes(32),
        None,
        b"",
        9,
        99,
        99,
        99,
    ]
    assert ccore.read_state(*right) is not None
    wrong: list[Any] = [None, -1, 1 << 70, "a", b"", [], True, 1.5, b"\2" * 40]
    for at in range(len(right)):
        for value in wrong:
            ccore.read_state(*right[:at], value, *right[at + 1 :])
    elements: list[Any] = [b"\0\1a\0\0", 0, 2, 32, None, 9]
    assert ccore.take_elements(*elements) == (5, (b"\0\1a", b"\0\0"), {})
    for at in range(len(elements)):
        for value in wrong:
            ccore.take_elements(*elements[:at], value, *elements[at + 1 :])
    for function, arguments in ((ccore.read_state, right), (ccore.take_elements, elements)):
        with pytest.raises(TypeError):
            function(*arguments[:-1])


# -- streams ---------------------------------------------------------------------------------------------------


def stream(raw: bytes, schema: Schema[Any, Any], chosen: Any, limits: Limits = LIMITS) -> object:
    """What a client reads of a stream proof with one of the cores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core, "take_elements", chosen.take_elements)
        try:
            proof = StreamProof.from_bytes(raw, schema, limits)
            return proof.before, proof.after, tuple(proof.elements)
        except IrminError as e:
            return type(e), str(e)


NUMBERS = st.sampled_from([0, 1, 2, 3, 9, 127, 128, 1 << 61, 1 << 62, (1 << 63) - 1]).map(varint)
SHREDS = st.one_of(
    NUMBERS, st.just(bytes(32)), st.binary(max_size=3), st.sampled_from([b"\x80\0", b"\xff" * 9])
)


@given(st.data(), st.sampled_from(SCHEMAS), BINDINGS)
def test_streams_are_taken_apart_alike(
    data: st.DataObject, schema: Schema[Any, Any], bindings: Bindings
) -> None:
    asked = data.draw(st.lists(st.sampled_from(sorted(bindings)), unique=True))
    main = stored(schema, bindings)
    raw = main.produce_stream(Read(asked) if asked else everything)[0].to_bytes()
    found = stream(raw, schema, ccore)
    assert found == stream(raw, schema, _nodes)
    read = getattr(schema.metadata, "read", None)
    skip = None if read is None else lambda data, at: read(data, at)[1]
    assert ccore.take_elements(raw, len(raw), 0, schema.codec.hash_size, skip, 9) == (len(raw), (), {})
    fields = Fields(schema)
    source = Input(raw, fields)
    source.kinded(), source.kinded()
    n = source.number()
    assert ccore.take_elements(raw, source.at, n, fields.size, skip, 1000)[1]
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = bytearray(raw)
    changed[at] = data.draw(st.integers(0, 255))
    most = data.draw(st.integers(0, 9))
    shreds = data.draw(st.lists(SHREDS, max_size=12))
    written = raw[: source.at - 1] + varint(most) + b"".join(shreds)
    for other, limits in (
        *((case, LIMITS) for case in (bytes(changed), raw[:at], raw + b"\0", written)),
        (raw, replace(LIMITS, objects=most)),
        (raw, replace(LIMITS, contents=most)),
    ):
        assert stream(other, schema, ccore, limits) == stream(other, schema, _nodes, limits)


@pytest.mark.parametrize("schema", SCHEMAS[:2], ids=str)
@pytest.mark.parametrize("chosen", [ccore, _nodes], ids=["c", "python"])
def test_long_streams_are_read_without_the_compiled_core_too(schema: Schema[Any, Any], chosen: Any) -> None:
    """Decision 059: where a core says nothing, nothing is wrong yet. What is wrong far behind is not looked for."""
    main = stored(schema, {(f"d{i}", "a"): b"x" * 90 for i in range(400)})
    raw = main.produce_stream(everything)[0].to_bytes()
    assert len(raw) > 2 * Limits().explained
    read = stream(raw, schema, chosen, Limits())
    assert read == stream(raw, schema, ccore)
    refused, reason = cast("tuple[type, str]", stream(raw[:-1], schema, chosen, Limits()))
    assert refused is BadProof
    assert re.search(r"at the byte \d{5}, or" if chosen is ccore else "truncated", reason), reason
