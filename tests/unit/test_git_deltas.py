"""The delta engine: rows SD-08 to SD-10, and git-spec 2.7 D1 and D6."""

from __future__ import annotations

import gc
import hashlib
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy.errors import DecodeError, InvalidHash
from irminpy_git import Effort, Entry, S, Type, Z, deltas
from irminpy_git.delta import Copy, Insert, apply, copy, hunks, insert, sizes, varint
from irminpy_git.difference import Side, difference

EFFORTS = [Effort.BLOCK, Effort.LINE]


def id_of(data: bytes) -> bytes:
    return hashlib.sha1(data).digest()


def listed(
    *bodies: bytes, kind: Type = Type.BLOB, name: bytes | None = b"f"
) -> tuple[list[Entry], dict[bytes, bytes]]:
    return [Entry(id_of(body), kind, len(body), name) for body in bodies], {
        id_of(body): body for body in bodies
    }


def text(seed: int, lines: int = 200) -> bytes:
    rng = random.Random(seed)
    return b"".join(b"line %d of %d\n" % (rng.randrange(10**9), i) for i in range(lines))


# -- the difference of two objects -------------------------------------------------------------------------------

_COMMON = [b"", b"a" * 40, b"abcdefghijklmnop", b"line one\n", b"line two\n", b"\n", b"\0" * 17, b"x"]
PIECES = st.lists(st.sampled_from(_COMMON) | st.binary(max_size=30), max_size=30).map(b"".join)


@given(PIECES, PIECES, st.sampled_from(EFFORTS), st.sampled_from(list(Type)))
def test_a_delta_gives_the_target(a: bytes, b: bytes, effort: Effort, kind: Type) -> None:
    """D1."""
    made = difference(Side(a, kind, effort), Side(b, kind, effort), 10**6)
    if made is not None:
        assert apply(a, made) == b
        assert any(isinstance(hunk, Copy) for hunk in hunks(made))


@given(st.data(), st.sampled_from(EFFORTS))
def test_a_delta_of_an_edited_object_gives_it_and_is_small(data: st.DataObject, effort: Effort) -> None:
    a = text(data.draw(st.integers(0, 3)), data.draw(st.sampled_from([1, 3, 10, 400])))
    b = bytearray(a)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(b)))
        b[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    made = difference(Side(a, Type.BLOB, effort), Side(bytes(b), Type.BLOB, effort), 10**6)
    if len(a) > 5000:
        assert made is not None
        assert len(made) < 400
    if made is not None:
        assert apply(a, made) == bytes(b)


SIZES = [0, 1, 15, 16, 17, 49, 50, 51, 255, 65535, 65536, 65537, 200_000, 0x10000 * 3]


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("size", SIZES)
def test_sizes_around_every_border(size: int, effort: Effort) -> None:
    rng = random.Random(size)
    a = rng.randbytes(size)
    for b in (
        a,
        a + b"x",
        b"x" + a,
        a[: size // 2],
        a[size // 2 :] + a[: size // 2],
        b"",
        rng.randbytes(size),
        a[:7] * 9,
    ):
        made = difference(Side(a, Type.BLOB, effort), Side(b, Type.BLOB, effort), 10**7)
        if made is not None:
            assert apply(a, made) == b
            assert sizes(made)[:2] == (len(a), len(b))
    same = difference(Side(a, Type.BLOB, effort), Side(a, Type.BLOB, effort), 10**7)
    assert (same is not None) is (size >= 8)


def test_an_object_of_more_than_sixteen_mebibytes() -> None:
    """An offset of four bytes; anchors further apart."""
    a = random.Random(1).randbytes(1 << 20) * 17
    b = a[:100] + b"new" + a[100:] + a[:50]
    made = difference(Side(a, Type.BLOB, Effort.BLOCK), Side(b, Type.BLOB, Effort.BLOCK), 10**6)
    assert made is not None
    assert apply(a, made) == b
    assert len(made) < 20_000


def test_a_delta_is_no_longer_than_the_limit() -> None:
    """2.x takes longer ones, git-spec 2.1; here the limit holds."""
    a, b = text(1), text(2)
    edited = a[:2000] + b[:300] + a[2000:]
    full = difference(Side(a, Type.BLOB, Effort.BLOCK), Side(edited, Type.BLOB, Effort.BLOCK), 10**6)
    assert full is not None
    for limit in (len(full), len(full) - 1, 20, 0):
        made = difference(Side(a, Type.BLOB, Effort.BLOCK), Side(edited, Type.BLOB, Effort.BLOCK), limit)
        assert (made is not None) is (limit >= len(full))


def test_trees_are_compared_by_their_entries() -> None:
    rng = random.Random(3)
    rows = [b"100644 file%03d\0" % i + rng.randbytes(20) for i in range(100)]
    changed = [*rows[:40], b"100644 file040\0" + rng.randbytes(20), *rows[41:90], rows[95], *rows[91:95]]
    a, b = b"".join(rows), b"".join(changed)
    made = difference(Side(a, Type.TREE, Effort.LINE), Side(b, Type.TREE, Effort.LINE), 10**6)
    assert made is not None
    assert apply(a, made) == b
    assert len(made) < 80


# -- deltas as bytes ---------------------------------------------------------------------------------------------


@st.composite
def copies(draw: st.DrawFn) -> tuple[int, int]:
    """Of bytes that a copy can name."""
    length = draw(st.integers(1, 200_000))
    return draw(st.integers(0, 2**32 - length)), length


@given(st.lists(copies() | st.binary(min_size=1, max_size=300), max_size=8))
def test_operations_come_back(operations: list[tuple[int, int] | bytes]) -> None:
    out = bytearray(varint(7) + varint(9))
    wanted: list[tuple[int, int] | bytes] = []
    for operation in operations:
        if isinstance(operation, bytes):
            insert(out, operation)
            wanted += [operation[i : i + 127] for i in range(0, len(operation), 127)]
        else:
            copy(out, *operation)
            offset, length = operation
            while length:
                n = min(length, 0x10000)
                wanted.append((offset & 0xFFFFFFFF, n))
                offset, length = offset + n, length - n
    found = [
        hunk.data if isinstance(hunk, Insert) else (hunk.offset, hunk.length) for hunk in hunks(bytes(out))
    ]
    assert found == wanted


@pytest.mark.parametrize(("offset", "length"), [(2**32 - 1, 2), (2**32 - 65536, 65538), (2**32, 1), (-1, 5)])
def test_what_no_copy_can_name_is_refused_and_nothing_is_written(offset: int, length: int) -> None:
    out = bytearray()
    with pytest.raises(ValueError, match="first 4294967296 bytes only"):
        copy(out, offset, length)
    assert not out
    copy(out, 2**32 - length, length)
    assert next(iter(hunks(varint(0) + varint(0) + out))) == Copy(2**32 - length, min(length, 65536))


SOURCE = bytes(range(100))
BAD_DELTAS: dict[str, bytes] = {
    "nothing": b"",
    "one size": b"\x64",
    "a size without an end": b"\xff" * 12,
    "another source": varint(99) + varint(1) + b"\x01x",
    "operation zero": varint(100) + varint(1) + b"\0",
    "an insertion beyond the end": varint(100) + varint(5) + b"\x05abc",
    "a copy without its offset": varint(100) + varint(5) + b"\x91",
    "a copy without its length": varint(100) + varint(5) + b"\x91\x00",
    "a copy beyond the source": varint(100) + varint(10) + b"\x91\x5b\x0a",
    "a copy of 65536 bytes": varint(100) + varint(65536) + b"\x80",
    "an offset beyond all": varint(100) + varint(1) + b"\x9f\xff\xff\xff\xff\x01",
    "a result that is shorter": varint(100) + varint(5) + b"\x04abcd",
    "a result that is longer": varint(100) + varint(3) + b"\x04abcd",
    "no operation": varint(100) + varint(3),
    "a bomb": varint(100) + varint(100) + b"\x90\x64" * 1000,
}


@pytest.mark.parametrize("why", BAD_DELTAS)
def test_a_malformed_delta_is_refused(why: str) -> None:
    """G01, G04, D9."""
    with pytest.raises(DecodeError, match="delta"):
        apply(SOURCE, BAD_DELTAS[why])


@given(st.binary(max_size=40))
def test_no_bytes_fail_otherwise(data: bytes) -> None:
    for read in (
        lambda: apply(SOURCE, data),
        lambda: apply(SOURCE, varint(100) + data),
        lambda: list(hunks(data)),
    ):
        try:
            read()
        except DecodeError:
            continue


def test_the_reader_takes_a_third_byte_of_length() -> None:
    """The writer never makes it."""
    source = bytes(0x20000)
    assert apply(source, varint(0x20000) + varint(0x12345) + b"\xf0\x45\x23\x01") == bytes(0x12345)


# -- the search --------------------------------------------------------------------------------------------------


def checked(
    entries: list[Entry], bodies: dict[bytes, bytes], depth: int = 50, **how: object
) -> list[tuple[Entry, Z | S]]:
    """The result, each delta of which was applied, sources before what is made of them."""
    found = deltas(entries, bodies.get, depth=depth, **how)  # type: ignore[arg-type]
    assert sorted(entry.id for entry, _ in found) == sorted(entry.id for entry in entries)
    seen: dict[bytes, Z | S] = {}
    for entry, result in found:
        if isinstance(result, S):
            base = bodies[result.src_hash]
            assert apply(base, result.data) == bodies[entry.id]
            assert (result.length, result.src_length) == (len(result.data), len(base))
            assert result.depth == result.src.depth + 1 <= depth
            if result.src_hash in {e.id for e in entries}:
                assert seen[result.src_hash] is result.src
        seen[entry.id] = result
    return found


def versions(n: int, lines: int = 60) -> list[bytes]:
    body = text(0, lines).splitlines(keepends=True)
    found: list[bytes] = []
    for i in range(n):
        body[i % lines] = b"changed %d\n" % i
        found.append(b"".join(body))
    return found


@pytest.mark.parametrize("effort", EFFORTS)
def test_each_entry_is_whole_or_a_difference_of_a_source(effort: Effort) -> None:
    """SD-09: Z, or S with length, depth, hunks, src, src_length and src_hash."""
    entries, bodies = listed(*versions(30))
    found = checked(entries, bodies, effort=effort)
    made = [result for _, result in found if isinstance(result, S)]
    assert len(made) >= 28
    for result in made:
        total = sum(len(h.data) if isinstance(h, Insert) else h.length for h in result.hunks)
        assert total == sizes(result.data)[1]
    assert repr(made[0]).startswith("S(length=")


def test_chains_are_no_longer_than_depth() -> None:
    """SD-09."""
    entries, bodies = listed(*versions(40))
    for depth in (0, 1, 2, 5):
        found = checked(entries, bodies, depth)
        deepest = max(result.depth for _, result in found)
        assert deepest <= depth
        assert (deepest > 0) is (depth > 0)


def test_the_window_is_a_number_of_objects() -> None:
    """SD-08: what lies further back is no source; 0 means that there is none."""
    a, b = text(1), text(2)
    like_a = a + b"more\n"
    # Sorted by length: like_a, then others between, then a.
    between = [text(10 + i, 300)[: len(a) + 3] for i in range(4)]
    entries, bodies = listed(like_a, *between, a, b)
    by_id = {entry.id: result for entry, result in checked(entries, bodies, window=10)}
    assert isinstance(by_id[id_of(a)], S)
    by_id = {entry.id: result for entry, result in checked(entries, bodies, window=3)}
    assert isinstance(by_id[id_of(a)], Z)
    assert all(isinstance(result, Z) for _, result in checked(entries, bodies, window=0))


def test_with_memory_the_window_is_a_number_of_bytes() -> None:
    """SD-08: an object that alone is larger stays whole, and is no source."""
    small, large = versions(10, 40), versions(4, 4000)
    entries, bodies = listed(*small, *large)
    found = checked(entries, bodies, window=200_000, memory=True)
    kinds = {entry.id: type(result) for entry, result in found}
    assert all(kinds[id_of(body)] is Z for body in large)
    assert sum(kinds[id_of(body)] is S for body in small) >= 8
    found = checked(entries, bodies, window=10**7, memory=True)
    assert sum(isinstance(result, S) for _, result in found) >= 11
    # A number limits the bytes besides the objects.
    found = checked(entries, bodies, window=10, memory=1000)
    assert all(isinstance(result, Z) for _, result in found)


def test_the_bytes_in_the_window_are_bounded() -> None:
    """D6: ten objects of 2 MB and a budget of 8 MB; measured by tracemalloc, without what the caller holds."""
    base = random.Random(5).randbytes(2_000_000)
    bodies = {id_of(base[i:] + base[:i]): base[i:] + base[:i] for i in range(10)}
    entries = [Entry(id_, Type.BLOB, len(body), b"f") for id_, body in bodies.items()]

    def getter(id: bytes) -> bytes | None:
        return bytes(bytearray(bodies[id]))  # a copy: ownership passes

    gc.collect()
    tracemalloc.start()
    try:
        found = deltas(entries, getter, window=16_000_000, memory=True)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(isinstance(result, S) for _, result in found) == 9
    assert kept < 200_000
    assert peak < 16_000_000 + 3 * 2_000_000


class Tracked(bytes):
    """Bytes that are counted."""

    alive = 0

    def __del__(self) -> None:
        Tracked.alive -= 1


def test_the_result_holds_no_object() -> None:
    """SD-09: the final result does not keep objects loaded."""
    bodies = {id_of(body): body for body in versions(50)}
    asked = most = Tracked.alive = 0

    def getter(id: bytes) -> bytes:
        nonlocal asked, most
        asked += 1
        Tracked.alive += 1
        most = max(most, Tracked.alive)
        return Tracked(bodies[id])

    entries = [Entry(id_, Type.BLOB, len(body), b"f") for id_, body in bodies.items()]
    found = deltas(entries, getter, window=10)
    gc.collect()
    assert len(found) == asked == 50
    assert most <= 12
    assert Tracked.alive == 0


def test_tagged_entries_come_first_after_their_sources() -> None:
    """SD-10: ocaml-git documents it and ignores it."""
    bodies = versions(20)
    entries, known = listed(*bodies)
    tagged = {entries[13].id, entries[17].id}
    found = deltas(entries, known.get, lambda entry: entry.id in tagged)
    places = {entry.id: i for i, (entry, _) in enumerate(found)}
    results = {entry.id: result for entry, result in found}
    needed = set(tagged)
    for id_ in tagged:
        result = results[id_]
        while isinstance(result, S):
            needed.add(result.src_hash)
            result = result.src
    assert {places[id_] for id_ in needed} == set(range(len(needed)))


def test_objects_are_tried_by_type_name_and_size() -> None:
    """SD-08, SD-10: only objects of one type are compared; the larger is the source."""
    body = text(1)
    bodies = [body + b"x" * i for i in range(3)]
    entries = [
        Entry(id_of(bodies[0]), Type.BLOB, len(bodies[0]), b"a/f"),
        Entry(id_of(bodies[1]), Type.TAG, len(bodies[1])),
        Entry(id_of(bodies[2]), Type.BLOB, len(bodies[2]), b"b/f"),
    ]
    results = {
        entry.id: result
        for entry, result in checked(entries, dict(zip(map(id_of, bodies), bodies, strict=True)))
    }
    first, tag, last = (results[id_of(b)] for b in bodies)
    assert isinstance(tag, Z)
    assert isinstance(last, Z)
    assert isinstance(first, S)
    assert first.src_hash == id_of(bodies[2])


def test_small_objects_stay_whole() -> None:
    body = b"x" * 49
    entries, bodies = listed(body, body + b"y" * 5, body[:30])
    found = {entry.id: result for entry, result in checked(entries, bodies)}
    assert isinstance(found[id_of(body)], Z)


def test_an_object_that_is_missing_is_an_invalid_hash() -> None:
    """SD-10: also one whose length is not what was said."""
    entries, bodies = listed(*versions(3))
    gone = dict(bodies)
    del gone[entries[1].id]
    with pytest.raises(InvalidHash) as caught:
        deltas(entries, gone.get)
    assert caught.value.value == entries[1].id.hex()
    bodies[entries[1].id] += b"longer"
    with pytest.raises(InvalidHash, match="bytes"):
        deltas(entries, bodies.get)
    with pytest.raises(DecodeError, match="twice"):
        deltas([entries[0], entries[0]], bodies.get)


def test_a_base_may_be_fixed() -> None:
    """Also one that is not in the list, which makes a thin pack; and chains of such keep to the depth."""
    bodies = versions(6)
    known = {id_of(body): body for body in bodies}
    ids = [id_of(body) for body in bodies]
    entries = [Entry(ids[i], Type.BLOB, len(bodies[i]), b"f", ids[i - 1]) for i in (5, 4, 3, 2, 1)]
    found = checked(entries, known)
    assert [result.src_hash for _, result in found if isinstance(result, S)] == ids[:5]
    assert [result.depth for _, result in found] == [1, 2, 3, 4, 5]
    found = checked(entries, known, 2)
    assert max(result.depth for _, result in found) == 2
    circle = [Entry(ids[i], Type.BLOB, len(bodies[i]), None, ids[(i + 1) % 3]) for i in range(3)]
    with pytest.raises(DecodeError, match="circle"):
        deltas(circle, known.get)
    with pytest.raises(InvalidHash):
        deltas([Entry(ids[0], Type.BLOB, len(bodies[0]), None, b"?" * 20)], known.get)


def test_the_result_is_the_same_for_the_same_input() -> None:
    entries, bodies = listed(*versions(25), *(text(i, 30) for i in range(10)))
    one = [(entry.id, getattr(result, "data", None)) for entry, result in deltas(entries, bodies.get)]
    assert one == [(entry.id, getattr(result, "data", None)) for entry, result in deltas(entries, bodies.get)]
    assert deltas([], bodies.get) == []


def test_an_effort_is_named_by_its_word() -> None:
    entries, bodies = listed(*versions(5))
    assert deltas(entries, bodies.get, effort="line") == deltas(entries, bodies.get, effort=Effort.LINE)
    with pytest.raises(ValueError, match="hard"):
        deltas(entries, bodies.get, effort="hard")
