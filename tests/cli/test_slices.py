"""The commands export and import, with slices in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import Command


@pytest.fixture
def irminpy() -> Command:
    found = Command()
    found("set", "a/b", "1", "-m", "first")
    found("set", "a/b", "2", "-m", "second")
    found("branch", "dev", "main~1")
    return found


def test_a_history_goes_through_a_file_or_a_pipe(irminpy: Command, tmp_path: Path) -> None:
    file = str(tmp_path / "slice")
    head = irminpy("snapshot")
    assert "8 objects" in irminpy.run("export", "-o", file)[1]
    (told,) = irminpy.json("export", "main", "-o", file, "--yes")
    assert (told["objects"], told["heads"]) == (8, [head.strip()])
    other = Command()
    assert other("import", file) == f"main  {head[:10]}\n"
    assert other("snapshot") == head
    assert other("get", "main~1:a/b") == "1"
    (again,) = other.json("import", "-", input=irminpy.raw("export"))
    assert again == {"objects": 0, "branches": {"main": head.strip()}}
    other("import", file, "--prefix", "theirs/")
    assert other("get", "theirs/main:a/b") == "2"
    other("import", "-", "--only", "dev", input=irminpy.raw("export", "dev"))
    assert other("get", "dev:a/b") == "1"


def test_an_import_moves_branches_forward_unless_it_is_forced(irminpy: Command, tmp_path: Path) -> None:
    file = str(tmp_path / "slice")
    irminpy("export", "-o", file)
    other = Command()
    other("set", "c", "3")
    assert "REJECTED" not in other.error("import", file, status=4)
    assert other("get", "c") == "3"
    other("import", file, "--force")
    assert other("get", "a/b") == "2"
    assert "the slice has no branch 'x'" in other.error("import", file, "--only", "x", status=2)
    assert "no dry run" in other.error("import", file, "--dry-run", status=2)


def test_a_part_of_a_history_needs_the_rest(irminpy: Command, tmp_path: Path) -> None:
    file = str(tmp_path / "slice")
    irminpy("export", "--since", "main~1", "-o", file)
    other = Command()
    other.error("import", file, status=5)
    other("import", "-", input=irminpy.raw("export", "main~1", "--depth", "0"))
    assert other("import", file).startswith("main  ")
    third = Command()
    irminpy("export", "main", "--depth", "0", "-o", file, "--yes")
    third.error("import", file, status=5)
    third("import", file, "--shallow")
    assert third("get", "a/b") == "2"


def test_what_is_no_slice_is_refused(irminpy: Command, tmp_path: Path) -> None:
    file = tmp_path / "slice"
    irminpy("export", "-o", str(file))
    file.write_bytes(file.read_bytes()[:-1])
    other = Command()
    other.error("import", str(file), status=5)
    assert other("branch") == ""
