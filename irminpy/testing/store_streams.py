"""What stores owe for contents as files, with `Streams` in the backend or without. `StoreSuite` has all."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest

from ..backend import Maker
from ..errors import Closed, DecodeError, NotFound, ReadOnly
from ..repo import Repo
from ..schema import Schema
from ..tree import Tree
from .store_fixtures import Repos, StoreFixtures, Stores, made

__all__ = ["StreamSuite"]

_MIB = 1 << 20


def _noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


class _Breaking:
    """A file that fails before its end."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int, /) -> bytes:
        if self._left <= 0:
            raise OSError("the cable is out")
        self._left -= size
        return bytes(size)


class StreamSuite(StoreFixtures):
    """Contents that are written from files and read as files."""

    @pytest.mark.parametrize("size", [0, 1, _MIB - 1, _MIB, _MIB + 1, 2 * _MIB + 3, 5 * _MIB])
    def test_what_a_file_gave_is_bound_as_if_it_had_been_set(
        self, main: Stores, schema: Schema[bytes, Any], size: int
    ) -> None:
        """A stream and a value are the same contents: one hash, however they were written."""
        value = _noise(size)
        head = made(main.write_stream("a/b", io.BytesIO(value), message="from a file"))
        assert head.info.message == "from a file"
        assert main.head() == head
        assert main.tree() == Tree.singleton("a/b", value, schema)
        assert main.get("a/b") == value
        with main.open_stream("a/b") as file:
            assert file.read() == value

    def test_what_was_set_is_read_as_a_file_anywhere(self, main: Stores) -> None:
        """`seek` leads anywhere, also beyond the end."""
        value = _noise(3 * _MIB)
        main.set("a", value)
        with main.open_stream("a") as file:
            assert file.seekable()
            assert not file.writable()
            rng = random.Random(3)
            for _ in range(20):
                start, size = rng.randrange(len(value) + 9), rng.randrange(300_000)
                assert file.seek(start) == start
                assert file.read(size) == value[start : start + size]

    def test_a_tree_that_is_not_saved_is_read_as_files_too(self, main: Stores) -> None:
        """What a tree holds in memory, and what it took from the store."""
        main.write_stream("a", io.BytesIO(b"1" * 2 * _MIB))
        tree = main.tree().add("b", b"22")
        for _ in range(2):
            assert tree.open_stream("a").read() == b"1" * 2 * _MIB
            assert tree.open_stream("b").read() == b"22"
            assert tree.hash()  # the second time round all is settled

    def test_the_same_bytes_again_make_no_commit(self, main: Stores) -> None:
        """In either way."""
        value = _noise(2 * _MIB)
        main.write_stream("a", io.BytesIO(value))
        assert main.write_stream("a", io.BytesIO(value)) is None
        assert main.set("a", value) is None

    def test_a_stream_shows_the_version_that_it_was_opened_on(self, main: Stores) -> None:
        """Later writes and removals do not show."""
        value = _noise(2 * _MIB)
        main.write_stream("a", io.BytesIO(value))
        with main.open_stream("a") as file:
            start = file.read(10)
            main.write_stream("a", io.BytesIO(b"else" * _MIB))
            main.remove("a")
            assert start + file.read() == value
        with pytest.raises(NotFound):
            main.open_stream("a")

    def test_a_file_that_fails_binds_nothing(self, main: Stores) -> None:
        """Its error goes through."""
        before = main.set("a", b"1")
        with pytest.raises(OSError, match="cable"):
            main.write_stream("a", _Breaking(4 * _MIB))
        assert main.find_head() == before
        assert main.get("a") == b"1"

    def test_only_contents_are_opened(self, main: Stores) -> None:
        """NotFound for a directory, for nothing, and below contents."""
        main.set("a/b", b"1")
        for path in ("a", "x", "a/b/c", ()):
            with pytest.raises(NotFound):
                main.open_stream(path)

    def test_what_is_no_binary_file_is_refused(self, main: Stores) -> None:
        """TypeError for bytes and for text, DecodeError for the root path."""
        wrong: Any
        for wrong in (b"bytes", io.StringIO("text")):
            with pytest.raises(TypeError):
                main.write_stream("a", wrong)
        with pytest.raises(DecodeError):
            main.write_stream("", io.BytesIO(b"1"))
        assert main.find_head() is None

    def test_a_closed_repository_streams_nothing(self, repo: Repos, main: Stores) -> None:
        """In neither direction."""
        main.write_stream("a", io.BytesIO(b"1"))
        repo.close()
        with pytest.raises(Closed):
            main.write_stream("b", io.BytesIO(b"2"))
        with pytest.raises(Closed):
            main.open_stream("a")

    def test_a_read_only_store_streams_out_and_not_in(self, maker: Maker, schema: Schema[bytes, Any]) -> None:
        """ReadOnly for what would write."""
        if not self.reopens:
            return
        value = _noise(2 * _MIB)
        with Repo.open(maker, schema) as repo:
            repo.main().write_stream("a", io.BytesIO(value))
            with Repo.open(maker, schema, readonly=True, create=False) as reading:
                assert reading.main().open_stream("a").read() == value
                with pytest.raises(ReadOnly):
                    reading.main().write_stream("b", io.BytesIO(value))
