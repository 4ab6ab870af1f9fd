"""Give the newest version of a staged directory its hash in one call of the core: the usual commit."""

from __future__ import annotations

from ..core import settle, settle_new
from ..formats.format import Codec
from ..objects import Inode, Node, Objects
from .lazy import Counters, Pool, Stored, Whole, base_of
from .stage import Frozen, Staged
from .words import Words

__all__ = ["settled_at_once"]


def settled_at_once(view: Frozen, *, keep: bool) -> Pool | None:
    """The pool of the objects of `view`, which is settled now; None if the core leaves that to `settle.settle`.

    `view` is the newest version of its line, whose lock is held. `keep` as there.
    """
    staged = view.staged
    base = staged.base
    void = staged.line.void
    codec, counters = void.codec, void.counters
    if not codec.looks:
        return None
    if base is None:
        return _all_new(view, codec, counters, keep=keep)
    if type(base) is not Stored:
        return None
    source, words = base.source, Words()
    pool = Pool(codec, counters, Objects(), source, words)
    reads = source, pool, source.nodes.recent, source.node
    sizes = codec.looks, codec.leaf
    found = settle(staged, *reads, *sizes, source.locates, keep, Staged, Stored, Node, Inode)
    if found is None:
        return None
    settled, contents, nodes, made, hints, noted, replaced, older, values, directories = found
    pool.objects.contents, pool.objects.nodes = contents, nodes
    view.settled = settled
    if noted is not None:
        words.noted.extend(noted)
    counters.contents_hash += values
    counters.node_hash += directories
    if source.saved:
        # All words are of one reader.
        pool.fill(Whole(settled.hash, [], base_of(source), words, made, hints, older), replaced)
    return pool


def _all_new(view: Frozen, codec: Codec, counters: Counters, *, keep: bool) -> Pool | None:
    """The same, where `view` lies on no other directory."""
    pool = Pool(codec, counters, Objects(), None)
    found = settle_new(view.staged, pool, codec.flat, codec.leaf, codec.looks, keep, Staged, Stored)
    if found is None:
        return None
    hash_, settled, contents, nodes, values, directories = found
    pool.objects.contents, pool.objects.nodes = contents, nodes
    view.settled = settled or Stored(hash_, pool)
    counters.contents_hash += values
    counters.node_hash += directories
    pool.fill(Whole(hash_, [], None, pool.words, {}, None), [])
    return pool
