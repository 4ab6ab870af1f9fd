"""Decision 056: the compiled core gives what the core in Python gives, result for result and error for error.

Without a compiled core there is nothing to compare, and one line of the summary says so.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from irminpy import Repo, Schema, Tree, _core, _edits, _frames, _gather, _nodes, _rows, core
from irminpy.backend import Options
from irminpy.formats.native import NativeCodec
from irminpy.hash import BLAKE3
from irminpy.objects import Inode, Node
from irminpy.shape import build
from irminpy_pack import Pack

ccore: Any = pytest.importorskip("irminpy._ccore", reason="the compiled core was not built here")

EMPTY = b"\xee" * 32
TWINS = {
    name: getattr(module, name)
    for module in (_core, _edits, _frames, _gather, _nodes, _rows)
    for name in module.__all__
    if callable(getattr(module, name))
    and hasattr(ccore, name)
    and name != "Words"  # which has a test of its own
}


def outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, object]:
    """What the call gives, or the type and text of what it raises; a dict in its order."""
    try:
        found = function(*arguments)
    except Exception as e:
        return type(e).__name__, str(e)
    items = (
        [list(item.items()) if type(item) is dict else item for item in found]
        if type(found) is tuple
        else found
    )
    return type(found).__name__, (repr(items), items)


def same(name: str, *arguments: Any) -> None:
    assert outcome(getattr(ccore, name), arguments) == outcome(TWINS[name], arguments), name


def test_the_switch_takes_every_twin() -> None:
    compiled = {name for name in dir(ccore) if callable(getattr(ccore, name)) and not name.startswith("_")}
    assert compiled == {*TWINS, "Cache", "Words"} <= set(core.__all__)
    for name, twin in TWINS.items():
        assert getattr(core, name) is (getattr(ccore, name) if core.CORE == "c" else twin)


# -- what functions are asked ------------------------------------------------------------------------------------

texts = st.one_of(
    st.text("ab/\0é\u20ac\U0001f600", max_size=4), st.text(max_size=40), st.sampled_from(["\ud800"])
)
steps = st.one_of(
    st.text("abcdé\U0001f600", min_size=1, max_size=6),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=300),
)
hashes = st.one_of(st.just(EMPTY), st.binary(min_size=32, max_size=32))
entries = st.dictionaries(
    steps, st.tuples(st.sampled_from([0, 1, 1, 1, 2, 3]), hashes, st.binary(max_size=3)), max_size=40
)
numbers = st.one_of(st.integers(0, 300), st.integers(-(2**70), 2**70), st.integers(2**31, 2**64))
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.binary(max_size=40),
    texts,
    numbers,
    st.lists(texts, max_size=2),
)


def node(found: dict[str, tuple[int, bytes, bytes]], *, ordered: bool = True) -> bytes:
    names = sorted(found) if ordered else list(found)
    kinds = bytes([found[step][0] for step in names])
    joined = b"".join([found[step][1] for step in names])
    return _core.encode_node(names, kinds, joined, [found[step][2] for step in names if found[step][0] == 2])


nodes = st.builds(node, entries, ordered=st.booleans())
buckets = st.dictionaries(
    st.integers(0, 17),
    st.tuples(st.one_of(st.integers(0, 40), numbers.filter(lambda n: n < 2**64)), hashes),
    max_size=18,
)


def inode(found: dict[int, tuple[int, bytes]], fanout: int, leaf: int, depth: int, ordered: bool) -> bytes:
    digits = sorted(found) if ordered else list(found)
    counts = [max(0, found[digit][0]) for digit in digits]
    return _core.encode_inode(
        fanout, leaf, depth, bytes(digits), counts, b"".join([found[digit][1] for digit in digits])
    )


inodes = st.builds(
    inode,
    buckets,
    st.sampled_from([16, 16, 16, 4, 256, 1000]),
    st.sampled_from([3, 3, 32, 70000]),
    st.integers(0, 70),
    st.booleans(),
)


@st.composite
def mutated(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Honest bytes, mostly with a few bytes changed, put in, cut out or cut off."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(["set", "head", "insert", "delete", "cut", "append"]))
        if change == "set" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif change == "head" and data:
            data[min(at, len(data) - 1)] = draw(
                st.sampled_from(b"\x90\x91\xa0\xbf\xc4\xc5\xc6\xcc\xcd\xce\xcf\xd9\xda\xdb\xdc\xdd\xd0")
            )
        elif change == "insert":
            data[at:at] = draw(st.binary(max_size=5))
        elif change == "delete":
            del data[at : at + draw(st.integers(1, 5))]
        elif change == "cut":
            del data[at:]
        else:
            data += draw(st.binary(max_size=3))
    return bytes(data)


objects = st.one_of(mutated(nodes), mutated(inodes), st.binary(max_size=80))
sizes = st.sampled_from([32, 32, 32, 32, 31, 1, 0, -1, 64, 2**70])
leaves = st.sampled_from([32, 32, 32, 3, 3, 40, 256, 300, 1 << 63, 0, -1])
fanouts = st.sampled_from([16, 16, 16, 4, 256, 1000, -1])


@given(st.one_of(st.binary(max_size=5000), st.integers(0, 9000).map(bytes), odd))
def test_digest(data: Any) -> None:
    same("digest", data)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 128, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 70000])
def test_digest_at_the_borders_of_blocks_and_chunks(size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    same("digest", data)
    same("digest", bytearray(data))
    same("digest_many", [data, data[:-1], data[1:]])


def test_crc_of_every_length_and_at_every_place() -> None:
    """Lanes of 16 and 64 bytes, and what is left of them."""
    data = random.Random(1).randbytes(1200)
    for size in range(400):
        for at in (0, 1, 7, 15):
            assert ccore.crc(data[at : at + size]) == crc32(data[at : at + size])
    for size in (1 << 16, (1 << 16) + 5, (1 << 20) - 1, 1 << 20, (1 << 20) + 1):
        same("crc", (data * (size // len(data) + 1))[:size])


@given(st.one_of(st.binary(max_size=300), odd))
def test_crc(data: Any) -> None:
    same("crc", data)


@given(st.one_of(st.lists(st.binary(max_size=300), max_size=20), st.lists(odd, max_size=3), odd))
def test_digest_many(items: Any) -> None:
    same("digest_many", items)


@given(
    st.one_of(st.lists(texts, max_size=40), odd),
    st.one_of(st.binary(max_size=40), odd),
    st.one_of(st.binary(max_size=1400), odd),
    st.one_of(st.just([]), st.lists(st.binary(max_size=3), max_size=2), odd),
)
def test_encode_node(names: Any, kinds: Any, joined: Any, metadata: Any) -> None:
    same("encode_node", names, kinds, joined, metadata)


@given(st.lists(st.lists(texts, max_size=5), max_size=5), st.booleans(), st.data())
def test_encode_nodes(names: Any, fitting: bool, data: st.DataObject) -> None:
    n = sum(map(len, names)) if fitting else data.draw(st.integers(0, 10))
    kinds = data.draw(st.binary(min_size=n, max_size=n))
    joined = data.draw(st.lists(st.binary(min_size=31, max_size=33), min_size=n, max_size=n))
    metadata = data.draw(st.one_of(st.just({}), st.dictionaries(texts, st.binary(max_size=3), max_size=3)))
    same("encode_nodes", names, kinds, joined, metadata)


@given(
    st.one_of(numbers, odd),
    numbers,
    numbers,
    st.one_of(st.binary(max_size=300), odd),
    st.one_of(st.lists(numbers, max_size=20), odd),
    st.binary(max_size=300),
)
def test_encode_inode(fanout: Any, leaf: Any, depth: Any, digits: Any, counts: Any, joined: Any) -> None:
    same("encode_inode", fanout, leaf, depth, digits, counts, joined)


@given(objects, sizes, leaves, st.one_of(st.just(EMPTY), st.binary(max_size=33)))
@example(b"N\x93\x90\xc4\x00\xc4\x00", 32, 32, EMPTY)
def test_nodes_decoded_and_loaded(data: bytes, size: int, leaf: int, empty: bytes) -> None:
    same("decode_node", data, size, leaf, empty)
    same("load_node", data, size, leaf, empty)


@given(
    objects,
    sizes,
    fanouts,
    leaves,
    st.sampled_from([64, 64, 128, 32, 0]),
    st.one_of(st.just(EMPTY), st.binary(max_size=33)),
)
def test_inodes_decoded_and_loaded(
    data: bytes, size: int, fanout: int, leaf: int, digits: int, empty: bytes
) -> None:
    same("decode_inode", data, size, fanout, leaf, digits, empty)
    same("load_inode", data, size, fanout, leaf, digits, empty)


@given(entries, st.data())
def test_a_step_sought(found: dict[str, tuple[int, bytes, bytes]], data: st.DataObject) -> None:
    encoded = data.draw(mutated(st.just(node(found))))
    asked = data.draw(st.sampled_from(sorted(found)) if found else steps)
    for step in (asked, data.draw(st.one_of(texts, odd))):
        same("seek_node", encoded, data.draw(sizes), data.draw(leaves), step)


@given(
    objects, sizes, fanouts, leaves, st.integers(-1, 70), st.one_of(st.integers(0, 17), st.integers(-1, 300))
)
def test_a_digit_sought(data: bytes, size: int, fanout: int, leaf: int, depth: int, digit: int) -> None:
    same("seek_inode", data, size, fanout, leaf, depth, digit)
    if data[:2] == b"I\x96" and len(data) > 5:
        same("seek_inode", data, 32, data[2], data[3], data[4], digit)


@given(objects, st.sampled_from([32, 32, 32, 1, 20, 64, 0, -1, 2**70]))
def test_children(data: bytes, size: int) -> None:
    same("children", data, size)


@given(st.binary(max_size=200), st.one_of(st.integers(1, 40), st.integers(-3, 2**65)), st.data())
def test_patch_column(column: bytes, size: int, data: st.DataObject) -> None:
    fitting = st.binary(min_size=min(40, abs(size)), max_size=min(40, abs(size)))
    most = max(1, len(column) // max(1, abs(size)))
    changes = data.draw(
        st.lists(
            st.tuples(
                st.one_of(st.integers(0, most), st.integers(-3, 300)),
                st.one_of(fitting, st.binary(max_size=3)),
            ),
            max_size=4,
        )
    )
    same("patch_column", column, size, changes)
    same("patch_column", column[:1], 1, changes)


@given(st.sampled_from(sorted(TWINS)), st.lists(odd, max_size=9))
def test_arguments_of_any_number_and_type(name: str, arguments: list[Any]) -> None:
    # A wrong number is a TypeError of either, in words of its own.
    same(name, *arguments)


rows = st.one_of(
    st.dictionaries(st.binary(min_size=2, max_size=2), st.binary(min_size=3, max_size=3), max_size=40).map(
        lambda found: b"".join(key + found[key] for key in sorted(found))
    ),
    st.lists(st.binary(min_size=5, max_size=5), max_size=4).map(b"".join),
    st.binary(max_size=12),
    odd,
)


@given(
    rows, rows, st.one_of(st.just(2), st.integers(-1, 5), odd), st.one_of(st.just(3), st.integers(-1, 5), odd)
)
@example(b"ab123", b"ab456cd789", 2, 3)
@example(b"ab123ab456", b"", 2, 3)
@example(b"", b"cd123ab456", 2, 3)
def test_rows_that_are_merged(newer: Any, older: Any, key: Any, value: Any) -> None:
    same("merge_rows", newer, older, key, value)


@pytest.mark.parametrize("merge_rows", [core.merge_rows, _rows.merge_rows])
def test_the_newer_row_of_a_key_stays(merge_rows: Callable[[bytes, bytes, int, int], bytes]) -> None:
    assert merge_rows(b"b2d2", b"a1b1c1d1e1", 1, 1) == b"a1b2c1d2e1"
    assert merge_rows(b"a1b1c1d1e1", b"b2d2", 1, 1) == b"a1b1c1d1e1"
    for wrong in (b"b1a1", b"a1a1"):
        with pytest.raises(ValueError, match="row 61 is out of order"):
            merge_rows(wrong, b"", 1, 1)
        with pytest.raises(ValueError, match="row 61 is out of order"):
            merge_rows(b"", wrong, 1, 1)
    with pytest.raises(ValueError, match="3 bytes are no rows of 2"):
        merge_rows(b"a1b", b"", 1, 1)


@given(
    rows, st.one_of(st.binary(min_size=2, max_size=2), st.binary(max_size=4), odd), st.one_of(st.just(3), odd)
)
@example(b"ab123cd456ef789", b"cd", 3)
@example(b"ab123cd456ef78", b"ef", 3)
@example(b"ab123", b"", 3)
@example(b"ab123ab456", b"ab", 3)
@example(b"", b"ab", 3)
def test_the_row_of_a_key(rows: Any, key: Any, value: Any) -> None:
    same("row_of", rows, key, value)


@pytest.mark.parametrize("row_of", [core.row_of, _rows.row_of])
def test_what_is_behind_a_key(row_of: Callable[[bytes, bytes, int], bytes | None]) -> None:
    rows = b"".join(bytes((n, n, n // 2)) for n in range(0, 200, 2))
    for n in range(200):
        assert row_of(rows, bytes((n, n)), 1) == (None if n % 2 else bytes((n // 2,)))
    assert row_of(b"", b"ab", 1) is None


filters = st.one_of(
    st.sampled_from([64, 64, 128, 4096]).map(lambda size: bytearray(b"\x5a" * size)),
    st.one_of(st.just(bytearray(96)), st.just(bytearray()), odd),
)
hashed = st.one_of(
    st.lists(st.binary(min_size=18, max_size=34), max_size=20),
    st.dictionaries(st.binary(min_size=18, max_size=34), st.none(), max_size=20),
    st.lists(st.one_of(st.binary(min_size=14, max_size=18), odd), max_size=3),
    odd,
)


@given(filters, hashed, st.one_of(st.sampled_from([0, 1, 2, -1]), odd))
def test_filters(bits: Any, items: Any, skip: Any) -> None:
    one, other = (bytearray(bits) if type(bits) is bytearray else bits for _ in range(2))
    assert outcome(ccore.filter_add, (one, items, skip)) == outcome(_rows.filter_add, (other, items, skip))
    same("filter_find", one, items)
    assert one == other


# -- frames ---------------------------------------------------------------------------------------------------------


def column(words: list[int]) -> bytes:
    return b"".join(word.to_bytes(8, "little") for word in words)


@given(st.data())
def test_differences_of_nodes(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([32, 32, 32, 20, 1]))
    n = data.draw(st.integers(0, 40))
    head = data.draw(st.binary(max_size=9))
    before = head + data.draw(st.binary(min_size=size * n, max_size=size * n))
    words = data.draw(st.binary(min_size=8 * n, max_size=8 * n))
    node, now = bytearray(before), bytearray(words)
    for i in data.draw(st.sets(st.integers(0, n - 1), max_size=4)) if n else ():
        if data.draw(st.booleans()):
            node[len(head) + size * i + data.draw(st.integers(0, size - 1))] ^= 1
        if data.draw(st.booleans()):
            now[8 * i + data.draw(st.integers(0, 7))] ^= 1
    one, other = bytes(node), bytes(now)
    same("difference", one, other, before, words, size)
    said = core.difference(one, other, before, words, size)
    changed = [
        i
        for i in range(n)
        if now[8 * i : 8 * i + 8] != words[8 * i : 8 * i + 8]
        or one[len(head) + size * i :][:size] != before[len(head) + size * i :][:size]
    ]
    # A word for what it is one from; a word, a hash and a position for each child that is not the same.
    short = 2 * (8 + len(changed) * (10 + size)) <= len(one) + len(other)
    assert (said is not None) == (bool(changed) and short)
    if said is not None:
        assert core.rebuilt(before, words, *said, size) == (one, other)
        payload, added = data.draw(mutated(st.just(said[0]))), data.draw(mutated(st.just(said[1])))
        same("rebuilt", before, words, payload, added, size)
    mutant = data.draw(mutated(st.just(before)))
    same("difference", one, other, mutant, data.draw(mutated(st.just(words))), data.draw(sizes))


@given(st.lists(st.one_of(st.binary(max_size=90), odd), min_size=4, max_size=4), sizes)
def test_differences_of_what_is_no_node(given: list[Any], size: Any) -> None:
    same("difference", *given, size)
    same("rebuilt", *given, size)


class Part:
    """As a segment, of which a part is mapped."""

    def __init__(self, data: bytes, seen: int) -> None:
        self.map = data
        self.seen = seen


class Stored:
    """A store with directories of all shapes, as the bytes of its segment."""

    def __init__(self, folder: Path) -> None:
        entries = {f"flat/k{i}": b"%d" % i for i in range(20)}
        entries |= {f"large/k{i}/below": b"%d" % i * 9 for i in range(700)}
        entries |= {"é/\u20ac/\U0001f600": b"text", "deep/a/b/c/d": b"x" * 300, "long": b"y" * 3000}
        with Repo.open(Pack(str(folder)), Schema()) as repo:
            tree = Tree.empty()
            for path, value in entries.items():
                tree = tree.add(path, value)
            repo.main().set_tree((), tree)
            # Some nodes are differences from those.
            for path in ("flat/k7", "large/k7/below", "large/k8/below"):
                repo.main().set(path, b"another")
            self.root = bytes(repo.main().tree().hash())
        backend, _ = Pack(str(folder)).open(Schema(), Options(readonly=True))
        self.word = backend.state.lookup.find(1, self.root)
        (segment,) = backend.state.log.table.segments
        self.data = Path(segment.path).read_bytes()
        backend.close()
        self.paths = [
            *entries,
            "",
            "flat",
            "nothing",
            "large/k7",
            "large/nothing",
            "flat/k1/more",
            "large/k7/below/more",
        ]

    def arguments(self, data: bytes, seen: int, path: str) -> tuple[Any, ...]:
        empty = _core.digest(_core.encode_node([], b"", b"", []))
        steps = [step for step in path.split("/") if step]
        return [0], [Part(data, seen)], 48, 16, 32, empty, self.root, self.word, steps


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(tmp_path_factory.mktemp("store"))


def test_a_way_down_in_one_call(stored: Stored) -> None:
    for path in stored.paths:
        arguments = stored.arguments(stored.data, len(stored.data), path)
        same("descend", *arguments)
        found = ccore.descend(*arguments)
        assert found is not None
        assert (found[1] is not None) == (
            path.startswith(("flat/k", "large/k", "é", "deep", "long"))
            and "more" not in path
            and path != "large/k7"
        )


@given(st.data())
@settings(max_examples=150)
def test_a_way_down_through_damaged_bytes(stored: Stored, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(stored.paths[-20:]))
    seen = data.draw(st.one_of(st.just(len(stored.data)), st.integers(0, len(stored.data) + 9)))
    same("descend", *stored.arguments(data.draw(mutated(st.just(stored.data))), seen, path))


def test_a_directory_taken_in_at_once(stored: Stored) -> None:
    place, (root, word) = stored.arguments(stored.data, len(stored.data), "")[:3], (stored.root, stored.word)
    empty = _core.digest(_core.encode_node([], b"", b"", []))
    for most in (3, 5, 30, 760, 10_000):
        for room in (0, 100, 1000, 10**6):
            for below in (0, 1, 2, 8, 9):
                asked = (*place, 16, 32, 64, empty, root, word, 0, -1, most, room, below)
                same("gather", *asked)
    found = ccore.gather(*asked)
    (large,) = [child for step, child in found[3] if step == "large"]
    assert len(large[3]) == 700
    assert all(child[4] and len(child[3]) == 1 for _, child in large[3])
    for wrong in ((1, -1), (0, 4), (0, 6), (64, -1)):
        same("gather", *place, 16, 32, 64, empty, root, word, *wrong, 1000, 1000, 8)


class Built:
    """Frames that have the hashes of what they hold. Of all that could be odd in them at most one thing is."""

    def __init__(self, data: st.DataObject) -> None:
        self.draw = data.draw
        self.frames = bytearray(64)
        self.left = data.draw(st.integers(0, 80))

    def odd(self) -> bool:
        self.left -= 1
        return self.left == 0

    def put(self, kind: int, canonical: bytes, words: list[int]) -> tuple[bytes, int]:
        """(hash, word) of an object."""
        if words and self.odd():
            del words[-1]
        if self.odd():
            canonical = self.draw(mutated(st.just(canonical)))
        digest = _core.digest(canonical)
        if kind == 1 and 0 < 32 * len(words) <= len(canonical) and self.draw(st.integers(0, 2)) == 0:
            word = self.frame(ord("D"), digest, *self.difference(canonical, words))
        else:
            word = self.frame(ord(" NB"[kind]), digest, column(words), canonical)
        return digest, self.draw(st.sampled_from([0, 1, word + 4])) if self.odd() else word

    def frame(self, letter: int, digest: bytes, hints: bytes, canonical: bytes) -> int:
        """The word of a frame that is put behind the others."""
        frame, at = bytearray(_frames.frame_of(letter, digest, hints, canonical)), len(self.frames)
        if self.odd():
            frame[self.draw(st.integers(0, len(frame) - 1))] ^= 1
        self.frames += frame
        return at >> 3 << 22 | (len(frame) >> 3) << 2 | {"N": 1, "D": 1, "B": 2}[chr(letter)]

    def difference(self, canonical: bytes, words: list[int]) -> tuple[bytes, bytes]:
        """What a difference has to say of the node, from an older one that is put here."""
        n = len(words)
        head = len(canonical) - 32 * n
        changed = sorted(self.draw(st.sets(st.integers(0, n - 1), min_size=1)))
        older, before = bytearray(canonical), words.copy()
        for i in changed:
            older[head + 32 * i : head + 32 * i + 32] = bytes(32)
            before[i] = 5
        if self.odd():
            before += [5]
        letter = self.draw(st.sampled_from(b"DB")) if self.odd() else ord("N")
        base = self.frame(letter, _core.digest(bytes(older)), column(before), bytes(older))
        if self.odd():
            base = self.draw(st.sampled_from([0, base + 4, base | 0x3FFFFC, base + (1 << 40), base ^ 2]))
        if self.odd():
            changed = self.draw(st.sampled_from([changed[::-1], changed * 2, [n], changed[1:]]))
        said = [words[i] if i < n else 5 for i in changed]
        hashes = b"".join(canonical[head + 32 * i : head + 32 * i + 32] for i in changed)
        payload = struct.pack(f"<{len(changed)}H", *changed) + hashes
        if self.odd():
            payload = self.draw(mutated(st.just(payload)))
        return column([base, *said[: -1 if self.odd() else None]]), payload

    def value(self) -> tuple[int, bytes, int]:
        size = self.draw(st.sampled_from([3, 3, 3, 3, 3, 3, 4095, 4096]))
        return 1, *self.put(2, (b"X" if self.odd() else b"B") + b"v" * size, [])

    def inner(self, level: int, depth: int) -> tuple[bytes, int, int]:
        """(hash, word, entries) of a directory, or of a bucket at `depth`."""
        if depth < 2 and self.draw(st.integers(0, 3)) == 0:
            parts = [self.inner(level, depth + 1) for _ in range(self.draw(st.integers(2, 3)))]
            counts = [n + self.odd() for _, _, n in parts]
            encoded = _core.encode_inode(
                4,
                2,
                depth + self.odd(),
                bytes(range(len(parts))),
                counts,
                b"".join(part[0] for part in parts),
            )
            return *self.put(1, encoded, [word for _, word, _ in parts]), sum(n for _, _, n in parts)
        names = sorted(
            self.draw(st.sets(st.sampled_from(["a", "b", "é", "\U0001f600"]), min_size=1, max_size=2))
        )
        if self.odd():
            names = self.draw(
                st.sampled_from([names[::-1], names[:1] * len(names), ["a/", "b"][: len(names)]])
            )
        rows = [
            (0, *self.inner(level - 1, 0)[:2]) if level and self.draw(st.booleans()) else self.value()
            for _ in names
        ]
        kinds, metadata = bytearray(kind for kind, _, _ in rows), list[bytes]()
        if self.odd():
            kinds[0], metadata = 2, [b"m"]
        if self.odd():
            kinds[0] = 3
        encoded = _core.encode_node(names, bytes(kinds), b"".join(hash_ for _, hash_, _ in rows), metadata)
        return *self.put(1, encoded, [word for _, _, word in rows]), len(names)


@given(st.data())
@settings(max_examples=200)
def test_directories_of_any_bytes_with_right_hashes(data: st.DataObject) -> None:
    built = Built(data)
    hash_, word, total = built.inner(3, 0)
    empty = _core.digest(_core.encode_node([], b"", b"", []))
    seen = len(built.frames) // 2 if built.odd() else len(built.frames)
    count = data.draw(st.sampled_from([-1, -1, total])) + built.odd()
    most, room = (
        data.draw(st.sampled_from([1000, 1000, 6])),
        data.draw(st.sampled_from([10**6, 10**6, 200, 0])),
    )
    where = [0], [Part(bytes(built.frames), seen)], 48
    same("record_at", *where, 32, 4, 2, 128, empty, hash_, word, Node, Inode)
    way: Any = (*where, 4, 2, empty, hash_, word, ["a", data.draw(st.sampled_from(["a", "b", "é"]))])
    assert ccore.descend(*way) in (None, _frames.descend(*way))  # C may leave more of what is odd to others
    same("gather", *where, 4, 2, 128, empty, hash_, word, 0, count, most, room, data.draw(st.integers(0, 3)))


def a_difference(**odd: Any) -> tuple[Part, bytes, int]:
    """A segment with a node that is a difference from another, its hash and its word; something is as `odd` says."""
    digests = [bytes([i]) * 32 for i in range(3)]
    before = _core.encode_node(["a", "b"], b"\1\1", digests[0] + digests[1], [])
    node = _core.encode_node(["a", "b"], b"\1\1", digests[0] + digests[2], [])
    words = column(odd.get("words", [10, 20]))
    older = _frames.frame_of(odd.get("letter", ord("N")), digests[0], words, before)
    payload = odd.get("payload", struct.pack("<H", 1) + digests[2])
    size = 48 + 16 + (len(payload) + 7 & -8)
    at, there = (64, 64 + size) if odd.get("after") else (64 + len(older), 64)
    base = odd.get("base", there >> 3 << 22 | len(older) >> 3 << 2 | 1)
    newer = _frames.frame_of(ord("D"), _core.digest(node), odd.get("hints", column([base, 30])), payload)
    data = bytearray(bytes(64) + (newer + older if odd.get("after") else older + newer))
    if "flip" in odd:
        data[(there, at)[odd["flip"][0]] + odd["flip"][1]] ^= 1
    word = at >> 3 << 22 | len(newer) >> 3 << 2 | 1
    return Part(bytes(data), odd.get("seen", len(data))), _core.digest(node), word


@pytest.mark.parametrize("module", [ccore, _frames])
@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"after": 1},
        {"letter": ord("D")},
        {"letter": ord("C")},
        {"words": [1] * 40},  # more than there are bytes for hashes
        {"words": []},
        {"base": 0},
        {"base": 64 >> 3 << 22 | 0xFFFFF << 2 | 1},
        {"hints": b""},
        {"hints": column([9])},
        {"payload": b""},
        {"payload": struct.pack("<H", 2) + bytes([2]) * 32},
        {"payload": struct.pack("<H", 0) + bytes([2]) * 32},
        {"seen": 100},
        *({"flip": (which, at)} for which in (0, 1) for at in (0, 4, 8, 12, 16, 48, 56, 64, 66, 100)),
    ],
)
def test_a_difference_is_read_if_all_of_it_is_right(module: Any, odd: dict[str, Any]) -> None:
    part, hash_, word = a_difference(**odd)
    empty = _core.digest(_core.encode_node([], b"", b"", []))
    found = module.record_at([0], [part], 48, 32, 16, 32, 64, empty, hash_, word, Node, Inode)
    way = module.descend([0], [part], 48, 16, 32, empty, hash_, word, ["none"])
    if odd:
        assert found is None
        assert way is None
    else:
        assert found.hashes == bytes(32) + bytes([2]) * 32
        assert found.words == column([10, 30])
        assert way == (1, None)


@given(st.data())
@settings(max_examples=150)
def test_a_frame_checked_where_it_lies(stored: Stored, data: st.DataObject) -> None:
    offset, size = stored.word >> 22 << 3, (stored.word >> 2 & 0xFFFFF) << 3
    frame = data.draw(mutated(st.just(stored.data[offset : offset + size])))
    kind = data.draw(st.sampled_from([1, 1, 1, 2, 3]))
    head = data.draw(st.sampled_from([48, 48, 48, 0, 15, 16, 10**6]))
    same("checked_frame", frame, 0, len(frame), head, kind, stored.root)
    same(
        "checked_frame",
        stored.data,
        offset + data.draw(st.sampled_from([0, 8, 1])),
        size,
        head,
        kind,
        stored.root,
    )


@given(st.integers(0, 255), hashes, st.binary(max_size=40), st.binary(max_size=600))
def test_a_frame_made(kind: int, hash: bytes, hints: bytes, canonical: bytes) -> None:
    for size in (20, 32):
        same("frame_of", kind, hash[:size], hints[: len(hints) & -8], canonical)
    same("frame_of", kind + 256, hash, hints, canonical)


@given(
    st.lists(st.tuples(st.integers(0, 2), hashes, st.integers(1, 2**64 - 1), st.booleans()), max_size=20),
    st.data(),
)
def test_words_filled_in(children: list[tuple[int, bytes, int, bool]], data: st.DataObject) -> None:
    kinds = bytes([kind for kind, _, _, _ in children])
    joined = b"".join([hash for _, hash, _, _ in children])
    # The first byte of a word is never 0.
    words = [0 if gap else word | 1 for _, _, word, gap in children]
    absent = (
        data.draw(st.sets(st.sampled_from([hash for _, hash, _, _ in children]), max_size=1))
        if children
        else set()
    )
    at: list[dict[bytes, int]] = [
        {hash: word | 1 for kind, hash, word, _ in children if bool(kind) is contents and hash not in absent}
        for contents in (False, True)
    ]
    same("filled_words", struct.pack(f"<{len(words)}Q", *words), kinds, joined, *at)
    same("filled_words", b"", kinds, joined, *at)
    same("filled_words", b"", kinds, joined, dict.fromkeys(at[0], 2**64), {})


@given(st.binary(max_size=60), st.lists(hashes, max_size=200), hashes, st.integers(-1, 201), st.booleans())
def test_a_node_patched(head: bytes, joined: list[bytes], hash: bytes, i: int, known: bool) -> None:
    words = bytes(range(1, 9)) * len(joined) if known else b""
    same("patched", head, b"".join(joined), words, i, hash)
    same("patched", head, b"".join(joined)[:-1], words[:-1], i, hash)


# -- decoded nodes --------------------------------------------------------------------------------------------------


@given(
    st.sets(st.text("abcdé", min_size=1, max_size=4), max_size=60),
    st.sampled_from([2, 4, 16, 256]),
    st.data(),
)
def test_a_place_below_a_decoded_node(there: set[str], fanout: int, data: st.DataObject) -> None:
    codec = NativeCodec(BLAKE3(), fanout, 3)
    nodes: dict[bytes, bytes] = {}
    root = build(
        codec, nodes, sorted(there), bytes(len(there)), [_core.digest(step.encode()) for step in there], {}
    )
    records: dict[bytes, Any] = {}
    for hash, encoded in nodes.items():
        record = codec.load_node(encoded)
        n = len(record.kinds) if type(record) is Node else len(record.counts)
        records[hash] = record.located(bytes(8 * n) if data.draw(st.integers(0, 9)) else b"")
    if data.draw(st.booleans()):
        for hash in data.draw(st.lists(st.sampled_from(sorted(records)), max_size=2)):
            records.pop(hash, None)
    if data.draw(st.booleans()) and records:
        # What a parent states does not hold for a record that stands in the place of another.
        one, other = data.draw(st.tuples(*[st.sampled_from(sorted(records))] * 2))
        records[one] = records[other]
    if data.draw(st.booleans()) and type(records.get(root)) is Node:
        records[root] = records[root]._replace(place=data.draw(st.sampled_from([0, 1, 2])))
    if root in records:
        for step in (*there, *data.draw(st.lists(st.one_of(steps, st.just("\ud800")), max_size=3))):
            width = data.draw(st.sampled_from([fanout.bit_length() - 1] * 9 + [0, 9, -1]))
            same("place", records[root], records.get, step, width)
            if step != "\ud800":
                found, at = ccore.place(records[root], records.get, step, fanout.bit_length() - 1)
                assert at == -2 or at == (found.index.get(step, -1) if type(found) is Node else -1)


def test_an_error_of_whoever_gives_nodes_is_raised() -> None:
    def broken(hash: bytes) -> None:
        raise KeyError(hash)

    inode = Inode(0, bytes(range(16)), [9] * 16, bytes(512), bytes(128))
    same("place", inode, broken, "a", 4)
    assert outcome(ccore.place, (inode, broken, "a", 4))[0] == "KeyError"


# -- the choice ---------------------------------------------------------------------------------------------------


def chosen(wanted: str | None, script: str = "import irminpy.core as c; print(c.CORE)") -> tuple[int, str]:
    environment = {name: value for name, value in os.environ.items() if name != "IRMINPY_CORE"}
    if wanted is not None:
        environment["IRMINPY_CORE"] = wanted
    place = os.path.dirname(os.path.dirname(core.__file__))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "PYTHONPATH": place},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def test_the_environment_chooses_the_core() -> None:
    assert chosen(None) == chosen("c") == (0, "c")
    assert chosen("python") == (0, "python")
    status, told = chosen("rust")
    assert status == 1
    assert told.endswith("ImportError: IRMINPY_CORE='rust': the cores are c and python")


def test_a_core_that_is_not_there_is_an_error_only_if_it_is_asked_for() -> None:
    hidden = "import sys; sys.modules['irminpy._ccore'] = None; import irminpy.core as c; print(c.CORE)"
    assert chosen(None, hidden) == (0, "python")
    status, told = chosen("c", hidden)
    assert status == 1
    assert "ImportError: IRMINPY_CORE=c, and the compiled core was not built" in told


def test_a_core_of_other_sources_is_not_used() -> None:
    stale = (
        "import sys, types; twin = types.ModuleType('irminpy._ccore'); twin.SEAM = 0; twin.__file__ = 'old.so'; "
        "sys.modules['irminpy._ccore'] = twin; import irminpy.core as c; print(c.CORE)"
    )
    status, told = chosen(None, stale)
    assert status == 0
    assert "old.so was built from other sources than these" in told
    assert told.startswith("python")
    assert chosen("c", stale)[0] == 1
