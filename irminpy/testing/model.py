"""What the suites share: a tree as a plain dict from path to value, and a way to store trees in a backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal

from ..backend import Backend, Reader
from ..key import KindedKey
from ..objects import Kind
from ..path import Path
from ..schema import Schema
from ..tree import Tree
from ..tree.export import gather
from ..tree.home import Home
from ..types import C, M

__all__ = [
    "Bindings",
    "Prefer",
    "Shelf",
    "added",
    "ancestors",
    "below",
    "bindings_of",
    "built",
    "grafted",
    "lowest",
    "merged",
    "merged_at",
    "removed",
]

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


Prefer = Literal["ours", "theirs"] | None
"""Whose side wins where both changed the same; None: it is a conflict."""

_Item = bytes | dict[str, Any] | None


def merged(base: Bindings, ours: Bindings, theirs: Bindings, prefer: Prefer = None) -> Bindings | None:
    """The merge of two directories of bytes, for which equal changes are no conflict; None if there is one."""
    try:
        found = _merged(_item(base) or {}, _item(ours) or {}, _item(theirs) or {}, prefer)
    except _Clash:
        return None
    return _flat(found, ())


def merged_at(
    path: Path, base: Bindings, ours: Bindings, theirs: Bindings, prefer: Prefer = None
) -> Bindings | None:
    """The merge of what is at `path` in the same sense: below the root each side may be absent or contents."""
    if not path:
        return merged(base, ours, theirs, prefer)
    sides = [{("x", *p): v for p, v in side.items()} for side in (base, ours, theirs)]
    found = merged(sides[0], sides[1], sides[2], prefer)
    return None if found is None else below(found, ("x",))


class _Clash(Exception):
    pass


def _item(model: Bindings) -> _Item:
    if not model or () in model:
        return model.get(())
    return {step: _item(below(model, (step,))) for step in {p[0] for p in model}}


def _flat(item: _Item, path: Path) -> Bindings:
    if isinstance(item, dict):
        return {p: v for step, inner in item.items() for p, v in _flat(inner, (*path, step)).items()}
    return {} if item is None else {path: item}


def _merged(base: _Item, ours: _Item, theirs: _Item, prefer: Prefer) -> _Item:
    if ours in (base, theirs):
        return theirs
    if theirs == base:
        return ours
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        if prefer is None:
            raise _Clash
        return ours if prefer == "ours" else theirs
    old = base if isinstance(base, dict) else {}
    both = {
        step: _merged(old.get(step), ours.get(step), theirs.get(step), prefer)
        for step in ours.keys() | theirs.keys()
    }
    # A directory that became empty is none.
    return {step: item for step, item in both.items() if item is not None and item != {}}


def lowest(parents: Sequence[tuple[int, ...]], a: int, b: int) -> set[int]:
    """The least common ancestors of two commits, by their definition; each commit has `parents[itself]`."""
    above_both = ancestors(parents, a) & ancestors(parents, b)
    return above_both - {i for j in above_both for i in ancestors(parents, j) - {j}}


def ancestors(parents: Sequence[tuple[int, ...]], commit: int) -> set[int]:
    """`commit` and all that lead to it."""
    found, todo = {commit}, [commit]
    while todo:
        for parent in parents[todo.pop()]:
            if parent not in found:
                found.add(parent)
                todo.append(parent)
    return found


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
        self.home = Home.over(backend if reader is None else reader, schema)

    def put(self, tree: Tree[C, M]) -> Tree[C, M]:
        """Store `tree`; the same tree, read from the backend, with nothing in memory."""
        root = tree._settled()  # pyright: ignore[reportPrivateUsage]
        source, kinded = self.home.source(), tree.kinded_hash()
        objects = gather(root, source)
        assert self.backend.write(objects)
        words = objects.words[Kind.NODE if kinded.kind == "node" else Kind.CONTENTS]
        key = source.key(root.hash, words.get(root.hash, 0))
        return Tree.shallow(self, KindedKey(kinded.kind, key, kinded.metadata))

    def again(self, tree: Tree[C, M]) -> Tree[C, M]:
        """The stored `tree`, through a reader that has cached nothing."""
        key = tree.key()
        assert key is not None
        return Tree.shallow(Shelf(self.backend, self.home.schema), key)
