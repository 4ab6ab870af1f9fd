"""Forgetting what a tree cached and can read again. What is not saved stays. No recursion."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import DecodeError
from .lazy import Child, Leaf, Part, Stored
from .stage import Frozen, Held, Staged

__all__ = ["clear"]


def clear(root: Child, depth: int) -> None:
    """Drop the caches of directories at `depth` and deeper, and of contents below those; the root has depth
    0.

    Nothing is read or hashed. Objects in an unsaved pool and staged edits stay; what lies below them and is
    saved is cleared. DecodeError for a negative `depth`.
    """
    if type(depth) is not int or depth < 0:
        raise DecodeError("depth", f"{depth!r} is no number from 0 up")
    seen: set[tuple[int, int]] = set()
    stack: list[tuple[Child, int]] = [(root, 0)]

    def visit(children: Iterable[Held], at: int) -> None:
        stack.extend((child, at) for child in children if isinstance(child, Part))

    while stack:
        child, at = stack.pop()
        if type(child) is Leaf:
            if at > depth or at == depth == 0:
                child.clear()
            continue
        # A subtree may hang at many places, and is held by the tree all the time.
        mark = (id(child), min(at, depth))
        if mark in seen:
            continue
        seen.add(mark)
        if type(child) is Stored:
            if at < depth:
                visit(list(child.now.values()), at + 1)
            else:
                child.clear()
                visit(list((child.pins or {}).values()), at + 1)
        elif type(child) is Staged:
            visit(list(child.now.values()), at + 1)
            if child.over is not None:
                for _, states in list(child.over.values()):
                    visit(states.copy(), at + 1)
            if child.base is not None:
                stack.append((child.base, at))
        elif type(child) is Frozen:
            stack.append((child.staged, at))
            if child.settled is not None:
                stack.append((child.settled, at))
