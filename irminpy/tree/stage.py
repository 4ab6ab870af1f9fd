"""Edits in memory: every version of a tree stays readable, and none of them is copied.

A `Line` is one linear history of edits. All handles made one from the other by `add`, `remove`, … share its
directories; a handle is the root plus a version number. A `Staged` directory holds, on top of its base, the newest
child of every step that was edited, the version at which each step was first edited, and, only for steps that were
edited more than once, their earlier children. So

- the newest version is read from one dict per directory,
- any older version is read by asking the same dict whether the step is younger than the version,
- an edit of the newest version is one dict write, whatever the directory holds,
- an edit of an older version starts a new line on top of it.

A new directory of a few values is a plain dict of them, `Few`: most are that small, and an object for each would cost
as much as all else that is done with it, much of it in the garbage collector, which does not look into such dicts. A
`Few` is a value as `bytes` are. Whoever edits one puts a `Staged` in its place; only an editor whose line nobody else
has seen writes into it.

Only the holder of `line.lock` writes. Readers take no lock; the order of writes makes that safe:

INVARIANT (writer): `line.version` is raised first, then `first`/`over` record the edit, then `now` changes.
INVARIANT (reader of an old version): `now` is read before `over` and `first`. If it read the new child, it sees the
record; if it read the old child, that is the right one.
INVARIANT (reader of the newest version): after reading `now` it looks whether the version is still the newest; if
not, it reads again as an old version.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable
from typing import final

from .lazy import ABSENT, Child, Part, Source, Stored

__all__ = ["MOST_FEW", "Base", "Few", "Frozen", "Held", "Line", "Staged", "View", "detached"]

Few = dict[str, bytes]
"""A new directory that holds nothing but values with default metadata: 1 to `MOST_FEW` of them, in any order."""
Held = Child | Few
"""What a step of a staged directory may lead to."""
MOST_FEW = 32
"""The most entries of a `Few`."""


class Line:
    """One linear history of edits; `version` is that of its newest handle."""

    __slots__ = ("lock", "repeats", "version", "void")

    def __init__(self, void: Source) -> None:
        self.void = void
        """A source that holds nothing: what the codec and the counters of the line are taken from."""
        # Re-entrant: an edit may have to hash what it replaces, to know whether anything changes.
        self.lock = threading.RLock()
        self.version = 0
        self.repeats = 0
        """Superseded children that the histories of all directories of the line keep alive."""


@final
class Staged(Part):
    """A directory with edits on top of `base`. Belongs to one line; read it at a version of that line.

    INVARIANT: `now` may also hold unedited children of `base`: for those `first` has no entry, and they are right
    at every version. INVARIANT: without a base, a step of `now` that `first` lacks was there from the beginning.
    INVARIANT: a step never leaves `now`; a removed one is ABSENT.
    """

    __slots__ = ("base", "drops", "first", "grows", "line", "now", "over", "size", "start")

    line: Line

    def __init__(self, line: Line, base: Base, now: dict[str, Held], size: int) -> None:
        self.line = line
        self.base = base
        self.now = now
        self.size = size
        """Entries at the newest version."""
        # Step to the version at which it was first edited, in the order of the versions.
        self.first: dict[str, int] | None = None if base is None else {}
        # Step to (versions, children), where it was edited more than once: child i holds from version i on.
        self.over: dict[str, tuple[list[int], list[Held]]] | None = None
        # The versions at which there was one entry more and one less than before; there were `start` at first.
        self.grows: list[int] | None = None
        self.drops: list[int] | None = None
        self.start = size

    @property
    def depth(self) -> int:
        """How many older lines a read may have to ask."""
        return self.base.depth + 1 if type(self.base) is Frozen else 0

    def at(self, step: str, version: int) -> Held | None:
        """The child of `step` at `version`, or None."""
        child = self.now.get(step)  # must come first, see the module's invariants
        states = self.over.get(step) if self.over is not None else None
        if states is not None:
            i = bisect_right(states[0], version) - 1
            if i >= 0:
                child = states[1][i]
                return None if child is ABSENT else child
            return None if self.base is None else self.base.child(step)
        first = self.first
        if first is not None and first.get(step, 0) > version:
            child = None
        if child is None:
            return None if self.base is None else self.base.child(step)
        return None if child is ABSENT else child

    def size_at(self, version: int) -> int:
        """Number of entries at `version`."""
        size = self.size  # must come first: a writer notes the change before it changes the size
        grows, drops = self.grows, self.drops
        if grows is None and drops is None:
            return size
        size = self.start
        if grows is not None:
            size += bisect_right(grows, version)
        if drops is not None:
            size -= bisect_right(drops, version)
        return size

    def open(self, step: str, few: Few) -> Staged:
        """The directory `few` under `step`, of which it is the newest child, in a form that can be edited.

        Only under `line.lock`. No edit: the directory is the same before and after.
        """
        # Readers may have `few` in their hands: it must stay as it is.
        staged = Staged(self.line, None, {**few}, len(few))
        if self.over is not None and step in self.over:
            self.over[step][1][-1] = staged
        self.now[step] = staged
        return staged

    def put(self, step: str, child: Held, version: int, growth: int) -> None:
        """Bind `step` to `child` from `version` on; `growth` is the change in the number of entries.

        Only under `line.lock`, with `line.version` already raised to `version`. Version 0 keeps no history: it is
        for a line that nobody but its editor has seen.
        """
        now = self.now
        first = self.first
        if not version:
            if first is not None:
                first.setdefault(step, 0)
            now[step] = child
            self.size += growth
            return
        if first is None:
            first = self.first = {}
        since = first.get(step)
        if since is None and (self.base is not None or step not in now):
            first[step] = version
        else:
            if self.over is None:
                self.over = {}
            states = self.over.get(step)
            if states is None:
                self.over[step] = ([since or 0, version], [now[step], child])
            else:
                # The child goes in first: a reader that finds the version must find the child.
                states[1].append(child)
                states[0].append(version)
            self.line.repeats += 1
        if growth:
            if self.grows is None and self.drops is None:
                self.start = self.size
            if growth > 0:
                if self.grows is None:
                    self.grows = [version]
                else:
                    self.grows.append(version)
            elif self.drops is None:
                self.drops = [version]
            else:
                self.drops.append(version)
            self.size += growth
        now[step] = child

    def overlay(self, version: int) -> dict[str, Held]:
        """The edits on top of the base at `version`: step to child or ABSENT. The caller may keep the dict.

        Costs the entries staged up to `version`, later ones are not looked at.
        """
        line = self.line
        # Never wait: who settles holds the lock of another line.
        if version == line.version and line.lock.acquire(blocking=False):
            try:
                if version == line.version:
                    now = self.now
                    if self.base is None:
                        return now.copy()
                    return {step: now[step] for step in self.first or ()}
            finally:
                line.lock.release()
        out: dict[str, Held] = {}
        steps: Iterable[str] | None = self.now if self.base is None else self.first
        while True:
            try:
                for step in steps or ():
                    first = self.first  # after `now`: a writer notes the version before it adds the step
                    if first is not None and first.get(step, 0) > version:
                        break  # both dicts keep the order of the edits
                    child = self._edited(step, version)
                    if child is not None:
                        out[step] = child
                return out
            except RuntimeError:  # a writer added a step meanwhile
                out.clear()
                steps = dict.fromkeys(list(self.now)) if self.base is None else dict(self.first or {})

    def _edited(self, step: str, version: int) -> Held | None:
        child = self.now.get(step)
        states = self.over.get(step) if self.over is not None else None
        if states is not None:
            i = bisect_right(states[0], version) - 1
            return states[1][i] if i >= 0 else None
        return child


def detached(few: Few, void: Source) -> Staged:
    """The directory `few` as the root of a line of its own."""
    return Staged(Line(void), None, {**few}, len(few))


@final
class Frozen(Part):
    """A staged directory at one version: a value that never changes."""

    __slots__ = ("settled", "staged", "version")

    def __init__(self, staged: Staged, version: int) -> None:
        self.staged = staged
        self.version = version
        self.settled: Stored | None = None
        """The same directory with its hash, once somebody asked."""

    @property
    def depth(self) -> int:
        """How many older lines a read may have to ask."""
        return self.staged.depth

    def child(self, step: str) -> Held | None:
        """What `step` is bound to, or None; a staged child comes frozen at the same version."""
        if self.settled is not None:
            return self.settled.child(step)
        child = self.staged.at(step, self.version)
        return Frozen(child, self.version) if type(child) is Staged else child

    def length(self) -> int:
        """Number of entries."""
        return self.staged.size_at(self.version)


Base = Stored | Frozen | None
View = Stored | Frozen
"""A directory that cannot change."""
