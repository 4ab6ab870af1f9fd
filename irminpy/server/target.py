"""The target of a request: segments and a query, taken apart before anything is decoded.

A slash that is written "%2F" is a byte of its segment and never divides, so that the name of a branch is one segment
and a step of a path is one, whatever it holds. Nothing here is ever a name of a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..path import Path, step_of_bytes
from .limits import Limits
from .problem import Refused

__all__ = ["Target", "number"]

_ESCAPE = re.compile(rb"%(.{0,2})", re.DOTALL)
_HEX = frozenset(b"0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class Target:
    """Segments, still as bytes but without escapes, and the parameters of the query in order."""

    segments: tuple[bytes, ...]
    query: tuple[tuple[str, str], ...]

    @staticmethod
    def of(raw: bytes, query: bytes, limits: Limits) -> Target:
        """The target with the path `raw`, behind the prefix of the application, and the text of the query."""
        if len(raw) + len(query) > limits.path:
            raise Refused(414, "target", f"a target has at most {limits.path} bytes", close=True)
        if not raw.startswith(b"/"):
            raise Refused(400, "target", "a target begins with /", close=True)
        parts = raw[1:].split(b"/")
        if parts[-1] == b"":
            parts.pop()
        if b"" in parts:
            raise Refused(400, "target", "two slashes with nothing between them; a slash in a name is %2F")
        if len(parts) > limits.steps + 2:
            raise Refused(414, "target", f"a path has at most {limits.steps} steps")
        return Target(tuple([_unescaped(part) for part in parts]), tuple(_parameters(query)))

    def text(self, at: int) -> str:
        """The segment `at` as text; 400 if it is no UTF-8."""
        return _text(self.segments[at])

    def path(self, at: int) -> Path:
        """The segments from `at` on as a path. Which steps are legal, the format says."""
        return tuple([step_of_bytes(segment) for segment in self.segments[at:]])

    def parameter(self, name: str) -> str | None:
        """The parameter `name`, or None; 400 if it is given twice."""
        found = self.parameters(name)
        if len(found) > 1:
            raise Refused(400, "query", f"{name} is given {len(found)} times")
        return found[0] if found else None

    def parameters(self, name: str) -> list[str]:
        """All values of the parameter `name`."""
        return [value for key, value in self.query if key == name]

    def known(self, *names: str) -> None:
        """400 if there is a parameter that is none of `names`."""
        for name, _ in self.query:
            if name not in names:
                raise Refused(
                    400, "query", f"no parameter is called {name!r:.80} here; there are: {', '.join(names)}"
                )


def number(text: str | None, name: str, default: int, most: int) -> int:
    """The number from 0 to `most` that `text` is, `default` for None; 400 for anything else."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 12) or int(text) > most:
        raise Refused(400, "query", f"{name} is a number from 0 to {most}, not {text!r:.40}")
    return int(text)


def _unescaped(part: bytes) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        digits = found[1]
        if len(digits) != 2 or not _HEX.issuperset(digits):
            raise Refused(400, "target", "a % is followed by two hexadecimal digits; % itself is %25")
        return bytes([int(digits, 16)])

    return _ESCAPE.sub(one, part)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Refused(400, "target", "a name that is no UTF-8") from None


def _parameters(query: bytes) -> Any:
    for item in query.split(b"&") if query else []:
        name, _, value = item.replace(b"+", b" ").partition(b"=")
        yield _text(_unescaped(name)), _text(_unescaped(value))
