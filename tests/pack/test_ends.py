"""A history of which a part came: a pack knows where it ends, and what else is missing is still missing."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from irminpy import Repo, sync
from irminpy.cli import main as command
from irminpy.collecting import Keep
from irminpy.errors import DanglingHash
from irminpy.hash import Hash
from irminpy.objects import Kind, Objects
from irminpy.slice import Slice
from irminpy_mem import Memory
from irminpy_pack import Pack
from irminpy_pack.backend import PackBackend
from irminpy_pack.ends import end_name
from irminpy_pack.fsck import fsck
from irminpy_pack.identity import Root

from .stores import SCHEMA, commits, messages, opened

STRATEGIES = pytest.mark.parametrize("index", ["minimal", "always"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A store of six commits."""
    commits(tmp_path / "source", *"012345")
    return tmp_path / "source"


@pytest.fixture(autouse=True)
def no_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk over the index in a process of its own has its own tests, and takes a second each time."""
    monkeypatch.setattr("irminpy_pack.fsck.indexed.walk", lambda *_, **__: None)


def brought(source: Path, path: Path, depth: int | None, **how: object) -> None:
    """Pull main of `source` into the store at `path`."""
    with opened(source) as theirs, opened(path, index=how.get("index", "minimal")) as repo:
        sync.pull(repo.main(), theirs, "set", depth=depth)


def findings(path: Path) -> list[str]:
    return [finding.fault for finding in fsck(str(path), SCHEMA, "deep").findings]


@STRATEGIES
def test_a_pack_knows_where_the_history_that_came_ends(source: Path, tmp_path: Path, index: str) -> None:
    path = tmp_path / "copy"
    brought(source, path, 2, index=index)
    for _ in range(2):
        with opened(path, index=index) as repo:
            assert messages(repo) == ["5", "4", "3"]
            assert repo.check().ok
            assert repo.branches() == ["main"]
            (end,) = repo._opened.backend.shallow()  # type: ignore[attr-defined]  # a Pack is Shallow
            assert repo.find_commit(end) is None
    assert findings(path) == []


def test_another_handle_sees_the_end_and_no_branch_of_it(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    told: list[str] = []
    with opened(path) as reader:
        reader.main().set("mine", b"1", message="mine")
        stop = reader._opened.backend.watch(lambda change: told.append(change.name))
        with opened(source) as theirs, opened(path) as repo:
            sync.pull(repo.branch("dev"), theirs.main(), "set", depth=0)
        assert [commit.info.message for commit in reader.branch("dev").log()] == ["5"]
        assert reader.branches() == ["dev", "main"]
        assert reader.check().ok
        stop()
    assert set(told) <= {"dev", "main"}


def test_a_history_that_is_completed_ends_where_it_begins(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    brought(source, path, 1)
    with opened(source) as theirs, opened(path) as repo:
        sync.fetch(repo.main(), theirs, depth=3, deepen=True)
        assert messages(repo) == ["5", "4", "3", "2"]
        sync.fetch(repo.main(), theirs, deepen=True)
        assert messages(repo) == ["5", "4", "3", "2", "1", "0"]
        assert repo.check().ok
    assert findings(path) == []


def test_ends_outlive_tables_of_refs_and_segments(source: Path, tmp_path: Path) -> None:
    """Each segment begins with a table; HEAD and MANIFEST are rebuilt."""
    path = tmp_path / "copy"
    brought(source, path, 1)
    for i in range(40):
        with opened(path, seal=2048) as repo:
            repo.branch(f"branch-{i % 7}").set("a", b"%d" % i, message=str(i))
    assert len(list(Path(Root(str(path)).packs).iterdir())) > 3
    (path / "HEAD").unlink()
    (path / "MANIFEST").unlink()
    with opened(path) as repo:
        assert messages(repo) == ["5", "4"]
        assert len(repo.branches()) == 8
    assert findings(path) == []


@STRATEGIES
def test_collected_and_carried_the_history_ends_at_the_same_place(
    source: Path, tmp_path: Path, index: str
) -> None:
    path = tmp_path / "copy"
    brought(source, path, 2, index=index)
    file = io.BytesIO()
    Pack(str(path)).export_snapshot(file)
    file.seek(0)
    Pack(str(tmp_path / "third")).import_snapshot(file)
    with opened(path, index=index) as repo:
        done = repo._opened.backend.collect(Keep())  # type: ignore[attr-defined]  # a Pack is Collecting
        assert done.shallow == 1
        assert messages(repo) == ["5", "4", "3"]
        repo.main().set("later", b"1", message="later")
    for place in (path, tmp_path / "third"):
        assert findings(place) == []
        with opened(place, index=index) as repo:
            assert messages(repo)[-3:] == ["5", "4", "3"]
            assert repo.check().ok


def test_a_slice_of_a_part_of_a_history_is_imported_as_such(source: Path, tmp_path: Path) -> None:
    with opened(source) as theirs, opened(tmp_path / "copy") as repo:
        slice_ = theirs.export(depth=1)
        with pytest.raises(DanglingHash):
            repo.import_(slice_)
        assert repo.import_(slice_, shallow=True) > 0
        repo.branch("main").set_head(repo.commit(theirs.main().head().hash))
        assert messages(repo) == ["5", "4"]
    assert findings(tmp_path / "copy") == []


def test_a_store_that_is_known_anew_has_other_ends(source: Path, tmp_path: Path) -> None:
    """A power cut may take a batch with an end, and another may come: as many of them are not the same ones."""
    brought(source, tmp_path / "copy", 1)
    with opened(tmp_path / "copy") as repo:
        backend = repo._opened.backend
        assert isinstance(backend, PackBackend)
        (end,) = backend.shallow()
        other = Hash(bytes(32))
        assert end != other
        backend.state.ends = {end_name(other): (bytes(other), 0)}  # as `State.load` does
        assert backend.shallow() == {other}


def test_what_is_lost_is_no_end(source: Path, tmp_path: Path) -> None:
    """A commit without its parent, written by somebody who did not say that there is none, is told by each check."""
    with opened(source) as theirs, opened(tmp_path / "copy") as repo:
        head = theirs.main().head()
        brought_: Slice = theirs.export(depth=0)
        objects = brought_.objects
        backend = repo._opened.backend
        assert backend.write(Objects(objects.contents, objects.nodes, objects.commits))
        repo.main().set_head(repo.commit(head.hash))
        with pytest.raises(DanglingHash):
            messages(repo)
        assert [problem.fault for problem in repo.check().problems] == ["dangling"]
        assert backend.read(Kind.COMMIT, head.hash) is not None
    assert findings(tmp_path / "copy") == ["dangling"]


def test_traverse_shows_an_end_as_what_it_is(source: Path, tmp_path: Path) -> None:
    brought(source, tmp_path / "copy", 0)
    uri = f"pack:{tmp_path / 'copy'}"
    shown = CliRunner().invoke(command, ["--store", uri, "--json", "traverse"], catch_exceptions=False)
    with opened(source) as theirs:
        parent = theirs.main().head().parents[0].hex()
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [row["end"] for row in rows if "end" in row] == [parent]
    assert "\\u0000" not in shown.stdout
    stats = CliRunner().invoke(command, ["--store", uri, "--json", "stats"], catch_exceptions=False)
    assert json.loads(stats.stdout)["branches"] == 1


def test_a_memory_store_has_no_ends() -> None:
    """It is asked with `shallow`; what it has goes with the process."""
    with Repo.open(Memory(), SCHEMA) as source, Repo.open(Memory(), SCHEMA) as repo:
        for i in range(3):
            source.main().set("a", b"%d" % i, message=str(i))
        sync.pull(repo.main(), source, "set", depth=1)
        assert len(list(repo.main().log(shallow=True))) == 2
        with pytest.raises(DanglingHash):
            messages(repo)
