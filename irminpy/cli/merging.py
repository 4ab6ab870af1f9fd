"""The commands merge and lca."""

from __future__ import annotations

import click

from irminpy.cli.arguments import Revision
from irminpy.cli.commits import how, record_of, saying, tell_head, title
from irminpy.cli.differing import tell_changes
from irminpy.cli.failure import CONFLICT, Failure
from irminpy.cli.output import Options, Output, amount
from irminpy.cli.place import AnyStore, at, branch_of, commit_of, opened_store, writable
from irminpy.cli.values import brief, to_json
from irminpy.errors import MergeConflict, ReadOnly
from irminpy.path import join
from irminpy.tree import Tree

__all__ = ["lca", "merge"]


@click.command()
@click.argument("revision", metavar="REV", type=Revision())
@click.option("--strategy", type=click.Choice(["ours", "theirs"]), help="What to do with conflicts.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say whether it would work.")
@saying
@click.pass_obj
def merge(
    options: Options, /, revision: str, strategy: str | None, dry_run: bool, **said: str | None
) -> None:
    """Merge the commit REV, most often a branch, into the branch; where it only goes on, the branch moves there.

    Values merge by their type: JSON key by key, counters add up. Where both sides changed the same, nothing is written,
    each path is told with all three sides, and the exit status is 4. With --strategy ours or theirs that side wins.

    In Python: `store.merge_with_branch(name, on_conflict="ours")`, `store.merge_with_commit(commit)`.
    """
    output = Output(options)
    with opened_store(options, readonly=dry_run) as repo:
        store, theirs = writable(repo, options), commit_of(repo, revision)
        before = store.tree()
        into = repo.detached(store.head()) if dry_run and store.find_head() is not None else store
        writing = how(f"merge {revision}", **said)
        try:
            made = into.merge_with_commit(theirs, on_conflict=strategy, **writing)  # type: ignore[arg-type]  # checked by click
        except MergeConflict as e:
            _tell_conflicts(output, store, e)
            type_ = f"irminpy merge {revision} --strategy ours|theirs"
            raise Failure("nothing was written", why=str(e), type=type_, status=CONFLICT) from e
        except ReadOnly:
            if not dry_run:
                raise
            output.line(f"{revision} would be merged into {branch_of(options)} without a conflict")
            return
        if dry_run:
            output.line(
                f"{branch_of(options)} {'has all of it already' if made is None else 'would move there'}"
            )
            return
        tell_head(output, store, made)
        if made is not None and options.verbose:
            tell_changes(output, before, store.tree(), stat=True)


def _tell_conflicts(output: Output, store: AnyStore, error: MergeConflict) -> None:
    """Each path with the value of the ancestor, of the branch, and of what is merged."""
    contents = store.tree().schema.contents
    if not output.options.json:
        output.line(f"conflict in {amount(len(error.conflicts), 'path')}; nothing was written", "bold red")
    for conflict in error.conflicts:
        sides = {"base": conflict.base, "ours": conflict.ours, "theirs": conflict.theirs}
        if output.options.json:
            told = {
                name: None
                if side is None
                else {"tree": side.hash().hex()}
                if isinstance(side, Tree)
                else {"value": to_json(contents, side)}
                for name, side in sides.items()
            }
            output.record({"path": join(conflict.path), "reason": conflict.reason, **told})
            continue
        words = [
            f"{name} {'-' if side is None else 'a directory' if isinstance(side, Tree) else brief(side)}"
            for name, side in sides.items()
        ]
        output.row("  ", (f"{join(conflict.path):<26}", "bold"), "   ".join(["", *words]))
        if output.options.verbose:
            output.line(f"    {conflict.reason}", "dim")


@click.command()
@click.argument("a", metavar="A", type=Revision())
@click.argument("b", metavar="B", type=Revision())
@click.option("--max-depth", type=click.IntRange(min=0), metavar="N", help="Look N generations back at most.")
@click.pass_obj
def lca(options: Options, a: str, b: str, max_depth: int | None) -> None:
    """Show the least common ancestors of A and B: what a merge takes for the base. Exit status 1 if there is none.

    In Python: `repo.at(a).lcas(repo.at(b))`.
    """
    output = Output(options)
    with opened_store(options) as repo:
        found = at(repo, a).lcas(at(repo, b), max_depth=max_depth)
        for commit in found:
            if options.json:
                output.record(record_of(commit))
            else:
                output.item(commit.hash.hex(), f"  {title(commit)}", style="yellow")
    if not found:
        click.get_current_context().exit(1)
