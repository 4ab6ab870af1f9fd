"""The usual computations, for those who make a proof and for those who check it.

Each is a value that is called with a tree, so that both sides write down the same: `main.produce_proof(Read(["a/b"]))`
here, `verify_proof(proof, Read(["a/b"]), schema, root=root)` there. Any other function will do as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from ..errors import DecodeError
from ..path import Path, PathLike, as_path
from ..tree import Tree
from ..tree.listing import check_page

__all__ = ["Absence", "Page", "Read", "Transition"]


@final
@dataclass(frozen=True, init=False, slots=True)
class Read:
    """`Read(paths)`: the tree as it is, and {path: contents, or None for nothing or a directory}.

    A batch of paths shares the nodes above them: it is much smaller than a proof for each.
    """

    paths: tuple[Path, ...]

    def __init__(self, paths: Iterable[PathLike]) -> None:
        object.__setattr__(self, "paths", _paths(paths))

    def __call__(self, tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], dict[Path, Any]]:
        """What `paths` are bound to in `tree`."""
        return tree, {path: tree.find(path) for path in self.paths}


@final
@dataclass(frozen=True, init=False, slots=True)
class Absence:
    """`Absence(paths)`: the tree as it is, and {path: whether there is nothing at all, no directory either}."""

    paths: tuple[Path, ...]

    def __init__(self, paths: Iterable[PathLike]) -> None:
        object.__setattr__(self, "paths", _paths(paths))

    def __call__(self, tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], dict[Path, bool]]:
        """Which of `paths` lead to nothing in `tree`."""
        return tree, {path: not tree.mem_tree(path) for path in self.paths}


@final
@dataclass(frozen=True, init=False, slots=True)
class Page:
    """`Page(path, offset, length)`: the tree as it is, and (number of entries, [(step, kind)…] of the page).

    The page is of the directory at `path` in the format's order; `length` None is all the rest. Only the nodes of the
    page and those above it go into the proof. DecodeError for negative numbers.
    """

    path: Path
    offset: int
    length: int | None

    def __init__(self, path: PathLike, offset: int = 0, length: int | None = None) -> None:
        check_page(offset, length)
        object.__setattr__(self, "path", as_path(path))
        object.__setattr__(self, "offset", offset)
        object.__setattr__(self, "length", length)

    def __call__(
        self, tree: Tree[Any, Any]
    ) -> tuple[Tree[Any, Any], tuple[int, list[tuple[str, str | None]]]]:
        """The page of `tree`."""
        page = tree.list(self.path, offset=self.offset, length=self.length)
        return tree, (tree.length(self.path), [(step, child.kind()) for step, child in page])


@final
@dataclass(frozen=True, init=False, slots=True)
class Transition:
    """`Transition(changes)`: the tree after `changes`, in their order, and None.

    `changes` are a mapping from path to contents, or pairs; None as contents removes. DecodeError for a path twice.
    The root after the transition is `proof.after`.
    """

    changes: tuple[tuple[Path, Any], ...]

    def __init__(self, changes: Mapping[Any, Any] | Iterable[tuple[PathLike, Any]]) -> None:
        pairs: Any = changes
        if isinstance(changes, Mapping):
            pairs = pairs.items()
        found = tuple([(as_path(path), value) for path, value in pairs])
        if len({path for path, _ in found}) != len(found):
            raise DecodeError(
                "transition", "a path is changed twice; what holds is the last, so give only that"
            )
        object.__setattr__(self, "changes", found)

    def __call__(self, tree: Tree[Any, Any]) -> tuple[Tree[Any, Any], None]:
        """`tree` after the changes."""
        for path, value in self.changes:
            tree = tree.remove(path) if value is None else tree.add(path, value)
        return tree, None


def _paths(paths: Iterable[PathLike]) -> tuple[Path, ...]:
    if isinstance(paths, str):
        raise TypeError("several paths are expected; put a single one in a list")
    return tuple(_unique(map(as_path, paths)))


def _unique(paths: Iterator[Path]) -> dict[Path, None]:
    return dict.fromkeys(paths)
