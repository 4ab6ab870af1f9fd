"""Keys of a pack: SD-11 to SD-13, and the three ways in which a key leads nowhere."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from irminpy import Hash
from irminpy.backend import Locating
from irminpy.errors import Corrupted, DanglingHash, DecodeError
from irminpy.key import hash_of_key
from irminpy.objects import Commit, Kind, Objects, words_of
from irminpy_pack import Direct, Indexed, PackKey, v_direct, v_indexed

from .stores import SCHEMA, commits, last_segment, opened

CODEC = SCHEMA.codec


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_a_key_is_direct_after_an_add_and_where_a_node_was_decoded(path: Path) -> None:
    """SD-11."""
    with opened(path, index="minimal") as repo:
        key = repo.save_contents(b"value")
        assert isinstance(key, PackKey)
        assert isinstance(key.inspect(), Direct)
        repo.main().set("a/b", b"value", message="m")
    with opened(path, index="minimal") as repo:
        found = repo.main().tree().get_tree("a").key()
        assert found is not None
        assert isinstance(found.key, PackKey)
        place = found.key.inspect()
        assert isinstance(place, Direct)
        assert place.offset % 8 == 0
        assert place.length % 8 == 0
        assert repo.find_contents(repo.main().tree().get_tree("a/b").key().key) == b"value"  # type: ignore[union-attr]


def test_a_commit_found_by_its_hash_has_an_indexed_key_and_reading_promotes_it(path: Path) -> None:
    """SD-12: in place, once the index has been asked; doing it again changes nothing."""
    (made,) = commits(path, "a")
    with opened(path) as repo:
        key = v_indexed(made)
        assert key.inspect() == Indexed(made)
        assert repo._opened.backend.read(Kind.COMMIT, key) is not None
        place = key.inspect()
        assert isinstance(place, Direct)
        key.promote(place.offset)
        assert key.inspect() == place


def test_keys_are_equal_by_their_hash_alone() -> None:
    one, two = Hash(bytes(32)), Hash(b"\1" * 32)
    direct, indexed = v_direct(one, 64, 128, 2), v_indexed(one)
    assert direct == indexed
    assert hash(direct) == hash(indexed)
    assert direct < v_indexed(two)
    assert direct != v_indexed(two)
    assert pickle.loads(pickle.dumps(direct)).inspect() == Indexed(one)
    assert direct.inspect() == Direct(one, 64, 128)
    assert "Direct" in repr(direct)


@pytest.mark.parametrize(
    ("offset", "length", "kind"), [(63, 128, 1), (64, 12, 1), (0, 8, 1), (64, 8, 4), (1 << 45, 8, 1)]
)
def test_a_place_that_no_frame_can_have_is_refused(offset: int, length: int, kind: int) -> None:
    with pytest.raises(DecodeError, match="no place"):
        v_direct(Hash(bytes(32)), offset, length, kind)


def test_a_stale_direct_key_heals_through_the_index(path: Path) -> None:
    with opened(path) as repo:
        key = repo.save_contents(b"value")
        stale = v_direct(hash_of_key(key), 64, 4096, 2)
        assert repo.find_contents(stale) == b"value"


def test_a_key_to_what_is_damaged_is_told(path: Path) -> None:
    """SD-13, the first way: corruption."""
    with opened(path) as repo:
        key = repo.save_contents(b"the value that is damaged")
        segment = last_segment(path)
        data = segment.read_bytes()
        segment.write_bytes(data.replace(b"that is damaged", b"that was damage"))
        with pytest.raises(Corrupted):
            repo.find_contents(key)


def test_a_key_of_a_writer_leads_nowhere_in_an_older_snapshot(path: Path) -> None:
    """SD-13, the second way: a reader that has not seen the batch. Asked for it, it looks again."""
    commits(path, "a")
    with opened(path) as repo, opened(path, readonly=True) as reader:
        view = reader._opened.backend.state.view  # type: ignore[attr-defined]
        key = repo.save_contents(b"new")
        assert isinstance(key, PackKey)
        assert view.at(key.word, key.hash) is None
        assert reader.find_contents(key) == b"new"


def test_a_key_of_another_store_leads_nowhere(path: Path, tmp_path: Path) -> None:
    """SD-13, the third way: never to another object."""
    with opened(path) as repo, opened(tmp_path / "other") as other:
        key = repo.save_contents(b"here")
        other.save_contents(b"gone")
        assert other.find_contents(key) is None
        reader = other._opened.source.reader
        assert isinstance(reader, Locating)
        assert reader.word(key) == 0


def test_a_key_to_what_was_collected_leads_nowhere(path: Path) -> None:
    with opened(path, index="minimal") as repo:
        repo.main().set("a", b"kept", message="m")
        value = CODEC.encode_contents([b"garbage"])[0]
        objects = Objects(contents={CODEC.digest(value): value})
        assert repo._opened.backend.write(objects)
        key = PackKey(Hash(CODEC.digest(value)), objects.words[Kind.CONTENTS][CODEC.digest(value)])
        assert repo.find_contents(key) == b"garbage"
        repo.gc()
        assert repo.find_contents(key) is None
        assert repo.main().get("a") == b"kept"


@pytest.mark.parametrize("index", ["always", "minimal"])
def test_a_commit_whose_parent_was_collected_meanwhile_is_refused(path: Path, index: str) -> None:
    """Unless whoever writes it knows that history is cut off there."""
    with opened(path, index=index) as repo:
        head = repo.main().set("a", b"x", message="m")
        assert head is not None
        data = CODEC.encode_commit(Commit(head.tree_hash, (Hash(bytes(32)),)))
        hash_ = CODEC.digest(data)
        backend = repo._opened.backend
        words: dict[bytes, int] = {head.tree_hash: repo.main().tree()._root.word}  # type: ignore[union-attr]
        reader = repo._opened.source.reader
        with pytest.raises(DanglingHash, match="a parent"):
            backend.write(
                Objects(commits={hash_: data}, words=words_of(Kind.NODE, dict(words)), reader=reader)
            )
        assert repo.find_commit(Hash(hash_)) is None
        assert backend.write(
            Objects(
                commits={hash_: data}, words=words_of(Kind.NODE, dict(words)), reader=reader, shallow=True
            )
        )
        assert repo.find_commit(Hash(hash_)) is not None
