"""The commands that tell of the past: log, show, blame, dot, reflog."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import click

from irminpy.cli.arguments import Place, Revision, verifying
from irminpy.cli.commits import date_of, iso, names, record_of, title, when
from irminpy.cli.differing import tell_changes
from irminpy.cli.output import Options, Output, Span, is_terminal
from irminpy.cli.place import AnyCommit, at, commit_of, maker_of, opened_store, placed, standing, unable
from irminpy.cli.rails import Rails
from irminpy.path import join
from irminpy.upkeep import Traversing

__all__ = ["blame", "dot", "log", "reflog", "show"]


@click.command()
@click.argument("revision", metavar="[REV]", required=False, type=Revision())
@click.option("-n", "--max-count", "n", type=click.IntRange(min=0), metavar="N", help="N commits at most.")
@click.option("--skip", type=click.IntRange(min=0), default=0, metavar="N", help="Leave out the first N.")
@click.option("--path", type=Place(), help="Only commits that changed what is there.")
@click.option("--since", metavar="DATE", help="Only commits that are not older.")
@click.option("--reverse", is_flag=True, help="The oldest first.")
@click.option("--first-parent", is_flag=True, help="Of a merge, go on with what it was merged into.")
@click.option("--graph", is_flag=True, help="Draw how they follow from each other.")
@click.option("--plain", is_flag=True, help="No pager and no colour.")
@click.option("--pager", metavar="PROG", help="Use this pager.")
@verifying
@click.pass_obj
def log(
    options: Options,
    revision: str | None,
    n: int | None,
    skip: int,
    path: str | None,
    since: str | None,
    reverse: bool,
    first_parent: bool,
    graph: bool,
    plain: bool,
    pager: str | None,
) -> None:
    """Show the commits from the head of the branch, or from REV, back to the first: children before parents.

    A line has hash, branches and tags, message, author and date; with -v the whole message, and the parents.

    In Python: `store.log(n=..., path=..., first_parent=...)`.
    """
    output = Output(options)
    oldest = None if since is None else date_of(since)
    with opened_store(options) as repo:
        store = standing(repo, options) if revision is None else at(repo, revision)
        found = store.log(path=path, first_parent=first_parent, shallow=True)
        found = (commit for commit in found if oldest is None or commit.info.date >= oldest)
        found = islice(found, skip, None if n is None else skip + n)
        commits: Iterable[AnyCommit] = reversed(list(found)) if reverse else found
        refs = names(repo)
        if plain:
            output.styled = False
            _tell_log(output, commits, refs, graph=graph)
            return
        with output.paged(pager):
            _tell_log(output, commits, refs, graph=graph)


def _tell_log(output: Output, commits: Iterable[AnyCommit], refs: Any, *, graph: bool) -> None:
    rails = Rails()
    for commit in commits:
        if output.options.json:
            output.record(record_of(commit, refs.get(commit.hash, ())))
            continue
        if output.options.zero:
            output.item(commit.hash.hex())
            continue
        before, below = rails.draw(commit.hash, commit.past) if graph else ("", [])
        output.row((f"{before}  " if graph else "", "red"), *_told(commit, refs.get(commit.hash, ())))
        side = " ".join("|" for _ in rails.waiting) if graph else ""
        if output.options.verbose:
            for line in _whole(commit):
                output.row((f"{side}  " if graph else "", "red"), f"    {line}")
        for line in below:
            output.line(line, "red")


def _told(commit: AnyCommit, refs: Sequence[str]) -> list[Span]:
    relative = is_terminal(sys.stdout)
    spans: list[Span] = [(commit.short(), "yellow"), "  "]
    if refs:
        spans += ["[", (", ".join(refs), "bold green"), "]  "]
    spans += [title(commit), "   ", (commit.info.author, "dim"), "  "]
    return [*spans, (when(commit.info.date, relative=relative), "dim")]


def _whole(commit: AnyCommit) -> Iterator[str]:
    yield f"commit {commit.hash.hex()}"
    yield from (f"parent {parent.hex()}" for parent in commit.parents)
    yield from commit.info.message.splitlines()
    yield ""


@click.command()
@click.argument("place", metavar="REV", required=False, type=Place())
@click.option("--stat", is_flag=True, help="Only what changed, without values.")
@verifying
@click.pass_obj
def show(options: Options, place: str | None, stat: bool) -> None:
    """Show a commit, the head of the branch without REV, and what it changed: against its first parent.

    In Python: `commit = repo.at(rev).head()`; `commit.info`, `commit.parents`, `before.tree().diff(commit.tree())`.
    """
    output = Output(options)
    with opened_store(options) as repo, output.paged():
        commit = standing(repo, options).head() if place is None else commit_of(repo, place.partition(":")[0])
        path = "" if place is None else place.partition(":")[2]
        refs = names(repo).get(commit.hash, [])
        before = repo.commit(commit.past[0]).tree() if commit.past else repo.empty_tree()
        if options.json:
            output.record(record_of(commit, refs))
            tell_changes(output, before, commit.tree(), path, stat=stat)
            return
        output.row((f"commit {commit.hash.hex()}", "yellow"), *[(f" {name}", "bold green") for name in refs])
        for parent in commit.parents:
            output.line(f"parent {parent.hex()}", "" if parent in commit.past else "dim")
        output.line(f"tree   {commit.tree_hash.hex()}")
        output.line(f"author {commit.info.author}")
        output.line(f"date   {iso(commit.info.date)}")
        output.line("")
        for line in commit.info.message.splitlines():
            output.line(f"    {line}")
        output.line("")
        tell_changes(output, before, commit.tree(), path, stat=stat)


@click.command()
@click.argument("path", required=False, default="", type=Place())
@verifying
@click.pass_obj
def blame(options: Options, path: str) -> None:
    """Tell of each value at or below PATH which commit made it what it is, the newest first.

    In Python: `irminpy.blame.blame(store, path)`.
    """
    from irminpy.blame import blame as found  # late: only here

    output = Output(options)
    with opened_store(options) as repo, output.paged():
        store, steps = placed(repo, options, path)
        for where, commit in found(store, steps):
            if options.json:
                output.record({"path": join(where), **record_of(commit)})
                continue
            date = when(commit.info.date, relative=is_terminal(sys.stdout))
            output.row(
                (commit.short(), "yellow"),
                f"  {join(where):<28}  {title(commit)}   ",
                (commit.info.author, "dim"),
                "  ",
                (date, "dim"),
            )


@click.command()
@click.argument("base", metavar="[BASENAME]", required=False)
@click.option("--svg", is_flag=True, help="A picture of the history, made without Graphviz.")
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Commits at most N parents away.")
@click.option("--full", is_flag=True, help="With the trees.")
@click.option("--no-dot-call", is_flag=True, help="With BASENAME: do not call dot.")
@click.pass_obj
def dot(
    options: Options, base: str | None, svg: bool, depth: int | None, full: bool, no_dot_call: bool
) -> None:
    """Print the history as a graph in the language of Graphviz, or as a picture with --svg.

    With BASENAME it goes to BASENAME.dot (or BASENAME.svg), and `dot` is called to make BASENAME.png, if it is there.

    In Python: `irminpy.dot.dot(repo)`, `irminpy.dot.svg(repo)`.
    """
    import irminpy.dot as draw  # late: only here

    output = Output(options)
    with opened_store(options) as repo:
        heads = {name: repo.branch(name).head() for name in repo.branches()}
        history = repo.empty().history(depth=depth, max=heads.values(), shallow=True)
        text = draw.svg(history, branches=heads) if svg else draw.dot(history, branches=heads, full=full)
    if base is None:
        output.write(text)
        return
    file = f"{base}.{'svg' if svg else 'dot'}"
    with open(file, "w", encoding="utf-8") as target:
        target.write(text)
    output.line(file)
    if not (svg or no_dot_call) and _called_dot(file, f"{base}.png"):
        output.line(f"{base}.png")


def _called_dot(source: str, picture: str) -> bool:
    """Whether Graphviz is there and made the picture."""
    import shutil  # late: only here
    import subprocess

    program = shutil.which("dot")
    return program is not None and subprocess.run([program, "-Tpng", "-o", picture, source]).returncode == 0


@click.command()
@click.argument("name", metavar="[BRANCH]", required=False, type=Revision())
@click.option("-n", "--max-count", "n", type=click.IntRange(min=1), metavar="N", help="The last N only.")
@click.pass_obj
def reflog(options: Options, name: str | None, n: int | None) -> None:
    """Tell how the branches, or BRANCH, moved, the last move first, as far as the store remembers it.

    In Python: `Pack(path).traverse()`, rows with the kind R.
    """
    output = Output(options)
    maker = maker_of(options.store, "reflog")
    if not isinstance(maker, Traversing):
        raise unable(maker, "reflog")
    moves = (row.to_json() for row in maker.traverse())
    found = [row for row in moves if row.get("kind") == "R" and name in (None, row.get("ref"))]
    with output.paged():
        for row in found[::-1][:n]:
            old, new = row["old"], row["new"]
            if options.json:
                output.record(
                    {"branch": row["ref"], "before": old, "after": new, "date": iso(row["time"] // 1_000_000)}
                )
                continue
            did = "removed" if new is None else "made" if old is None else "moved"
            arrow = f"{(old or '-' * 10)[:10]} -> {(new or '-' * 10)[:10]}"
            output.row(
                (arrow, "yellow"),
                "  ",
                (row["ref"], "bold green"),
                f"  {did}  ",
                (iso(row["time"] // 1_000_000), "dim"),
            )
