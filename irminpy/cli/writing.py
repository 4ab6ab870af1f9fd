"""The commands that write: set, rm, mv, cp, apply, revert. Each makes one commit, or none, and prints the new head."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any, cast

import click

from irminpy import diff
from irminpy.cli.arguments import Place, Revision
from irminpy.cli.commits import how, record_of, saying, tell_head, title
from irminpy.cli.failure import CONFLICT, USAGE, Failure
from irminpy.cli.output import Options, Output, amount
from irminpy.cli.place import AnyTree, commit_of, opened_store, placed, target, writable
from irminpy.cli.values import Form, from_json, parsed, unwritable
from irminpy.errors import Rejected
from irminpy.recorded import Raw

__all__ = ["apply", "cp", "mv", "revert", "rm", "set_"]


@click.command("set")
@click.argument("path", type=Place())
@click.argument("value")
@click.option(
    "--as",
    "form",
    type=click.Choice(["raw", "text", "json", "msgpack", "hex"]),
    help="How VALUE is written; as the type of contents usually is if not given.",
)
@saying
@click.pass_obj
def set_(
    options: Options,
    path: str,
    value: str,
    form: Form | None,
    message: str | None,
    author: str | None,
    date: str | None,
) -> None:
    """Bind PATH to VALUE, in one commit. VALUE is the value, "-" for stdin, or @FILE ("@@..." for one that begins so).

    Nothing is committed if PATH has that value already. A value from stdin or a file is not held in memory.

    In Python: `store.set(path, value, message=...)`, `store.write_stream(path, file)`.
    """
    output = Output(options)
    writing = how("set", message, author, date)
    with opened_store(options, readonly=False) as repo:
        store, steps = target(repo, options, path)
        contents = repo.schema.contents
        if isinstance(contents, Raw):
            raise unwritable(contents)
        if not repo.home.steps(steps):
            what = "the root is a directory"
            raise Failure(what, why="a value has a path", type="irminpy set PATH VALUE", status=USAGE)
        there = store.kind(steps)
        with _given(value) as file:
            if form in (None, "raw") and contents.id in ("bytes", "string/1"):
                made = store.write_stream(steps, file, **writing)
            else:
                made = store.set(steps, parsed(contents, file.read(), form), **writing)
        tell_head(output, store, made, "1 added" if there is None else "1 changed", path=steps.strip("/"))


def _given(value: str) -> IO[bytes]:
    """The bytes that the argument VALUE stands for, as a file."""
    import io  # late: reading needs none of these
    import os

    if value == "-":
        return cast("IO[bytes]", io.BufferedReader(cast("Any", sys.stdin.buffer)))
    if value.startswith("@") and not value.startswith("@@"):
        return open(value[1:], "rb")
    return io.BytesIO(os.fsencode(value.removeprefix("@") if value.startswith("@@") else value))


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=Place())
@click.option("-r", "--recursive", is_flag=True, help="Directories too, with all below.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be removed.")
@saying
@click.pass_obj
def rm(
    options: Options,
    paths: tuple[str, ...],
    recursive: bool,
    dry_run: bool,
    message: str | None,
    author: str | None,
    date: str | None,
) -> None:
    """Remove what is at each PATH, in one commit. The past keeps it: `irminpy cp BRANCH~1:PATH :PATH` has it back.

    All PATHs are on one branch. Exit status 3, with nothing done, if there is nothing at one of them.

    In Python: `store.remove(path)`, `with store.edit() as ed: del ed[path]`.
    """
    output = Output(options)
    with opened_store(options, readonly=dry_run) as repo:
        located = [target(repo, options, path) for path in paths]
        store, tree = located[0][0], located[0][0].tree()
        _same_branch({one.name for one, _ in located})
        removed = sum(_leaving(tree, steps, recursive=recursive) for _, steps in located)
        if dry_run:
            output.line(f"would remove {amount(removed, 'value')} from {store.name}")
            return

        def without(now: AnyTree | None) -> AnyTree | None:
            for _, steps in located if now is not None else ():
                now = None if now is None else now.remove(steps)
            return now

        usual = f"remove {' '.join(steps for _, steps in located)}"
        made = store.with_tree((), without, **how(usual, message, author, date))
        tell_head(output, store, made, f"{removed:,} removed", removed=removed)


def _same_branch(names: set[str | None]) -> None:
    if len(names) > 1:
        raise Failure(
            f"the paths are on {len(names)} branches",
            why="one commit moves one branch",
            type="one command for each branch",
            status=USAGE,
        )


def _leaving(tree: AnyTree, steps: str, *, recursive: bool) -> int:
    """How many values go with `steps`; a directory goes only if `recursive`."""
    found = tree.get_tree(steps)
    if found.kind() == "node" and not recursive:
        what = f"{steps or 'the root'} is a directory"
        raise Failure(what, why="all below would go too", type=f"irminpy rm -r {steps}", status=USAGE)
    return _count(found)


def _count(tree: AnyTree) -> int:
    """How many values there are in `tree`. Cost: its directories."""
    return 1 if tree.kind() == "contents" else tree.stats(force=True).leafs


@click.command()
@click.argument("source", metavar="FROM", type=Place())
@click.argument("to", metavar="TO", type=Place())
@click.option("-f", "--force", is_flag=True, help="Replace what is at TO.")
@saying
@click.pass_obj
def mv(options: Options, /, source: str, to: str, force: bool, **said: str | None) -> None:
    """Move what is at FROM, a value or a directory, to TO on the same branch, in one commit. Nothing is copied.

    In Python: `ed[to] = tree.get_tree(source); del ed[source]` inside `with store.edit() as ed:`.
    """
    output = Output(options)
    with opened_store(options, readonly=False) as repo:
        (store, old), (other, new) = target(repo, options, source), target(repo, options, to)
        _same_branch({store.name, other.name})
        if _inside(repo.home.steps(old), repo.home.steps(new)):
            what = f"{new} is inside {old or 'the root'}, or the same"
            raise Failure(what, why="it would hold itself", type="choose another place", status=USAGE)

        def moved(tree: AnyTree | None) -> AnyTree:
            tree = repo.empty_tree() if tree is None else tree
            moving = tree.get_tree(old)
            return _put(tree.remove(old), new, moving, force=force)

        made = store.with_tree((), moved, **how(f"move {old} to {new}", **said))
        tell_head(output, store, made, f"{old} -> {new}", source=old, to=new)


def _inside(outer: Sequence[str], inner: Sequence[str]) -> bool:
    return tuple(inner[: len(outer)]) == tuple(outer)


def _put(tree: AnyTree, path: str, what: AnyTree, *, force: bool) -> AnyTree:
    root = not path.strip("/")
    if root and what.kind() == "contents":
        what_ = "the root is a directory"
        raise Failure(what_, why="a value has a path", type="choose another place", status=USAGE)
    if not force and (not tree.is_empty() if root else tree.mem_tree(path)):
        raise Failure(
            f"something is at {path or 'the root'}",
            why="it would be replaced",
            type="the same with --force",
            status=CONFLICT,
        )
    return tree.add_tree(path, what)


@click.command()
@click.argument("source", metavar="FROM", type=Place())
@click.argument("to", metavar="TO", type=Place())
@click.option("-f", "--force", is_flag=True, help="Replace what is at TO.")
@saying
@click.pass_obj
def cp(options: Options, /, source: str, to: str, force: bool, **said: str | None) -> None:
    """Bind TO to what is at FROM, which may be of any revision (REV:PATH), in one commit. Nothing is copied.

    In Python: `store.set_tree(to, repo.get_tree(source))`.
    """
    output = Output(options)
    with opened_store(options, readonly=False) as repo:
        there, old = placed(repo, options, source)
        store, new = target(repo, options, to)
        what = there.get_tree(old)

        def copied(tree: AnyTree | None) -> AnyTree:
            return _put(repo.empty_tree() if tree is None else tree, new, what, force=force)

        made = store.with_tree((), copied, **how(f"copy {source} to {new}", **said))
        tell_head(output, store, made, f"{source} -> {new}", source=source, to=new)


@click.command()
@click.argument("file", metavar="FILE", type=click.File("rb"))
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be changed.")
@saying
@click.pass_obj
def apply(options: Options, /, file: IO[bytes], dry_run: bool, **said: str | None) -> None:
    """Make all changes that FILE ("-" is stdin) tells, in one commit. A line is a JSON object:

    \b
    {"path": "a/b", "set": VALUE}
    {"path": "a/b", "remove": true}

    or what `irminpy --json diff` prints: {"path", "added" | "removed" | "updated": ...}, which is also compared with
    what is there; exit status 4, with nothing done, if that is not so.

    In Python: `with store.edit() as ed: ed[path] = value; del ed[path]`.
    """
    output = Output(options)
    with opened_store(options, readonly=dry_run) as repo:
        store = writable(repo, options)
        changes = list(_changes(repo.schema.contents, file))

        def applied(tree: AnyTree | None) -> AnyTree:
            editor = (repo.empty_tree() if tree is None else tree).edit()
            for path, tested, before, after in changes:
                if tested:
                    _require(editor.find(path), before, path)
                if after is None:
                    editor.remove(path)
                else:
                    editor.add(path, after)
            return editor.tree()

        if dry_run:
            tree = applied(store.tree())
            different = sum(1 for _ in store.tree().diff(tree))
            output.line(f"would change {amount(different, 'path')} on {store.name}")
            return
        made = store.with_tree((), applied, **how(f"apply {amount(len(changes), 'change')}", **said))
        tell_head(output, store, made, amount(len(changes), "change"), changes=len(changes))


def _require(found: Any, expected: Any, path: str) -> None:
    if found != expected:
        raise Failure(
            f"{path} is not what the change expects",
            why="somebody has changed it since; nothing was done",
            type="make the changes again from what is there now",
            status=CONFLICT,
        )


def _changes(contents: Any, file: IO[bytes]) -> Iterator[tuple[str, bool, Any, Any]]:
    """(path, whether the value before is known, value before, value after) of each line."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            path = row.pop("path")
            if not isinstance(path, str):
                raise TypeError("a path is a string")
            if set(row) == {"set"}:
                yield path, False, None, from_json(contents, row["set"])
            elif row == {"remove": True}:
                yield path, False, None, None
            else:
                change = diff.from_json(row, lambda value: from_json(contents, value))
                yield path, True, change.before, change.after
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
            raise Failure(
                f"line {number} is no change: {e}",
                why='a change is {"path": ..., "set": ...} or {"path": ..., "remove": true}',
                type="irminpy apply --help",
                status=USAGE,
            ) from e


@click.command()
@click.argument("revision", metavar="REV", type=Revision())
@click.option("-n", "--dry-run", is_flag=True, help="Only say where the branch would stand.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def revert(options: Options, revision: str, dry_run: bool, yes: bool) -> None:
    """Move the branch to the commit REV, wherever it stood. What only it led to is what gc drops.

    In Python: `store.set_head(repo.at(revision).head())`, with `test_and_set_head` if others write.
    """
    output = Output(options)
    with opened_store(options, readonly=dry_run) as repo:
        store = writable(repo, options)
        commit, head = commit_of(repo, revision), store.find_head()
        before = "nowhere" if head is None else head.short()
        told = f"{store.name}: {before} -> {commit.short()}   {title(commit)}"
        if dry_run:
            output.line(f"would move {told}")
            return
        if not yes and head != commit:
            click.confirm(f"Move {told}?", abort=True, err=True)
        if not store.test_and_set_head(test=head, set=commit):
            raise Rejected
        if options.json:
            output.record(
                {
                    "branch": store.name,
                    "before": None if head is None else head.hash.hex(),
                    **record_of(commit),
                }
            )
        else:
            output.line(told)
