"""All objects of a repository in one pack, as small as `git repack -adf` makes it, without losing any.

Objects that nothing leads to are kept too: what is garbage is for `git gc` to say. Other processes may read and write
meanwhile; what they write stays where it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from irminpy.errors import DanglingHash, InvalidHash, NotAStore

from .deltas import Effort, Entry, deltas
from .files import typed
from .idx import Idx, mapped
from .kinds import Type
from .repository import find
from .store import ObjectStore
from .unpacking import Verified, verify_pack

__all__ = ["Repacked", "entries_of", "repack", "verify"]

_KEPT: Final = (".keep", ".promisor", ".mtimes")
_PARTS: Final = (".idx", ".rev", ".bitmap", ".pack")  # without its index a pack is not there
_TRIES: Final = 4
_DATE: Final = re.compile(rb"\ncommitter [^\n]*> (-?[0-9]+) ")
_TREE: Final = re.compile(rb"\Atree ([0-9a-f]+)\n")


@dataclass(frozen=True, slots=True)
class Repacked:
    """What `repack` did."""

    objects: int
    """Objects in the new pack."""
    deltas: int
    """Those of them that are differences."""
    size: int
    """Bytes of the new pack."""
    packs: int
    """Packs that are gone, since all they held is in the new one."""
    loose: int
    """Loose objects that are gone for the same reason."""


def _own(store: ObjectStore) -> tuple[list[str], list[bytes], list[bytes]]:
    """(indexes of packs that may go, ids in them, ids of loose objects)."""
    names: list[str] = []
    packed = dict[bytes, None]()
    for name in store.packs():
        stem = os.path.join(store.objects, "pack", name[:-4])
        if not any(os.path.exists(stem + end) for end in _KEPT):
            names.append(name)
            packed.update(dict.fromkeys(Idx(stem + ".idx", mapped(stem + ".idx"), store.size).ids()))
    return names, list(packed), list(store.loose.ids())


def entries_of(store: ObjectStore, ids: list[bytes]) -> list[Entry]:
    """What goes into a pack of `ids`, in Git's order: tags, commits from the newest, trees and blobs as they are met.

    Each has the path at which a walk from the commits meets it first. Cost: each object is read once. DanglingHash
    for an id that is not here.
    """
    kinds: dict[bytes, Type] = {}
    lengths: dict[bytes, int] = {}
    roots: list[tuple[int, bytes, bytes]] = []
    trees: dict[bytes, list[tuple[bytes, bytes, bytes]]] = {}
    row = re.compile(rb"([0-7]+) ([^\0]+)\0(.{%d})" % store.size, re.DOTALL)
    for id in ids:
        found = store.body(id)
        if found is None:
            raise DanglingHash("repack", id)
        kind, body = found
        kinds[id], lengths[id] = kind, len(body)
        if kind is Type.COMMIT:
            date, tree = _DATE.search(body), _TREE.match(body)
            root = (
                bytes.fromhex(tree[1].decode())
                if tree is not None and len(tree[1]) == 2 * store.size
                else b""
            )
            roots.append((-int(date[1]) if date is not None else 0, id, root))
        elif kind is Type.TREE:
            trees[id] = row.findall(body)
    roots.sort()
    names: dict[bytes, bytes] = {}
    for _, _, root in roots:
        stack = [(root, b"")]
        while stack:
            id, path = stack.pop()
            if id in names or id not in kinds:
                continue
            names[id] = path
            for _, name, child in reversed(trees.get(id, ())):
                stack.append((child, path + b"/" + name if path else name))
    order = [id for id in ids if kinds[id] is Type.TAG] + [id for _, id, _ in roots]
    met = [id for id in names if kinds[id] in (Type.TREE, Type.BLOB)]
    rest = [id for id in ids if id not in names and kinds[id] in (Type.TREE, Type.BLOB)]
    for kind in (Type.TREE, Type.BLOB):
        order += [id for id in (*met, *rest) if kinds[id] is kind]
    return [Entry(id, kinds[id], lengths[id], names.get(id)) for id in order]


def repack(
    path: str,
    *,
    window: int = 10,
    depth: int = 50,
    memory: bool | int | None = None,
    effort: Effort | str = Effort.BLOCK,
    level: int = 6,
    tagger: Callable[[Entry], bool] | None = None,
) -> Repacked:
    """Put all objects of the repository at `path` into one new pack, and remove what they were in before.

    The parameters are those of `deltas`, and the level of zlib. Packs with a `.keep` file stay. Objects that are
    borrowed are left where they are. NotAStore if there is no repository, Corrupted for an object that cannot be read;
    then nothing is removed.
    """
    at = os.path.abspath(path)
    with typed(at):
        repository = find(at)
        if repository is None:
            raise NotAStore(at, "there is no repository of Git")
        own = ObjectStore(
            repository.objects, repository.algorithm, repository.size, level=level, alternates=False
        )
        for attempt in range(_TRIES):
            names, packed_ids, loose_ids = _own(own)
            ids = list(dict.fromkeys((*packed_ids, *loose_ids)))
            if not ids:
                break
            try:
                entries = entries_of(own, ids)
                results = deltas(entries, own.body_of, tagger, window, depth, memory, effort=effort)
                packed = own.write_pack(results, own.body_of)
            except (DanglingHash, InvalidHash):
                # Somebody else prunes: what is gone now was garbage. The rest is listed anew.
                if attempt == _TRIES - 1:
                    raise
                continue
            gone = [name for name in names if name != packed.name + ".idx"]
            _remove(own, gone, loose_ids)
            return Repacked(len(entries), packed.deltas, packed.size, len(gone), len(loose_ids))
        return Repacked(0, 0, 0, 0, 0)


def _remove(own: ObjectStore, packs: list[str], loose: list[bytes]) -> None:
    """Remove what is in the new pack."""
    folder = os.path.join(own.objects, "pack")
    if packs:
        # It may name what goes now.
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, "multi-pack-index"))
    for name in packs:
        for end in _PARTS:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name[:-4] + end))
    for id in loose:
        own.loose.remove(id)


def verify(path: str, *, algorithm: str = "sha1") -> Verified:
    """Check the pack whose index is `path`, as `git verify-pack` does. Raises Corrupted, UnsupportedVersion."""
    with typed(path):
        size = 20 if algorithm == "sha1" else 32
        idx = Idx(path, mapped(path), size)
        pack = path.removesuffix(".idx") + ".pack"
        return verify_pack(pack, mapped(pack), idx, algorithm=algorithm)
