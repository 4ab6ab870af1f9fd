"""Pools do not grow for ever: what later edits superseded is left behind.

A tree that is edited and hashed again and again, without a commit, gathers objects that no version of it needs any
more. When they may outnumber the rest, the handle moves to a pool of its own that holds what it needs. Other handles
keep the old pool as long as they live.
"""

from __future__ import annotations

from ..objects import DIRECTORY, Inode, Kind, Objects
from .lazy import Pool, Source, Stored
from .words import Words

__all__ = ["swept"]

# Fewer objects than this are not worth a walk.
_FEW = 4096


def swept(root: Stored) -> Stored:
    """`root` itself, or the same directory on a pool without superseded objects if it is time for that.

    Cost: nothing, or a walk over the unsaved objects after their number has doubled since the last one.
    """
    pool = root.source
    if type(pool) is not Pool or pool.saved or pool.whole is not None:
        return root
    total, floor = 0, 0
    source: Source | None = pool
    while type(source) is Pool and not source.saved:
        total += len(source.objects)
        floor = max(floor, source.floor)
        source = source.parent
    if total <= _FEW + 2 * floor:
        return root
    objects = _needed(root, pool)
    fresh = Pool(pool.codec, pool.counters, objects, source, Words(objects.words))
    fresh.floor = len(objects)
    return Stored(root.hash, fresh, None, root.pins)


def _needed(root: Stored, pool: Pool) -> Objects:
    """The unsaved objects that `root` needs, children first."""
    objects = Objects()
    end = 1 + pool.codec.hash_size
    # A node is visited twice: on the way down, and, its children done, on the way up.
    stack: list[tuple[bytes, bytes | None]] = [(root.hash, None)]
    while stack:
        hash_, data = stack.pop()
        if data is not None:
            objects.nodes[hash_] = data
            continue
        data = None if hash_ in objects.nodes else pool.unsaved(Kind.NODE, hash_)
        if data is None:
            word = pool.word(Kind.NODE, hash_) if pool.locates else 0
            if word:
                objects.words[Kind.NODE][hash_] = word
            continue
        stack.append((hash_, data))
        record = pool.load_node(hash_, data)
        if type(record) is Inode:
            stack.extend((child, None) for child in record.children())
            continue
        for _, entry in record.entries():
            if entry[0] == DIRECTORY:
                stack.append((entry[1:end], None))
            else:
                contents = pool.unsaved(Kind.CONTENTS, entry[1:end])
                if contents is not None:
                    objects.contents[entry[1:end]] = contents
                elif pool.locates and (word := pool.word(Kind.CONTENTS, entry[1:end])):
                    objects.words[Kind.CONTENTS][entry[1:end]] = word
    return objects
