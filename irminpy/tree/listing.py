"""Pages of a directory, in the format's order or sorted by step; and all of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from ..errors import DecodeError
from ..objects import Inode, Kind, Node
from ..shape import bucket, leaves, listing, page
from .lazy import Child, Pool, Stored

__all__ = ["bindings", "check_page", "children", "resident"]


_step = itemgetter(0)


def check_page(offset: int, length: int | None) -> None:
    """DecodeError unless `offset` and `length` (None: all the rest) are numbers from 0 up; TypeError for no int."""
    for name, value in (("offset", offset), ("length", length)):
        if value is None:
            continue
        if type(value) is not int:
            raise TypeError(f"{name} is an int, not {type(value).__name__}")
        if value < 0:
            raise DecodeError(name, f"{value} is negative; use a number from 0 up")


def bindings(
    directory: Stored,
    *,
    offset: int = 0,
    length: int | None = None,
    sorted_: bool = False,
    cache: bool = True,
) -> Iterator[tuple[str, Child]]:
    """(step, child) for a page of `directory`.

    Cost: the nodes of the page and those above them; sorted, all nodes of the directory.
    """
    source = directory.source
    record = directory.record(cache=cache)
    if sorted_:
        pairs = list(page(source.node, record, 0, None))
        order = source.codec.order
        if order is None:
            pairs.sort(key=_step)
        else:
            keys = {step: order(step) for step, _ in pairs}
            pairs.sort(key=lambda pair: keys[pair[0]])
        end = None if length is None else offset + length
        found = iter(pairs[offset:end])
    elif type(record) is Node and record.count > source.codec.leaf:
        steps = list(record.index)
        rows = listing(source.codec, steps)[offset : None if length is None else offset + length]
        found = iter([(steps[i], (record, i)) for i in rows])
    else:
        found = page(source.node, record, offset, length)
    now = directory.now
    for step, (leaf, i) in found:
        child = now.get(step)
        if child is None:
            child = directory.open(leaf, i)
            if cache and type(child) is Stored:
                child = now.setdefault(step, child)
        yield step, child


def children(directory: Stored, *, cache: bool = False) -> Iterator[tuple[str, Child]]:
    """(step, child) for all entries, in an order that depends on what is in memory.

    Cost: one read per node that is not in memory, when it is reached. With `cache` the children stay beside
    their directory, so that the next time nothing is read.
    """
    record = directory.record(cache=cache)
    now = directory.now
    # INVARIANT: `now` holds bound steps only; if it has as many as there are, it has them all.
    if len(now) == record.count:
        yield from list(now.items())
        return
    for leaf in leaves(directory.source.node, record):
        for step, i in leaf.index.items():
            child = now.get(step)
            if child is None:
                child = directory.open(leaf, i)
                if cache:
                    child = now.setdefault(step, child)
            yield step, child


def resident(directory: Stored) -> bool:
    """True if `children` of `directory` would read nothing, as all of its nodes or children are in memory.

    What a repository keeps in its own cache does not count: the answer never depends on other readers.
    """
    if not directory.loaded:
        return False
    record = directory.record()
    if type(record) is Node or len(directory.now) == record.count:
        return True
    source = directory.source
    if type(source) is Pool and source.base() is None:
        return True
    leaf = source.codec.leaf
    stack = [record]
    while stack:
        inode = stack.pop()
        assert type(inode) is Inode
        for i in range(len(inode.buckets)):
            if not source.in_memory(inode.child(i), Kind.NODE):
                return False
            count = inode.below(i)
            if count is None or count > leaf:
                below = bucket(source.node, inode, i)
                if type(below) is Inode:
                    stack.append(below)
    return True
