"""Mapped pages are given back as the caches turn, so that reading a large store takes little memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from irminpy import Repo, Schema
from irminpy.backend import Releasing
from irminpy.cache import Cache
from irminpy.testing.model import bindings_of
from irminpy.tree.counters import Counters
from irminpy.tree.lazy import RepoSource
from irminpy_pack import Pack
from irminpy_pack.segment import Segment


def test_a_cache_says_when_it_turns() -> None:
    turns: list[int] = []
    cache: Cache[int, bytes] = Cache(20, weigh=len, turned=lambda: turns.append(len(cache)))
    for i in range(10):
        cache.add(i, b"12345")
    assert len(turns) == 4
    assert cache.find(9) == b"12345"


def test_pages_are_given_back_as_the_cache_turns_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maps go on to be read, also by the sources that gave their pages back."""
    given: list[str] = []
    release = Segment.release

    def noted(segment: Segment) -> None:
        assert segment.map is not None
        given.append(segment.path)
        release(segment)

    monkeypatch.setattr(Segment, "release", noted)
    model = {(f"d{i % 40}", f"k{i}"): b"%d" % i * 50 for i in range(2_000)}
    with Repo.open(Pack(str(tmp_path / "store"), durability="none")) as repo, repo.main().edit() as editor:
        for path, contents in model.items():
            editor[path] = contents
    with Repo.open(Pack(str(tmp_path / "store"))) as repo:
        reader = repo.home.source().reader
        assert isinstance(reader, Releasing)
        source = RepoSource(Schema().codec, reader, Counters(), 20)
        tree = repo.main().tree()
        for path in model:
            tree.find(path, cache=False)
        assert not given
        monkeypatch.setattr(repo.home, "repo", source)
        assert bindings_of(repo.main().tree()) == model
        assert len(given) > 2
        reader.release()
        assert bindings_of(repo.main().tree()) == model
