"""Remotes: names of irmin.yml, directories and URIs; and --verify, which believes a server nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import irminpy
from irminpy.cli import main
from irminpy.cli.config import found
from irminpy.cli.remotes import of_directory
from irminpy.server import background
from irminpy_git import Git
from tests.git_repositories import git


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, without what the user has set."""
    monkeypatch.chdir(tmp_path)
    for name in ("IRMINPY_STORE", "IRMINPY_AUTHOR", "IRMINPY_DATE", "IRMINPY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return tmp_path


def run(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(main, list(words), prog_name="irminpy")
    assert done.exit_code == status, done.output
    return done.output


def test_a_remote_is_added_listed_used_and_forgotten(here: Path) -> None:
    """CL-07 to CL-10 and CL-21: by a name of irmin.yml."""
    run("init", "pack:theirs")
    run("set", "a", "1")
    (here / "irmin.yml").unlink()
    run("init", "pack:mine")
    assert run("remote", "list") == ""
    assert run("remote", "add", "origin", "pack:./theirs") == "origin  pack:./theirs\n"
    assert (here / "irmin.yml").read_text(
        encoding="utf-8"
    ) == "store: pack:mine\nremote.origin: pack:./theirs\n"
    run("pull")  # origin
    assert run("get", "a") == "1"
    run("set", "b", "2")
    assert "main of the remote" in run("push", "origin")
    assert run("--store", "pack:theirs", "get", "b") == "2"
    assert "main of the remote is" in run("fetch", "origin")
    run("clone", "origin", "pack:third")
    assert run("--store", "pack:third", "get", "b") == "2"
    run("remote", "add", "backup", "https://host.example/ledger.git")
    listed = [json.loads(line) for line in run("--json", "remote", "list").splitlines()]
    assert [one["name"] for one in listed] == ["backup", "origin"]
    assert listed[1]["uri"] == f"pack:{here / 'theirs'}"
    assert run("remote") == run("remote", "list")
    assert run("-z", "remote", "list") == "backup\0origin\0"
    assert "did you mean 'origin'?" in run("fetch", "orign", status=3)
    run("remote", "rm", "origin")
    assert "no remote is called 'origin'" in run("pull", status=3)
    assert "no remote is called 'origin'" in run("remote", "rm", "origin", status=3)
    assert "remote.origin" not in (here / "irmin.yml").read_text(encoding="utf-8")


def test_a_name_stands_for_one_remote_until_it_is_forced_to_another(here: Path) -> None:
    run("remote", "add", "origin", "pack:one")
    run("remote", "add", "origin", "pack:one")
    assert "stands for pack:one already" in run("remote", "add", "origin", "pack:two", status=4)
    run("remote", "add", "origin", "pack:two", "--force")
    assert found().remotes == {"origin": f"pack:{here / 'two'}"}
    assert "is no name of a remote" in run("remote", "add", "a:b", "pack:two", status=2)
    assert "is no remote" in run("remote", "add", "x", "nowhere", status=2)


def test_a_relative_path_is_meant_from_where_it_was_typed(here: Path) -> None:
    """The file lies above: the path in it must lead to the same place."""
    (here / "irmin.yml").write_text("store: pack:mine\n", encoding="utf-8")
    (here / "below").mkdir()
    run("-C", "below", "remote", "add", "origin", "pack:./theirs")
    (here / "irmin.yml").rename(here / "kept.yml")
    assert found(str(here / "kept.yml")).remotes == {"origin": f"pack:{here / 'below' / 'theirs'}"}


def test_a_directory_is_a_remote_of_the_kind_that_lies_in_it(here: Path) -> None:
    """CL-21."""
    git(here, "init", "-q", "work")
    git(here, "init", "-q", "--bare", "bare")
    run("init", "pack:pack")
    (here / "irmin").mkdir()
    (here / "irmin" / "store.dict").touch()
    for name, scheme in (("work", "git"), ("bare", "git"), ("pack", "pack"), ("irmin", "irmin-pack")):
        assert of_directory(name) == f"{scheme}:{name}"
    (here / "fs").mkdir()
    assert of_directory("fs") == "irmin-fs:fs"
    with irminpy.Repo.open(Git(str(here / "work"))) as repo:
        repo.main().set("a", b"1")
    run("clone", "work", "git:copy")
    assert run("--store", "git:copy", "get", "a") == "1"
    run("remote", "add", "other", "work")
    assert found().remotes["other"] == f"git:{here / 'work'}"


def test_what_a_server_shows_is_believed_only_below_the_trusted_hash() -> None:
    """`--verify ROOT`: the commit or its root; a branch that has gone on is not what was trusted."""
    with irminpy.open("mem:") as store, background(store) as url:
        store.main().set("a/b", b"1", message="first")
        first = store.main().head()
        served = ("--store", url)
        commit, root = first.hash.hex(), first.tree_hash.hex()
        for trusted in (commit, root):
            assert run(*served, "get", "a/b", "--verify", trusted) == "1"
            assert run(*served, "ls", "--verify", trusted) == "a/\n"
            assert run(*served, "find", "**/b", "--verify", trusted) == "a/b\n"
            assert "first" in run(*served, "log", "--verify", trusted)
        store.main().set("a/b", b"2", message="second")
        assert run(*served, "get", "a/b") == "2"
        assert run(*served, "get", "a/b", "--verify", commit) == "1"  # that commit, wherever the branch is
        assert "path not found: x" in run(*served, "get", "x", "--verify", commit, status=3)
        for words in (
            ("get", "a/b", "--verify", root),
            ("get", "main:a/b", "--verify", commit),
            ("log", "main", "--verify", commit),
        ):
            assert "REFUSED" in run(*served, *words, status=1)
        assert "irminpy: REFUSED" in run(*served, "-b", "main", "get", "a/b", "--verify", commit, status=1)
        assert "InvalidHash" not in run(*served, "get", "a/b", "--verify", "xyz", status=2)
    run("init", "pack:here")
    assert "is read here" in run("get", "a", "--verify", commit, status=2)


def test_a_merge_of_a_pull_is_by_whoever_pulls(monkeypatch: pytest.MonkeyPatch) -> None:
    """CL-09: as other commits."""
    run("init", "pack:theirs")
    run("set", "a", "1")
    run("clone", "theirs", "pack:mine")
    run("set", "b", "2")
    monkeypatch.setenv("IRMINPY_AUTHOR", "ann")
    run("--store", "pack:mine", "set", "c", "3")
    run("--store", "pack:mine", "pull", "theirs")
    (merge,) = [
        json.loads(line) for line in run("--store", "pack:mine", "--json", "log", "-n", "1").splitlines()
    ]
    assert (merge["author"], len(merge["parents"])) == ("ann", 2)


def test_a_push_can_be_tried_without_sending_anything(here: Path) -> None:
    mine, theirs = f"pack:{here / 'mine'}", f"pack:{here / 'theirs'}"
    for uri in (mine, theirs):
        run("--store", uri, "init")
    run("--store", mine, "set", "a", "1")
    assert "would move: nothing -> " in run("--store", mine, "push", "-n", theirs)
    run("--store", theirs, "get", "a", status=3)
    run("--store", mine, "push", theirs)
    run("--store", theirs, "set", "b", "1")
    before = run("--store", theirs, "snapshot")
    run("--store", mine, "set", "c", "1")
    run("--store", mine, "push", "--dry-run", theirs, status=4)  # as it would be refused
    assert "would move" in run("--store", mine, "push", "--dry-run", "--force", theirs)
    assert run("--store", theirs, "snapshot") == before


def test_a_pull_that_takes_over_asks_and_can_be_tried(here: Path) -> None:
    """What only the branch here led to would be gone with the next collection."""
    mine, theirs = f"pack:{here / 'mine'}", f"pack:{here / 'theirs'}"
    for uri in (mine, theirs):
        run("--store", uri, "init")
    run("--store", theirs, "set", "a", "1")
    assert "main would move: nothing -> " in run("--store", mine, "pull", "--set", "-n", theirs)
    run("--store", mine, "get", "a", status=3)
    run("--store", mine, "pull", "--set", theirs)  # there is nothing to be lost
    run("--store", mine, "set", "b", "2")
    assert "has all of it already" in run("--store", mine, "pull", "--dry-run", theirs)
    run("--store", theirs, "set", "c", "3")
    before = run("--store", mine, "snapshot")
    assert "main would merge " in run("--store", mine, "pull", "--dry-run", theirs)
    assert "Move main: " in run("--store", mine, "pull", "--set", theirs, status=1)  # nobody answers
    assert run("--store", mine, "snapshot") == before
    run("--store", mine, "pull", "--set", "--yes", theirs)
    assert run("--store", mine, "snapshot") == run("--store", theirs, "snapshot")
    assert "has all of it already" in run("--store", mine, "pull", "--set", theirs)
    run("--store", mine, "get", "b", status=3)
