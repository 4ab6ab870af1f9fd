"""The commands that take care of a store, each a thin layer over a function of `irminpy.cli.care`."""

from __future__ import annotations

import os

import click

from irminpy.cli.care import checked, collected, exported, imported, measured, reindexed, traversed
from irminpy.cli.commits import date_of
from irminpy.cli.output import Options, Output
from irminpy.cli.place import opened_store, standing
from irminpy.cli.progress import progress

__all__ = ["fsck", "gc", "index", "snapshot", "stats", "traverse"]


@click.command()
@click.option(
    "--level",
    default="deep",
    show_default=True,
    metavar="LEVEL",
    help="How deep: frames, hashes, graph, index or deep, each with those before it.",
)
@click.option(
    "--quarantine",
    metavar="DIR",
    type=click.Path(),
    help="Copy what is damaged there, and tell what it affects.",
)
@click.option(
    "--repair",
    is_flag=True,
    help="Put in order what is derived, and check at the deepest level. Data is not touched.",
)
@click.pass_obj
@click.pass_context
def fsck(ctx: click.Context, options: Options, level: str, quarantine: str | None, repair: bool) -> None:
    """Check the store and tell all that is wrong. Nothing is written, unless --repair is given.

    Exit status 0: nothing is wrong. 1: only what is derived, which --repair or the next writer puts in order. 5: data
    is damaged.
    """
    with progress(options, "fsck") as bar:
        status, told = checked(options.store, level, quarantine=quarantine, repair=repair, progress=bar)
    Output(options).told(*told)
    ctx.exit(status)


@click.command()
@click.option(
    "--history", "branches", metavar="BRANCH", multiple=True, help="Keep the history of these branches only."
)
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Keep commits at most N parents away.")
@click.option(
    "--since", metavar="DATE", help="Keep commits since then: seconds since 1970, 2026-11-22, or as in 7d."
)
@click.option("--keep", metavar="REV", multiple=True, help="Keep this commit and its history too.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be kept and freed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def gc(
    options: Options,
    branches: tuple[str, ...],
    depth: int | None,
    since: str | None,
    keep: tuple[str, ...],
    dry_run: bool,
    yes: bool,
) -> None:
    """Drop what no branch leads to, and the history that is not to be kept. Every head stays.

    Readers and writers may go on meanwhile. Interrupted, it has done nothing.
    """
    if not (dry_run or yes):
        click.confirm("What is dropped cannot be had back. Go on?", abort=True, err=True)
    with progress(options, "gc") as bar:
        report = collected(
            options.store,
            branches=branches,
            depth=depth,
            since=None if since is None else date_of(since),
            keep=keep,
            dry_run=dry_run,
            progress=bar,
        )
    Output(options).told(report)


@click.group()
def index() -> None:
    """The index of the store, which is derived."""


@index.command("rebuild")
@click.pass_obj
def index_rebuild(options: Options) -> None:
    """Make the index anew from the data, and tell what differed from the old one.

    With --store pack:DIR?index=minimal the index of commits is made, else that of all objects.
    """
    with progress(options, "index rebuild") as bar:
        told = reindexed(options.store, progress=bar)
    Output(options).told(told)


@click.command()
@click.option("--garbage", is_flag=True, help="Also tell what gc would free, which takes about as long.")
@click.pass_obj
def stats(options: Options, garbage: bool) -> None:
    """Tell what the store holds: segments, objects by kind, branches, indexes, sharing, and what was lost."""
    with progress(options, "stats") as bar:
        told = measured(options.store, garbage=garbage, progress=bar)
    Output(options).told(told)


@click.command()
@click.pass_obj
def traverse(options: Options) -> None:
    """Tell every record of the store, in the order in which it was written, one on each line.

    With --json a line is an object: segment, at, offset, kind, units, bytes, hash, word, refs, and what it says.
    Bytes that are no record have the kind "?".
    """
    for row in traversed(options.store):
        Output(options).told(row)


@click.group(invoke_without_command=True)
@click.pass_context
def snapshot(ctx: click.Context) -> None:
    """Print the hash of the head, which revert takes; or copy a store, or one commit, to a file and back."""
    if ctx.invoked_subcommand is None:
        options = ctx.ensure_object(Options)
        with opened_store(options) as repo:
            output, head = Output(options), standing(repo, options).head()
            if options.json:
                output.record({"commit": head.hash.hex()})
            else:
                output.line(head.hash.hex())


@snapshot.command("export")
@click.argument("revision", metavar="[REV]", required=False)
@click.option("-o", "--output", "target", metavar="FILE", default="-", help="Where to; stdout without it.")
@click.option("--depth", type=click.IntRange(min=0), metavar="N", default=0, help="With REV: N parents too.")
@click.option("-y", "--yes", is_flag=True, help="Write over a file that is there without asking.")
@click.pass_obj
def snapshot_export(options: Options, revision: str | None, target: str, depth: int, yes: bool) -> None:
    """Write the commit REV with its tree, or without REV all branches with their history, to a file.

    Every object is checked on the way. A commit becomes the head of the branch REV, or else of main.
    """
    if target != "-" and os.path.exists(target) and not yes:
        click.confirm(f"{target} is there. Write over it?", abort=True, err=True)
    with progress(options, "export") as bar:
        told = exported(options.store, revision, target, depth=depth, progress=bar)
    if target == "-":
        Output(options).message(str(told))
    else:
        Output(options).told(told)


@snapshot.command("import")
@click.argument("source", metavar="FILE")
@click.option(
    "--schema", metavar="TEXT", help="The schema of the snapshot as stats tells it, if it is not the default."
)
@click.pass_obj
def snapshot_import(options: Options, source: str, schema: str | None) -> None:
    """Make the store, which must not exist yet, from the snapshot in FILE ("-" is stdin).

    All of it is checked before the store has its name; if anything is wrong, nothing is there.
    """
    with progress(options, "import") as bar:
        told = imported(options.store, source, schema, progress=bar)
    Output(options).told(told)
