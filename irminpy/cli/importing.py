"""The command that copies branches from any store into another."""

from __future__ import annotations

import sys
from typing import Any

import click

from irminpy.cli.output import Options, Output, amount, size

__all__ = ["import_"]


@click.command("import")
@click.argument("source", metavar="URI")
@click.option("--only", metavar="BRANCH", multiple=True, help="Import this branch only; may be repeated.")
@click.option(
    "--prefix", default="", metavar="TEXT", help="What the branches are called here before their name."
)
@click.option(
    "--schema",
    metavar="TEXT",
    help="The schema of the source, if its files do not say it and it is not the usual one.",
)
@click.option("--force", is_flag=True, help="Move branches that are here even where that loses commits.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be imported.")
@click.pass_obj
def import_(
    options: Options,
    source: str,
    only: tuple[str, ...],
    prefix: str,
    schema: str | None,
    force: bool,
    dry_run: bool,
) -> None:
    """Copy the branches of the store URI, with their whole history, into the store; hashes stay what they are.

    URI is that of any store: irmin-pack:DIR, irmin-fs:DIR, git:DIR, pack:DIR. A store that is not there is made,
    with the schema of the source. Interrupted, it has moved no branch, and goes on from there when it is repeated.
    """
    from irminpy.cli.carrying import imported  # late: other commands need no store

    output = Output(options)
    last = 0

    def advance(sent: Any) -> None:
        nonlocal last
        if sent.objects >= last + _STEP:
            last = sent.objects
            output.message(f"{amount(sent.objects, 'object')}, {size(sent.bytes)}")

    told = imported(
        options.store,
        source,
        branches=only or None,
        prefix=prefix,
        schema=schema,
        force=force,
        dry_run=dry_run,
        advance=advance if sys.stderr.isatty() or options.verbose else None,
    )
    if options.json:
        output.record(told.to_json())
    else:
        for line in str(told).splitlines():
            output.line(line)


_STEP = 10_000  # objects between two messages
