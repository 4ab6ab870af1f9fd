"""What installed distributions announce: entry points.

`importlib.metadata` knows that too, and takes longer to import than most commands of the command line to run. So one
entry is first looked for in the directories on the path, in its order; what is installed in another way (an archive, a
finder of its own), and all that there is, are asked of `importlib.metadata`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .fields import NamedTuple

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Entry", "entry_points"]

_FOLDERS = (".dist-info", ".egg-info")


class Entry(NamedTuple):
    """A name that a distribution announces, and where it is: "module:attribute"."""

    name: str
    value: str

    def load(self) -> Any:
        """What it stands for. Raises ImportError and AttributeError."""
        module, _, attribute = self.value.partition("[")[0].partition(":")
        found: Any = import_module(module.strip())
        for name in filter(None, attribute.strip().split(".")):
            found = getattr(found, name)
        return found


def entry_points(*, group: str, name: str | None = None) -> list[Entry] | list[EntryPoint]:
    """The entries of `group`, those called `name` only if it is given, the one that counts first."""
    if name is not None:
        first = next((entry for entry in _on_path(group) if entry.name == name), None)
        if first is not None:
            return [first]
    from importlib import metadata  # late: see above

    found = metadata.entry_points(group=group)
    return [point for point in found if name in (None, point.name)]


def _on_path(group: str) -> Iterator[Entry]:
    """The entries of `group` in the directories on the path."""
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.endswith(_FOLDERS):
                try:
                    with open(os.path.join(folder, name, "entry_points.txt"), encoding="utf-8") as file:
                        text = file.read()
                except (OSError, UnicodeDecodeError):
                    continue
                if group in text:
                    yield from _parsed(group, text)


def _parsed(group: str, text: str) -> Iterator[Entry]:
    """The entries of `group` in `text`, the contents of an entry_points.txt."""
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{group}]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield Entry(name.strip(), value.strip())
