"""Commits: the handle that users hold, and reading and writing them through an open backend.

A commit binds a root directory to its parents and its info; its hash is that of its canonical bytes. This
module knows no branches but as ref updates that travel with the objects of a commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from struct import pack
from typing import Any, Generic, TypeAlias, cast

from .backend import Backend, Moved, RefUpdate
from .errors import Closed, Corrupted, DanglingHash, DecodeError, StorageError
from .fields import NamedTuple
from .hash import Hash
from .info import Info
from .key import Key, KindedKey
from .objects import Commit as CommitVal
from .objects import Kind, Objects, located
from .trail import Walkable, trail
from .tree import Tree
from .tree.export import gather, save
from .tree.home import Home
from .tree.lazy import Leaf, RepoSource, Stored, behind
from .types import C, M

__all__ = ["Commit", "Head", "Infos", "Opened", "a_tree", "hash_of_commit", "hashes_of", "unless_same"]

Infos: TypeAlias = Info | Callable[[], Info]
"""The info of a commit, or a function that makes it, called once for each commit that is attempted."""

# Before Python 3.12 to name a member of an enumeration costs four times as much as this.
_NODE = Kind.NODE
_COMMIT = Kind.COMMIT
_SHOWN = 200  # characters of a message in HTML


class Place(NamedTuple):
    """Where a commit was read."""

    source: RepoSource
    word: int
    """Where it lies there; 0 if that is not known."""
    words: bytes
    """Where its root and its parents lie, 8 bytes each; b"" if that is not known."""


class Commit(Generic[C, M]):
    """A commit of a repository: a tree, its parents, and what it says about itself. Immutable; equal by hash."""

    __slots__ = ("__weakref__", "_hash", "_home", "_place", "_val")

    def __init__(self, home: Home[C, M], hash: Hash, val: CommitVal, place: Place | None = None) -> None:
        self._home = home
        self._hash = hash
        self._val = val
        # Where it was read, if it was; objects may move.
        self._place = place

    @property
    def hash(self) -> Hash:
        """The hash of the canonical bytes."""
        return self._hash

    @property
    def key(self) -> Hash | Key:
        """What leads to this commit in its repository."""
        place = self._here()
        return place.source.key(self._hash, place.word)

    @property
    def info(self) -> Info:
        """When, who, why."""
        return self._val.info

    @property
    def parents(self) -> tuple[Hash, ...]:
        """The hashes of the parents, in the order given; the first is the head that this commit replaced."""
        return self._val.parents

    @property
    def past(self) -> tuple[Hash, ...]:
        """The parents that history goes on to: without those that a collection of garbage has cut off."""
        return self._home.past(self._val.parents)

    @property
    def tree_hash(self) -> Hash:
        """The hash of the root directory."""
        return self._val.node

    def tree(self) -> Tree[C, M]:
        """The tree, unread. Cost: nothing until it is read; one read if objects have moved since this commit was."""
        place = self._here()
        word = int.from_bytes(place.words[:8], "little")
        return Tree(self._home, self._home.stored(self._val.node, place.source, word))

    def _here(self) -> Place:
        """Where this commit and what it points at lie now; where they lay, if it is gone from there."""
        place, source = self._place, self._home.source()
        if place is not None and place.source is source:
            return place
        found = source.fetch(Kind.COMMIT, self._hash) if source.locates else None
        if found is None and source.locates and place is not None:
            return place
        place = self._place = Place(source, 0, b"" if found is None else found[1])
        return place

    def parents_located(self) -> dict[bytes, int]:
        """Where the parents lay when this commit was read, by hash, as far as that is known."""
        place = self._place
        return located(b"".join(self._val.parents), b"" if place is None else place.words[8:])

    def short(self, n: int = 10) -> str:
        """The first `n` hexadecimal digits of the hash."""
        return self._hash.short(n)

    def to_bytes(self) -> bytes:
        """The canonical bytes: what the hash is the hash of."""
        return self._home.codec.encode_commit(self._val)

    def to_json(self) -> dict[str, Any]:
        """Hash, tree, parents and info as a JSON object, hashes as hexadecimal digits."""
        parents = [parent.hex() for parent in self.parents]
        return {
            "hash": self.hash.hex(),
            "tree": self.tree_hash.hex(),
            "parents": parents,
            "info": self.info.to_json(),
        }

    def __eq__(self, other: object) -> bool:
        return self._hash == other._hash if isinstance(other, Commit) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._hash)

    def __repr__(self) -> str:
        message = self.info.message
        return f"<Commit {self.short()} {message if len(message) <= 40 else message[:39] + '…'!r}>"

    def _repr_html_(self) -> str:
        info, message = self.info, self.info.message
        rows = {
            "commit": self.hash.hex(),
            "parents": " ".join(parent.short() for parent in self.parents[:8])
            + (" …" if len(self.parents) > 8 else ""),
            "author": info.author[:_SHOWN],
            "date": str(info.date),
            "message": message if len(message) <= _SHOWN else message[: _SHOWN - 1] + "…",
        }
        from html import escape  # late: only notebooks ask for it

        cells = (f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in rows.items())
        return f"<table>{''.join(cells)}</table>"


class Head(Generic[C, M]):
    """What a store stands on, seen at one moment."""

    __slots__ = ("commit", "hash", "source", "tree")

    def __init__(self, commit: Commit[C, M] | None, tree: Tree[C, M]) -> None:
        self.commit = commit
        self.tree = tree
        self.hash: Hash | None = None if commit is None else commit._hash  # pyright: ignore[reportPrivateUsage]
        # Of an empty tree in memory None: it lies nowhere.
        root = tree._root  # pyright: ignore[reportPrivateUsage]
        self.source = None if commit is None or type(root) is not Stored else behind(root.source)


class Opened(Generic[C, M]):
    """An open backend with what stores need besides: the home of its trees, the default author, the clock."""

    __slots__ = ("_last", "author", "backend", "clock", "closed", "home")

    def __init__(self, backend: Backend, home: Home[C, M], author: str, clock: Callable[[], float]) -> None:
        self.backend = backend
        self.home = home
        self.author = author
        self.clock = clock
        self.closed = False
        self._last: Commit[C, M] | None = None

    def check(self) -> None:
        """Raise Closed after closing."""
        if self.closed:
            raise Closed("the repository")

    # -- reading ---------------------------------------------------------------------------------------------

    @property
    def source(self) -> RepoSource:
        """Where objects are read, as they lie now."""
        return self.home.source()

    def trail(self) -> Walkable:
        """The backend, for a walk from heads downwards."""
        source = self.source
        return trail(self.backend, source.reader, source.codec)

    def find(self, hash: Hash, word: int = 0) -> Commit[C, M] | None:
        """The commit `hash`, or None; `word` is where it may lie. Cost: one read. Raises Corrupted."""
        self.check()
        hash = self.home.check_hash(hash)
        source = self.source
        found = source.fetch(Kind.COMMIT, hash, word)
        if found is None:
            return None
        data, words = found
        try:
            val = self.home.codec.decode_commit(data)
        except DecodeError as e:
            raise Corrupted("the repository", None, hash, str(e)) from e
        return Commit(self.home, hash, val, Place(source, word, words))

    def get(self, hash: Hash, context: str = "a commit", word: int = 0) -> Commit[C, M]:
        """The commit `hash`, which something points at; DanglingHash if it is not there."""
        commit = self.find(hash, word)
        if commit is None:
            raise DanglingHash(context, hash)
        return commit

    def head(self, hash: Hash, context: str) -> Commit[C, M]:
        """`get` for a hash that a ref of this repository has now: what was just committed here is not read again."""
        last = self._last
        place = None if last is None or last.hash != hash else last._place  # pyright: ignore[reportPrivateUsage]
        if last is None or place is None or place.source is not self.home.source():
            return self.get(hash, context)
        self.check()
        return last

    def own(self, commit: Commit[C, M], context: str = "a commit") -> Commit[C, M]:
        """`commit`, as it is in this repository; DanglingHash if it is not, TypeError if it is no commit."""
        return self.get(hash_of_commit(commit), context)

    def following(self, context: str) -> Callable[[Hash], Commit[C, M]]:
        """`get` for a walk from heads back: what a commit says of where its parents lie is used for them.

        Held in memory: a number for each parent that was not asked for.
        """
        if not self.source.locates:
            return partial(self.get, context=context)
        words: dict[bytes, int] = {}

        def get(hash: Hash) -> Commit[C, M]:
            commit = self.get(hash, context, words.pop(hash, 0))
            words.update(commit.parents_located())
            return commit

        return get

    # -- writing ---------------------------------------------------------------------------------------------

    def require(self, tree: Tree[C, M]) -> None:
        """TypeError for what is no tree, SchemaMismatch for one of another schema."""
        if type(tree) is not Tree or tree._home is not self.home:  # pyright: ignore[reportPrivateUsage]
            self.home.schema.require(a_tree(tree).schema)

    def info(
        self,
        message: str | None = None,
        author: str | None = None,
        date: int | None = None,
        info: Infos | None = None,
    ) -> Info:
        """The info of a commit that is made now; TypeError if `info` is given and something else too."""
        if info is None:
            return Info(
                int(self.clock()) if date is None else date,
                self.author if author is None else author,
                "" if message is None else message,
            )
        if message is not None or author is not None or date is not None:
            raise TypeError("give info, or message, author and date; not both")
        if not isinstance(info, Info) and not callable(info):
            raise TypeError(
                f"info is an Info or a function that gives one, not {type(info).__name__}; use message="
            )
        return info if isinstance(info, Info) else info()

    def commit(
        self,
        tree: Tree[C, M],
        info: Info,
        parents: Sequence[Hash],
        *,
        clear: bool = True,
        move: Callable[[Hash], Sequence[RefUpdate]] | None = None,
    ) -> Head[C, M] | None:
        """The commit of `tree`, written in one batch with the ref updates that `move` gives for its hash; and
        its tree.

        None if a condition of an update does not hold. After a success `tree` reads from the repository.
        DecodeError for contents at the root.
        """
        self.check()
        root = self._root(tree)
        if type(root) is not Stored:
            raise DecodeError("commit", "its tree is contents; the root of a commit is a directory")
        codec = self.home.codec
        val = CommitVal.stored(Hash(root.hash), codec.parents(parents), info)
        data = codec.encode_commit(val)
        hash_ = Hash(codec.digest(data))

        def batch(source: RepoSource) -> Objects:
            objects = gather(root, source)
            objects.commits[hash_] = data
            objects.values = {hash_: val}
            return objects

        done = self.write(batch, () if move is None else move(hash_))
        if done is None:
            return None
        objects, source = done
        saved = self._saved(tree, root, objects, source, clear=clear)
        nodes, commits = objects.words[_NODE], objects.words[_COMMIT]
        words = b""
        if source.locates:
            found = [nodes.get(val.node, 0), *[commits.get(parent, 0) for parent in val.parents]]
            words = pack(f"<{len(found)}Q", *found)
        made = self._last = Commit(self.home, hash_, val, Place(source, commits.get(hash_, 0), words))
        return Head(made, saved)

    def parents(self, given: Sequence[Hash | Commit[Any, Any]] | None) -> tuple[Hash, ...] | None:
        """The hashes of `given`; DanglingHash for one that is not here. None stays None."""
        if given is None:
            return None
        hashes = hashes_of(given)
        return tuple([self.get(hash_, "a parent of the commit").hash for hash_ in hashes])

    def save_tree(self, tree: Tree[C, M], *, clear: bool = True) -> KindedKey:
        """Write what the repository lacks of `tree`; its key."""
        self.check()
        root = self._root(tree)
        done = self.write(partial(gather, root))
        assert done is not None
        self._saved(tree, root, *done, clear=clear)
        return cast("KindedKey", tree.key())

    def own_key(self, tree: Tree[C, M]) -> KindedKey | None:
        """The key of `tree` if it was read from where objects lie now, else None. Reads nothing."""
        source = behind(tree._settled().source)  # pyright: ignore[reportPrivateUsage]
        return tree.key() if source.locates and source is self.source else None

    def save_contents(self, data: bytes) -> Hash | Key:
        """Write contents with the bytes `data` of the contents type; their key."""
        self.check()
        codec = self.home.codec
        (encoded,) = codec.encode_contents([data])
        hash_ = codec.digest(encoded)
        done = self.write(lambda source: Objects(contents={hash_: encoded}, reader=source.reader))
        assert done is not None
        objects, source = done
        return source.key(hash_, objects.words[Kind.CONTENTS].get(hash_, 0))

    def _root(self, tree: Tree[C, M]) -> Stored | Leaf:
        self.require(tree)
        return tree._settled(keep=False)  # pyright: ignore[reportPrivateUsage]

    def _saved(
        self, tree: Tree[C, M], root: Stored | Leaf, objects: Objects, source: RepoSource, *, clear: bool
    ) -> Tree[C, M]:
        saved = save(root, objects, source, clear=clear)
        tree._root = saved  # pyright: ignore[reportPrivateUsage]
        return Tree(self.home, saved)

    def write(
        self, batch: Callable[[RepoSource], Objects], updates: Sequence[RefUpdate] = ()
    ) -> tuple[Objects, RepoSource] | None:
        """Write what `batch` gives for the present source, and that source; None if a condition does not hold.

        If objects move meanwhile, `batch` is asked again.
        """
        while True:
            source = self.home.source()
            objects = batch(source)
            if not updates and not len(objects):
                return objects, source
            try:
                done = self.backend.write(objects, updates)
            except Moved:
                if self.source is source:
                    raise StorageError("the backend says that its objects moved, and they did not") from None
                continue
            if not done:
                return None
            counters = self.home.counters
            counters.contents_add += len(objects.contents)
            counters.node_add += len(objects.nodes)
            return objects, source


def hash_of_commit(commit: Commit[Any, Any]) -> Hash:
    """The hash of `commit`; TypeError for what is none, such as a hash or the name of a branch."""
    if not isinstance(commit, Commit):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"a Commit is expected, not {type(commit).__name__}; "
            "Repo.commit(hash) and Repo.at(revision).head() give one"
        )
    return commit.hash


def hashes_of(commits: Iterable[Hash | Commit[Any, Any]]) -> list[Hash]:
    """The hashes of `commits`, each a commit or its hash; TypeError for anything else."""
    if isinstance(commits, str | bytes | Commit):
        raise TypeError(f"several commits, or hashes, are expected, not one {type(commits).__name__}")
    return [one if isinstance(one, Hash) else hash_of_commit(one) for one in commits]


def a_tree(tree: Tree[C, M]) -> Tree[C, M]:
    """`tree`; TypeError if it is none."""
    if not isinstance(tree, Tree):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a Tree is expected, not {type(tree).__name__}")
    return tree


def unless_same(tree: Tree[C, M], now: Tree[C, M]) -> Tree[C, M]:
    """`tree`, or `now` if both are the same. `tree` is about to be committed: nothing of it is kept in memory."""
    a, b = now._settled(), tree._settled(keep=False)  # pyright: ignore[reportPrivateUsage]
    # Metadata are those of contents, and a head is a directory.
    return now if type(a) is type(b) and a.hash == b.hash else tree
