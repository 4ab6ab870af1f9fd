"""The commands that read: get, ls, tree, find."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from typing import Any

import click

from irminpy.cli.arguments import Place, verifying
from irminpy.cli.failure import ABSENT, Failure
from irminpy.cli.output import Options, Output, Span, amount, is_terminal, size
from irminpy.cli.place import AnyTree, found, opened_store, placed
from irminpy.cli.values import Form, brief, rendered, to_json
from irminpy.path import join

__all__ = ["find", "get", "ls", "tree"]

_PART = 1 << 20  # bytes of a value that are in memory at once
_FORMS = click.Choice(["raw", "text", "json", "msgpack", "hex"])


@click.command()
@click.argument("path", type=Place("contents"))
@click.option(
    "--as", "form", type=_FORMS, help="How the value is written; the bytes that are stored if not given."
)
@verifying
@click.pass_obj
def get(options: Options, path: str, form: Form | None) -> None:
    """Print the value at PATH.

    Into a pipe or a file go the bytes as they are; a terminal gets text, with escapes for what it cannot show.
    Exit status 3 if there is nothing, or a directory.

    In Python: `repo.main().get(path)`, `repo.get("main~2:path")`.
    """
    output = Output(options)
    with opened_store(options) as repo:
        store, steps, there = found(repo, options, path)
        if there.kind() == "node":
            what = f"{steps or 'the root'} is a directory"
            raise Failure(what, why="a value is asked for", type=f"irminpy ls {path}", status=ABSENT)
        contents = repo.schema.contents
        if (
            form is None
            and not options.json
            and not is_terminal(sys.stdout)
            and contents.id in ("bytes", "string/1")
        ):
            with store.open_stream(steps) as file:
                while part := file.read(_PART):
                    output.data(part)
            return
        value = store.get(steps)
        if options.json:
            output.record({"path": steps.strip("/"), "value": to_json(contents, value)})
        elif is_terminal(sys.stdout) and form in (None, "text", "json"):
            output.block(rendered(contents, value, form or "text").decode("utf-8", "surrogateescape"))
        else:
            output.data(rendered(contents, value, form or "raw"))


@click.command()
@click.argument("path", required=False, default="", type=Place())
@click.option("-l", "--long", is_flag=True, help="With kind, size or number of entries, and hash.")
@verifying
@click.pass_obj
def ls(options: Options, path: str, long: bool) -> None:
    """List the entries at PATH, or of the root, one on each line; directories end with "/".

    Of contents it is the one entry. Exit status 3 if there is nothing at PATH.

    In Python: `store.list(path)`, or `store.tree().seq(path)` one by one.
    """
    output = Output(options)
    with opened_store(options) as repo, output.paged():
        _, steps, at = found(repo, options, path)
        rows = (
            at.seq(cache=False) if at.kind() == "node" else iter([(steps.strip("/").rpartition("/")[2], at)])
        )
        for step, below in rows:
            is_node = below.kind() == "node"
            if options.json:
                output.record(
                    {"name": step, "kind": "node" if is_node else "contents", **_facts(below, long)}
                )
                continue
            spans: list[Span] = []
            if long:
                facts = _facts(below, True)
                told = amount(facts["entries"], "entry", "entries") if is_node else size(facts["size"])
                spans = [f"  {told}  ", (facts["hash"][:10], "yellow")]
            output.item(step + "/" * is_node, *spans, style="bold blue" if is_node else "")


def _facts(tree: AnyTree, long: bool) -> dict[str, Any]:
    if not long:
        return {}
    hash_ = tree.hash().hex()
    if tree.kind() == "node":
        return {"entries": tree.length(), "hash": hash_}
    return {"size": len(tree.schema.contents.encode(tree.get())), "hash": hash_}


@click.command()
@click.argument("path", required=False, default="", type=Place("node"))
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Go down N levels at most.")
@verifying
@click.pass_obj
def tree(options: Options, path: str, depth: int | None) -> None:
    """Draw the tree at PATH with its values.

    With --json a line for each value: its path and the value.

    In Python: `store.tree().fold(...)`, `store.tree().to_concrete()`.
    """
    output = Output(options)
    with opened_store(options) as repo, output.paged():
        store, steps, at = found(repo, options, path)
        head = store.find_head()
        if not options.json and not options.zero:
            name = store.name or options.commit or path.partition(":")[0]
            shown = f"{name} @ {head.short()}" if head is not None else name
            output.row((shown, "bold"), f":{steps}" if steps else "")
        for branch, step, below, where in _drawn(at, depth):
            is_node = below.kind() == "node"
            if options.json or options.zero:
                if options.json and not is_node:
                    value = to_json(repo.schema.contents, below.get())
                    output.record({"path": join(where), "value": value})
                elif not is_node:
                    output.item(join(where))
                continue
            told = amount(below.length(), "entry", "entries") if is_node else brief(below.get())
            room = " " * max(2, 34 - len(branch) - len(step) - is_node)
            output.row(branch, (step + "/" * is_node, "bold blue" if is_node else ""), room, (told, "dim"))


def _drawn(root: AnyTree, depth: int | None) -> Iterator[tuple[str, str, AnyTree, tuple[str, ...]]]:
    """(what is drawn before it, step, subtree, path) of all below `root`, depth first. Reads one entry ahead."""
    if root.kind() != "node":
        yield "", "", root, ()
        return
    path: list[str] = []
    levels = [(root.seq(cache=False), "")]
    ahead: list[Any] = [next(levels[0][0], None)]
    while levels:
        entries, indent = levels[-1]
        pair = ahead[-1]
        if pair is None:
            levels.pop()
            ahead.pop()
            if path:
                path.pop()
            continue
        ahead[-1] = following = next(entries, None)
        step, below = pair
        yield f"{indent}{'└── ' if following is None else '├── '}", step, below, (*path, step)
        if below.kind() == "node" and (depth is None or len(levels) < depth):
            path.append(step)
            levels.append((below.seq(cache=False), indent + ("    " if following is None else "│   ")))
            ahead.append(next(levels[-1][0], None))


@click.command()
@click.argument("pattern", metavar="GLOB")
@click.option("--type", "kind", type=click.Choice(["contents", "node"]), help="Only these.")
@verifying
@click.pass_obj
def find(options: Options, pattern: str, kind: str | None) -> None:
    """Print all paths that look like GLOB, or REV:GLOB, one on each line; directories end with "/".

    `*`, `?` and `[...]` stand for what a shell takes them for, within a step; `**` for any number of steps. Exit
    status 1 if there is none.

    In Python: `irminpy.tree.glob.glob(tree, pattern)`.
    """
    from irminpy.tree.glob import glob  # late: only here

    output = Output(options)
    with opened_store(options) as repo, output.paged():
        store, text = placed(repo, options, pattern)
        paths = ((path, below) for path, below in glob(store.tree(), text) if kind in (None, below.kind()))
        first = next(paths, None)
        for path, below in chain([] if first is None else [first], paths):
            is_node = below.kind() == "node"
            if options.json:
                output.record({"path": join(path), "kind": "node" if is_node else "contents"})
            else:
                output.item(join(path) + "/" * is_node, style="bold blue" if is_node else "")
    if first is None:
        click.get_current_context().exit(1)
