"""The commands of proofs, each a thin layer over a function of `irminpy.cli.proofs`."""

from __future__ import annotations

import os
from typing import Any

import click

from irminpy.cli.failure import USAGE, Failure
from irminpy.cli.output import Options, Output
from irminpy.path import as_path, join

__all__ = ["proof", "prove", "verify"]

_SCHEMA = click.option(
    "--schema", metavar="TEXT", help="The schema that you trust, as stats tells it, if not the default."
)


@click.command()
@click.argument("revision", metavar="REV")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("-o", "--output", "target", metavar="FILE", required=True, help='Where to; "-" is stdout.')
@click.option("--absent", is_flag=True, help="Prove whether there is nothing at the paths.")
@click.option("--length", "count", is_flag=True, help="Prove how many entries the directories have.")
@click.option("--list", "page", metavar="OFFSET,N", help="Prove N entries of one directory, from OFFSET on.")
@click.option("--stream", is_flag=True, help="A stream proof: the objects in the order of the reads.")
@click.option("-y", "--yes", is_flag=True, help="Write over a file that is there without asking.")
@click.pass_obj
def prove(
    options: Options,
    revision: str,
    paths: tuple[str, ...],
    target: str,
    absent: bool,
    count: bool,
    page: str | None,
    stream: bool,
    yes: bool,
) -> None:
    """Write a proof of what is at each PATH in the tree of REV, with the bytes of its commit, to a file.

    Whoever trusts the root or the commit can verify it without the store. A PATH that leads to nothing is proved, too.
    """
    from irminpy.cli.proofs import proved  # late: other commands need no store

    if target != "-" and os.path.exists(target) and not yes:
        click.confirm(f"{target} is there. Write over it?", abort=True, err=True)
    question = _question(paths, absent=absent, count=count, page=page)
    told = proved(options.store, revision, question, target, stream=stream)
    if target == "-":
        Output(options).message(str(told))
    else:
        Output(options).told(told)


@click.command()
@click.argument("source", metavar="FILE")
@click.option("--root", metavar="HASH", help="The hash of the root that you trust.")
@click.option("--commit", metavar="HASH", help="The hash of the commit that you trust.")
@_SCHEMA
@click.pass_obj
def verify(options: Options, source: str, root: str | None, commit: str | None, schema: str | None) -> None:
    """Verify the proof in FILE ("-" is stdin), and print what it proves. No store is needed.

    Exit status 1 if the proof is refused.
    """
    from irminpy.cli.proofs import verified  # late, as in prove

    Output(options).told(verified(source, schema, root, commit))


@click.group()
def proof() -> None:
    """Files of proofs."""


@proof.command("show")
@click.argument("source", metavar="FILE")
@_SCHEMA
@click.pass_obj
def proof_show(options: Options, source: str, schema: str | None) -> None:
    """Print what the proof in FILE claims, which may be false; with --json all of it."""
    from irminpy.cli.proofs import claimed  # late, as in prove

    Output(options).told(claimed(source, schema))


def _question(paths: tuple[str, ...], *, absent: bool, count: bool, page: str | None) -> dict[str, Any]:
    asked = [join(as_path(path)) for path in paths]
    if absent + count + (page is not None) > 1 or (page is not None and len(asked) != 1):
        raise Failure(
            "a proof answers one question",
            why="--absent, --length and --list are different ones, and --list is about one directory",
            type="irminpy prove REV PATH -o FILE --list 0,10",
            status=USAGE,
        )
    if page is None:
        return {"absence" if absent else "length" if count else "read": asked}
    offset, _, n = page.partition(",")
    if not offset.isdecimal() or not n.isdecimal():
        raise Failure(
            f"{page!r} is no page",
            why="a page is two numbers: the entries before it and those on it",
            type="irminpy prove REV PATH -o FILE --list 0,10",
            status=USAGE,
        )
    return {"page": [asked[0], int(offset), int(n)]}
