"""What a pull changed, key by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from irminpy import Tree
from irminpy.metadata import Mode
from irminpy.path import Path

from .reading import text

__all__ = ["Add", "Change", "Changes", "Remove", "changes"]


@dataclass(frozen=True, slots=True)
class Add:
    """There was nothing at `key`, and now there is."""

    key: str


@dataclass(frozen=True, slots=True)
class Remove:
    """There is nothing any more at `key`."""

    key: str


@dataclass(frozen=True, slots=True)
class Change:
    """There is something else at `key`."""

    key: str


Changes: TypeAlias = "list[Add | Remove | Change]"
Trees = Tree[bytes, Mode]


def changes(old: Trees | None, new: Trees | None, empty: Trees, *, directories: bool) -> Changes:
    """What differs between two trees, in the order of the keys. A symbolic link counts as nothing."""
    found: dict[Path, Add | Remove | Change] = {}
    above: set[Path] = set()
    for path, change in (old or empty).diff_all(new or empty):
        before = change.before is not None and change.before[1] is not Mode.LINK
        after = change.after is not None and change.after[1] is not Mode.LINK
        if before and after:
            found[path] = Change(text(path))
        elif before or after:
            # Where a value became a directory or the other way, both sides have something there.
            found[path] = Add(text(path)) if after else Remove(text(path))
        above.update(path[:n] for n in range(len(path)))
    if directories:
        for path in above:
            before = old is not None and old.kind(path) == "node"
            after = new is not None and new.kind(path) == "node"
            if before and after:
                found.setdefault(path, Change(text(path)))
            elif before or after:
                other = found.get(path)
                found[path] = (
                    Change(text(path)) if other is not None else (Add if after else Remove)(text(path))
                )
    return [found[path] for path in sorted(found)]
