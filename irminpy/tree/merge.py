"""The three-way merge of trees: which bindings of ours have to change, and where the two sides conflict.

The rule at every step, first match wins: a side that equals the base gives way to the other; what only one
side has stays if the base does not have it; two directories are merged step by step; two contents are merged
by the schema. All else is a conflict. Directories are compared by the hashes of their nodes: what equals the
base on one side is never entered, but where both sides differ from it the merge goes down to the contents,
even if the sides are equal.

This module knows no handles: it gives edits, and asks `Resolve` about conflicts. No recursion: a path may
have any number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

from ..comparison import differences
from ..formats.format import Linking
from ..merge import NO_ANCESTOR, Conflict, NoAncestor, Old
from ..objects import Node
from ..path import Path
from ..shape import Place, entry_at, leaves
from ..types import C, M
from .diff import Contents, held
from .edit import same
from .lazy import ABSENT, Child, Leaf, Stored

if TYPE_CHECKING:
    from .home import Home

__all__ = ["Clash", "Edit", "Merging", "Resolve", "encoded"]

Edit = tuple[Path, Child]
"""A path and what it is to be bound to; ABSENT for nothing."""

_EMPTY = "empty contents"
_ADD_DEL = "add/del"
_KINDS = "add/add values"
_LINKS = "their side changed links to other repositories"


def encoded(home: Home[C, Any], value: C, metadata: bytes | None) -> Contents:
    """`value` as a directory holds it."""
    data = home.schema.contents.encode(value)
    return data if metadata is None else Leaf(home.void, None, data, metadata)


def _links(directory: Stored | None) -> bytes:
    record = None if directory is None else directory.record(cache=False)
    return record.links if type(record) is Node else b""


class Clash(NamedTuple):
    """A conflict with its sides as they stand in the trees; None where a side has nothing."""

    path: Path
    reason: str
    base: Child | None
    ours: Child | None
    theirs: Child | None
    metadata: bytes | None
    """What contents that settle the conflict are bound with."""


Resolve = Callable[[Clash], Child | Conflict]
"""Settles a conflict: what to bind (ABSENT for nothing), or the conflict to be reported."""

_Steps = Iterator[tuple[str, Place | None, Place | None, Place | None]]


class _Level(NamedTuple):
    """Two directories that are being merged; `base` is None where there is no common ancestor."""

    base: Stored | None
    ours: Stored
    theirs: Stored
    steps: _Steps


class Merging(Generic[C, M]):
    """One run of a merge: `run`, then read `edits` and `conflicts`."""

    __slots__ = ("_home", "_linking", "_resolve", "conflicts", "edits")

    def __init__(self, home: Home[C, M], resolve: Resolve) -> None:
        self._home = home
        self._resolve = resolve
        self._linking = isinstance(home.codec, Linking)
        self.edits: list[Edit] = []
        """What turns ours into the result, if there are no conflicts."""
        self.conflicts: list[Conflict] = []

    def run(self, base: Old[Stored | Leaf], ours: Stored | Leaf, theirs: Stored | Leaf) -> None:
        """Merge two roots.

        Cost: the nodes on the way to what theirs changed, in all trees, and the contents that both changed.
        """
        path: list[str] = []
        levels: list[_Level] = []
        if not isinstance(base, NoAncestor):
            if same(base, theirs):
                return
            if same(base, ours):
                self.edits.append(((), theirs))
                return
        level = self._both((), base, ours, theirs)
        if level is not None:
            levels.append(level)
        while levels:
            level = levels[-1]
            found = next(level.steps, None)
            if found is None:
                levels.pop()
                if path:
                    path.pop()
                continue
            step, was, mine, new = found
            path.append(step)
            theirs_child = None if new is None else held(level.theirs, step, new)
            if entry_at(mine) == entry_at(was):
                # Ours is as the base, or neither has anything.
                self.edits.append((tuple(path), ABSENT if theirs_child is None else theirs_child))
            else:
                ours_child = None if mine is None else held(level.ours, step, mine)
                base_child: Old[Child | None] = NO_ANCESTOR
                if level.base is not None:
                    base_child = None if was is None else held(level.base, step, was)
                deeper = self._both(tuple(path), base_child, ours_child, theirs_child)
                if deeper is not None:
                    levels.append(deeper)
                    continue
            path.pop()

    def _both(
        self, path: Path, base: Old[Child | None], ours: Child | None, theirs: Child | None
    ) -> _Level | None:
        """Merge what both sides changed; directories are given back, to be entered."""
        if ours is None and theirs is None:
            return None
        if ours is None or theirs is None:
            # Both differ from the base, so it is there.
            self._one_is_gone(path, base, ours, theirs)
        elif type(ours) is Stored and type(theirs) is Stored:
            old = base if type(base) is Stored else None
            if self._linking and _links(theirs) not in (_links(old), _links(ours)):
                # An edit of ours has no way to change them.
                self._clash(path, _LINKS, base, ours, theirs)
                return None
            return self._level(old, ours, theirs)
        elif type(ours) is Stored or type(theirs) is Stored:
            self._clash(path, _KINDS, base, ours, theirs)
        else:
            self._contents(path, base, _contents(ours), _contents(theirs))
        return None

    # -- directories -----------------------------------------------------------------------------------------

    def _level(self, base: Stored | None, ours: Stored, theirs: Stored) -> _Level:
        return _Level(
            base, ours, theirs, _unrelated(ours, theirs) if base is None else _changed(base, ours, theirs)
        )

    # -- contents --------------------------------------------------------------------------------------------

    def _contents(self, path: Path, base: Old[Child | None], ours: Contents, theirs: Contents) -> None:
        old = base if isinstance(base, bytes | Leaf) else None
        metadata = self._metadata(old, ours, theirs)
        if isinstance(metadata, Conflict):
            self._clash(path, metadata.reason, base, ours, theirs, _metadata(ours))
            return
        if old is not None and same(_bare(old), _bare(ours)):
            self._bind(path, ours, self._with(theirs, metadata))
            return
        if old is not None and same(_bare(old), _bare(theirs)):
            self._bind(path, ours, self._with(ours, metadata))
            return
        left, right = self._value(ours), self._value(theirs)
        result: C | Conflict | None
        if left is None or right is None:
            # Such a value (JSON's null) would look absent to the type.
            if same(_bare(ours), _bare(theirs)):
                self._bind(path, ours, self._with(ours, metadata))
                return
            reason = "add/add and no common ancestor" if old is None else "both sides changed it"
            result = Conflict(reason)
        else:
            value = None if old is None else self._value(old)
            result = self._home.schema.contents.merge(NO_ANCESTOR if value is None else value, left, right)
        if isinstance(result, Conflict):
            self._clash(path, result.reason, base, ours, theirs, metadata)
        elif result is None:
            if path:
                self.edits.append((path, ABSENT))
            else:
                self._clash(path, _EMPTY, base, ours, theirs, metadata)
        else:
            self._bind(path, ours, encoded(self._home, result, metadata))

    def _one_is_gone(
        self, path: Path, base: Old[Child | None], ours: Child | None, theirs: Child | None
    ) -> None:
        """One side removed what the other changed: a conflict, unless the contents' type knows better."""
        left = theirs if ours is None else ours
        if (
            isinstance(base, bytes | Leaf)
            and isinstance(left, bytes | Leaf)
            and not same(_bare(base), _bare(left))
        ):
            old, value = self._value(base), self._value(left)
            # None would look absent to the type.
            if old is not None and value is not None:
                merge = self._home.schema.contents.merge
                result = merge(old, None, value) if ours is None else merge(old, value, None)
                if not isinstance(result, Conflict):
                    made = ABSENT if result is None else encoded(self._home, result, _metadata(left))
                    self._bind(path, ours, made)
                    return
        self._clash(path, _ADD_DEL, base, ours, theirs, _metadata(left))

    def _metadata(self, old: Contents | None, ours: Contents, theirs: Contents) -> bytes | Conflict | None:
        """The bytes of the merged metadata, None for the default."""
        left, right = _metadata(ours), _metadata(theirs)
        # No contents count what metadata says: what both sides agree on is kept.
        if left == right:
            return left
        home = self._home
        base: Old[M] = NO_ANCESTOR
        if old is not None:
            was = _metadata(old)
            if was == left:
                return right
            if was == right:
                return left
            base = home.decode_metadata(was)
        merged = home.schema.metadata.merge(base, home.decode_metadata(left), home.decode_metadata(right))
        return merged if isinstance(merged, Conflict) else home.encode_metadata(merged)

    def _value(self, contents: Contents) -> C:
        # Kept for the conflict that may come of it.
        data = contents.data() if isinstance(contents, Leaf) else contents
        return self._home.schema.contents.decode(data)

    def _with(self, contents: Contents, metadata: bytes | None) -> Contents:
        """`contents` with other metadata, unread."""
        if isinstance(contents, Leaf):
            if contents.metadata == metadata:
                return contents
            return Leaf(contents.source, contents.hash, contents.in_hand, metadata, contents.word)
        return contents if metadata is None else Leaf(self._home.void, None, contents, metadata)

    # -- results ---------------------------------------------------------------------------------------------

    def _bind(self, path: Path, ours: Child | None, child: Child) -> None:
        if ours is None:
            if child is not ABSENT:
                self.edits.append((path, child))
        elif child is ABSENT or not same(ours, child):
            self.edits.append((path, child))

    def _clash(
        self,
        path: Path,
        reason: str,
        base: Old[Child | None],
        ours: Child | None,
        theirs: Child | None,
        metadata: bytes | None = None,
    ) -> None:
        old = None if isinstance(base, NoAncestor) else base
        answer = self._resolve(Clash(path, reason, old, ours, theirs, metadata))
        if isinstance(answer, Conflict):
            self.conflicts.append(answer)
        else:
            self._bind(path, ours, answer)


def _changed(base: Stored, ours: Stored, theirs: Stored) -> _Steps:
    """What theirs changed: (step, place in the base, in ours, in theirs)."""
    source = base.source
    a, b = base.record(cache=False), theirs.record(cache=False)
    for step, was, new in differences(source.codec, source.node, a, theirs.source.node, b):
        yield step, was, ours.place(step, cache=False), new


def _unrelated(ours: Stored, theirs: Stored) -> _Steps:
    """All of theirs, as `_changed` with an empty base."""
    for leaf in leaves(theirs.source.node, theirs.record(cache=False)):
        for step, i in leaf.index.items():
            yield step, None, ours.place(step, cache=False), (leaf, i)


def _contents(child: Child) -> Contents:
    assert isinstance(child, bytes | Leaf)
    return child


def _metadata(child: Any) -> bytes | None:
    return child.metadata if type(child) is Leaf else None


def _bare(contents: Contents) -> Contents:
    """`contents` with the default metadata, unread."""
    if type(contents) is not Leaf or contents.metadata is None:
        return contents
    return Leaf(contents.source, contents.hash, contents.in_hand, None, contents.word)
