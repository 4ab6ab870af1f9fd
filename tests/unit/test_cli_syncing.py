"""The commands clone, fetch, pull and push, with stores and with a repository of Git as the remote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import irminpy
from irminpy import Repo, registry
from irminpy.cli import main
from irminpy_git import Git
from irminpy_mem import Memory
from irminpy_pack import Pack
from tests.git_repositories import git

Run = Callable[..., Result]
_BACKENDS = {"git": Git, "mem": Memory, "pack": Pack}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command in a directory of its own; with the backends of these files, whatever is installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_load", lambda scheme, uri: _BACKENDS[scheme])

    def run(*arguments: str, status: int = 0) -> Result:
        done = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
        assert done.exit_code == status, (arguments, done.exit_code, done.output)
        return done

    return run


def filled(uri: str, n: int = 3, **how: Any) -> str:
    with irminpy.open(uri, author="Bob <bob@x>", **how) as repo:
        for i in range(n):
            repo.main().set(f"dir/{i}", b"%d" % i, message=f"commit {i}")
        return repo.main().head().hash.hex()


def test_a_store_is_cloned_fetched_pulled_and_pushed(run: Run) -> None:
    """G3: pack to pack, by URIs; then nothing is left to do."""
    head = filled("pack:one")
    assert "cloned main into pack:two" in run("clone", "pack:one", "pack:two").stdout
    with irminpy.open("pack:two") as repo:
        assert repo.main().head().hash.hex() == head
        repo.main().set("more", b"1")
    done = json.loads(run("--json", "--store", "pack:two", "push", "pack:one").stdout)
    assert (done["before"], done["commits"], done["branch"]) == (head, 1, "main")
    assert "-> " in run("--store", "pack:two", "push", "pack:one").stdout
    filled("pack:two", 5)
    told = run("--store", "pack:one", "fetch", "pack:two", "--prefix", "two/").stdout
    assert "fetched two/main" in told
    assert "main is at" in run("--store", "pack:one", "pull", "pack:two").stdout
    assert "already" in run("--store", "pack:one", "pull", "pack:two").stdout
    with irminpy.open("pack:one") as repo:
        assert repo.branches() == ["main", "two/main"]
    assert "has branches already" in run("clone", "pack:one", "pack:two", status=4).stderr


@pytest.mark.needs("git")
def test_a_repository_of_git_is_cloned_and_pushed_to(run: Run, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "there.git")
    url = f"file://{tmp_path / 'there.git'}"
    filled("git:here")
    assert "nothing -> " in run("--store", "git:here", "push", url).stdout
    assert git(tmp_path / "there.git", "show", "main:dir/2") == b"2"
    assert "into git:there" in run("clone", url, "--depth", "1").stdout
    git(tmp_path / "there", "fsck", "--full", "--strict")
    assert len(git(tmp_path / "there", "rev-list", "main").split()) == 2
    told = json.loads(run("--json", "--store", "git:there", "fetch", url, "--deepen").stdout)
    assert told["commits"] == 1
    with Repo.open(Git("there")) as repo:
        assert repo.check().ok
        repo.main().set("x", b"1")
    run("--store", "git:there", "push", url, "--to", "other")
    assert git(tmp_path / "there.git", "show", "other:x") == b"1"
    assert "main of the remote is" in run("--store", "git:there", "fetch", url).stdout


@pytest.mark.needs("git")
def test_refusals_have_the_status_of_their_kind(run: Run, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "there.git")
    url = f"file://{tmp_path / 'there.git'}"
    filled("git:a", 1)
    filled("git:b", 2, clock=lambda: 1_000_000)
    filled("pack:p", 1)
    run("--store", "git:a", "push", url)
    assert "pull first" in run("--store", "git:b", "push", url, status=4).stderr
    run("--store", "git:b", "push", url, "--force")
    assert "format git" in run("--store", "pack:p", "push", url, status=7).stderr
    assert "does not appear" in run("--store", "git:a", "fetch", url + "x", status=6).stderr
    assert "URL of a remote" in run("--store", "git:a", "fetch", "git+ext://x/y", status=5).stderr
    assert "no name can be told" in run("clone", "mem:", status=2).stderr
