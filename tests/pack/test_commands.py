"""The commands that take care of a pack: in process, and once as a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from irminpy import Repo
from irminpy.cli import main as command
from irminpy.contents import Own, String
from irminpy.schema import Schema
from irminpy_mem import Memory
from irminpy_pack import Pack
from irminpy_pack.fsck import fsck

from .stores import SCHEMA, commits, last_segment, opened
from .test_upkeep import flip

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(autouse=True)
def no_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk over an index in a process of its own has its own tests, and takes a second each time."""
    monkeypatch.setattr("irminpy_pack.fsck.indexed.walk", lambda *_, **__: None)
    monkeypatch.setattr("irminpy_pack.reindex.walk", lambda *_, **__: None)


def run(path: Path | str, *words: str, status: int = 0, **how: Any) -> Any:
    done = CliRunner().invoke(command, ["--store", f"pack:{path}", *words], **how)
    assert done.exit_code == status, done.output
    return done


def told(path: Path | str, *words: str, status: int = 0) -> list[dict[str, Any]]:
    done = run(path, "--json", *words, status=status)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_index_is_rebuilt(path: Path) -> None:
    commits(path, *"abc")
    shutil.rmtree(path / "index")
    (record,) = told(path, "index", "rebuild")
    assert record["entries"] > 6
    assert record["reason"] == "there is none"
    assert "entries in" in run(path, "index", "rebuild").stdout
    (record,) = told(f"{path}?index=minimal", "index", "rebuild")
    assert (record["strategy"], record["entries"]) == ("minimal", 3)


def test_statistics_are_shown(path: Path) -> None:
    commits(path, *"abc")
    (record,) = told(path, "stats")
    assert (record["commits"], record["branches"], record["garbage"]) == (3, 1, None)
    assert told(path, "stats", "--garbage")[0]["garbage"]["freed"] == 0
    assert "3 commits" in run(path, "stats").stdout


def test_every_frame_is_a_line(path: Path) -> None:
    commits(path, "a", "b")
    rows = told(path, "traverse")
    assert [row["kind"] for row in rows].count("C") == 2
    assert len(run(path, "traverse").stdout.splitlines()) == len(rows)


def test_damage_is_quarantined_and_what_is_derived_repaired(path: Path, tmp_path: Path) -> None:
    commits(path, *"abc")
    (path / "HEAD").unlink()
    assert told(path, "fsck", status=1)[0]["findings"][0]["heals"] is True
    (mended,) = told(path, "fsck", "--repair")
    assert mended["ok"]
    row = next(row for row in told(path, "traverse") if row["kind"] == "B")
    flip(last_segment(path), row["at"] + row["bytes"] - 8)
    aside = tmp_path / "aside"
    salvaged, mended = told(path, "fsck", "--quarantine", str(aside), "--repair", status=5)
    assert salvaged["directory"] == str(aside)
    assert salvaged["branches"][0]["paths"] == ["k/a"]
    assert mended["status"] == 5
    done = run(path, "fsck", "--quarantine", str(aside), status=7)  # it is not empty
    assert "choose a new directory" in done.stderr
    assert len(done.stderr.splitlines()) == 3
    text = run(path, "fsck", "--level", "graph", "--quarantine", str(tmp_path / "other"), status=5).stdout
    assert "cannot be read: k/a" in text


def test_a_snapshot_goes_to_a_file_and_into_a_new_store(path: Path, tmp_path: Path) -> None:
    made = commits(path, *"abc")
    file, copy = tmp_path / "all.slice", tmp_path / "copy"
    (record,) = told(path, "snapshot", "export", "-o", str(file))
    assert (record["commits"], record["bytes"]) == (3, file.stat().st_size)
    (record,) = told(f"{copy}?index=minimal", "snapshot", "import", str(file))
    assert record["branches"] == ["main"]
    with opened(copy, index="minimal", readonly=True) as repo:
        assert repo.main().head().hash == made[2]
    assert "something else is there" in run(copy, "snapshot", "import", str(file), status=3).stderr
    asked = run(path, "snapshot", "export", "main~1", "-o", str(file), status=1, input="n\n")
    assert "Write over it?" in asked.output
    run(path, "snapshot", "export", "main~1", "-o", str(file), "--yes")
    run(tmp_path / "one", "snapshot", "import", str(file))
    with opened(tmp_path / "one", readonly=True) as repo:
        assert [commit.hash for commit in repo.main().log()] == [made[1]]
    file.write_bytes(file.read_bytes()[:-1])
    done = run(tmp_path / "two", "snapshot", "import", str(file), status=5)
    assert "ends too early" in done.stderr
    assert not (tmp_path / "two").exists()
    assert (
        "no such file" in run(tmp_path / "two", "snapshot", "import", str(tmp_path / "no"), status=3).stderr
    )
    assert sorted(one.name for one in tmp_path.iterdir()) == ["all.slice", "copy", "one", "store"]


def test_an_export_that_fails_leaves_the_old_file(path: Path, tmp_path: Path) -> None:
    commits(path, "a")
    file = tmp_path / "all.slice"
    file.write_bytes(b"old")
    row = next(row for row in told(path, "traverse") if row["kind"] == "B")
    flip(last_segment(path), row["at"] + row["bytes"] - 8)
    run(path, "snapshot", "export", "-o", str(file), "--yes", status=5)
    assert file.read_bytes() == b"old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["all.slice", "store"]


def test_the_commands_open_the_recorded_schema(path: Path, tmp_path: Path) -> None:
    """Decision 038."""
    schema = Schema(String())
    with Repo.open(Pack(str(path)), schema) as repo:
        for n in range(3):
            repo.main().set("x", str(n), message="x")
    assert told(path, "fsck")[0]["ok"]
    assert told(path, "stats")[0]["schema"] == schema.describe()
    assert told(path, "gc", "--depth", "0", "--yes")[0]["commits"] == 1
    file = tmp_path / "file"
    run(path, "snapshot", "export", "main", "-o", str(file))
    done = run(tmp_path / "copy", "snapshot", "import", str(file), status=7)
    assert "schema mismatch" in done.stderr
    run(tmp_path / "copy", "snapshot", "import", str(file), "--schema", schema.describe())
    with Repo.open(Pack(str(tmp_path / "copy")), schema, readonly=True) as repo:
        assert repo.main().get("x") == "2"


def test_contents_that_are_not_built_in_do_not_stand_in_the_way(path: Path) -> None:
    own: Own[int] = Own("number/1", lambda value: b"%d" % value, int, lambda old, ours, theirs: ours)
    with Repo.open(Pack(str(path)), Schema(own)) as repo:
        for n in range(3):
            repo.main().set("n", n, message=str(n))
    assert told(path, "fsck")[0]["ok"]
    assert told(path, "gc", "--depth", "0", "--yes")[0]["commits"] == 1
    with Repo.open(Pack(str(path)), Schema(own), readonly=True) as repo:
        assert repo.main().get("n") == 2


def test_other_backends_say_that_they_cannot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("irminpy.cli.place.maker_of_uri", lambda _: Memory())
    for words in (
        ["stats"],
        ["traverse"],
        ["index", "rebuild"],
        ["snapshot", "export"],
        ["snapshot", "import", "-"],
        ["fsck", "--quarantine", str(tmp_path / "q")],
        ["fsck", "--repair"],
    ):
        done = run(tmp_path, *words, status=7)
        assert "a store of Memory has no" in done.stderr
        assert len(done.stderr.splitlines()) == 3


def test_the_program_pipes_a_snapshot(path: Path, tmp_path: Path) -> None:
    commits(path, *"ab")
    code = "from irminpy.cli import main; main(prog_name='irminpy')"
    roots = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")])}

    def program(store: Path, *words: str, data: bytes = b"") -> bytes:
        done = subprocess.run(
            [sys.executable, "-c", code, "--store", f"pack:{store}", *words],
            env=roots,
            input=data,
            capture_output=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    data = program(path, "snapshot", "export")
    assert b"branches: main" in program(tmp_path / "copy", "snapshot", "import", "-", data=data)
    assert fsck(str(tmp_path / "copy"), SCHEMA, "graph").ok
