from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from irminpy.comparison import differences
from irminpy.errors import Corrupted, DepthExceeded, IrminError
from irminpy.formats import FlatNative, Native
from irminpy.hash import BLAKE3, SHA256, Hash, Own
from irminpy.key import KindedHash
from irminpy.objects import Inode, Node
from irminpy.reshape import apply
from irminpy.schema import Schema
from irminpy.shape import EMPTY, bucket, build, entries, entry_at, entry_of, page
from irminpy.tree import Tree
from tests.tree_repo import TreeRepo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from irminpy.formats import Codec
    from irminpy.shape import Record

# What follows the document without a line of irminpy.
SKETCH = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parent.parent / "vectors" / "native" / "generate.py"))
)
PARAMETERS = [(2, 2), (4, 3), (16, 32), (32, 5), (256, 2), (256, 256)]
CODECS = {parameters: Native(*parameters).bind(BLAKE3()) for parameters in PARAMETERS}


class Store:
    """Objects in memory that count how often each was read."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.nodes: dict[bytes, bytes] = {}
        self.reads: list[bytes] = []

    def load(self, hash: bytes, word: int = 0, /) -> Record:
        self.reads.append(hash)
        return self.codec.decode_node(self.nodes[hash])

    def apply(self, record: Record, changes: Mapping[str, bytes | None]) -> tuple[bytes, int]:
        return apply(self.codec, self.load, self.nodes, record, changes)

    def make(self, items: Mapping[str, bytes]) -> Record:
        return self.codec.decode_node(self.nodes[self.apply(EMPTY, items)[0]])


def entry(i: int) -> bytes:
    kind = (1, 1, 0, 2)[i % 4]
    return bytes([kind]) + BLAKE3().digest(b"h%d" % i) + (b"m%d" % i if kind == 2 else b"")


def contents(i: int) -> bytes:
    return b"\1" + BLAKE3().digest(b"Bv%d" % i)


def bindings(n: int) -> dict[str, bytes]:
    return {f"k{i}": contents(i) for i in range(n)}


def built(codec: Codec, items: Mapping[str, bytes]) -> tuple[bytes, dict[bytes, bytes]]:
    """Hash and objects of a directory made at once, in an order of its own."""
    nodes: dict[bytes, bytes] = {}
    steps = list(items)[::-1]
    kinds = bytes([items[s][0] for s in steps])
    metadata = {s: items[s][33:] for s in steps if items[s][0] == 2}
    return build(codec, nodes, steps, kinds, [items[s][1:33] for s in steps], metadata), nodes


steps = st.integers(0, 60).map(lambda i: f"k{i}") | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=4
)
directories = st.dictionaries(steps, st.integers(0, 9).map(entry), max_size=80)
edits = st.lists(
    st.dictionaries(steps, st.none() | st.integers(0, 9).map(entry), max_size=60), min_size=1, max_size=6
)
parameters = st.sampled_from(PARAMETERS)


@given(parameters, edits)
def test_the_shape_is_a_function_of_the_entries(
    parameters: tuple[int, int], edits: list[dict[str, Any]]
) -> None:
    """Any way of edits to the same entries ends with the same root, and with the one the document gives."""
    store = Store(CODECS[parameters])
    model: dict[str, bytes] = {}
    record: Record = EMPTY
    for changes in edits:
        root, count = store.apply(record, changes)
        for step, change in changes.items():
            if change is None:
                model.pop(step, None)
            else:
                model[step] = change
        expected, objects = built(store.codec, model)
        assert (root, count) == (expected, len(model))
        assert objects.items() <= store.nodes.items()
        shape = SKETCH.Shape(*parameters)
        assert root == shape.root({s: (e[0], e[1:33], e[33:]) for s, e in model.items()})
        record = store.load(root)
        assert dict(entries(store.load, record)) == model
        assert [step for step, _ in entries(store.load, record)] == shape.order(model)


@given(parameters, directories)
def test_removing_and_adding_one_at_a_time(parameters: tuple[int, int], items: dict[str, bytes]) -> None:
    store = Store(CODECS[parameters])
    record = store.make(items)
    left = dict(items)
    root = store.codec.empty
    for step in list(items):
        root, _ = store.apply(record, {step: None})
        del left[step]
        assert root == built(store.codec, left)[0]
        record = store.load(root)
    assert root == store.codec.empty
    for step, bound in items.items():
        record = store.load(store.apply(record, {step: bound})[0])
    assert record == store.make(items)


@given(parameters, directories, st.integers(0, 90), st.none() | st.integers(0, 90))
def test_a_page_is_a_slice_of_all_entries(
    parameters: tuple[int, int], items: dict[str, bytes], offset: int, length: int | None
) -> None:
    store = Store(CODECS[parameters])
    record = store.make(items)
    everything = list(entries(store.load, record))
    end = None if length is None else offset + length
    found = [(step, entry_at(place)) for step, place in page(store.load, record, offset, length)]
    assert found == everything[offset:end]


@given(parameters, directories, steps)
def test_an_entry_is_found_where_it_is_and_only_there(
    parameters: tuple[int, int], items: dict[str, bytes], other: str
) -> None:
    store = Store(CODECS[parameters])
    record = store.make(items)
    for step in [*items, other]:
        assert entry_of(store.codec, store.load, record, step) == items.get(step)


@given(parameters, directories, directories, st.booleans())
@example((2, 2), bindings(3), {}, False)
@example((16, 32), bindings(33), bindings(32), False)
def test_differences_are_what_two_dicts_differ_by(
    parameters: tuple[int, int], a: dict[str, bytes], b: dict[str, bytes], related: bool
) -> None:
    if related:
        b = {**a, **dict(list(b.items())[:3])}
    left, right = Store(CODECS[parameters]), Store(CODECS[parameters])
    x, y = left.make(a), right.make(b)
    found = list(differences(left.codec, left.load, x, right.load, y))
    expected = {s: (a.get(s), b.get(s)) for s in a | b if a.get(s) != b.get(s)}
    assert {step: (entry_at(one), entry_at(two)) for step, one, two in found} == expected
    assert len(found) == len(expected)
    assert found == [(s, two, one) for s, one, two in differences(left.codec, right.load, y, left.load, x)]


def test_differences_read_only_the_way_to_them() -> None:
    left, right = Store(CODECS[16, 32]), Store(CODECS[16, 32])
    items = bindings(20_000)
    x, y = left.make(items), right.make({**items, "k77": contents(1)})
    assert [step for step, _, _ in differences(left.codec, left.load, x, right.load, y)] == ["k77"]
    assert len(left.reads) == len(right.reads) <= 4
    left.reads.clear()
    assert list(differences(left.codec, left.load, x, left.load, x)) == []
    assert left.reads == []


def test_differences_against_a_small_directory_read_as_they_go() -> None:
    """Both sides of each differing bucket were once read before the first difference came out."""
    store = Store(CODECS[16, 32])
    record = store.make(bindings(20_000))
    for other in (EMPTY, store.make(bindings(3))):
        store.reads.clear()
        found = differences(store.codec, store.load, record, store.load, other)
        next(found)
        assert len(store.reads) <= 4
        assert len(list(found)) == 20_000 - other.count - 1


def test_an_edit_reads_and_writes_only_the_way_to_it() -> None:
    store = Store(CODECS[16, 32])
    record = store.make(bindings(20_000))
    store.reads.clear()
    before = len(store.nodes)
    store.apply(record, {"k5": contents(6)})
    assert len(store.reads) <= 3
    assert len(store.nodes) - before <= 4


def test_a_page_reads_only_what_is_on_it() -> None:
    store = Store(CODECS[16, 32])
    record = store.make(bindings(20_000))
    store.reads.clear()
    assert len(list(page(store.load, record, 19_000, 10))) == 10
    assert len(store.reads) <= 6


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_at_the_limit_one_entry_more_splits_and_one_less_collapses(parameters: tuple[int, int]) -> None:
    store = Store(CODECS[parameters])
    leaf = parameters[1]
    full = store.make(bindings(leaf))
    assert type(full) is Node
    root, count = store.apply(full, {"more": contents(0)})
    split = store.load(root)
    assert type(split) is Inode
    assert (split.depth, split.count, count) == (0, leaf + 1, leaf + 1)
    before = dict(store.nodes)
    assert store.load(store.apply(split, {"more": None})[0]) == full
    assert store.nodes == before


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_removing_everything_gives_the_empty_directory(parameters: tuple[int, int]) -> None:
    store = Store(CODECS[parameters])
    items = bindings(500)
    record = store.make(items)
    assert store.apply(record, dict.fromkeys(items)) == (store.codec.empty, 0)


def test_a_bucket_that_empties_leaves_no_empty_node_behind() -> None:
    """The empty node of such a bucket, to which nothing leads, was once handed to the backend."""
    store = Store(CODECS[16, 32])
    items = bindings(40)
    record = store.make(items)
    assert type(record) is Inode
    digit = record.buckets[0]
    gone = [step for step in items if store.codec.digit(step, 0) == digit][: 40 - 33]
    nodes: dict[bytes, bytes] = {}
    apply(store.codec, store.load, nodes, record, {**dict.fromkeys(gone), "absent": None})
    assert store.codec.empty not in nodes
    wide = Store(CODECS[256, 2])
    apply(wide.codec, wide.load, nodes, wide.make(items), {"k0": None, "absent": None, "absent too": None})
    assert wide.codec.empty not in nodes


def test_objects_come_children_first() -> None:
    """CG-09."""
    for parameters in PARAMETERS:
        store = Store(CODECS[parameters])
        store.make(bindings(700))
        seen: set[bytes] = set()
        for hash, data in store.nodes.items():
            record = store.codec.decode_node(data)
            if type(record) is Inode:
                assert seen.issuperset(record.children())
            seen.add(hash)


def all_alike(data: bytes) -> bytes:
    # Objects differ, steps (which have no domain byte before them) collide.
    return bytes(32) if data[:1] not in (b"N", b"I", b"B", b"S") else SHA256().digest(data)


@pytest.mark.parametrize("parameters", [(2, 2), (16, 32), (256, 256)], ids=str)
def test_steps_that_agree_in_all_digits_are_refused(parameters: tuple[int, int]) -> None:
    """A hash function of the caller's may collide; that is an error of the step, without a trace."""
    codec = Native(*parameters).bind(Own("alike-256", 32, all_alike))
    store = Store(codec)
    leaf = parameters[1]
    full = store.make(bindings(leaf))
    for record, changes in ((full, {"more": contents(0)}), (EMPTY, bindings(3000))):
        with pytest.raises(DepthExceeded) as caught:
            store.apply(record, changes)
        assert caught.value.step
    with pytest.raises(DepthExceeded):
        built(codec, bindings(leaf + 1))
    with pytest.raises(DepthExceeded):
        codec.digit("a", 256)


def test_steps_that_differ_in_their_last_digit_only_still_split() -> None:
    def last_bit(data: bytes) -> bytes:
        return bytes(31) + bytes([data[-1] & 1]) if data[:1] == b"k" else SHA256().digest(data)

    store = Store(Native(2, 2).bind(Own("last-bit", 32, last_bit)))
    items = {step: contents(0) for step in ("k0", "k2", "k1", "k3")}
    record = store.make(items)
    assert dict(entries(store.load, record)) == items
    assert len(store.nodes) == 256 + 2
    assert [entry_of(store.codec, store.load, record, s) for s in items] == [contents(0)] * 4
    with pytest.raises(DepthExceeded):
        store.apply(record, {"k4": contents(0)})
    root, _ = store.apply(record, {"k3": None, "k0": None})
    assert type(store.load(root)) is Node


def lie(store: Store, record: Inode, i: int, child: bytes, count: int | None = None) -> Inode:
    """`record` with another child, and perhaps count, in bucket number `i`."""
    hashes = record.children()
    hashes[i] = child
    counts = list(record.counts)
    counts[i] = count or counts[i]
    return Inode(record.depth, record.buckets, counts, b"".join(hashes))


def test_a_bucket_that_is_not_what_its_parent_states_is_corrupted() -> None:
    store = Store(CODECS[4, 3])
    record = store.make(bindings(100))
    assert type(record) is Inode
    root = store.codec.digest(store.codec.encode_inode(*record[:4]))
    leaf = store.apply(EMPTY, bindings(2))[0]
    deep = record
    while True:
        child = bucket(store.load, deep, 0)
        if type(child) is not Inode:
            break
        deep = child
    for bad in (
        lie(store, record, 0, root),  # an inner node of the same depth
        lie(store, record, 0, leaf),  # a flat one where the count is of an inner one
        lie(store, record, 1, record.child(0)),  # another bucket's count
        lie(store, record, 0, record.child(0), record.counts[0] + 1),
        lie(store, deep, 0, deep.child(0), 2 if deep.counts[0] != 2 else 1),
        lie(store, record, 0, store.codec.digest(store.codec.encode_inode(*deep[:4])), deep.count),
    ):
        with pytest.raises(Corrupted):
            _ = [bucket(store.load, bad, i) for i in range(len(bad.buckets))]
        with pytest.raises(Corrupted):
            list(entries(store.load, bad))
        with pytest.raises(Corrupted):
            list(page(store.load, bad, 0, None))
        with pytest.raises(Corrupted):
            list(differences(store.codec, store.load, bad, store.load, EMPTY))
        with pytest.raises(IrminError):
            apply(store.codec, store.load, {}, bad, {f"k{i}": None for i in range(100)})


def test_the_flat_shape_is_one_object_at_any_size() -> None:
    store = Store(FlatNative().bind(BLAKE3()))
    items = bindings(3000)
    record = store.make(items)
    assert type(record) is Node
    assert len(store.nodes) == 1
    assert dict(entries(store.load, record)) == items
    assert list(items) != [step for step, _ in entries(store.load, record)] == sorted(items)
    root, count = store.apply(record, {"k7": None, "a": contents(1)})
    smaller = store.load(root)
    assert (smaller.count, count) == (3000, 3000)
    assert [d[0] for d in differences(store.codec, store.load, record, store.load, smaller)] == ["a", "k7"]
    assert [s for s, _ in page(store.load, smaller, 2999, 5)] == ["k999"]


@given(
    st.sets(st.integers(0, 60), min_size=4, max_size=40),
    st.sets(st.integers(0, 60), max_size=40),
    st.randoms(use_true_random=False),
)
def test_a_directory_has_one_shape_whatever_the_order_of_edits(
    wanted: set[int], passing: set[int], rng: Any
) -> None:
    """BE-18, CG-04: added, removed and added again, one by one or at once, in any order: the same root."""
    store = Store(CODECS[2, 2])
    at_once = store.codec.digest(encoded(store, store.make({f"k{i}": contents(1) for i in wanted})))
    edits = [(i, True) for i in wanted | passing] + [(i, False) for i in passing - wanted]
    adds = [edit for edit in edits if edit[1]]
    removals = [edit for edit in edits if not edit[1]]
    rng.shuffle(adds)
    rng.shuffle(removals)
    record: Record = EMPTY
    root = store.codec.empty
    for i, bound in adds + removals:
        root, _ = store.apply(record, {f"k{i}": contents(1) if bound else None})
        record = store.load(root)
    assert root == at_once
    assert (type(record) is Inode) is (len(wanted) > store.codec.leaf)


def encoded(store: Store, record: Record) -> bytes:
    if type(record) is Inode:
        return store.codec.encode_inode(*record[:4])
    assert type(record) is Node
    return store.codec.encode_node(list(record.index), record.kinds, record.hashes, [])


def test_only_the_root_of_a_directory_is_one() -> None:
    """BE-18: an inner node of depth 1 or more in the place of a directory is refused, for reading and editing."""
    repo = TreeRepo(Schema(format=Native(2, 2)))
    repo.save(Tree.of_concrete({f"k{i}": b"v" for i in range(64)}, repo.home.schema))
    codec = repo.home.codec
    inner = [
        hash_
        for hash_, data in repo.reader.objects.nodes.items()
        if isinstance(record := codec.decode_node(data), Inode) and record.depth
    ]
    assert inner
    for hash_ in inner:
        kinded = KindedHash("node", Hash(hash_))
        with pytest.raises(Corrupted):
            Tree.of_hash(repo, kinded)
        shallow: Tree[Any, Any] = Tree.shallow(repo, kinded)
        attempts: list[Callable[[Tree[Any, Any]], object]] = [
            lambda tree: tree.find("k1"),
            lambda tree: tree.length(),
            lambda tree: tree.list(),
            lambda tree: tree.add("k1", b"w").hash(),
            lambda tree: tree.remove("k1").hash(),
        ]
        for attempt in attempts:
            with pytest.raises(Corrupted):
                attempt(shallow)


@pytest.mark.parametrize(("fanout", "levels"), [(2, 256), (4, 128), (16, 64), (256, 32)])
def test_the_depth_of_a_directory_is_bounded_by_the_digits_of_a_hash(fanout: int, levels: int) -> None:
    """BE-18: steps whose hashes agree in every digit do not fit; those that differ in the last one do."""
    one = Own("one/1", 32, lambda data: bytes(32))
    codec = Native(fanout, 2).bind(one)
    assert codec.digit("a", levels - 1) == 0
    with pytest.raises(DepthExceeded):
        codec.digit("a", levels)
    with pytest.raises(DepthExceeded):
        build(codec, {}, ["a", "b", "c"], b"\1" * 3, [bytes(32)] * 3, {})

    def by_last_digit(data: bytes) -> bytes:
        return bytes(31) + bytes([data[0] & 1]) if len(data) == 1 else BLAKE3().digest(data)

    last = Own("last/1", 32, by_last_digit)
    nodes: dict[bytes, bytes] = {}
    codec = Native(fanout, 2).bind(last)
    build(codec, nodes, ["a", "b", "c"], b"\1" * 3, [bytes(32)] * 3, {})
    inner = [node for node in map(codec.decode_node, nodes.values()) if isinstance(node, Inode)]
    assert max(node.depth for node in inner) == levels - 1
    assert len(inner) == levels
