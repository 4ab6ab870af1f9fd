"""The index as the store keeps it: derived, never believed, made again whenever in doubt."""

from __future__ import annotations

import gc
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from irminpy import Hash
from irminpy.objects import Kind
from irminpy.testing.watching import PATIENCE
from irminpy_pack import index as index_
from irminpy_pack import writer
from irminpy_pack.backend import PackBackend
from irminpy_pack.environment import Environment
from irminpy_pack.files import Files
from irminpy_pack.fsck import fsck
from irminpy_pack.identity import Identity, Root
from irminpy_pack.index import Index
from irminpy_pack.lookup import Lookup

from .stores import SCHEMA, commits, last_segment, messages, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def all_found(path: Path, made: list[Hash], **how: object) -> None:
    with opened(path, **how) as repo:  # type: ignore[arg-type]
        for hash_ in made:
            commit = repo.commit(hash_)
            assert repo.at(hash_.hex()[:10]) is not None
            assert repo.find_key(commit.tree()) is not None


@pytest.mark.parametrize("index", ["always", "minimal"])
def test_an_index_that_was_deleted_is_made_again(path: Path, index: str) -> None:
    made = commits(path, *"abcdef", index=index, seal=512)
    for gone in (Path(Root(str(path)).index(1, index)), path / "index"):
        shutil.rmtree(gone)
        with opened(path, index=index, readonly=True) as repo:
            assert [repo.commit(hash_).hash for hash_ in made] == made
        with opened(path, index=index) as repo:
            assert [repo.at(hash_.hex()[:10]).head().hash for hash_ in made] == made
        assert fsck(str(path), SCHEMA).ok


@pytest.mark.parametrize("index", ["always", "minimal"])
def test_a_commit_that_is_made_again_is_the_same_wherever_the_index_has_it(path: Path, index: str) -> None:
    """Decision 068: only the tail is asked, so that it may be there twice afterwards."""
    made = commits(path, "a", "b", index=index)
    with opened(path, index=index) as repo:
        before, size = repo.main().head(), last_segment(path).stat().st_size
        once = repo.commit_tree(before.tree(), info=before.info, parents=before.parents)
        grown = last_segment(path).stat().st_size
        again = repo.commit_tree(before.tree(), info=before.info, parents=before.parents)
        assert (once, again) == (before, before)
        assert size < grown == last_segment(path).stat().st_size  # what is in the tail is not written again
        assert [repo.commit(hash_).hash for hash_ in made] == made
        assert [commit.hash for commit in repo.main().log()] == made[::-1]
    assert fsck(str(path), SCHEMA).ok
    if index == "always":
        all_found(path, made, index=index)


def test_each_strategy_keeps_its_own_index_and_a_store_changes_between_them(path: Path) -> None:
    """TC-154."""
    made = commits(path, "a", "b", index="minimal")
    made += commits(path, "c", index="always")
    made += commits(path, "d", index="minimal")
    for index in ("always", "minimal", "always"):
        with opened(path, index=index) as repo:
            assert [repo.commit(hash_).hash for hash_ in made] == made
            (found,) = repo._opened.backend.find_keys(Kind.NODE, [repo.main().tree().hash()])
            assert (found is not None) == (index == "always")
    assert sorted(entry.name for entry in (path / "index").iterdir()) == ["1-always", "1-minimal"]
    assert fsck(str(path), SCHEMA).ok


def test_an_old_index_is_brought_up_to_date(path: Path, tmp_path: Path) -> None:
    """An index restored from a backup beside a newer pack loses nothing."""
    made = commits(path, "a")
    shutil.copytree(path / "index", tmp_path / "old")
    made += commits(path, "b", "c")
    shutil.rmtree(path / "index")
    shutil.copytree(tmp_path / "old", path / "index")
    all_found(path, made)
    assert fsck(str(path), SCHEMA).ok


def test_an_index_of_another_store_is_set_aside(path: Path, tmp_path: Path) -> None:
    made = commits(path, "a", "b")
    other = tmp_path / "other"
    commits(other, "x", "y", "z")
    shutil.rmtree(path / "index")
    shutil.copytree(other / "index", path / "index")
    all_found(path, made)
    assert (path / "index" / "1-always.damaged").exists()


def test_a_damaged_index_never_makes_a_wrong_answer(path: Path) -> None:
    made = commits(path, *(str(i) for i in range(30)))
    data = path / "index" / "1-always" / "data.mdb"
    good = data.read_bytes()
    for at in range(0, len(good), 4801):
        bad = bytearray(good)
        bad[at] ^= 0x41
        data.write_bytes(bad)
        assert [finding.fault for finding in fsck(str(path), SCHEMA, "index").findings] in (["index"], [])
        with opened(path) as repo:
            assert messages(repo) == [str(i) for i in reversed(range(30))]
            assert [repo.commit(hash_).hash for hash_ in made] == made
        shutil.rmtree(path / "index")
        with opened(path):
            pass
        good = data.read_bytes()


def test_what_is_in_the_index_needs_no_tail(path: Path) -> None:
    commits(path, *"abc")
    with opened(path) as repo:
        backend = repo._opened.backend
        assert len(backend.state.lookup) == 0  # type: ignore[attr-defined]
        repo.main().set("k/d", b"d", message="d")
        assert len(backend.state.lookup) > 0  # type: ignore[attr-defined]
        assert messages(repo) == ["d", "c", "b", "a"]


def test_a_look_up_that_is_forgotten_while_an_index_is_opened_waits_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector of cycles may run in the middle of opening, with the lock of all environments held."""
    one, two = tmp_path / "one", tmp_path / "two"
    commits(one, "a")
    commits(two, "a")
    really = Environment._open_lmdb
    done: list[bool] = []

    def collecting(self: Environment) -> object:
        cycle: list[object] = [forgotten.pop()] if forgotten else []
        cycle.append(cycle)
        del cycle
        gc.collect()
        done.append(True)
        return really(self)

    root = Root(str(one))
    identity = Identity.read(Files(), root)
    index = Index.open(
        root.index(1, "always"), uuid=identity.uuid, generation=1, hash_size=32, readonly=True, files=Files()
    )
    forgotten = [Lookup("always", index, lambda lookup: None, 32)]
    del index
    monkeypatch.setattr(Environment, "_open_lmdb", collecting)
    worker = threading.Thread(target=lambda: opened(two).close(), daemon=True)
    worker.start()
    worker.join(PATIENCE)
    assert not worker.is_alive(), "opening waits for itself"
    assert done


def test_a_tail_that_could_not_be_indexed_keeps_what_comes_meanwhile() -> None:
    """Others go on writing while the index is filled, and the tail must not forget what they wrote."""
    lookup = Lookup("always", None, lambda _: None, 32)
    one, two, three = b"a" * 32, b"b" * 32, b"c" * 32
    lookup.add({Kind.CONTENTS: {one: 1, two: 2}})
    writing = lookup._tail
    lookup.turn()
    assert lookup.find_many(Kind.CONTENTS, [three, two, one]) == {one: 1, two: 2}
    now = lookup._tail
    assert now is not writing
    lookup.add({Kind.CONTENTS: {two: 9}})
    lookup.turned(done=False)
    assert lookup._tail is now  # which a thread that is adding to it holds
    lookup.add({Kind.NODE: {one: 7}})
    assert lookup.find_many(Kind.CONTENTS, [one, two, three]) == {one: 1, two: 9}
    assert (lookup.find(Kind.NODE, one), lookup.find(Kind.NODE, two), len(lookup)) == (7, 0, 3)
    turned = {kind: dict(words.items()) for kind, words in lookup.turn().items()}
    assert turned == {Kind.NODE: {one: 7}, Kind.CONTENTS: {one: 1, two: 9}, Kind.COMMIT: {}}


def test_contents_that_the_index_has_are_not_written_again(path: Path) -> None:
    with opened(path) as repo:
        repo.main().set("a", b"x" * 1000)
    size = last_segment(path).stat().st_size
    with opened(path) as repo:
        repo.main().set("b", b"x" * 1000)  # from LMDB
        repo.main().set("c", b"y" * 1000)
        repo.main().set("d", b"y" * 1000)  # from the tail
        assert [repo.main().get(key) for key in "abcd"] == [b"x" * 1000] * 2 + [b"y" * 1000] * 2
    assert 1000 < last_segment(path).stat().st_size - size < 2900
    assert fsck(str(path), SCHEMA).ok


def test_a_filter_before_the_index_leaves_out_what_is_new_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decision 090: contents of all of the store are still written once."""
    asked: list[bytes] = []
    find_many = Index.find_many

    def noting(self: Index, kind: int, hashes: Sequence[bytes]) -> list[int]:
        asked.extend(hashes)
        return find_many(self, kind, hashes)

    monkeypatch.setattr(Index, "find_many", noting)
    with opened(path) as repo:
        main = repo.main()
        main.set("a", b"a" * 1000)
    with opened(path) as repo:
        main = repo.main()
        for i in range(20):
            main.set(f"b/{i}", b"%d" % i * 500)
        backend = repo._opened.backend
        assert isinstance(backend, PackBackend)
        writer = backend._writer
        assert writer is not None
        assert asked
        writer.index()
        asked.clear()
        for i in range(20):
            main.set(f"c/{i}", b"%d" % i * 400)
        assert len(asked) < 10
        size = last_segment(path).stat().st_size
        main.set("d", b"a" * 1000)  # in the index when the store was opened
        main.set("e", b"7" * 500)  # since
        assert last_segment(path).stat().st_size - size < 1400
        lookup = backend.state.lookup
        assert lookup.places is not None
        lookup.mend(lookup.places)
        asked.clear()
        main.set("f", b"new")
        assert asked  # of another index nothing is known
        assert (main.get("d"), main.get("e"), main.get("c/3")) == (b"a" * 1000, b"7" * 500, b"3" * 400)
    assert fsck(str(path), SCHEMA).ok


def filled() -> None:
    """Wait until what is on its way into an index is there."""
    for thread in threading.enumerate():
        if thread.name == "irminpy-index":
            thread.join()


def test_an_index_that_is_filled_again_and_again_has_few_runs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_TAIL_ENTRIES", 4)
    monkeypatch.setattr(index_, "_JOINED", 1)  # each time a run of its own, until they are merged
    made: list[Hash] = []
    with opened(path) as repo:
        main = repo.main()
        for n in range(60):
            commit = main.set(f"a/{n}", b"%d" % n)
            assert commit is not None
            made.append(commit.hash)
            filled()
    index = index_of(path)
    assert 1 < index.runs <= index.count.bit_length()
    index.verify()
    index.close()
    all_found(path, made)
    assert fsck(str(path), SCHEMA, level="index").ok


def test_a_store_that_is_opened_and_closed_again_and_again_has_few_runs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing puts the tail into the index without merging, unless there are many runs by now."""
    monkeypatch.setattr(index_, "_JOINED", 1)
    monkeypatch.setattr(writer, "_RUNS", 3)
    seen: list[int] = []
    for n in range(12):
        commits(path, str(n))
        index = index_of(path)
        seen.append(index.runs)
        index.close()
    assert seen[:3] == [1, 2, 3]
    assert max(seen) <= 4
    assert fsck(str(path), SCHEMA, level="index").ok


def index_of(path: Path) -> Index:
    root = Root(str(path))
    return Index.open(
        root.index(1, "always"),
        uuid=Identity.read(Files(), root).uuid,
        generation=1,
        hash_size=32,
        readonly=True,
        files=Files(),
    )
