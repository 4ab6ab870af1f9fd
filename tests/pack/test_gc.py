"""Garbage collection of a pack: what is kept, what is freed, and what history looks like afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import irminpy
from irminpy import Repo
from irminpy.collecting import Collecting
from irminpy.errors import (
    DanglingHash,
    IrminError,
    Locked,
    MaxDepthReached,
    NotFound,
    ReadOnly,
    StorageError,
)
from irminpy.info import Info
from irminpy.key import hash_of_key
from irminpy.objects import Kind
from irminpy_pack import PackBackend
from irminpy_pack.files import Files
from irminpy_pack.fsck import fsck
from irminpy_pack.gc import collect
from irminpy_pack.identity import Root
from irminpy_pack.lock import Lock

from .stores import SCHEMA, messages, opened

INDEX = pytest.mark.parametrize("index", ["always", "minimal"])


def filled(path: Path, n: int = 20, **how: Any) -> Repo[bytes, None]:
    """A store of `n` commits on main, the i-th at the time i, and a branch `side` of five that left it at 10."""
    repo = opened(path / "store", durability="none", **how)
    main, side = repo.main(), repo.branch("side")
    for i in range(n):
        main.set(f"k{i % 7}/{i}", b"value %d " % i * 20, info=Info(i, "me", f"m{i}"))
        if i == 10:
            side.set_head(main.head())
    for i in range(5):
        side.set(f"s/{i}", b"side %d " % i * 20, info=Info(100 + i, "me", f"s{i}"))
    return repo


def backend_of(repo: Repo[bytes, None]) -> PackBackend:
    backend = repo._opened.backend  # pyright: ignore[reportPrivateUsage]
    assert isinstance(backend, PackBackend)
    return backend


def sound(repo: Repo[bytes, None], path: Path) -> None:
    """Every level of checks is content, with the open store and with its files."""
    report = repo.check()
    assert report.ok, str(report)
    found = fsck(str(path / "store"), SCHEMA)
    assert found.ok, found.findings


def segments(path: Path) -> list[str]:
    return sorted(os.listdir(Root(str(path / "store")).packs))


@INDEX
def test_what_no_branch_leads_to_is_gone_and_all_else_is_there(tmp_path: Path, index: str) -> None:
    """TC-150: what stands beside is gone, all else is there, also after opening it again. US-04."""
    with filled(tmp_path, index=index) as repo:
        gone = repo.branch("side").head()
        repo.remove_branch("side")
        before = messages(repo)
        tree = repo.main().tree().hash()
        report = repo.gc()
        assert (report.commits, report.shallow, report.dry_run) == (20, 0, False)
        assert report.freed > 10
        assert report.freed_bytes > 0
        assert messages(repo) == before
        assert repo.main().tree().hash() == tree
        assert repo.find_commit(gone.hash) is None
        sound(repo, tmp_path)
    with opened(tmp_path / "store", index=index) as repo:
        assert messages(repo) == before
        assert repo.main().get("k3/3") == b"value 3 " * 20
        sound(repo, tmp_path)


@INDEX
def test_only_the_files_of_the_new_generation_are_left(tmp_path: Path, index: str) -> None:
    with filled(tmp_path, index=index, seal=2048) as repo:
        old = segments(tmp_path)
        size = sum(os.path.getsize(Path(Root(str(tmp_path / "store")).packs) / name) for name in old)
        repo.remove_branch("side")
        report = repo.gc()
        new = segments(tmp_path)
        assert not set(old) & set(new)
        assert len(new) > 1, "a generation of several segments"
        now = sum(os.path.getsize(Path(Root(str(tmp_path / "store")).packs) / name) for name in new)
        assert report.kept_bytes == now
        assert abs(size - now - report.freed_bytes) < 1024, "the removal of the branch comes between"
        assert not [name for name in os.listdir(tmp_path / "store") if name.endswith(".tmp")]
        sound(repo, tmp_path)


def test_a_dry_run_says_what_a_run_does_and_writes_nothing(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        repo.remove_branch("side")
        files = {file: file.read_bytes() for file in (tmp_path / "store").rglob("*") if file.is_file()}
        would = repo.gc(depth=4, dry_run=True)
        assert {
            file: file.read_bytes() for file in (tmp_path / "store").rglob("*") if file.is_file()
        } == files
        did = repo.gc(depth=4)
        for name in ("commits", "nodes", "contents", "freed", "shallow"):
            assert getattr(would, name) == getattr(did, name)
        assert would.dry_run
        assert not did.dry_run
        assert abs(would.kept_bytes - did.kept_bytes) < 1024
        assert did.to_json()["commits"] == 5
        assert "freed" in str(did)
        assert "would free" in str(would)


def test_a_reader_may_do_a_dry_run_and_no_more(tmp_path: Path) -> None:
    filled(tmp_path).close()
    with opened(tmp_path / "store", readonly=True) as repo:
        assert repo.gc(depth=1, dry_run=True).commits == 4
        with pytest.raises(ReadOnly):
            repo.gc()


@INDEX
@pytest.mark.parametrize("depth", [0, 1, 5, 100])
def test_history_is_kept_to_a_depth_and_ends_there(tmp_path: Path, index: str, depth: int) -> None:
    """TC-150: older commits are gone, what is kept and its future are readable."""
    with filled(tmp_path, index=index) as repo:
        repo.remove_branch("side")
        report = repo.gc(depth=depth)
        kept = [f"m{i}" for i in range(19, max(-1, 18 - depth), -1)]
        assert report.commits == len(kept)
        assert report.shallow == (0 if depth == 100 else 1)
        main = repo.main()
        assert messages(repo) == kept
        assert [commit.info.message for commit in main.log(order="date")] == kept
        assert [commit.info.message for commit in main.log(first_parent=True)] == kept
        assert len(main.history()) == len(kept)
        assert len(repo.export().objects.commits) == len(kept)
        last = list(main.log())[-1]
        assert len(last.parents) == (0 if depth == 100 else 1), "what is hashed is what it was"
        assert last.past == ()
        if depth < 100:
            with pytest.raises(NotFound, match="revision"):
                repo.at(f"main~{depth + 1}")
        sound(repo, tmp_path)
        main.set("more", b"1", message="more")
        assert messages(repo) == ["more", *kept]
    with opened(tmp_path / "store", index=index) as repo:
        assert messages(repo) == ["more", *kept]
        sound(repo, tmp_path)


def test_history_is_kept_by_age(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        repo.remove_branch("side")
        assert repo.gc(since=12, dry_run=True).commits == 8
        assert repo.gc(since=12, depth=9, dry_run=True).commits == 10, "what either keeps is kept"
        assert repo.gc(since=1000).commits == 1, "a head stays, however old"
        sound(repo, tmp_path)


def test_history_is_kept_of_the_branches_that_are_named(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        report = repo.gc(branches=["side"])
        assert report.commits == 11 + 5 + 1
        assert messages(repo) == ["m19"]
        assert len(list(repo.branch("side").log())) == 16
        assert repo.main().get("k3/3") == b"value 3 " * 20
        sound(repo, tmp_path)
        with pytest.raises(NotFound, match="nosuch"):
            repo.gc(branches=["nosuch"])


def test_a_commit_is_kept_that_is_named(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        side = repo.branch("side").head()
        repo.remove_branch("side")
        assert repo.gc(keep=[side]).commits == 25
        assert repo.commit(side.hash).tree().get("s/2") == b"side 2 " * 20
        assert repo.gc(keep=[side.hash], depth=1).commits == 4
        sound(repo, tmp_path)
        repo.gc()
        with pytest.raises(DanglingHash):
            repo.gc(keep=[side.hash])


def test_what_two_histories_share_is_found_where_history_was_cut_off(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        main, side = repo.main(), repo.branch("side")
        (base,) = main.lcas(side)
        repo.gc(depth=9)
        (found,) = main.lcas(side)
        assert found == base
        main.merge_with_branch("side")
        sound(repo, tmp_path)


def test_two_histories_whose_beginning_is_gone_share_nothing(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        repo.gc(depth=2)
        assert repo.main().lcas(repo.branch("side")) == []
        with pytest.raises(MaxDepthReached):
            repo.main().lcas(repo.branch("side"), max_depth=1)


def test_a_parent_that_comes_back_is_a_parent_again(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        repo.remove_branch("side")
        whole = repo.export()
        repo.gc(depth=3)
        assert len(messages(repo)) == 4
        assert repo.import_(whole) > 16
        assert len(messages(repo)) == 20
        sound(repo, tmp_path)
        assert repo.gc().shallow == 0
        assert len(messages(repo)) == 20


def test_what_was_cut_off_stays_cut_off_over_the_next_collection(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        repo.remove_branch("side")
        assert repo.gc(depth=3).shallow == 1
        again = repo.gc()
        assert (again.commits, again.shallow, again.freed) == (4, 1, 0)
        sound(repo, tmp_path)


@INDEX
def test_a_tree_held_from_before_is_read_edited_and_committed(tmp_path: Path, index: str) -> None:
    with filled(tmp_path, index=index) as repo:
        held = repo.main().tree()
        part = held.get_tree("k3")
        side = repo.branch("side").tree()
        gone = repo.branch("side").head()
        repo.remove_branch("side")
        repo.gc(depth=0)
        assert held.get("k2/9") == b"value 9 " * 20
        assert side.get("s/1") == b"side 1 " * 20, "read from the files it holds open"
        edited = held.add("k2/9", b"new").add_tree("moved", part).add_tree("from/side", side)
        repo.main().set_tree((), edited, message="edited")
        sound(repo, tmp_path)
        assert repo.main().get("from/side/s/1") == b"side 1 " * 20
        assert repo.main().get("moved/3") == b"value 3 " * 20
        with pytest.raises(DanglingHash):
            repo.commit_tree(edited, parents=[gone])
    with opened(tmp_path / "store", index=index) as repo:
        assert repo.main().get("from/side/s/1") == b"side 1 " * 20
        sound(repo, tmp_path)


@INDEX
def test_a_tree_held_over_two_collections_is_committed(tmp_path: Path, index: str) -> None:
    with filled(tmp_path, index=index) as repo:
        held = repo.main().tree()
        repo.main().set("k0/0", b"other")
        repo.gc(depth=0)
        repo.main().set("k0/1", b"other")
        repo.gc(depth=0)
        repo.main().set_tree((), held.add("new", b"1"), message="held")
        assert repo.main().get("k3/3") == b"value 3 " * 20
        sound(repo, tmp_path)


@INDEX
def test_the_parts_of_a_held_tree_that_are_kept_are_not_written_again(tmp_path: Path, index: str) -> None:
    with filled(tmp_path, index=index) as repo:
        held = repo.main().tree()
        repo.gc()
        size = backend_of(repo).state.tip.end
        repo.main().set_tree((), held.add("k1/new", b"1"), message="held")
        assert backend_of(repo).state.tip.end - size < 3000, "two nodes, contents, a commit"
        sound(repo, tmp_path)


def test_keys_lead_to_objects_that_moved(tmp_path: Path) -> None:
    with filled(tmp_path, index="minimal") as repo:
        tree = repo.main().get_tree("k3")
        kinded = tree.key()
        assert kinded is not None
        repo.gc()
        source = repo.home.source()
        word = source.word(kinded.key)
        assert word
        assert source.reader.read(Kind.NODE, source.key(hash_of_key(kinded.key), word)) is not None


def test_a_branch_may_lead_to_an_empty_tree(tmp_path: Path) -> None:
    for index in ("always", "minimal"):
        with opened(tmp_path / index, index=index) as repo:
            repo.main().set("a", b"1")
            repo.main().remove("a")
            repo.gc(depth=0)
            assert repo.check().ok
            assert repo.main().list() == []


def test_a_new_store_has_nothing_to_collect(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as repo:
        report = repo.gc()
        assert (report.kept, report.freed, report.shallow) == (0, 0, 0)
        repo.main().set("a", b"1")
        assert repo.gc().kept == 3
        sound(repo, tmp_path)


def test_progress_is_told_and_may_cancel(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        seen: list[str] = []
        repo.gc(progress=lambda what, done, total: seen.append(what))
        assert list(dict.fromkeys(seen)) == ["mark", "copy", "flip"]
        before = segments(tmp_path)

        class Cancelled(Exception):
            pass

        for step in ("mark", "copy", "flip"):

            def cancel(what: str, done: int, total: int, step: str = step) -> None:
                if what == step:
                    raise Cancelled

            with pytest.raises(Cancelled):
                repo.gc(depth=0, progress=cancel)
            assert len(messages(repo)) == 20
            assert set(segments(tmp_path)) - set(before) == set(segments(tmp_path)[1:]), (
                "only a sealed segment"
            )
            repo.main().set("k", step.encode())
            repo.main().set_head(repo.at("main~1").head())
            sound(repo, tmp_path)


def test_no_two_collections_run_at_once(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        root = Root(str(tmp_path / "store"))
        lock = Lock(Files(), root.collecting)
        assert lock.attempt()
        lock.sign()
        with pytest.raises(Locked) as caught:
            repo.gc()
        assert caught.value.pid == os.getpid()
        lock.close()
        repo.gc()


def test_too_little_space_is_said_before_anything_is_written(tmp_path: Path) -> None:
    class Full(Files):
        def free(self, path: str) -> int:
            return 1 << 20

    with filled(tmp_path, files=Full()) as repo:
        with pytest.raises(StorageError, match=r"needs \d+ bytes .* 1048576 are free"):
            repo.gc()
        sound(repo, tmp_path)
        assert repo.gc(dry_run=True).commits == 25


def test_a_backend_that_keeps_everything_says_so() -> None:
    with irminpy.open("mem:") as repo, pytest.raises(StorageError, match="collects no garbage"):
        repo.gc()


@pytest.mark.parametrize("wrong", [{"depth": -1}, {"since": -1}, {"depth": True}, {"depth": 1.5}])
def test_a_policy_that_makes_no_sense_is_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with opened(tmp_path / "store") as repo, pytest.raises(ValueError, match="no number from 0 up"):
        repo.gc(**wrong)  # type: ignore[arg-type]


def test_branches_are_given_as_several_names(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as repo, pytest.raises(TypeError, match="several names"):
        repo.gc(branches="main")


def test_a_damaged_object_ends_a_collection_and_nothing_has_happened(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        (name,) = segments(tmp_path)
    path = Path(Root(str(tmp_path / "store")).packs) / name
    data = bytearray(path.read_bytes())
    data[data.index(b"value 3 value 3") + 5] ^= 1
    path.write_bytes(data)
    with opened(tmp_path / "store") as repo:
        with pytest.raises(IrminError, match=name):
            repo.gc()
        assert name in segments(tmp_path)
        assert len(messages(repo)) == 20


def test_used_up_offsets_begin_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "LIMIT", 3 << 30)
    with filled(tmp_path, index="minimal") as repo:
        bases: list[int] = []
        for i in range(6):
            held = repo.main().tree()
            report = repo.gc()
            bases.append(backend_of(repo).state.log.table.segments[0].base)
            repo.main().set_tree((), held.add(f"new/{i}", b"x"), message=f"n{i}")
            assert report.commits == 25 + i
            sound(repo, tmp_path)
        assert 0 in bases
        assert max(bases) < 3 << 30


def test_the_pack_is_collecting(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as repo:
        assert isinstance(backend_of(repo), Collecting)
        assert backend_of(repo).shallow() == frozenset()


def test_manifest_lost_after_a_collection_is_made_again(tmp_path: Path) -> None:
    with filled(tmp_path) as repo:
        repo.gc(depth=3)
        before = messages(repo)
    (tmp_path / "store" / "MANIFEST").unlink()
    (tmp_path / "store" / "HEAD").unlink()
    with opened(tmp_path / "store") as repo:
        assert messages(repo) == before
        sound(repo, tmp_path)


@INDEX
def test_large_contents_are_kept_with_their_chunks(tmp_path: Path, index: str) -> None:
    value = bytes(range(256)) * 12_000
    with opened(tmp_path / "store", index=index) as repo:
        repo.main().set("gone", value[::-1])
        repo.main().set("large", value)
        held = repo.main().tree()
        repo.main().remove("gone")
        report = repo.gc(depth=0)
        assert report.freed_bytes > 1 << 20
        assert repo.main().get("large") == value
        sound(repo, tmp_path)
        assert held.get("gone") == value[::-1]
        repo.main().set_tree((), held, message="again")
        assert repo.main().get("gone") == value[::-1]
        sound(repo, tmp_path)
    with opened(tmp_path / "store", index=index) as repo:
        assert repo.main().get("large") == value
