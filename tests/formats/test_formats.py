"""Stores of every format version that there was are opened, read, written to and found in order."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from irminpy import Repo
from irminpy_pack import Pack
from irminpy_pack.fsck import fsck

from .make import SCHEMA, make

HERE = Path(__file__).resolve().parent
HEADS = {
    1: "07eafa7d1a80e82ff388038072e95eba9f3c2ce03acc84a79ee68f17d22a71a2",
    2: "952675d4bb9448502452016e78b0fb57e16b7bcd52b9c1e26dd01d6b3d47e29d",
}
ROOTS = {
    1: "ab7bd2e33acd93badd3f6b0d7d26e2bd4b668e7b6e99f139b9db58378b09f900",
    2: "73eacccc366437f32fbf2daf9a93cb9a4950aad3d3388229df530330bb8a731d",
}


@pytest.mark.parametrize("index", ["always", "minimal"])
@pytest.mark.parametrize("name", ["pack-1", "pack-1-collected", "pack-2", "pack-2-collected"])
def test_a_store_of_this_version_is_opened_for_ever(name: str, index: str, tmp_path: Path) -> None:
    """TC-153: stores that were made long ago, read only and for writing."""
    path = tmp_path / "store"
    version = int(name.split("-")[1])
    shutil.copytree(HERE / name, path)
    (path / "index").mkdir(exist_ok=True)
    (path / "lost").mkdir(exist_ok=True)
    assert fsck(str(path), SCHEMA).ok
    with Repo.open(Pack(str(path), index=index), SCHEMA, readonly=True) as repo:
        assert repo.branches() == ["kept", "main", "side"]
        assert repo.main().head().hash.hex() == HEADS[version]
        assert repo.main().tree().hash().hex() == ROOTS[version]
        log = [commit.info.message for commit in repo.main().log()]
        # One step back from each head was kept, and "name" is one step from the head of "side", "remove" from "kept".
        messages = ["rename", "merge", "remove", "side", "name", "wide"]
        changes = ["change 2", "change 1", "change 0"] if version > 1 else []
        kept = messages[:5] if version == 1 else changes[:2]
        assert log == (kept if "collected" in name else changes + messages)
        assert repo.main().get("name") == "second"
        assert repo.branch("kept").get("name") == "first"
        assert repo.main().get("wide/k99") == "value 99"
        assert repo.main().find("wide/k7") is None
        assert repo.main().get("wide/k5") == ("value 5" if version == 1 else "changed 2")
        assert repo.main().tree().length("wide") == 99
    with Repo.open(Pack(str(path), index=index), SCHEMA) as repo:
        repo.main().set("name", "third", message="again")
        assert repo.main().get("name") == "third"
        assert repo.check(shallow=True).ok
    report = fsck(str(path), SCHEMA)
    assert report.ok
    # Programs that know nothing of differences go on with their store.
    assert ("D" in report.frames) == (version > 1)


def test_the_script_makes_the_same_history(tmp_path: Path) -> None:
    make(tmp_path)
    with Repo.open(Pack(str(tmp_path / "pack-2")), SCHEMA) as repo:
        assert repo.main().head().hash.hex() == HEADS[2]
