"""What a commit has to write: the objects of a tree that its repository does not hold yet.

Children come before the nodes that point at them. Parts that the repository itself gave are trusted and not
read; parts of another repository are accepted only where this one holds the same object.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..errors import PrunedHash, StorageError
from ..hash import Hash
from ..objects import DIRECTORY, Inode, Kind, Node, Objects
from .lazy import Leaf, Pool, Pruned, RepoSource, Source, Stored

__all__ = ["gather", "save"]


def gather(root: Stored | Leaf, target: RepoSource) -> Objects:
    """The objects of `root` that `target` may lack, children first.

    Raises PrunedHash for a part of which only the hash is known, StorageError for one of another repository.
    Cost: no reads, but one look-up by hash per part that came from elsewhere.
    """
    return _Gathering(target).run(root)


def save(root: Stored | Leaf, objects: Objects, target: RepoSource, *, clear: bool) -> Stored | Leaf:
    """`root` as it is read after `objects`, which `gather` gave for it, were written to `target`.

    `clear` drops what is in memory; without it, what was written stays at hand and is read from there.
    """
    source: Source = target
    if not clear:
        own = root.source
        if own is target or (isinstance(own, Pool) and own.saved and own.base_repo() is target):
            return root
        if objects.nodes or objects.contents:
            source = Pool.saved_in(target, objects, own.base() if isinstance(own, Pool) else None)
    return _moved(root, source)


def _moved(root: Stored | Leaf, source: Source) -> Stored | Leaf:
    if type(root) is Leaf:
        return Leaf(source, root.hash, None, root.metadata)
    return Stored(root.hash, source)


class _Gathering:
    """One run of `gather`: a walk with its own stack, each task pushed below the tasks that must precede it."""

    __slots__ = ("objects", "stack", "target")

    def __init__(self, target: RepoSource) -> None:
        self.target = target
        self.objects = Objects()
        self.stack: list[Callable[[], None]] = []

    def run(self, root: Stored | Leaf) -> Objects:
        """Walk from `root`."""
        if type(root) is Stored and isinstance(root.source, Pool) and self._whole(root):
            pool = root.source
            if pool.whole is not None and not pool.whole[1] and root.hash != pool.codec.empty:
                return Objects(pool.objects.contents, pool.objects.nodes)  # not copied: nobody changes them
        stack = self.stack
        self._push(root)
        while stack:
            stack.pop()()
        return self.objects

    def _push(self, part: Stored | Leaf) -> None:
        self.stack.append(partial(self._leaf if type(part) is Leaf else self._directory, part))  # type: ignore[arg-type]

    def _directory(self, part: Stored) -> None:
        source = part.source
        if not isinstance(source, Pool):
            if source is not self.target:
                self._elsewhere(Kind.NODE, part.hash, source)
            return
        codec = source.codec
        if part.hash == codec.empty:
            self.objects.nodes[part.hash] = codec.encode_node([], b"", b"", [])
            return
        if self._whole(part):
            assert source.whole is not None
            # All of the pool belongs to this directory: no need to look at it piece by piece.
            self.stack.append(partial(self.objects.update, source.objects))
            for child in source.whole[1]:
                self._push(child)
            return
        self._node(part, part.hash)

    def _whole(self, part: Stored) -> bool:
        """True if the pool of `part` holds nothing but what `part` needs, and lacks only what the target holds."""
        whole = part.source.whole if isinstance(part.source, Pool) else None
        return whole is not None and whole[0] == part.hash and whole[2] in (None, self.target)

    def _node(self, part: Stored, hash_: bytes) -> None:
        """Node `hash_` of the directory `part`, which reads from a pool."""
        pool = part.source
        assert isinstance(pool, Pool)
        if hash_ in self.objects.nodes:
            return
        data = pool.unsaved(Kind.NODE, hash_)
        if data is None:
            self._behind(Kind.NODE, hash_, pool)
            return
        self.stack.append(partial(self.objects.nodes.__setitem__, hash_, data))
        record = pool.decode_node(hash_, data)
        if type(record) is Inode:
            self.stack.extend(partial(self._node, part, child) for child in record.children())
            return
        assert type(record) is Node
        end = 1 + pool.codec.hash_size
        for step, entry in record.entries():
            pinned = None if part.pins is None else part.pins.get(step)
            if pinned is not None:
                self._push(pinned)
            elif entry[0] == DIRECTORY:
                self._push(Stored(entry[1:end], pool))
            else:
                self._value(entry[1:end], pool)

    def _leaf(self, leaf: Leaf) -> None:
        source = leaf.source
        if leaf.in_hand is not None and not source.saved:
            self.objects.contents[leaf.hash] = source.codec.encode_contents([leaf.in_hand])[0]
        elif isinstance(source, Pool):
            self._value(leaf.hash, source)
        elif source is not self.target:
            self._elsewhere(Kind.CONTENTS, leaf.hash, source)

    def _value(self, hash_: bytes, pool: Pool) -> None:
        data = pool.unsaved(Kind.CONTENTS, hash_)
        if data is None:
            self._behind(Kind.CONTENTS, hash_, pool)
        else:
            self.objects.contents[hash_] = data

    def _behind(self, kind: Kind, hash_: bytes, pool: Pool) -> None:
        """An object that no unsaved pool holds."""
        base = pool.base()
        if base is None or not self._ours(base):
            self._elsewhere(kind, hash_, base)

    def _ours(self, base: Source | None) -> bool:
        """True if what is read from `base` is in the target, or there is nothing to read."""
        return (
            base is None
            or base is self.target
            or (isinstance(base, Pool) and base.saved and base.base_repo() is self.target)
        )

    def _elsewhere(self, kind: Kind, hash_: bytes, source: Source | None) -> None:
        """An object of another repository, or of none."""
        if isinstance(source, Pruned):
            raise PrunedHash("a part of the tree that is to be written", Hash(hash_))
        if isinstance(source, Pool) and source.base_repo() is self.target:
            return
        if kind is Kind.NODE:
            self.target.counters.node_mem += 1
        else:
            self.target.counters.contents_mem += 1
        if not self.target.holds(kind, hash_):
            raise StorageError(
                f"the tree holds {'a directory' if kind is Kind.NODE else 'contents'} of another repository "
                f"({Hash(hash_).short()}): copy it there first, by a sync or a slice, or as a concrete tree"
            )
