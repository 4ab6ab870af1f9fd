"""The tree: the immutable value that users hold.

A handle is a root and a version. Reading looks through directories in memory and loads what is not there; editing
gives a new handle. The work is done by the modules beside this one: `lazy` (what is stored), `stage` and `edit`
(what was changed), `settle` (hashes), `listing`, `fold`, `diff`, `merge`, `concrete`, `export`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, cast

from ..core import rebind
from ..errors import DanglingHash, DecodeError, MergeConflict, NotFound
from ..hash import Hash
from ..key import KindedHash, KindedKey
from ..path import Path, PathLike
from ..schema import Schema
from ..types import C2, M2, C, M
from .alone import put, put_some
from .edit import bind, fork, same
from .home import HasHome, Home
from .lazy import ABSENT, Child, Leaf, Pruned, Source, Stored
from .read import Root, leaf_root, shown
from .stage import Frozen, Staged
from .walk import WalkableTree

if TYPE_CHECKING:
    from ..diff import Change
    from ..merge import Conflict, Old
    from .merge import Clash, Edit, Resolve

__all__ = ["Editor", "OnConflict", "Tree"]

T = TypeVar("T")
_BATCH = 1024  # bindings that are taken from the caller before they are made


class Tree(WalkableTree[C, M]):
    """An immutable tree of values under paths: lazy reads, delayed writes.

    A path is a `str` split on "/" (empty segments dropped) or a sequence of steps; the root is `()` or `""`. Every
    edit gives a new tree and leaves the old one as it was; an edit that changes nothing gives the very same object.
    Nothing is written until a commit. Handles may be shared between threads. Trees are equal when their hashes are.
    """

    __slots__ = ()

    # -- constructors ------------------------------------------------------------------------------------------

    @staticmethod
    def empty(schema: Schema[C2, M2] | None = None) -> Tree[C2, M2]:
        """An empty tree in memory; `schema` None means the default schema."""
        home = _home(schema)
        return Tree(home, home.empty())

    @staticmethod
    def of_contents(
        value: C2, schema: Schema[C2, M2] | None = None, *, metadata: M2 | None = None
    ) -> Tree[C2, M2]:
        """The tree whose root is the contents `value`."""
        home = _home(schema)
        return Tree(home, leaf_root(home, home.leaf(value, metadata)))

    @staticmethod
    def singleton(
        path: PathLike, value: C2, schema: Schema[C2, M2] | None = None, *, metadata: M2 | None = None
    ) -> Tree[C2, M2]:
        """The tree that binds `path` to `value` and nothing else; the path `()` gives a contents root."""
        tree: Tree[C2, M2] = Tree.empty(schema)
        return tree.add(path, value, metadata=metadata)

    @staticmethod
    def of_concrete(concrete: object, schema: Schema[C2, M2] | None = None) -> Tree[C2, M2]:
        """The tree that `concrete` describes, as `to_concrete` gives it or in a looser form.

        A directory is a dict, or a list or tuple of (step, concrete tree) pairs; anything else is contents, bare or
        as `ConcreteContents`. Empty directories are left out. InvalidStep for a step bound twice.
        """
        from .concrete import of_concrete  # late: few trees are made so

        home = _home(schema)
        root = of_concrete(home, concrete)
        return Tree(home, leaf_root(home, root) if type(root) is bytes else cast("Root", root))

    @staticmethod
    def pruned(hash: KindedHash, schema: Schema[C2, M2] | None = None) -> Tree[C2, M2]:
        """A tree of which only the hash is known. It can be embedded; reading it raises PrunedHash."""
        home = _home(schema)
        return Tree(home, _root_of(home, _kinded(hash), home.pruned))

    @staticmethod
    def shallow(repo: HasHome[C2, M2], key: KindedKey | KindedHash) -> Tree[C2, M2]:
        """The tree at `key` in `repo`, without a look whether it exists; reading it may raise DanglingHash."""
        if not isinstance(getattr(repo, "home", None), Home):
            raise TypeError(f"a repository is expected, not {type(repo).__name__}")
        home = repo.home
        source = home.source()
        word = source.word(key.key) if isinstance(key, KindedKey) else 0
        return Tree(home, _root_of(home, _kinded(key), source, word))

    @staticmethod
    def of_key(repo: HasHome[C2, M2], key: KindedKey | KindedHash) -> Tree[C2, M2] | None:
        """The tree at `key` in `repo`, or None if its root object is absent. Cost: one read."""
        from_repo = Tree.shallow(repo, key)
        root = from_repo._root
        try:
            if type(root) is Stored:
                root.record()
            elif type(root) is Leaf:
                root.data()
        except DanglingHash as e:
            if e.hash == _kinded(key).hash:
                return None
            raise
        return from_repo

    @staticmethod
    def of_hash(repo: HasHome[C2, M2], hash: KindedHash) -> Tree[C2, M2] | None:
        """The tree with `hash` in `repo`, or None if its root object is not there. Cost: one read.

        A repository may keep no index of its directories and contents: there only `of_key` finds them.
        """
        return Tree.of_key(repo, hash)

    # -- edits -------------------------------------------------------------------------------------------------

    def add(self, path: PathLike, value: C, *, metadata: M | None = None) -> Tree[C, M]:
        """This tree with `path` bound to the contents `value`.

        Directories on the way are made, contents on the way and a directory at `path` are replaced. `metadata` None
        means the default. The root path gives a contents root.
        """
        home = self._home
        root: Any = self._root
        line = root.line
        if metadata is None and line is not None and home.looks:
            # The usual edit. The core takes a text in ASCII apart by itself.
            given = path if type(path) is str and path.isascii() else home.steps(path)
            data = home.encode(value)
            with line.lock:
                version: int = line.version
                if version == self._version:
                    made = rebind(root, given, data, version + 1, home.looks, Staged, Stored)
                    if made is not False:
                        return self if made is None else Tree(home, root, made)
        steps = home.steps(path)
        data = home.encode(value)
        if metadata is None and steps:
            if line is not None:
                # The usual edit: one more binding in, or in a new directory below, one that is staged by the
                # newest handle. As in `Editor`, whatever is no staged directory lacks `now` or `base`.
                above: Any = None
                node = root
                step = ""
                last = steps[-1]
                try:
                    with line.lock:
                        version = line.version
                        if version == self._version:
                            for step in steps[:-1]:
                                above = node
                                node = above.now.get(step)
                            if node is None:
                                if above.base is None:
                                    line.version = version = version + 1
                                    above.put(step, {last: data}, version, 1)
                                    return Tree(home, root, version)
                            else:
                                if type(node) is dict:
                                    node = above.open(step, node)
                                old = node.now.get(last)
                                if old is None:
                                    if node.base is None:
                                        line.version = version = version + 1
                                        node.put(last, data, version, 1)
                                        return Tree(home, root, version)
                                elif type(old) is bytes and node.line is line and line.repeats < 4096:
                                    if old == data:
                                        return self
                                    line.version = version = version + 1
                                    node.put(last, data, version, 0)
                                    return Tree(home, root, version)
                except AttributeError:
                    pass
            return self._bound(steps, data)
        encoded = home.encode_metadata(metadata)
        return self._bound(steps, data if encoded is None else Leaf(home.void, None, data, encoded))

    def update(
        self,
        path: PathLike,
        f: Callable[[C | None], C | None],
        *,
        metadata: M | None = None,
        keep: bool = False,
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
        steps = self._home.steps(path)
        if steps:
            return self._bound(steps, ABSENT)
        return self if self.is_empty() else Tree(self._home, self._home.empty())

    def add_tree(self, path: PathLike, tree: Tree[C, M]) -> Tree[C, M]:
        """This tree with `path` bound to `tree`; binding an empty one removes `path`.

        Costs nothing in proportion to `tree`, unless something of the same length is there: then both are hashed, to
        know whether anything changes. SchemaMismatch if `tree` has another schema.
        """
        self._home.schema.require(_expect(tree)._home.schema)
        steps = self._home.steps(path)
        if not steps:
            if tree is self or same(self._child(), tree._child()):
                return self
            return Tree(self._home, tree._root, tree._version)
        return self._bound(steps, ABSENT if tree.is_empty() else tree._child())

    def update_tree(self, path: PathLike, f: Callable[[Tree[C, M] | None], Tree[C, M] | None]) -> Tree[C, M]:
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

    # -- diff and merge --------------------------------------------------------------------------------------

    def diff(self, other: Tree[C, M]) -> Iterator[tuple[Path, Change[C]]]:
        """(path, change of the contents) for each path at which `other` differs from this tree.

        A change of nothing but the metadata is an Updated with equal sides; `diff_all` shows the metadata.
        Contents that became a directory are Removed, then what is below is Added. The order is the same for the
        same two trees, and what is gone comes before what took its place. Cost: the nodes on the way to the
        differences, read as the iterator reaches them, and the contents that differ. Raises SchemaMismatch,
        DanglingHash, PrunedHash.
        """
        from .diff import data_of  # late: who reads compares nothing

        decode = self._home.schema.contents.decode
        return self._changes(other, lambda contents: decode(data_of(contents)))

    def diff_all(self, other: Tree[C, M]) -> Iterator[tuple[Path, Change[tuple[C, M]]]]:
        """As `diff`, with changes of pairs of contents and metadata."""
        from .diff import data_of  # late, as above

        home = self._home
        decode = home.schema.contents.decode

        def both(contents: bytes | Leaf) -> tuple[C, M]:
            metadata = contents.metadata if isinstance(contents, Leaf) else None
            return decode(data_of(contents)), home.decode_metadata(metadata)

        return self._changes(other, both)

    def _changes(
        self, other: Tree[C, M], value: Callable[[bytes | Leaf], T]
    ) -> Iterator[tuple[Path, Change[T]]]:
        from .diff import change_of, differing  # late, as above

        self._home.schema.require(other._home.schema)
        found = differing(self._settled(), other._settled())
        return ((path, change_of(before, after, value)) for path, before, after in found)

    def merge(
        self,
        theirs: Tree[C, M],
        *,
        old: Tree[C, M] | None,
        on_conflict: OnConflict[C, M] | None = None,
    ) -> Tree[C, M]:
        """This tree with what `theirs` changed since their common ancestor `old`; None: none is known.

        At each path the side that did not change gives way; directories are merged step by step, contents by
        their type, metadata by the schema (what both sides agree on is kept). Raises MergeConflict with all
        conflicts at once: both sides changed contents and their type cannot merge them, one side removed what
        the other changed, or one has contents where the other has a directory.

        `on_conflict` settles conflicts: "ours", "theirs", or a function of a Conflict that gives contents, a
        Tree, None (for nothing there), or the Conflict to leave it one. Contents that it gives get the merged
        metadata, or those of ours if it was the metadata that conflicted; a `Tree.of_contents` has its own.

        Cost: the nodes on the way to what `theirs` changed, in each tree, and the contents that both sides
        changed. Without an ancestor, what is on both sides is read whole. The trees may be of different
        repositories: the result is of this tree's, and reads from the other one what it took from there.
        """
        from ..merge import NO_ANCESTOR, Conflict  # late: who reads merges nothing
        from .merge import Merging

        home = self._home
        home.schema.require(theirs._home.schema)
        base: Old[Stored | Leaf] = NO_ANCESTOR
        if old is not None:
            home.schema.require(old._home.schema)
            base = old._settled()
        ours = self._settled()
        environment = ours.source.environment
        if environment is not None and theirs._settled().source.environment not in (None, environment):
            # What is read on one side would be missing in the proof of the other.
            raise MergeConflict([Conflict("merge env", ())])
        merging = Merging(home, self._resolver(on_conflict))
        merging.run(base, ours, theirs._settled())
        if merging.conflicts:
            raise MergeConflict(merging.conflicts)
        return self._edited(merging.edits)

    def _resolver(self, on_conflict: OnConflict[C, M] | None) -> Resolve:
        home = self._home
        decode = home.schema.contents.decode
        if isinstance(on_conflict, str):
            if on_conflict == "ours":
                return lambda clash: ABSENT if clash.ours is None else clash.ours
            if on_conflict == "theirs":
                return lambda clash: ABSENT if clash.theirs is None else clash.theirs
            raise DecodeError("on_conflict", f'{on_conflict!r:.80}: use "ours", "theirs" or a function')
        if on_conflict is not None and not callable(on_conflict):
            raise TypeError(f"on_conflict is text or a function, not {type(on_conflict).__name__}")

        from ..merge import Conflict  # late, as above
        from .diff import data_of
        from .merge import encoded

        def side(child: Child | None) -> C | Tree[C, M] | None:
            if child is None:
                return None
            return decode(data_of(child)) if isinstance(child, bytes | Leaf) else self._subtree(child)

        def resolve(clash: Clash) -> Child | Conflict:
            sides = side(clash.base), side(clash.ours), side(clash.theirs)
            conflict = Conflict(clash.reason, clash.path, *sides)
            answer = conflict if on_conflict is None else on_conflict(conflict)
            if isinstance(answer, Conflict):
                return answer
            if isinstance(answer, Tree):
                tree = cast("Tree[C, M]", answer)
                home.schema.require(tree._home.schema)
                return ABSENT if tree.is_empty() else tree._child()
            return ABSENT if answer is None else encoded(home, answer, clash.metadata)

        return resolve

    def _edited(self, edits: Sequence[Edit]) -> Tree[C, M]:
        """This tree, settled, after `edits`; itself if they change nothing."""
        home = self._home
        if not edits:
            return self
        path, child = edits[0]
        if not path:
            return self.remove(()) if child is ABSENT else self._subtree(child)
        root = fork(cast("Stored", self._settled()), home.void)
        changed = False
        for path, child in edits:
            changed |= bind(root, 0, path, child, home.void, alone=True) is not None
        return Tree(home, root) if changed else self

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
        return KindedKey(kinded.kind, root.source.key(kinded.hash, root.word), kinded.metadata)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Tree):
            return NotImplemented
        tree: Tree[Any, Any] = other  # pyright: ignore[reportUnknownVariableType]
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
        done = bind(root, self._version, steps, child, home.void)
        return self if done is None else Tree(home, done[0], done[1])


OnConflict: TypeAlias = "Literal['ours', 'theirs'] | Callable[[Conflict], C | Tree[C, M] | Conflict | None]"
"""What settles the conflicts of a merge, see `Tree.merge`."""


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
        given: object = value
        if metadata is None and not isinstance(given, Tree):
            self[path] = value
        else:
            home = self._tree._home
            self._bind(home.steps(path), home.leaf(value, metadata))

    def remove(self, path: PathLike) -> bool:
        """Unbind `path`, as `Tree.remove`; whether anything was there."""
        steps = self._tree._home.steps(path)
        if steps:
            return self._bind(steps, ABSENT)
        before = self._tree
        self._tree, self._alone = before.remove(()), False
        return self._tree is not before

    def add_tree(self, path: PathLike, tree: Tree[C, M]) -> None:
        """Bind `path` to `tree`, as `Tree.add_tree`."""
        steps = self._tree._home.steps(path)
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
            return
        home = self._tree._home
        self._put(home.steps(path), home.encode(value))

    def add_many(self, bindings: Mapping[PathLike, C] | Iterable[tuple[PathLike, C]]) -> None:
        """Bind each path to its contents, one after the other, as `ed[path] = value`, in a third of the time.

        Where one is refused, some of those before it are bound, and none behind it.
        """
        home = self._tree._home
        encode = home.encode
        given = cast("Mapping[PathLike, C]", bindings).items() if isinstance(bindings, Mapping) else bindings
        pairs = iter(given)
        while items := [(path, encode(value)) for path, value in islice(pairs, _BATCH)]:
            at = 0
            while at < len(items):
                if self._alone and home.looks:  # other formats have other rules for steps
                    at = put_some(self._tree._root, items, at)
                if at < len(items):
                    path, data = items[at]
                    self._put(home.steps(path), data)
                    at += 1

    def _put(self, steps: list[str], data: bytes) -> None:
        if not (self._alone and steps and put(self._tree._root, steps, data)):
            self._bind(steps, data)

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
        done = bind(
            root,
            0 if not self._alone else tree._version,
            steps,
            child,
            tree._home.void,
            alone=True,
        )
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


def _root_of(home: Home[Any, Any], kinded: KindedHash, source: Source, word: int = 0) -> Stored | Leaf:
    hash_ = home.check_hash(kinded.hash)
    if kinded.kind == "node":
        return Stored(hash_, source, word=word)
    metadata = kinded.metadata
    if metadata is not None:
        # From outside: an entry with the bytes of the default would be a second form of the same directory.
        metadata = home.encode_metadata(home.schema.metadata.decode(metadata))
    return Leaf(source, hash_, None, metadata, word)
