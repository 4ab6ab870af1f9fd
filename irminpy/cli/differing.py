"""The command diff, and how changes are shown: place by place inside JSON and msgpack, line by line in texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from irminpy.cli.arguments import Revision, verifying
from irminpy.cli.commits import STYLES, letter
from irminpy.cli.output import Options, Output, Span, amount
from irminpy.cli.place import AnyTree, at, opened_store, standing
from irminpy.cli.values import ABSENT, brief, differences, structured, text_lines, to_json
from irminpy.diff import Change, Updated
from irminpy.path import join

__all__ = ["diff", "tell_changes"]

_WORDS = {"A": "added", "M": "changed", "D": "removed"}


@click.command()
@click.argument("before", metavar="A", type=Revision())
@click.argument("after", metavar="[B]", required=False, type=Revision())
@click.option("--path", default="", help="Only what is at or below it.")
@click.option("--stat", is_flag=True, help="Only the paths and their number, without values.")
@verifying
@click.pass_obj
def diff(options: Options, before: str, after: str | None, path: str, stat: bool) -> None:
    """Show what differs between the trees of A and B (without B: of the branch). Exit status 1 if anything does.

    A is added, D removed, M changed. Of JSON and msgpack it is told where inside a value, of texts which lines. With
    --json a line for each path, which `apply` takes. A and B may be written A..B. Cost: what differs, not what there
    is.

    In Python: `for path, change in old.tree().diff(new.tree())`.
    """
    output = Output(options)
    if after is None and ".." in before:
        before, _, after = before.partition("..")
    with opened_store(options) as repo, output.paged():
        old = at(repo, before).tree()
        new = (standing(repo, options) if not after else at(repo, after)).tree()
        nodes = repo.counters.node_find
        count = tell_changes(output, old, new, path, stat=stat)
        if not options.json and not options.zero and count:
            output.line(
                f"{_summary(count)}      (read {amount(repo.counters.node_find - nodes, 'node')})", "dim"
            )
    if count:
        click.get_current_context().exit(1)


def _summary(count: Counter[str]) -> str:
    parts = ", ".join(f"{count[one]:,} {_WORDS[one]}" for one in "AMD")
    return f"{amount(count.total(), 'path')}: {parts}"


def tell_changes(
    output: Output, before: AnyTree, after: AnyTree, path: str = "", *, stat: bool = False
) -> Counter[str]:
    """Print what differs at or below `path`; how many paths of each letter."""
    count: Counter[str] = Counter()
    empty = before.remove(())
    old, new = (tree.find_tree(path) or empty for tree in (before, after))
    above = tuple(step for step in path.split("/") if step)
    contents = before.schema.contents
    for where, change in old.diff(new):
        one = letter(change)
        count[one] += 1
        steps = join((*above, *where))
        if output.options.json:
            output.record({"path": steps, **change.to_json(lambda value: to_json(contents, value))})
        elif output.options.zero:
            output.item(steps)
        else:
            inside = [] if stat else list(_inside(change))
            told = "" if stat or inside else _told(change)
            output.row((one, STYLES[one]), f" {steps:<26}{told}".rstrip())
            for span in inside:
                output.row("    ", span)
    return count


def _told(change: Change[Any]) -> str:
    if isinstance(change, Updated):
        if change.before == change.after:
            return "  (the metadata)"
        return f"  {brief(change.before)} → {brief(change.after)}"
    return f"  {brief(change.before if change.after is None else change.after)}"


def _inside(change: Change[Any]) -> Iterator[Span]:
    """What changed inside the value, for a change that has several places or lines."""
    if not isinstance(change, Updated):
        return
    before, after = change.before, change.after
    if structured(before) and structured(after):
        for where, old, new in differences(before, after):
            one = "A" if old is ABSENT else "D" if new is ABSENT else "M"
            values = [brief(value) for value in (old, new) if value is not ABSENT]
            yield f"{one} {where or '.'}  {' → '.join(values)}", STYLES[one]
        return
    old, new = text_lines(before), text_lines(after)
    if old is None or new is None or len(old) <= 1 >= len(new):
        return
    import difflib  # late: only texts need it

    for line in list(difflib.unified_diff(old, new, n=2, lineterm=""))[2:]:
        yield line, {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
