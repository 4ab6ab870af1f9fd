"""What a repository says about itself in its file `config`. Nothing in it is ever run, and no other file included."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["parse"]

_SECTION: Final = re.compile(r'\[\s*([-.A-Za-z0-9]+)(?:\s+"((?:[^"\\\n]|\\.)*)")?\s*\]')
_KEY: Final = re.compile(r"([A-Za-z][-A-Za-z0-9]*)\s*(?:=\s*(.*))?\Z", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "b": "\b", '"': '"', "\\": "\\"}


def parse(text: str) -> dict[str, str]:
    """ "section.key" or "section.subsection.key" to the last value given; names in lower case but for subsections.

    A key without a value is "true", as for Git. Lines that make no sense are passed over: Git would refuse them, and
    what is asked for here are three keys.
    """
    found: dict[str, str] = {}
    section = ""
    lines = iter(text.splitlines())
    for line in lines:
        line = line.strip()
        while line.endswith("\\") and not line.endswith("\\\\"):
            line = line[:-1] + next(lines, "").strip()
        heading = _SECTION.match(line)
        if heading is not None:
            section = heading[1].lower()
            if heading[2] is not None:
                section += "." + re.sub(r"\\(.)", r"\1", heading[2])
            line = line[heading.end() :].strip()
        key = _KEY.match(line)
        if section and key is not None:
            found[f"{section}.{key[1].lower()}"] = "true" if key[2] is None else _value(key[2])
    return found


def _value(text: str) -> str:
    """`text` without quotes, escapes and a comment behind it."""
    out: list[str] = []
    quoted = False
    end = 0  # what follows is white space
    i = 0
    while i < len(text):
        c = text[i]
        if c == '"':
            quoted = not quoted
            end = len(out)
        elif c == "\\" and i + 1 < len(text):
            i += 1
            out.append(_ESCAPES.get(text[i], text[i]))
            end = len(out)
        elif c in "#;" and not quoted:
            break
        else:
            out.append(c)
            if quoted or not c.isspace():
                end = len(out)
        i += 1
    return "".join(out[:end])
