"""Walking a whole tree: one traversal with every parameter, on directories that have their hashes.

It knows children, not handles: the caller says how a child becomes the value that callbacks get. No
recursion; the memory it takes is that of the directories on the way down, and with order "undefined" not even
their lists.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, cast

from ..errors import DecodeError
from ..path import Path
from .gathering import BELOW, ROOM, gathered, in_parts, opened
from .lazy import Child, Leaf, Stored
from .listing import children, resident

if TYPE_CHECKING:
    import random

__all__ = ["Depth", "Fold", "Force", "Marks", "Order", "empty_marks"]

A = TypeVar("A")
_C = TypeVar("_C")
_T = TypeVar("_T")

Order: TypeAlias = "Literal['sorted', 'undefined'] | random.Random"
"""By step, in whatever order takes the least memory, or shuffled with a generator of the caller's."""

Force: TypeAlias = Literal[True] | Callable[[Path, A], A]
"""True: load what is not in memory. A function: call it with the path and the accumulator instead."""

_step = itemgetter(0)
_OPS = ("eq", "le", "lt", "ge", "gt")


@dataclass(frozen=True, slots=True)
class Depth:
    """The depths a fold looks at: `Depth.eq(2)`, `le`, `lt`, `ge`, `gt`. The root has depth 0.

    DecodeError for another `op` or a negative `n`.
    """

    op: str
    n: int

    def __post_init__(self) -> None:
        if self.op not in _OPS:
            raise DecodeError("depth", f"{self.op!r}; use one of {', '.join(_OPS)}")
        if type(self.n) is not int or self.n < 0:
            raise DecodeError("depth", f"{self.n!r} is no number from 0 up")

    @staticmethod
    def eq(n: int) -> Depth:
        """Exactly `n`."""
        return Depth("eq", n)

    @staticmethod
    def le(n: int) -> Depth:
        """At most `n`."""
        return Depth("le", n)

    @staticmethod
    def lt(n: int) -> Depth:
        """Less than `n`."""
        return Depth("lt", n)

    @staticmethod
    def ge(n: int) -> Depth:
        """At least `n`."""
        return Depth("ge", n)

    @staticmethod
    def gt(n: int) -> Depth:
        """More than `n`."""
        return Depth("gt", n)

    def selects(self, depth: int) -> bool:
        """True if something at `depth` is looked at."""
        if self.op == "eq":
            return depth == self.n
        if self.op == "le":
            return depth <= self.n
        if self.op == "lt":
            return depth < self.n
        return depth >= self.n if self.op == "ge" else depth > self.n

    def enters(self, depth: int) -> bool:
        """True if something below a directory at `depth` is looked at."""
        if self.op in ("ge", "gt"):
            return True
        return depth < (self.n - 1 if self.op == "lt" else self.n)

    def to_json(self) -> dict[str, int]:
        """`{"eq": 2}`, and so on."""
        return {self.op: self.n}

    @staticmethod
    def from_json(value: object) -> Depth:
        """The inverse of `to_json`; DecodeError for anything else."""
        reason = brief(value)[:80]
        pairs = list(cast("dict[str, int]", value).items()) if isinstance(value, dict) else []
        if len(pairs) != 1:
            raise DecodeError("depth", reason)
        return Depth(*pairs[0])


class Marks(set[bytes]):
    """Hashes of directories that folds with `uniq=marks` have seen, and later ones leave out."""

    __slots__ = ()


def empty_marks() -> Marks:
    """Marks of nothing."""
    return Marks()


@dataclass(slots=True)
class _Frame:
    """A directory that was entered."""

    directory: Stored
    children: Iterator[tuple[str, Any]]
    steps: tuple[str, ...]
    """The children in traversal order; empty if nobody asked."""
    held: int = 0
    """What the values among them take."""


@dataclass(slots=True, kw_only=True)
class Fold(Generic[A, _C, _T]):
    """The parameters of a traversal; `run` does it.

    A directory calls `node`, `tree`, `pre`, then its children, then `post`; contents call `contents`, `tree`.
    """

    wrap: Callable[[Child], _T]
    """A child as the callbacks get it."""
    decode: Callable[[bytes], _C]
    """The value of contents as the callback gets it."""
    sort_key: Callable[[str], Any] | None
    """The order of steps; None for that of `str`."""
    contents: Callable[[Path, _C, A], A] | None = None
    node: Callable[[Path, _T, A], A] | None = None
    tree: Callable[[Path, _T, A], A] | None = None
    pre: Callable[[Path, tuple[str, ...], A], A] | None = None
    post: Callable[[Path, tuple[str, ...], A], A] | None = None
    order: Order = "sorted"
    force: Force[A] = True
    cache: bool = False
    marks: Marks | None = None
    depth: Depth | None = None
    _room: int = ROOM
    _values: bool = False

    def __post_init__(self) -> None:
        # Whoever has a generator has imported its module.
        random_ = sys.modules.get("random")
        shuffled = random_ is not None and isinstance(self.order, random_.Random)
        if not shuffled and self.order not in ("sorted", "undefined"):
            raise TypeError(f'order is "sorted", "undefined" or a random.Random, not {self.order!r:.80}')
        if self.force is not True and not callable(self.force):
            raise TypeError("force is True, or a function of a path and what was accumulated")
        # Whether values are all that anybody looks at: then directories need not be known one by one.
        others = (self.node, self.tree, self.pre, self.post, self.marks, self.depth)
        self._values = all(other is None for other in others) and not shuffled and self.contents is not None

    def run(self, root: Child, acc: A) -> A:
        """Fold over `root`. Cost: one read per node and value that is entered and not in memory.

        Raises DanglingHash, PrunedHash and Corrupted where `force` is True.
        """
        if type(root) is not Stored:
            return self._leaf(None, root, (), acc)  # a root that is contents has no depth
        depth = self.depth
        # Where nobody wants handles of contents, their values are all there is to do: for most leaves this is the way.
        contents, decode = None if self.tree is not None else self.contents, self.decode
        trail: list[str] = []
        stack: list[_Frame] = []
        frame, acc = self._directory(root, trail, acc)
        if frame is not None:
            stack.append(frame)
        while stack:
            frame = stack[-1]
            below = depth is None or depth.selects(len(trail) + 1)
            for step, child in frame.children:
                if contents is not None and type(child) is bytes:
                    if below:
                        acc = contents((*trail, step), decode(child), acc)
                    continue
                if child.__class__ is tuple:  # `type(child)` would narrow what is `Any`
                    if len(child) == 3:
                        child = opened(frame.directory.source, child)
                    else:
                        _, _, _, pairs, plain = child
                        if self.order == "sorted":
                            pairs.sort(key=_step)
                        trail.append(step)
                        if not plain or contents is None:
                            stack.append(_Frame(frame.directory, iter(pairs), ()))
                            break
                        front = tuple(trail)
                        for last, data in pairs:
                            acc = contents((*front, last), decode(data), acc)
                        trail.pop()
                        continue
                if type(child) is not Stored:
                    if below:
                        acc = self._leaf(frame.directory, child, (*trail, step), acc)
                    continue
                trail.append(step)
                entered, acc = self._directory(child, trail, acc)
                if entered is not None:
                    stack.append(entered)
                    break
                trail.pop()
            else:
                stack.pop()
                self._room += frame.held
                if self.post is not None:
                    acc = self.post(tuple(trail), frame.steps, acc)
                if stack:
                    trail.pop()
        return acc

    def _directory(self, directory: Stored, trail: list[str], acc: A) -> tuple[_Frame | None, A]:
        """What happens before the children; None if they are not to be visited."""
        marks = self.marks
        if marks is not None:
            if directory.hash in marks:
                return None, acc
            marks.add(directory.hash)
        depth = self.depth
        if (self.node is not None or self.tree is not None) and (depth is None or depth.selects(len(trail))):
            handle = self.wrap(directory)
            if self.node is not None:
                acc = self.node(tuple(trail), handle, acc)
            if self.tree is not None:
                acc = self.tree(tuple(trail), handle, acc)
        if depth is not None and not depth.enters(len(trail)):
            return None, acc
        force = self.force
        if force is not True and not resident(directory):
            return None, force(tuple(trail), acc)
        found, held = self._found(directory, len(trail) + 1)
        order = self.order
        steps: tuple[str, ...] = ()
        if order != "undefined" or self.pre is not None or self.post is not None:
            pairs = list(found)
            if order != "undefined":
                key = self.sort_key
                pairs.sort(key=_step if key is None else lambda pair: key(pair[0]))
                if order != "sorted":
                    # Sorted first: the same seed gives the same order, whatever is in memory.
                    order.shuffle(pairs)
            if self.pre is not None or self.post is not None:
                steps = tuple([step for step, _ in pairs])
            found = iter(pairs)
        if self.pre is not None:
            acc = self.pre(tuple(trail), steps, acc)
        return _Frame(directory, found, steps, held), acc

    def _found(self, directory: Stored, depth: int) -> tuple[Iterator[tuple[str, Any]], int]:
        """The children of `directory`, which are at `depth`, and the room that values among them take."""
        if self.cache or self.tree is not None or self.force is not True:
            return children(directory, cache=self.cache), 0  # leaves are to be kept, shown or not to be read
        wanted = self.depth is None or self.depth.selects(depth)
        # Half of what is left: what lies further down is taken in while this is held.
        room, below = self._room >> 1 if wanted else 0, BELOW if self._values else 0
        found = gathered(directory, room, below)
        if found is not None:
            held, pairs = found
            self._room -= held
            return iter(pairs), held
        if len(directory.now) == directory.record(cache=False).count:
            return children(directory), 0
        # In undefined order one part after the other is seen and let go; else all of them are collected first.
        if self.order != "undefined":
            room = below = 0
        return in_parts(directory, room, below), 0

    def _leaf(self, parent: Stored | None, child: Child, path: Path, acc: A) -> A:
        if type(child) is bytes:
            data = child
        else:
            assert type(child) is Leaf
            force = self.force
            if force is not True and not child.loaded:
                return force(path, acc)
            data = child.data(cache=self.cache)
            if self.cache and parent is not None and child.metadata is None:
                parent.now[path[-1]] = data  # in the place of the leaf: no object per binding
        if self.contents is not None:
            acc = self.contents(path, self.decode(data), acc)
        if self.tree is not None:
            acc = self.tree(path, self.wrap(child), acc)
        return acc
