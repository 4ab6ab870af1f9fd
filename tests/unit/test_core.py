from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import _core

EMPTY = b"\xee" * 32


@given(st.binary(min_size=32, max_size=32), st.integers(1, 8))
def test_the_digits_are_the_bits_of_the_key_in_order(key: bytes, width: int) -> None:
    levels = 256 // width
    digits = [_core.digit(key, depth, width) for depth in range(levels)]
    bits = "".join(f"{digit:0{width}b}" for digit in digits)
    assert bits == f"{int.from_bytes(key, 'big'):0256b}"[: levels * width]


@given(st.binary(max_size=200), st.integers(1, 8), st.data())
def test_a_patched_column_has_the_new_items_and_all_others(
    column: bytes, size: int, data: st.DataObject
) -> None:
    n = len(column) // size
    column = column[: n * size]
    items = st.tuples(st.integers(0, max(0, n - 1)), st.binary(min_size=size, max_size=size))
    changes = data.draw(st.lists(items, max_size=n, unique_by=lambda change: change[0]))
    expected = [column[i * size : (i + 1) * size] for i in range(n)]
    for i, item in changes:
        expected[i] = item
    assert _core.patch_column(column, size, changes) == b"".join(expected)


steps = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=40)


@given(
    st.dictionaries(
        steps, st.tuples(st.integers(0, 2), st.binary(min_size=32, max_size=32), st.binary()), max_size=40
    )
)
def test_a_node_comes_back_as_it_was(entries: dict[str, tuple[int, bytes, bytes]]) -> None:
    names = sorted(entries)
    kinds = bytes([entries[s][0] for s in names])
    hashes = b"".join([entries[s][1] for s in names])
    metadata = [entries[s][2] for s in names if entries[s][0] == 2]
    data = _core.encode_node(names, kinds, hashes, metadata)
    index, kinds_, hashes_, metadata_ = _core.decode_node(data, 32, 40, EMPTY)
    assert (list(index), list(index.values())) == (names, list(range(len(names))))
    assert (kinds_, hashes_) == (kinds, hashes)
    assert metadata_ == {i: entries[s][2] for i, s in enumerate(names) if entries[s][0] == 2}


entry = st.tuples(st.integers(0, 2), st.binary(min_size=32, max_size=32), st.binary(max_size=8))


@given(st.dictionaries(steps, entry, max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_many_nodes_are_encoded_as_each_of_them_alone(
    entries: dict[str, tuple[int, bytes, bytes]], counts: list[int]
) -> None:
    left = iter(entries)
    nodes = [sorted(step for _, step in zip(range(n), left, strict=False)) for n in counts]
    names = [step for own in nodes for step in own]
    kinds = bytes([entries[s][0] for s in names])
    metadata = {s: entries[s][2] for s in names if entries[s][0] == 2}
    expected = [
        _core.encode_node(
            own,
            bytes([entries[s][0] for s in own]),
            b"".join([entries[s][1] for s in own]),
            [metadata[s] for s in own if s in metadata],
        )
        for own in nodes
    ]
    assert _core.encode_nodes(nodes, kinds, [entries[s][1] for s in names], metadata) == expected


@given(
    st.integers(0, 63),
    st.dictionaries(
        st.integers(0, 15),
        st.tuples(st.integers(1, 1 << 58), st.binary(min_size=32, max_size=32)),
        min_size=1,
    ),
)
def test_an_inode_comes_back_as_it_was(depth: int, buckets: dict[int, tuple[int, bytes]]) -> None:
    digits = bytes(sorted(buckets))
    counts = [buckets[d][0] for d in digits]
    hashes = b"".join([buckets[d][1] for d in digits])
    data = _core.encode_inode(16, 2, depth, digits, counts, hashes)
    if sum(counts) <= 2:
        with pytest.raises(ValueError, match="no inode's number"):
            _core.decode_inode(data, 32, 16, 2, 64, EMPTY)
    else:
        assert _core.decode_inode(data, 32, 16, 2, 64, EMPTY) == (depth, digits, counts, hashes)


def test_the_order_of_code_points_is_the_order_of_bytes() -> None:
    """UTF-16 would order these two the other way round."""
    data = _core.encode_node(["\uffff", "\U0001f600"], b"\1\1", bytes(64), [])
    assert list(_core.decode_node(data, 32, 2, EMPTY)[0]) == ["\uffff", "\U0001f600"]


def test_the_empty_hash_may_span_two_other_hashes() -> None:
    """The bytes of the empty directory's hash across the border of two entries are not that hash."""
    half = b"\xee" * 16
    hashes = b"\0" * 16 + half + half + b"\0" * 16
    data = _core.encode_node(["a", "b"], b"\0\0", hashes, [])
    assert _core.decode_node(data, 32, 2, EMPTY)[2] == hashes
    data = _core.encode_inode(2, 2, 0, b"\0\1", [2, 2], hashes)
    assert _core.decode_inode(data, 32, 2, 2, 256, EMPTY)[3] == hashes


def test_contents_may_hash_to_the_empty_directory() -> None:
    """The hash of the empty directory is refused for entries of kind 0 only."""
    data = _core.encode_node(["a"], b"\1", EMPTY, [])
    assert _core.decode_node(data, 32, 2, EMPTY)[1] == b"\1"
    with pytest.raises(ValueError, match="empty directory"):
        _core.decode_node(_core.encode_node(["a"], b"\0", EMPTY, []), 32, 2, EMPTY)
