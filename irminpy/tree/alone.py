"""Edits in place, of a tree that nobody but its editor has seen: no version in between is kept."""

from __future__ import annotations

from typing import Any

from ..core import put_many
from .stage import MOST_FEW, Few, Staged

__all__ = ["put", "put_some"]


def put(root: Any, steps: list[str], data: bytes) -> bool:
    """Bind `steps` (not empty) to contents below `root`; False, and nothing has changed, where that is no usual edit.

    The usual edit is one more binding in a directory that is staged, or in a new one below. Each call and each look at
    a type would cost as much as a step of the way; whatever is no staged directory lacks `now` or `base`.
    """
    above: Any = None
    node = root
    step = ""
    last = steps[-1]
    try:
        for step in steps[:-1]:
            above = node
            node = above.now.get(step)
        if type(node) is dict:
            few: Few = node  # pyright: ignore[reportUnknownVariableType]
            if len(few) < MOST_FEW or last in few:
                few[last] = data
                return True
        elif node is None:
            if above.base is None:
                above.now[step] = {last: data}
                above.size += 1
                return True
        elif node.base is None:
            now = node.now
            if last not in now:
                now[last] = data
                node.size += 1
                return True
            if type(now[last]) is bytes:
                now[last] = data
                return True
    except AttributeError:
        pass
    return False


def put_some(root: Any, items: list[tuple[Any, bytes]], at: int) -> int:
    """`put` for each of `items`, a path and data, from number `at` on; the number of the first that is left to do.

    For codecs that the core looks into (`Codec.looks`): it takes texts in ASCII apart by itself.
    """
    return put_many(root, items, at, MOST_FEW, Staged)
