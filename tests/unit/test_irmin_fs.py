"""A store that the real irmin-fs made, read as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from irminpy import Repo, Schema
from irminpy.backend import Options, RefUpdate
from irminpy.errors import Closed, Corrupted, NotAStore, ReadOnly, SchemaMismatch, StorageError
from irminpy.formats import Irmin, Tezos
from irminpy.hash import BLAKE2B, SHA1, Hash
from irminpy.objects import Kind, Objects
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
    with pytest.raises(NotAStore):
        IrminFs(str(tmp_path)).open(None, Options())
    for wrong in (
        Schema(),
        Schema(hash=BLAKE2B(32), format=Tezos(None)),
        Schema(hash=SHA1(), format=Irmin()),
    ):
        with pytest.raises(SchemaMismatch):
            IrminFs(str(STORE)).open(wrong, Options())
    with pytest.raises(StorageError):
        IrminFs.of_uri("x", {"index": "always"})
    backend, _ = IrminFs(str(STORE)).open(None, Options())
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
