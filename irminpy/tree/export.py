"""What a commit has to write: the objects of a tree that its repository does not hold yet.

Children come before the nodes that point at them. Parts that the repository itself gave are trusted and not
read; parts of another repository are accepted only where this one holds the same object. Parts that were read
before objects of the repository moved are found where they are now, or else written again with all below them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..errors import DanglingHash, PortableValue, PrunedHash, StorageError
from ..hash import Hash
from ..objects import DIRECTORY, Inode, Kind, Node, Objects
from .lazy import Leaf, Pool, Pruned, RepoSource, Source, Stored, Whole

__all__ = ["gather", "save"]


def gather(root: Stored | Leaf, target: RepoSource) -> Objects:
    """The objects of `root` that `target` may lack, children first.

    Where the repository has words, with those of all parts that its nodes point at. Raises PrunedHash for a part of
    which only the hash is known or that a proof shows, PortableValue for one that an edited directory of a proof
    points at, StorageError for one of another repository, DanglingHash for one that is gone.
    Cost: no reads, but one look-up by hash per part that came from elsewhere; and one read per object that moved
    and cannot be found by its key or hash.
    """
    whole = _whole(root, target)
    if whole is not None and not whole.parts and root.hash != root.source.codec.empty:
        assert type(root.source) is Pool
        own = root.source.objects
        objects = Objects(own.contents, own.nodes, reader=target.reader)
        whole.put(objects)
        return objects
    return _Gathering(target, Objects(reader=target.reader)).run(root)


def _whole(part: Stored | Leaf, target: RepoSource) -> Whole | None:
    """What the pool of the directory `part` is all of; None if it holds more, or lacks what `target` does not hold."""
    source = part.source
    whole = source.whole if type(source) is Pool else None
    if whole is None or type(part) is Leaf or whole.hash != part.hash:
        return None
    return whole if whole.base is None or whole.base.holder is target else None


def save(root: Stored | Leaf, objects: Objects, target: RepoSource, *, clear: bool) -> Stored | Leaf:
    """`root` as it is read after `objects`, which `gather` gave for it, were written to `target`.

    `clear` drops what is in memory; without it, what was written stays at hand and is read from there.
    """
    source: Source = target
    own = root.source
    if type(own) is Pool:
        if own.nodes:
            target.keep(dict(own.nodes.iter()), objects, [], own=False)
        target.keep(own.made, objects, own.replaced, own=own.base_repo() is target)
    if not clear:
        if own is target or (type(own) is Pool and own.saved and own.base_repo() is target):
            return root
        if objects.nodes or objects.contents:
            source = Pool.saved_in(target, objects, own.base() if type(own) is Pool else None)
    word = objects.words[Kind.CONTENTS if type(root) is Leaf else Kind.NODE].get(root.hash, 0)
    if type(root) is Leaf:
        return Leaf(source, root.hash, None, root.metadata, word)
    return Stored(root.hash, source, word=word)


class _Gathering:
    """One run of `gather`: a walk with its own stack, each task pushed below the tasks that must precede it."""

    __slots__ = ("held", "objects", "stack", "target")

    def __init__(self, target: RepoSource, objects: Objects) -> None:
        self.target = target
        self.objects = objects
        # Parts from before objects moved that were found by their hash.
        self.held: set[tuple[Kind, bytes]] = set()
        self.stack: list[Callable[[], None]] = []

    def run(self, root: Stored | Leaf) -> Objects:
        """Walk from `root`."""
        stack = self.stack
        self._push(root)
        while stack:
            stack.pop()()
        return self.objects

    def _push(self, part: Stored | Leaf) -> None:
        self.stack.append(partial(self._leaf if type(part) is Leaf else self._directory, part))  # type: ignore[arg-type]

    def _directory(self, part: Stored) -> None:
        source = part.source
        if type(source) is not Pool:
            self._stored(Kind.NODE, part.hash, source, part.word)
            return
        codec = source.codec
        if part.hash == codec.empty:
            self.objects.nodes[part.hash] = codec.encode_node([], b"", b"", [])
            return
        whole = _whole(part, self.target)
        if whole is not None:
            # All of the pool belongs to this directory: no need to look at it piece by piece.
            whole.words.put(self.objects)
            self.stack.append(partial(self.objects.update, source.objects))
            for child in whole.parts:
                self._push(child)
            return
        self._node(part, part.hash, part.word)

    def _node(self, part: Stored, hash_: bytes, word: int = 0) -> None:
        """Node `hash_` of the directory `part`, which reads from a pool."""
        pool = part.source
        assert type(pool) is Pool
        if hash_ in self.objects.nodes:
            return
        data = pool.unsaved(Kind.NODE, hash_)
        if data is None:
            self._behind(Kind.NODE, hash_, pool, word)
            return
        self.stack.append(partial(self.objects.nodes.__setitem__, hash_, data))
        record = pool.load_node(hash_, data)
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
        elif type(source) is Pool:
            self._value(leaf.hash, source, leaf.word)
        else:
            self._stored(Kind.CONTENTS, leaf.hash, source, leaf.word)

    def _value(self, hash_: bytes, pool: Pool, word: int = 0) -> None:
        data = pool.unsaved(Kind.CONTENTS, hash_)
        if data is None:
            self._behind(Kind.CONTENTS, hash_, pool, word)
        else:
            self.objects.contents[hash_] = data

    def _behind(self, kind: Kind, hash_: bytes, pool: Pool, word: int) -> None:
        """An object that no unsaved pool holds."""
        repo = pool.base_repo()
        if isinstance(repo, Pruned):
            raise PortableValue("a part of the tree that is to be written", Hash(hash_))
        if repo is not None:
            self._stored(kind, hash_, repo, word or pool.word(kind, hash_))

    def _stored(self, kind: Kind, hash_: bytes, source: Source, word: int) -> None:
        """An object that `source`, which is no pool, holds."""
        target, words = self.target, self.objects.words[kind]
        source = source.holder
        if source is target:
            if word:
                words[hash_] = word
            return
        if isinstance(source, Pruned):
            raise PrunedHash("a part of the tree that is to be written", Hash(hash_))
        older = source if type(source) is RepoSource and source.origin is target.origin else None
        if older is not None and self._again(kind, hash_, older, word):
            return
        if kind is Kind.NODE:
            target.counters.node_mem += 1
        else:
            target.counters.contents_mem += 1
        if target.holds(kind, hash_):
            self.held.add((kind, hash_))
        elif older is not None:
            self._copy(kind, hash_, older, word)
        else:
            raise StorageError(
                f"the tree holds {'a directory' if kind is Kind.NODE else 'contents'} of another repository "
                f"({Hash(hash_).short()}): copy it there first, by a sync or a slice, or as a concrete tree"
            )

    # -- what was read before objects of the target moved ----------------------------------------------------

    def _again(self, kind: Kind, hash_: bytes, source: RepoSource, word: int) -> bool:
        """True if an object of an older `source` was found before, or its key tells where it lies now."""
        objects = self.objects
        if objects.words[kind].get(hash_) or hash_ in objects.of_kind(kind) or (kind, hash_) in self.held:
            return True
        now = self.target.word(source.key(hash_, word)) if word else 0
        if now:
            objects.words[kind][hash_] = now
        return bool(now)

    def _copy(self, kind: Kind, hash_: bytes, source: RepoSource, word: int) -> None:
        """Write an object of an older `source` again, after all that it points at."""
        found = source.fetch(kind, hash_, word)
        if found is None:
            raise DanglingHash("a part of the tree from before objects moved", Hash(hash_))
        data, words = found
        if kind is Kind.CONTENTS:
            self.objects.contents[hash_] = data
            return
        self.stack.append(partial(self.objects.nodes.__setitem__, hash_, data))
        record = source.load_node(hash_, data)
        if words:
            record = record.located(words)
        if type(record) is Inode:
            below = [(Kind.NODE, child) for child in record.children()]
        else:
            assert type(record) is Node
            end = 1 + source.codec.hash_size
            entries = [entry for _, entry in record.entries()]
            below = [(Kind.CONTENTS if entry[0] else Kind.NODE, entry[1:end]) for entry in entries]
        for i, (kind_, child) in enumerate(below):
            self.stack.append(partial(self._stored, kind_, child, source, record.word(i)))
