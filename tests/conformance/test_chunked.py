"""Stores in which almost every value lies in chunks (TC-121): the pack, with limits of some bytes instead of 1 MiB."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from irminpy import Repo
from irminpy.backend import Maker
from irminpy.testing import BackendSuite, StoreMachine, StoreSuite
from irminpy_pack import Pack
from irminpy_pack.fsck import fsck

QUICK = os.environ.get("IRMINPY_PROFILE", "quick") == "quick"
SMALL = {
    "irminpy_pack.large": {"LIMIT": 2, "MIN": 48, "MAX": 192},
    "irminpy_pack.writer": {"LIMIT": 3},  # of canonical bytes, one more than of the value
    "irminpy_pack.chunking": {"MIN": 48, "MAX": 192, "_NORMAL": 96},
}


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, names in SMALL.items():
            for name, value in names.items():
                patch.setattr(f"{module}.{name}", value)
        yield


class TestChunked(BackendSuite):
    @pytest.fixture
    def maker(self, tmp_path: Path) -> Maker:
        return Pack(str(tmp_path / "store"), durability="none")


if not QUICK:

    class TestStoresChunked(StoreSuite):
        increments = 50

        @pytest.fixture
        def maker(self, tmp_path: Path) -> Maker:
            return Pack(str(tmp_path / "store"), durability="none")


def test_random_writes_and_merges_agree_with_plain_values() -> None:
    """TC-121."""
    with tempfile.TemporaryDirectory() as folder:

        class Machine(StoreMachine):
            reopens = True
            made = 0

            def make(self) -> Maker:
                Machine.made += 1
                return Pack(f"{folder}/{Machine.made}", durability="none")

        run_state_machine_as_test(Machine, settings=settings(max_examples=3 if QUICK else 50))


def test_values_do_lie_in_chunks_and_share_them(tmp_path: Path) -> None:
    """TC-121."""
    maker = Pack(str(tmp_path / "store"))
    with Repo.open(maker) as repo:
        text = b"".join(b"%d " % (n * n) for n in range(2000))
        repo.main().set("a", text, message="a")
        before = maker.stats()
        repo.main().set("a", text[:5000] + b"!" + text[5000:], message="b")
        repo.main().set("abc", b"abc", message="c")
        assert repo.main().get("a") == text[:5000] + b"!" + text[5000:]
        assert repo.main().get("abc") == b"abc"
    after = maker.stats()
    assert before.chunks > 50
    assert after.kinds["X"].frames == 3
    assert after.kinds["B"].frames < after.chunks - 20  # those before the edit are shared
    assert fsck(maker.path, repo.schema, "graph").ok


def test_the_chunks_of_a_stream_are_not_cut_again(tmp_path: Path) -> None:
    """TC-121. Chunks of chunks could not be read: a chunk is looked for as an object of its own."""
    maker = Pack(str(tmp_path / "store"))
    with Repo.open(maker) as repo:
        text = b"".join(b"%d " % (n * n) for n in range(2000))
        repo.main().write_stream("a", io.BytesIO(text), message="a")
        assert repo.main().get("a") == text
    assert maker.stats().kinds["X"].frames == 1
