"""Taking care of a pack store: its index made anew, statistics, a walk over its frames."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from irminpy import Repo
from irminpy.contents import Own
from irminpy.errors import Locked, NotAStore, ReadOnly, SchemaMismatch, StorageError
from irminpy.schema import Schema
from irminpy.upkeep import Measuring, Recording, Reindexing, Traversing
from irminpy_pack import Pack, word
from irminpy_pack.files import Files
from irminpy_pack.frame import Framing
from irminpy_pack.fsck import fsck
from irminpy_pack.identity import Identity, Root
from irminpy_pack.index import Index
from irminpy_pack.manifest import Manifest

from .stores import SCHEMA, Failing, commits, last_segment, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def flip(file: Path, *places: int) -> None:
    data = bytearray(file.read_bytes())
    for at in places:
        data[at] ^= 0x55
    file.write_bytes(data)


def index_of(path: Path, strategy: str = "always") -> Index:
    root = Root(str(path))
    uuid = Identity.read(Files(), root).uuid
    return Index.open(
        root.index(1, strategy), uuid=uuid, generation=1, hash_size=32, readonly=False, files=Files()
    )


# -- the index made anew


@pytest.mark.parametrize("strategy", ["always", "minimal"])
def test_a_good_index_is_made_again_as_it_was(path: Path, strategy: str) -> None:
    made = commits(path, *"abcdef", index=strategy)
    entries = list(index_of(path, strategy).dump())
    done = Pack(str(path), index=strategy).rebuild_index()
    assert (done.entries, done.before) == (len(entries), len(entries))
    assert (done.missing, done.wrong, done.behind, done.gaps, done.reason) == (0, 0, 0, 0, None)
    assert list(index_of(path, strategy).dump()) == entries
    with opened(path, index=strategy) as repo:
        assert repo.main().head().hash == made[-1]
        assert repo.find_commit(made[0]) is not None
    assert fsck(str(path), SCHEMA).ok


def test_what_differed_is_told(path: Path) -> None:
    made = commits(path, "a", "b", "c")
    index = index_of(path)
    index.add({b"\3" + bytes(32): word.pack(128, 20, 3), b"\3" + made[0]: word.pack(64, 20, 3)}, index.end)
    index.close()
    done = Pack(str(path)).rebuild_index()
    assert (done.missing, done.wrong, done.before) == (0, 2, done.entries + 1)
    assert "2 wrong" in str(done)
    assert json.loads(json.dumps(done.to_json()))["wrong"] == 2
    assert fsck(str(path), SCHEMA).ok


def test_entries_that_are_missing_are_told_from_those_not_yet_there(path: Path) -> None:
    commits(path, "a")
    shutil.copytree(path / "index", path.parent / "old")
    commits(path, "b")
    shutil.rmtree(path / "index")
    shutil.copytree(path.parent / "old", path / "index")
    (path / "MANIFEST").unlink()  # it has the fingerprint of the newer one
    done = Pack(str(path)).rebuild_index()
    assert done.missing == 0
    assert done.behind > 0


def test_an_index_that_is_gone_or_damaged_is_made_from_the_frames(path: Path) -> None:
    """TC-153: the index is reconstructed."""
    made = commits(path, *"abc")
    (path / "index" / "1-always" / "data.mdb").write_bytes(b"no index" * 1000)
    done = Pack(str(path)).rebuild_index()
    assert done.before is None
    assert done.reason
    assert (path / "index" / "1-always.damaged").is_dir()
    shutil.rmtree(path / "index")
    assert Pack(str(path)).rebuild_index().reason == "there is none"
    with opened(path, readonly=True) as repo:
        assert repo.find_commit(made[1]) is not None
    assert fsck(str(path), SCHEMA).ok


def test_the_index_is_made_over_damage_at_which_the_engine_gives_up(path: Path) -> None:
    made = commits(path, *"abcdefgh")
    shutil.rmtree(path / "index")
    segment = last_segment(path)
    row = next(row for row in Pack(str(path)).traverse() if row.hash == made[3].hex())
    flip(segment, row.at + 5)  # its length
    with opened(path) as repo:  # which makes an index of what it finds in a hurry
        assert repo.find_commit(made[6]) is None
    done = Pack(str(path)).rebuild_index()
    assert done.gaps == 1
    assert done.missing > 10
    assert "damaged places" in str(done)
    with opened(path, readonly=True) as repo:
        assert repo.main().get("k/h") == b"h"
        assert repo.find_commit(made[6]) is not None


def test_a_rebuild_that_cannot_write_leaves_the_old_index(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irminpy_pack.reindex.walk", lambda *_, **__: None)  # a process each time
    made = commits(path, *"abc")
    failed = 0
    for n in range(1, 30):
        files = Failing(lambda _: True, n, sticky=True)
        try:
            Pack(str(path), files=files).rebuild_index()
        except StorageError:
            failed += 1
        with opened(path, readonly=True) as repo:
            assert repo.find_commit(made[0]) is not None
        assert fsck(str(path), SCHEMA, "graph").ok
    assert 5 < failed < 29
    Pack(str(path)).rebuild_index()
    assert fsck(str(path), SCHEMA).ok


def test_nobody_writes_while_the_index_is_made(path: Path) -> None:
    commits(path, "a")
    with opened(path, exclusive=True), pytest.raises(Locked):
        Pack(str(path)).rebuild_index(timeout=0.0)
    with pytest.raises(NotAStore):
        Pack(str(path.parent)).rebuild_index()
    assert not (path.parent / "LOCK").exists()


def test_the_fingerprint_of_the_new_index_is_recorded(path: Path) -> None:
    commits(path, "a")
    Pack(str(path)).rebuild_index()
    manifest = Manifest.decode((path / "MANIFEST").read_bytes())
    assert manifest is not None
    assert manifest.index("always") is not None
    flip(path / "index" / "1-always" / "data.mdb", 5000)
    assert {finding.fault for finding in fsck(str(path), SCHEMA).findings} == {"index"}


# -- statistics


def test_statistics_count_what_is_there(path: Path) -> None:
    big = random.Random(5).randbytes(3 << 20)
    with opened(path, seal=1 << 20) as repo:
        for n in range(5):
            with repo.main().edit(message=str(n)) as ed:
                ed[f"d/{n}"] = b"%d" % n
        repo.main().set("big", big, message="big")
        repo.branch("side").set("x", b"1", message="x")
    (path / "lost" / "kept").write_bytes(b"12345")
    found = Pack(str(path)).stats()
    assert (found.commits, found.branches, found.batches) == (7, 2, found.kinds["T"].frames)
    assert found.kinds["X"].frames == 1
    assert found.large_bytes == len(big)
    assert found.chunks >= 3
    assert found.segments == len(list((path / "pack").iterdir()))
    assert found.bytes == sum(file.stat().st_size for file in (path / "pack").iterdir())
    assert sum(kind.bytes for kind in found.kinds.values()) == found.bytes - 64 * found.segments
    assert (found.lost_files, found.lost_bytes, found.unread) == (1, 5, 0)
    assert [(one.strategy, one.lag) for one in found.indexes] == [("always", 0)]
    assert found.indexes[0].entries == len({row.hash for row in Pack(str(path)).traverse() if row.word})
    assert found.garbage is None
    fields = json.loads(json.dumps(found.to_json()))
    assert fields["objects"] == found.objects == found.commits + found.nodes + found.contents
    assert fields["kinds"]["C"]["average"] > 50
    assert "7 commits" in str(found)
    assert "large contents" in str(found)


def test_statistics_tell_what_would_be_collected_if_asked(path: Path) -> None:
    commits(path, "a")
    with opened(path) as repo:
        repo.branch("gone").set("x", bytes(5000), message="gone")
        repo.remove_branch("gone")
    found = Pack(str(path)).stats(garbage=True)
    assert found.garbage is not None
    assert found.garbage.freed_bytes > 5000
    assert found.to_json()["garbage"]["dry_run"] is True
    assert "would free" in str(found)


def test_statistics_go_on_over_damage(path: Path) -> None:
    commits(path, *"abcdef")
    whole = Pack(str(path)).stats()
    row = [row for row in Pack(str(path)).traverse() if row.kind == "B"][2]
    flip(last_segment(path), row.at + 5)
    (path / "index" / "1-always" / "data.mdb").write_bytes(b"")
    found = Pack(str(path)).stats()
    assert found.unread == row.bytes
    assert found.objects == whole.objects - 1
    assert found.indexes[0].entries is None
    assert "are no frames" in str(found)
    assert "cannot be read" in str(found)


# -- the walk over all frames


def test_every_frame_is_told_with_what_it_refers_to(path: Path) -> None:
    made = commits(path, "a", "b")
    rows = list(Pack(str(path)).traverse())
    at = 64
    for row in rows:
        assert row.at == row.offset == at
        assert row.units * 8 == row.bytes
        at += row.bytes
    assert at == last_segment(path).stat().st_size
    by_hash = {row.hash: row for row in rows}
    second = by_hash[made[1].hex()]
    assert second.kind == "C"
    root, parent = second.refs
    assert parent == (made[0].hex(), by_hash[made[0].hex()].offset)
    assert by_hash[root[0]].kind == "N"
    for name, offset in by_hash[root[0]].refs:
        assert by_hash[name].offset == offset
    moves = [row.says for row in rows if row.kind == "R"]
    assert [(move["ref"], move["new"]) for move in moves] == [("main", one.hex()) for one in made]
    assert [row.says["batch"] for row in rows if row.kind == "T"] == [1, 2]
    assert json.loads(json.dumps(second.to_json()))["refs"][1]["hash"] == made[0].hex()
    assert made[1].hex()[:10] in str(second)


def test_the_walk_goes_on_over_damage_and_tells_large_contents_and_generations(path: Path) -> None:
    with opened(path) as repo:
        repo.main().set("big", random.Random(5).randbytes(2 << 20), message="big")
        for n in range(4):
            repo.main().set("x", b"%d" % n, message=str(n))
        repo.gc(depth=1)
    maker = Pack(str(path))
    rows = list(maker.traverse())
    large = next(row for row in rows if row.kind == "X")
    assert len(large.refs) >= 2
    generation = next(row for row in rows if row.kind == "G")
    assert len(generation.says["shallow"]) == 1
    assert next(row for row in rows if row.kind == "K").says["table"].keys() == {"main"}
    victim = next(row for row in rows if row.kind == "N")
    flip(last_segment(path), victim.at + victim.bytes - 9)
    again = list(maker.traverse())
    gap = next(row for row in again if row.kind == "?")
    assert (gap.at, gap.bytes, gap.hash) == (victim.at, victim.bytes, None)
    assert "crc" in gap.says["damage"]
    assert [row.hash for row in again if row.hash] == [row.hash for row in rows if row is not victim]


# -- what the store records


def test_the_recorded_schema_opens_the_store(path: Path) -> None:
    own: Own[int] = Own("number/1", lambda value: b"%d" % value, int, lambda old, ours, theirs: ours)
    schema = Schema(own)
    with Repo.open(Pack(str(path)), schema) as repo:
        repo.main().set("n", 12, message="n")
    maker = Pack(str(path))
    with pytest.raises(SchemaMismatch, match="number/1"):
        Repo.open(maker)
    found = maker.recorded()
    assert found.identity == schema.identity
    with Repo.open(maker, found) as repo:
        assert repo.main().get("n") == b"12"
        with pytest.raises(ReadOnly, match="number/1"):
            repo.main().set("n", b"13", message="no")
    assert maker.fsck().ok
    assert [row.kind for row in maker.traverse()] == [row.kind for row in maker.traverse(schema)]


def test_the_maker_offers_upkeep(path: Path) -> None:
    maker = Pack(str(path))
    assert isinstance(maker, Recording)
    assert isinstance(maker, Measuring)
    assert isinstance(maker, Traversing)
    assert isinstance(maker, Reindexing)
    for act in (maker.recorded, maker.stats, maker.traverse, maker.fsck):
        with pytest.raises(NotAStore):
            act()

    assert not path.exists()


def test_frames_that_hold_anything_are_told_all_the_same(path: Path) -> None:
    """Right crcs around bytes that no writer wrote."""
    commits(path, "a")
    framing = Framing(32)
    odd = [
        *(framing.encode(kind, bytes(32), b"", b"\xc1") for kind in b"RKGTNCX"),
        framing.encode(ord("R"), bytes(32), b"", b"\x95\xa1x\x01\x02\x03\x04"),
        framing.encode(ord("K"), bytes(32), b"", b"\x91\x93\xa1x\x01\x02"),
        framing.encode(ord("N"), bytes(32), bytes(8), b"N"),
        framing.encode(ord("C"), bytes(32), bytes(24), b"C"),
    ]
    before = len(list(Pack(str(path)).traverse()))
    with last_segment(path).open("ab") as file:
        file.write(b"".join(odd))
    rows = list(Pack(str(path)).traverse())[before:]
    assert len(rows) == len(odd)
    assert sum("damage" in row.says for row in rows) >= len(odd) - 1
    assert Pack(str(path)).stats().unread == 0
    assert {finding.fault for finding in Pack(str(path)).fsck(level="graph").findings} > {"refs", "object"}
    assert Pack(str(path)).quarantine().branches[0].state == "whole"
