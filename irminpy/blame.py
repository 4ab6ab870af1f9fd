"""Which commit each value of a tree comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .commit import Commit
from .hash import Hash
from .path import Path, PathLike
from .store import Store
from .tree import Tree
from .types import C, M

__all__ = ["blame"]


def blame(store: Store[C, M], path: PathLike = ()) -> Iterator[tuple[Path, Commit[C, M]]]:
    """(path, commit) for each contents at or below `path` in the head of `store`: the commit that
    made it what it is.

    That is the commit whose parents all have something else there: of a value that a merge took over, the one on the
    branch where it was made. Of several parents with the same value the first counts. Metadata counts as part of the
    value. Pairs come as their commits are found, the newest first. NotFound if there is nothing at `path`. Where
    history was cut off, the first commit that is left answers for what is older. Cost: a structural diff of each commit
    with its parents, as long as some value is not explained.
    """
    head = store.head()
    steps = tuple(store.tree().get_tree(path)._home.steps(path))  # pyright: ignore[reportPrivateUsage]
    return _blame(store, head, steps)


def _blame(store: Store[C, M], head: Commit[C, M], steps: Path) -> Iterator[tuple[Path, Commit[C, M]]]:
    # INVARIANT: of each commit, the paths whose value is the one of the head, and is to be explained by it.
    waiting: dict[Hash, set[Path]] = {head.hash: set(_contents(head.tree().get_tree(steps)))}
    for commit in store.log():
        paths = waiting.pop(commit.hash, set())
        if not paths:
            if not waiting:
                return
            continue
        tree = commit.tree().get_tree(steps)
        for parent in store.history(depth=1, max=[commit], shallow=True).pred(commit):
            before = parent.tree().find_tree(steps)
            if before is None:
                continue
            same = paths - {path for path, _ in before.diff_all(tree)}
            if same:
                waiting.setdefault(parent.hash, set()).update(same)
                paths -= same
        for path in sorted(paths):
            yield (*steps, *path), commit


def _contents(tree: Tree[Any, Any]) -> Iterator[Path]:
    """The paths of all contents in `tree`. No recursion: a path may have any number of steps."""
    if tree.kind() == "contents":
        yield ()
        return
    path: list[str] = []
    levels = [tree.seq(cache=False)]
    while levels:
        pair = next(levels[-1], None)
        if pair is None:
            levels.pop()
            if path:
                path.pop()
            continue
        step, below = pair
        if below.kind() == "contents":
            yield (*path, step)
        else:
            path.append(step)
            levels.append(below.seq(cache=False))
