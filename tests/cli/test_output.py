"""What reaches a terminal or a pipe: escapes, colour, pagers, progress, broken pipes, endless listings."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import irminpy as api
from irminpy.cli import main
from irminpy.cli.commits import date_of, iso, when
from irminpy.cli.failure import Failure
from irminpy.cli.output import Options, Output, is_terminal
from irminpy.cli.progress import Bar, progress
from irminpy.cli.values import ABSENT, brief, differences, text_lines
from irminpy.tree import Tree

from .command import QUIET, Command

ROOT = Path(__file__).resolve().parent.parent.parent
CODE = "from irminpy.cli import main; main(prog_name='irminpy')"

# Moves the cursor, sets the title, clears the screen, a bell, a line by itself, and text that runs the other way.
NASTY = "\x1b[2J\x1b]0;owned\x07\r\n\u202ex\x9b31m"


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IRMINPY_", "PYTHON"))}
    kept |= {name: value for name, value in QUIET.items() if value is not None}
    return kept | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")]), **variables}


def program(uri: str, *words: str, **how: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", CODE, "--store", uri, *words],
        env=environment(**how),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )


def on_a_terminal(uri: str, *words: str, **variables: str) -> bytes:
    """What a person sees: stdout and stderr of the command on a pseudo-terminal."""
    above, below = pty.openpty()
    with tempfile.TemporaryFile() as seen:
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, "--store", uri, *words],
            env=environment(TERM="xterm", **variables),
            stdin=below,
            stdout=below,
            stderr=below,
        )
        os.close(below)
        while True:
            try:
                data = os.read(above, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            seen.write(data)
        os.close(above)
        process.wait(60)
        seen.seek(0)
        return seen.read()


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store whose steps, values, messages and authors are out for the terminal."""
    uri = f"pack:{tmp_path_factory.mktemp('nasty') / 'store'}"
    with api.open(uri, author=NASTY) as repo:
        store = repo.main()
        store.set([NASTY, "file"], NASTY.encode(), message=NASTY)
        store.clone("dev").set([NASTY, "file"], b"\xff\xfe" + NASTY.encode(), message=NASTY)
        store.set([NASTY, "file"], b"line\n" + NASTY.encode(), message=NASTY)
    return uri


READS = [
    ["ls"],
    ["ls", "-l"],
    ["tree"],
    ["find", "**"],
    ["log"],
    ["log", "--graph"],
    ["-v", "log"],
    ["show"],
    ["blame"],
    ["diff", "main~1"],
    ["merge", "dev", "-n"],
    ["branch"],
    ["lca", "main", "dev"],
    ["get", NASTY],
    ["reflog"],
    ["-vv", "get", NASTY],
    ["dot"],
]


@pytest.mark.parametrize(
    "words", READS, ids=lambda words: "-".join(words).strip("-")[:20].encode("ascii", "ignore").decode()
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--color", "always"]], ids=["plain", "json", "colour"])
def test_no_control_character_is_printed(nasty: str, words: list[str], form: list[str]) -> None:
    done = CliRunner().invoke(main, ["--store", nasty, *form, *words], env=QUIET)
    text = done.stdout + done.stderr
    if form == ["--color", "always"]:  # our own colours are all that is allowed
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    wrong = {c for c in text if not c.isprintable() and c != "\n"}
    assert not wrong, (words, wrong)
    assert done.exit_code in (0, 1, 3, 4), done.output


def test_a_value_is_escaped_on_a_terminal_and_raw_in_a_pipe(nasty: str) -> None:
    path = f"{NASTY}/file"
    assert program(nasty, "get", path).stdout == b"line\n" + NASTY.encode()
    seen = on_a_terminal(nasty, "get", path, NO_COLOR="1")
    assert seen.startswith(b"line\r\n\\x1b[2J\\x1b]0;owned\\x07")
    assert b"\x1b" not in seen
    assert b"\x07" not in seen


def test_a_terminal_gets_colour_and_relative_dates(nasty: str) -> None:
    seen = on_a_terminal(nasty, "--no-pager", "log", "-n", "1")
    assert b"\x1b[33m" in seen
    assert b" ago" in seen


def test_long_output_goes_through_the_pager_and_a_closed_pager_is_no_error(nasty: str) -> None:
    """CL-19."""
    assert b"OURS" in on_a_terminal(nasty, "log", PAGER="false", IRMINPY_PAGER="sed s/^/OURS/")
    assert b"GIVEN" in on_a_terminal(nasty, "log", "--pager", "sed s/^/GIVEN/", PAGER="false")
    assert b"Traceback" not in on_a_terminal(nasty, "log", PAGER="true")
    assert b"\\x1b" in on_a_terminal(nasty, "ls", PAGER="/no/such/pager")


def test_a_huge_listing_streams_and_a_closed_pipe_ends_it(tmp_path: Path) -> None:
    uri = f"pack:{tmp_path / 'store'}"
    with api.open(uri) as repo, repo.main().edit() as editor:
        for i in range(5_000):
            editor[f"directory/{i:06}"] = b""
    for words in ("ls directory", "tree"):
        process = subprocess.Popen(
            [sys.executable, "-c", CODE, "--store", uri, *words.split()],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        process.wait(60)


def test_a_listing_is_written_before_it_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    irminpy = Command()
    irminpy("set", "a/b", "1")
    written: list[str] = []

    def seq(self: object, path: object = (), **how: object) -> object:
        for i in range(3):
            assert len(written) == i
            yield f"entry{i}", Tree.of_contents(b"")

    monkeypatch.setattr(Output, "write", lambda self, text: written.append(text))
    monkeypatch.setattr(Tree, "seq", seq)
    irminpy("ls", "a")
    assert written == ["entry0\n", "entry1\n", "entry2\n"]


@pytest.mark.parametrize("argument", [b"\xff", b"a/\xfe\xff", b"main:\xff", b"\xff:a"])
def test_an_argument_that_is_not_utf_8_is_an_error_in_three_lines(nasty: str, argument: bytes) -> None:
    for words in (["get"], ["ls"], ["rm"], ["show"], ["branch"], ["merge"]):
        done = CliRunner().invoke(main, ["--store", nasty, *words, os.fsdecode(argument)], env=QUIET)
        assert done.exit_code in (2, 3), done.output
        assert len(done.stderr.splitlines()) == 3
    done = CliRunner().invoke(main, ["--store", nasty, "find", os.fsdecode(argument)], env=QUIET)
    assert done.exit_code in (1, 2, 3), done.output


def test_a_process_is_given_an_argument_that_is_not_utf_8(nasty: str) -> None:
    done = program(nasty, "get", os.fsdecode(b"\xff"))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 3)
    assert b"\\udcff" in done.stderr


def test_misuse_is_told_in_three_lines() -> None:
    irminpy = Command()
    assert "  why: usage: irminpy get [OPTIONS] PATH" in irminpy.error("get", status=2)
    assert "No such option" in irminpy.error("get", "--absent", "x", status=2)
    assert "irminpy --json get, before the command" in irminpy.error("get", "--json", "x", status=2)
    assert "Did you mean 'log'?" in irminpy.error("lgo", status=2)


def test_colour_needs_rich_and_everything_else_does_not(nasty: str) -> None:
    code = f"import sys; sys.modules['rich'] = None; sys.modules['rich.color'] = None; {CODE}"
    done = subprocess.run(
        [sys.executable, "-c", code, "--store", nasty, "--color", "always", "log"],
        env=environment(),
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout


# -- progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_a_terminal_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, now = Terminal(), [0.0]
    monkeypatch.setattr(sys, "stderr", seen)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with progress(Options(), "gc") as bar:
        bar("mark", 1, 4)  # too early to be drawn
        now[0] = 1.0
        bar("mark", 2, 4)
        now[0] = 2.0
        bar(7, 0)
    shown = seen.getvalue().split("\r")
    assert shown[1].rstrip() == "gc mark  [############............]  50%  2/4  1 s"
    assert shown[2].rstrip() == "gc  7  2 s"
    assert shown[3].strip() == ""
    assert seen.getvalue().endswith("\r")


@pytest.mark.parametrize("options", [Options(quiet=True), Options(json=True)])
def test_no_bar_where_nobody_wants_one(monkeypatch: pytest.MonkeyPatch, options: Options) -> None:
    seen = Terminal()
    monkeypatch.setattr(sys, "stderr", seen)
    with progress(options, "x") as bar:
        assert not bar.visible
        bar(1, 2)
    assert seen.getvalue() == ""


def test_a_bar_never_goes_beyond_its_ends() -> None:
    bar = Bar("x\x1b", visible=False)
    assert "100%" in bar.text("", 9, 4, 0)
    assert "  0%" in bar.text("", -9, 4, 0)
    assert "\x1b" not in bar.text("\x1b", 1, 2, 0)


# -- words


def test_dates_are_read_and_shown() -> None:
    assert date_of("2026-11-22T13:00:00+01:00") == date_of("2026-11-22T12:00:00Z") == 1795348800
    assert date_of("2026-11-22") == 1795305600
    assert date_of("-1") == -1
    assert abs(date_of("7d") - (time.time() - 7 * 86400)) < 3600
    for text in ("", "soon", "7y", "2026-13-01"):
        with pytest.raises(Failure):
            date_of(text)
    assert iso(1 << 62) == str(1 << 62)
    for now, told in (
        (1005.0, "5 s ago"),
        (1300.0, "5 min ago"),
        (9000.0, "2 h ago"),
        (200000.0, "2 d ago"),
        (9e6, "1970-01-01"),
        (0.0, "1970-01-01T00:16:40Z"),
    ):
        assert when(1000, relative=True, now=iter([now]).__next__) == told


def test_values_are_shown_on_one_short_line() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    for value in (
        b"",
        b"\xff" * 5000,
        "x" * 5000,
        b"y" * 5000,
        {"a": [1] * 500},
        deep,
        {1: b"x"},
        NASTY,
        1,
        None,
    ):
        assert len(brief(value)) < 100
    assert brief(b"120") == "120"
    assert brief("a\nb") == '"a\\nb"'
    assert brief(b"\xff\xfe") == "2 B fffe"


def test_structured_values_are_compared_place_by_place() -> None:
    assert list(differences({"a": 1, "b": [1, 2]}, {"a": 1.0, "b": [1], "c": None})) == [
        (".a", 1, 1.0),
        (".b[1]", 2, ABSENT),
        (".c", ABSENT, None),
    ]
    assert list(differences([], {})) == [("", [], {})]
    assert text_lines(b"a\nb") == ["a", "b"]
    assert text_lines(b"a\0b") is text_lines(b"\xff") is text_lines(1) is text_lines("\n" * 6000) is None


def test_a_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert not is_terminal(stream)
    assert not is_terminal(None)
