"""Makes docs/cli.md from the commands, and from a session that is run: `python -m tests.cli.reference`."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import click
from click.testing import CliRunner

from irminpy.cli import COMMANDS, main
from irminpy.cli.helping import TOPICS

FILE = Path(__file__).resolve().parent.parent.parent / "docs" / "cli.md"
START = 1795305600  # the date of the first commit of the session

INTRODUCTION = """\
# The command line

`irminpy` is Irmin from the shell. It comes with the package; `pip install 'irminpy[cli]'` adds colour. Every command is
a thin layer over a function that a program can call, and says which: it is also a way to learn the library.

This file is made from the commands by `python -m tests.cli.reference`; a test keeps it up to date.

## A session

Each line was run, in this order, in an empty directory. `exit` is the exit status where it is not 0.
"""

# What is typed. A line may be fed by `echo -n ... |`; ROOT(REV) stands for the root hash of REV.
SESSION = """\
irminpy init pack:./ledger
echo -n 120 | irminpy set accounts/alice/balance - -m "open alice"
irminpy tag genesis
irminpy branch risky
irminpy set accounts/alice/balance 100 -m "pay bob 20"
irminpy set accounts/bob/balance 20 -m "bob is paid"
irminpy tree
irminpy get accounts/alice/balance
irminpy get genesis:accounts/alice/balance
irminpy get accounts/alcie/balance
irminpy diff genesis main
irminpy -b risky set accounts/alice/balance 90 -m "a fee"
irminpy -b risky set accounts/alice/note "to be checked" -m "a note"
irminpy merge risky
irminpy merge risky --strategy theirs
irminpy log --graph
irminpy show --stat
irminpy blame
irminpy ls -l accounts/alice
irminpy find "**/balance"
irminpy mv accounts/bob accounts/robert
irminpy cp genesis:accounts/alice archive/alice
echo -n '{"path": "a", "set": "1"}' | irminpy apply - -m "from a file"
irminpy rm -r archive
irminpy --json log -n 1
irminpy checkout -c dev
irminpy set a 2
irminpy -v branch
irminpy branch -d risky --yes
irminpy prove main accounts/alice/balance -o proof.irp
irminpy verify proof.irp --root ROOT(main)
irminpy verify proof.irp --root ROOT(genesis)
irminpy fsck
irminpy gc --depth 0 --dry-run
irminpy clone ledger pack:./copy
irminpy remote add origin pack:./copy
irminpy set b 3
irminpy push
"""


def session() -> Iterator[str]:
    """The lines of the transcript."""
    yield "```console"
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for number, line in enumerate(SESSION.splitlines()):
            line = re.sub(r"ROOT\((\w+)\)", lambda found: root_of(found[1]), line)
            words = shlex.split(line)
            fed = None
            if words[0] == "echo":
                fed, words = words[2].encode(), words[4:]
            environment: dict[str, str | None] = {
                name: None for name in os.environ if name.startswith("IRMINPY_")
            }
            environment |= {
                "IRMINPY_DATE": str(START + 60 * number),
                "IRMINPY_AUTHOR": "ann",
                "NO_COLOR": "1",
            }
            environment |= {"XDG_CONFIG_HOME": folder}
            done = CliRunner().invoke(main, words[1:], input=fed, env=environment, prog_name="irminpy")
            yield f"$ {line}"
            yield from re.sub(r"\b\d+\.\d+ s\b", "0.1 s", done.output).splitlines()
            if done.exit_code:
                yield f"exit {done.exit_code}"
    yield "```"


def root_of(revision: str) -> str:
    """The hash of the root directory of `revision`, of the store of this directory."""
    done = CliRunner().invoke(main, ["--json", "log", revision, "-n", "1"], env={"IRMINPY_STORE": None})
    return str(json.loads(done.stdout)["tree"])


def topics() -> Iterator[str]:
    """What `irminpy help` tells."""
    for name, text in TOPICS.items():
        yield f"## {name if '.' in name else name.capitalize()}"
        yield ""
        # What is indented is a block.
        for part in text.split("\n\n"):
            if part.startswith("  "):
                yield from ("```text", *(line[2:] for line in part.rstrip().splitlines()), "```", "")
            elif part.strip():
                yield part.rstrip().replace("*", "\\*")
                yield ""


def commands() -> Iterator[str]:
    """Each command with its usage, what it does, and its options."""
    root = click.Context(main, info_name="irminpy")
    yield "## Commands"
    yield ""
    yield "Options of `irminpy` itself stand before the command:"
    yield ""
    yield from options(main, root)
    section = ""
    for title, _, names in COMMANDS:
        if title != section:
            section = title
            yield f"### {title}"
            yield ""
        for name in names.split():
            command = main.get_command(root, name)
            assert command is not None
            yield from described(command, click.Context(command, parent=root, info_name=name))


def described(command: click.Command, ctx: click.Context) -> Iterator[str]:
    """One command, and those below it."""
    yield f"#### {ctx.command_path}"
    yield ""
    usage = " ".join(command.collect_usage_pieces(ctx))
    yield f"`{ctx.command_path} {usage}`"
    yield ""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            yield from ("```text", *paragraph.splitlines()[1:], "```", "")
        else:
            yield (
                re.sub(r"(?<!`)\*\*?(?!`)", lambda found: f"`{found[0]}`", paragraph)
                if "**" in paragraph
                else paragraph
            )
            yield ""
    yield from options(command, ctx)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from described(below, click.Context(below, parent=ctx, info_name=name))


def options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    """The options of a command as a table; nothing if it has none."""
    rows = [
        record
        for parameter in command.get_params(ctx)
        if isinstance(parameter, click.Option)
        and "--help" not in parameter.opts
        and (record := parameter.get_help_record(ctx)) is not None
    ]
    if rows:
        yield "| option | |"
        yield "|---|---|"
        for names, help in rows:
            yield f"| `{names.replace('|', chr(92) + '|')}` | {help} |"
        yield ""


def document() -> str:
    """docs/cli.md."""
    lines = [INTRODUCTION, *session(), "", *topics(), *commands()]
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
    print(f"{FILE}: {len(document().splitlines())} lines", file=sys.stderr)
