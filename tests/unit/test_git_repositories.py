"""Repositories of three kinds, whole; `python -m tests.bench.repositories` does the same at their full size."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.repositories import Found, examine, mirror
from tests.git_repositories import git, make, odd

pytestmark = pytest.mark.needs("git")


def counted(found: Found, at: Path) -> None:
    assert found.ok, found
    listed = git(at, "cat-file", "--batch-check", "--batch-all-objects").splitlines()
    assert sum(found.objects.values()) == len(listed)


def test_odd_objects_are_all_their_own_bytes_again(tmp_path: Path) -> None:
    """G13: tags, signatures, encodings, names and messages that are no text, links, merges of eight."""
    at = odd(tmp_path)
    found = examine(at)
    counted(found, at)
    assert found.objects == {"blob": 3, "commit": 10, "tag": 4, "tree": 64}
    assert found.walked == 10


def test_a_mirror_of_a_project_is_all_its_own_bytes_again(tmp_path: Path) -> None:
    at = mirror(make(tmp_path, "project", 4), tmp_path / "mirror.git")
    found = examine(at)
    counted(found, at)
    assert found.walked == found.objects["commit"] > 50
