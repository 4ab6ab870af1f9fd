"""Where a command writes: data to stdout, messages to stderr; styles only where there is colour and rich is installed.

What comes from a store (paths, values, messages, names) may hold anything: it goes through `shown`, so that no control
character reaches a terminal. Lines are written one by one and flushed at the end: a listing of any length streams.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

import click

from irminpy.fields import NamedTuple

if TYPE_CHECKING:
    from irminpy.upkeep import Told

Color = Literal["auto", "always", "never"]
Span: TypeAlias = "str | tuple[str, str]"
"""Text, or text and its style in rich's words, such as "bold cyan"."""


class Options(NamedTuple):
    """The global options, as given; `place.py` looks up what was not."""

    store: str | None = None
    branch: str | None = None
    json: bool = False
    color: Color = "auto"
    quiet: bool = False
    verbose: int = 0
    pager: bool = True
    commit: str | None = None
    zero: bool = False
    config: str | None = None
    verify: str | None = None
    """Of a command that reads: the hash that is trusted; nothing else that a server says is believed."""


class Output:
    """Lines for people, records for pipes, or a JSON object on each line for programs."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._pipe: IO[bytes] | None = None
        auto = is_terminal(sys.stdout) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.styled = {"auto": auto, "always": True, "never": False}[options.color]

    def line(self, text: str, style: str = "") -> None:
        """One line of data, in `style` where there is colour."""
        self.row((text, style))

    def row(self, *spans: Span) -> None:
        """One line of data made of `spans`."""
        parts = [(span, "") if isinstance(span, str) else span for span in spans]
        self.write("".join([self._dyed(shown(text), style) for text, style in parts]) + "\n")

    def item(self, text: str, *spans: Span, style: str = "") -> None:
        """One record: a path or a name with what is told of it, one on each line; with -z only itself, as the
        bytes that it is, and NUL.
        """
        if self.options.zero:
            self.data(text.encode("utf-8", "surrogateescape") + b"\0")
        else:
            self.row((text, style), *spans)

    def block(self, text: str) -> None:
        """`text` of several lines, each as `shown` gives it, with tabs."""
        for line in text.splitlines():
            self.write("\t".join(map(shown, line.split("\t"))) + "\n")

    def data(self, data: bytes) -> None:
        """Bytes as they are."""
        if self._pipe is not None:
            self._pipe.write(data)
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(data)

    def write(self, text: str) -> None:
        """Text that is safe already."""
        if self._pipe is None:
            sys.stdout.write(text)
        else:
            self._pipe.write(text.encode("utf-8", "backslashreplace"))

    def message(self, text: str) -> None:
        """One line on stderr, unless the user asked for quiet."""
        if not self.options.quiet:
            sys.stdout.flush()
            click.echo(shown(text), err=True)

    def record(self, record: Mapping[str, object]) -> None:
        """One JSON object on a line of its own."""
        import json  # late: a plain `get` needs none

        self.write(json.dumps(record, ensure_ascii=True) + "\n")

    def told(self, *found: Told) -> None:
        """What was found or done: lines for people, or one JSON object each."""
        for one in found:
            if self.options.json:
                self.record(one.to_json())
            else:
                for line in str(one).splitlines():
                    self.line(line)

    @contextmanager
    def paged(self, program: str | None = None) -> Generator[None]:
        """What is written inside goes through a pager if stdout is a terminal and the options allow it.

        The pager is `program`, IRMINPY_PAGER, PAGER or less. That it is closed before the end is no error.
        """
        process = None
        if self.options.pager and not self.options.json and is_terminal(sys.stdout):
            process = _pager(program)
        if process is None:
            yield
            return
        self._pipe = process.stdin
        try:
            yield
        except BrokenPipeError:
            pass
        finally:
            pipe, self._pipe = self._pipe, None
            try:
                assert pipe is not None
                pipe.close()
            except BrokenPipeError:
                pass
            process.wait()

    def _dyed(self, text: str, style: str) -> str:
        if not (self.styled and style and text):
            return text
        try:
            from rich.color import ColorSystem  # late: it takes longer to import than most commands to run
            from rich.style import Style
        except ModuleNotFoundError:  # the extra `cli` is not installed
            return text
        return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)


def _pager(program: str | None) -> Any:
    """The running pager, or None if there is none."""
    import shlex  # late: only a terminal needs a pager
    import subprocess

    words = shlex.split(program or os.environ.get("IRMINPY_PAGER") or os.environ.get("PAGER") or "less")
    if words in ([], ["cat"]):
        return None
    environment = {"LESS": "FRX", **os.environ}
    try:
        return subprocess.Popen(words, stdin=subprocess.PIPE, env=environment)
    except OSError:
        return None


def is_terminal(stream: Any) -> bool:
    """Whether somebody sees `stream`; False for one that is closed."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def shown(text: str) -> str:
    """`text` on one line, with escapes for what stdout cannot print: a file's name may hold anything."""
    plain = text
    if not text.isprintable():
        plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return plain.encode(encoding, "backslashreplace").decode(encoding)


def shown_block(text: str) -> str:
    """`text` of several lines, each as `shown` gives it."""
    return "".join(shown(line) + "\n" for line in text.splitlines())


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
