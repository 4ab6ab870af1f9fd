"""Finding the contents at a path below a stored directory: the way of every look-up that memory does not answer.

`seek` goes through decoded nodes, which the source keeps, and keeps what it opened beside its parent. `seek_bare` keeps
nothing: each node is read, checked and looked through as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..core import place
from ..errors import Corrupted, DecodeError
from ..formats.format import BUCKET, Seeking
from ..hash import Hash
from ..objects import CONTENTS, DIRECTORY, ROOT, Inode, Node
from ..shape import place_of
from .lazy import Leaf, RepoSource, Stored

if TYPE_CHECKING:
    from .lazy import Child

__all__ = ["seek"]


def seek(directory: Stored, step: str, rest: Iterator[str], *, cache: bool) -> bytes | None:
    """The bytes of the contents that `step`, then `rest`, lead to from `directory`, or None if there are none.

    `cache` keeps what was read in the directories that hold it; without it nothing is kept anywhere, and what is not in
    memory is read again each time. Cost: at most one read per directory, level and value.
    """
    if not cache:
        source = directory.source
        if type(source) is RepoSource and source.seeking is not None and directory.decoded is None:
            return _bare(source, source.seeking, directory, step, rest)
    source = directory.source
    if source.follows:
        steps = [step, *rest]
        reached = source.follow(directory.hash, directory.word, steps)
        if reached is None:
            return None
        n, kind, hash_, word = reached
        if n == len(steps):
            return None if kind == DIRECTORY else source.contents(hash_, word)
        if n:
            directory = Stored(hash_, source, None, None, word)
        step, rest = steps[n], iter(steps[n + 1 :])
    recent, codec = source.nodes.recent, source.codec
    size, looks = codec.hash_size, codec.looks
    while True:
        record: Any = directory.decoded or directory.record(cache=cache)  # `Any`: a cast would be a call
        i = -2
        if record.__class__ is Inode:  # `type(record)` would narrow what is `Any`
            if not record.words:  # of a proof, or of a store in memory
                record = codec.bucket_of(source.node, record, step)
                if record is None:
                    return None
            elif looks:
                record, i = place(record, recent, step, looks)
        if i < -1 and type(record) is Inode:
            depth, buckets, counts, hashes, words, _ = record
            digit = buckets.find(codec.digit(step, depth)) if words else -1
            bucket = recent(hashes[digit * size : (digit + 1) * size]) if digit >= 0 else None
            if (
                type(bucket) is Node
                and len(counts) == len(buckets)
                and len(bucket.kinds) == counts[digit]
                and bucket.place != ROOT
            ):
                # As `place_of`, without the call: mostly there is one level, and what it leads to is at hand.
                record = bucket
            else:
                found = place_of(codec, source.node, recent, record, step)
                if found is None:
                    return None
                record, _ = found
        if i < -1:
            i = record.index.get(step, -1)
        if i < 0:
            return None
        _, kinds, hashes, _, words, _, _, _ = record
        hash_ = hashes[i * size : (i + 1) * size]
        following = next(rest, None)
        if kinds[i] != DIRECTORY:
            if following is not None:
                return None
            data = source.values.recent(hash_) if words else None
            if data is None:
                data = source.contents(hash_, int.from_bytes(words[8 * i : 8 * i + 8], "little"))
            if cache and kinds[i] == CONTENTS:
                # The next look-up finds the bytes at once.
                directory.now.setdefault(step, data)
            return data
        if following is None:
            return None
        opened = Stored(hash_, source, None, None, int.from_bytes(words[8 * i : 8 * i + 8], "little"))
        if cache and words:
            at_hand = recent(hash_)
            if type(at_hand) is Node:  # an inner node might not be a root: `record` looks
                opened.decoded = at_hand
        # Two threads must end up with one object, which may have children in memory by now.
        child = directory.now.setdefault(step, opened) if cache else opened
        if child is not opened:
            return _walk(child, [following, *rest])
        directory, step = opened, following


def _walk(child: Child | None, steps: list[str]) -> bytes | None:
    """As `seek`, from a directory that may have children in memory."""
    for step in steps:
        if type(child) is not Stored:
            return None
        child = child.child(step)
    return child.data() if type(child) is Leaf else child if type(child) is bytes else None


def _bare(
    source: RepoSource, codec: Seeking, directory: Stored, step: str, rest: Iterator[str]
) -> bytes | None:
    """`seek` in what `source` holds, from the bytes of each node; none of them is kept."""
    hash_, word, kind = directory.hash, directory.word, DIRECTORY
    if word and source.descend is not None:
        steps = [step, *rest]
        reached = source.descend(hash_, word, steps)
        if reached is not None:
            nodes, value = reached
            source.counters.node_find += nodes
            source.counters.contents_find += value is not None
            return value
        rest = iter(steps)
        step = next(rest)
    empty, read, look = source.codec.empty, source.read_node, codec.seek
    at: str | None = step
    while at is not None:
        if kind != DIRECTORY:
            return None
        kind, depth, count = BUCKET, 0, -1
        while kind == BUCKET:
            if hash_ == empty:
                return None
            data, words = read(hash_, word)
            try:
                found = look(data, words, at, depth, count)
            except DecodeError as e:
                raise Corrupted("", None, Hash(hash_), str(e)) from e
            if found is None:
                return None
            kind, hash_, word, count = found
            depth += 1
        at = next(rest, None)
    return None if kind == DIRECTORY else source.read_contents(hash_, word)
