"""Slices without what the receiver has, into packs: with the strategy minimal nothing but a bound leads there."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import irminpy
from irminpy import Commit, Repo
from irminpy.errors import DanglingHash
from irminpy.slice import Slice
from irminpy.slice_files import read_slice, write_slice

INDEXES = ("minimal", "always")
Store = Repo[Any, Any]


@pytest.fixture
def source() -> Iterator[Store]:
    """Three commits on main: a large directory, without it, with it again and one change more."""
    with irminpy.open("mem:", author="ann", clock=lambda: 0) as repo:
        main = repo.main()
        with main.edit("", message="large") as tree:
            for i in range(200):
                tree[f"old/{i % 7}/{i}"] = b"%d" % i
        old = main.get_tree("old")
        main.remove("old", message="without")
        with main.edit("", message="again") as tree:
            tree.add_tree("old", old)
            tree["old/3/new"] = b"new"
        yield repo


def line(repo: Store) -> list[Commit[Any, Any]]:
    return [*repo.main().log()][::-1]


def taken_in(copy: Store, slice_: Slice, how: str) -> int:
    if how == "value":
        return copy.import_(slice_)
    return read_slice(copy, io.BytesIO(slice_.to_bytes())).objects


@pytest.mark.parametrize("how", ["value", "file"])
@pytest.mark.parametrize("index", INDEXES)
def test_an_old_version_that_is_a_bound_is_enough(
    source: Store, tmp_path: Path, index: str, how: str
) -> None:
    """GR-09, GR-11: the bound need not be a parent of what comes."""
    one, two, three = line(source)
    slice_ = source.export(max=[three], min=[one], depth=0)
    assert len(slice_.objects.contents) == 1
    with irminpy.open(f"pack:{tmp_path / 'copy'}?index={index}") as copy:
        copy.import_(source.export(max=[two]))
        assert 1 < taken_in(copy, slice_, how) <= len(slice_)
        copy.main().set_head(copy.commit(three.hash))
        assert copy.check().ok
        assert copy.main().tree() == source.main().tree()


@pytest.mark.parametrize("how", ["value", "file"])
@pytest.mark.parametrize("index", INDEXES)
def test_what_a_bound_holds_must_be_there_and_the_bound_is_named(
    source: Store, tmp_path: Path, index: str, how: str
) -> None:
    one, two, three = line(source)
    slice_ = source.export(max=[three], min=[one], depth=0)
    with irminpy.open(f"pack:{tmp_path / 'copy'}?index={index}") as copy:
        copy.import_(source.export(max=[two], depth=0), shallow=True)
        with pytest.raises(DanglingHash) as caught:
            taken_in(copy, slice_, how)
        assert caught.value.hash == one.hash
        assert "bound" in str(caught.value)
        assert copy.find_commit(three.hash) is None


@pytest.mark.parametrize("index", INDEXES)
def test_a_store_is_brought_up_to_date_by_files_of_what_is_new(
    source: Store, tmp_path: Path, index: str
) -> None:
    """An export every day, each since the last one."""
    before: list[Commit[Any, Any]] = []
    with irminpy.open(f"pack:{tmp_path / 'copy'}?index={index}") as copy:
        for day in range(3):
            with source.main().edit("", message=f"day {day}") as tree:
                tree[f"old/{day}/{day}"] = b"day %d" % day
            file = io.BytesIO()
            head = source.main().head()
            write_slice(source, file, max=[head], min=before, branches=["main"])
            assert Slice.from_bytes(file.getvalue(), source.schema).bounds == {one.hash for one in before}
            file.seek(0)
            read_slice(copy, file)
            before = [head]
        copy.main().set_head(copy.commit(head.hash))
        assert copy.check().ok
        assert [commit.hash for commit in copy.main().log()] == [c.hash for c in source.main().log()]
