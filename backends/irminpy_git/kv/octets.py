"""The state of a key-value store as bytes: one pack of Git (docs/formats/git-kv.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from irminpy import Commit, Repo
from irminpy.backend import Reader
from irminpy.commit import Opened
from irminpy.errors import Corrupted, DanglingHash, DecodeError
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.metadata import Mode
from irminpy.objects import Kind, Objects
from irminpy.slice import Slice, export

from ..bundle import TYPES, packed
from ..kinds import Type, id_of
from ..unpacking import LARGEST, index_pack

__all__ = ["MOST", "Held", "State", "held", "pack_of", "read_state"]

Store = Repo[bytes, Mode]

MOST: Final = 2 << 30
"""The most bytes of all objects of a state."""

_FAR: Final = 1 << 30
_KINDS: Final = {type_: kind for kind, type_ in TYPES.items()}
_TAG: Final = re.compile(rb"object ([0-9a-f]{40})\ntype commit\ntag (git-kv-remote|git-kv-unpushed)\n")


class Held(NamedTuple):
    """What a store knows: where it is, and where the remote was when it was last heard of."""

    head: Commit[bytes, Mode] | None
    remote: Commit[bytes, Mode] | None


class _Only:
    """A reader of those commits alone, and of all else."""

    def __init__(self, reader: Reader, commits: set[Hash]) -> None:
        self._reader = reader
        self._commits = commits

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        if kind is Kind.COMMIT and hash_of_key(key) not in self._commits:
            return None
        return self._reader.read(kind, key)

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        return [self.read(kind, key) for key in keys]


def _behind(repo: Store, commit: Commit[bytes, Mode] | None) -> dict[Hash, Commit[bytes, Mode]]:
    """The commit and those behind it, as far as they are here."""
    found: dict[Hash, Commit[bytes, Mode]] = {}
    stack = [commit]
    while stack:
        one = stack.pop()
        if one is not None and one.hash not in found:
            found[one.hash] = one
            stack += map(repo.find_commit, one.parents)
    return found


def pending(repo: Store, held: Held) -> dict[Hash, Commit[bytes, Mode]]:
    """The commits that the remote has not, as far as is known."""
    known = _behind(repo, held.remote)
    return {hash_: commit for hash_, commit in _behind(repo, held.head).items() if hash_ not in known}


def held(repo: Store, held: Held) -> Slice:
    """What is needed to go on without the remote: what is not pushed, and the commit that it is on top of."""
    unpushed = pending(repo, held)
    keep = set(unpushed)
    if held.remote is not None:
        below = {parent for commit in unpushed.values() for parent in commit.parents} - keep
        # After a merge the way from the older base to the newer one tells which of them is the common ancestor.
        keep |= {held.remote.hash} if below <= {held.remote.hash} else set(_behind(repo, held.remote))
    heads = [commit.hash for commit in held if commit is not None]
    opened: Opened[bytes, Mode] = repo._opened
    return export(_Only(opened.trail(), keep), repo.schema, heads, (), _FAR)


def pack_of(repo: Store, state: Held, level: int) -> bytes:
    """The pack of what is held. A tag says where the remote is, if that is not the head."""
    tags: list[tuple[bytes, bytes]] = []
    if state.head is not None and state.head != state.remote:
        at, name = (state.remote, "remote") if state.remote is not None else (state.head, "unpushed")
        body = b"object %b\ntype commit\ntag git-kv-%b\ntagger git-kv <git-kv> 0 +0000\n\n" % (
            at.hash.hex().encode(),
            name.encode(),
        )
        tags.append((id_of(Type.TAG, body), body))
    objects = Objects() if state.head is None else held(repo, state).objects
    return b"".join(packed(objects, "sha1", level=level, tags=tags))


class State(NamedTuple):
    """A state that was read: its objects, and what is held of them."""

    slice: Slice
    head: Hash | None
    remote: Hash | None


class _Table:
    """The objects of a pack as a reader."""

    def __init__(self) -> None:
        self.objects = Objects()
        self.tags: list[bytes] = []

    def add(self, kind: Type, id: bytes, body: bytes) -> None:
        if kind is Type.TAG:
            self.tags.append(body)
        else:
            self.objects.of_kind(_KINDS[kind])[id] = b"%b %d\0%b" % (kind.word, len(body), body)

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        return self.objects.of_kind(kind).get(hash_of_key(key))

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        return [self.read(kind, key) for key in keys]


def read_state(repo: Store, data: bytes | Iterable[bytes]) -> State:
    """The state with the bytes `data`, or with the pieces. DecodeError for whatever is none."""
    whole = bytes(data) if isinstance(data, bytes | bytearray | memoryview) else b"".join(data)
    table = _Table()
    try:
        index_pack("the state", whole, largest=LARGEST, budget=MOST, visit=table.add)
        codec = repo.schema.codec
        commits = {Hash(id): codec.decode_commit(data) for id, data in table.objects.commits.items()}
        parents = {parent for commit in commits.values() for parent in commit.parents}
        tips = [hash_ for hash_ in commits if hash_ not in parents]
        if not commits:
            if len(table.objects) or table.tags:
                raise _wrong("it has objects and no commit")
            return State(Slice.empty(repo.schema), None, None)
        remote, tips = _remote(table.tags, commits.keys(), tips)
        if len(tips) != 1:
            raise _wrong(f"it has {len(tips)} commits that none is on top of, and not one")
        heads = [tips[0]] if remote is None else [tips[0], remote]
        return State(export(table, repo.schema, heads, (), _FAR), tips[0], remote)
    except (Corrupted, DanglingHash) as cause:
        raise _wrong(str(cause)) from cause


def _remote(
    tags: Sequence[bytes], commits: Iterable[Hash], tips: list[Hash]
) -> tuple[Hash | None, list[Hash]]:
    """Where the remote is, and the commits that may be the head."""
    if not tags:
        # As the key-value store of OCaml writes it, and this one if all is pushed.
        if len(list(commits)) != 1:
            raise _wrong("it does not say which of its commits the remote has")
        return tips[0], tips
    found = _TAG.match(tags[0])
    if len(tags) != 1 or found is None:
        raise _wrong("it has tags that say nothing about the remote")
    if found[2] == b"git-kv-unpushed":
        return None, tips
    remote = Hash.of_hex(found[1].decode())
    if remote not in set(commits):
        raise _wrong("it does not have the commit that the remote has")
    return remote, [tip for tip in tips if tip != remote] or tips


def _wrong(reason: str) -> DecodeError:
    return DecodeError("state of a git-kv store", reason)
