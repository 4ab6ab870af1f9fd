"""The command `irminpy`: click's group `main` and the commands, each a thin layer over public functions.

`tending.py` has those that take care of a store, `serving.py` the one that serves it.

Data goes to stdout, messages to stderr. An error is three lines: what, why, what to type; `-vv` adds the
traceback. `failure.py` has the exit statuses.
"""

from __future__ import annotations

import difflib
import os
import traceback
from typing import Any

import click

from irminpy.cli.failure import failure_of
from irminpy.cli.output import Color, Options, Output, shown
from irminpy.cli.serving import serve
from irminpy.cli.tending import fsck, gc, index, snapshot, stats, traverse

__all__ = ["main"]


class _Group(click.Group):
    """A group that tells errors in three lines and guesses what a misspelt command meant."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("verbose", 0) >= 2:
                click.echo(shown_block("".join(traceback.format_exception(error))), err=True, nl=False)
            failure = failure_of(error)
            for line in failure.lines():
                click.echo(shown(line), err=True)
            ctx.exit(failure.status)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
        if near and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)


def shown_block(text: str) -> str:
    """`text` of several lines, each as `shown` gives it."""
    return "".join(shown(line) + "\n" for line in text.splitlines())


def _version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    from importlib import metadata  # late: only this option needs it

    try:
        click.echo(f"irminpy {metadata.version('irminpy')}")
    except metadata.PackageNotFoundError:
        click.echo("irminpy (a checkout that is not installed)")
    ctx.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--store", metavar="URI", envvar="IRMINPY_STORE", show_envvar=True, help="The store to work on."
)
@click.option("-b", "--branch", metavar="NAME", help="The branch to work on, instead of main.")
@click.option(
    "-C",
    "directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Go to this directory first.",
)
@click.option("--json", "json_", is_flag=True, help="Print JSON, for programs.")
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
    directory: str | None,
    json_: bool,
    color: Color,
    quiet: bool,
    verbose: int,
    no_pager: bool,
) -> None:
    """A content-addressed, versioned, branchable tree store."""
    if directory is not None:
        os.chdir(directory)
    ctx.obj = Options(store, branch, json_, color, quiet, verbose, not no_pager)


@main.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path())
@click.pass_obj
def demo(options: Options, directory: str | None) -> None:
    """Import DIR (irminpy's own files by default), branch, change, merge, and show it.

    DIR is only read. The store is a pack in a temporary directory, and gone afterwards.
    """
    from pathlib import Path  # late, like the demo itself: --help and other commands need neither

    from irminpy.cli.demo import demonstrate

    root = Path(directory) if directory is not None else Path(__file__).parent.parent
    output = Output(options)
    records: list[dict[str, object]] = []
    total = 0.0
    for number, step in enumerate(demonstrate(root)):
        total += step.seconds
        if options.json:
            records.append(
                {"step": step.name, "seconds": step.seconds, **step.facts, "lines": list(step.lines)}
            )
            continue
        if number == 0:
            output.line(f"demo of {root}", "bold")
        output.line(f"{step.name:<7} {step.seconds:8.3f} s  {step.did}", "bold cyan")
        for line in step.lines:
            output.line(f"    {line}")
        for name in ("root", "main", "work"):
            if name in step.facts:
                output.line(f"    {name} hash {step.facts[name]}", "dim")
    if options.json:
        output.record({"directory": shown(str(root)), "steps": records, "seconds": total})
    else:
        output.line(f"done    {total:8.3f} s", "bold green")


for command in (fsck, gc, index, serve, snapshot, stats, traverse):
    main.add_command(command)
