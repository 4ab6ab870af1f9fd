"""Where a command writes: data to stdout, messages to stderr; rich only on a terminal and if installed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import click

Color = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True)
class Options:
    """The global options, as given."""

    store: str | None = None
    branch: str | None = None
    json: bool = False
    color: Color = "auto"
    quiet: bool = False
    verbose: int = 0
    pager: bool = True


@dataclass(frozen=True, slots=True)
class Output:
    """Lines for people, or one JSON object for programs."""

    options: Options
    styled: bool = field(init=False)

    def __post_init__(self) -> None:
        """Colour where asked for, or on a terminal unless NO_COLOR says no."""
        auto = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        object.__setattr__(self, "styled", {"auto": auto, "always": True, "never": False}[self.options.color])

    def line(self, text: str, style: str = "") -> None:
        """One line of data, in rich's `style` where there is colour."""
        text = shown(text)
        if self.styled and style and self._print_rich(text, style):
            return
        click.echo(text)

    def message(self, text: str) -> None:
        """One line on stderr, unless the user asked for quiet."""
        if not self.options.quiet:
            click.echo(shown(text), err=True)

    def record(self, record: Mapping[str, object]) -> None:
        """One JSON object on a line of its own."""
        click.echo(json.dumps(record, ensure_ascii=True))

    def _print_rich(self, text: str, style: str) -> bool:
        try:
            from rich.console import Console  # late: it takes longer to import than most commands to run
            from rich.text import Text
        except ModuleNotFoundError:  # the extra `cli` is not installed
            return False
        console = Console(file=sys.stdout, force_terminal=True, highlight=False, soft_wrap=True)
        console.print(Text(text, style))
        return True


def shown(text: str) -> str:
    """`text` on one line, with escapes for what stdout cannot print: a file's name may hold anything."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return plain.encode(encoding, "backslashreplace").decode(encoding)


def amount(number: int, one: str, many: str | None = None) -> str:
    """`number` and its noun: "1 file", "2 files"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(octets: int) -> str:
    """`octets` for people: "812 B", "1.2 MB"."""
    amount_, unit = float(octets), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount_ < 1000:
            break
        amount_, unit = amount_ / 1000, larger
    return f"{octets} B" if unit == "B" else f"{amount_:.1f} {unit}"
