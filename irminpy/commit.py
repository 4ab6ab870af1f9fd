"""Commits: the handle that users hold, and reading and writing them through an open backend.

A commit binds a root directory to its parents and its info; its hash is that of its canonical bytes. This
module knows no branches but as ref updates that travel with the objects of a commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Generic, TypeAlias, cast

from .backend import Backend, RefUpdate
from .errors import Closed, Corrupted, DanglingHash, DecodeError
from .hash import Hash
from .info import Info
from .key import KindedKey
from .objects import Commit as CommitVal
from .objects import Kind, Objects
from .tree import Tree
from .tree.export import gather, save
from .tree.home import Home
from .tree.lazy import RepoSource, Stored
from .types import C, M

__all__ = ["Commit", "Infos", "Opened"]

Infos: TypeAlias = Info | Callable[[], Info]
"""The info of a commit, or a function that makes it, called once for each commit that is attempted."""

_SHOWN = 200  # characters of a message in HTML


class Commit(Generic[C, M]):
    """A commit of a repository: a tree, its parents, and what it says about itself. Immutable; equal by hash."""

    __slots__ = ("__weakref__", "_hash", "_home", "_val")

    def __init__(self, home: Home[C, M], hash: Hash, val: CommitVal) -> None:
        self._home = home
        self._hash = hash
        self._val = val

    @property
    def hash(self) -> Hash:
        """The hash of the canonical bytes."""
        return self._hash

    @property
    def key(self) -> Hash:
        """What leads to this commit in its repository."""
        return self._hash

    @property
    def info(self) -> Info:
        """When, who, why."""
        return self._val.info

    @property
    def parents(self) -> tuple[Hash, ...]:
        """The hashes of the parents, in the order given; the first is the head that this commit replaced."""
        return self._val.parents

    @property
    def tree_hash(self) -> Hash:
        """The hash of the root directory."""
        return self._val.node

    def tree(self) -> Tree[C, M]:
        """The tree, unread. Cost: nothing until it is read."""
        return Tree(self._home, self._home.stored(self._val.node))

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
        cells = (f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in rows.items())
        return f"<table>{''.join(cells)}</table>"


class Opened(Generic[C, M]):
    """An open backend with what stores need besides: the home of its trees, the default author, the clock."""

    __slots__ = ("author", "backend", "clock", "closed", "home", "source")

    def __init__(
        self, backend: Backend, home: Home[C, M], source: RepoSource, author: str, clock: Callable[[], float]
    ) -> None:
        self.backend = backend
        self.home = home
        self.source = source
        self.author = author
        self.clock = clock
        self.closed = False

    def check(self) -> None:
        """Raise Closed after closing."""
        if self.closed:
            raise Closed("the repository")

    # -- reading ---------------------------------------------------------------------------------------------

    def find(self, hash: Hash) -> Commit[C, M] | None:
        """The commit `hash`, or None. Cost: one read. Raises Corrupted."""
        self.check()
        hash = self.home.check_hash(hash)
        data = self.backend.read(Kind.COMMIT, hash)
        if data is None:
            return None
        try:
            val = self.home.codec.decode_commit(data)
        except DecodeError as e:
            raise Corrupted("the repository", None, hash, str(e)) from e
        return Commit(self.home, hash, val)

    def get(self, hash: Hash, context: str = "a commit") -> Commit[C, M]:
        """The commit `hash`, which something points at; DanglingHash if it is not there."""
        commit = self.find(hash)
        if commit is None:
            raise DanglingHash(context, hash)
        return commit

    # -- writing ---------------------------------------------------------------------------------------------

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
        return info if isinstance(info, Info) else info()

    def commit(
        self,
        tree: Tree[C, M],
        info: Info,
        parents: Sequence[Hash],
        *,
        clear: bool = True,
        move: Callable[[Hash], Sequence[RefUpdate]] | None = None,
    ) -> tuple[Commit[C, M], Tree[C, M]] | None:
        """The commit of `tree`, written in one batch with the ref updates that `move` gives for its hash; and
        its tree.

        None if a condition of an update does not hold. After a success `tree` reads from the repository.
        DecodeError for contents at the root.
        """
        self.check()
        root, objects = self._gathered(tree)
        if type(root) is not Stored:
            raise DecodeError("commit", "its tree is contents; the root of a commit is a directory")
        codec = self.home.codec
        val = CommitVal(Hash(root.hash), tuple(parents), info)
        data = codec.encode_commit(val)
        hash_ = Hash(codec.digest(data))
        objects.commits[hash_] = data
        if not self.write(objects, () if move is None else move(hash_)):
            return None
        saved = self._saved(tree, root, objects, clear=clear)
        return Commit(self.home, hash_, val), saved

    def parents(self, given: Sequence[Hash | Commit[Any, Any]] | None) -> tuple[Hash, ...] | None:
        """The hashes of `given`; DanglingHash for one that is not here. None stays None."""
        if given is None:
            return None
        hashes = [parent.hash if isinstance(parent, Commit) else parent for parent in given]
        return tuple([self.get(hash_, "a parent of the commit").hash for hash_ in hashes])

    def save_tree(self, tree: Tree[C, M], *, clear: bool = True) -> KindedKey:
        """Write what the repository lacks of `tree`; its key."""
        self.check()
        root, objects = self._gathered(tree)
        if len(objects):
            self.write(objects, ())
        self._saved(tree, root, objects, clear=clear)
        return cast("KindedKey", tree.key())

    def save_contents(self, data: bytes) -> Hash:
        """Write contents with the bytes `data` of the contents type; their hash."""
        self.check()
        codec = self.home.codec
        (encoded,) = codec.encode_contents([data])
        hash_ = codec.digest(encoded)
        self.write(Objects(contents={hash_: encoded}), ())
        return Hash(hash_)

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = ()) -> bool:
        """Write `objects` and move refs, as `Backend.write`; counted."""
        if not self.backend.write(objects, updates):
            return False
        counters = self.home.counters
        counters.contents_add += len(objects.contents)
        counters.node_add += len(objects.nodes)
        return True

    def _gathered(self, tree: Tree[C, M]) -> tuple[Any, Objects]:
        self.home.schema.require(_tree(tree).schema)
        root = tree._settled(keep=False)  # pyright: ignore[reportPrivateUsage]
        return root, gather(root, self.source)

    def _saved(self, tree: Tree[C, M], root: Any, objects: Objects, *, clear: bool) -> Tree[C, M]:
        saved = save(root, objects, self.source, clear=clear)
        tree._root = saved  # pyright: ignore[reportPrivateUsage]
        return Tree(self.home, saved)


def _tree(tree: Tree[Any, Any]) -> Tree[Any, Any]:
    if not isinstance(tree, Tree):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a Tree is expected, not {type(tree).__name__}")
    return tree
