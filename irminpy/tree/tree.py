"""The tree: the immutable value that users hold.

A handle is a root and a version. Reading looks through directories in memory and loads what is not there; editing
gives a new handle. The work is done by the modules beside this one: `lazy` (what is stored), `stage` and `edit`
(what was changed), `settle` (hashes), `listing`, `fold`, `diff`, `merge`, `concrete`, `export`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, cast

from ..errors import DanglingHash, NotFound
from ..hash import Hash
from ..key import KindedHash, KindedKey
from ..path import PathLike
from ..schema import Schema
from ..types import C, M
from .edit import bind, fork, same
from .home import HasHome, Home
from .lazy import ABSENT, Child, Leaf, Pruned, Stored
from .read import ReadableTree, leaf_root, shown
from .stage import Frozen, Staged, grow

__all__ = ["Editor", "Tree"]


class Tree(ReadableTree[C, M]):
    """An immutable tree of values under paths: lazy reads, delayed writes.

    A path is a `str` split on "/" (empty segments dropped) or a sequence of steps; the root is `()` or `""`. Every
    edit gives a new tree and leaves the old one as it was; an edit that changes nothing gives the very same object.
    Nothing is written until a commit. Handles may be shared between threads. Trees are equal when their hashes are.
    """

    __slots__ = ()

    # -- constructors ------------------------------------------------------------------------------------------

    @staticmethod
    def empty(schema: Schema[C, M] | None = None) -> Tree[C, M]:
        """An empty tree in memory; `schema` None means the default schema."""
        home = _home(schema)
        return Tree(home, home.empty())

    @staticmethod
    def of_contents(value: C, schema: Schema[C, M] | None = None, *, metadata: M | None = None) -> Tree[C, M]:
        """The tree whose root is the contents `value`."""
        home = _home(schema)
        return Tree(home, leaf_root(home, home.leaf(value, metadata)))

    @staticmethod
    def singleton(
        path: PathLike, value: C, schema: Schema[C, M] | None = None, *, metadata: M | None = None
    ) -> Tree[C, M]:
        """The tree that binds `path` to `value` and nothing else; the path `()` gives a contents root."""
        tree: Tree[C, M] = Tree.empty(schema)
        return tree.add(path, value, metadata=metadata)

    @staticmethod
    def pruned(hash: KindedHash, schema: Schema[C, M] | None = None) -> Tree[C, M]:
        """A tree of which only the hash is known. It can be embedded; reading it raises PrunedHash."""
        home = _home(schema)
        return Tree(home, _root_of(home, _kinded(hash), home.pruned))

    @staticmethod
    def shallow(repo: HasHome[C, M], key: KindedKey | KindedHash) -> Tree[C, M]:
        """The tree at `key` in `repo`, without a look whether it exists; reading it may raise DanglingHash."""
        home = getattr(repo, "home", None)
        if not isinstance(home, Home):
            raise TypeError(f"a repository is expected, not {type(repo).__name__}")
        return Tree(home, _root_of(home, _kinded(key), home.source()))

    @staticmethod
    def of_key(repo: HasHome[C, M], key: KindedKey) -> Tree[C, M] | None:
        """The tree at `key` in `repo`, or None if its root object is absent. Cost: one read."""
        return Tree.of_hash(repo, _kinded(key))

    @staticmethod
    def of_hash(repo: HasHome[C, M], hash: KindedHash) -> Tree[C, M] | None:
        """The tree with `hash` in `repo`, or None if its root object is not there. Cost: one read."""
        hash = _kinded(hash)
        from_repo = Tree.shallow(repo, hash)
        root = from_repo._root
        try:
            if type(root) is Stored:
                root.record()
            elif type(root) is Leaf:
                root.data()
        except DanglingHash as e:
            if e.hash == hash.hash:
                return None
            raise
        return from_repo

    # -- edits -------------------------------------------------------------------------------------------------

    def add(self, path: PathLike, value: C, *, metadata: M | None = None) -> Tree[C, M]:
        """This tree with `path` bound to the contents `value`.

        Directories on the way are made, contents on the way and a directory at `path` are replaced. `metadata` None
        means the default. The root path gives a contents root.
        """
        home = self._home
        steps = home.codec.steps(path)
        data = home.schema.contents.encode(value)
        if metadata is None and steps:
            root = self._root
            line = root.line
            if line is not None:
                # The usual edit: one more binding in a directory that is already staged by the newest handle.
                with line.lock:
                    version: int = line.version
                    if version == self._version:
                        node: Any = root
                        last = len(steps) - 1
                        for i, step in enumerate(steps):
                            kid = node.now.get(step)
                            if type(kid) is Staged:
                                node = kid
                            elif kid is None and node.base is None:
                                line.version = version = version + 1
                                node.put(step, data if i == last else grow(line, steps[i + 1 :], data), version, 1)
                                return Tree(home, root, version)
                            elif i == last and type(kid) is bytes and line.repeats < 4096:
                                if kid == data:
                                    return self
                                line.version = version = version + 1
                                node.put(step, data, version, 0)
                                return Tree(home, root, version)
                            else:
                                break
            return self._bound(steps, data)
        encoded = home.encode_metadata(metadata)
        return self._bound(steps, data if encoded is None else Leaf(home.void, None, data, encoded))

    def update(
        self, path: PathLike, f: Callable[[C | None], C | None], *, metadata: M | None = None, keep: bool = False
    ) -> Tree[C, M]:
        """This tree with the contents at `path` replaced by `f` of them; `f` is called once.

        `f` gets None for nothing or a directory; answering None removes `path`. The result gets `metadata`, by
        default the default metadata; with `keep` it keeps what was there.
        """
        found = self.find_all(path)
        value = f(None if found is None else found[0])
        if value is None:
            return self.remove(path)
        if keep and metadata is None and found is not None:
            metadata = found[1]
        return self.add(path, value, metadata=metadata)

    def remove(self, path: PathLike) -> Tree[C, M]:
        """This tree without what is at `path`; directories that become empty vanish too. The root path empties it."""
        steps = self._home.codec.steps(path)
        if steps:
            return self._bound(steps, ABSENT)
        return self if self.is_empty() else Tree(self._home, self._home.empty())

    def add_tree(self, path: PathLike, tree: Tree[C, M]) -> Tree[C, M]:
        """This tree with `path` bound to `tree`; binding an empty one removes `path`.

        Costs nothing in proportion to `tree`, unless something of the same length is there: then both are hashed, to
        know whether anything changes. SchemaMismatch if `tree` has another schema.
        """
        self._home.schema.require(_expect(tree)._home.schema)
        steps = self._home.codec.steps(path)
        if not steps:
            if tree is self or same(self._child(), tree._child()):
                return self
            return Tree(self._home, tree._root, tree._version)
        return self._bound(steps, ABSENT if tree.is_empty() else tree._child())

    def update_tree(
        self, path: PathLike, f: Callable[[Tree[C, M] | None], Tree[C, M] | None]
    ) -> Tree[C, M]:
        """This tree with the subtree at `path` replaced by `f` of it (None where there is nothing).

        Answering None or an empty tree removes `path`; at the root path, None gives the empty tree.
        """
        old = self.find_tree(path)
        new = f(old)
        if new is None:
            return self.remove(path)
        return self if new is old else self.add_tree(path, new)

    def edit(self) -> Editor[C, M]:
        """An editor that starts from this tree: many changes at once, for one thread; `tree()` gives the result."""
        return Editor(self)

    # -- identity ----------------------------------------------------------------------------------------------

    def hash(self) -> Hash:
        """The root hash: of the directory, or of the contents object. Reads nothing that was not edited.

        What was edited is hashed once; the tree goes on from there.
        """
        return Hash(self._settled().hash)

    def kinded_hash(self) -> KindedHash:
        """The root hash with its kind and metadata."""
        root = self._settled()
        if type(root) is Leaf:
            return KindedHash("contents", Hash(root.hash), root.metadata)
        return KindedHash("node", Hash(root.hash))

    def key(self) -> KindedKey | None:
        """The key of this tree in its repository, or None if it was not stored from here."""
        root = self._root
        if type(root) is Staged or not root.source.saved or isinstance(root.source, Pruned):
            return None
        kinded = self.kinded_hash()
        return KindedKey(kinded.kind, kinded.hash, kinded.metadata)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Tree):
            return NotImplemented
        tree = cast("Tree[Any, Any]", other)
        return self._home.schema == tree._home.schema and self.kinded_hash() == tree.kinded_hash()

    def __hash__(self) -> int:
        return hash(self.hash())

    def __lt__(self, other: Tree[C, M]) -> bool:
        if not isinstance(other, Tree):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        return self.hash() < other.hash()

    def _bound(self, steps: Sequence[str], child: Child) -> Tree[C, M]:
        """This tree with `steps` bound to `child`, or without them for ABSENT; itself if nothing changes."""
        home = self._home
        root = self._root
        if not steps:
            leaf = leaf_root(home, cast("bytes | Leaf", child))
            return self if same(self._child(), leaf) else Tree(home, leaf)
        if type(root) is Leaf:
            if child is ABSENT:
                return self
            root = home.empty()  # contents at the root make way for a directory
        done = bind(cast("Stored | Staged", root), self._version, steps, child, home.void)
        return self if done is None else Tree(home, done[0], done[1])


class Editor(Generic[C, M]):
    """A tree under construction: what `tree.edit()` gives.

    `ed[path] = value` or a tree, `del ed[path]`, `ed[path]`, `path in ed`; `tree()` is the result. Belongs to one
    thread. Much faster than the same edits one by one, since no version in between is kept.
    """

    __slots__ = ("_alone", "_tree")

    def __init__(self, tree: Tree[C, M]) -> None:
        self._tree = tree
        # True while nobody but this editor has seen the line of edits of `_tree`.
        self._alone = False

    def tree(self) -> Tree[C, M]:
        """The tree as it is now. The editor may go on; the tree stays as it is."""
        self._alone = False
        return self._tree

    def add(self, path: PathLike, value: C, *, metadata: M | None = None) -> None:
        """Bind `path` to the contents `value`, as `Tree.add`."""
        tree = self._tree
        home = tree._home
        steps = home.codec.steps(path)
        if metadata is None and self._alone and steps:
            data = home.schema.contents.encode(value)
            node: Any = tree._root
            last = len(steps) - 1
            for i, step in enumerate(steps):
                now = node.now
                kid = now.get(step)
                if type(kid) is Staged:
                    node = kid
                elif node.base is None and (kid is None or (i == last and type(kid) is bytes)):
                    if kid is None:
                        node.size += 1
                    now[step] = data if i == last else grow(node.line, steps[i + 1 :], data)
                    return
                else:
                    break
            self._bind(steps, data)
        else:
            self._bind(steps, home.leaf(value, metadata))

    def remove(self, path: PathLike) -> bool:
        """Unbind `path`, as `Tree.remove`; whether anything was there."""
        steps = self._tree._home.codec.steps(path)
        if steps:
            return self._bind(steps, ABSENT)
        before = self._tree
        self._tree, self._alone = before.remove(()), False
        return self._tree is not before

    def add_tree(self, path: PathLike, tree: Tree[C, M]) -> None:
        """Bind `path` to `tree`, as `Tree.add_tree`."""
        steps = self._tree._home.codec.steps(path)
        if steps:
            self._tree.schema.require(_expect(tree).schema)
            self._bind(steps, ABSENT if tree.is_empty() else tree._child())
        else:
            self._tree, self._alone = self._tree.add_tree((), tree), False

    def find(self, path: PathLike) -> C | None:
        """As `Tree.find`, of the tree as it is now."""
        return self._tree.find(path)

    def __setitem__(self, path: PathLike, value: C | Tree[C, M]) -> None:
        """Bind `path` to contents, or to a tree."""
        if isinstance(value, Tree):
            self.add_tree(path, cast("Tree[C, M]", value))
        else:
            self.add(path, value)

    def __delitem__(self, path: PathLike) -> None:
        """Unbind `path`; NotFound if there is nothing."""
        if not self.remove(path):
            raise NotFound("path", shown(path))

    def __getitem__(self, path: PathLike) -> C:
        """As `Tree.get`, of the tree as it is now."""
        return self._tree.get(path)

    def __contains__(self, path: object) -> bool:
        """As `Tree.mem_tree`, of the tree as it is now."""
        return path in self._tree

    def _bind(self, steps: Sequence[str], child: Child) -> bool:
        tree = self._tree
        root = tree._root
        if not steps or type(root) is Leaf:
            self._tree, self._alone = tree._bound(steps, child), False
            return self._tree is not tree
        if not self._alone and type(root) is Staged:
            # The line of this root has other handles: start one of our own.
            root = fork(Frozen(root, tree._version), tree._home.void)
        done = bind(cast("Stored | Staged", root), 0 if not self._alone else tree._version, steps, child, tree._home.void, alone=True)
        if done is None:
            return False
        self._tree, self._alone = Tree(tree._home, done[0], done[1]), True
        return True


def _home(schema: Schema[Any, Any] | None) -> Home[Any, Any]:
    if schema is not None and not isinstance(schema, Schema):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a schema is expected, not {type(schema).__name__}")
    return Home(Schema() if schema is None else schema)


def _expect(tree: Tree[C, M]) -> Tree[C, M]:
    """`tree`; TypeError if it is none."""
    if not isinstance(tree, Tree):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a tree is expected, not {type(tree).__name__}")
    return tree


def _kinded(key: KindedKey | KindedHash) -> KindedHash:
    if isinstance(key, KindedKey):
        return key.kinded_hash
    if not isinstance(key, KindedHash):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a KindedHash or a KindedKey is expected, not {type(key).__name__}")
    return key


def _root_of(home: Home[Any, Any], kinded: KindedHash, source: Any) -> Stored | Leaf:
    hash_ = home.check_hash(kinded.hash)
    if kinded.kind == "node":
        return Stored(hash_, source)
    metadata = kinded.metadata
    if metadata is not None:
        # From outside: an entry with the bytes of the default would be a second form of the same directory.
        metadata = home.encode_metadata(home.decode_metadata(metadata))
    return Leaf(source, hash_, None, metadata)
