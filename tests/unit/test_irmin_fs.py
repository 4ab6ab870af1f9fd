"""A store that the real irmin-fs made, read as it is, and made again byte for byte."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

import irminpy
from irminpy import Repo, Schema
from irminpy.backend import Options, RefChange, RefUpdate
from irminpy.errors import Closed, Corrupted, Locked, NotAStore, ReadOnly, SchemaMismatch, StorageError
from irminpy.formats import Irmin, Tezos
from irminpy.hash import BLAKE2B, SHA1, Hash
from irminpy.info import Info
from irminpy.objects import Kind, Objects
from irminpy.testing.samples import history
from irminpy.testing.vectors.values import of_bindings
from irminpy_upstream import IrminFs

STORE = Path(__file__).resolve().parent.parent / "vectors" / "irmin" / "store-fs"
SCHEMA = Schema(hash=BLAKE2B(64), format=Irmin(None))


def test_branches_histories_and_values_are_irmins() -> None:
    """TC-140: read-only."""
    with Repo.open(IrminFs(str(STORE)), SCHEMA, readonly=True) as repo:
        assert repo.branches() == ["main", "old/one"]
        main = repo.main()
        assert [commit.info.message for commit in main.log()] == ["second", "first"]
        assert main.get("a/b/d") == b"new"
        assert main.get("bin") == b"\0\xff\x80"
        assert repo.branch("old/one").find("a/b/d") is None
        assert repo.at(main.head().hash.hex()[:12]).head() == main.head()
        assert repo.check().ok
        with pytest.raises(ReadOnly):
            main.set("a", b"x")


def test_every_changed_byte_is_found_or_changes_nothing_that_is_served(tmp_path: Path) -> None:
    shutil.copytree(STORE, tmp_path / "store")
    for file in sorted((tmp_path / "store" / "objects").rglob("*")):
        if file.is_dir():
            continue
        data = file.read_bytes()
        for damaged in (bytes([*data[:-1], data[-1] ^ 1]) if data else b"x", data + b"\0"):
            file.write_bytes(damaged)
            with Repo.open(IrminFs(str(tmp_path / "store")), SCHEMA, readonly=True) as repo:
                assert not repo.check().ok
                hash_ = Hash.of_hex(file.parent.name + file.name)
                for kind in Kind:
                    with pytest.raises(Corrupted):
                        repo._opened.backend.read(kind, hash_)
        file.write_bytes(data)


def test_an_object_is_not_found_as_another_kind() -> None:
    backend, _ = IrminFs(str(STORE)).open(None, Options())
    head = backend.refs()["main"]
    assert backend.read(Kind.COMMIT, head) is not None
    assert backend.read(Kind.NODE, head) is None
    assert backend.read(Kind.CONTENTS, head) is None
    assert backend.find_keys(Kind.COMMIT, [head, Hash(bytes(64))]) == [head, None]
    backend.close()
    with pytest.raises(Closed):
        backend.refs()


def test_what_is_no_such_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    for options in (Options(), Options(create=False)):
        with pytest.raises(NotAStore):
            IrminFs(str(tmp_path)).open(None, options)
    assert os.listdir(tmp_path) == ["something"]
    for wrong in (
        Schema(),
        Schema(hash=BLAKE2B(32), format=Tezos(None)),
        Schema(hash=SHA1(), format=Irmin()),
    ):
        with pytest.raises(SchemaMismatch):
            IrminFs(str(STORE)).open(wrong, Options())
    with pytest.raises(StorageError, match="index"):
        irminpy.open("irmin-fs:x?index=always")
    with pytest.raises(StorageError, match="durability"):
        irminpy.open("irmin-fs:x?durability=some")
    with pytest.raises(StorageError):
        IrminFs(str(tmp_path / "x")).open(None, Options(exclusive=True))
    backend, _ = IrminFs(str(STORE)).open(None, Options(readonly=True))
    with pytest.raises(ReadOnly):
        backend.write(Objects(), [RefUpdate("main", None)])


def test_a_ref_that_holds_no_hash_is_damaged(tmp_path: Path) -> None:
    shutil.copytree(STORE, tmp_path / "store")
    (tmp_path / "store" / "refs" / "main").write_text("abc", encoding="utf-8")
    backend, _ = IrminFs(str(tmp_path / "store")).open(None, Options())
    with pytest.raises(Corrupted):
        backend.ref("main")
    assert backend.ref("nowhere") is None
    assert backend.ref("old") is None


def files(root: Path) -> dict[str, bytes]:
    """What irmin-fs compares: objects and refs."""
    return {
        file.relative_to(root).as_posix(): file.read_bytes()
        for folder in ("objects", "refs")
        for file in (root / folder).rglob("*")
        if file.is_file()
    }


def test_the_same_commits_make_the_same_files(tmp_path: Path) -> None:
    """TC-140: the writer, byte for byte: from values, authors and dates, to the files that Irmin made."""
    told = json.loads((STORE.parent / "store-fs.json").read_text(encoding="utf-8"))
    with irminpy.open(f"irmin-fs:{tmp_path / 'store'}") as repo:
        for case in told["cases"]:
            info = Info(case["date"], case["author"], case["message"])
            parents = [Hash.of_hex(parent) for parent in case["parents"]]
            repo.commit_tree(of_bindings(SCHEMA, case["contents"]), info=info, parents=parents)
        for row in told["branches"]:
            repo.branch(row["branch"]).set_head(repo.commit(Hash.of_hex(row["commit"])))
    assert files(tmp_path / "store") == files(STORE)
    assert set(os.listdir(tmp_path / "store")) == {"objects", "refs", "tmp", "lock"}
    assert os.listdir(tmp_path / "store" / "tmp") == []
    assert list((tmp_path / "store" / "lock").rglob("main")) == []


def test_writes_go_on_where_irmin_stopped(tmp_path: Path) -> None:
    """What Irmin wrote is not touched; a branch moves, and the store is whole."""
    shutil.copytree(STORE, tmp_path / "store")
    before = files(tmp_path / "store")
    with Repo.open(IrminFs(str(tmp_path / "store"))) as repo:
        repo.main().set("a/new", b"value", message="third")
        assert repo.check().ok
    after = files(tmp_path / "store")
    assert {name: after[name] for name in before if name.startswith("objects")} == {
        name: data for name, data in before.items() if name.startswith("objects")
    }
    assert after["refs/main"] != before["refs/main"]


def test_a_lock_of_somebody_alive_is_waited_for_and_a_stale_one_is_removed(tmp_path: Path) -> None:
    """FS-04."""
    made, (one, two) = history(SCHEMA, 2)
    backend, _ = IrminFs(str(tmp_path)).open(SCHEMA, Options(timeout=0.05))
    assert backend.write(made, [RefUpdate("a/b", one)])
    lock = tmp_path / "lock" / "refs" / "a" / "b"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("4321", encoding="utf-8")
    with pytest.raises(Locked) as caught:
        backend.write(made, [RefUpdate("a/b", two)])
    assert caught.value.pid == 4321
    assert backend.ref("a/b") == one
    long_ago = time.time() - 700
    os.utime(lock, (long_ago, long_ago))
    assert backend.write(made, [RefUpdate("a/b", two)])
    assert backend.ref("a/b") == two
    assert not lock.parent.exists()
    lock.mkdir(parents=True)  # Irmin leaves such directories behind
    assert backend.write(made, [RefUpdate("a/b", one)])


def test_no_branch_takes_the_place_of_others(tmp_path: Path) -> None:
    """FS-03, and safer: Irmin removes the directory, with the branches in it."""
    made, (one, two) = history(SCHEMA, 2)
    backend, _ = IrminFs(str(tmp_path)).open(SCHEMA, Options())
    assert backend.write(made, [RefUpdate("a/b", one)])
    for name in ("a", "a/b/c"):
        with pytest.raises(StorageError, match="cannot both be there"):
            backend.write(made, [RefUpdate(name, two)])
    assert backend.refs() == {"a/b": one}
    assert backend.write(made, [RefUpdate("a/b", None), RefUpdate("a", two)])
    assert backend.refs() == {"a": two}
    (tmp_path / "refs" / "x" / "y").mkdir(parents=True)
    assert backend.write(made, [RefUpdate("x", one)])
    assert backend.refs() == {"a": two, "x": one}


def test_an_object_that_a_power_cut_left_short_is_written_again(tmp_path: Path) -> None:
    made, (one,) = history(SCHEMA, 1)
    backend, _ = IrminFs(str(tmp_path)).open(SCHEMA, Options())
    assert backend.write(made, [RefUpdate("main", one)])
    file = tmp_path / "objects" / one.hex()[:2] / one.hex()[2:]
    whole = file.read_bytes()
    file.write_bytes(b"")
    with pytest.raises(Corrupted):
        backend.read(Kind.COMMIT, one)
    assert backend.write(made)
    assert file.read_bytes() == whole


def test_a_watcher_hears_of_what_another_program_does(tmp_path: Path) -> None:
    """FS-06."""
    made, (one, two) = history(SCHEMA, 2)
    backend, _ = IrminFs(str(tmp_path), poll=0.01).open(SCHEMA, Options())
    assert backend.write(made, [RefUpdate("main", one)])
    heard: list[RefChange] = []
    came = threading.Event()

    def listen(change: RefChange) -> None:
        heard.append(change)
        came.set()

    stop = backend.watch(listen)
    # As Irmin does: beside the file, then over it.
    (tmp_path / "tmp" / "main0write").write_bytes(two)
    os.rename(tmp_path / "tmp" / "main0write", tmp_path / "refs" / "main")
    assert came.wait(60)
    stop()
    assert heard == [RefChange("main", one, two)]
    backend.close()
