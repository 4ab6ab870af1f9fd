"""The walk over an index, in this process: these tests ask for hundreds, and another one takes long to start.

test_fsck.py, test_quarantine.py and tests/unit/test_pack_index.py have it in a process of its own.
"""

from __future__ import annotations

from typing import Any

import pytest

from irminpy_pack import walk
from irminpy_pack.damage import IndexDamaged

APART = {"test_fsck", "test_quarantine", "test_commands"}


def near(directory: str, *, uuid: bytes, generation: int, hash_size: int, still: bool = False) -> walk.Walk:
    """As `walk.walk`."""
    found: dict[str, Any] = walk.main(
        directory, uuid.hex(), str(generation), str(hash_size), "still" if still else ""
    )
    if "damage" in found:
        raise IndexDamaged(directory, found["damage"])
    return walk.Walk(**found)


@pytest.fixture(autouse=True)
def walked_near(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.module.__name__.rpartition(".")[2] not in APART:
        monkeypatch.setattr("irminpy_pack.fsck.indexed.walk", near)
