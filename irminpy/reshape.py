"""Edits of directories as they are stored: only the nodes on the way to a change are made anew, and the shape is kept.

What comes out is what `shape.build` would make of all entries; `nodes` gets the new objects. Where nothing but hashes
changes, which is usual, columns are patched: nothing is encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .core import digest as blake3
from .core import patch_column, patched
from .formats.format import Linking
from .objects import CONTENTS_META, DIRECTORY, Inode, Node, make_inode, make_node
from .shape import EMPTY, Load, Record, bucket, build, entries, put

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .formats.format import Codec

__all__ = ["apply"]

_UNKNOWN = bytes(8)
_FEW = 8  # changes that are put into buckets one by one: to split many costs as much as this


def _build_entries(codec: Codec, nodes: dict[bytes, bytes], items: Mapping[str, bytes], depth: int) -> bytes:
    """`build` from entries as bytes."""
    end = 1 + codec.hash_size
    metadata = {step: entry[end:] for step, entry in items.items() if entry[0] == CONTENTS_META}
    values = items.values()
    kinds = bytes([entry[0] for entry in values])
    return build(codec, nodes, list(items), kinds, [entry[1:end] for entry in values], metadata, depth)


def apply(
    codec: Codec,
    load: Load,
    nodes: dict[bytes, bytes],
    record: Record,
    changes: Mapping[str, bytes | None],
    depth: int = 0,
    made: dict[bytes, Record] | None = None,
    noted: list[Record] | None = None,
    older: dict[bytes, int] | None = None,
) -> tuple[bytes, int]:
    """(hash, count) of `record` with `changes` applied: an entry binds its step, None unbinds it.

    Only nodes on the way to a change are read and written, and those of a subtree that shrinks to a flat
    object.
    New objects are added to `nodes`, children first; the empty directory only if it is the result. Those that
    differ from the old ones in nothing but hashes are added to `made`, decoded; where the old ones have words, the
    new ones have them but for what changed, which has 0. What was read and has words is added to `noted`. To `older`
    goes the word of each node below that another one takes the place of, under the hash of that one. Raises
    DepthExceeded as `build`.
    """
    if len(changes) == 1:
        ((one, bound),) = changes.items()
        done = None if bound is None else _rebind(codec, load, nodes, record, one, bound, made, noted, older)
        if done is not None:
            return done
    if noted is not None and record.words:
        noted.append(record)
    if type(record) is Node:
        return _apply_flat(codec, nodes, record, changes, depth, made, older)
    patches: list[tuple[int, bytes]] = []
    others: dict[int, tuple[bytes, int]] = {}
    before = len(nodes)
    at, buckets, counts, hashes, words, head = record
    groups: dict[int, Any] = {}
    if len(changes) <= _FEW:
        for step, entry in changes.items():
            groups.setdefault(codec.digit(step, at), {})[step] = entry
    else:
        steps = list(changes)
        for digit, rows in enumerate(codec.split(steps, codec.keys(steps), range(len(steps)), at)):
            if rows:
                groups[digit] = {steps[i]: changes[steps[i]] for i in rows}
    total = sum(counts)
    counted = len(counts) == len(buckets)
    # In this order, so that the same objects are made in the same order however they were grouped.
    for digit, group in sorted(groups.items()):
        i = buckets.find(digit)
        child = bucket(load, record, i) if i >= 0 else EMPTY
        old = counts[i] if counted and i >= 0 else child.count
        hash_, count = apply(codec, load, nodes, child, group, at + 1, made, noted, older)
        total += count - old
        if older is not None and words and i >= 0:
            older[hash_] = _word(words, i)
        if i >= 0 and count == old:
            patches.append((i, hash_))
        else:
            others[digit] = hash_, count
    if others or not head:
        if noted is not None:
            load = _noting(load, noted)
        return _apply_counts(codec, load, nodes, record, changes, depth, patches, others, total, before)
    # The usual edit: as many entries as before in each bucket.
    column = patch_column(hashes, codec.hash_size, patches)
    data = head + column
    hash_ = codec.digest(data)
    nodes[hash_] = data
    if made is not None:
        if words:
            words = patch_column(words, 8, [(i, _UNKNOWN) for i, _ in patches])
        made[hash_] = make_inode((at, buckets, counts, column, words, head))
    return hash_, total


def _rebind(
    codec: Codec,
    load: Load,
    nodes: dict[bytes, bytes],
    record: Record,
    step: str,
    entry: bytes,
    made: dict[bytes, Record] | None,
    noted: list[Record] | None,
    older: dict[bytes, int] | None,
) -> tuple[bytes, int] | None:
    """`apply` of the most usual edit of all: one step, which is bound, gets another hash of the same kind.

    None, and nothing was added to `nodes`, if it is not such an edit, or if the nodes do not end with their hashes.
    """
    way: list[tuple[Inode, int]] = []
    node = record
    while type(node) is Inode:
        depth, buckets, counts, _, _, head = node
        i = buckets.find(codec.digit(step, depth))
        if i < 0 or not head or len(counts) != len(buckets):
            return None
        way.append((node, i))
        node = bucket(load, node, i)
    assert type(node) is Node
    index, kinds, hashes, metadata, words, head, links, place = node
    at = index.get(step, -1)
    if at < 0 or not head or metadata or links or entry[0] != kinds[at] or entry[0] == CONTENTS_META:
        return None
    if noted is not None:
        noted += [inode for inode, _ in way if inode.words]
        if words:
            noted.append(node)
    one = patched if codec.digest is blake3 else _patched(codec)
    if older is not None and words and entry[0] == DIRECTORY:
        older[entry[1:]] = _word(words, at)
    hash_, data, column, words = one(head, hashes, words, at, entry[1:])
    nodes[hash_] = data
    if made is not None:
        made[hash_] = make_node((index, kinds, column, metadata, words, head, links, place))
    for inode, i in reversed(way):
        depth, buckets, counts, hashes, words, head = inode
        if older is not None and words:
            older[hash_] = _word(words, i)
        hash_, data, column, words = one(head, hashes, words, i, hash_)
        nodes[hash_] = data
        if made is not None:
            made[hash_] = make_inode((depth, buckets, counts, column, words, head))
    return hash_, len(record.kinds) if type(record) is Node else sum(record.counts)


def _patched(codec: Codec) -> Callable[[bytes, bytes, bytes, int, bytes], tuple[bytes, bytes, bytes, bytes]]:
    """As `core.patched`, for any hash."""
    size, digest = codec.hash_size, codec.digest

    def one(
        head: bytes, hashes: bytes, words: bytes, i: int, hash: bytes
    ) -> tuple[bytes, bytes, bytes, bytes]:
        hashes = hashes[: i * size] + hash + hashes[(i + 1) * size :]
        if words:
            words = words[: 8 * i] + _UNKNOWN + words[8 * i + 8 :]
        data = head + hashes
        return digest(data), data, hashes, words

    return one


def _noting(load: Load, noted: list[Record]) -> Load:
    """`load`, and what it gives is added to `noted`."""

    def node(hash: bytes, word: int = 0, /) -> Record:
        record = load(hash, word)
        if record.words:
            noted.append(record)
        return record

    return node


def _apply_counts(
    codec: Codec,
    load: Load,
    nodes: dict[bytes, bytes],
    record: Inode,
    changes: Mapping[str, bytes | None],
    depth: int,
    patches: list[tuple[int, bytes]],
    others: dict[int, tuple[bytes, int]],
    total: int,
    before: int,
) -> tuple[bytes, int]:
    """The inode `record` with other hashes for some buckets, by position, and for `others`, by digit, (hash, count).

    `total` entries are left. `nodes` had `before` items before any of that was written.
    """
    if total <= (codec.leaf if depth else codec.flat):
        # What the buckets wrote is not part of the result. A dict pops its newest keys first.
        while len(nodes) > before:
            nodes.popitem()
        return _collapse(codec, load, nodes, record, changes, depth), total
    counted = len(record.counts) == len(record.buckets)
    hashes = dict(zip(record.buckets, record.children(), strict=True))
    counts = dict(zip(record.buckets, record.counts, strict=True)) if counted else {}
    for i, hash_ in patches:
        hashes[record.buckets[i]] = hash_
    for digit, (hash_, count) in others.items():
        if count:
            hashes[digit], counts[digit] = hash_, count
        else:
            hashes.pop(digit, None)
    buckets = bytes(sorted(hashes))
    sizes = [counts[digit] for digit in buckets] if counted else [total]
    column = b"".join([hashes[digit] for digit in buckets])
    return put(codec, nodes, codec.encode_inode(record.depth, buckets, sizes, column)), total


def _apply_flat(
    codec: Codec,
    nodes: dict[bytes, bytes],
    record: Node,
    changes: Mapping[str, bytes | None],
    depth: int,
    made: dict[bytes, Record] | None,
    older: dict[bytes, int] | None,
) -> tuple[bytes, int]:
    index, kinds, _, metadata, known, head, links, place = record
    size = codec.hash_size
    if older is not None and known:
        for step, entry in changes.items():
            at = index.get(step, -1)
            if at >= 0 and entry is not None and entry[0] == kinds[at] == DIRECTORY:
                older[entry[1:]] = _word(known, at)
    if not metadata:
        # The usual edit: bindings that exist get other hashes of the same kind. Then one column is patched.
        patches: list[tuple[int, bytes]] = []
        for step, entry in changes.items():
            i = index.get(step)
            if i is None or entry is None or entry[0] != kinds[i] or entry[0] == CONTENTS_META:
                break
            patches.append((i, entry[1:]))
        else:
            column = patch_column(record.hashes, size, patches)
            if record.links:
                return _linked(codec, nodes, record.links, dict(record._replace(hashes=column).entries()))
            if not record.head:
                encode = codec.encode_bucket if depth else codec.encode_node
                return put(codec, nodes, encode(list(index), kinds, column, [])), len(index)
            hash_ = put(codec, nodes, record.head + column)
            if made is not None:
                words = _patched_words(record, patches)
                made[hash_] = make_node((index, kinds, column, metadata, words, head, links, place))
            return hash_, len(index)
    items = dict(record.entries())
    for step, entry in changes.items():
        if entry is None:
            items.pop(step, None)
        else:
            items[step] = entry
    if record.links:
        return _linked(codec, nodes, record.links, items)
    if depth and not items:
        return codec.empty, 0
    return _build_entries(codec, nodes, items, depth), len(items)


def _linked(
    codec: Codec, nodes: dict[bytes, bytes], links: bytes, items: Mapping[str, bytes]
) -> tuple[bytes, int]:
    """The directory of `items`, which is flat in formats that have links, with `links`."""
    assert isinstance(codec, Linking), "nobody else gives a record links"
    end = 1 + codec.hash_size
    steps = sorted(items, key=codec.order)
    entries = [items[step] for step in steps]
    kinds = bytes([entry[0] for entry in entries])
    hashes = b"".join([entry[1:end] for entry in entries])
    metadata = [entry[end:] for entry in entries if entry[0] == CONTENTS_META]
    return put(codec, nodes, codec.encode_linked(steps, kinds, hashes, metadata, links)), len(items)


def _word(words: bytes, i: int) -> int:
    """Word number `i`."""
    return int.from_bytes(words[8 * i : 8 * i + 8], "little")


def _patched_words(record: Record, changed: list[tuple[int, bytes]]) -> bytes:
    """The words of the children of `record`, those unknown whose hash `changed`."""
    words = record.words
    return patch_column(words, 8, [(i, _UNKNOWN) for i, _ in changed]) if words else words


def _collapse(
    codec: Codec,
    load: Load,
    nodes: dict[bytes, bytes],
    record: Inode,
    changes: Mapping[str, bytes | None],
    depth: int,
) -> bytes:
    """The hash of a subtree that shrank to a flat object: what is left of all its buckets, in one node."""
    items = dict(entries(load, record))
    for step, entry in changes.items():
        if entry is None:
            items.pop(step, None)
        else:
            items[step] = entry
    return _build_entries(codec, nodes, items, depth)
