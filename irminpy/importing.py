"""Importing: the branches of one store, with their whole history, become branches of another of the same schema.

A transfer as in `irminpy.sync`, from any backend into any other, with every hash unchanged. What differs from a fetch:
the source may be a store whose history ends because garbage was collected, and then ends in the copy as well; no branch
that is there is lost; and it can be tried without writing anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from . import branch as branches_
from .backend import RefUpdate, Shallow
from .errors import DanglingHash, NotFound, Rejected
from .hash import Hash
from .history import lcas
from .objects import Kind, Objects
from .remote import Local, Receiver
from .repo import Repo
from .transfer import Advance, Bounds, Sent, Transfer

__all__ = ["Imported", "import_branches"]

_FAR: Final = 1 << 40
"""Parents away: further than any history goes."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do."""

    dry_run: bool
    """Whether nothing was done."""
    schema: str
    branches: dict[str, Hash]
    """The branches here, each with the head it has now."""
    moved: tuple[str, ...]
    """Those of them that were made or moved."""
    sent: Sent
    """What the store lacked."""
    ends: tuple[Hash, ...]
    """Commits that are not here, as they are not there: garbage collection has cut the history off before them."""

    def to_json(self) -> dict[str, Any]:
        """All fields, hashes in hexadecimal digits."""
        sent = self.sent
        return {
            "dry_run": self.dry_run,
            "schema": self.schema,
            "branches": {name: head.hex() for name, head in self.branches.items()},
            "moved": list(self.moved),
            "commits": sent.commits,
            "nodes": sent.nodes,
            "contents": sent.contents,
            "bytes": sent.bytes,
            "ends": [commit.hex() for commit in self.ends],
        }

    def __str__(self) -> str:
        sent = self.sent
        verb = "would import" if self.dry_run else "imported"
        lines = [
            f"{verb} {sent.objects:,} objects ({sent.commits:,} commits, {sent.nodes:,} nodes, "
            f"{sent.contents:,} contents) in {sent.bytes:,} bytes; schema {self.schema}"
        ]
        lines += [
            f"{name} {head.hex()}{'' if name in self.moved else ' (as before)'}"
            for name, head in self.branches.items()
        ]
        lines += [f"history ends before {commit.hex()}, which was collected" for commit in self.ends]
        return "\n".join(lines)


@dataclass(slots=True)
class _Source:
    """A sender whose history may end where its store says that it was cut off, and nowhere else."""

    inner: Local
    shallow: Shallow | None
    sent: Sent | None = None
    advance: Advance | None = None
    ends: set[Hash] = field(default_factory=set[Hash])

    @property
    def name(self) -> str:
        """As `Sender.name`."""
        return self.inner.name

    def history(self, starts: Sequence[Hash], n: int, size: int, /) -> list[bytes | None]:
        """As `Sender.history`; DanglingHash for a commit that is missing without having been cut off."""
        answer = self.inner.history(starts, n, size)
        for hash_, data in zip(starts, answer, strict=False):
            if data is None:
                if self.shallow is None or hash_ not in self.shallow.shallow():
                    raise DanglingHash(f"the history of {self.name}", hash_)
                self.ends.add(hash_)
        self._tell()
        return answer

    def objects(self, kind: Kind, hashes: Sequence[Hash], size: int, /) -> list[bytes | None]:
        """As `Sender.objects`."""
        self._tell()
        return self.inner.objects(kind, hashes, size)

    def _tell(self) -> None:
        if self.advance is not None and self.sent is not None:
            self.advance(self.sent)


@dataclass(slots=True)
class _Pretended:
    """A receiver that takes everything, and keeps nothing but hashes."""

    inner: Local | None
    """Who is asked what lacks; None: a store that would be made."""
    name: str = "the repository"
    had: set[tuple[Kind, bytes]] = field(default_factory=set[tuple[Kind, bytes]])

    def lacks(self, kind: Kind, hashes: Sequence[Hash], /) -> list[bool]:
        """As `Receiver.lacks`."""
        known = [True] * len(hashes) if self.inner is None else self.inner.lacks(kind, hashes)
        return [
            lack and (kind, bytes(hash_)) not in self.had for lack, hash_ in zip(known, hashes, strict=True)
        ]

    def receive(
        self, objects: Objects, updates: Sequence[RefUpdate] = (), /, *, shallow: bool = False
    ) -> bool:
        """As `Receiver.receive`, but that nothing is checked or written."""
        for kind in Kind:
            self.had.update((kind, hash_) for hash_ in objects.of_kind(kind))
        return True


def import_branches(
    repo: Repo[Any, Any] | None,
    source: Repo[Any, Any],
    *,
    branches: Iterable[str] | None = None,
    prefix: str = "",
    force: bool = False,
    dry_run: bool = False,
    advance: Advance | None = None,
    bounds: Bounds | None = None,
) -> Imported:
    """Copy `branches` of `source` (None: all), with their whole history, into `repo`, with `prefix` before their names.

    All branches move at the end, at once. One that is here moves forward only, else Rejected, unless `force`. With
    `dry_run` nothing is written, and what would be is told; then `repo` may be None, for a store that is not there yet.

    Raises SchemaMismatch, NotFound for a branch that `source` has not, DanglingHash or Corrupted for a damaged source;
    then no branch has moved. Cost: one read for each object that lacks here, and a look-up for those they lead to.
    """
    if repo is None and not dry_run:
        raise TypeError("an import without a repository can only be a dry run")
    if repo is not None:
        repo.schema.require(source.schema)
    heads = _heads(source, branches)
    named = {branches_.check(prefix + name): head for name, head in heads.items()}
    before = {} if repo is None else repo._opened.backend.refs()
    theirs = source._opened.backend
    shallow = theirs if isinstance(theirs, Shallow) else None
    sender = _Source(Local(source._opened, "the store that is imported"), shallow, advance=advance)
    local = None if repo is None else Local(repo._opened)
    receiver: Receiver = local if local is not None and not dry_run else _Pretended(local)
    moved = [name for name, head in named.items() if before.get(name) != head]
    if not force:
        for name in moved:
            if name in before:
                _forward(source, name, before[name], named[name])
    transfer = Transfer(source.schema.codec, sender, receiver, bounds or Bounds())
    sender.sent = transfer.sent
    updates = [RefUpdate(name, named[name], before.get(name)) for name in moved]
    sent = transfer.run(list(heads.values()), None if shallow is None else _FAR, updates)
    return Imported(dry_run, source.schema.describe(), named, tuple(moved), sent, tuple(sorted(sender.ends)))


def _heads(source: Repo[Any, Any], branches: Iterable[str] | None) -> dict[str, Hash]:
    there = source._opened.backend.refs()
    if branches is None:
        return there
    for name in (wanted := list(branches)):
        if name not in there:
            raise NotFound("branch", name)
    return {name: there[name] for name in wanted}


def _forward(source: Repo[Any, Any], name: str, before: Hash, head: Hash) -> None:
    """Raise Rejected unless `head` is a descendant of `before`."""
    main = source.detached(source.commit(head))
    if source.find_commit(before) is None or lcas(main._past(), before, head) != [before]:
        raise Rejected(
            f"the branch {name} has commits that would be lost ({before.short()}); import it under another name, with "
            "a prefix, and merge, or force it"
        )
