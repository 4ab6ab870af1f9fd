"""Nodes that are stored as differences from older ones (docs/formats/pack.md, "Differences"; decision 098)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from irminpy import Repo, Tree, _frames, _gather, core
from irminpy.errors import Corrupted
from irminpy.objects import Inode, Node
from irminpy_pack import Pack, PackBackend
from irminpy_pack.difference import whole
from irminpy_pack.frame import BLOB, DIFFERENCE, NODE, Frame, Framing
from irminpy_pack.fsck import fsck
from irminpy_pack.identity import Root
from irminpy_pack.recent import Recent
from irminpy_pack.scan import Whole, scan
from irminpy_pack.segment import HEADER_SIZE
from irminpy_pack.state import State
from irminpy_pack.word import column, offset_of, units_of, word_at, words_of
from irminpy_pack.word import pack as word_of

from .stores import SCHEMA, opened

INDEX = pytest.mark.parametrize("index", ["always", "minimal"])
NO_WORD = column([0])


def state_of(repo: Repo[bytes, None]) -> State:
    backend = repo._opened.backend  # pyright: ignore[reportPrivateUsage]
    assert isinstance(backend, PackBackend)
    return backend.state


def value(i: int, version: int) -> bytes:
    return b"value %d, version %d " % (i, version) * 3


def filled(path: Path, versions: int = 30, keys: int = 3000, **how: Any) -> Repo[bytes, None]:
    """A store of directories of 100 entries, of which each version changes ten, and one in ten always."""
    repo = opened(path / "store", durability="none", **how)
    main = repo.main()
    with main.edit(message="0", date=0) as ed:
        for i in range(keys):
            ed[f"{i // 100}/{i}"] = value(i, 0)
    for version in range(1, versions):
        change(repo, version, keys)
    return repo


def change(repo: Repo[bytes, None], version: int, keys: int = 3000) -> None:
    with repo.main().edit(message=str(version), date=version) as ed:
        for i in {*range(version, keys, keys // 10), 7}:
            ed[f"{i // 100}/{i}"] = value(i, version)


def expected(version: int, keys: int = 3000) -> dict[str, bytes]:
    """What the tree of this version holds."""
    found = dict.fromkeys(range(keys), 0)
    for one in range(1, version + 1):
        found |= dict.fromkeys({*range(one, keys, keys // 10), 7}, one)
    return {f"{i // 100}/{i}": value(i, last) for i, last in found.items()}


def leaves(tree: Tree[bytes, None]) -> dict[str, bytes]:
    """All that the tree holds."""

    def take(path: tuple[str, ...], val: bytes, found: dict[str, bytes]) -> dict[str, bytes]:
        found["/".join(path)] = val
        return found

    return tree.fold({}, contents=take)


def held(repo: Repo[bytes, None]) -> dict[str, dict[str, bytes]]:
    """Message to all that its tree holds, of each commit of main."""
    return {commit.info.message: leaves(commit.tree()) for commit in repo.main().log()}


def frames(state: State) -> Iterator[tuple[int, Frame]]:
    """(offset, frame as it is stored)."""
    for segment in state.log.table.segments:
        for found in scan(state.framing, segment):
            assert isinstance(found, Whole)
            yield segment.base + found.at, found.frame


def differences(state: State) -> list[tuple[int, Frame]]:
    return [(offset, frame) for offset, frame in frames(state) if frame.kind == DIFFERENCE]


@INDEX
@pytest.mark.parametrize("io", ["mmap", "pread"])
def test_every_version_is_read_as_it_was_written(tmp_path: Path, index: str, io: str) -> None:
    filled(tmp_path, index=index, io=io).close()
    with opened(tmp_path / "store", index=index, io=io) as repo:
        kinds = Counter(frame.kind for _, frame in frames(state_of(repo)))
        assert kinds[DIFFERENCE] > kinds[NODE] / 2
        found = held(repo)
        assert found == {str(version): expected(version) for version in range(30)}
        assert repo.check().ok
    assert fsck(str(tmp_path / "store"), SCHEMA).ok


def test_each_differs_from_a_whole_node_before_it_in_less_than_half(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        state = state_of(repo)
        lies = dict(frames(state))
        found = differences(state)
        assert found
        for offset, frame in found:
            base = word_at(frame.hints, 0)
            older = lies[offset_of(base)]
            assert offset_of(base) < offset
            assert (older.kind, older.size) == (NODE, units_of(base) << 3)
            made = state.log.whole(offset, frame)
            assert (made.kind, made.base, made.size) == (NODE, base, frame.size)
            assert state.view.digest(made.canonical) == frame.hash
            assert len(made.canonical) == len(older.canonical)
            assert len(made.hints) == len(older.hints)
            assert 2 * (len(frame.canonical) + len(frame.hints)) <= len(made.canonical) + len(made.hints)
            # What differs, and nothing else, is said.
            count = (len(frame.hints) >> 3) - 1
            size = len(frame.hash)
            rows = zip(words_of(made.hints), words_of(older.hints), strict=True)
            head = len(made.canonical) - size * (len(made.hints) >> 3)
            hashes = [
                data[at : at + size]
                for data in (made.canonical, older.canonical)
                for at in range(head, len(data), size)
            ]
            half = len(hashes) // 2
            changed = [
                i for i, (one, other) in enumerate(rows) if one != other or hashes[i] != hashes[half + i]
            ]
            assert frame.canonical[: 2 * count] == pack(f"<{count}H", *changed)


@pytest.mark.skipif(core.CORE != "c", reason="there are no twins")
def test_the_twins_in_python_read_the_same(tmp_path: Path) -> None:
    filled(tmp_path, 12).close()
    with opened(tmp_path / "store") as repo:
        repo.main().tree().find("0/7")  # maps the segment
        state = state_of(repo)
        view = state.view
        codec: Any = SCHEMA.codec
        bases, segments = state.log.table.rows
        segments[0].read(HEADER_SIZE, 1 << 12)
        n = 0
        for offset, frame in differences(state):
            word = word_of(offset, frame.size >> 3, 1)
            made = state.log.whole(offset, frame)
            found = view.at(word, frame.hash)
            assert found == (made.canonical, made.hints)
            where: Any = (bases, segments, state.framing.head)
            shape: Any = (codec.hash_size, codec.fanout, codec.leaf, codec.levels, codec.empty)
            asked: Any = (*where, *shape, frame.hash, word, Node, Inode)
            one, other = core.record_at(*asked), _frames.record_at(*asked)
            assert one == other
            if one is None:
                continue  # it lies behind what is mapped
            assert codec.decode_node(made.canonical)._replace(words=made.hints, head=one.head) == one
            n += 1
            rest: Any = (
                *where,
                *shape[1:],
                frame.hash,
                word,
                getattr(one, "depth", 0),
                -1,
                1 << 20,
                1 << 20,
                8,
            )
            assert core.gather(*rest) == _gather.gather(*rest)
        assert n
        root = repo.main().head().tree()
        for path in ("0/7", "29/2999", "3/none", "none/0"):
            steps = path.split("/")
            word = next(
                word_of(offset, frame.size >> 3, 1)
                for offset, frame in frames(state)
                if frame.hash == bytes(root.hash())
            )
            rest = (*where, codec.fanout, codec.leaf, codec.empty, bytes(root.hash()), word, steps)
            assert core.descend(*rest) == _frames.descend(*rest)
            assert view.descend(bytes(root.hash()), word, steps) == _frames.descend(*rest)


def test_what_stays_is_told_by_difference_though_something_goes(tmp_path: Path) -> None:
    """A commit that removes something is hashed step by step."""
    with filled(tmp_path, 3) as repo:
        state = state_of(repo)
        before = len(differences(state))
        with repo.main().edit(message="3", date=3) as ed:
            del ed["5/500"]
            for i in range(1000, 3000, 100):
                ed[f"{i // 100}/{i}"] = b"again"
        assert len(differences(state)) > before + 20
        assert leaves(repo.main().tree()).keys() == expected(2).keys() - {"5/500"}
        assert repo.check().ok


def test_another_handle_goes_on_with_differences(tmp_path: Path) -> None:
    """What is older is found in blocks in memory, in maps, and by calls where it lies in neither."""
    filled(tmp_path, 5).close()
    counts: list[int] = []
    for version in range(5, 15):
        with opened(tmp_path / "store", io="pread" if version % 2 else "mmap") as repo:
            change(repo, version)
            counts.append(len(differences(state_of(repo))))
            assert leaves(repo.main().tree()) == expected(version)
    assert counts == sorted(set(counts))


def test_a_store_of_the_first_version_gets_none(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as repo:
        repo.main().set("a", b"a")
    file = tmp_path / "store" / "FORMAT"
    lines = file.read_bytes().split(b"\n")[:-2]
    text = b"\n".join([b"irminpy pack 1", *lines[1:]]) + b"\n"
    from zlib import crc32

    file.write_bytes(text + b"crc32 %08x\n" % crc32(text))
    with filled(tmp_path, 8) as repo:
        assert differences(state_of(repo)) == []
        assert held(repo)["7"] == expected(7) | {"a": b"a"}
    assert fsck(str(tmp_path / "store"), SCHEMA).ok


# -- damage ------------------------------------------------------------------------------------------------------


def flip(path: Path, state: State, offset: int) -> tuple[str, int]:
    """Turn a bit of the byte at the virtual `offset`; the file, and where in it."""
    segment = state.log.table.locate(offset)
    assert segment is not None
    at = offset - segment.base
    with open(segment.path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes((byte ^ 1,)))
    return segment.path, at


@pytest.mark.parametrize("part", ["crc", "hash", "hint", "bytes"])
def test_what_is_damaged_is_not_built_upon(tmp_path: Path, part: str) -> None:
    """Else one more version would be lost than was."""
    with filled(tmp_path, 2) as repo:
        # What was written is in memory for a while, as it was.
        repo.main().set("large", os.urandom(5 << 20), message="1", date=1)
        state = state_of(repo)
        at = dict(frames(state))
        bases = {offset_of(word_at(frame.hints, 0)) for _, frame in differences(state)}
        head = state.framing.head
        for base in bases:
            size = at[base].size
            flip(tmp_path, state, base + {"crc": 0, "hash": 16, "hint": head, "bytes": size - 40}[part])
        change(repo, 1000)  # other children of the same nodes, which are decoded
        start = max(at) + at[max(at)].size
        new = list(state.framing.scan(state.log.table.read, start, state.tip.end))
        assert NODE in {frame.kind for _, frame in new}
        for offset, frame in new:
            if frame.kind == DIFFERENCE:
                assert offset_of(word_at(frame.hints, 0)) not in bases
                assert state.view.at(word_of(offset, frame.size >> 3, 1), frame.hash) is not None


@pytest.mark.parametrize("io", ["mmap", "pread"])
def test_damage_of_the_older_node_is_told_for_the_newer_ones(tmp_path: Path, io: str) -> None:
    path = tmp_path / "store"
    with filled(tmp_path, 6) as repo:
        state = state_of(repo)
        uses = Counter(offset_of(word_at(frame.hints, 0)) for _, frame in differences(state))
        base, count = uses.most_common(1)[0]
        users = [
            (offset, frame)
            for offset, frame in differences(state)
            if offset_of(word_at(frame.hints, 0)) == base
        ]
        file, at = flip(tmp_path, state, base + state.framing.head)
        at -= state.framing.head
    report = fsck(str(path), SCHEMA)
    told = [(finding.fault, finding.offset) for finding in report.findings if finding.file == file]
    assert ("frame", at) in told
    segment_base = base - at
    assert {("hash", offset - segment_base) for offset, _ in users} <= set(told)
    assert len(users) == count
    with opened(path, io=io, readonly=True) as repo:
        state = state_of(repo)
        for offset, frame in users:
            word = word_of(offset, frame.size >> 3, 1)
            assert state.view.at(word, frame.hash) is None
            assert state.view.record(frame.hash, word) is None
            damage = state.view.damage(word, frame.hash)
            assert damage is not None
            assert (damage.file, damage.offset) == (file, offset - segment_base)
            assert f"a difference from what lies at {base}" in damage.reason
        with pytest.raises(Corrupted, match="a difference from what lies at"):
            held(repo)
    result = Pack(str(path)).quarantine(SCHEMA)
    lost = {frame.hash.hex() for _, frame in users}
    assert lost <= set(result.lost)


def framing() -> Framing:
    return Framing(32)


def stored(*parts: tuple[int, bytes, bytes, bytes]) -> tuple[bytes, list[int]]:
    """A log of frames, and where they begin."""
    data, at = b"", list[int]()
    for kind, hash_, hints, canonical in parts:
        at.append(len(data))
        data += framing().encode(kind, hash_, hints, canonical)
    return data, at


HASH = bytes(range(32))
OLDER = b"N" + b"a" * 32 + b"b" * 32
WORDS = column([9, 17])


def read_as(hints: list[int], payload: bytes, base: tuple[int, bytes, bytes] = (NODE, WORDS, OLDER)) -> Frame:
    """The node that a difference with this word 0, words and payload is, from `base`."""
    first = framing().encode(base[0], HASH, base[1], base[2])
    data, at = stored((base[0], HASH, base[1], base[2]), (DIFFERENCE, HASH, column(hints), payload))
    assert at[1] == len(first)
    frame = framing().parse(data[at[1] :])
    return whole(framing(), lambda offset, size: data[offset : offset + size], at[1], frame)


BASE = word_of(0, framing().size_of(2, len(OLDER)) >> 3, 1)


def test_a_difference_is_made_whole() -> None:
    found = read_as([BASE, 33], pack("<H", 1) + b"c" * 32)
    assert found.canonical == b"N" + b"a" * 32 + b"c" * 32
    assert found.hints == column([9, 33])
    assert (found.kind, found.base, found.hash) == (NODE, BASE, HASH)
    assert found.size == framing().size_of(2, 34)
    frame = framing().parse(framing().encode(NODE, HASH, WORDS, OLDER))
    assert whole(framing(), lambda _offset, _size: pytest.fail("read"), 0, frame) is frame


@pytest.mark.parametrize(
    ("hints", "payload", "reason"),
    [
        ([], b"", "from no node"),
        ([0, 33], pack("<H", 1) + b"c" * 32, "from no node"),
        ([BASE + 1, 33], pack("<H", 1) + b"c" * 32, "from no node"),  # contents
        ([BASE | 0x3FFFFC, 33], pack("<H", 1) + b"c" * 32, "from no node"),  # of unknown length
        ([BASE + (1 << 30), 33], pack("<H", 1) + b"c" * 32, "does not lie before it"),
        ([BASE + (1 << 22), 33], pack("<H", 1) + b"c" * 32, "from what lies at 8: "),
        ([BASE - 4, 33], pack("<H", 1) + b"c" * 32, "from what lies at 0: "),
        ([BASE], b"", "no difference of a node"),
        ([BASE, 33], pack("<H", 1) + b"c" * 31, "no difference of a node"),
        ([BASE, 33], pack("<H", 1) + b"c" * 33, "no difference of a node"),
        ([BASE, 33, 41], pack("<H", 1) + b"c" * 32, "no difference of a node"),
        ([BASE, 33], pack("<H", 2) + b"c" * 32, "with other children"),
        ([BASE, 33, 41], pack("<HH", 1, 0) + b"c" * 64, "with other children"),
        ([BASE, 33, 41], pack("<HH", 1, 1) + b"c" * 64, "with other children"),
    ],
)
def test_what_says_nothing_of_a_node_is_refused(hints: list[int], payload: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_as(hints, payload)


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ((BLOB, WORDS, OLDER), "no whole node"),
        ((DIFFERENCE, WORDS, OLDER), "no whole node"),
        ((NODE, b"", OLDER + bytes(16)), "with other children"),
        ((NODE, WORDS * 5, OLDER[:33]), "with other children"),
    ],
)
def test_only_whole_nodes_are_differed_from(base: tuple[int, bytes, bytes], reason: str) -> None:
    size = framing().size_of(len(base[1]) >> 3, len(base[2]))
    with pytest.raises(ValueError, match=reason):
        read_as([word_of(0, size >> 3, 1), 33], pack("<H", 1) + b"c" * 32, base)


# -- garbage -----------------------------------------------------------------------------------------------------


@INDEX
@pytest.mark.parametrize("depth", [None, 0, 3])
def test_a_collection_keeps_differences_whose_older_node_it_keeps(
    tmp_path: Path, depth: int | None, index: str
) -> None:
    with filled(tmp_path, 20, index=index) as repo:
        before = held(repo)
        state = state_of(repo)
        known = {frame.hash: (offset, frame) for offset, frame in differences(state)}
        tree = repo.main().tree()
        predicted = repo.gc(depth=depth, dry_run=True)
        report = repo.gc(depth=depth)
        assert report.kept_bytes >= predicted.kept_bytes
        # Trailers, refs, tables and headers are not foreseen; that nodes become longer is.
        assert report.kept_bytes - predicted.kept_bytes < 4096
        state = state_of(repo)
        at = dict(frames(state))
        n = Counter[str]()
        for offset, frame in at.items():
            if frame.hash not in known or frame.kind not in (NODE, DIFFERENCE):
                continue
            if frame.kind == DIFFERENCE:
                base = at[offset_of(word_at(frame.hints, 0))]
                assert base.kind == NODE
            n[chr(frame.kind)] += 1
            made = state.log.whole(offset, frame)
            assert state.view.digest(made.canonical) == made.hash
            # Words lead to where the children went, and say how long they are now.
            for word in words_of(made.hints):
                assert at[offset_of(word)].size >> 3 == units_of(word)
        if depth is None:
            assert n == {"D": len(known)}
        else:
            assert n["N"]
        if depth == 3:
            assert n["D"]
        kept = {
            message: found for message, found in before.items() if depth is None or int(message) >= 19 - depth
        }
        assert held(repo) == kept
        assert leaves(tree) == expected(19)
        change(repo, 20)
        assert held(repo) == {**kept, "20": expected(20)} if depth != 0 else held(repo)
        assert repo.gc(depth=depth).freed >= 0
        assert repo.check().ok
    assert fsck(str(tmp_path / "store"), SCHEMA).ok


def test_a_snapshot_and_an_export_hold_whole_nodes(tmp_path: Path) -> None:
    with filled(tmp_path, 10) as repo:
        before = held(repo)
        head = repo.main().head().hash
    with open(tmp_path / "snapshot", "wb") as file:
        Pack(str(tmp_path / "store")).export_snapshot(file, SCHEMA)
    with open(tmp_path / "snapshot", "rb") as file:
        Pack(str(tmp_path / "other")).import_snapshot(file, SCHEMA)
    with opened(tmp_path / "other") as repo:
        assert repo.main().head().hash == head
        assert held(repo) == before
        assert differences(state_of(repo)) == []
        change(repo, 10)
        assert differences(state_of(repo))
        assert held(repo) == before | {"10": expected(10)}


def test_statistics_and_the_walk_over_frames_know_them(tmp_path: Path) -> None:
    filled(tmp_path, 6).close()
    maker = Pack(str(tmp_path / "store"))
    stats = maker.stats()
    rows = list(maker.traverse(SCHEMA))
    kinds = Counter(row.kind for row in rows)
    assert stats.nodes == kinds["N"] + kinds["D"]
    assert kinds["D"]
    # Each names all its children, those that it does not tell of as well.
    assert stats.references == sum(len(row.refs) for row in rows)
    at = {row.offset: row for row in rows}
    for row in rows:
        if row.kind == "D":
            base = at[row.says["base"]]
            assert (base.kind, len(base.refs)) == ("N", len(row.refs))
            assert f"base={row.says['base']}" in str(row)
            assert all(at[offset].hash == hash_ for hash_, offset in row.refs)


def test_an_index_that_is_made_anew_has_them(tmp_path: Path) -> None:
    with filled(tmp_path, 6) as repo:
        hashes = [frame.hash for _, frame in differences(state_of(repo))]
    assert hashes
    maker = Pack(str(tmp_path / "store"))
    assert maker.rebuild_index().missing == 0
    for name in os.listdir(Root(str(tmp_path / "store")).indexes):
        import shutil

        shutil.rmtree(os.path.join(Root(str(tmp_path / "store")).indexes, name))
    with opened(tmp_path / "store") as repo:
        state = state_of(repo)
        for hash_ in hashes:
            word = state.lookup.find(1, hash_)
            assert word
            assert state.view.at(word, hash_) is not None


# -- what was written last ---------------------------------------------------------------------------------------


def test_what_was_written_last_is_in_memory_up_to_four_mib(tmp_path: Path) -> None:
    with opened(tmp_path / "one") as one, opened(tmp_path / "other") as other:
        table, another = state_of(one).log.table, state_of(other).log.table
        recent = Recent()
        assert recent.of(table) == ([], [])
        for i in range(5):
            recent.add(table, i << 20, bytes([i]) * (1 << 20))
        starts, blocks = recent.of(table)
        assert starts == [1 << 20, 2 << 20, 3 << 20, 4 << 20]
        assert [block[0] for block in blocks] == [1, 2, 3, 4]
        recent.add(table, 5 << 20, bytes((4 << 20) + 1))
        assert recent.of(table) == ([], [])
        recent.add(table, 64 << 20, b"a")
        # In another generation other bytes lie there.
        assert recent.of(another) == ([], [])
        assert recent.of(table) == ([], [])
