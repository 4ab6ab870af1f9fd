"""The command watch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click

from irminpy.cli.arguments import Place
from irminpy.cli.commits import STYLES, letter
from irminpy.cli.output import Options, Output
from irminpy.cli.place import AnyTree, opened_store, writable
from irminpy.cli.values import to_json
from irminpy.path import join

__all__ = ["watch"]

_SIGNS = {"A": "+", "M": "*", "D": "-"}


@click.command()
@click.argument("path", required=False, default="", type=Place())
@click.option(
    "--exec", "command", metavar="CMD", help="Run this in a shell, and give it each change on its stdin."
)
@click.option("-n", "--max-count", "n", type=click.IntRange(min=1), metavar="N", help="Stop after N commits.")
@click.pass_obj
def watch(options: Options, path: str, command: str | None, n: int | None) -> None:
    """Print what changes at or below PATH on the branch, from now on: + added, * changed, - removed.

    With --exec or --json a change is a JSON object on a line, as `diff` prints it. CMD is started again if it ends with
    status 0, with the next change; another status ends the watch, and is its own.

    In Python: `store.watch_key(path)`.
    """
    output = Output(options)
    with opened_store(options) as repo:
        store = writable(repo, options)
        empty = repo.empty_tree()
        sink = None if command is None else _Command(command)
        head = store.find_head()
        count = 0
        with store.watch_key(path, init=head) as changes:
            output.message(f"watching {store.name}{':' + path if path else ''}; stop with Ctrl-C")
            for change in changes:
                before, after = (empty if side is None else side[1] for side in (change.before, change.after))
                for row in _rows(before, after, path):
                    _tell(output, sink, row)
                sys.stdout.flush()
                count += 1
                if count == n:
                    break
        if sink is not None:
            click.get_current_context().exit(sink.close())


def _rows(before: AnyTree, after: AnyTree, path: str) -> Iterator[dict[str, Any]]:
    above = tuple(step for step in path.split("/") if step)
    contents = before.schema.contents
    for where, change in before.diff(after):
        value = change.to_json(lambda value: to_json(contents, value))
        yield {"path": join((*above, *where)), "sign": letter(change), **value}


def _tell(output: Output, sink: _Command | None, row: dict[str, Any]) -> None:
    sign = row.pop("sign")
    if sink is not None:
        sink.send(json.dumps(row).encode() + b"\n")
    elif output.options.json:
        output.record(row)
    else:
        output.row((_SIGNS[sign], STYLES[sign]), f" {row['path']}")


class _Command:
    """A program that is fed lines, and started again after it has ended well."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def send(self, line: bytes) -> None:
        """Give it `line`. Ends this command with the status of the program if that is not 0."""
        for _ in range(2):
            if self._process is None or self._process.poll() is not None:
                self._ended()
                self._process = subprocess.Popen(self._command, shell=True, stdin=subprocess.PIPE)
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(line)
                self._process.stdin.flush()
            except BrokenPipeError:
                self._process.wait()
                continue
            return

    def close(self) -> int:
        """End its input; its status."""
        if self._process is None:
            return 0
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        return self._process.wait()

    def _ended(self) -> None:
        if self._process is not None and self._process.returncode:
            click.get_current_context().exit(self._process.returncode)
