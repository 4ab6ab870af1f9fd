from __future__ import annotations

import pickle
import runpy
import sys
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import _core
from irminpy.errors import DecodeError, InvalidStep, SchemaMismatch
from irminpy.formats import FlatNative, Native
from irminpy.formats.native import NativeCodec
from irminpy.hash import BLAKE2B, BLAKE3, SHA1, Hash
from irminpy.info import Info
from irminpy.objects import Commit, Inode, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

packed = cast("Callable[[object], bytes]", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]
# What follows the document without a line of irminpy.
SKETCH = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parent.parent / "vectors" / "native" / "generate.py"))
)
CODEC = Native(4, 3).bind(BLAKE3())
SHAPE = SKETCH.Shape(4, 3)


def h(i: int) -> bytes:
    return BLAKE3().digest(b"h%d" % i)


def again(codec: Any, found: Node | Inode | Commit) -> bytes:
    """The bytes of what was decoded."""
    if isinstance(found, Commit):
        data: bytes = codec.encode_commit(found)
    elif isinstance(found, Inode):
        data = codec.encode_inode(found.depth, found.buckets, found.counts, found.hashes)
    else:
        data = codec.encode_node(list(found.index), found.kinds, found.hashes, list(found.metadata.values()))
    return data


def both(decode: Callable[[bytes], Any], check: Callable[[bytes], None], data: bytes) -> bool:
    """Whether `data` is accepted, by the package and the sketch alike; what is accepted encodes to `data`."""
    try:
        found = decode(data)
    except DecodeError:
        found = None
    try:
        check(data)
        legal = True
    except SKETCH.Refused:
        legal = False
    assert (found is not None) == legal, (data, found)
    if found is not None:
        assert again(CODEC, found) == data
    return legal


def directory(data: bytes) -> bool:
    return both(CODEC.decode_node, SHAPE.check_directory, data)


def commit(data: bytes) -> bool:
    return both(CODEC.decode_commit, SKETCH.check_commit, data)


HONEST = [
    CODEC.encode_node([], b"", b"", []),
    CODEC.encode_node(["a"], b"\1", h(0), []),
    CODEC.encode_node(["a", "é", "\U0001f600"], b"\0\2\2", h(0) + h(1) + h(2), [b"", b"mode"]),
    CODEC.encode_node(["x" * 40], b"\0", h(0), []),
    CODEC.encode_inode(0, b"\0\3", [2, 2], h(0) + h(1)),
    CODEC.encode_inode(127, b"\0\1\2\3", [1, 1, 200, 70000], b"".join(map(h, range(4)))),
]
COMMITS = [
    CODEC.encode_commit(Commit(Hash(h(0)))),
    CODEC.encode_commit(Commit(Hash(h(0)), (Hash(h(1)),), Info(-40000, "ann", "é\0"))),
    CODEC.encode_commit(
        Commit(Hash(h(0)), (Hash(h(2)), Hash(h(1))), Info(1 << 40, "", "m" * 40, {"k": b"v", "l": b""}))
    ),
]


def mutants(data: bytes) -> Iterator[bytes]:
    for i in range(len(data)):
        for bit in range(8):
            yield data[:i] + bytes([data[i] ^ 1 << bit]) + data[i + 1 :]
        for byte in (0x00, 0x7F, 0x80, 0xC0, 0xC3, 0xFF):
            yield data[:i] + bytes([byte]) + data[i + 1 :]
            yield data[:i] + bytes([byte]) + data[i:]
        yield data[:i]
        yield data[:i] + data[i + 1 :]
        yield data[:i] + data[i : i + 1] + data[i:]
    for tail in (b"\0", b"\xc0", b"\x90", data):
        yield data + tail


@pytest.mark.parametrize("data", HONEST, ids=range(len(HONEST)))
def test_a_mutant_of_a_directory_is_refused_or_another_directory(data: bytes) -> None:
    assert directory(data)
    for mutant in mutants(data):
        directory(mutant)


@pytest.mark.parametrize("data", COMMITS, ids=range(len(COMMITS)))
def test_a_mutant_of_a_commit_is_refused_or_another_commit(data: bytes) -> None:
    assert commit(data)
    for mutant in mutants(data):
        commit(mutant)


@given(st.sampled_from([b"N", b"I", b"C", b""]), st.binary(max_size=60))
def test_any_bytes_are_refused_or_canonical(domain: bytes, data: bytes) -> None:
    directory(domain + data)
    commit(domain + data)


names = st.sampled_from(["", "a", "b", "c", "a/b", "\0", "é", "z" * 5])
anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(1 << 63), (1 << 64) - 1),
        st.floats(),
        names,
        st.binary(max_size=4),
    ),
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(names, below, max_size=2)),
    max_leaves=6,
)
column = st.lists(st.sampled_from([h(0), h(1), CODEC.empty]), max_size=4).map(b"".join)
kinds = st.lists(st.integers(0, 3), max_size=4).map(bytes)
counts = st.lists(
    st.one_of(st.integers(-1, 4), st.sampled_from([1 << 62, (1 << 63) - 1, 2.0, True])), max_size=4
)
nodes = st.tuples(st.lists(names, max_size=4).map(sorted), kinds, column)
wide_nodes = st.tuples(
    st.lists(names, max_size=4), kinds, column, st.lists(st.binary(max_size=2), max_size=3)
)
small = st.one_of(st.integers(0, 4), st.sampled_from([True, False, 4.0, 3.0, 0.0, 127, 128, -1]))
inodes = st.tuples(st.just(4), st.just(3), small, kinds, counts, column)
odd_inodes = st.tuples(small, small, small, kinds, counts, column)


@given(st.one_of(nodes, wide_nodes, inodes, odd_inodes, st.lists(anything, max_size=7), anything))
def test_any_msgpack_is_refused_or_canonical(row: Any) -> None:
    data = packed(row)
    directory(b"N" + data)
    directory(b"I" + data)


@given(
    st.one_of(
        st.tuples(st.sampled_from([h(0), b"", h(0)[:31]]), column, small, names, names),
        st.tuples(
            st.just(h(0)), column, small, names, names, st.lists(st.one_of(names, st.binary(max_size=2)))
        ),
        st.lists(anything, max_size=7),
    )
)
def test_any_msgpack_is_refused_as_a_commit_or_canonical(row: Any) -> None:
    commit(b"C" + packed(row))


@given(st.binary())
def test_contents_are_their_bytes_behind_a_domain_byte(data: bytes) -> None:
    [stored] = CODEC.encode_contents([data])
    assert stored == b"B" + data
    assert CODEC.decode_contents(stored) == data


@pytest.mark.parametrize("data", [b"", b"N", b"\0B", b"b"])
def test_contents_without_the_domain_byte_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        CODEC.decode_contents(data)


BOMBS = {
    "nesting of 10^6": b"\x91" * 1_000_000,
    "closed nesting": b"\x91" * 500 + b"\xc0",
    "maps in maps": b"\x81\xa1a" * 100_000,
    "arrays as keys": b"\x81\x91" * 50_000,
    "an array of 2^32 items": b"\xdd\xff\xff\xff\xff",
    "a map of 2^32 items": b"\xdf\xff\xff\xff\xff",
    "a str of 4 GiB": b"\x93\x91\xdb\xff\xff\xff\xff",
    "a bin of 4 GiB": b"\x93\x90\xc6\xff\xff\xff\xff",
    "an ext of 4 GiB": b"\xc9\xff\xff\xff\xff\x01",
    "an array of as many items as bytes": b"\xdd\x00\x03\x0d\x40" + b"\x90" * 200_000,
    "an extra of as many items as bytes": b"\x96\xc4\0\xc4\0\0\xa0\xa0\xdd\x00\x03\x0d\x40"
    + b"\x90" * 200_000,
    "as many steps as bytes": b"\x93\xdd\x00\x03\x0d\x40" + b"\xa0" * 200_000,
    "claims in claims": b"\xdd\x00\x03\x0d\x40" * 400 + b"\0" * 200_000,
    "claims in claims in a commit": b"\x96\xc4\0\xc4\0\0\xa0\xa0"
    + b"\xdd\x00\x03\x0d\x40" * 400
    + bytes(200_000),
    "claims in claims in a node": b"\x93" + b"\xdd\x00\x03\x0d\x40" * 400 + bytes(200_000),
    "a deep depth": b"\x96\x04\x03" + b"\x91" * 400 + b"\xc0" + b"\xc4\0\x90\xc4\0",
    "deep parameters": b"\x96" + b"\x91" * 400 + b"\xc0" + b"\x03\0\xc4\0\x90\xc4\0",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
@pytest.mark.parametrize("domain", [b"N", b"I", b"C", b"flat N"])
def test_a_bomb_is_refused_soon_and_with_little_memory(domain: bytes, bomb: bytes) -> None:
    """Arrays that claim many items, one within the other, once made room for each: 34 MB for 200 kB."""
    codec = FlatNative().bind(BLAKE3()) if domain == b"flat N" else CODEC
    decode = codec.decode_commit if domain == b"C" else codec.decode_node
    tracemalloc.start()
    start = time.thread_time()  # not what others do to the machine meanwhile
    try:
        with pytest.raises(DecodeError) as caught:
            decode(domain[-1:] + bomb)
        took = time.thread_time() - start
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert took < 5
    assert peak < (2 << 20) + 20 * len(bomb)
    assert len(str(caught.value)) < 1000


def test_deep_input_is_refused_near_the_end_of_the_stack() -> None:
    """An error message once held the repr of the item it refused: deep lists made that a RecursionError."""

    def deeper(n: int) -> None:
        if n:
            deeper(n - 1)
            return
        with pytest.raises(DecodeError):
            CODEC.decode_node(b"I" + BOMBS["a deep depth"])
        with pytest.raises(DecodeError):
            CODEC.decode_node(b"I" + BOMBS["deep parameters"])

    deeper(sys.getrecursionlimit() - 250)


@pytest.mark.parametrize("fanout", [0, 1, 3, 15, 512, -16, True, 16.0, "16", None])
def test_a_fan_out_is_a_power_of_two(fanout: Any) -> None:
    with pytest.raises(ValueError, match="fanout"):
        Native(fanout)


@pytest.mark.parametrize("leaf", [0, 1, 257, -1, True, 32.0, "32", None])
def test_a_leaf_limit_is_from_2_to_256(leaf: Any) -> None:
    with pytest.raises(ValueError, match="leaf"):
        Native(16, leaf)


@pytest.mark.parametrize("format", [Native(), FlatNative()])
def test_a_hash_has_32_bytes(format: Native | FlatNative) -> None:
    for hash in (SHA1(), BLAKE2B(64)):
        with pytest.raises(SchemaMismatch):
            format.bind(hash)
    assert format.bind(BLAKE2B(32)).hash_size == 32


def test_formats_are_values() -> None:
    assert Native() == Native(16, 32) != Native(16, 16)
    assert FlatNative() == FlatNative()
    flat: object = FlatNative()
    assert Native() != flat
    for format in (Native(2, 2), FlatNative()):
        assert pickle.loads(pickle.dumps(format)) == format
    assert (Native(8, 4).name, Native(8, 4).version, Native(8, 4).parameters) == ("native", 1, (8, 4))
    assert (FlatNative().name, FlatNative().version, FlatNative().parameters) == ("native-flat", 1, ())


def test_the_flat_format_has_directories_of_any_size_and_no_inner_nodes() -> None:
    """An inner node of more than 2^62 entries once passed as a directory of the flat format."""
    codec = FlatNative().bind(BLAKE3())
    steps = sorted(f"k{i}" for i in range(5000))
    data = codec.encode_node(steps, b"\1" * 5000, h(0) * 5000, [])
    found = codec.decode_node(data)
    assert isinstance(found, Node)
    assert found.count == 5000
    for counts in ([1, 2], [1 << 62, 1 << 61]):
        row = [2, 1 << 62, 0, b"\0\1", counts, h(0) + h(1)]
        with pytest.raises(DecodeError):
            codec.decode_node(b"I" + packed(row))
        row[1] = 1 << 63
        with pytest.raises(DecodeError):
            codec.decode_node(b"I" + packed(row))


def test_the_steps_of_a_path() -> None:
    assert list(CODEC.steps("a//b/")) == ["a", "b"]
    assert list(CODEC.steps("")) == []
    assert list(CODEC.steps(("a", "é"))) == ["a", "é"]
    assert list(CODEC.steps("/".join(["a" * 4000] * 3))) == ["a" * 4000] * 3
    for path in ("a\0", "a/" + "b" * 4097, "é" * 2049, "\ud800", ("",), ("a/b",), ("a", "\0")):
        with pytest.raises(InvalidStep):
            CODEC.steps(path)
    for wrong in (b"a", 3, None, (b"a",), (1,)):
        with pytest.raises(TypeError):
            CODEC.steps(wrong)  # type: ignore[arg-type]


def test_the_digits_of_many_steps_are_those_of_each() -> None:
    """Also when the cache of hashed steps overflows between and within calls."""
    codec = Native(32, 5).bind(BLAKE3())
    assert isinstance(codec, NativeCodec)
    steps = [f"s{i}" for i in range(70_000)]
    for chunk in (steps[:10], steps, steps[5:40], [steps[0]]):
        groups: dict[int, list[str]] = {}
        for step in chunk:
            groups.setdefault(_core.digit(BLAKE3().digest(step.encode()), 2, 5), []).append(step)
        found = codec.split(chunk, codec.keys(chunk), range(len(chunk)), 2)
        assert len(found) == 32
        assert {digit: [chunk[i] for i in rows] for digit, rows in enumerate(found) if rows} == groups
    assert codec.split(["s1"], codec.keys(["s1"]), [0], 2)[codec.digit("s1", 2)] == [0]


def test_the_keys_of_steps_are_their_hashes_whether_remembered_or_not() -> None:
    codec = Native().bind(BLAKE3())
    some = [f"s{i}" for i in range(100)]
    many = [f"m{i}" for i in range(70_000)]
    # Few and many, new and known, known in part (from the first or not), more than are remembered.
    asked = [
        some[:10],
        some,
        some,
        [*some[50:], "new"],
        ["newer", *some],
        [*some, "newest"],
        many,
        many[:100],
    ]
    asked += [many[at : at + 4000] for at in range(0, 68_000, 4000)]
    for chosen in [*asked, some, many[:4000]]:
        assert codec.keys(chosen) == [codec.digest(step.encode()) for step in chosen]


@pytest.mark.parametrize("fanout", [2, 4, 8, 16, 32, 64, 128, 256])
def test_a_split_by_several_digits_is_one_by_each_of_them(fanout: int) -> None:
    codec = Native(fanout, 5).bind(BLAKE3())
    assert isinstance(codec, NativeCodec)
    steps = [f"s{i}" for i in range(200)]
    keys = codec.keys(steps)
    for depth in range(codec.levels):
        for levels in (1, 2, 3, 99):
            found = codec.split(steps, keys, range(0, 200, 3), depth, levels)
            together = next(n for n in range(1, levels + 1) if len(found) == fanout**n)
            expected: dict[int, list[int]] = {}
            for i in range(0, 200, 3):
                number = 0
                for level in range(depth, depth + together):
                    number = number * fanout + codec.digit(steps[i], level)
                expected.setdefault(number, []).append(i)
            assert {number: rows for number, rows in enumerate(found) if rows} == expected


def test_commits_that_the_format_cannot_hold() -> None:
    node = Hash(h(0))
    with pytest.raises(DecodeError, match="31 bytes"):
        CODEC.encode_commit(Commit(Hash(h(0)[:31])))
    with pytest.raises(DecodeError, match="33 bytes"):
        CODEC.encode_commit(Commit(node, (Hash(h(0) + b"\0"),)))
    many = tuple(Hash(i.to_bytes(32, "big")) for i in range(65536))
    assert CODEC.decode_commit(CODEC.encode_commit(Commit(node, many[:-1]))).parents == many[:-1]
    with pytest.raises(DecodeError, match="65536 parents"):
        CODEC.encode_commit(Commit(node, many))
    with pytest.raises(DecodeError, match="65535"):
        CODEC.decode_commit(_core.encode_commit(node, b"".join(many), 0, "", "", []))
    long = Commit(node, (), Info(0, "", "m" * (16 << 20)))
    with pytest.raises(DecodeError, match="the limit"):
        CODEC.encode_commit(long)
    with pytest.raises(DecodeError, match="the limit"):
        CODEC.decode_commit(_core.encode_commit(node, b"", 0, "", "m" * (16 << 20), []))


def test_a_commit_of_exactly_16_mib_is_legal() -> None:
    node = Hash(h(0))
    room = (16 << 20) - len(CODEC.encode_commit(Commit(node, (), Info(0, "", "m" * 70_000)))) + 70_000
    data = CODEC.encode_commit(Commit(node, (), Info(0, "", "m" * room)))
    assert len(data) == 16 << 20
    assert len(CODEC.decode_commit(data).info.message) == room
    with pytest.raises(DecodeError):
        CODEC.encode_commit(Commit(node, (), Info(0, "", "m" * (room + 1))))


texts = st.text(st.characters(exclude_categories=["Cs"]))
a_hash = st.binary(min_size=32, max_size=32).map(Hash)


@given(
    a_hash,
    st.lists(a_hash, max_size=5),
    st.integers(-(1 << 63), (1 << 63) - 1),
    texts,
    texts,
    st.dictionaries(texts.filter(bool), st.binary()),
)
def test_a_commit_comes_back_as_it_was(
    node: Hash, parents: list[Hash], date: int, author: str, message: str, extra: dict[str, bytes]
) -> None:
    value = Commit(node, tuple(parents), Info(date, author, message, extra))
    data = CODEC.encode_commit(value)
    assert CODEC.decode_commit(data) == value
    assert commit(data)
