"""What the suites share: a tree as a plain dict from path to value, and a way to store trees in a backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic

from ..backend import Backend, Reader
from ..path import Path
from ..schema import Schema
from ..tree import Tree
from ..tree.export import gather
from ..tree.home import Home
from ..tree.lazy import Counters, RepoSource
from ..types import C, M

__all__ = ["Bindings", "Shelf", "added", "below", "bindings_of", "built", "grafted", "removed"]

Bindings = dict[Path, bytes]


def added(model: Bindings, path: Path, value: bytes) -> Bindings:
    """`model` with `path` bound to `value`: what was at, above or below the path is gone."""
    out = {p: v for p, v in model.items() if p[: len(path)] != path and path[: len(p)] != p}
    out[path] = value
    return out


def removed(model: Bindings, path: Path) -> Bindings:
    """`model` without what is at or below `path`."""
    return {p: v for p, v in model.items() if p[: len(path)] != path}


def below(model: Bindings, path: Path) -> Bindings:
    """What `model` binds at or below `path`, seen from there."""
    return {p[len(path) :]: v for p, v in model.items() if p[: len(path)] == path}


def grafted(model: Bindings, path: Path, part: Bindings) -> Bindings:
    """`model` with `path` bound to all of `part`, or to nothing if that is empty."""
    out = removed(model, path)
    if part:
        out = {p: v for p, v in out.items() if path[: len(p)] != p}
        out.update({path + p: v for p, v in part.items()})
    return out


def built(schema: Schema[bytes, Any], model: Mapping[Path, bytes]) -> Tree[bytes, Any]:
    """A fresh tree that holds `model`."""
    editor = Tree.empty(schema).edit()
    for path, value in model.items():
        editor.add(path, value)
    return editor.tree()


def bindings_of(tree: Tree[bytes, Any]) -> Bindings:
    """All that `tree` binds, found by listing. Fails if a directory other than the root is empty."""
    if tree.kind() == "contents":
        return {(): tree.get()}
    out: Bindings = {}
    stack: list[tuple[Path, Tree[bytes, Any]]] = [((), tree)]
    while stack:
        path, directory = stack.pop()
        children = directory.list()
        assert children or not path, f"an empty directory at {path}"
        for step, child in children:
            if child.kind() == "contents":
                out[(*path, step)] = child.get()
            else:
                stack.append(((*path, step), child))
    return out


class Shelf(Generic[C, M]):
    """An open backend on which trees are put, and from which they are read back, without commits."""

    def __init__(self, backend: Backend, schema: Schema[C, M], reader: Reader | None = None) -> None:
        self.backend = backend
        self.home = Home(schema, RepoSource(schema.codec, backend if reader is None else reader, Counters()))

    def put(self, tree: Tree[C, M]) -> Tree[C, M]:
        """Store `tree`; the same tree, read from the backend, with nothing in memory."""
        assert self.home.repo is not None
        root = tree._settled()  # pyright: ignore[reportPrivateUsage]
        assert self.backend.write(gather(root, self.home.repo))
        return Tree.shallow(self, tree.kinded_hash())

    def again(self, tree: Tree[C, M]) -> Tree[C, M]:
        """The stored `tree`, through a reader that has cached nothing."""
        return Tree.shallow(Shelf(self.backend, self.home.schema), tree.kinded_hash())
