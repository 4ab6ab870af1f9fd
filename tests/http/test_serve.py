"""The command `irminpy serve`, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import irminpy
from irminpy.cli import main
from irminpy.errors import ReadOnly, RemoteError

PATIENCE = 60


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with irminpy.open(f"pack:{tmp_path / 'store'}") as repo:
        repo.main().set("a/b", b"value")
    return tmp_path / "store"


@contextlib.contextmanager
def serving(store: Path, *options: str, as_json: bool = False) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The line that the command prints once it answers, and the process, which a signal ends."""
    command = [sys.executable, "-c", "from irminpy.cli import main; main()", "--store", f"pack:{store}"]
    command += [*(["--json"] if as_json else []), "serve", "--bind", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline(), process
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        finally:
            process.kill()


def test_a_store_is_served_until_a_signal_ends_it(store: Path) -> None:
    with serving(store) as (line, process):
        url = line.split()[-1]
        assert line.startswith(f"serving pack:{store} on http://127.0.0.1:")
        with irminpy.open(url) as repo, repo.main().watch(lambda change: None):
            assert repo.main().get("a/b") == b"value"
            repo.main().set("a/c", b"more")
        assert process.poll() is None
    with irminpy.open(f"pack:{store}") as repo:
        assert repo.main().get("a/c") == b"more"


def test_the_store_that_irmin_yml_names_is_told_by_its_name(store: Path) -> None:
    (store.parent / "irmin.yml").write_text("store: pack:store\n", encoding="utf-8")
    program = "from irminpy.__main__ import main; main()"
    command = [sys.executable, "-c", program, "-C", str(store.parent), "serve", "--bind", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith(f"serving pack:{store} on http://127.0.0.1:")
        finally:
            process.kill()


def test_a_store_is_served_for_reading_only_or_for_those_with_a_token(store: Path, tmp_path: Path) -> None:
    """CL-16."""
    with serving(store, "--read-only", as_json=True) as (line, _):
        told = json.loads(line)
        assert told["readonly"] is True
        with irminpy.open(told["url"]) as repo, pytest.raises(ReadOnly):
            repo.main().set("a", b"1")
    token = tmp_path / "token"
    token.write_text("secret\n")
    with serving(store, "--token-file", str(token), "--private", as_json=True) as (line, _):
        url = json.loads(line)["url"]
        with pytest.raises(RemoteError, match="token"):
            irminpy.open(url)
        with irminpy.open(f"{url}?token_file={token}") as repo:
            repo.main().set("a/b", b"2")


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--bind", "nowhere"], 2, "HOST:PORT"),
        (["--bind", "127.0.0.1:99999"], 2, "HOST:PORT"),
        (["--bind", "203.0.113.1:0"], 7, "cannot be listened on"),
        (["--private"], 7, "needs a token"),
    ],
)
def test_what_cannot_be_served_is_said_in_three_lines(
    store: Path, options: list[str], status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IRMINPY_TOKEN", raising=False)
    done = CliRunner().invoke(main, ["--store", f"pack:{store}", "serve", *options])
    assert done.exit_code == status
    assert said in done.stderr


def test_a_store_must_be_named_and_be_there(tmp_path: Path) -> None:
    for arguments, status in (
        (["serve"], 2),
        (["--store", f"pack:{tmp_path / 'none'}", "serve", "--bind", "127.0.0.1:0"], 3),
    ):
        done = CliRunner(env={"IRMINPY_STORE": None}).invoke(main, arguments)
        assert done.exit_code == status
        assert len(done.stderr.splitlines()) == 3
