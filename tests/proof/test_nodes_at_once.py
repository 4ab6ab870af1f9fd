"""Decisions 056, 060 and 084: proofs are the same with the compiled core and without, honest or changed.

That is: what they show, and in which order, and their bytes; or the type, the reason and the place of the error.

Without a compiled core there is nothing to compare, and one line of the summary says so.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from itertools import product
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irminpy import Proof, Schema, Tree, _nodes, core
from irminpy.contents import String
from irminpy.errors import BadProof, DecodeError, IrminError
from irminpy.formats import FlatNative, Native
from irminpy.metadata import NoMetadata, Own
from irminpy.objects import BUCKET, ROOT, Inode, Node
from irminpy.proof import Limits, Read
from irminpy.proof.compact import TREE, encode_tree, head
from irminpy.proof.shown import Encoded, depth_of, opened
from irminpy.shape import Record, place_of
from irminpy.testing.fuzz.plain import Sweep
from irminpy.testing.fuzz.subjects import Subject, subjects

from .builder import SCHEMA, again
from .stores import MODES, store_of

ccore: Any = pytest.importorskip("irminpy._ccore", reason="the compiled core was not built here")

SCHEMAS: list[Schema[Any, Any]] = [
    Schema(String(), format=Native(2, 2)),
    Schema(String(), format=Native(8, 3)),
    Schema(String()),
    Schema(String(), format=Native(256, 2)),
    Schema(String(), format=FlatNative()),
    MODES,
]
STEPS = st.one_of(
    st.sampled_from([f"s{i}" for i in range(40)]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=150),
)
BINDINGS = st.dictionaries(
    st.lists(STEPS, min_size=1, max_size=3).map(tuple),
    st.text("ab\0é", max_size=140),
    min_size=1,
    max_size=60,
)
MUTANTS = {"quick": 3_000, "ci": 30_000, "deep": 1_000_000}[os.environ.get("IRMINPY_PROFILE", "quick")]
LIMITS = Limits(explained=1 << 30)
Opened = dict[tuple[bytes | str, ...], tuple[bytes, int]]


def read(raw: bytes, schema: Schema[Any, Any], limits: Limits) -> tuple[object, ...]:
    """All there is to know of what was read, or of why it was not."""
    try:
        proof = Proof.from_bytes(raw, schema, limits)
    except IrminError as e:
        return type(e), str(e)
    shown = proof.shown()
    nodes = [(hash, type(node), repr(node), node) for hash, node in shown.nodes.items()]
    # What is written next is to compare with the bytes that were read.
    written = encode_tree(schema, shown, proof.after)
    return proof.before, proof.after, nodes, list(shown.contents.items()), shown.apart, written == raw


def same(raw: bytes, schema: Schema[Any, Any], limits: Limits = LIMITS) -> tuple[object, ...]:
    """What `read` gives, with either core."""
    found: list[tuple[object, ...]] = []
    for chosen in (_nodes, ccore):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(core, "read_nodes", chosen.read_nodes)
            patch.setattr(core, "write_nodes", chosen.write_nodes)
            # Proofs are read at once where the codec hashes with the function of the core.
            found.append(read(raw, schema, limits))
    assert found[0] == found[1]
    # What is refused without looking for the reason is refused, and nothing else.
    briefly = read(raw, schema, replace(limits, explained=0))
    refused = isinstance(found[0][0], type)
    assert briefly == found[0] or (refused and briefly[0] is BadProof), briefly
    return found[0]


def answered(raw: bytes, schema: Schema[Any, Any]) -> bool:
    """Whether the compiled function has an answer to the nodes of a proof that changes nothing."""
    codec: Any = schema.codec
    numbers = (codec.fanout, codec.leaf, codec.levels, codec.empty, LIMITS.depth, LIMITS.density)
    rest = (LIMITS.objects, LIMITS.contents, Node)
    return isinstance(ccore.read_nodes(raw, 40, *numbers, *rest), tuple)


def _subjects() -> list[Subject]:
    return [s for s in subjects() if not s.stream and s.forest.schema.format.name.startswith("native")]


@given(st.data(), st.sampled_from(SCHEMAS), BINDINGS)
def test_honest_proofs_are_written_and_read_alike(
    data: st.DataObject, schema: Schema[Any, Any], bindings: dict[tuple[str, ...], str]
) -> None:
    main = store_of({}, schema)
    main.set_tree((), tree_of(schema, bindings), message="", date=0)
    known: list[tuple[str, ...]] = []

    def noted(path: tuple[str, ...], value: Any, acc: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        return [*acc, path]

    paths = main.tree().fold(known, contents=noted)
    asked = data.draw(st.lists(st.sampled_from(paths), min_size=1, unique=True))
    raws: list[bytes] = []
    for chosen in (_nodes, ccore):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(core, "write_nodes", chosen.write_nodes)
            raws.append(main.produce_proof(Read(asked))[0].to_bytes())
    assert raws[0] == raws[1]
    found = same(raws[0], schema)
    assert found[-1] is True
    # And a few changes of it: in a byte, at the end, and limits that it is beyond.
    at = data.draw(st.integers(0, len(raws[0]) - 1))
    changed = bytearray(raws[0])
    changed[at] = data.draw(st.integers(0, 255))
    same(bytes(changed), schema)
    same(raws[0][:at], schema)
    same(raws[0] + b"\0", schema)
    most = data.draw(st.integers(0, 20))
    same(raws[0], schema, replace(LIMITS, objects=most))
    same(raws[0], schema, replace(LIMITS, density=most))
    same(raws[0], schema, replace(LIMITS, depth=most % 4))
    same(raws[0], schema, replace(LIMITS, contents=most))


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_proofs_with_steps_of_every_length_are_read_by_the_core(schema: Schema[Any, Any]) -> None:
    """Lengths of one byte and of two, up to the longest step."""
    steps = ["a" * 127, "b" * 128, "ä" * 64, "é" * 2048, "c" * 4096, "d", "e" * 255, "f" * 256]
    bindings: dict[tuple[str, ...], str] = {
        (step, other): step[:9] for step in steps for other in (steps[0], steps[4], "x")
    }
    main = store_of({}, schema)
    main.set_tree((), tree_of(schema, bindings), message="", date=0)
    raw = main.produce_proof(Read(list(bindings)))[0].to_bytes()
    assert answered(raw, schema)
    assert same(raw, schema)[-1] is True
    for at in range(40, len(raw), max(1, len(raw) // 60)):
        same(raw[:at] + bytes((raw[at] ^ 129,)) + raw[at + 1 :], schema)


def test_what_is_wrong_far_behind_is_refused_without_reading_again() -> None:
    """Decision 059."""
    schema: Schema[Any, Any] = Schema(String())
    main = store_of({}, schema)
    main.set_tree(
        (), tree_of(schema, {(f"d{i % 9}", f"{i}"): "x" * 40 for i in range(4000)}), message="", date=0
    )
    proof, _ = main.produce_proof(lambda tree: (tree, tree.to_concrete()))
    raw = proof.to_bytes()
    assert len(raw) > 2 * Limits().explained
    late, early = raw[:-1], raw[:40] + b"\3" + raw[41:]
    for data, limits, reason in (
        (late, Limits(), r"at the byte 15\d+, or before it"),
        (late, Limits(explained=len(raw)), "truncated"),
        (early, Limits(), "unknown tag 3 of a node"),
        (early, Limits(explained=0), "at the byte 41, or before it"),
    ):
        if core.CORE != "c":
            reason = "truncated" if data is late else "unknown tag"
        with pytest.raises(BadProof, match=reason):
            Proof.from_bytes(data, schema, limits)
    assert Proof.from_bytes(raw, schema, Limits(explained=0)).before == proof.before


def _names(raw: bytes, schema: Schema[Any, Any]) -> tuple[list[int], list[bytes]]:
    """Where a hash stands in a proof that nothing is revealed under, and the hashes of all that is revealed."""
    shown = Proof.from_bytes(raw, schema).shown()
    known = {*shown.nodes, *shown.contents}
    blinded: set[bytes] = set()
    for node in shown.nodes.values():
        column = node.hashes
        blinded |= {column[at : at + 32] for at in range(0, len(column), 32)} - known
    return [at for at in range(40, len(raw) - 31) if raw[at : at + 32] in blinded], sorted(known)


@given(
    st.data(),
    st.sampled_from(SCHEMAS[:3]),
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("xy"), min_size=1, max_size=6),
    st.integers(2, 9),
)
def test_what_is_referred_to_twice_is_taken_or_refused_alike(
    data: st.DataObject, schema: Schema[Any, Any], below: dict[str, str], wide: int
) -> None:
    """Directories that are the same, and then a hash that stands for something which is revealed elsewhere."""
    # Of some the names differ, and so do the buckets that they are in.
    bindings: dict[tuple[str, ...], str] = {
        (f"d{i % 3}", f"{i}", step): value for i in range(wide) for step, value in below.items()
    }
    bindings |= {(f"e{i}", step): value for i in range(wide) for step, value in below.items()}
    main = store_of({}, schema)
    main.set_tree((), tree_of(schema, bindings), message="", date=0)
    asked = data.draw(st.lists(st.sampled_from(sorted(bindings)), min_size=1, max_size=6, unique=True))
    raw = main.produce_proof(Read(asked))[0].to_bytes()
    assert same(raw, schema)[-1] is True
    places, known = _names(raw, schema)
    for _ in range(min(8, len(places))):
        at, hash = data.draw(st.sampled_from(places)), data.draw(st.sampled_from(known))
        same(raw[:at] + hash + raw[at + 32 :], schema)


@given(again())
@settings(max_examples=300)
def test_a_part_in_any_second_place_is_taken_or_refused_alike(raw: bytes) -> None:
    """V3 to V5: of a bucket its level, count and digits; of a directory that it is one; and which place is first."""
    same(raw, SCHEMA)


def _any_mode(data: bytes) -> bytes:
    if len(data) > 200 or data[:1] == b"?":
        raise DecodeError("mode", "longer than 200 bytes, or of no meaning", None)
    return data


LONG_MODES: Schema[Any, Any] = Schema(
    String(),
    metadata=Own("any/1", b"", bytes, _any_mode, lambda old, ours, theirs: ours),
    format=Native(2, 2),
)


@given(
    st.data(),
    st.sampled_from([LONG_MODES, replace(LONG_MODES, format=Native(256, 256))]),
    st.dictionaries(
        st.lists(STEPS, min_size=1, max_size=2).map(tuple),
        st.tuples(
            st.text("ab", max_size=3), st.sampled_from([b"", b"x", b"y" * 200]) | st.binary(max_size=40)
        ),
        min_size=1,
        max_size=40,
    ),
    st.booleans(),
)
def test_proofs_with_metadata_are_read_alike(
    data: st.DataObject,
    schema: Schema[Any, Any],
    bindings: dict[tuple[str, ...], tuple[str, bytes]],
    wide: bool,
) -> None:
    """Of entries and buckets, blinded and revealed; what is no metadata is refused, and so are those of the default."""
    editor = Tree.empty(schema).edit()
    if wide and schema.format == Native(256, 256):  # one node of so many entries is decoded when it is read
        bindings |= {(f"w{i}",): ("w", b"%d" % (i % 7)) for i in range(250)}
    for path, (value, mode) in bindings.items():
        if not mode.startswith(b"?"):
            editor.add(path, value, metadata=mode)
    main = store_of({}, schema)
    main.set_tree((), editor.tree(), message="", date=0)
    asked = data.draw(st.lists(st.sampled_from(sorted(bindings)), min_size=1, max_size=5, unique=True))
    raw = main.produce_proof(Read(asked))[0].to_bytes()
    assert answered(raw, schema)
    assert same(raw, schema)[-1] is True
    for _ in range(5):
        at = data.draw(st.integers(40, len(raw) - 1))
        same(raw[:at] + bytes((data.draw(st.integers(0, 255)),)) + raw[at + 1 :], schema)
    # And in a schema that has none, where it is wrong as a whole.
    plain = replace(schema, metadata=NoMetadata())
    verdict = same(head(plain, TREE) + raw[len(head(schema, TREE)) :], plain)
    nodes = Proof.from_bytes(raw, schema).shown().nodes.values()
    assert isinstance(verdict[0], type) == any(type(node) is Node and node.metadata for node in nodes)


def tree_of(schema: Schema[Any, Any], bindings: dict[tuple[str, ...], str]) -> Any:
    """The tree of `bindings`; what is bound later wins."""
    editor = Tree.empty(schema).edit()
    for path, value in bindings.items():
        editor[path] = value
    return editor.tree()


@pytest.mark.profiled
def test_changed_proofs_are_read_or_refused_alike() -> None:
    """V1 to V8: the reason and the place come from one source, whichever core looks first."""
    honest = _subjects()
    sweep = Sweep([subject.raw for subject in honest], seed=7)
    verdicts: set[object] = set()
    for number in range(min(MUTANTS, sweep.total)):
        which, _, raw = sweep.mutant(number)
        verdicts.add(type(same(raw, honest[which].forest.schema)[0]).__name__)
    assert {"type", "KindedHash"} <= verdicts  # errors, and proofs of another root


def test_the_compiled_function_answers_where_nothing_is_unusual() -> None:
    """Else all tests here would compare Python with itself."""
    main = store_of({f"d{i % 3}/é{i}": "v" * (i % 50) for i in range(200)}, SCHEMAS[2])
    raw = main.produce_proof(Read(["d0/é3", "d1/é4", "d2/none"]))[0].to_bytes()
    assert answered(raw, SCHEMAS[2])
    shown = Proof.from_bytes(raw, SCHEMAS[2]).shown()
    root, nodes = shown.root.hash, dict(shown.nodes)
    written = ccore.write_nodes(root, nodes, shown.contents, 16, Node, Inode)
    assert raw.endswith(written)
    assert _nodes.write_nodes(root, nodes, shown.contents, 16, Node, Inode) is None
    for cut in range(40, len(raw)):
        assert not answered(raw[:cut], SCHEMAS[2])


@given(st.data(), st.sampled_from(SCHEMAS[:4]), st.sets(STEPS, min_size=10, max_size=80))
def test_look_ups_go_down_alike(data: st.DataObject, schema: Schema[Any, Any], steps: set[str]) -> None:
    """What is there, what is not, and a bucket that is not what its parent says: Corrupted, as it was."""
    main = store_of({}, schema)
    main.set_tree((), tree_of(schema, {(step,): step for step in steps}), message="", date=0)
    codec, source = schema.codec, main._opened.home.source()
    root = source.node(main.head().tree_hash)
    wrong = data.draw(st.sampled_from([None, *(step for step in sorted(steps))]))
    depth = data.draw(st.integers(0, 3))

    def load(hash: bytes, word: int = 0, /) -> Record:
        record = source.node(hash, word)
        if wrong is None:
            return record
        if type(record) is Inode:
            return record._replace(counts=[n + 1 for n in record.counts]) if record.depth > depth else record
        return record._replace(place=ROOT) if wrong in record.index else record

    asked = [*steps, *data.draw(st.lists(STEPS, max_size=20))]
    found: list[list[object]] = []
    for chosen in (_nodes, ccore):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(core, "bucket_of", chosen.bucket_of)
            rows: list[object] = []
            for step in asked:
                try:
                    rows.append(place_of(codec, load, lambda hash: None, root, step))
                except IrminError as e:
                    rows.append((type(e), str(e)))
            found.append(rows)
    assert found[0] == found[1]


@given(st.data(), st.sampled_from(SCHEMAS[:5]), BINDINGS)
def test_paths_are_followed_alike(
    data: st.DataObject, schema: Schema[Any, Any], bindings: dict[tuple[str, ...], str]
) -> None:
    """Through decoded nodes with words and without, and through their bytes; where one is missing, or is not what leads
    to it, the way ends at the directory before, whatever is below."""
    codec: Any = schema.codec
    main = store_of({}, schema)
    tree = tree_of(schema, bindings)
    main.set_tree((), tree, message="", date=0)
    root = bytes(main.head().tree_hash)
    made = main.produce_proof(lambda tree: (tree, tree.to_concrete()))[0]
    whole: dict[bytes, Any] = dict(made.shown().nodes)
    lacking = data.draw(st.sampled_from([None, None, *whole]))
    wrong = data.draw(st.sampled_from([None, None, *whole]))
    locates = data.draw(st.booleans())

    def changed(hash: bytes, record: Any) -> Any:
        if locates and hash != lacking:
            n = len(record.hashes) // 32
            words = b"".join([(i + 1).to_bytes(8, "little") for i in range(n)])
            record = record._replace(words=words)
        if hash != wrong:
            return record
        if type(record) is Inode:
            return record._replace(counts=[n + 1 for n in record.counts])
        return record._replace(place=ROOT if hash != root else BUCKET)

    held = {hash: changed(hash, record) for hash, record in whole.items()}
    at_hand = {hash: record for hash, record in held.items() if locates or hash != lacking}
    asked: list[list[str]] = [list(path) for path in bindings]
    asked += [path[:-1] for path in asked] + [[*path, "x"] for path in asked]
    asked += [list(path) for path in data.draw(st.lists(st.lists(STEPS, max_size=3), max_size=10))]
    numbers = (codec.fanout, codec.leaf, locates, codec.empty, Node, Inode)
    loads = data.draw(st.booleans()) and lacking is not None

    def load(hash: bytes, word: int) -> Any:
        return held[hash] if word or not locates else None

    # Each look-up by itself, and all after each other.
    kept: list[tuple[dict[bytes, Any], Opened]] = [({}, {}), ({}, {}), ({}, {})]
    raws = {hash: encoded(codec, record) for hash, record in at_hand.items()} if wrong is None else {}
    for steps, fresh in product(asked, (True, False)):
        found: list[object] = []
        for (noted, ways), chosen in zip(kept, (_nodes, ccore), strict=False):
            mine: dict[bytes, Any] = {} if fresh else noted
            seen: Opened = {} if fresh else ways
            found.append(
                chosen.follow(
                    at_hand.get, load if loads else None, mine, seen, root, int(locates), steps, *numbers
                )
            )
            found += [{hash: id(record) for hash, record in mine.items()}, seen]
        assert found[:3] == found[3:]
        if raws and not locates and not loads:
            mine, seen = ({}, {}) if fresh else kept[2]
            assert ccore.follow(raws.get, None, mine, seen, root, 0, steps, *numbers) == found[0]
            assert [*mine] == [*cast("dict[bytes, int]", found[1])]


def encoded(codec: Any, record: Record) -> bytes:
    """The canonical bytes of a decoded node without metadata."""
    if type(record) is Inode:
        data: bytes = codec.encode_inode(record.depth, record.buckets, record.counts, record.hashes)
    else:
        data = codec.encode_node([*record.index], record.kinds, record.hashes, [])
    return data


def test_what_is_followed_may_be_anything() -> None:
    """A node that is none, or that lies about itself, ends the way where it stands; errors of a look-up go through."""
    codec: Any = SCHEMAS[0].codec
    numbers = (codec.fanout, codec.leaf, False, codec.empty, Node, Inode)
    root = b"r" * 32
    hashes = b"\1" * 64
    for record in (
        None,
        7,
        b"",
        b"N",
        b"I\x96",
        (),
        Node({}, b"\0", b"", {}),
        Node({"a": 5}, b"\0", b"\1" * 32, {}),
        Node({"a": -5}, b"\0", b"\1" * 32, {}),
        Node({"a": 0}, b"\0", b"\1" * 32, {}, b"\1"),
        Inode(0, b"\0\1", [1], hashes),
        Inode(0, b"\0\1", [1, 2], hashes[1:]),
        Inode(1, b"\0\1", [1, 2], hashes),
        Inode(0, b"\0\1", [1, 2], hashes, b"\1" * 7),
    ):
        found = ccore.follow({root: record}.get, None, {}, {}, root, 0, ["a"], *numbers)
        assert found in ((0, 0, root, 0), None)
    for known in (None, (), (root, -1), (b"r", 0), ("r", 0)):
        ways: dict[Any, Any] = {(root, "a"): known}
        assert ccore.follow({}.get, None, {}, ways, root, 0, ["a", "b"], *numbers) == (0, 0, root, 0)
    with pytest.raises(ZeroDivisionError):
        ccore.follow({}.get, lambda hash, word: 1 // word, {}, {}, root, 0, ["a"], *numbers)
    with pytest.raises(ZeroDivisionError):
        ccore.follow(lambda hash: 1 // 0, None, {}, {}, root, 0, ["a"], *numbers)


@given(st.data(), st.sampled_from(SCHEMAS[:3]), BINDINGS)
def test_what_a_proof_shows_is_decoded_when_it_is_asked_for(
    data: st.DataObject, schema: Schema[Any, Any], bindings: dict[tuple[str, ...], str]
) -> None:
    """Whichever is asked for first: each is the node that it would have been, and the depth is that of the proof."""
    main = store_of({}, schema)
    main.set_tree((), tree_of(schema, bindings), message="", date=0)
    made, _ = main.produce_proof(lambda tree: (tree, tree.to_concrete()))
    shown = Proof.from_bytes(made.to_bytes(), schema).shown()
    assert type(shown.nodes) is (Encoded if core.CORE == "c" else dict)
    hashes = data.draw(st.permutations([*shown.nodes]))
    source = main._opened.home.source()
    for hash in hashes:
        node, stored = shown.nodes[hash], source.node(hash)
        assert node is shown.nodes[hash]
        assert node[:4] == stored[:4]
    assert dict(shown.nodes) == dict(shown.nodes.items())
    assert len(shown.nodes) == len(hashes)
    assert b"" not in shown.nodes
    size = schema.codec.hash_size
    found = opened(shown.root.hash, shown.nodes, shown.contents, size)
    assert depth_of(shown, size) == max(node.depth for node in found)


ODD = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.binary(max_size=40),
    st.just(b"\0" * 32),
    st.just({}),
    st.just({b"\0" * 32: Node({}, b"", b"", {})}),
    st.just({b"\0" * 32: ()}),
    st.just({b"\0" * 32: Node({"a": 0}, b"\0", b"", {})}),
    st.just({b"\0" * 32: Inode(0, b"\xff", [1], b"\0" * 32)}),
    st.just({b"\0" * 32: Inode(0, b"\1", [-1], b"\1" * 32)}),
    st.just({"\0": 1}),
    st.sampled_from([Node, Inode, tuple, int]),
)


@given(st.lists(ODD, max_size=13), st.binary(max_size=200), st.sampled_from(SCHEMAS))
@settings(max_examples=300)
def test_arguments_of_any_type_are_safe(arguments: list[Any], data: bytes, schema: Schema[Any, Any]) -> None:
    """Whatever is given, there is an answer, none, or an error of Python."""
    for function in (ccore.read_nodes, ccore.write_nodes, ccore.bucket_of, ccore.follow):
        with contextlib.suppress(TypeError, ValueError, AttributeError, IndexError):
            function(*arguments)
    nodes = [item for item in arguments if type(item) is dict] or [{}]
    for record in [*nodes[0].values(), *arguments]:
        with contextlib.suppress(TypeError, KeyError):
            ccore.bucket_of(record, data, 4, nodes[0].__getitem__, Node, Inode)
        with contextlib.suppress(TypeError, ValueError, AttributeError, IndexError):
            ccore.follow(
                lambda hash, record=record: record, None, {}, {}, b"\1" * 32, 1, ["a"], 16, 32, *arguments
            )
    answered(data, schema)
    found = ccore.write_nodes(b"\0" * 32, nodes[0], nodes[-1], 16, Node, Inode)
    assert found is None or type(found) is bytes
