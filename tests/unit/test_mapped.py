"""Stores in a mapping: what is their own, beyond the suites."""

from __future__ import annotations

import dbm.dumb
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any, cast

import pytest

from irminpy import Repo, Schema, Tree
from irminpy.backend import Maker, Options, RefUpdate
from irminpy.contents import String
from irminpy.errors import Corrupted, NotAStore, SchemaMismatch, StorageError
from irminpy.hash import Hash
from irminpy.objects import Kind, Objects
from irminpy.testing.samples import history, in_threads
from irminpy_mem import Mapped, Memory


def test_one_mapping_holds_objects_refs_and_the_schema_each_under_its_own_prefix() -> None:
    """BE-07, BE-08."""
    mapping: dict[bytes, bytes] = {}
    with Repo.open(Mapped(mapping)) as repo:
        commit = repo.main().set("a", b"1")
        assert commit is not None
    schema = Schema()
    assert mapping[b"schema"] == f"{schema.identity.hex()} {schema.describe()}".encode()
    assert mapping[b"ref/main"] == commit.hash
    rest = {key: data for key, data in mapping.items() if key not in (b"schema", b"ref/main")}
    assert sorted(key[0] for key in rest) == [Kind.NODE, Kind.CONTENTS, Kind.COMMIT]
    for key, data in rest.items():
        assert schema.codec.digest(data) == key[1:]


def test_a_file_opened_again_is_the_same_store(tmp_path: Path) -> None:
    """BE-07: nothing is kept anywhere but in the mapping."""
    path = str(tmp_path / "store")
    for n in range(3):
        with dbm.dumb.open(path, "c") as file, Repo.open(Mapped(cast("Any", file))) as repo:
            assert [commit.info.message for commit in repo.main().log()] == [str(i) for i in range(n)][::-1]
            repo.main().set(f"k{n}", b"%d" % n, message=str(n))
    with dbm.dumb.open(path, "c") as file, Repo.open(Mapped(cast("Any", file)), create=False) as repo:
        assert [repo.main().get(f"k{n}") for n in range(3)] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("make", [Memory, lambda: Mapped({})], ids=["memory", "mapped"])
def test_the_backend_has_no_part_in_hashes(make: Any) -> None:
    """BE-08: one schema, one tree, one hash, whatever holds the objects."""
    with Repo.open(cast("Maker", make())) as repo:
        repo.main().set("a/b", b"1")
        root = repo.main().tree().hash()
    assert root == Tree.singleton("a/b", b"1").hash()


def test_the_recorded_schema_is_compared() -> None:
    mapping: dict[bytes, bytes] = {}
    Repo.open(Mapped(mapping), Schema(String())).close()
    with pytest.raises(SchemaMismatch) as caught:
        Repo.open(Mapped(mapping))
    assert caught.value.found == Schema(String()).describe()
    Repo.open(Mapped(mapping), Schema(String())).close()


def test_a_mapping_that_holds_something_else_is_left_as_it_was() -> None:
    mapping = {b"mine": b"1"}
    with pytest.raises(NotAStore):
        Repo.open(Mapped(mapping))
    assert mapping == {b"mine": b"1"}


def test_a_reader_of_an_empty_mapping_leaves_it_empty() -> None:
    mapping: dict[bytes, bytes] = {}
    with Repo.open(Mapped(mapping), readonly=True) as repo:
        assert repo.branches() == []
    assert mapping == {}


def test_a_changed_byte_is_found_when_it_is_read() -> None:
    """BE-03: what is read is hashed."""
    mapping: dict[bytes, bytes] = {}
    backend, schema = Mapped(mapping).open(None, Options())
    made, _ = history(schema, 1)
    assert backend.write(made)
    (hash_,) = made.contents
    mapping[bytes([Kind.CONTENTS]) + hash_] += b"!"
    with pytest.raises(Corrupted) as caught:
        backend.read(Kind.CONTENTS, Hash(hash_))
    assert caught.value.hash == hash_


def test_a_ref_that_is_no_hash_is_found_when_the_store_is_opened() -> None:
    mapping: dict[bytes, bytes] = {}
    Repo.open(Mapped(mapping)).close()
    mapping[b"ref/main"] = b"short"
    with pytest.raises(Corrupted):
        Repo.open(Mapped(mapping))


class Failing(MutableMapping[bytes, bytes]):
    """A dict that has room for so many assignments."""

    def __init__(self) -> None:
        self.items_: dict[bytes, bytes] = {}
        self.room = 1_000_000

    def __getitem__(self, key: bytes) -> bytes:
        return self.items_[key]

    def __setitem__(self, key: bytes, value: bytes) -> None:
        if not self.room:
            raise OSError("no space left")
        self.room -= 1
        self.items_[key] = value

    def __delitem__(self, key: bytes) -> None:
        del self.items_[key]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.items_)

    def __len__(self) -> int:
        return len(self.items_)


@pytest.mark.parametrize("room", range(6))
def test_a_batch_that_fails_half_way_moves_no_ref(room: int) -> None:
    """Four objects and two refs: whichever assignment fails, both refs are as they were."""
    mapping = Failing()
    backend, schema = Mapped(mapping).open(None, Options())
    made, (head,) = history(schema, 1)
    mapping.room = room
    with pytest.raises(StorageError, match="no space left"):
        backend.write(made, [RefUpdate("a", head), RefUpdate("b", head)])
    assert backend.refs() == {}
    assert not [key for key in mapping if key.startswith(b"ref/")]
    mapping.room = 1_000_000
    assert backend.write(made, [RefUpdate("a", head), RefUpdate("b", head)])
    assert backend.refs() == {"a": head, "b": head}


def test_an_object_that_is_here_is_not_written_again() -> None:
    """BE-02."""
    mapping = Failing()
    backend, schema = Mapped(mapping).open(None, Options())
    made, _ = history(schema, 1)
    assert backend.write(made)
    mapping.room = 0
    assert backend.write(made)


def test_a_mapping_that_was_closed_too_early_is_a_storage_error(tmp_path: Path) -> None:
    with dbm.dumb.open(str(tmp_path / "store"), "c") as file:
        backend, schema = Mapped(cast("Any", file)).open(None, Options())
    absent = Hash(schema.codec.empty)
    for call in (
        lambda: backend.read(Kind.NODE, absent),
        lambda: backend.find_keys(Kind.NODE, [absent]),
        lambda: backend.find_commits("ab"),
        lambda: backend.write(Objects(), [RefUpdate("a", absent)]),
        lambda: Mapped(cast("Any", file)).open(None, Options()),
    ):
        with pytest.raises(StorageError):
            call()


def test_handles_on_one_mapping_share_its_lock(tmp_path: Path) -> None:
    """Batches of many threads, each through a maker of its own, over a file that is not safe for threads."""
    with dbm.dumb.open(str(tmp_path / "store"), "c") as file:
        mapping = cast("Any", file)
        first, schema = Mapped(mapping).open(None, Options())
        made, (head,) = history(schema, 1)

        def work(n: int) -> None:
            backend, _ = Mapped(mapping).open(None, Options())
            for i in range(20):
                assert backend.write(made, [RefUpdate(f"{n}-{i:02}", head, None)])
                assert backend.read(Kind.COMMIT, head) == made.commits[head]

        in_threads(8, work)
        assert len(first.refs()) == 160


def test_makers_are_equal_if_they_hold_the_very_same_mapping() -> None:
    one: dict[bytes, bytes] = {}
    assert Mapped(one) == Mapped(one)
    assert hash(Mapped(one)) == hash(Mapped(one))
    assert Mapped(one) != Mapped({})
    assert repr(Mapped(one)) == "Mapped(<dict>)"
    with pytest.raises(TypeError, match="list"):
        Mapped(cast("Any", []))
