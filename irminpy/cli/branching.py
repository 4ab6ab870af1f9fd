"""The commands branch, tag and checkout. A tag is a branch below tags/, which nothing moves by itself."""

from __future__ import annotations

import os

import click

from irminpy.cli import config
from irminpy.cli.arguments import Revision
from irminpy.cli.commits import TAGS, record_of, title
from irminpy.cli.failure import ABSENT, CONFLICT, USAGE, Failure
from irminpy.cli.output import Options, Output
from irminpy.cli.place import AnyRepo, branch_of, commit_of, configured, opened_store, standing

__all__ = ["branch", "checkout", "tag"]


@click.command()
@click.argument("name", required=False, type=Revision())
@click.argument("revision", metavar="[REV]", required=False, type=Revision())
@click.option("-d", "--delete", is_flag=True, help="Remove NAME. Its commits stay until gc.")
@click.option("-f", "--force", is_flag=True, help="Move NAME if it is there.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def branch(
    options: Options,
    name: str | None,
    revision: str | None,
    delete: bool,
    force: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """List the branches, or make the branch NAME at REV (where you are, without REV).

    In Python: `repo.branches()`, `store.clone(name)`, `repo.remove_branch(name)`.
    """
    _refs(options, name, revision, "", delete=delete, force=force, dry_run=dry_run, yes=yes)


@click.command()
@click.argument("name", required=False, type=Revision())
@click.argument("revision", metavar="[REV]", required=False, type=Revision())
@click.option("-d", "--delete", is_flag=True, help="Remove NAME. Its commits stay until gc.")
@click.option("-f", "--force", is_flag=True, help="Move NAME if it is there.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def tag(
    options: Options,
    name: str | None,
    revision: str | None,
    delete: bool,
    force: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """List the tags, or give the commit REV (where you are, without REV) the tag NAME.

    A tag is the branch tags/NAME, so it is kept, copied and collected as branches are. A revision may be the bare NAME
    unless a branch is called so.

    In Python: `repo.branch("tags/NAME").set_head(commit)`.
    """
    _refs(options, name, revision, TAGS, delete=delete, force=force, dry_run=dry_run, yes=yes)


def _refs(
    options: Options,
    name: str | None,
    revision: str | None,
    above: str,
    *,
    delete: bool,
    force: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """What branch and tag have in common; the refs begin with `above`."""
    if delete and (name is None or revision is not None):
        raise click.UsageError("-d takes one NAME", click.get_current_context())
    output = Output(options)
    with opened_store(options, readonly=name is None or dry_run) as repo:
        if name is None:
            with output.paged():
                _list(output, repo, above)
        elif delete:
            _delete(output, repo, above, name, dry_run=dry_run, yes=yes)
        else:
            _make(output, repo, above, name, revision, force=force, dry_run=dry_run)


def _list(output: Output, repo: AnyRepo, above: str) -> None:
    options = output.options
    here = branch_of(options)
    for full in repo.branches():
        if full.startswith(TAGS) != bool(above):
            continue
        name = full[len(above) :]
        commit = repo.branch(full).head()
        if options.json:
            output.record({"name": name, "here": full == here, **record_of(commit)})
        elif options.zero or not (output.styled or options.verbose):
            output.item(name)
        else:
            mark = ("* " if full == here else "  ", "green")
            output.row(
                mark, (f"{name:<20}", "bold green"), " ", (commit.short(), "yellow"), f"  {title(commit)}"
            )


def _make(
    output: Output, repo: AnyRepo, above: str, name: str, revision: str | None, *, force: bool, dry_run: bool
) -> None:
    options = output.options
    store = repo.branch(above + name)
    commit = standing(repo, options).head() if revision is None else commit_of(repo, revision)
    before = store.find_head()
    if before is not None and before != commit and not force:
        what = f"{above}{name} is there already, at {before.short()}"
        raise Failure(what, why="it would be moved", type="the same with --force", status=CONFLICT)
    if not dry_run and not store.test_and_set_head(test=before, set=commit):
        raise Failure(f"{name} has moved meanwhile", why="another writer", type="try again", status=CONFLICT)
    did = "would be at" if dry_run else "is at"
    if options.json:
        output.record({"name": name, "changed": before != commit and not dry_run, **record_of(commit)})
    else:
        output.row(
            (above + name, "bold green"), f" {did} ", (commit.short(), "yellow"), f"   {title(commit)}"
        )


def _delete(output: Output, repo: AnyRepo, above: str, name: str, *, dry_run: bool, yes: bool) -> None:
    if above + name not in repo.branches():
        what = f"{above}{name} is not there"
        kind = "tag" if above else "branch"
        raise Failure(what, why=f"no {kind} is called that", type=f"irminpy {kind}", status=ABSENT)
    head = repo.branch(above + name).head()
    if dry_run:
        output.line(f"would remove {above}{name}, which is at {head.short()}")
        return
    if not yes:
        click.confirm(f"Remove {above}{name}, which is at {head.short()}?", abort=True, err=True)
    repo.remove_branch(above + name)
    if output.options.json:
        output.record({"name": name, "removed": True, **record_of(head)})
    else:
        output.line(f"removed {above}{name}, which was at {head.hash.hex()}")


@click.command()
@click.argument("name", type=Revision())
@click.option("-c", "--create", is_flag=True, help="Make it first, where you are.")
@click.pass_obj
def checkout(options: Options, name: str, create: bool) -> None:
    """Make NAME the branch of this directory: `irmin.yml` names it. There is no work tree, so nothing else happens.

    In Python: `repo.branch(name)`.
    """
    output = Output(options)
    known = configured()
    with opened_store(options, readonly=not create) as repo:
        if create:
            _make(output, repo, "", name, None, force=False, dry_run=False)
        elif name not in repo.branches():
            commit = commit_of(repo, name)  # a Failure that guesses, unless it is a commit or a tag
            what = f"{name} is the commit {commit.short()}, and no branch"
            raise Failure(what, why="a branch is worked on", type=f"irminpy branch NAME {name}", status=USAGE)
    file = known.file
    values = {"branch": name}
    if file is None:
        file = os.path.abspath(config.FILE)
        if options.store is not None:
            values = {"store": options.store, **values}
    config.changed(file, values)
    output.message(f"{os.path.relpath(file)}: branch {name}")
