"""Snapshots: out of a store and into a new one, checked both ways; what is damaged or hostile leaves nothing behind."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from irminpy import Repo
from irminpy.backend import RefUpdate
from irminpy.contents import String
from irminpy.errors import (
    Corrupted,
    DanglingHash,
    DecodeError,
    InvalidBranch,
    IrminError,
    NotAStore,
    SchemaMismatch,
    StorageError,
    UnsupportedVersion,
)
from irminpy.hash import Hash
from irminpy.info import Info
from irminpy.objects import DIRECTORY, Inode, Kind, Objects
from irminpy.objects import Commit as CommitVal
from irminpy.schema import Schema
from irminpy.slice import Slice
from irminpy.slice_stream import BRANCH, HEAD, SHALLOW, Outlet
from irminpy.upkeep import Snapshots
from irminpy_mem import Memory
from irminpy_pack import Pack
from irminpy_pack.fsck import fsck

from .stores import SCHEMA, Failing, commits, last_segment, opened
from .test_upkeep import flip

CODEC = SCHEMA.codec


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(autouse=True)
def no_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk over the index in a process of its own has its own tests, and takes a second each time."""
    monkeypatch.setattr("irminpy_pack.fsck.indexed.walk", lambda *_, **__: None)


def exported(path: Path, **how: Any) -> bytes:
    file = io.BytesIO()
    Pack(str(path)).export_snapshot(file, **how)
    return file.getvalue()


def imported(path: Path, data: bytes, **how: Any) -> Path:
    target = path.with_name("copy")
    Pack(str(target), **how).import_snapshot(io.BytesIO(data))
    return target


def filled(path: Path, **how: Any) -> None:
    """Wide and deep directories, shared values, merges, large contents, branches, and what was written twice."""
    chosen = random.Random(11)
    with opened(path, durability="none", **how) as repo:
        main = repo.main()
        for n in range(6):
            with main.edit(message=f"{n}") as ed:
                for i in range(60):
                    ed[f"wide/{n}-{i}"] = b"%d" % (i % 7)
                ed[f"deep/{'/'.join('abcdef')}/{n}"] = b"deep"
        main.set("big", chosen.randbytes(3 << 20), message="big")
        main.clone("side").set("x", b"side", message="side")
        main.set("y", b"main", message="main")
        main.merge_with_branch("side", message="merge")
        main.set("z", b"z", message="and")
        main.remove("z", message="back")  # in the index `minimal`: the same directories once more


def contents_of(path: Path) -> dict[str, tuple[str, list[str], bytes]]:
    with opened(path, readonly=True) as repo:
        found: dict[str, tuple[str, list[str], bytes]] = {}
        for name in repo.branches():
            store = repo.branch(name)
            log = [commit.hash.hex() for commit in store.log()]
            found[name] = (str(store.head().hash), log, store.get("big"))
        return found


@pytest.mark.parametrize(("index", "into"), [("always", "minimal"), ("minimal", "always")])
def test_a_store_is_the_same_after_a_journey(path: Path, index: str, into: str) -> None:
    """TC-152."""
    filled(path, index=index)
    data = exported(path)
    copy = imported(path, data, index=into)
    assert contents_of(copy) == contents_of(path)
    assert fsck(str(copy), SCHEMA).ok
    assert exported(copy)[-40:] == data[-40:] or Slice.from_bytes(exported(copy), SCHEMA) == Slice.from_bytes(
        data, SCHEMA
    )
    assert sorted(file.name for file in (copy / "index").iterdir()) == [f"2-{into}"]
    with opened(copy, index=into) as repo:
        repo.main().set("wide/0-0", b"new", message="new")
        assert repo.check().ok
    assert isinstance(Pack(str(path)), Snapshots)


def test_a_snapshot_has_every_object_once_and_what_repo_export_has(path: Path) -> None:
    filled(path, index="minimal")
    slice_ = Slice.from_bytes(exported(path), SCHEMA)
    with opened(path, index="minimal") as repo:
        whole = repo.export()
    assert slice_.objects.contents == whole.objects.contents
    assert slice_.objects.nodes == whole.objects.nodes
    assert slice_.objects.commits == whole.objects.commits
    assert slice_.branches.keys() == {"main", "side"}
    assert set(slice_.heads) == set(whole.heads)
    assert slice_.shallow == frozenset()
    with Repo.open(Memory(), SCHEMA) as repo:  # and a store in memory takes it
        assert repo.import_(slice_) == len(slice_)
    again = Slice.from_json(json.loads(json.dumps(slice_.to_json())), SCHEMA)
    assert again == slice_
    assert Slice.from_bytes(slice_.to_bytes(), SCHEMA) == slice_


def test_one_commit_makes_a_store_whose_history_ends_there(path: Path) -> None:
    """TC-152: the one-commit store."""
    made = commits(path, *"abcd")
    data = exported(path, commit=made[2], branch="picked")
    slice_ = Slice.from_bytes(data, SCHEMA)
    assert len(slice_.objects.commits) == 1
    assert slice_.shallow == {made[1]}
    copy = imported(path, data)
    assert fsck(str(copy), SCHEMA).ok
    with opened(copy) as repo:
        assert repo.branches() == ["picked"]
        store = repo.branch("picked")
        assert store.head().hash == made[2]
        assert [commit.hash for commit in store.log()] == [made[2]]
        assert [store.get(f"k/{name}") for name in "abc"] == [b"a", b"b", b"c"]
        assert repo.check().ok
        store.set("k/e", b"e", message="e")
        repo.gc(depth=0)
    assert fsck(str(copy), SCHEMA).ok
    (copy / "MANIFEST").unlink()  # where history ends is in the segments
    with opened(copy) as repo:
        assert repo.check().ok


def test_history_goes_as_deep_as_asked_and_ends_where_it_ended(path: Path) -> None:
    made = commits(path, *"abcdef")
    data = exported(path, commit=made[5], depth=2)
    assert len(Slice.from_bytes(data, SCHEMA).objects.commits) == 3
    assert len(Slice.from_bytes(exported(path, commit=made[5], depth=None), SCHEMA).objects.commits) == 6
    with opened(path) as repo:
        repo.gc(depth=1)
    slice_ = Slice.from_bytes(exported(path), SCHEMA)
    assert set(slice_.objects.commits) == {made[4], made[5]}
    assert slice_.shallow == {made[3]}
    copy = imported(path, slice_.to_bytes())
    with opened(copy) as repo:
        assert [commit.hash for commit in repo.main().log()] == [made[5], made[4]]


def test_parents_that_came_later_go_before_their_children(path: Path) -> None:
    """A history that was fetched shallow and made longer afterwards."""
    made = commits(path, *"abcd")
    target = path.with_name("deepened")
    with opened(path) as source, opened(target) as repo:
        newest = source.export(max=[made[3]], depth=0)
        repo.import_(newest, shallow=True)
        repo._opened.backend.write(Objects(), [RefUpdate("main", made[3])])
        repo.import_(source.export(max=[made[3]]))
    slice_ = Slice.from_bytes(exported(target), SCHEMA)
    assert [Hash(hash_) for hash_ in slice_.objects.commits] == made
    assert slice_.shallow == frozenset()


def test_an_empty_store_travels_too(path: Path) -> None:
    opened(path).close()
    data = exported(path)
    copy = imported(path, data)
    with opened(copy) as repo:
        assert repo.branches() == []
        repo.main().set("a", b"a", message="a")
    assert fsck(str(copy), SCHEMA).ok


def test_segments_are_sealed_on_the_way(path: Path) -> None:
    filled(path)
    copy = path.with_name("copy")
    told: list[int] = []
    done = Pack(str(copy), seal=1 << 18).import_snapshot(
        io.BytesIO(exported(path)), progress=lambda done, _: told.append(done)
    )
    assert len(list((copy / "pack").iterdir())) > 3
    assert told == sorted(told)
    assert done.branches == ("main", "side")
    assert json.loads(json.dumps(done.to_json()))["commits"] == done.commits
    assert "branches: main, side" in str(done)
    assert fsck(str(copy), SCHEMA, "graph").ok


# -- what is refused


def nothing_is_left(path: Path) -> bool:
    return not [file for file in path.parent.iterdir() if file.name.startswith("copy")]


def test_a_snapshot_that_is_cut_off_or_changed_leaves_nothing(path: Path) -> None:
    commits(path, *"abc")
    data = exported(path)
    chosen = random.Random(1)
    for at in sorted({0, 1, 8, 9, len(data) - 1, *(chosen.randrange(len(data)) for _ in range(25))}):
        with pytest.raises(IrminError):
            imported(path, data[:at])
        assert nothing_is_left(path)
        changed = bytearray(data)
        changed[at] ^= 1 << chosen.randrange(8)
        with pytest.raises((DecodeError, DanglingHash, SchemaMismatch, UnsupportedVersion, InvalidBranch)):
            imported(path, bytes(changed))
        assert nothing_is_left(path)


def slice_of(
    *,
    contents: list[bytes] | None = None,
    nodes: list[bytes] | None = None,
    commits: list[bytes] | None = None,
    notes: list[tuple[int, bytes]] | None = None,
) -> bytes:
    file = io.BytesIO()
    out = Outlet(file, SCHEMA, (BRANCH, SHALLOW))
    for kind, rows in ((Kind.CONTENTS, contents), (Kind.NODE, nodes), (Kind.COMMIT, commits)):
        for data in rows or ():
            out.object(kind, data)
    for tag, data in notes or ():
        out.note(tag, data)
    out.end()
    return file.getvalue()


VALUE = CODEC.encode_contents([b"v"])[0]
LEAF = CODEC.encode_node(["v"], b"\1", CODEC.digest(VALUE), [])
TOP = CODEC.encode_node(["d"], bytes([DIRECTORY]), CODEC.digest(LEAF), [])


def commit_of(node: bytes, *parents: bytes) -> bytes:
    return CODEC.encode_commit(
        CommitVal(Hash(CODEC.digest(node)), tuple(map(Hash, parents)), Info(1, "a", "m"))
    )


ONE = commit_of(TOP)
HOSTILE: dict[str, tuple[bytes, type[IrminError]]] = {
    "contents that are missing": (slice_of(nodes=[LEAF, TOP]), DanglingHash),
    "a directory that is missing": (slice_of(contents=[VALUE], nodes=[TOP]), DanglingHash),
    "a directory after its parent": (slice_of(contents=[VALUE], nodes=[TOP, LEAF]), DanglingHash),
    "a directory twice": (slice_of(contents=[VALUE], nodes=[LEAF, LEAF]), DecodeError),
    "contents that are none": (slice_of(contents=[b"?"]), DecodeError),
    "a directory that is none": (slice_of(nodes=[b"N?"]), DecodeError),
    "a commit that is none": (slice_of(commits=[b"C?"]), DecodeError),
    "a commit without its tree": (slice_of(commits=[ONE]), DanglingHash),
    "a head that is missing": (slice_of(notes=[(HEAD, bytes(32))]), DanglingHash),
    "a branch that is missing": (slice_of(notes=[(BRANCH, bytes(32) + b"main")]), DanglingHash),
    "a branch of no name": (slice_of(notes=[(BRANCH, bytes(32))]), DecodeError),
    "a branch whose name is no text": (slice_of(notes=[(BRANCH, bytes(32) + b"\xff")]), DecodeError),
    "a branch that no store may have": (slice_of(notes=[(BRANCH, bytes(32) + b"a..b")]), InvalidBranch),
    "notes out of order": (slice_of(notes=[(SHALLOW, bytes(32)), (HEAD, bytes(32))]), DecodeError),
    "a parent that is missing": (
        slice_of(contents=[VALUE], nodes=[LEAF, TOP], commits=[commit_of(TOP, bytes(32))]),
        DanglingHash,
    ),
    "contents named as a directory": (
        slice_of(
            contents=[VALUE],
            nodes=[CODEC.encode_node(["d"], bytes([DIRECTORY]), CODEC.digest(VALUE), [])],
        ),
        DanglingHash,
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_snapshot_leaves_nothing(what: str, path: Path) -> None:
    data, error = HOSTILE[what]
    with pytest.raises(error):
        imported(path, data)
    assert nothing_is_left(path)


def inner_nodes(path: Path) -> Iterator[tuple[bytes, Inode]]:
    with opened(path) as repo:
        for data in repo.export().objects.nodes.values():
            record = CODEC.decode_node(data)
            if type(record) is Inode:
                yield data, record


def test_a_snapshot_whose_directories_do_not_fit_leaves_nothing(path: Path) -> None:
    """Each object is right by itself: the check of the whole store finds it."""
    with opened(path) as repo, repo.main().edit(message="wide") as ed:
        for i in range(600):
            ed[f"k{i}"] = b"v"
    slice_ = Slice.from_bytes(exported(path), SCHEMA)
    nodes = list(slice_.objects.nodes.values())
    top, record = next(found for found in inner_nodes(path) if found[1].depth == 0)
    deep, _ = next(found for found in inner_nodes(path) if found[1].depth == 1)
    size = CODEC.hash_size
    turned = b"".join(reversed([record.hashes[i : i + size] for i in range(0, len(record.hashes), size)]))
    swapped = CODEC.encode_inode(0, record.buckets, list(reversed(record.counts)), turned)
    named = CODEC.encode_node(["d"], bytes([DIRECTORY]), CODEC.digest(deep), [])
    assert top in nodes
    for odd in (swapped, named):
        commit = commit_of(odd)
        data = slice_of(
            contents=[VALUE],
            nodes=[*nodes, odd],
            commits=[commit],
            notes=[(BRANCH, CODEC.digest(commit) + b"main")],
        )
        with pytest.raises(Corrupted, match=r"bucket|directory"):
            imported(path, data)
        assert nothing_is_left(path)


def test_a_snapshot_of_another_schema_is_refused(path: Path) -> None:
    commits(path, "a")
    target = path.with_name("copy")
    with pytest.raises(SchemaMismatch):
        Pack(str(target)).import_snapshot(io.BytesIO(exported(path)), Schema(String()))
    assert nothing_is_left(path)


def test_a_store_that_is_there_is_left_alone(path: Path) -> None:
    commits(path, "a")
    data = exported(path)
    with pytest.raises(NotAStore, match="something else"):
        Pack(str(path)).import_snapshot(io.BytesIO(data))
    assert exported(path) == data


def test_an_import_that_cannot_write_leaves_nothing_under_its_name(path: Path) -> None:
    """C25."""
    commits(path, "a", "b")
    data = exported(path)
    target = path.with_name("copy")
    failed = 0
    for n in range(1, 200, 6):
        files = Failing(lambda _: True, n)
        try:
            Pack(str(target), files=files).import_snapshot(io.BytesIO(data))
        except StorageError:
            failed += 1
            assert not target.exists()
            assert nothing_is_left(path)
        else:
            if files.hit:
                assert fsck(str(target), SCHEMA).ok
            break
    assert failed > 2


def test_what_is_damaged_is_not_exported(path: Path) -> None:
    commits(path, *"abc")
    row = next(row for row in Pack(str(path)).traverse() if row.kind == "B")
    whole = last_segment(path).read_bytes()
    for at in (row.at + row.bytes - 8, row.at + 1, row.at + 20):
        flip(last_segment(path), at)
        file = io.BytesIO()
        with pytest.raises((Corrupted, DanglingHash)):
            Pack(str(path)).export_snapshot(file)
        with pytest.raises(DecodeError):  # and what was written is not taken for one
            Slice.from_bytes(file.getvalue(), SCHEMA)
        last_segment(path).write_bytes(whole)


def test_large_contents_are_checked_on_the_way_out_and_in(path: Path) -> None:
    with opened(path) as repo:
        repo.main().set("big", random.Random(2).randbytes(3 << 20), message="big")
    data = bytearray(exported(path))
    data[2 << 20] ^= 1
    with pytest.raises(DanglingHash):  # of the contents that the directory names
        imported(path, bytes(data))
    assert nothing_is_left(path)
    row = next(row for row in Pack(str(path)).traverse() if row.kind == "B")
    flip(last_segment(path), row.at + 5000)
    with pytest.raises(Corrupted):
        exported(path)
