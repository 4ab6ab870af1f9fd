"""The command: its conventions, its errors, and the demo, in process and through a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from irminpy import errors
from irminpy.cli import main
from irminpy.cli.demo import demonstrate, walk
from irminpy.cli.failure import KINDS, Failure, failure_of
from irminpy.cli.output import Options, amount, shown, size

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A small directory with one of everything that the demo leaves out."""
    root = tmp_path / "data"
    for name in ("a.txt", "sub/b.txt", "sub/deep/c.bin", ".git/config", "sub/__pycache__/m.pyc"):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    (root / "link").symlink_to("a.txt")
    (root / "nothing").mkdir()
    os.mkfifo(root / "pipe")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.txt")).write_bytes(b"no UTF-8")
    return root


@pytest.fixture
def probe() -> Iterator[click.Command]:
    """A command of the group that prints its options, or raises what the test sets."""

    @main.command("probe")
    @click.pass_obj
    def command(options: Options) -> None:
        if isinstance(options.branch, str) and options.branch.startswith("raise "):
            raise RAISED[options.branch]
        click.echo(repr((options, os.getcwd())))

    yield command
    del main.commands["probe"]


RAISED: dict[str, Exception] = {
    "raise not found": errors.NotFound("path", "a/b"),
    "raise closed": errors.Closed("repo"),
    "raise bug": RuntimeError("two\nlines"),
    "raise missing": FileNotFoundError(2, "No such file or directory", "x"),
}


def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
    environment: dict[str, str | None] = {"NO_COLOR": None, "IRMINPY_STORE": None, **variables}
    result = CliRunner().invoke(main, list(arguments), env=environment)
    return result.exit_code, result.stdout, result.stderr


def program(*arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IRMINPY_", "PYTHON"))}
    code = "from irminpy.cli import main; main(prog_name='irminpy')"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env=kept | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")])} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )


# -- conventions


def test_help_names_the_commands_and_the_variable() -> None:
    status, out, _ = run("--help")
    assert status == 0
    assert "demo" in out
    assert "IRMINPY_STORE" in out


def test_a_misspelt_command_is_guessed() -> None:
    status, _, err = run("demp")
    assert status == 2
    assert "Did you mean 'demo'?" in err


@pytest.mark.usefixtures("probe")
def test_the_global_options_reach_a_command(tmp_path: Path) -> None:
    words = ["--store", "mem:x", "-b", "dev", "-C", str(tmp_path), "--json", "--color", "never", "-q", "-vv"]
    here = os.getcwd()
    try:
        status, out, err = run(*words, "--no-pager", "probe")
    finally:
        os.chdir(here)
    assert status == 0, err
    assert out.strip() == repr(
        (Options("mem:x", "dev", True, "never", True, 2, False), str(tmp_path.resolve()))
    )


@pytest.mark.usefixtures("probe")
def test_the_store_comes_from_the_variable_unless_it_is_given() -> None:
    assert "store='mem:a'" in run("probe", IRMINPY_STORE="mem:a")[1]
    assert "store='mem:b'" in run("--store", "mem:b", "probe", IRMINPY_STORE="mem:a")[1]
    assert "store=None" in run("probe")[1]


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize(
    ("name", "status", "what"),
    [
        ("raise not found", 3, "irminpy: path not found: a/b"),
        ("raise closed", 7, "irminpy: repo is closed; open it again"),
        ("raise missing", 3, "irminpy: x: No such file or directory"),
        ("raise bug", 70, "irminpy: internal error: RuntimeError: two lines"),
    ],
)
def test_an_error_is_three_lines_and_a_status(name: str, status: int, what: str) -> None:
    code, out, err = run("-b", name, "probe")
    assert (code, out) == (status, "")
    first, second, third = err.splitlines()
    assert first == what
    assert second.startswith("  why: ")
    assert third.startswith("  try: ")


@pytest.mark.usefixtures("probe")
def test_a_traceback_needs_vv() -> None:
    assert "Traceback" not in run("-v", "-b", "raise bug", "probe")[2]
    code, _, err = run("-vv", "-b", "raise bug", "probe")
    assert code == 70
    assert err.startswith("Traceback")
    assert "  try: " in err.splitlines()[-1]


def test_every_kind_of_error_has_a_class_and_a_status() -> None:
    for name, (status, why, type_) in KINDS.items():
        assert issubclass(getattr(errors, name), errors.IrminError)
        assert status in range(1, 8)
        assert why
        assert type_


def test_a_new_kind_of_error_is_told_as_its_base() -> None:
    class Odd(errors.BadProof):
        pass

    assert failure_of(Odd("strange")).status == KINDS["BadProof"][0]


@pytest.mark.parametrize("command", ["--help", "--version"])
def test_starting_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys\nfrom irminpy.cli import main\n"
        f"try: main([{command!r}])\nexcept SystemExit: pass\n"
        "heavy = {'rich', 'dulwich', 'starlette', 'uvicorn', 'httpx2', 'asyncio', 'pytest', 'hypothesis'}\n"
        "found = sorted(heavy & set(sys.modules))\nassert not found, found"
    )
    kept = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")])}
    done = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_text_for_people() -> None:
    assert [size(number) for number in (0, 999, 1000, 1_234_567)] == ["0 B", "999 B", "1.0 kB", "1.2 MB"]
    assert [amount(number, "entry", "entries") for number in (0, 1, 1200)] == [
        "0 entries",
        "1 entry",
        "1,200 entries",
    ]
    assert shown("a\nb\x1b[2J\udcff é") == "a\\nb\\x1b[2J\\udcff é"


# -- the demo


def test_a_walk_counts_what_it_leaves_out(directory: Path) -> None:
    found = walk(directory)
    assert list(found.files) == [("a.txt",), ("sub", "b.txt"), ("sub", "deep", "c.bin")]
    assert found.files["sub", "b.txt"] == b"sub/b.txt"
    assert found.skipped == {
        "caches": 1,
        "empty directories": 1,
        "names that are not UTF-8": 1,
        "special files": 1,
        "symbolic links": 1,
        "version control": 1,
    }


def test_a_walk_counts_what_it_cannot_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, scan = Path.read_bytes, os.scandir

    def read_bytes(file: Path) -> bytes:
        if file.name == "b.txt":
            raise PermissionError(13, "Permission denied", str(file))
        return read(file)

    def scandir(folder: str) -> object:
        if os.path.basename(folder) == "deep":
            raise PermissionError(13, "Permission denied", folder)
        return scan(folder)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr(os, "scandir", scandir)
    found = walk(directory)
    assert list(found.files) == [("a.txt",)]
    assert found.skipped["unreadable files"] == found.skipped["unreadable directories"] == 1


def test_a_very_deep_directory_is_walked(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    back = os.getcwd()
    try:
        os.chdir(here)
        for _ in range(300):
            os.mkdir("d")
            os.chdir("d")
        Path("f").write_bytes(b"x")
        os.chdir(here)
        assert list(walk(tmp_path).files) == [("d",) * 300 + ("f",)]
    finally:
        os.chdir(back)
        os.close(here)


def test_a_bad_directory_is_a_failure_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for name, status in (("absent", 3), ("file", 2), ("empty", 3)):
        code, out, err = run("demo", str(tmp_path / name))
        assert code == status
        assert out == ""
        assert len(err.splitlines()) == 3
        assert str(tmp_path / name) in err
        with pytest.raises(Failure):
            walk(tmp_path / name)


def test_the_steps_of_the_demo(directory: Path) -> None:
    steps = {step.name: step for step in demonstrate(directory)}
    assert list(steps) == [
        "read",
        "build",
        "commit",
        "branch",
        "change",
        "merge",
        "log",
        "tree",
        "diff",
        "prove",
        "fsck",
        "again",
    ]
    assert all(step.seconds >= 0 for step in steps.values())
    assert steps["read"].facts["files"] == steps["build"].facts["leafs"] == 3
    assert steps["build"].facts["root"] == steps["commit"].facts["root"] == steps["again"].facts["root"]
    assert steps["merge"].facts["parents"] == 2
    assert steps["merge"].facts["root"] not in (steps["change"].facts["work"], steps["change"].facts["main"])
    messages = [line.split("  ", 1)[1] for line in steps["log"].lines]
    assert messages[0] == "merge work"
    assert set(messages) >= {"import 3 files", "change a file", "remove a file", "add another file, on main"}
    assert sorted(steps["diff"].lines) == [
        "A irminpy-demo/main",
        "A irminpy-demo/work",
        "D sub/deep/c.bin",
        "M a.txt",
    ]
    assert steps["tree"].lines == ("a.txt  14 B", "irminpy-demo/  2 entries", "sub/  1 entry")


def test_a_demo_of_one_file_removes_none(tmp_path: Path) -> None:
    (tmp_path / "irminpy-demo").write_bytes(b"taken")
    steps = {step.name: step for step in demonstrate(tmp_path)}
    assert sorted(steps["diff"].lines) == ["A irminpy-demo-/main", "A irminpy-demo-/work", "M irminpy-demo"]


def test_the_same_files_give_the_same_root_hash(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for path, value in walk(directory).files.items():
        other.joinpath(*path).parent.mkdir(parents=True, exist_ok=True)
        other.joinpath(*path).write_bytes(value)
    roots = [
        next(step.facts["root"] for step in demonstrate(root) if "root" in step.facts)
        for root in (directory, other)
    ]
    assert roots[0] == roots[1]


def test_the_demo_as_json(directory: Path) -> None:
    code, out, err = run("--json", "demo", str(directory))
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert out.count("\n") == 1
    assert record["steps"][0]["step"] == "read"
    assert record["steps"][0]["skipped"]["symbolic links"] == 1
    assert record["seconds"] >= 0


def test_the_demo_of_irminpy_itself_through_a_pipe_is_plain_text() -> None:
    done = program("demo")
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert b"\x1b" not in done.stdout
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("demo of ")
    assert lines[-1].startswith("done ")
    assert any(line.startswith("merge ") for line in lines)


def test_colour_only_where_asked_for(directory: Path) -> None:
    assert b"\x1b[" in program("--color", "always", "demo", str(directory), TERM="xterm-256color").stdout
    assert b"\x1b[" not in program("--color", "never", "demo", str(directory)).stdout


def test_the_demo_prints_where_stdout_is_ascii(directory: Path) -> None:
    (directory / "é.txt").write_bytes(b"")
    done = program("demo", str(directory), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert b"\\xe9.txt" in done.stdout
