"""Which store and branch a command works on; init, options, checkout, watch, help and completion."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import irminpy as api
from irminpy.cli import main
from irminpy.cli.config import Config, changed, found
from irminpy.cli.failure import Failure
from irminpy.registry import schemes

from .command import QUIET, Command

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, without what the user has set."""
    monkeypatch.chdir(tmp_path)
    for name in ("IRMINPY_STORE", "IRMINPY_AUTHOR", "IRMINPY_DATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return tmp_path


def run(*words: str, status: int = 0, **variables: str) -> str:
    done = CliRunner().invoke(main, list(words), env=variables, prog_name="irminpy")
    assert done.exit_code == status, done.output
    return done.output if status else done.stdout


def test_init_makes_a_store_and_a_file_that_names_it(here: Path) -> None:
    """CL-01."""
    run("init", "pack:./ledger")
    assert (here / "irmin.yml").read_text(encoding="utf-8") == "store: pack:./ledger\n"
    run("set", "a", "1")
    (here / "below" / "deep").mkdir(parents=True)
    assert run("-C", "below/deep", "get", "a") == "1"
    os.chdir(here)
    assert run("init", "pack:./ledger").startswith("ready")
    assert "names another store" in run("init", "pack:./other", status=4)
    assert run("--store", "pack:./other", "ls") == ""


def test_a_store_says_what_it_was_made_with(here: Path) -> None:
    said = run("init", "pack:a", "--contents", "json", "--hash", "blake2b-256")
    assert "native/1 blake2b-256 16 32 json-object/1 none" in said
    assert "schema mismatch" in run("init", "pack:a", "--contents", "string", status=7)
    os.remove("irmin.yml")
    run("init", "pack:b", "--schema", "native/1 blake3-256 2 2 bytes none")
    os.remove("irmin.yml")
    assert "no such hash" in run("init", "pack:c", "--hash", "md6", status=2)
    assert "--schema says all" in run("init", "pack:c", "--hash", "sha256", "--schema", "x", status=2)


@pytest.mark.skipif("git" not in schemes(), reason="the installed irminpy is older than its backend for Git")
def test_a_git_store_with_json_keeps_its_type_in_the_file(here: Path) -> None:
    run("init", "git:repo", "--contents", "json-value")
    assert "contents: json/1\n" in (here / "irmin.yml").read_text(encoding="utf-8")
    run("set", "a", '{"b": [1]}')
    assert json.loads(run("--json", "get", "a"))["value"] == {"b": [1]}
    assert run("-b", "main", "get", "a") == '{"b":[1]}'
    assert "Git has its own hashes" in run("init", "git:other", "--hash", "sha256", status=2)


def test_the_command_line_wins_over_the_environment_and_that_over_files(here: Path) -> None:
    """TC-137; `irmin.yml` upwards, then the file of the user."""
    for name in ("line", "variable", "file", "user"):
        with api.open(f"pack:{name}") as repo:
            repo.main().set("name", name.encode())
    (here / "xdg" / "irminpy").mkdir(parents=True)
    (here / "xdg" / "irminpy" / "config.yml").write_text("store: pack:../../user\n", encoding="utf-8")
    assert run("get", "name") == "user"
    (here / "irmin.yml").write_text("# ours\nstore: 'pack:file' # here\n", encoding="utf-8")
    assert run("get", "name") == "file"
    assert run("get", "name", IRMINPY_STORE="pack:variable") == "variable"
    assert run("--store", "pack:line", "get", "name", IRMINPY_STORE="pack:variable") == "line"
    assert run("--config", "xdg/irminpy/config.yml", "get", "name") == "user"
    assert "does not exist" in run("--config", "absent.yml", "get", "name", status=2)
    (here / "irmin.yml").unlink()
    assert "no store is named" in run("get", "name", status=2, XDG_CONFIG_HOME="/nowhere")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("stor: x\n", "the unknown key 'stor'"),
        ("store: a\nstore: b\n", "the key store again"),
        ("store\n", "not of the form"),
        ("store:\n  pack: x\n", "has no value"),
        ("store: 'x\n", "a quote that is not closed"),
        ('store: "x\n', "a quote that is not closed"),
        ('store: "x" y\n', "goes on after"),
    ],
)
def test_a_file_that_says_something_else_is_refused(here: Path, text: str, why: str) -> None:
    (here / "irmin.yml").write_text(text, encoding="utf-8")
    with pytest.raises(Failure) as caught:
        found()
    assert why in caught.value.why
    assert "irminpy help irmin.yml" in run("ls", status=2)
    assert run("--version").startswith("irminpy")


@pytest.mark.parametrize(
    "value", ["x", "a b", " x", "a #b", '"', "'x'", "é", "a: b", "x:", "[a]", "\n", "# x", "pack:./a?b=c&d=e"]
)
def test_whatever_is_written_is_read_again_and_comments_stay(here: Path, value: str) -> None:
    file = here / "irmin.yml"
    file.write_text("# of ann\nstore: pack:x\n\nbranch: main # for now\n", encoding="utf-8")
    changed(str(file), {"branch": value, "author": value})
    assert found() == Config(str(file), {"store": "pack:x", "branch": value, "author": value})
    assert file.read_text(encoding="utf-8").startswith("# of ann\nstore: pack:x\n\n")


def test_checkout_sets_the_branch_of_the_directory(here: Path) -> None:
    run("init", "pack:ledger")
    run("set", "a", "1")
    run("checkout", "-c", "dev")
    run("set", "a", "2")
    assert run("get", "a") == "2"
    assert run("get", "main:a") == "1"
    assert run("-b", "main", "get", "a") == "1"
    assert "did you mean 'main'?" in run("checkout", "mian", status=3)
    assert "is the commit" in run("checkout", "dev~1", status=2)
    run("checkout", "main")
    assert run("get", "a") == "1"
    assert "branch: main\n" in (here / "irmin.yml").read_text(encoding="utf-8")


def test_a_commit_may_be_read_instead_of_a_branch() -> None:
    irminpy = Command()
    irminpy("set", "a", "1")
    irminpy("set", "a", "2")
    assert irminpy("--commit", "main~1", "get", "a") == "1"
    assert irminpy("-b", "absent", "--commit", "main~1", "get", "a") == "1"
    assert "not so many commits" in irminpy.error("--commit", "main~7", "get", "a", status=3)


def test_the_options_of_backends_are_told() -> None:
    """CL-17."""
    rows = [json.loads(line) for line in run("--json", "options").splitlines()]
    assert [row["backend"] for row in rows] == schemes()
    pack = next(row for row in rows if row["backend"] == "pack")
    assert {"option": "index", "type": "str", "default": "always"} in pack["options"]
    assert "durability" in run("options", "pack")
    assert "no backend is called" in run("options", "tape", status=2)


def test_a_uri_that_names_no_store_is_told_with_what_to_type(tmp_path: Path) -> None:
    for uri in ("ledger", "tape:x", "pack:", f"pack:{tmp_path}?color=red", "mem:x?a=1"):
        told = run("--store", uri, "ls", status=2)
        assert "irminpy options" in told
        assert len(told.splitlines()) == 3
    assert "is not a store" in run("--store", f"pack:{tmp_path}", "ls", status=3)


def test_bench_times_each_kind_of_work() -> None:
    rows = [json.loads(line) for line in run("--json", "bench", "-n", "150").splitlines()]
    assert [row["work"] for row in rows] == [
        *("commits", "values, 1 commit", "reads", "entries listed", "changes in a diff"),
    ]
    assert all(row["count"] == 150 and row["seconds"] > 0 for row in rows)
    assert len(run("bench", "-n", "1", "--options", "durability=none").splitlines()) == 5


def test_bench_with_a_profile_is_the_command_of_the_source_tree(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run("bench", "--profile", "short", "--rows", "99", "--out", str(tmp_path), status=2)
    assert "no such row: 99" in capfd.readouterr().err
    assert "go with --profile" in run("bench", "--rows", "3", status=2)
    monkeypatch.setattr("irminpy.__file__", str(tmp_path / "irminpy" / "__init__.py"))
    assert "unpack the source distribution" in run("bench", "--profile", "full", status=2)


def test_help_tells_of_commands_and_topics() -> None:
    """CL-20."""
    assert "Print the value at PATH" in run("help", "get")
    assert "checkout sets it" in run("help", "irmin.yml")
    assert "main~2" in run("help", "revisions")
    assert "did you mean 'revisions'?" in run("help", "revision", status=2)
    assert run("help") == run("--help")


def test_a_watch_prints_each_change_or_feeds_it_to_a_command(tmp_path: Path) -> None:
    """CL-13."""
    uri = f"pack:{tmp_path / 'store'}"
    irminpy = Command(uri)
    irminpy("set", "a", "1")
    file = tmp_path / "fed"
    code = "from irminpy.cli import main; main(prog_name='irminpy')"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IRMINPY_")}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, "--store", uri, "watch", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=kept | {"PYTHONPATH": paths},
        )
        for words in (
            ["-n", "2"],
            ["x", "-n", "1", "--exec", f"cat > {file}"],
            ["-n", "1", "--exec", "cat; exit 9"],
        )
    ]
    for one in started:
        assert one.stderr is not None
        assert one.stderr.readline().startswith(b"watching main")
    irminpy("apply", "-", input=b'{"path": "x/y", "set": "new"}\n{"path": "a", "set": "2"}\n')
    # A watch may see two changes as one: the second is made when the first was told.
    assert started[0].stdout is not None
    assert sorted(started[0].stdout.readline() for _ in range(2)) == [b"* a\n", b"+ x/y\n"]
    outs = [one.communicate(timeout=60)[0] for one in started[1:]]
    irminpy("rm", "x/y")
    assert started[0].communicate(timeout=60)[0] == b"- x/y\n"
    assert json.loads(file.read_text(encoding="utf-8")) == {"path": "x/y", "added": "new"}
    assert [one.returncode for one in started] == [0, 0, 9]
    assert outs[0] == b""


def test_a_watch_needs_a_branch() -> None:
    Command().error("--commit", "main", "watch", status=2)


# -- completion


def completed(uri: str, line: str, *, breaks: str = "\"'@><=;|&(:") -> list[str]:
    """What bash is told, for `line` up to the cursor."""
    variables = {**QUIET, "COMP_LINE": line, "COMP_POINT": str(len(line.encode())), "COMP_WORDBREAKS": breaks}
    variables |= {"IRMINPY_STORE": uri, "_IRMINPY_COMPLETE": "bash_complete"}
    done = CliRunner().invoke(main, [], env=variables, prog_name="irminpy", complete_var="_IRMINPY_COMPLETE")
    assert done.exit_code in (0, 1), done.output
    return [row.partition(",")[2] for row in done.stdout.splitlines() if row]


@pytest.fixture
def store() -> str:
    irminpy = Command()
    irminpy("set", "accounts/alice/balance", "1")
    irminpy("set", "accounts/a b", "1")
    irminpy("set", "absent\n", "1")
    irminpy("tag", "genesis")
    irminpy("branch", "dev/x")
    irminpy("rm", "accounts/a b")
    return irminpy.uri


def test_commands_and_options_are_completed(store: str) -> None:
    assert completed(store, "irminpy che") == ["checkout"]
    assert "--graph" in completed(store, "irminpy log --gr")
    assert completed(store, "irminpy --color al") == ["always"]


def test_branches_tags_and_paths_are_completed_as_they_are_now(store: str) -> None:
    assert completed(store, "irminpy log ") == ["dev/x", "main", "genesis"]
    assert completed(store, "irminpy -b d") == ["dev/x"]
    assert completed(store, "irminpy get ac") == ["accounts/"]
    assert completed(store, "irminpy get accounts/") == ["accounts/alice/"]
    assert completed(store, "irminpy get accounts/alice/b") == ["accounts/alice/balance"]
    assert completed(store, "irminpy get gen") == ["genesis:"]
    assert completed(store, "irminpy get genesis:accounts/a") == ["accounts/a b", "accounts/alice/"]
    assert completed(store, "irminpy get genesis:accounts/a", breaks=" ") == [
        "genesis:accounts/a b",
        "genesis:accounts/alice/",
    ]
    assert completed(store, "irminpy -b dev/x tree accounts/a") == ["accounts/alice/"]
    assert completed(store, "irminpy tree dev/x:acc") == ["accounts/"]
    assert completed(store, "irminpy get dev/x:accounts/al") == ["accounts/alice/"]
    assert completed(store, "irminpy tree dev/") == ["dev/x:"]
    assert completed(store, "irminpy --commit genesis get accounts/a\\ ") == ["accounts/a b"]
    assert completed(store, "irminpy get nowhere:a") == []
    assert completed("pack:/nowhere/at/all", "irminpy get a") == []
    assert completed("tape:x", "irminpy get a") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_zsh_and_fish_are_told_the_same(store: str, shell: str) -> None:
    line = "irminpy get accounts/al"
    variables = {
        **QUIET,
        "IRMINPY_STORE": store,
        "_IRMINPY_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": line,
    }
    variables["COMP_CWORD"] = "2" if shell == "zsh" else "accounts/al"
    done = CliRunner().invoke(main, [], env=variables, prog_name="irminpy", complete_var="_IRMINPY_COMPLETE")
    assert done.stdout.replace(",", "\n").splitlines()[:2] == ["plain", "accounts/alice/"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_names_the_command(shell: str) -> None:
    script = run("completion", shell)
    assert "_IRMINPY_COMPLETE" in script
    assert f"{shell}_complete" in script
    assert "%(" not in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_itself_completes(store: str, tmp_path: Path) -> None:
    """The script, in a bash that is given a line as a person types it."""
    uri = f"pack:{tmp_path / 'store'}"
    irminpy = Command(uri)
    irminpy("set", "accounts/alice", "1")
    irminpy("set", "odd name/$x y", "1")
    code = "from irminpy.cli import main; main(prog_name='irminpy')"
    program = tmp_path / "irminpy"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "script").write_text(run("completion", "bash"), encoding="utf-8")
    asked = f"""
source {tmp_path / "script"}
complete_() {{
    COMP_LINE=$1 COMP_POINT=${{#1}} COMP_WORDS=(irminpy get "$2") COMP_CWORD=2
    _irminpy_completion irminpy
    echo "${{COMPREPLY[@]}}"
}}
complete_ 'irminpy get main:acc' acc
complete_ 'irminpy get acc' acc
complete_ 'irminpy get odd' odd
complete_ 'irminpy get odd\\ name/' 'odd\\ name/'
complete_ "irminpy get 'odd na" "'odd na"
"""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    done = subprocess.run(
        ["bash", "--norc", "-c", asked],
        env=os.environ
        | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": paths, "IRMINPY_STORE": uri},
        capture_output=True,
        text=True,
        timeout=60,
    )
    # What bash puts on the line is one word, quoted as the word that is there.
    wanted = ["accounts/", "accounts/", "odd\\ name/", "odd\\ name/\\$x\\ y", "odd name/"]
    assert done.stdout.splitlines() == wanted, done.stderr


def test_a_group_without_a_command_shows_its_help_as_it_is(here: Path) -> None:
    shown = run("proof", status=2)
    assert shown.startswith("Usage: irminpy proof")
    assert "\n  show  " in shown


def test_a_misspelt_command_is_told_how_it_is_written(here: Path) -> None:
    assert run("gte", "a", status=2).endswith("  try: irminpy get\n")


def test_a_guess_of_a_revision_keeps_the_path_behind_it(store: str) -> None:
    irminpy = Command(store)
    assert irminpy.error("get", "mian:accounts/alice/balance", status=3).endswith(
        "  try: irminpy get ... main:accounts/alice/balance\n"
    )
    assert irminpy.error("get", "main~99:accounts", status=3).endswith(
        "  try: irminpy get ... main:accounts\n"
    )
    assert irminpy.error("log", "mian~1", status=3).endswith("  try: irminpy log ... main~1\n")


def test_a_source_that_is_no_store_and_no_file_is_told_as_misuse(here: Path) -> None:
    irminpy = Command(f"pack:{here / 'store'}")
    irminpy("set", "a", "1")
    for words in (
        ["import", "absent.slice"],
        ["clone", "tape:x", "pack:copy"],
        ["clone", f"pack:{here / 'store'}", "x"],
    ):
        assert "a store is named by a URI" in irminpy.error(*words, status=2)
