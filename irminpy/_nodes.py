"""What the compiled core does with the nodes of a proof, and with those below a large directory: the functions by name.

But for `follow` they have no answer here. Who asks does the same node by node: `irminpy.proof.compact` and
`irminpy.shape`, which raise typed errors and know what a node is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._core import digest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bucket_of", "follow", "read_nodes", "read_state", "take_elements", "write_nodes"]


def bucket_of(
    record: Any, key: bytes, width: int, load: Callable[[bytes], Any], flat: type[Any], inner: type[Any], /
) -> Any:
    """The record that a step with the hash `key` belongs to, from `record` of the class `inner` down, or None.

    Digits have `width` bits, `load` gives the record with a hash. It ends early, here at once, at a record that it
    knows nothing of, or whose child is not what it says: `irminpy.shape.place_of` goes on from there.
    """
    return record


def follow(
    recent: Callable[[bytes], Any],
    load: Callable[[bytes, int], Any] | None,
    noted: dict[bytes, Any],
    opened: dict[tuple[bytes | str, ...], tuple[bytes, int]],
    hash: bytes,
    word: int,
    steps: list[str],
    fanout: int,
    leaf: int,
    locates: bool,
    empty: bytes,
    flat: type[Any],
    inner: type[Any],
    /,
) -> tuple[int, int, bytes, int] | None:
    """(n, kind, hash, word): what the first `n` of `steps` lead to from the directory `hash`; None if to nothing.

    `n` is less than there are steps if the way was followed to that directory only: a node of it is not at hand, or is
    not what its parent states. `recent` gives nodes by their hash, or None, and is not asked for one without a word
    where `locates` says that all have one; `load`, if it is given, gives the others by hash and word. Nodes are named
    tuples of the classes `flat` and `inner`; in C also canonical bytes, of the format with this `fanout` and `leaf`.
    All that were looked into are put into `noted`, and found there before they are loaded again; `opened` keeps where
    all steps but the last have led. The hash of the `empty` directory stands for itself.
    """
    width = fanout.bit_length() - 1
    n, kind, last = 0, 0, len(steps) - 1
    name: tuple[bytes | str, ...] = (hash, *steps[:-1])
    if last > 0 and name in opened:
        n = last
        hash, word = opened[name]
    while n <= last:
        if kind or hash == empty:
            return None
        if n == last > 0:
            opened[name] = hash, word
        step, key = steps[n], -1
        at, lies, depth, entries = hash, word, 0, -1
        kind = -1
        while kind < 0:
            record: Any = noted.get(at) if load is not None else None
            if not record and (lies or not locates):
                record = recent(at)
            if not record and load is not None:
                record = load(at, lies)
            cls: Any = record.__class__
            if cls is inner:
                level, labels, counts, hashes, words, _ = record
                size = len(labels)
                fits = level == depth and len(counts) == size and (depth + 1) * width <= 256
                if not fits or (entries >= 0 and sum(counts) != entries):
                    return n, 0, hash, word
            elif cls is flat:
                _, labels, hashes, _, words, _, _, place = record
                size = len(labels)
                # 1 is the place of a directory only, 2 that of a bucket only.
                if (entries >= 0 and size != entries) or place == (1 if depth else 2):
                    return n, 0, hash, word
            else:
                return n, 0, hash, word
            if len(hashes) != 32 * size or (words and len(words) != 8 * size):
                return n, 0, hash, word
            noted[at] = record
            if cls is flat:
                i = record[0].get(step, -1)
            else:
                if key < 0:
                    key = int.from_bytes(digest(step.encode()), "big")
                i = labels.find(key >> (256 - (depth + 1) * width) & (fanout - 1))
            if i < 0:
                return None
            at = hashes[32 * i : 32 * i + 32]
            lies = int.from_bytes(words[8 * i : 8 * i + 8], "little") if words else 0
            if cls is flat:
                kind = labels[i]
            else:
                depth, entries = depth + 1, record[2][i]
        hash, word = at, lies
        n += 1
    return n, kind, hash, word


def read_nodes(
    data: bytes,
    at: int,
    fanout: int,
    leaf: int,
    levels: int,
    empty: bytes,
    depth: int,
    room: int,
    objects: int,
    longest: int,
    flat: type[Any],
    /,
) -> tuple[int, bytes, dict[bytes, Any], dict[bytes, bytes], int, dict[bytes, None]] | int | None:
    """What the nodes of a tree proof show, which begin at the byte `at` of `data`, hashed by BLAKE3 and checked.

    (where they end, hash of the first node, hash to node from the last to the first, hash to value in their order,
    whether something that is referred to twice is not as it has to be there, all metadata). A node is its canonical
    bytes, one of many entries a named tuple of the class `flat`. The other numbers are the parameters of the format and
    the limits of the proof. If it found out that something is wrong: how many bytes it had read, as a negative number
    if more is shown than the limits let pass. None where this function has no answer, because something is unusual, or
    always, as here: `irminpy.proof.compact` does the same node by node, and says what is wrong and where.
    """
    return None


def read_state(
    data: bytes,
    at: int,
    tezos: int,
    directory: bytes,
    contents: bytes,
    blake2b: int,
    digest: Callable[[bytes], bytes],
    hash_size: int,
    fanout: int,
    leaf: int,
    stable: int,
    levels: int,
    order: int,
    digit: Callable[[int, bytes], int] | None,
    empty: bytes,
    skip: Callable[[bytes, int], int] | None,
    usual: bytes,
    depth: int,
    room: int,
    objects: int,
    longest: int,
    /,
) -> (
    tuple[int, bytes, dict[bytes, Any], dict[bytes, bytes], list[bytes | int] | None, dict[bytes, None]]
    | int
    | None
):
    """What the state of a tree proof in Irmin's form shows, which begins at the byte `at`, hashed and checked.

    (where it ends, hash of the root, hash to the canonical bytes of nodes from the last to the first, hash to value in
    the order of these, None, all metadata). Instead of None: the steps and indices, from below, that lead to the first
    inode with a bucket that is blinded there and shown elsewhere. Objects are those of the format `tezos`, or else of
    one of Irmin's with these prefixes of directories and `contents`. `blake2b`: `digest` is BLAKE2b of `hash_size`
    bytes. `order`: 0 without inodes, 1 if digits are bits of the hash of a step, 2 if they are of OCaml's seeded hash,
    3 if `digit(depth, step)` gives them, -1 for none. `skip(data, at)` says where the metadata end that begin there, or
    -1 if none do; it is None if there are no metadata. `usual` are those of the default. The other numbers are the
    parameters of the format and the limits of the proof. What values and metadata are is not looked at. A number, or
    None, as `read_nodes`; `irminpy.proof.irmin` does the same part by part.
    """
    return None


def take_elements(
    data: bytes,
    at: int,
    n: int,
    hash_size: int,
    skip: Callable[[bytes, int], int] | None,
    longest: int,
    /,
) -> tuple[int, tuple[bytes, ...], dict[bytes, None]] | int | None:
    """(where they end, the bytes of each, all metadata) of `n` elements of a stream proof in Irmin's form.

    They begin at the byte `at`. `skip` is as for `read_state`, and a value has at most `longest` bytes. A number, or
    None, as `read_nodes`.
    """
    return None


def write_nodes(
    root: bytes,
    nodes: dict[bytes, Any],
    contents: dict[bytes, bytes],
    fanout: int,
    flat: type[Any],
    inner: type[Any],
    /,
) -> bytes | None:
    """The bytes of `nodes`, by hash, as a tree proof of `root` has them, and of `contents`; None as `read_nodes`."""
    return None
