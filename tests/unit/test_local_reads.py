"""Decision 023: what an open repository reads of its own is decoded once, and what it wrote not at all."""

from __future__ import annotations

from struct import pack

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

import irminpy
from irminpy import Repo, Schema, Tree
from irminpy.errors import DecodeError
from irminpy.formats import Native
from irminpy.objects import Inode, Node
from tests.located import Located

CODEC = Schema(format=Native(4, 2)).codec

json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=3)
    | st.binary(max_size=70),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)
columns = st.integers(0, 2).flatmap(
    lambda n: st.tuples(
        st.lists(st.text(max_size=2), min_size=n, max_size=n),
        st.binary(min_size=n, max_size=n),
        st.binary(min_size=32 * n, max_size=32 * n),
    ).map(list)
)


def packed(domain: bytes, row: object) -> bytes:
    return domain + bytes(msgpack.packb(row))


@given(st.sampled_from([b"N", b"I", b"B", b""]), json_like | columns, st.binary(max_size=2))
def test_bytes_that_are_no_node_are_a_decode_error_and_nothing_else(
    domain: bytes, row: object, rest: bytes
) -> None:
    data = packed(domain, row) + rest
    try:
        record = CODEC.load_node(data)
    except DecodeError:
        with pytest.raises(DecodeError):
            CODEC.decode_node(data)
    else:
        # Whatever was accepted can be used.
        assert len(record.hashes) == 32 * (
            len(record.buckets) if isinstance(record, Inode) else len(record.kinds)
        )
        if isinstance(record, Node):
            assert [step for step, _ in record.entries()] == list(record.index)


@pytest.mark.parametrize(
    "row",
    [
        [4, 2, 0, b"\0\1", [2, "2"], bytes(64)],
        [4, 2, 0, b"\0\1", [2, -1], bytes(64)],
        [4, 2, 0, b"\0\1", [1, 1], bytes(64)],
        [4, 2, 128, b"\0\1", [2, 2], bytes(64)],
        [4, 2, -1, b"\0\1", [2, 2], bytes(64)],
        [4, 3, 0, b"\0\1", [2, 2], bytes(64)],
        [4, 2, 0, b"\0\1", [2], bytes(64)],
        [4, 2, 0, b"", [], b""],
    ],
)
def test_an_inner_node_that_cannot_be_used_is_refused(row: list[object]) -> None:
    with pytest.raises(DecodeError):
        CODEC.load_node(packed(b"I", row))


@given(st.dictionaries(st.text("abc", min_size=1), st.binary(min_size=32, max_size=32), max_size=2))
def test_canonical_bytes_are_loaded_as_they_are_decoded(entries: dict[str, bytes]) -> None:
    steps = sorted(entries)
    data = CODEC.encode_node(steps, b"\1" * len(steps), b"".join([entries[step] for step in steps]), [])
    words = pack(f"<{len(steps)}Q", *range(len(steps)))
    strict, loaded = CODEC.decode_node(data), CODEC.load_node(data, words)
    assert loaded[:4] == strict[:4]
    assert isinstance(loaded, Node)
    assert (loaded.words, loaded.head + loaded.hashes) == (words, data)


def test_a_column_of_words_has_one_for_each_child() -> None:
    data = CODEC.encode_node(["a"], b"\1", bytes(32), [])
    with pytest.raises(DecodeError, match="1 children with 2 words"):
        CODEC.load_node(data, bytes(16))
    data = CODEC.encode_inode(0, b"\0\1", [2, 2], bytes(64))
    with pytest.raises(DecodeError, match="2 children with 1 words"):
        CODEC.load_node(data, bytes(8))


def edited(repo: Repo[bytes], round_: int) -> Tree[bytes]:
    tree = repo.main().tree()
    for i in range(0, 300, 7):
        tree = tree.add(f"d{i % 5}/k{i}", b"%d" % round_)
    return tree


@pytest.mark.parametrize("minimal", [None, True, False])
def test_a_commit_reads_no_node_that_the_one_before_wrote(
    minimal: bool | None, request: pytest.FixtureRequest
) -> None:
    """And what it writes is the same as if it had read them."""
    repo = (
        irminpy.open("mem:") if minimal is None else Repo.open(Located(request.node.name, minimal), Schema())
    )
    with repo:
        repo.main().set_tree(
            (), Tree.of_concrete({f"d{d}": {f"k{i}": b"" for i in range(d, 300, 5)} for d in range(5)})
        )
        repo.main().set_tree((), edited(repo, 0))
        repo.counters.reset()
        repo.main().set_tree((), edited(repo, 1))
        assert repo.counters.node_find == 0
        expected = {f"d{i % 5}/k{i}": b"" if i % 7 else b"1" for i in range(300)}
        repo.home.clear()
        assert {path: repo.main().get(path) for path in expected} == expected
        assert repo.check().ok
        other = Tree.empty().edit()
        for path, value in expected.items():
            other[path] = value
        assert other.tree().hash() == repo.main().tree().hash()
