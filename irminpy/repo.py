"""The repository: where a program starts. It opens a backend and hands out stores, trees and commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypedDict, Unpack, cast, overload

from . import branch as branches_
from . import revision as revision_
from .backend import Defaulting, Maker, Options, RefUpdate
from .branch import MAIN
from .commit import Commit, Infos, Opened, hash_of_commit, hashes_of
from .errors import DanglingHash, MergeConflict, NotFound, StorageError
from .hash import Hash
from .history import check_count
from .info import Info
from .key import Key, KindedHash, KindedKey, hash_of_key
from .late import module
from .objects import Kind, Objects
from .registry import maker_of_uri
from .schema import Schema
from .store import Store
from .store.follow import Following
from .store.read import PRODUCE, callback
from .trail import Trail, Walkable
from .tree import Tree
from .tree.home import Home
from .tree.lazy import Counters, RepoSource
from .types import C2, M2, C, M, R
from .watch import Changes, Watch, Watches, changed

if TYPE_CHECKING:
    from . import check as check_
    from . import graph
    from .collecting import Collected, Progress
    from .diff import Change
    from .merge import Old
    from .proof import Limits, Proof, StreamProof
    from .slice import Slice

__all__ = ["Opening", "Repo", "open"]

BranchChanges: TypeAlias = "Changes[Commit[C, M], tuple[str, Change[Commit[C, M]]]]"


class Opening(TypedDict, total=False):
    """How a repository is opened; see `Repo.open`."""

    readonly: bool
    create: bool
    exclusive: bool
    timeout: float
    author: str
    clock: Callable[[], float]


class Repo(Generic[C, M]):
    """An open repository: branches, commits and trees in a backend. A context manager; free to share between
    threads.

    `irminpy.open("mem:")` or `Repo.open(maker, schema)` opens one. After `close` everything raises Closed.
    """

    __slots__ = ("__weakref__", "_opened", "_watches")

    def __init__(self, opened: Opened[C, M]) -> None:
        self._opened = opened
        backend = opened.backend
        self._watches = Watches(backend.watch, backend.ref, backend.refs)

    # -- opening and closing ---------------------------------------------------------------------------------

    @overload
    @staticmethod
    def open(
        maker: Maker,
        schema: Schema[C2, M2],
        **how: Unpack[Opening],
    ) -> Repo[C2, M2]: ...
    @overload
    @staticmethod
    def open(
        maker: Maker,
        schema: None = None,
        **how: Unpack[Opening],
    ) -> Repo[bytes, None]: ...
    @staticmethod
    def open(
        maker: Maker,
        schema: Schema[Any, Any] | None = None,
        *,
        readonly: bool = False,
        create: bool = True,
        exclusive: bool = False,
        timeout: float = 5.0,
        author: str = "irminpy",
        clock: Callable[[], float] = time.time,
    ) -> Repo[Any, Any]:
        """The repository that `maker` opens, such as `Memory()`.

        `schema` None means the default schema, and SchemaMismatch if the store has another. Where the files of a store
        have a format of their own, as those of Git do, the default is the schema of that format. `readonly`:
        writes raise ReadOnly. `create`: make the store if there is none, else NotAStore. `exclusive`: no
        other process may write meanwhile. `timeout`: seconds to wait for a lock, then Locked. `author` and
        `clock` are for the info of commits.
        """
        if not isinstance(maker, Maker):  # pyright: ignore[reportUnnecessaryIsInstance]
            hint = "; irminpy.open takes a URI" if isinstance(maker, str) else ""
            raise TypeError(f"a maker such as Memory() is expected, not {type(maker).__name__}{hint}")
        default = maker.default if isinstance(maker, Defaulting) else Schema
        wanted: Schema[Any, Any] = default() if schema is None else schema
        Info(0, author)
        backend, schema = maker.open(wanted, Options(readonly, create, exclusive, timeout))
        return Repo(Opened(backend, Home.over(backend, schema), author, clock))

    def close(self) -> None:
        """End all watches and close the backend. A second call does nothing."""
        opened = self._opened
        if opened.closed:
            return
        opened.closed = True
        self._watches.close()
        opened.backend.close()
        # What is cached must not hide that the backend is closed.
        opened.home.clear()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._opened.closed

    def __enter__(self) -> Repo[C, M]:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Repo {self.schema.describe()}{' closed' if self.closed else ''}>"

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def schema(self) -> Schema[C, M]:
        """What the hashes of this repository depend on."""
        return self._opened.home.schema

    @property
    def home(self) -> Home[C, M]:
        """What the trees of this repository share; `Tree.of_hash(repo, …)` asks for it."""
        self._opened.check()
        return self._opened.home

    @property
    def counters(self) -> Counters:
        """How many objects were read and written so far; `reset()` and `dump()` are its methods."""
        return self._opened.home.counters

    # -- stores ----------------------------------------------------------------------------------------------

    def main(self) -> Store[C, M]:
        """The branch `main`, which need not exist yet."""
        return self.branch(MAIN)

    def branch(self, name: str) -> Store[C, M]:
        """The branch `name`, which need not exist yet; InvalidBranch if none may be called so."""
        self._opened.check()
        return Store(self._opened, self._watches, name)

    def detached(self, commit: Commit[C, M]) -> Store[C, M]:
        """A store with a head of its own, which starts at `commit`; writes move no branch."""
        return Store(self._opened, self._watches, None, self.commit(hash_of_commit(commit)))

    def empty(self) -> Store[C, M]:
        """A store with a head of its own, which has none yet: the first write makes a commit without parents."""
        self._opened.check()
        return Store(self._opened, self._watches, None)

    def at(self, revision: str) -> Store[C, M]:
        """A detached store at `revision`: a branch, a tag, a hash or at least 7 digits of it; then any of `~n`
        and `^n`.

        `~n` is the n-th first parent, `^n` the n-th parent, `~` and `^` mean 1. The tag NAME is the branch
        tags/NAME. A branch wins over a tag, a tag over a hash.
        NotFound if there is no such commit, or if several begin with the digits. DecodeError for REV:PATH,
        which `get` and `get_tree` take.
        """
        return Store(self._opened, self._watches, None, revision_.commit_at(self._opened, revision))

    def get(self, place: str) -> C:
        """The contents at `place`, REV:PATH, as in "main~2:theme/name"; REV is what `at` takes.

        NotFound if there is no such commit, or nothing or a directory at PATH.
        """
        tree, path = self._tree_at(place)
        return tree.get(path)

    def get_tree(self, place: str) -> Tree[C, M]:
        """The subtree at `place`, REV:PATH: a directory, or contents; of REV alone, the root. NotFound as in
        `get`.
        """
        tree, path = self._tree_at(place)
        return tree.get_tree(path)

    def _tree_at(self, place: str) -> tuple[Tree[C, M], str]:
        revision, path = revision_.split(place)
        return revision_.commit_at(self._opened, revision).tree(), path or ""

    # -- branches and commits --------------------------------------------------------------------------------

    def branches(self) -> list[str]:
        """The names of all branches, in order."""
        self._opened.check()
        return list(self._opened.backend.refs())

    def heads(self) -> list[Commit[C, M]]:
        """The head of each branch, in the order of their names; branches whose commit is absent are left out."""
        self._opened.check()
        found = [self._opened.find(hash_) for hash_ in self._opened.backend.refs().values()]
        return [commit for commit in found if commit is not None]

    def remove_branch(self, name: str) -> None:
        """Remove the branch `name`; nothing happens if there is none. Its commits stay."""
        self._opened.check()
        self._opened.backend.write(Objects(), [RefUpdate(branches_.check(name), None)])

    def find_commit(self, hash: Hash) -> Commit[C, M] | None:
        """The commit `hash`, or None."""
        return self._opened.find(hash)

    def commit(self, hash: Hash) -> Commit[C, M]:
        """The commit `hash`; NotFound if it is not here."""
        commit = self.find_commit(hash)
        if commit is None:
            raise NotFound("commit", hash.hex())
        return commit

    def commit_tree(
        self,
        tree: Tree[C, M],
        *,
        info: Infos | None = None,
        parents: Sequence[Hash | Commit[C, M]] = (),
        clear: bool = True,
    ) -> Commit[C, M]:
        """A commit of `tree` with the given parents, in their order; no branch moves.

        The tree is saved and reads from the repository from then on; `clear` drops what is in memory of it,
        without it reading what was written costs no access to the backend. DecodeError for contents at the
        root, DanglingHash for a parent that is not here.
        """
        opened = self._opened
        opened.check()
        made = opened.commit(tree, opened.info(info=info), opened.parents(parents) or (), clear=clear)
        assert made is not None
        return cast("Commit[C, M]", made.commit)

    # -- trees and contents ----------------------------------------------------------------------------------

    def empty_tree(self) -> Tree[C, M]:
        """An empty tree of this repository."""
        home = self.home
        return Tree(home, home.empty())

    def save_tree(self, tree: Tree[C, M], *, clear: bool = True) -> KindedKey:
        """Write what the repository lacks of `tree`, without a commit; its key. `clear` as in `commit_tree`."""
        return self._opened.save_tree(tree, clear=clear)

    def save_contents(self, value: C) -> Hash | Key:
        """Write `value` as a contents object; its key."""
        return self._opened.save_contents(self.schema.contents.encode(value))

    def find_contents(self, key: Hash | Key) -> C | None:
        """The contents at `key`, or None if they are not here."""
        opened = self._opened
        opened.check()
        opened.home.counters.contents_find += 1
        source = opened.source
        data = source.reader.read(Kind.CONTENTS, key)
        if data is None:
            return None
        return self.schema.contents.decode(source.decode_contents(hash_of_key(key), data))

    def find_key(self, tree: Tree[C, M]) -> KindedKey | None:
        """The key of the object with the hash of `tree`, even if `tree` itself is in memory; None if it is
        not here.

        Where directories and contents have no index, it is found only for a tree that was read from here.
        """
        opened = self._opened
        opened.check()
        kinded = tree.kinded_hash()
        counters = opened.home.counters
        if kinded.kind == "node":
            counters.node_mem += 1
        else:
            counters.contents_mem += 1
        kind = Kind.NODE if kinded.kind == "node" else Kind.CONTENTS
        (key,) = opened.backend.find_keys(kind, [kinded.hash])
        if key is None:
            return opened.own_key(tree)
        return KindedKey(kinded.kind, key, kinded.metadata)

    def merge_contents(
        self, old: Old[Hash | Key | None], left: Hash | Key | None, right: Hash | Key | None
    ) -> Hash | Key | None:
        """The key of the merge of the contents at three keys: read, merged by their type, written.

        None stands for absent contents, NO_ANCESTOR for no known ancestor. Raises MergeConflict; NotFound for
        a key that leads nowhere.
        """
        from .merge import NO_ANCESTOR, Conflict, NoAncestor  # late, as in closure

        base: Old[C | None] = NO_ANCESTOR if isinstance(old, NoAncestor) else self._value(old)
        merged = self.schema.contents.merge(base, self._value(left), self._value(right))
        if isinstance(merged, Conflict):
            raise MergeConflict([merged])
        return None if merged is None else self.save_contents(merged)

    def _value(self, key: Hash | Key | None) -> C | None:
        if key is None:
            return None
        value = self.find_contents(key)
        if value is None:
            raise NotFound("contents", hash_of_key(key).hex())
        return value

    # -- proofs ----------------------------------------------------------------------------------------------

    def produce_proof(
        self,
        key: KindedKey | KindedHash | Hash,
        f: Callable[[Tree[C, M]], tuple[Tree[C, M], R]],
        limits: Limits | None = None,
    ) -> tuple[Proof[C, M], R]:
        """The proof of what `f` does with the tree at `key` (a Hash: of a directory), and the result of `f`.

        `f` gets the tree, unread, and gives a tree and a result; it may use all that trees can do. What it reads of
        the tree goes into the proof, and nothing else. Its errors go through. Trees that it keeps go on as trees of
        this repository. `irminpy.verify_proof` is the other side. BadProof if a verifier with `limits` would refuse
        the proof. Cost: what `f` reads, read from the repository again whatever is in memory.
        """
        made: tuple[Proof[C, M], R] = module(PRODUCE).produce_proof(self.home, self._start(key), f, limits)
        return made

    def produce_stream(
        self,
        key: KindedKey | KindedHash | Hash,
        f: Callable[[Tree[C, M]], tuple[Tree[C, M], R]],
        limits: Limits | None = None,
    ) -> tuple[StreamProof[C, M], R]:
        """As `produce_proof`, a stream proof: the objects that `f` reads, in the order in which it reads them."""
        made: tuple[StreamProof[C, M], R] = module(PRODUCE).produce_stream(
            self.home, self._start(key), f, limits
        )
        return made

    def _start(self, key: KindedKey | KindedHash | Hash) -> Tree[C, M]:
        return Tree.shallow(self, KindedHash("node", key) if isinstance(key, Hash) else key)

    # -- the graph of all objects ----------------------------------------------------------------------------

    def iter(self, max: Iterable[graph.Element] | None = None, **options: Unpack[graph.Walk]) -> None:
        """Visit `max` (None: all heads) and all that it leads to; `irminpy.graph.Walk` tells the options.

        An element comes after all that it leads to, with `rev=False` before. Inner nodes of large directories
        are nodes here. Cost: one read per commit and node, many at once.
        """
        self._graph().iterate(self._elements(max), **options)

    def breadth_first(
        self, max: Iterable[graph.Element] | None = None, **visits: Unpack[graph.Visits]
    ) -> None:
        """Visit `max` (None: all heads) and all that it leads to, the nearest first, each once."""
        self._graph().breadth_first(self._elements(max), **visits)

    def closure(
        self, max: Iterable[Hash | Commit[C, M]] | None = None, min: Iterable[Hash | Commit[C, M]] = ()
    ) -> list[Commit[C, M]]:
        """The commits from `max` (None: all heads) down to `min`, parents first; those of `min` only if they
        are reached. DanglingHash for a commit of `max` that is not here.
        """
        from . import graph  # late: few programs walk over everything

        self._opened.check()
        backend, home = self._opened.trail(), self._opened.home
        vals = graph.commits(backend, home.codec, self._heads(max), hashes_of(min))
        return [Commit(home, hash_, val) for hash_, val in vals.items()]

    def check(self, roots: Iterable[Hash | Commit[C, M]] = (), *, shallow: bool = False) -> check_.Report:
        """Read and hash again all that the branches and the commits `roots` lead to, and tell what is wrong.

        What only a detached store or a program knows is not reached from a branch: name it in `roots`.
        `shallow`: parents that are not here are no problem, as after a fetch with a depth; otherwise each is a
        dangling one. Cost: one read per object, many at once. Held in memory: the hashes of all objects and
        the inner nodes of large directories.
        """
        from . import check as check_  # late, as in closure

        opened = self._opened
        opened.check()
        refs = opened.backend.refs()
        return check_.check(
            opened.trail(),
            refs,
            opened.home.codec,
            self.schema.contents.decode,
            opened.home.decode_metadata,
            opened.home.past,
            hashes_of(roots),
            shallow=shallow,
        )

    def export(
        self,
        full: bool = True,
        depth: int | None = None,
        min: Iterable[Hash | Commit[C, M]] = (),
        max: Iterable[Hash | Commit[C, M]] | None = None,
    ) -> Slice:
        """The commits from `max` (None: all heads) down to `min`, at most `depth` parents away, as a slice.

        `full`: with their trees, without what the trees of `min` hold. Commits of `min` are in the slice only
        if they are reached; those that are not here are left aside. Cost: one read per object of the slice,
        and one per node below `min`; the slice is held in memory.
        """
        from . import slice as slice_  # late, as in closure

        check_count("depth", depth)
        self._opened.check()
        heads = self._heads(max)
        return slice_.export(self._opened.trail(), self.schema, heads, hashes_of(min), depth, full=full)

    def import_(self, slice: Slice, *, shallow: bool = False) -> int:
        """Write what is missing here of `slice`, in one batch, after all of it was checked; how many objects.

        No branch moves; `slice.heads` tells what it was made for. Parents that are neither in the slice nor
        here are DanglingHash, unless `shallow`. SchemaMismatch, DecodeError, Corrupted or DanglingHash for a
        slice that may not be imported: then nothing is written.
        """
        from .slice import Slice  # late, as in closure

        opened = self._opened
        opened.check()
        if not isinstance(slice, Slice):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"a Slice is expected, not {type(slice).__name__}; Slice.from_bytes makes one of bytes"
            )
        self.schema.require(slice.schema)
        done = opened.write(partial(self._fresh, slice, shallow))
        assert done is not None
        return len(done[0])

    def _fresh(self, slice: Slice, shallow: bool, source: RepoSource) -> Objects:
        """What is to be written of `slice`, with the words that `source` gave."""
        from . import slice as slice_  # late, as in closure

        opened = self._opened

        def fresh(backend: Walkable) -> Objects:
            decode, decode_metadata = self.schema.contents.decode, opened.home.decode_metadata
            past = opened.home.past
            return slice_.fresh(backend, slice, decode, decode_metadata, shallow=shallow, past=past)

        try:
            objects = fresh(opened.backend)
        except DanglingHash:
            found = opened.trail()
            if not isinstance(found, Trail):
                raise
        else:
            # What was found here may be gone after a collection of garbage: then it is looked for again.
            objects.reader, objects.shallow = source.reader, shallow
            return objects
        # Directories and contents may have no index: they are found by way of the commits whose trees it leaves out.
        slice_.meet(found, opened.home.codec, slice.bounds)
        objects = fresh(found)
        found.lead(objects)
        objects.shallow = shallow
        return objects

    # -- garbage ---------------------------------------------------------------------------------------------

    def gc(
        self,
        *,
        branches: Iterable[str] | None = None,
        depth: int | None = None,
        since: int | None = None,
        keep: Iterable[Hash | Commit[C, M]] = (),
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Collected:
        """Drop what no branch leads to, and history that is not to be kept; what was kept and freed.

        Every head stays, with its tree. Of the history of `branches` (None: all) and of the commits of `keep`, which
        stay too, there remains what is at most `depth` parents away or not older than `since` (seconds since 1970);
        all of it if neither is given. Where history is cut off it ends from then on: `log`, `lcas` and the like find
        no parents there. Trees that are held stay readable, and can be edited and committed.

        `dry_run`: only say what would be. `progress(what, done, total)` is called now and then; if it raises,
        nothing has happened. Readers and writers go on meanwhile. Raises NotFound, DanglingHash, Locked, ReadOnly,
        StorageError (also for a backend that keeps everything). Cost: one read per object that is kept, and as
        much space, until it is done.
        """
        for name, value in (("depth", depth), ("since", since)):
            if value is not None and (type(value) is not int or value < 0):
                raise ValueError(f"{name} {value!r:.80} is no number from 0 up")
        if isinstance(branches, str):
            raise TypeError("branches is several names, not one str")
        opened = self._opened
        opened.check()
        backend = opened.backend
        from .collecting import Collecting, Keep  # late, as in closure

        if not isinstance(backend, Collecting):
            raise StorageError("this backend collects no garbage")
        names = None if branches is None else tuple(map(branches_.check, branches))
        commits = tuple(map(opened.home.check_hash, hashes_of(keep)))
        return backend.collect(Keep(names, commits, depth, since), dry_run=dry_run, progress=progress)

    def _graph(self) -> graph.Graph:
        from . import graph  # late, as in closure

        self._opened.check()
        return graph.Graph(self._opened.trail(), self._opened.home.codec)

    def _elements(self, max: Iterable[graph.Element] | None) -> Iterable[graph.Element]:
        from . import graph  # late, as in closure

        return [graph.Commit(head) for head in self._heads(None)] if max is None else max

    def _heads(self, max: Iterable[Hash | Commit[C, M]] | None) -> list[Hash]:
        return list(dict.fromkeys(self._opened.backend.refs().values())) if max is None else hashes_of(max)

    # -- watches ---------------------------------------------------------------------------------------------

    @overload
    def watch_all(
        self, f: None = None, *, init: Mapping[str, Commit[C, M]] | None = None
    ) -> BranchChanges[C, M]: ...
    @overload
    def watch_all(
        self,
        f: Callable[[str, Change[Commit[C, M]]], None],
        *,
        init: Mapping[str, Commit[C, M]] | None = None,
    ) -> Watch: ...
    def watch_all(
        self,
        f: Callable[[str, Change[Commit[C, M]]], None] | None = None,
        *,
        init: Mapping[str, Commit[C, M]] | None = None,
    ) -> Watch | BranchChanges[C, M]:
        """Call `f`, on a thread of its own, with each branch that is made, moved or removed from now on.

        `init` is what the caller knows of the branches: what has changed since is told at once. Without `f` an
        iterator over pairs of name and change. See `Store.watch`.
        """
        self._opened.check()
        if f is None:
            changes: BranchChanges[C, M] = Changes(lambda name, change: (name, change), changed)
            return changes.of(self.watch_all(changes.put, init=init))
        callback(f)
        following = Following(self._opened, lambda commit: commit, init or {})

        def call(name: str, change: Change[Hash]) -> None:
            found = following.change(name, change.after)
            if found is not None and found.before != found.after:
                f(name, found)

        known = None if init is None else {name: commit.hash for name, commit in init.items()}
        return self._watches.watch_all(call, init=known)

    @property
    def watches(self) -> Watches:
        """All watches of this repository, for their numbers: `repo.watches.stats()`."""
        return self._watches


@overload
def open(
    uri: str,
    schema: Schema[C2, M2],
    **how: Unpack[Opening],
) -> Repo[C2, M2]: ...
@overload
def open(
    uri: str,
    schema: None = None,
    **how: Unpack[Opening],
) -> Repo[bytes, None]: ...
def open(uri: str, schema: Schema[Any, Any] | None = None, **how: Unpack[Opening]) -> Repo[Any, Any]:
    """The repository that `uri` names: "mem:", "mem:NAME", "pack:./db?index=minimal", …

    The options are those of `Repo.open`. StorageError, saying what to do, for a backend that is not there.
    """
    return Repo.open(maker_of_uri(uri), cast("Any", schema), **how)
