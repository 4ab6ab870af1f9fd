"""The command `irminpy`: click's group `main` and the commands, each a thin layer over public functions.

Data goes to stdout, messages to stderr. An error is three lines: what, why, what to type; `-vv` adds the
traceback. `failure.py` has the exit statuses. A module of commands is imported when one of them is asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any, cast

import click

from irminpy.cli.arguments import branches
from irminpy.cli.failure import NO, USAGE, Failure, failure_of
from irminpy.cli.output import Color, Options, shown, shown_block

__all__ = ["main"]

# Section, module, and its commands. The function of a command has its name, or that with an underscore behind it.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("Store", "making", "init options"),
    ("Store", "tending", "stats fsck gc index traverse snapshot"),
    ("Store", "timing", "bench"),
    ("Data", "reading", "get ls tree find"),
    ("Data", "writing", "set rm mv cp apply revert"),
    ("History", "telling", "log show blame dot reflog"),
    ("History", "differing", "diff"),
    ("Branches", "branching", "branch tag checkout"),
    ("Branches", "merging", "merge lca"),
    ("Copies", "importing", "import export"),
    ("Copies", "syncing", "clone fetch pull push"),
    ("Copies", "remotes", "remote"),
    ("Proofs", "proving", "prove verify proof"),
    ("Server", "serving", "serve"),
    ("Other", "watching", "watch"),
    ("Other", "completing", "completion"),
    ("Other", "helping", "help"),
    ("Other", "showing", "demo"),
)
_MODULES = {name: module for _, module, names in COMMANDS for name in names.split()}


class _Group(click.Group):
    """A group that imports commands when they are asked for, tells errors in three lines, and guesses what a misspelt
    command meant.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_MODULES, *sorted(set(self.commands) - set(_MODULES))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _MODULES.get(cmd_name)
        if module is None:
            return super().get_command(ctx, cmd_name)
        found = import_module(f"irminpy.cli.{module}")
        word = cmd_name.replace("-", "_")
        return cast("click.Command", getattr(found, f"{word}_", None) or getattr(found, word))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        titles = {name: title for title, _, names in COMMANDS for name in names.split()}
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        for name in names:
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                rows = sections.setdefault(titles.get(name, "Other"), [])
                rows.append((name, command.get_short_help_str(room)))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()
            return done
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("verbose", 0) >= 2:
                import traceback  # late: only here

                click.echo(shown_block("".join(traceback.format_exception(error))), err=True, nl=False)
            ctx.exit(_tell(failure_of(error)))

    def main(  # pyright: ignore[reportIncompatibleMethodOverride]  # the overloads say no more
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        if "_IRMINPY_COMPLETE" in os.environ:
            import_module("irminpy.cli.completing")  # what it tells click of shells
        run = partial(super().main, args, prog_name, complete_var, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        try:
            done: object = run()
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(USAGE)
        except click.UsageError as error:
            sys.exit(_tell(_misused(error)))
        except click.ClickException as error:
            why, type = "the command line asks for what cannot be had", "irminpy --help"
            sys.exit(_tell(Failure(error.format_message(), why=why, type=type, status=error.exit_code)))
        except click.Abort:
            click.echo("irminpy: stopped; nothing more was done", err=True)
            sys.exit(NO)
        sys.exit(done if isinstance(done, int) else 0)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _MODULES and self.get_command(ctx, args[0]) is None:
            import difflib  # late: only here

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if near:
                raise _Misspelt(args[0], near[0], ctx)
        return super().resolve_command(ctx, args)


class _Misspelt(click.UsageError):
    """A command that is not there, and the one that was meant."""

    def __init__(self, word: str, near: str, ctx: click.Context) -> None:
        super().__init__(f"No such command {word!r}. Did you mean {near!r}?", ctx)
        self.near = near


def _tell(failure: Failure) -> int:
    """Print the three lines; the exit status."""
    with suppress(ValueError):  # closed
        sys.stdout.flush()
    for line in failure.lines():
        click.echo(shown(line), err=True)
    return failure.status


def _misused(error: click.UsageError) -> Failure:
    ctx = error.ctx
    path = "irminpy" if ctx is None else ctx.command_path
    why = (
        f"usage: {path}"
        if ctx is None
        else f"usage: {path} {' '.join(ctx.command.collect_usage_pieces(ctx))}"
    )
    type = f"{path} {error.near}" if isinstance(error, _Misspelt) else f"{path} --help"
    if isinstance(error, click.NoSuchOption) and ctx is not None and ctx.parent is not None:
        root = ctx.find_root()
        if any(error.option_name in parameter.opts for parameter in root.command.get_params(root)):
            type = f"{root.command_path} {error.option_name} {ctx.info_name}, before the command"
    return Failure(error.format_message(), why=why, type=type, status=USAGE)


def _version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    from importlib import metadata  # late: only this option needs it

    from ..core import CORE

    core = "compiled core" if CORE == "c" else "core in Python"
    try:
        click.echo(f"irminpy {metadata.version('irminpy')} ({core})")
    except metadata.PackageNotFoundError:
        click.echo(f"irminpy (a checkout that is not installed; {core})")
    ctx.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--store", metavar="URI", envvar="IRMINPY_STORE", show_envvar=True, help="The store to work on."
)
@click.option(
    "-b",
    "--branch",
    metavar="NAME",
    help="The branch to work on, instead of main.",
    shell_complete=branches,
)
@click.option(
    "--commit",
    metavar="REV",
    help="Read this commit, instead of a branch.",
    shell_complete=branches,
)
@click.option(
    "-C",
    "directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Go to this directory first.",
)
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Read this instead of the nearest irmin.yml.",
)
@click.option("--json", "json_", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "-z", "zero", is_flag=True, help="Print names and paths as they are, each with a NUL behind it."
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour; auto is on a terminal without NO_COLOR.",
)
@click.option("-q", "--quiet", is_flag=True, help="No messages, only data and errors.")
@click.option("-v", "--verbose", count=True, help="More messages; -vv adds the traceback to an error.")
@click.option("--no-pager", is_flag=True, help="Never show long output through a pager.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
@click.pass_context
def main(
    ctx: click.Context,
    store: str | None,
    branch: str | None,
    commit: str | None,
    directory: str | None,
    config: str | None,
    json_: bool,
    zero: bool,
    color: Color,
    quiet: bool,
    verbose: int,
    no_pager: bool,
) -> None:
    """A content-addressed, versioned, branchable tree store.

    Without --store it is the one that the nearest irmin.yml names. A PATH is looked up on the branch, REV:PATH in a
    commit. `irminpy help TOPIC` tells of: revisions, paths, values, irmin.yml, output, status.
    """
    if config is not None:
        config = os.path.abspath(config)
    if directory is not None:
        os.chdir(directory)
    ctx.obj = Options(store, branch, json_, color, quiet, verbose, not no_pager, commit, zero, config)
