"""Sync: fetch, pull and push between two repositories of one schema.

Only objects that the other side lacks travel, by `irminpy.transfer`; refs move at its end or not at all. A fetch moves
no branch but those it is told to, a pull moves its store, a push moves the branch of the remote, forward only.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Unpack

from . import branch as branches
from .backend import ANY, RefUpdate
from .carrier import Carrier
from .commit import Commit, Opened
from .errors import DecodeError, NotFound, Rejected
from .graph import decode_commit
from .hash import Hash
from .history import lcas
from .key import KindedHash
from .objects import Kind
from .path import PathLike
from .remote import AnyRemote, Brought, Local, Remote, Sender, opened
from .repo import Repo
from .slice import export
from .store import Store
from .transfer import Advance, Bounds, Sent, Transfer
from .tree import OnConflict, Tree
from .tree.home import Home
from .types import C, M

if TYPE_CHECKING:
    from .store.store import OnLimit, Writing

__all__ = [
    "Bounds",
    "Fetched",
    "FetchedAll",
    "FetchedPart",
    "Pushed",
    "Sent",
    "fetch",
    "fetch_all",
    "fetch_part",
    "pull",
    "push",
]


_DEFAULT = Bounds()


@dataclass(frozen=True, slots=True)
class Fetched(Generic[C, M]):
    """What a fetch found: the head of the remote's branch, None if it has no such branch; and what travelled."""

    head: Commit[C, M] | None
    sent: Sent


@dataclass(frozen=True, slots=True)
class FetchedPart(Generic[C, M]):
    """What a fetch of a part found: the head of the remote's branch, None if it has no such branch, which is no
    commit here; a tree with what is at the paths, and nothing else; and what travelled.
    """

    head: Hash | None
    tree: Tree[C, M]
    sent: Sent


@dataclass(frozen=True, slots=True)
class FetchedAll(Generic[C, M]):
    """What a fetch of all branches found: their heads by name; and what travelled."""

    heads: dict[str, Commit[C, M]]
    sent: Sent


@dataclass(frozen=True, slots=True)
class Pushed(Generic[C, M]):
    """What a push did: the remote's branch, where it was (None: it was not there), where it is now, what travelled.

    `head` is None if the store has no head: there was nothing to push, and nothing moved.
    """

    branch: str
    before: Hash | None
    head: Commit[C, M] | None
    sent: Sent


# -- the verbs -----------------------------------------------------------------------------------------------


def fetch(
    store: Store[C, M],
    remote: AnyRemote,
    *,
    branch: str | None = None,
    depth: int | None = None,
    deepen: bool = False,
    bounds: Bounds = _DEFAULT,
    progress: Advance | None = None,
) -> Fetched[C, M]:
    """Bring what the repository of `store` lacks of a branch of `remote`; its head, now a commit here.

    No branch moves. The branch is `branch`, else that of a remote that is a store, else that of `store`;
    NotFound where that is a detached one. Of a remote that is a detached store its own head is fetched. `head`
    is None if the remote has no such branch.

    `depth`: at most so many parents away from the head; what lies behind is cut off, and DanglingHash whoever
    needs it. Commits that are here are not looked behind, unless `deepen` says so: then what an earlier fetch
    has cut off comes too, as far as `depth`. Raises SchemaMismatch; DanglingHash, DecodeError or Corrupted for
    a remote that does not send what it should. Then, or if it is interrupted, refs stay as they are.
    `progress` is called with what has travelled so far, after each object; what it raises interrupts the fetch.
    """
    local = Local(store._opened)
    with opened(remote, store._opened.home.schema, readonly=True) as there:
        head = _head(branch, remote, store, there)
        heads = [] if head is None else [head]
        with _sending(there, heads, store._opened, bounds, depth, deepen=deepen) as sender:
            transfer = Transfer(store._opened.home.codec, sender, local, bounds, progress)
            sent = transfer.run(heads, depth, deepen=deepen)
    return Fetched(None if head is None else store._opened.get(head, "what was fetched"), sent)


def fetch_part(
    store: Store[C, M],
    remote: AnyRemote,
    paths: Iterable[PathLike],
    *,
    branch: str | None = None,
    bounds: Bounds = _DEFAULT,
) -> FetchedPart[C, M]:
    """Bring what is at `paths` in the head of a branch of `remote`, as a tree of the repository of `store`.

    The tree binds `paths` as the remote does, and nothing else; paths that the remote has not are left out. Nothing is
    committed and no branch moves: write the tree with `Store.set_tree`, or merge it with `Store.merge_tree`. The
    commit itself does not come, since a commit that is here has all of its tree here. `branch`, `bounds` and errors
    are as of `fetch`. Cost: the nodes on the way to `paths`, and what lacks here of what is there.
    """
    mine = store._opened
    local = Local(mine)
    tree = Tree(mine.home, mine.home.empty())
    if isinstance(paths, str):
        raise TypeError(f"paths are a list of paths, not one: use [{paths!r:.80}]")
    places = dict.fromkeys(tuple(mine.home.steps(path)) for path in paths)
    with opened(remote, mine.home.schema, readonly=True) as there:
        head = _head(branch, remote, store, there)
        if head is None:
            return FetchedPart(None, tree, Sent())
        with _sending(there, [head], mine, bounds, 0) as sender:
            transfer = Transfer(mine.home.codec, sender, local, bounds)
            root = decode_commit(mine.home.codec, head, transfer.read(Kind.COMMIT, head)).node
            theirs = Tree.shallow(_Reading(Home.over(transfer, mine.home.schema)), KindedHash("node", root))
            found = {path: part for path in places if (part := theirs.find_tree(path)) is not None}
            parts = {path: part.kinded_hash() for path, part in found.items()}
            transfer.parts(list(parts.values()))
        for path in sorted(parts, key=len):
            tree = tree.add_tree(path, local.tree(parts[path]))
    return FetchedPart(head, tree, transfer.sent)


def fetch_all(
    repo: Repo[C, M],
    remote: Repo[Any, Any] | Remote | Carrier | str,
    *,
    prefix: str | None = None,
    depth: int | None = None,
    deepen: bool = False,
    bounds: Bounds = _DEFAULT,
    progress: Advance | None = None,
) -> FetchedAll[C, M]:
    """As `fetch`, for all branches of `remote`.

    With `prefix`, as in "origin/", each of them becomes the branch of that name behind the prefix here, wherever
    that was, all at once and at the end; with "" this repository takes over the branches of the remote. Branches
    that only this repository has stay.
    """
    local = Local(repo._opened)
    with opened(remote, repo.schema, readonly=True) as there:
        refs = there.refs()
        updates = (
            [] if prefix is None else [RefUpdate(branches.check(prefix + b), h) for b, h in refs.items()]
        )
        heads = list(refs.values())
        with _sending(there, heads, repo._opened, bounds, depth, deepen=deepen) as sender:
            transfer = Transfer(repo._opened.home.codec, sender, local, bounds, progress)
            sent = transfer.run(heads, depth, updates, deepen=deepen)
    return FetchedAll({name: repo._opened.get(h, "what was fetched") for name, h in refs.items()}, sent)


def pull(
    store: Store[C, M],
    remote: AnyRemote,
    strategy: Literal["merge", "set"] = "merge",
    *,
    branch: str | None = None,
    depth: int | None = None,
    deepen: bool = False,
    bounds: Bounds = _DEFAULT,
    progress: Advance | None = None,
    on_conflict: OnConflict[C, M] | None = None,
    max_depth: int | None = None,
    n: int | None = None,
    on_limit: OnLimit = "raise",
    **how: Unpack[Writing],
) -> Commit[C, M] | None:
    """Fetch, then merge the head of the remote's branch into `store`, or set the head of `store` to it.

    "merge": as `Store.merge_with_commit`, with its keywords and errors. "set": the head of `store` is the
    remote's, whatever it was; no commit is made. The new head, or None if nothing changed: the remote has no
    such branch, or `store` has all of it.
    """
    if strategy not in ("merge", "set"):
        raise DecodeError("strategy", f'{strategy!r:.80}: use "merge" or "set"')
    if strategy == "set" and how:
        raise TypeError(f"a pull that sets makes no commit, and takes no keyword {min(how)!r}")
    theirs = fetch(
        store, remote, branch=branch, depth=depth, deepen=deepen, bounds=bounds, progress=progress
    ).head
    if theirs is None:
        return None
    if strategy == "merge":
        return store.merge_with_commit(
            theirs, on_conflict=on_conflict, max_depth=max_depth, n=n, on_limit=on_limit, **how
        )
    if store.find_head() == theirs:
        return None
    store.set_head(theirs)
    return theirs


def push(
    store: Store[C, M],
    remote: AnyRemote,
    *,
    branch: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    bounds: Bounds = _DEFAULT,
    progress: Advance | None = None,
) -> Pushed[C, M]:
    """Send what `remote` lacks of the head of `store`, and move the remote's branch there.

    The branch is `branch`, else that of a remote that is a store, else that of `store`; NotFound where that is
    a detached one. It moves forward only: Rejected if its head is no ancestor of the one that is pushed, or
    if it has moved meanwhile, and then it stays. `force`: it moves wherever it was, and commits that only the
    remote had may be lost. `dry_run`: nothing is sent or moved; what is refused then would be refused. Raises
    SchemaMismatch; ReadOnly; DanglingHash where a history that was cut off here is not there either.
    """
    mine = store._opened
    with opened(remote, mine.home.schema, readonly=False) as there:
        name = _branch(branch, remote, store)
        head = store.find_head()
        refs = there.refs()
        before = refs.get(name)
        if head is None or before == head.hash:
            return Pushed(name, before, head, Sent())
        if before is not None and not force:
            _forward(store, there, name, before, head)
        if dry_run:
            return Pushed(name, before, head, Sent())
        update = RefUpdate(name, head.hash, ANY if force else before)
        if isinstance(there, Carrier):
            sent = _carried(mine, there, head.hash, list(refs.values()), update)
        else:
            transfer = Transfer(mine.home.codec, Local(mine), there, bounds, progress)
            sent = transfer.run([head.hash], None, [update])
    return Pushed(name, before, head, sent)


@dataclass(frozen=True, slots=True)
class _Reading(Generic[C, M]):
    """What the trees of a remote are read from."""

    home: Home[C, M]


@contextmanager
def _sending(
    there: Remote | Carrier,
    heads: list[Hash],
    mine: Opened[Any, Any],
    bounds: Bounds,
    depth: int | None,
    *,
    deepen: bool = False,
) -> Generator[Sender]:
    """Where the objects of `heads` are to be had: the remote itself, or what a carrier brings of them."""
    if not isinstance(there, Carrier):
        yield there
        return
    codec, here = mine.home.codec, mine.trail()
    lacking = [hash_ for hash_ in heads if deepen or here.find_keys(Kind.COMMIT, [hash_])[0] is None]
    known = [hash_ for hash_ in mine.backend.refs().values() if _found_by_hash(mine, hash_)]
    with there.bring(lacking, here, codec, known, depth=depth, deepen=deepen, total=bounds.total) as reader:
        yield Brought(there.name, lambda: reader, codec)


def _found_by_hash(mine: Opened[Any, Any], head: Hash) -> bool:
    """Whether what `head` leads to is found here by its hash: else nobody may take it for known and leave it out."""
    commit = mine.find(head)
    return commit is not None and mine.backend.find_keys(Kind.NODE, [commit.tree_hash])[0] is not None


def _carried(
    mine: Opened[Any, Any], there: Carrier, head: Hash, known: list[Hash], update: RefUpdate
) -> Sent:
    """Send what a carrier lacks of `head`: all but what its heads lead to, as far as they are here."""
    reader = mine.trail()
    found = reader.find_keys(Kind.COMMIT, known)
    floor = [hash_ for hash_, key in zip(known, found, strict=True) if key is not None]
    objects = export(reader, mine.home.schema, [head], floor).objects
    for hash_ in floor:
        objects.commits.pop(hash_, None)
    there.take(objects, [update])
    octets = sum(len(data) for kind in Kind for data in objects.of_kind(kind).values())
    return Sent(len(objects.commits), len(objects.nodes), len(objects.contents), octets)


def _head(
    given: str | None, remote: AnyRemote, store: Store[Any, Any], there: Remote | Carrier
) -> Hash | None:
    """What is to be fetched: the head of a branch of `there`, or that of a remote that is a detached store."""
    if isinstance(remote, Store) and given is None and remote.name is None:
        return None if (commit := remote.find_head()) is None else commit.hash
    return there.refs().get(_branch(given, remote, store))


def _branch(given: str | None, remote: AnyRemote, store: Store[Any, Any]) -> str:
    name = given or (remote.name if isinstance(remote, Store) else store.name)
    if name is None:
        raise NotFound("branch", "a detached store has none; name the remote's with branch=")
    return branches.check(name)


def _forward(
    store: Store[C, M], there: Remote | Carrier, name: str, before: Hash, head: Commit[C, M]
) -> None:
    """Raise Rejected unless `head` is a descendant of `before`, the head of the branch `name` there."""
    what = f"the branch {name} of {there.name}"
    if store._opened.find(before) is None:
        raise Rejected(
            f"{what} has commits that are not here ({before.short()}); pull first, or push with force"
        )
    if lcas(store._past(), before, head.hash) != [before]:
        raise Rejected(
            f"{what} has commits that would be lost ({before.short()}); merge them, or push with force"
        )
