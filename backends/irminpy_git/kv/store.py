"""The key-value store: a mirror in memory of a branch of a remote, and what was written on top of it.

INVARIANT: `_state` is replaced as a whole, so that readers take no lock. Whoever writes holds `_lock` from the look at
the head until the head has moved, the push between them included.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias, TypeVar

import irminpy
from irminpy import Commit, Info, Repo, Schema, Tree, sync
from irminpy.backend import ANY, RefUpdate
from irminpy.carrier import Carrier
from irminpy.errors import Closed, DanglingHash, DecodeError, RemoteError
from irminpy.formats import Git as GitFormat
from irminpy.hash import SHA1, Hash
from irminpy.history import lcas
from irminpy.metadata import Mode, Modes
from irminpy.slice import Slice, export
from irminpy.tree import OnConflict

from ..channel import Transport
from ..remote import GitRemote
from .changes import Changes, changes
from .errors import Diverged, Modified, NestedChange, NotPushed
from .octets import Held, State, held, pack_of, pending, read_state
from .writing import Writing

__all__ = ["Batch", "Clean", "Dirty", "GitKv", "connect", "of_octets"]

T = TypeVar("T")
Trees = Tree[bytes, Mode]

SCHEMA: Final[Schema[bytes, Mode]] = Schema(metadata=Modes(), hash=SHA1(), format=GitFormat())
AUTHOR: Final = "git-kv <git-kv@irminpy>"
MESSAGE: Final = "Committed by git-kv"

_LEAST_GARBAGE: Final = 1000  # objects, below which nothing is cleared

OnPushError: TypeAlias = Literal["keep", "rollback"]


@dataclass(frozen=True, slots=True)
class Clean:
    """The commit that is read."""

    hash: Hash


@dataclass(frozen=True, slots=True)
class Dirty:
    """The commit that a change began with."""

    hash: Hash


class GitKv(Writing):
    """A branch of a repository of Git as keys and values, in memory. Threads may share it.

    Made by `connect` and `of_octets`. Every write is one commit and one push of all that is not pushed yet.
    """

    def __init__(
        self,
        remote: Carrier,
        branch: str,
        clock: Callable[[], float],
        author: str,
        on_push_error: OnPushError,
    ) -> None:
        if on_push_error not in ("keep", "rollback"):
            raise DecodeError("on_push_error", f'{on_push_error!r:.80}: use "keep" or "rollback"')
        remote.require(SCHEMA)
        self._remote = remote
        self._branch = branch
        self._clock = clock
        self._author = author
        self._keeps = on_push_error == "keep"
        self._lock = threading.RLock()
        self._changing = threading.Lock()
        self._changer: int | None = None
        self._state = (_memory(clock), Held(None, None))
        self._live = self._garbage = 0

    def __repr__(self) -> str:
        return f"<GitKv {self._remote.name}#{self._branch}>"

    @property
    def _repo(self) -> Repo[bytes, Mode]:
        return self._state[0]

    @property
    def _held(self) -> Held:
        return self._state[1]

    # -- where it is -----------------------------------------------------------------------------------------

    @property
    def branch(self) -> str:
        """The branch of the remote."""
        return self._branch

    @property
    def commit(self) -> Clean | Dirty | None:
        """The commit that is read; None before the first."""
        head = self._held.head
        return None if head is None else Clean(head.hash)

    @property
    def remote_head(self) -> Hash | None:
        """Where the remote's branch was when it was last heard of; None if it was not there."""
        remote = self._held.remote
        return None if remote is None else remote.hash

    @property
    def pending(self) -> list[Commit[bytes, Mode]]:
        """The commits that are not pushed, the newest first."""
        with self._lock:
            return list(pending(self._repo, self._held).values())

    def close(self) -> None:
        """Let go of memory. Nothing is pushed; `to_octets` keeps what is not."""
        self._repo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- reading ---------------------------------------------------------------------------------------------

    def _now(self) -> tuple[Repo[bytes, Mode], Trees | None]:
        repo, now = self._state
        return repo, None if now.head is None else now.head.tree()

    def _time(self) -> int | None:
        head = self._held.head
        return None if head is None else head.info.date

    # -- writing ---------------------------------------------------------------------------------------------

    def _update(self, build: Callable[[Trees | None], Trees]) -> None:
        """One commit of what `build` makes of the tree, pushed; nothing if that is the tree."""
        with self._lock:
            head = self._held.head
            before = None if head is None else head.tree()
            self._write(before, build(before), None, None)

    def _write(self, before: Trees | None, after: Trees, author: str | None, message: str | None) -> None:
        old = self._held
        made = old.head
        if before == after or (before is None and after.is_empty()):
            if made is None or made == old.remote:
                return
            # Nothing changes, but what was kept is to be at the remote when a write has returned.
        else:
            parents = () if made is None else (made,)
            date = int(self._clock())
            info = Info(
                date, self._author if author is None else author, MESSAGE if message is None else message
            )
            made = self._repo.commit_tree(after, info=info, parents=parents)
        try:
            self._send(Held(made, old.remote), force=False)
        except RemoteError as cause:
            if not self._keeps:
                raise
            self._state = (self._repo, Held(made, old.remote))
            raise NotPushed(cause.remote, cause.reason) from cause

    def _send(self, new: Held, *, force: bool) -> None:
        """Push the head of `new`, and only then take it for the own."""
        if new.head is None:
            return
        floor = [] if new.remote is None else [new.remote.hash]
        reader = self._repo._opened.trail()
        objects = export(reader, SCHEMA, [new.head.hash], floor, None).objects
        for hash_ in floor:
            objects.commits.pop(hash_, None)
        test = ANY if force else (None if new.remote is None else new.remote.hash)
        self._remote.take(objects, [RefUpdate(self._branch, new.head.hash, test)])
        self._state = (self._repo, Held(new.head, new.head))
        self._garbage += len(objects)
        self._clear()

    def push(self, *, force: bool = False) -> bool:
        """Push what is not pushed yet; whether there was anything. Raises PushRejected, RemoteError.

        `force`: the branch of the remote is moved wherever it was, and what others pushed there may be lost.
        """
        with self._lock:
            now = self._held
            if now.head is None or (now.head == now.remote and not force):
                return False
            self._send(now, force=force)
            return True

    def change_and_push(
        self, f: Callable[[Batch], T], *, author: str | None = None, message: str | None = None
    ) -> T:
        """What `f` gives. All that it writes to the batch it is given becomes one commit, and is pushed once.

        Nobody else sees anything of it before. An exception drops all of it, and so does `Batch.abort`. Changes wait
        for each other; NestedChange within one. Modified, and nothing was written, if the store moved meanwhile by
        a plain write or a pull.
        """
        me = threading.get_ident()
        if self._changer == me:
            raise NestedChange
        with self._changing:
            self._changer = me
            try:
                return self._change(f, author, message)
            finally:
                self._changer = None

    def _change(self, f: Callable[[Batch], T], author: str | None, message: str | None) -> T:
        repo, (start, _) = self._state
        before = None if start is None else start.tree()
        batch = Batch(repo, start, before, int(self._clock()))
        try:
            result = f(batch)
        finally:
            batch._over = True
        if batch._aborted or batch._tree is None:
            return result
        with self._lock:
            if self._held.head != start:
                raise Modified
            self._write(before, batch._tree, author, message)
        return result

    # -- the remote ------------------------------------------------------------------------------------------

    def pull(
        self,
        *,
        include_directories: bool = False,
        on_conflict: OnConflict[bytes, Mode] | None = None,
    ) -> Changes:
        """Take over what the remote has; what that changed here, in the order of the keys.

        What is not pushed stays: the remote's is fast-forwarded over, or merged with it as
        `Store.merge_with_commit` does, which is to be pushed then. `include_directories`: also the directories in
        which anything changed. Raises RemoteError, also if the branch is not there any more; MergeConflict, unless
        `on_conflict` settles it; Diverged if the remote no longer leads to what the writes are on top of. Then
        nothing has changed.
        """
        with self._lock:
            old = self._held
            new = self._pulled(old, on_conflict)
            self._state = (self._repo, new)
            before, after = (None if held.head is None else held.head.tree() for held in (old, new))
            found = changes(before, after, self._repo.empty_tree(), directories=include_directories)
            self._clear()
            return found

    def _pulled(self, old: Held, on_conflict: OnConflict[bytes, Mode] | None) -> Held:
        repo = self._repo
        store = repo.branch("head")
        unpushed = old.head != old.remote
        # What is here is told by refs.
        store.set_head(old.head)
        repo.branch("remote").set_head(old.remote)
        got = sync.fetch(store, self._remote, branch=self._branch, depth=None if unpushed else 0)
        self._garbage += got.sent.objects
        theirs = got.head
        if theirs is None:
            if old.remote is not None:
                reason = f"it has no branch {self._branch!r} any more; push(force=True) makes it anew"
                raise RemoteError(self._remote.name, reason)
            return old
        if not unpushed or old.head is None:
            return Held(theirs, theirs)
        try:
            bases = lcas(lambda hash: repo._opened.get(hash, "the history"), old.head.hash, theirs.hash)
        except DanglingHash:
            bases = []
        if not bases:
            raise Diverged(
                f"{self._remote.name} leads no longer to what is not pushed; push with force, or start anew"
            )
        info = Info(int(self._clock()), self._author, f"Merge {self._branch} of {self._remote.name}")
        store.merge_with_commit(theirs, info=info, on_conflict=on_conflict)
        return Held(store.head(), theirs)

    def to_octets(self, level: int = 4) -> bytes:
        """All that `of_octets` needs, as one pack of Git: the head with its tree, and what is not pushed.

        `level` is that of zlib, 0 to 9. Cost: a read of each object.
        """
        if not 0 <= level <= 9:
            raise DecodeError("level", f"{level} is not from 0 to 9")
        with self._lock:
            return pack_of(self._repo, self._held, level)

    # -- memory ----------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        """Drop objects that are not needed any more, where they are as many as those that are."""
        if self._garbage < max(_LEAST_GARBAGE, self._live) or self._held.head is None:
            return
        if self._changer is not None:
            return  # a change may read what only an older head has
        self._take_over(held(self._repo, self._held), self._held.head.hash, self.remote_head)

    def _take_over(self, kept: Slice, head: Hash, remote: Hash | None) -> None:
        repo = _memory(self._clock)
        repo.import_(kept, shallow=True)
        self._state = (repo, Held(repo.commit(head), None if remote is None else repo.commit(remote)))
        self._live, self._garbage = len(kept), 0

    def _restore(self, data: bytes | Iterable[bytes]) -> None:
        state: State = read_state(self._repo, data)
        if state.head is not None:
            try:
                self._take_over(state.slice, state.head, state.remote)
            except DanglingHash as cause:
                raise DecodeError("state of a git-kv store", str(cause)) from cause


class Batch(Writing):
    """What a change reads and writes; over when its function has ended."""

    def __init__(
        self, repo: Repo[bytes, Mode], start: Commit[bytes, Mode] | None, tree: Trees | None, now: int
    ) -> None:
        self._repo = repo
        self._start = start
        self._tree = tree
        self._date = now if start is None else start.info.date
        self._over = False
        self._aborted = False

    @property
    def commit(self) -> Dirty | None:
        """The commit that the change began with."""
        return None if self._start is None else Dirty(self._start.hash)

    def abort(self) -> None:
        """Have nothing of the change committed; it goes on."""
        self._aborted = True

    def change_and_push(self, f: Callable[[Batch], object], **how: object) -> None:
        """NestedChange: there are no changes within changes."""
        raise NestedChange

    def _now(self) -> tuple[Repo[bytes, Mode], Trees | None]:
        if self._over:
            raise Closed("the change")
        return self._repo, self._tree

    def _time(self) -> int | None:
        return self._date

    def _update(self, build: Callable[[Trees | None], Trees]) -> None:
        if self._over:
            raise Closed("the change")
        self._tree = build(self._tree)


def _memory(clock: Callable[[], float]) -> Repo[bytes, Mode]:
    return irminpy.open("mem:", SCHEMA, clock=clock)


def _made(
    remote: str | Carrier,
    transport: Transport | None,
    clock: Callable[[], float],
    author: str,
    on_push_error: OnPushError,
) -> GitKv:
    branch = "main"
    if isinstance(remote, str):
        url, _, name = remote.partition("#")
        if name and "#" not in name:
            remote, branch = url, name
        remote = GitRemote(remote, transport)
    return GitKv(remote, branch, clock, author, on_push_error)


def connect(
    url: str | Carrier,
    *,
    transport: Transport | None = None,
    clock: Callable[[], float] = time.time,
    author: str = AUTHOR,
    on_push_error: OnPushError = "keep",
) -> GitKv:
    """A store that mirrors the branch of the remote at `url`, which ends with "#BRANCH" if it is not main.

    Only the newest commit is fetched. A remote without the branch is an empty store; the first write makes the branch.
    `clock` gives the seconds since 1970 for commits. `on_push_error`: what becomes of a write when the remote cannot be
    reached: "keep" keeps it as not pushed, "rollback" drops it; either way it raises. Raises RemoteError,
    DecodeError for a URL that is none, SchemaMismatch for a remote whose hashes are not SHA-1.
    """
    made = _made(url, transport, clock, author, on_push_error)
    try:
        made.pull()
    except BaseException:
        made.close()
        raise
    return made


def of_octets(
    data: bytes | Iterable[bytes],
    *,
    remote: str | Carrier,
    transport: Transport | None = None,
    clock: Callable[[], float] = time.time,
    author: str = AUTHOR,
    on_push_error: OnPushError = "keep",
) -> GitKv:
    """The store whose `to_octets` gave `data`, whole or in pieces of any size; the rest as of `connect`.

    Nothing is asked of the remote: `pull` does that. DecodeError for `data` that is no such state.
    """
    made = _made(remote, transport, clock, author, on_push_error)
    try:
        made._restore(data)
    except BaseException:
        made.close()
        raise
    return made
