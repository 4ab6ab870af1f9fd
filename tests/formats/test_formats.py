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
HEAD = "07eafa7d1a80e82ff388038072e95eba9f3c2ce03acc84a79ee68f17d22a71a2"
ROOT = "ab7bd2e33acd93badd3f6b0d7d26e2bd4b668e7b6e99f139b9db58378b09f900"


@pytest.mark.parametrize("index", ["always", "minimal"])
@pytest.mark.parametrize("name", ["pack-1", "pack-1-collected"])
def test_a_store_of_this_version_is_opened_for_ever(name: str, index: str, tmp_path: Path) -> None:
    """TC-153: stores that were made long ago, read only and for writing."""
    path = tmp_path / "store"
    shutil.copytree(HERE / name, path)
    (path / "index").mkdir(exist_ok=True)
    (path / "lost").mkdir(exist_ok=True)
    assert fsck(str(path), SCHEMA).ok
    with Repo.open(Pack(str(path), index=index), SCHEMA, readonly=True) as repo:
        assert repo.branches() == ["kept", "main", "side"]
        assert repo.main().head().hash.hex() == HEAD
        assert repo.main().tree().hash().hex() == ROOT
        log = [commit.info.message for commit in repo.main().log()]
        # One step back from each head was kept, and "name" is one step from the head of "side".
        messages = ["rename", "merge", "remove", "side", "name", "wide"]
        assert log == messages[: 5 if "collected" in name else 6]
        assert repo.main().get("name") == "second"
        assert repo.branch("kept").get("name") == "first"
        assert repo.main().get("wide/k99") == "value 99"
        assert repo.main().find("wide/k7") is None
        assert repo.main().tree().length("wide") == 99
    with Repo.open(Pack(str(path), index=index), SCHEMA) as repo:
        repo.main().set("name", "third", message="again")
        assert repo.main().get("name") == "third"
        assert repo.check(shallow=True).ok
    assert fsck(str(path), SCHEMA).ok


def test_the_script_makes_the_same_history(tmp_path: Path) -> None:
    make(tmp_path)
    with Repo.open(Pack(str(tmp_path / "pack-1")), SCHEMA) as repo:
        assert repo.main().head().hash.hex() == HEAD
