"""The reading half of a tree handle: a root, a version, and looking through them.

A look-up takes what is in memory first: one dict per directory. What is not there is loaded through the source of
the directory that holds it and kept beside its parent.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, Generic, Literal, Self, cast

from ..core import find as find_below
from ..errors import NotFound
from ..path import PathLike, join
from ..schema import Schema
from ..types import C, M
from .home import Home
from .lazy import Child, Leaf, Stored
from .listing import bindings, check_page
from .seek import seek
from .settle import settle
from .stage import Frozen, Held, Staged, detached
from .stream import check_plain, open_contents
from .sweep import swept

__all__ = ["ReadableTree", "Root", "leaf_root"]

Root = Stored | Staged | Leaf
_FEW: Any = dict
"""What a `Few` is, under a name that lets type checkers leave the type of the walk alone."""


def leaf_root(home: Home[Any, Any], child: bytes | Leaf) -> Leaf:
    """Contents as the root of a tree."""
    return Leaf(home.void, None, child, None) if type(child) is bytes else cast("Leaf", child)


class ReadableTree(Generic[C, M]):
    """What can be asked of a tree without making another one. Users see `Tree`."""

    __slots__ = ("__weakref__", "_home", "_root", "_version")

    def __init__(self, home: Home[C, M], root: Root, version: int = 0) -> None:
        self._home = home
        self._root = root
        self._version = version

    @property
    def schema(self) -> Schema[C, M]:
        """What the hash of this tree depends on."""
        return self._home.schema

    def find(self, path: PathLike = (), *, cache: bool = True) -> C | None:
        """The contents bound to `path`, or None if there is nothing or a directory.

        Cost: one read per directory, level and value that is not in memory. Raises DanglingHash, PrunedHash.
        """
        home = self._home
        node: Any = self._root
        line = node.line
        if line is None and cache and home.looks and not node.source.follows:
            # The core takes a text in ASCII apart by itself.
            given = path if type(path) is str and path.isascii() else home.steps(path)
            found: Any = find_below(node, given, home.looks, Stored)
            if found is not False:
                return found if found is None or home.plain else home.schema.contents.decode(found)
        steps = home.steps(path)
        way = iter(steps)
        try:
            if line is None:  # nothing was edited
                for step in way:
                    below = node.now.get(step)
                    if below is None:
                        node = seek(node, step, way, cache=cache)
                        if node is None:
                            return None
                        break
                    node = below
            else:
                for step in way:
                    below = node.get(step) if type(node) is _FEW else node.now.get(step)
                    if below is None:
                        break
                    node = below
        except AttributeError:
            node = None
        if type(node) is not bytes or (line is not None and line.version != self._version):
            node = self._read(steps, cache=cache)
            if node is None:
                return None
        # A name of type Any instead of `cast`, which would be a call.
        value: Any = node
        return value if home.plain else home.schema.contents.decode(node)

    def get(self, path: PathLike = (), *, cache: bool = True) -> C:
        """The contents bound to `path`; NotFound where `find` gives None."""
        value = self.find(path, cache=cache)
        # The Python value of contents may be None, as JSON's null is.
        if value is None and not self.mem(path, cache=cache):
            raise NotFound("path", shown(path))
        return cast("C", value)

    def find_all(self, path: PathLike = (), *, cache: bool = True) -> tuple[C, M] | None:
        """The contents and the metadata bound to `path`, or None."""
        child = self._lookup(self._home.steps(path), cache=cache)
        if type(child) is Leaf:
            data, metadata = child.data(cache=cache), child.metadata
        elif type(child) is bytes:
            data, metadata = child, None
        else:
            return None
        home = self._home
        return home.schema.contents.decode(data), home.decode_metadata(metadata)

    def get_all(self, path: PathLike = (), *, cache: bool = True) -> tuple[C, M]:
        """The contents and the metadata bound to `path`; NotFound where `find_all` gives None."""
        found = self.find_all(path, cache=cache)
        if found is None:
            raise NotFound("path", shown(path))
        return found

    def open_stream(self, path: PathLike = ()) -> io.BufferedReader:
        """The bytes of the contents bound to `path` as a file for reading, at its start; a context manager.

        It can be read from any place (`seek`) and shows this version whatever happens to the store. Where the
        backend has `StreamReader`, only what is read is fetched, and it is checked before it is given: Corrupted
        where it is damaged. NotFound if there is nothing or a directory; DecodeError for contents that are
        not stored as they are (Bytes and String are).
        """
        check_plain(self._home.schema.contents)
        child = self._lookup(self._home.steps(path))
        if type(child) is not bytes and type(child) is not Leaf:
            raise NotFound("path", shown(path))
        return open_contents(child)

    def find_tree(self, path: PathLike = (), *, cache: bool = True) -> Self | None:
        """The subtree at `path`, unread, or None if there is nothing."""
        steps = self._home.steps(path)
        if not steps:
            return self
        child = self._lookup(steps, cache=cache)
        return None if child is None else self._subtree(child)

    def get_tree(self, path: PathLike = (), *, cache: bool = True) -> Self:
        """The subtree at `path`, unread; NotFound if there is nothing."""
        tree = self.find_tree(path, cache=cache)
        if tree is None:
            raise NotFound("path", shown(path))
        return tree

    def kind(self, path: PathLike = (), *, cache: bool = True) -> Literal["contents", "node"] | None:
        """ "contents", "node" (a directory) or None (nothing there). Never reads a value."""
        child = self._root if path == () else self._lookup(self._home.steps(path), cache=cache)
        if child is None:
            return None
        return "contents" if type(child) is bytes or type(child) is Leaf else "node"

    def mem(self, path: PathLike = (), *, cache: bool = True) -> bool:
        """True if `path` is bound to contents."""
        return self.kind(path, cache=cache) == "contents"

    def mem_tree(self, path: PathLike = (), *, cache: bool = True) -> bool:
        """True if `path` is bound to contents or to a directory; always true for the root."""
        return self.kind(path, cache=cache) is not None

    def is_empty(self) -> bool:
        """True for a directory without entries. A stored one is told by its hash, without reading."""
        root = self._root
        if type(root) is Stored:
            return root.hash == self._home.codec.empty
        return type(root) is Staged and root.size_at(self._version) == 0

    def length(self, path: PathLike = (), *, cache: bool = True) -> int:
        """Number of direct entries at `path`; 0 for contents or nothing. Cost: one read of that directory."""
        child = self._lookup(self._home.steps(path), cache=cache)
        if type(child) is Stored:
            return child.record(cache=cache).count
        if type(child) is Staged:
            return child.size_at(self._version)
        if type(child) is dict:
            return len(child)
        return child.length() if type(child) is Frozen else 0

    def seq(
        self,
        path: PathLike = (),
        *,
        offset: int = 0,
        length: int | None = None,
        sorted: bool = False,
        cache: bool = True,
    ) -> Iterator[tuple[str, Self]]:
        """As `list`, one entry at a time: nodes are read when the iterator reaches them."""
        check_page(offset, length)
        steps = self._home.steps(path)
        return self._seq(steps, offset, length, sorted, cache)

    def list(
        self,
        path: PathLike = (),
        *,
        offset: int = 0,
        length: int | None = None,
        sorted: bool = False,
        cache: bool = True,
    ) -> list[tuple[str, Self]]:
        """(step, subtree) for the entries at `path`, in the format's order, or by step with `sorted`.

        `offset` and `length` select a page after ordering; beyond the end there is nothing. Contents and absent
        paths have no entries. Negative numbers raise DecodeError. Cost: the nodes of the page and those above
        them; with `sorted` the whole directory. A directory that was edited is hashed first.
        """
        return [*self.seq(path, offset=offset, length=length, sorted=sorted, cache=cache)]

    def __iter__(self) -> Iterator[str]:
        """The steps of the root directory, in the format's order."""
        return (step for step, _ in self.seq())

    def __contains__(self, path: object) -> bool:
        """`mem_tree`."""
        return self.mem_tree(cast("PathLike", path))

    def __getitem__(self, path: PathLike) -> C:
        """`get`."""
        return self.get(path)

    # -- for the modules beside this one -----------------------------------------------------------------------

    def _seq(
        self, steps: Sequence[str], offset: int, length: int | None, sorted_: bool, cache: bool
    ) -> Iterator[tuple[str, Self]]:
        directory = self._settled_at(steps, cache=cache)
        if directory is not None:
            pairs = bindings(directory, offset=offset, length=length, sorted_=sorted_, cache=cache)
            for step, child in pairs:
                yield step, self._subtree(child)

    def _lookup(self, steps: Sequence[str], *, cache: bool = True) -> Held | None:
        """What `steps` lead to at this version, or None."""
        node: Any = self._root
        version = self._version
        for step in steps:
            kind: Any = type(node)  # pyright: ignore[reportUnknownVariableType]
            if kind is Stored:
                node = node.child(step, cache=cache)
            elif kind is Staged:
                child = node.at(step, version)
                # A step that was never edited leads to the same child at every version.
                if cache and type(child) is Stored and type(node.base) is Stored:
                    node.now.setdefault(step, child)
                node = child
            elif kind is Frozen:
                node = node.child(step)
            elif kind is dict:
                node = node.get(step)
            else:
                return None
        return cast("Held | None", node)

    def _read(self, steps: Sequence[str], *, cache: bool) -> bytes | None:
        """The bytes of the contents that `steps` lead to, or None."""
        parent: Held | None = None
        child: Any = self._root
        if steps:
            parent = self._lookup(steps[:-1], cache=cache)
            step = steps[-1]
            if type(parent) is Stored:
                child = parent.child(step, cache=cache)
            elif type(parent) is Staged:
                child = parent.at(step, self._version)
            elif type(parent) is dict:
                child = parent.get(step)
            else:
                child = parent.child(step) if type(parent) is Frozen else None
        if type(child) is not Leaf:
            return child if type(child) is bytes else None
        data = child.data(cache=cache)
        if (
            cache
            and child.metadata is None
            # As in `_lookup`: only where the step was never edited. The next look-up finds the bytes at once.
            and (type(parent) is Stored or (type(parent) is Staged and type(parent.base) is Stored))
        ):
            parent.now.setdefault(steps[-1], data)
        return data

    def _subtree(self, child: Held) -> Self:
        """The handle of `child`, which this tree holds."""
        make = type(self)
        if type(child) is dict:
            return make(self._home, detached(child, self._home.void))
        if type(child) is bytes or type(child) is Leaf:
            return make(self._home, leaf_root(self._home, child))
        if type(child) is Frozen:
            return make(self._home, child.settled or child.staged, child.version)
        return make(self._home, cast("Root", child), self._version)

    def _child(self) -> Child:
        """The root as something that a directory can bind."""
        root = self._root
        return Frozen(root, self._version) if type(root) is Staged else root

    def _settled(self, *, keep: bool = True) -> Stored | Leaf:
        """The root with its hash; this handle reads from there on. `keep` as in `settle`."""
        root = self._root
        if type(root) is Staged:
            root = swept(settle(Frozen(root, self._version), keep=keep))
            self._root = root
        return root

    def _settled_at(self, steps: Sequence[str], *, cache: bool = True) -> Stored | None:
        """The directory at `steps` with its hash, or None if there is none. Hashes only if it was edited."""
        child = self._lookup(steps, cache=cache)
        if type(child) is Staged or type(child) is dict:
            # The whole tree: a commit needs all of it, and this directory is a part of its line.
            self._settled()
            child = self._lookup(steps, cache=cache)
        if type(child) is Frozen:
            return settle(child)
        return child if type(child) is Stored else None


def shown(path: PathLike) -> str:
    """`path` as text, for messages."""
    return path if isinstance(path, str) else join(tuple(path))
