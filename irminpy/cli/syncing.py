"""The commands that sync with another store, or with a repository of Git by its URL: clone, fetch, pull, push."""

from __future__ import annotations

import re
from typing import Any

import click

from irminpy import sync
from irminpy.cli.arguments import Named
from irminpy.cli.commits import title
from irminpy.cli.failure import CONFLICT, USAGE, Failure
from irminpy.cli.output import Options, Output, size
from irminpy.cli.place import AnyCommit, AnyStore, branch_of, maker_of, opened, opened_store
from irminpy.cli.progress import Bar, progress
from irminpy.cli.remotes import address
from irminpy.errors import Rejected
from irminpy.formats import Git
from irminpy.hash import SHA1, SHA256
from irminpy.metadata import Modes
from irminpy.registry import carrier_of_url
from irminpy.repo import Repo
from irminpy.schema import Schema
from irminpy.transfer import Advance

__all__ = ["clone", "fetch", "pull", "push"]

_NAME = re.compile(r"[/:]([^/:]+?)(?:\.git)?/*\Z")


def _tell(options: Options, did: str, sent: sync.Sent | None = None, **facts: object) -> None:
    """What was done: a line, or an object."""
    output = Output(options)
    if options.json:
        travelled = {} if sent is None else {name: getattr(sent, name) for name in sync.Sent.__slots__}
        output.record({"did": did, **facts, **travelled})
        return
    output.line(did)
    if sent is not None and sent.objects:
        output.message(
            f"{sent.commits} commits, {sent.nodes} directories, {sent.contents} values, {size(sent.bytes)}"
        )


def _counting(bar: Bar) -> Advance:
    """`bar` as it is told of objects."""
    return lambda sent: bar("objects", sent.objects, 0)


def _schema(remote: str) -> Schema[Any, Any]:
    """What a store must be to take over what `remote` has."""
    carrier = carrier_of_url(remote)
    if carrier is None:
        with opened(maker_of(remote, "clone"), readonly=True) as repo:
            return repo.schema
    heads = carrier.refs().values()
    hash_ = SHA256() if any(len(head) == SHA256().size for head in heads) else SHA1()
    return Schema(metadata=Modes(), hash=hash_, format=Git())


def _name(remote: str) -> str:
    """What a store is called after `remote`."""
    found = _NAME.search(remote.partition("?")[0])
    if found is None:
        what = f"no name can be told from {remote}"
        raise Failure(what, why="the new store needs one", type=f"irminpy clone {remote} URI", status=USAGE)
    return found[1]


def _short(hash_: Any) -> str:
    return "nothing" if hash_ is None else hash_.hex()[:10]


@click.command()
@click.argument("remote", metavar="REMOTE", type=Named())
@click.argument("uri", metavar="[URI]", required=False)
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Only commits at most N parents away.")
@click.pass_obj
def clone(options: Options, remote: str, uri: str | None, depth: int | None) -> None:
    """Make the store URI with all branches of REMOTE: a store, a directory, the URL of a repository of Git, or a name.

    Without a URI it is named after REMOTE: git:NAME or pack:NAME.

    In Python: `sync.fetch_all(repo, remote, prefix="")`.
    """
    remote = address(remote)
    name = "" if uri is not None else _name(remote)
    schema = _schema(remote)
    if uri is None:
        uri = f"{'git' if schema.format == Git() else 'pack'}:{name}"
    with Repo.open(maker_of(uri, "clone"), schema) as repo:
        if repo.branches():
            raise Failure(
                f"{uri} has branches already",
                why="a clone begins with an empty store",
                type=f"irminpy --store {uri} fetch {remote}",
                status=CONFLICT,
            )
        with progress(options, "clone") as bar:
            got = sync.fetch_all(repo, remote, prefix="", depth=depth, progress=_counting(bar))
    names = sorted(got.heads)
    _tell(options, f"cloned {', '.join(names) or 'nothing'} into {uri}", got.sent, store=uri, branches=names)


@click.command()
@click.argument("remote", metavar="[REMOTE]", required=False, type=Named())
@click.option(
    "--prefix", metavar="TEXT", help="Fetch all branches, to branches of this prefix, such as origin/."
)
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Only commits at most N parents away.")
@click.option("--deepen", is_flag=True, help="Also what an earlier fetch with --depth left out.")
@click.pass_obj
def fetch(options: Options, remote: str | None, prefix: str | None, depth: int | None, deepen: bool) -> None:
    """Bring what lacks here of a branch of REMOTE, or of all; without --prefix no branch moves.

    REMOTE is a name (irminpy remote), a store, a directory, or the URL of a repository of Git; origin if not given.

    In Python: `sync.fetch(store, remote)`, `sync.fetch_all(repo, remote, prefix=...)`.
    """
    there = address(remote)
    with opened_store(options, readonly=False) as repo, progress(options, "fetch") as bar:
        advance = _counting(bar)
        if prefix is not None:
            got = sync.fetch_all(repo, there, prefix=prefix, depth=depth, deepen=deepen, progress=advance)
            names = [prefix + name for name in sorted(got.heads)]
            _tell(options, f"fetched {', '.join(names) or 'nothing'}", got.sent, branches=names)
            return
        store = repo.branch(branch_of(options))
        one = sync.fetch(store, there, depth=depth, deepen=deepen, progress=advance)
        head = None if one.head is None else one.head.hash
        _tell(
            options,
            f"{store.name} of the remote is {_short(head)}",
            one.sent,
            head=None if head is None else head.hex(),
        )


@click.command()
@click.argument("remote", metavar="[REMOTE]", required=False, type=Named())
@click.option(
    "--set", "set_", is_flag=True, help="Take over the remote's head, whatever is here, and merge nothing."
)
@click.option("-m", "--message", metavar="TEXT", help="The message of a merge commit.")
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Only commits at most N parents away.")
@click.option("-n", "--dry-run", is_flag=True, help="Fetch, and only say what would become of the branch.")
@click.option("-y", "--yes", is_flag=True, help="With --set: do not ask.")
@click.pass_obj
def pull(
    options: Options,
    remote: str | None,
    set_: bool,
    message: str | None,
    depth: int | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Fetch the branch from REMOTE, as fetch takes it, and merge it into the branch here.

    In Python: `sync.pull(store, remote)`.
    """
    there = address(remote)
    with opened_store(options, readonly=False) as repo:
        store = repo.branch(branch_of(options))
        with progress(options, "pull") as bar:
            theirs = sync.fetch(store, there, depth=depth, progress=_counting(bar)).head
        before, new = store.find_head(), None
        did = f"{store.name} has all of it already"
        if theirs is not None and dry_run:
            if set_ or before is None:
                did = f"{store.name} would move: {_short(before and before.hash)} -> {_short(theirs.hash)}"
            elif theirs not in store.lcas_with_commit(theirs):
                did = f"{store.name} would merge {_short(theirs.hash)}"
        elif theirs is not None and set_ and theirs != before:
            new = _taken_over(store, before, theirs, yes=yes)
        elif theirs is not None and not set_:
            text = f"Merge {store.name} of a remote" if message is None else message
            new = store.merge_with_commit(theirs, message=text)
        if new is not None:
            did = f"{store.name} is at {_short(new.hash)} now"
        _tell(options, did, branch=store.name, head=None if new is None else new.hash.hex())


def _taken_over(store: AnyStore, before: AnyCommit | None, theirs: AnyCommit, *, yes: bool) -> AnyCommit:
    """Move the branch, which stands at `before`, to `theirs`, if whoever is asked agrees."""
    if before is not None and not yes:
        told = f"{store.name}: {before.short()} -> {theirs.short()}   {title(theirs)}"
        click.confirm(f"Move {told}?", abort=True, err=True)
    if not store.test_and_set_head(test=before, set=theirs):
        raise Rejected
    return theirs


@click.command()
@click.argument("remote", metavar="[REMOTE]", required=False, type=Named())
@click.option("--to", metavar="BRANCH", help="The branch of the remote; the same one if not given.")
@click.option(
    "--force", is_flag=True, help="Move it wherever it was; commits that only the remote has may be lost."
)
@click.option("-n", "--dry-run", is_flag=True, help="Send nothing; only say where the branch would move.")
@click.pass_obj
def push(options: Options, remote: str | None, to: str | None, force: bool, dry_run: bool) -> None:
    """Send what REMOTE, as fetch takes it, lacks of the branch, and move its branch there, or fail.

    In Python: `sync.push(store, remote)`.
    """
    there = address(remote)
    with opened_store(options) as repo, progress(options, "push") as bar:
        advance = _counting(bar)
        store = repo.branch(branch_of(options))
        done = sync.push(store, there, branch=to, force=force, dry_run=dry_run, progress=advance)
        head = None if done.head is None else done.head.hash
        if head is None:
            did = f"{store.name} has no head: nothing was pushed"
        else:
            would = " would move" if dry_run else ""
            did = f"{done.branch} of the remote{would}: {_short(done.before)} -> {_short(head)}"
        _tell(
            options,
            did,
            done.sent,
            branch=done.branch,
            before=None if done.before is None else done.before.hex(),
            head=None if head is None else head.hex(),
        )
