"""The tree: the immutable value that users hold.

A handle is a root and a version. Reading looks through directories in memory and loads what is not there; editing
gives a new handle. The work is done by the modules beside this one: `lazy` (what is stored), `stage` and `edit`
(what was changed), `settle` (hashes), `listing`, `fold`, `diff`, `merge`, `concrete`, `export`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, Literal, cast

from ..errors import DecodeError, NotFound
from ..hash import Hash
from ..key import KindedHash, KindedKey
from ..path import PathLike, join
from ..schema import Schema
from ..types import C, M
from .edit import bind, same, view_of
from .home import HasHome, Home
from .lazy import ABSENT, Child, Leaf, Pool, Pruned, Stored
from .settle import settle
from .stage import Frozen, Staged

__all__ = ["Tree"]

Root = Stored | Staged | Leaf


class Tree(Generic[C, M]):
    """An immutable tree of values under paths: lazy reads, delayed writes.

    A path is a `str` split on "/" (empty segments dropped) or a sequence of steps; the root is `()` or `""`. Every
    edit gives a new tree and leaves the old one as it was; an edit that changes nothing gives the very same object.
    Nothing is written until a commit. Handles may be shared between threads. Trees are equal when their hashes are.
    """

    __slots__ = ("__weakref__", "_home", "_root", "_version")

    def __init__(self, home: Home[C, M], root: Root, version: int = 0) -> None:
        self._home = home
        self._root = root
        self._version = version

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
        return Tree(home, _leaf_root(home, home.leaf(value, metadata)))

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
        return Tree(home, _root_of(home, hash, home.pruned))

    @staticmethod
    def shallow(repo: HasHome[C, M], key: KindedKey | KindedHash) -> Tree[C, M]:
        """The tree at `key` in `repo`, without a look whether it exists; reading it may raise DanglingHash."""
        home = repo.home
        return Tree(home, _root_of(home, _kinded(key), home.source()))

    @staticmethod
    def of_key(repo: HasHome[C, M], key: KindedKey) -> Tree[C, M] | None:
        """The tree at `key` in `repo`, or None if its root object is absent. Cost: one read."""
        return Tree.of_hash(repo, key.kinded_hash)

    @staticmethod
    def of_hash(repo: HasHome[C, M], hash: KindedHash) -> Tree[C, M] | None:
        """The tree with `hash` in `repo`, or None if its root object is not there. Cost: one read."""
        from_repo = Tree.shallow(repo, hash)
        root = from_repo._root
        try:
            if type(root) is Stored:
                root.record()
            elif type(root) is Leaf:
                root.data()
        except _dangling() as e:
            if e.hash == hash.hash:
                return None
            raise
        return from_repo

    # -- reading -----------------------------------------------------------------------------------------------

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
        steps = home.codec.steps(path)
        try:
            for step in steps:
                node = node.now[step]
        except (KeyError, AttributeError):
            node = None
        if type(node) is not bytes or (line is not None and line.version != self._version):
            node = self._data(self._lookup(steps, cache=cache), cache=cache)
            if node is None:
                return None
        return cast("C", node) if home.plain else home.schema.contents.decode(node)

    def get(self, path: PathLike = (), *, cache: bool = True) -> C:
        """The contents bound to `path`; NotFound where `find` gives None."""
        value = self.find(path, cache=cache)
        if value is None:
            child = self._lookup(self._home.codec.steps(path), cache=cache)
            if type(child) is bytes or type(child) is Leaf:
                return cast("C", value)  # contents whose Python value is None
            raise NotFound("path", _shown(path))
        return value

    def find_all(self, path: PathLike = (), *, cache: bool = True) -> tuple[C, M] | None:
        """The contents and the metadata bound to `path`, or None."""
        child = self._lookup(self._home.codec.steps(path), cache=cache)
        data = self._data(child, cache=cache)
        if data is None:
            return None
        metadata = child.metadata if type(child) is Leaf else None
        home = self._home
        return home.schema.contents.decode(data), home.decode_metadata(metadata)

    def get_all(self, path: PathLike = (), *, cache: bool = True) -> tuple[C, M]:
        """The contents and the metadata bound to `path`; NotFound where `find_all` gives None."""
        found = self.find_all(path, cache=cache)
        if found is None:
            raise NotFound("path", _shown(path))
        return found

    def find_tree(self, path: PathLike = (), *, cache: bool = True) -> Tree[C, M] | None:
        """The subtree at `path`, unread, or None if there is nothing."""
        steps = self._home.codec.steps(path)
        if not steps:
            return self
        child = self._lookup(steps, cache=cache)
        if child is None:
            return None
        if type(child) is bytes or type(child) is Leaf:
            return Tree(self._home, _leaf_root(self._home, child))
        if type(child) is Frozen:
            return Tree(self._home, child.settled or child.staged, child.version)
        return Tree(self._home, cast("Root", child), self._version)

    def get_tree(self, path: PathLike = (), *, cache: bool = True) -> Tree[C, M]:
        """The subtree at `path`, unread; NotFound if there is nothing."""
        tree = self.find_tree(path, cache=cache)
        if tree is None:
            raise NotFound("path", _shown(path))
        return tree

    def kind(self, path: PathLike = (), *, cache: bool = True) -> Literal["contents", "node"] | None:
        """"contents", "node" (a directory) or None (nothing there). Never reads a value."""
        child = self._lookup(self._home.codec.steps(path), cache=cache)
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
        child = self._lookup(self._home.codec.steps(path), cache=cache)
        if type(child) is Stored:
            return child.record(cache=cache).count
        if type(child) is Staged:
            return child.size_at(self._version)
        return child.length() if type(child) is Frozen else 0

    def list(
        self,
        path: PathLike = (),
        *,
        offset: int = 0,
        length: int | None = None,
        sorted: bool = False,
        cache: bool = True,
    ) -> list[tuple[str, Tree[C, M]]]:
        """(step, subtree) for the entries at `path`, in the format's order, or by step with `sorted`.

        `offset` and `length` select a page after ordering; beyond the end there is nothing. Contents and absent paths
        have no entries. Negative numbers raise DecodeError. Cost: the nodes of the page and those above them; with
        `sorted` the whole directory.
        """
        return list(self.seq(path, offset=offset, length=length, sorted=sorted, cache=cache))

    def seq(
        self,
        path: PathLike = (),
        *,
        offset: int = 0,
        length: int | None = None,
        sorted: bool = False,
        cache: bool = True,
    ) -> Iterator[tuple[str, Tree[C, M]]]:
        """As `list`, one entry at a time: nodes are read when the iterator reaches them."""
        return listing.seq(self, path, offset, length, sorted, cache)

    def __iter__(self) -> Iterator[str]:
        """The steps of the root directory, in the format's order."""
        return (step for step, _ in self.seq())

    def __contains__(self, path: object) -> bool:
        """`mem_tree`."""
        return self.mem_tree(cast("PathLike", path))

    def __getitem__(self, path: PathLike) -> C:
        """`get`."""
        return self.get(path)

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
                        for step in steps[:-1]:
                            kid = node.now.get(step)
                            if type(kid) is not Staged:
                                break
                            node = kid
                        else:
                            step = steps[-1]
                            old = node.now.get(step)
                            if old is None and node.base is None:
                                line.version = version = version + 1
                                node.put(step, data, version, 1)
                                return Tree(home, root, version)
                            if type(old) is bytes and line.repeats < 4096:
                                if old == data:
                                    return self
                                line.version = version = version + 1
                                node.put(step, data, version, 0)
                                return Tree(home, root, version)
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
        self._home.schema.require(tree._home.schema)
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
        root = self._root
        return Hash(root.hash if type(root) is Leaf else self._settled().hash)

    def kinded_hash(self) -> KindedHash:
        """The root hash with its kind and metadata."""
        root = self._root
        if type(root) is Leaf:
            return KindedHash("contents", Hash(root.hash), root.metadata)
        return KindedHash("node", self.hash())

    def key(self) -> KindedKey | None:
        """The key of this tree in its repository, or None if it was not stored from here."""
        root = self._root
        if type(root) is Staged or (type(root) is Stored and (not root.source.saved or _pruned(root))):
            return None
        if type(root) is Leaf and (not root.source.saved or root.source is self._home.void or _pruned(root)):
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
        return self.hash() < other.hash()

    # -- for the modules beside this one -----------------------------------------------------------------------

    def _child(self) -> Child:
        """The root as something that a directory can bind."""
        root = self._root
        return Frozen(root, self._version) if type(root) is Staged else root

    def _settled(self) -> Stored:
        """The root directory with its hash; this handle reads from there on."""
        root = self._root
        if type(root) is Staged:
            stored = settle(Frozen(root, self._version))
            self._root = stored
            return stored
        assert type(root) is Stored
        return root

    def _bound(self, steps: Any, child: Child) -> Tree[C, M]:
        """This tree with `steps` bound to `child`, or without them for ABSENT; itself if nothing changes."""
        home = self._home
        root = self._root
        if not steps:
            leaf = _leaf_root(home, cast("bytes | Leaf", child))
            return self if same(self._child(), leaf) else Tree(home, leaf)
        if type(root) is Leaf:
            if child is ABSENT:
                return self
            root = home.empty()  # contents at the root make way for a directory
        done = bind(cast("Stored | Staged", root), self._version, steps, child, home.void)
        return self if done is None else Tree(home, done[0], done[1])

    def _lookup(self, steps: Any, *, cache: bool = True) -> Child | None:
        """What `steps` lead to at this version, or None."""
        node: Any = self._root
        version = self._version
        for step in steps:
            kind = type(node)
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
            else:
                return None
        return cast("Child | None", node)

    def _data(self, child: Child | None, *, cache: bool) -> bytes | None:
        """The bytes of the contents `child`, or None if it is none."""
        if type(child) is bytes:
            return child
        return child.data(cache=cache) if type(child) is Leaf else None


def _pruned(part: Stored | Leaf) -> bool:
    return isinstance(part.source, Pruned)


def _shown(path: PathLike) -> str:
    return path if isinstance(path, str) else join(tuple(path))


def _home(schema: Schema[Any, Any] | None) -> Home[Any, Any]:
    return Home(Schema() if schema is None else schema)


def _leaf_root(home: Home[Any, Any], child: bytes | Leaf) -> Leaf:
    return Leaf(home.void, None, child, None) if type(child) is bytes else cast("Leaf", child)


def _kinded(key: KindedKey | KindedHash) -> KindedHash:
    return key.kinded_hash if isinstance(key, KindedKey) else key


def _root_of(home: Home[Any, Any], kinded: KindedHash, source: Any) -> Stored | Leaf:
    hash_ = home.check_hash(kinded.hash)
    if kinded.kind == "node":
        return Stored(hash_, source)
    return Leaf(source, hash_, None, kinded.metadata)
