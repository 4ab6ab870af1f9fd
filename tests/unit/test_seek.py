"""Decision 036: a look-up that keeps nothing finds in the bytes of nodes what decoding them would find."""

from __future__ import annotations

from pathlib import Path
from struct import pack

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import Repo, Schema, Tree
from irminpy._core import encode_inode, seek_inode
from irminpy.errors import Corrupted, DecodeError
from irminpy.formats.format import BUCKET
from irminpy.formats.native import NativeCodec
from irminpy.hash import BLAKE3
from irminpy.objects import Inode
from irminpy.shape import build, place_of
from irminpy_pack import Pack
from tests.unit.test_local_reads import columns, json_like, packed

CODEC = NativeCodec(BLAKE3(), 4, 2)
HASH = BLAKE3().digest


def nothing(hash: bytes, /) -> None:
    return None


@given(
    st.sets(st.text("abcdef", min_size=1), max_size=40), st.sets(st.text("abcdef", min_size=1), max_size=9)
)
def test_a_step_leads_where_the_decoded_nodes_lead(there: set[str], asked: set[str]) -> None:
    steps = sorted(there)
    hashes = [HASH(step.encode()) for step in steps]
    kinds = bytes([i % 2 for i in range(len(steps))])
    nodes: dict[bytes, bytes] = {}
    root = build(CODEC, nodes, steps, kinds, hashes, {})

    def load(hash: bytes, word: int = 0, /) -> object:
        return CODEC.load_node(nodes[hash])

    for step in there | asked:
        expected = place_of(CODEC, load, nothing, CODEC.load_node(nodes[root]), step)  # type: ignore[arg-type]
        at, depth, count = root, 0, -1
        while True:
            data = nodes[at]
            record = CODEC.load_node(data)
            n = len(record.counts) if isinstance(record, Inode) else len(record.kinds)
            found = CODEC.seek(data, pack(f"<{n}Q", *range(7, 7 + n)), step, depth, count)
            if found is None or found[0] != BUCKET:
                break
            kind, at, word, count = found
            assert record.hashes[32 * (word - 7) :].startswith(at)
            depth += 1
        assert (found is None) == (expected is None)
        if found is not None and expected is not None:
            node, i = expected
            kind, hash_, word, below = found
            assert bytes((kind,)) + hash_ == node.entry_at(i)
            assert (word, below) == (7 + i, 0)


@given(st.sampled_from([b"N", b"I", b"B", b""]), json_like | columns, st.binary(max_size=2))
def test_bytes_that_are_no_node_are_a_decode_error_or_lead_to_a_hash(
    domain: bytes, row: object, rest: bytes
) -> None:
    try:
        found = CODEC.seek(packed(domain, row) + rest, b"", "a", 0, -1)
    except DecodeError:
        return
    assert found is None or (len(found[1]) == 32 and found[0] in (BUCKET, 0, 1, 2))


@pytest.mark.parametrize(
    ("depth", "count", "words"),
    [(1, -1, b""), (0, 3, b""), (0, -1, bytes(8))],
    ids=["of another depth", "of another count", "with too few words"],
)
def test_an_inner_node_that_does_not_fit_its_parent_is_refused(depth: int, count: int, words: bytes) -> None:
    data = CODEC.encode_inode(0, b"\0\1", [2, 2], bytes(64))
    CODEC.seek(data, bytes(16), "a", 0, 4)
    with pytest.raises(DecodeError):
        CODEC.seek(data, words, "a", depth, count)


@pytest.mark.parametrize(
    ("fanout", "leaf", "digits", "counts"),
    [
        (16, 32, [0, 3, 15], [1, 2, 30]),
        (16, 32, list(range(16)), [127] * 16),
        (16, 32, list(range(16)), [127] * 15 + [128]),
        (16, 32, [4, 5], [65_536, 1]),
        (256, 256, [0, 255], [200, 57]),
        (256, 2, list(range(17)), [1] * 17),
        (128, 200, [7], [201]),
    ],
)
def test_every_form_of_an_inner_node_is_looked_through(
    fanout: int, leaf: int, digits: list[int], counts: list[int]
) -> None:
    hashes = b"".join([HASH(b"%d" % digit) for digit in digits])
    for depth in (0, 1, 31):
        data = encode_inode(fanout, leaf, depth, bytes(digits), counts, hashes)
        total, k = sum(counts), len(digits)
        for i, digit in enumerate(digits):
            expected = (total, k, i, counts[i], hashes[32 * i : 32 * i + 32])
            assert seek_inode(data, 32, fanout, leaf, depth, digit) == expected
        for absent in set(range(fanout)).difference(digits):
            assert seek_inode(data, 32, fanout, leaf, depth, absent) == (total, k, -1, 0, b"")
        with pytest.raises(ValueError, match="depth"):
            seek_inode(data, 32, fanout, leaf, depth + 1, digits[0])
    with pytest.raises(ValueError, match="counts"):
        seek_inode(encode_inode(16, 32, 0, b"\0\1", [16, 16], bytes(64)), 32, 16, 32, 0, 0)


def test_a_flat_bucket_of_another_count_is_refused() -> None:
    data = CODEC.encode_node(["a"], b"\1", bytes(32), [])
    with pytest.raises(DecodeError, match="2"):
        CODEC.seek(data, b"", "a", 1, 2)


@pytest.mark.parametrize(
    "row", [[4, 2, 0, b"\0\1", [1, "3"], bytes(64)], [4, 2, 0, b"\0\1", [4, -1], bytes(64)]]
)
def test_counts_that_no_inode_has_are_refused(row: list[object]) -> None:
    with pytest.raises(DecodeError):
        CODEC.seek(b"I" + bytes(msgpack.packb(row)), b"", "a", 0, -1)


def stored(path: Path) -> Repo[bytes]:
    repo = Repo.open(Pack(str(path), index="minimal"), Schema())
    tree = {f"d{d}": {f"k{i}": b"%d" % i for i in range(d, 300, 5)} for d in range(5)}
    repo.main().set_tree((), Tree.of_concrete(tree), date=0)
    return repo


def test_nothing_is_kept_of_a_look_up_without_cache(tmp_path: Path) -> None:
    """TR-17: what is not in memory is read each time, and neither tree nor repository hold more than before."""
    with stored(tmp_path / "s") as repo:
        repo.home.clear()
        tree = repo.main().tree()
        before = tree.dump()
        reads: list[int] = []
        for _ in range(3):
            repo.counters.reset()
            assert tree.find("d3/k13", cache=False) == b"13"
            assert tree.find("d3/absent", cache=False) is None
            assert tree.find("d3", cache=False) is None
            assert tree.find("d3/k13/below", cache=False) is None
            reads.append(repo.counters.node_find)
        assert reads[0] > 6
        assert reads == [reads[0]] * 3
        assert tree.dump() == before


def test_a_look_up_without_cache_goes_on_from_what_is_in_memory(tmp_path: Path) -> None:
    with stored(tmp_path / "s") as repo:
        tree = repo.main().tree().add("d1/new", b"x").remove("d2/k2")
        for cache in (False, True, False):
            assert tree.find("d1/new", cache=cache) == b"x"
            assert tree.find("d2/k2", cache=cache) is None
            assert tree.find("d2/k7", cache=cache) == b"7"


@pytest.mark.parametrize("cache", [False, True])
def test_a_flipped_byte_is_found_by_a_look_up(tmp_path: Path, cache: bool) -> None:
    """D7: with and without a cache, every object on the way is compared with its hash."""
    stored(tmp_path / "s").close()
    (segment,) = (tmp_path / "s" / "pack").iterdir()
    data = bytearray(segment.read_bytes())
    at = data.index(b"B" + b"299")
    data[at + 1] ^= 1
    segment.write_bytes(data)
    with Repo.open(Pack(str(tmp_path / "s"), index="minimal"), Schema()) as repo:
        tree = repo.main().tree()
        assert tree.find("d3/k298", cache=cache) == b"298"
        with pytest.raises(Corrupted):
            tree.find("d4/k299", cache=cache)
