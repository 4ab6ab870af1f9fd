"""A bar on stderr for work that takes long; nothing where nobody sees it.

`with progress(options, "gc") as bar:` and hand `bar` on as `progress=`: it takes (done, total) and (what, done, total).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

from irminpy.cli.output import Options, is_terminal, shown

__all__ = ["Bar", "progress"]

_WIDTH = 24
_EVERY = 0.1  # seconds between two drawings


class Bar:
    """How far something is, drawn on one line; silent unless `visible`."""

    def __init__(self, name: str, *, visible: bool) -> None:
        self.name = name
        self.visible = visible
        self._start = self._drawn = time.monotonic()
        self._length = 0

    def __call__(self, *told: str | int) -> None:
        """(done, total) or (what, done, total); total 0 if it is not known."""
        now = time.monotonic()
        if not self.visible or now - self._drawn < _EVERY:
            return
        self._drawn = now
        what = told[0] if isinstance(told[0], str) else ""
        done, total = (int(number) for number in told[-2:])
        self._draw(self.text(what, done, total, now - self._start))

    def text(self, what: str, done: int, total: int, seconds: float) -> str:
        """The line: name, bar, share, seconds."""
        name = shown(f"{self.name} {what}".rstrip())
        if total <= 0:
            return f"{name}  {done:,}  {seconds:.0f} s"
        share = min(max(done / total, 0.0), 1.0)
        full = int(share * _WIDTH)
        return (
            f"{name}  [{'#' * full}{'.' * (_WIDTH - full)}] {share:4.0%}  {done:,}/{total:,}  {seconds:.0f} s"
        )

    def clear(self) -> None:
        """Take the line away."""
        if self._length:
            self._draw("")

    def _draw(self, text: str) -> None:
        sys.stderr.write("\r" + text + " " * (self._length - len(text)) + ("" if text else "\r"))
        sys.stderr.flush()
        self._length = len(text)


@contextmanager
def progress(options: Options, name: str) -> Generator[Bar]:
    """A bar for what happens inside: on a terminal, unless the user asked for quiet or for JSON."""
    bar = Bar(name, visible=is_terminal(sys.stderr) and not options.quiet and not options.json)
    try:
        yield bar
    finally:
        bar.clear()
