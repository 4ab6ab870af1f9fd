"""An object is known by kind and hash: in Irmin's older formats, contents can be written that equal a directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from irminpy import Repo, Schema, sync
from irminpy.backend import Maker
from irminpy.formats import Inodes, Irmin2, Tezos
from irminpy.hash import BLAKE2B, SHA1
from irminpy.objects import Kind
from irminpy_mem import Mapped, Memory
from irminpy_pack import Pack
from irminpy_pack.fsck import fsck
from tests.located import Located, collect

SCHEMA = Schema(hash=SHA1(), format=Irmin2(Inodes(2, 3, "seeded")))
TEZOS = Schema(hash=BLAKE2B(32), format=Tezos())
STORES = ("mem", "mapped", "pack", "minimal", "located")


@pytest.fixture(params=STORES)
def maker(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    kind: str = request.param
    if kind == "mem":
        return Memory(uuid4().hex)
    if kind == "mapped":
        return Mapped({})
    if kind == "located":
        return Located(uuid4().hex, minimal=True)
    index = "always" if kind == "pack" else "minimal"
    return Pack(str(tmp_path / "store"), index=index, durability="none")


@pytest.fixture
def repo(maker: Maker) -> Iterator[Repo[bytes, None]]:
    with Repo.open(maker, SCHEMA) as repo:
        yield repo


def node_bytes(repo: Repo[bytes, None], path: str) -> bytes:
    """The bytes of a stored directory, which are contents, too."""
    tree = repo.main().get_tree(path)
    key = tree.key()
    assert key is not None
    data = repo._opened.backend.read(Kind.NODE, key.key)
    assert data is not None
    return data


def twins(repo: Repo[bytes, None]) -> bytes:
    """A directory under "d" and contents under "c" with one hash; in one directory, and each alone."""
    main = repo.main()
    with main.edit(message="first") as ed:
        ed["d/x"] = b"1"
        ed["d/y"] = b"2"
    data = node_bytes(repo, "d")
    with main.edit(message="second") as ed:
        ed["c"] = data
        ed["only/c"] = data
        ed["a"] = b"else"
    tree = main.tree()
    assert tree.get_tree("c").hash() == tree.get_tree("d").hash()
    return data


def agrees(repo: Repo[bytes, None], data: bytes) -> None:
    main = repo.main()
    assert main.get("c") == data
    assert main.get("only/c") == data
    assert main.get("d/x") == b"1"
    assert main.get("d/y") == b"2"
    assert repo.check().ok


def test_a_directory_and_contents_with_one_hash_are_both_read(repo: Repo[bytes, None]) -> None:
    """TC-144: what an object is comes from what refers to it."""
    agrees(repo, twins(repo))


def test_both_are_there_after_edits_around_them(repo: Repo[bytes, None]) -> None:
    data = twins(repo)
    main = repo.main()
    for i in range(3):
        main.set("a", b"%d" % i, message="around")  # the words of both stand in the same directory
    main.set_tree("moved/d", main.get_tree("d"), message="graft")
    main.set_tree("moved/c", main.get_tree("c"), message="graft")
    agrees(repo, data)
    assert main.get("moved/d/x") == b"1"
    assert main.get("moved/c") == data


def test_contents_that_equal_a_commit_are_contents(repo: Repo[bytes, None]) -> None:
    main = repo.main()
    first = main.set("a", b"1", message="first")
    assert first is not None
    main.set("c", first.to_bytes(), message="second")
    main.set("b", b"2", message="third")
    assert main.get("c") == first.to_bytes()
    assert [commit.info.message for commit in main.log()] == ["third", "second", "first"]
    assert main.get_tree("c").hash() == first.hash
    assert repo.check().ok


def test_both_are_there_when_it_is_opened_again(maker: Maker) -> None:
    with Repo.open(maker, SCHEMA) as repo:
        data = twins(repo)
    with Repo.open(maker, SCHEMA) as repo:
        agrees(repo, data)
        repo.main().set("a", b"again", message="again")
        agrees(repo, data)


@pytest.mark.parametrize("index", ["always", "minimal"])
def test_garbage_collection_keeps_both_and_fsck_finds_both(tmp_path: Path, index: str) -> None:
    path = str(tmp_path / "store")
    with Repo.open(Pack(path, index=index, durability="none"), SCHEMA) as repo:
        data = twins(repo)
        repo.main().set("a", b"x", message="third")
        repo.gc(depth=1)
        agrees_shallow(repo, data)
        repo.main().set("b", b"x", message="fourth")
        repo.gc(depth=0)
        agrees_shallow(repo, data)
    assert fsck(path, SCHEMA).ok


def agrees_shallow(repo: Repo[bytes, None], data: bytes) -> None:
    main = repo.main()
    assert main.get("c") == data
    assert main.get("d/x") == b"1"
    assert repo.check(shallow=True).ok


@pytest.mark.parametrize("translates", [True, False])
def test_both_are_found_after_they_moved(translates: bool) -> None:
    maker = Located(uuid4().hex, minimal=True, translates=translates)
    with Repo.open(maker, SCHEMA) as repo:
        data = twins(repo)
        tree = repo.main().tree()
        collect(maker, commits=True)
        repo.main().set_tree((), tree.add("new", b"n"), message="from before")
        agrees(repo, data)


def test_a_slice_and_a_sync_carry_both(repo: Repo[bytes, None], tmp_path: Path) -> None:
    data = twins(repo)
    with Repo.open(Memory(), SCHEMA) as other:
        other.import_(repo.export())
        other.main().set_head(other.commit(repo.main().head().hash))
        agrees(other, data)
    with Repo.open(Pack(str(tmp_path / "other"), durability="none", index="minimal"), SCHEMA) as other:
        sync.push(repo.main(), other)
        agrees(other, data)


def test_empty_contents_equal_the_empty_directory_of_tezos(tmp_path: Path) -> None:
    """Irmin forbids to persist an empty directory there; here nothing is mistaken."""
    with Repo.open(Pack(str(tmp_path / "store"), index="minimal", durability="none"), TEZOS) as repo:
        main = repo.main()
        main.set("a", b"", message="empty contents")
        assert main.get_tree("a").hash() == TEZOS.codec.empty
        assert main.get("a") == b""
        main.set("b", b"", message="again")
        main.remove("a", message="remove")
        assert main.get("b") == b""
        main.set_tree((), repo.empty_tree(), message="nothing", allow_empty=True)
        assert main.tree().is_empty()
        main.set("c", b"", message="after")
        assert main.get("c") == b""
        assert repo.check().ok
        repo.gc(depth=1)
        assert main.get("c") == b""
    assert fsck(str(tmp_path / "store"), TEZOS).ok
