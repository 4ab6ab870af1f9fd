"""The commands that copy branches: import, from any store or a slice in a file, and export, into such a file."""

from __future__ import annotations

import os

import click

from irminpy.cli.arguments import Revision
from irminpy.cli.carrying import imported
from irminpy.cli.failure import USAGE, Failure
from irminpy.cli.output import Options, Output, size
from irminpy.cli.progress import progress
from irminpy.cli.slicing import entered, is_slice, left

__all__ = ["export", "import_"]


@click.command("import")
@click.argument("source", metavar="SOURCE")
@click.option("--only", metavar="BRANCH", multiple=True, help="Import this branch only; may be repeated.")
@click.option(
    "--prefix", default="", metavar="TEXT", help="What stands before the names of the branches here."
)
@click.option(
    "--schema",
    metavar="TEXT",
    help="The schema of the source, if its files do not say it and it is not the usual one.",
)
@click.option("--force", is_flag=True, help="Move branches that are here even where that loses commits.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be imported.")
@click.option("--shallow", is_flag=True, help="Of a file: parents of its commits may be nowhere.")
@click.pass_obj
def import_(
    options: Options,
    source: str,
    only: tuple[str, ...],
    prefix: str,
    schema: str | None,
    force: bool,
    dry_run: bool,
    shallow: bool,
) -> None:
    """Copy the branches of SOURCE, with their whole history, into the store; hashes stay what they are.

    SOURCE is the URI of any store: irmin-pack:DIR, irmin-fs:DIR, git:DIR, pack:DIR. A store that is not there is made,
    with the schema of the source. Interrupted, it has moved no branch, and goes on from there when it is repeated.

    Or it is a FILE that export wrote, "-" for stdin, for a store that is there: what lacks is written, then branches
    move forward.

    In Python: `importing.import_branches(mine, theirs)`, `slice_files.read_slice(repo, file)`.
    """
    if is_slice(source):
        _entered(options, source, only=only, prefix=prefix, force=force, dry_run=dry_run, shallow=shallow)
        return
    with progress(options, "import") as bar:
        told = imported(
            options.store,
            source,
            branches=only or None,
            prefix=prefix,
            schema=schema,
            force=force,
            dry_run=dry_run,
            advance=lambda sent: bar("objects", sent.objects, 0),
        )
    Output(options).told(told)


def _entered(
    options: Options,
    source: str,
    *,
    only: tuple[str, ...],
    prefix: str,
    force: bool,
    dry_run: bool,
    shallow: bool,
) -> None:
    if dry_run:
        why = "what a slice holds is known once it is read"
        raise Failure("a file has no dry run", why=why, type=f"irminpy import {source}", status=USAGE)
    told = entered(options, source, only=only, prefix=prefix, force=force, shallow=shallow)
    if options.json:
        Output(options).record(told._asdict())
        return
    for name, head in told.branches.items():
        Output(options).line(f"{name}  {head[:10]}")
    Output(options).message(f"{told.objects} objects")


@click.command()
@click.argument("revision", metavar="[REV]", required=False, type=Revision())
@click.option("-o", "--output", "target", metavar="FILE", default="-", help="Where to; stdout without it.")
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Only commits at most N parents away.")
@click.option(
    "--since", metavar="REV", multiple=True, help="Without what REV holds, which whoever imports has already."
)
@click.option("-y", "--yes", is_flag=True, help="Write over a file that is there without asking.")
@click.pass_obj
def export(
    options: Options, revision: str | None, target: str, depth: int | None, since: tuple[str, ...], yes: bool
) -> None:
    """Write the history of REV with its trees, as a slice, to a file or stdout; import reads it.

    REV is the branch that is worked on if it is not given. The file holds one object at a time in memory.

    In Python: `slice_files.write_slice(repo, file, max=[commit])`.
    """
    if target != "-" and os.path.exists(target) and not yes:
        click.confirm(f"{target} is there. Write over it?", abort=True, err=True)
    told = left(options, revision, target, depth=depth, since=since)
    if target != "-" and options.json:
        heads = [head.hex() for head in told.heads]
        Output(options).record({"file": target, "objects": told.objects, "bytes": told.bytes, "heads": heads})
    else:
        Output(options).message(f"{told.objects} objects, {size(told.bytes)}")
