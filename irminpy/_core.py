"""The hot functions of the native format: pure functions over bytes and ints (docs/formats/native.md).

Nothing here knows trees, backends or schemas, and nothing is imported from the rest of the package: the compiled
twin `_ccore` (sources in `csrc/`) replaces some of these functions, where it was built. It gives the same results and
errors, and hands what is unusual to the functions here; who wants either imports from `core`, which chooses.

All functions are total: bytes that `encode_*` would not give make `decode_*` raise ValueError with the
reason; the caller turns it into a typed error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import msgpack
from blake3 import blake3

from .packer import packer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "MAX_COMMIT",
    "MAX_PARENTS",
    "MAX_STEP",
    "SEAM",
    "check_inode",
    "check_node",
    "children",
    "decode_commit",
    "decode_inode",
    "decode_node",
    "digest",
    "digest_many",
    "digit",
    "encode_commit",
    "encode_inode",
    "encode_node",
    "encode_nodes",
    "load_inode",
    "load_node",
    "patch_column",
    "patched",
    "place",
    "seek_inode",
    "seek_node",
]

_unpack = cast("Callable[..., Any]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]
_Unpacker = cast("Callable[..., Any]", msgpack.Unpacker)  # pyright: ignore[reportUnknownMemberType]


SEAM = 21
"""Goes up with each change of what a function here takes or gives, so that no other twin is used than that of these."""
MAX_STEP = 4096
"""The most UTF-8 bytes of a step."""
MAX_COMMIT = 16 << 20
"""The most bytes of a commit."""
MAX_PARENTS = 65535
"""The most parents of a commit."""
_WIDEST = 256
_UNKNOWN = bytes(8)
_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1


def digest(data: bytes, /) -> bytes:
    """The 32 bytes that BLAKE3 gives for `data`."""
    return blake3(data).digest()


def digest_many(items: list[bytes], /) -> list[bytes]:
    """The `digest` of each of `items`, in order."""
    # One hasher for all: to make one costs as much as to hash 100 bytes, to reset one a tenth of that.
    hasher = blake3()
    update, finish, reset = hasher.update, hasher.digest, hasher.reset
    digests: list[bytes] = []
    for data in items:
        update(data)
        digests.append(finish())
        reset()
    return digests


def encode_node(steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], /) -> bytes:
    """The canonical bytes of a node: columns of strictly ascending `steps`, one kind byte and one hash each.

    `metadata` holds one item per entry of kind 2, in order; the fourth column is there iff it is not empty.
    """
    return b"N" + packer.pack([steps, kinds, hashes, metadata] if metadata else [steps, kinds, hashes])


def encode_nodes(
    steps: list[list[str]], kinds: bytes, hashes: list[bytes], metadata: Mapping[str, bytes], /
) -> list[bytes]:
    """`encode_node` of many nodes: the steps of each, and the other columns joined.

    `metadata` holds that of the steps of kind 2.
    """
    pack = packer.pack
    data: list[bytes] = []
    at = 0
    for own in steps:
        end = at + len(own)
        row: list[Any] = [own, kinds[at:end], b"".join(hashes[at:end])]
        if metadata and kinds.find(2, at, end) >= 0:
            row.append([metadata[step] for step in own if step in metadata])
        data.append(b"N" + pack(row))
        at = end
    return data


def encode_inode(
    fanout: int, leaf: int, depth: int, buckets: bytes, counts: list[int], hashes: bytes, /
) -> bytes:
    """The canonical bytes of an inner node of a large directory."""
    return b"I" + packer.pack([fanout, leaf, depth, buckets, counts, hashes])


def encode_commit(
    node: bytes, parents: bytes, date: int, author: str, message: str, extra: list[str | bytes]
) -> bytes:
    """The canonical bytes of a commit; `parents` are joined, `extra` alternates key and value."""
    row: list[Any] = [node, parents, date, author, message]
    if extra:
        row.append(extra)
    return b"C" + packer.pack(row)


def _rows(data: bytes, domain: bytes, widest: int) -> list[Any]:
    """The items of the array behind `domain`; no array within it may have over `widest` items.

    msgpack makes room for what an array claims to hold, up to its limit and for each level of nesting, before
    it reads on. With a small limit that is little; the other way reads no array deeper than a column.
    """
    if not data.startswith(domain):
        raise ValueError(f"the domain byte is {data[:1].hex() or 'missing'}, not {domain.hex()}")
    body = data[1:]
    try:
        if widest > _WIDEST:
            return _columns(body)
        most = widest if widest > 6 else 6  # `max` would be a call
        row = _unpack(body, raw=False, max_array_len=most, max_map_len=0, max_ext_len=0)
    except Exception as e:  # msgpack raises several unrelated types for broken input
        raise ValueError(f"no msgpack: {type(e).__name__}: {str(e)[:200]}") from None
    if not _is_list(row):
        raise ValueError("not an array")
    return row


def _columns(body: bytes) -> list[Any]:
    limit = max(1, len(body))
    reader = _Unpacker(raw=False, max_array_len=0, max_map_len=0, max_ext_len=0, max_buffer_size=limit)
    reader.feed(body)
    row: list[Any] = []
    n: int = reader.read_array_header()
    if n > 6:
        raise ValueError(f"an array of {n} items")
    for _ in range(n):
        head = body[reader.tell() : reader.tell() + 1]
        if b"\x90" <= head < b"\xa0" or head in (b"\xdc", b"\xdd"):
            column: list[str | bytes] = []
            # A false claim ends with the input, and an item as short as an empty list would weigh 64 bytes.
            for _ in range(reader.read_array_header()):
                item = reader.unpack()
                if type(item) is not str and type(item) is not bytes:
                    raise ValueError("a column with an item that is neither str nor bin")
                column.append(item)
            row.append(column)
        else:
            row.append(reader.unpack())
    if reader.tell() != len(body):
        raise ValueError("trailing bytes")
    return row


def _is_list(item: object) -> TypeGuard[list[Any]]:
    return type(item) is list


def _shown(item: object) -> str:
    # An item of hostile input may be a deep or a long list, whose repr fails or takes long.
    return (
        repr(item) if type(item) in (int, bool, float) or item is None else f"of type {type(item).__name__}"
    )


def decode_node(
    data: bytes, hash_size: int, leaf: int, empty: bytes, /
) -> tuple[dict[str, int], bytes, bytes, dict[int, bytes]]:
    """(step to position, kinds, joined hashes, position to metadata) of the node with the bytes `data`.

    Raises ValueError unless `data` is exactly what `encode_node` gives for a legal node of at most `leaf`
    entries, no entry being a directory with the hash `empty`.
    """
    row = _rows(data, b"N", leaf)
    if len(row) not in (3, 4):
        raise ValueError(f"an array of {len(row)} items, not 3 or 4")
    steps, kinds, hashes = row[:3]
    if not _is_list(steps) or type(kinds) is not bytes or type(hashes) is not bytes:
        raise ValueError("a column has the wrong type")
    columns: list[bytes] | None = None
    if len(row) == 4:
        if not _is_list(row[3]):
            raise ValueError("the metadata column does not fit the kinds")
        columns = row[3]
    index, metadata = check_node(steps, kinds, hashes, columns, hash_size, leaf, empty)
    if encode_node(steps, kinds, hashes, columns or []) != data:
        raise ValueError("not the shortest encoding")
    return index, kinds, hashes, metadata


def check_node(
    steps: list[str],
    kinds: bytes,
    hashes: bytes,
    columns: list[bytes] | None,
    hash_size: int,
    leaf: int,
    empty: bytes,
) -> tuple[dict[str, int], dict[int, bytes]]:
    """(step to position, position to metadata) of the node with these columns, None for no column of metadata.

    Raises ValueError unless a legal node of at most `leaf` entries has them, as `decode_node`.
    """
    n = len(steps)
    if n > leaf:
        raise ValueError(f"{n} entries, the limit is {leaf}")
    if len(kinds) != n or len(hashes) != n * hash_size:
        raise ValueError("columns of different lengths")
    try:
        joined = "/".join(steps)
    except TypeError:
        raise ValueError("a step is no str") from None
    # This is called for every node of a proof, and most have few entries: no call that can be left out.
    index = dict(zip(steps, range(n)))  # noqa: B905  # both have n
    # Code points order as UTF-8 bytes do.
    if n > 1 and (len(index) != n or sorted(steps) != steps):
        raise ValueError("the steps are not strictly ascending")
    if n and (not steps[0] or "\0" in joined or joined.count("/") != n - 1):
        raise ValueError("a step that is empty or holds a slash or NUL")
    if len(joined) > MAX_STEP >> 2 and any(len(step.encode()) > MAX_STEP for step in steps):
        raise ValueError(f"a step of more than {MAX_STEP} bytes")
    metadata: dict[int, bytes] = {}
    if kinds.translate(None, b"\0\1"):
        metadata = _check_metadata(kinds, columns)
    elif columns is not None:
        raise ValueError("a metadata column without an entry that needs it")
    if empty in hashes:
        for i, kind in enumerate(kinds):
            if kind == 0 and hashes[i * hash_size : (i + 1) * hash_size] == empty:
                raise ValueError(f"the empty directory under {steps[i]!r}")
    return index, metadata


def _check_metadata(kinds: bytes, columns: list[bytes] | None) -> dict[int, bytes]:
    """Position to metadata, of entries with these kinds."""
    twos = kinds.count(2)
    if len(kinds.translate(None, b"\0\1")) != twos:
        raise ValueError("an unknown kind of entry")
    if columns is None or len(columns) != twos:
        raise ValueError("the metadata column does not fit the kinds")
    metadata: dict[int, bytes] = {}
    for i, kind in enumerate(kinds):
        if kind == 2:
            item = columns[len(metadata)]
            if type(item) is not bytes:
                raise ValueError("metadata that is no bin")
            metadata[i] = item
    return metadata


def load_node(
    data: bytes, hash_size: int, leaf: int, empty: bytes, /
) -> tuple[dict[str, int], bytes, bytes, dict[int, bytes], bytes]:
    """What `decode_node` gives for bytes that were checked when they were stored, and those before the hashes.

    Types and lengths are looked at, so that the columns can be used; not the order, nor whether the encoding is the
    shortest. The last item is empty where the hashes do not come last. Raises ValueError as `decode_node`.
    """
    row = _rows(data, b"N", leaf)
    if len(row) == 3:
        steps, kinds, hashes = row
        if type(kinds) is bytes and type(hashes) is bytes and _is_list(steps):
            n, size = len(kinds), len(hashes)
            if len(steps) == n <= leaf and size == n * hash_size and not kinds.strip(b"\0\1"):
                try:
                    "".join(steps)
                except TypeError:
                    raise ValueError("a step is no str") from None
                index = dict(zip(steps, range(n)))  # noqa: B905  # as many, and this is the hot path
                if len(index) == n:
                    return index, kinds, hashes, {}, data[: len(data) - size]
    return *decode_node(data, hash_size, leaf, empty), b""


def seek_node(data: bytes, hash_size: int, leaf: int, step: str, /) -> tuple[int, int, int, bytes]:
    """(entries, position, kind, hash): where `step` stands in the node `data`, and what it leads to.

    The position is -1 if it is not there. `data` was checked when it was stored; types and lengths are looked at as
    `load_node` does, but nothing is made for the other steps. Raises ValueError where they do not fit.
    """
    row = _rows(data, b"N", leaf)
    if len(row) not in (3, 4):
        raise ValueError(f"an array of {len(row)} items, not 3 or 4")
    steps, kinds, hashes = row[0], row[1], row[2]
    if type(steps) is not list or type(kinds) is not bytes or type(hashes) is not bytes:
        raise ValueError("a column has the wrong type")
    n = len(kinds)
    if len(steps) != n or n > leaf or len(hashes) != n * hash_size:  # pyright: ignore[reportUnknownArgumentType]
        raise ValueError("columns of different lengths")
    try:
        i: int = steps.index(step)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except ValueError:
        return n, -1, 0, b""
    kind = kinds[i]
    if kind > 2:
        raise ValueError("an unknown kind of entry")
    return n, i, kind, hashes[i * hash_size : (i + 1) * hash_size]


_HEADS = [bytes((0x90 | k,)) if k < 16 else b"\xdc\0\x10" for k in range(17)]  # of an array of k items


@lru_cache(1024)
def _inode_head(fanout: int, leaf: int, depth: int) -> bytes:
    """How an inode of few buckets begins, up to how many there are; what none begins with where numbers are longer."""
    return bytes((0x49, 0x96, fanout, leaf, depth, 0xC4)) if max(fanout, leaf, depth) < 128 else b"-"


def seek_inode(
    data: bytes, hash_size: int, fanout: int, leaf: int, depth: int, digit: int, /
) -> tuple[int, int, int, int, bytes]:
    """(entries, buckets, position, entries of the bucket, its hash) of the bucket `digit` in the inode `data`.

    The position is -1 if there is no such bucket. As `seek_node`; an inode of another depth is a ValueError.
    """
    # Mostly at most 16 buckets of fewer than 128 entries each: all numbers are single bytes then.
    if data.startswith(_inode_head(fanout, leaf, depth)) and len(data) > 6 and 0 < data[6] <= 16:
        k = data[6]
        at = k + (8 if k < 16 else 10)
        size = k * hash_size
        first = len(data) - size
        counts = data[at : at + k]
        if (
            first == at + k + (2 if size < 256 else 3)
            and data.startswith(_HEADS[k], k + 7)
            and counts.isascii()
        ):
            total = sum(counts)
            i = data.find(digit, 7, 7 + k) - 7
            if total > leaf and i >= 0 and counts[i]:
                first += i * hash_size
                return total, k, i, counts[i], data[first : first + hash_size]
    row = _rows(data, b"I", fanout)
    if len(row) != 6 or row[0] != fanout or row[1] != leaf:
        raise ValueError("no inode of this schema")
    at, buckets, counts, hashes = row[2:]
    if at != depth:
        raise ValueError(f"an inode of depth {_shown(at)} in the place of one of depth {depth}")
    if type(buckets) is not bytes or not _is_list(counts) or type(hashes) is not bytes:
        raise ValueError("a column has the wrong type")
    k = len(buckets)
    if len(counts) != k or not k or len(hashes) != k * hash_size:
        raise ValueError("columns of different lengths")
    try:
        total = sum(counts)
    except TypeError:
        raise ValueError("a bucket whose count is no number") from None
    if type(total) is not int or not leaf < total <= _INT64_MAX or min(counts) < 1:
        raise ValueError("counts that no inode has")
    i = buckets.find(digit)
    if i < 0:
        return total, k, -1, 0, b""
    return total, k, i, counts[i], hashes[i * hash_size : (i + 1) * hash_size]


def children(data: bytes, hash_size: int, /) -> tuple[bytes, bytes]:
    """(kinds, joined hashes) of the children of a node or inode, in order; buckets have the kind 0.

    The hashes are the last column, or the last but one with metadata. `data` is canonical: only as much is looked at
    as says where the columns lie. ValueError if it is neither.
    """
    if len(data) > 2 and data[0] == 0x49 and data[1] == 0x96:
        at = 2
        for _ in range(3):  # fan-out, leaf limit and depth, each at most 2 bytes wide here
            at += {0xCC: 2, 0xCD: 3}.get(data[at], 1)
        n = data[at + 1] if data[at] == 0xC4 else int.from_bytes(data[at + 1 : at + 3], "big")
        return bytes(n), data[-n * hash_size :]
    if len(data) > 2 and data[0] == 0x4E and data[1] == 0x93:
        head = data[2]
        n = head & 15 if head < 0xA0 else int.from_bytes(data[3:5] if head == 0xDC else data[3:7], "big")
        if not n:
            return b"", b""
        size = n * hash_size
        # Between the two columns stands the header of the hashes: bin 8, 16 or 32.
        end = len(data) - size - (2 if size < 1 << 8 else 3 if size < 1 << 16 else 5)
        return data[end - n : end], data[-size:]
    row = _rows(data, b"N", _WIDEST + 1)
    return cast("bytes", row[1]), cast("bytes", row[2])


def decode_inode(
    data: bytes, hash_size: int, fanout: int, leaf: int, digits: int, empty: bytes, /
) -> tuple[int, bytes, list[int], bytes]:
    """(depth, buckets, counts, joined hashes) of the inode `data`; ValueError as `decode_node`."""
    row = _rows(data, b"I", fanout)
    if len(row) != 6:
        raise ValueError(f"an array of {len(row)} items, not 6")
    if type(row[0]) is not int or row[0] != fanout or type(row[1]) is not int or row[1] != leaf:
        found = f"fan-out {_shown(row[0])} and leaf limit {_shown(row[1])}"
        raise ValueError(f"{found}, the schema has {fanout} and {leaf}")
    depth, buckets, counts, hashes = row[2:]
    if type(buckets) is not bytes or not _is_list(counts) or type(hashes) is not bytes:
        raise ValueError("a column has the wrong type")
    check_inode(depth, buckets, counts, hashes, hash_size, fanout, leaf, digits, empty)
    if encode_inode(fanout, leaf, depth, buckets, counts, hashes) != data:
        raise ValueError("not the shortest encoding")
    return depth, buckets, counts, hashes


def check_inode(
    depth: int,
    buckets: bytes,
    counts: list[int],
    hashes: bytes,
    hash_size: int,
    fanout: int,
    leaf: int,
    digits: int,
    empty: bytes,
) -> None:
    """Raise ValueError unless a legal inode has these columns, as `decode_inode`."""
    if type(depth) is not int or not 0 <= depth < digits:
        raise ValueError(f"depth {_shown(depth)} out of range")
    k = len(buckets)
    if k < 1 or len(counts) != k or len(hashes) != k * hash_size:
        raise ValueError("columns of different lengths")
    previous = -1
    for digit_ in buckets:
        if not previous < digit_ < fanout:
            raise ValueError("the buckets are not strictly ascending digits")
        previous = digit_
    total = 0
    for count in counts:
        if type(count) is not int or count < 1:
            raise ValueError(f"a bucket whose count is {_shown(count)}")
        total += count
    if not leaf < total <= _INT64_MAX:
        raise ValueError(f"{total} entries, which is no inode's number")
    if empty in hashes and empty in [hashes[i : i + hash_size] for i in range(0, len(hashes), hash_size)]:
        raise ValueError("an empty bucket")


def load_inode(
    data: bytes, hash_size: int, fanout: int, leaf: int, digits: int, empty: bytes, /
) -> tuple[int, bytes, list[int], bytes, bytes]:
    """What `decode_inode` gives for bytes that were checked when they were stored, and those before the hashes.

    As `load_node`.
    """
    row = _rows(data, b"I", fanout)
    if len(row) == 6 and row[0] == fanout and row[1] == leaf:
        depth, buckets, counts, hashes = row[2:]
        if type(depth) is int and type(buckets) is bytes and type(hashes) is bytes and _is_list(counts):
            k, size = len(buckets), len(hashes)
            if 0 <= depth < digits and k == len(counts) and k and size == k * hash_size:
                try:
                    usable = min(counts) > 0 and leaf < sum(counts) <= _INT64_MAX and type(sum(counts)) is int
                except TypeError:
                    raise ValueError("a bucket whose count is no number") from None
                if usable:
                    return depth, buckets, counts, hashes, data[: len(data) - size]
    return *decode_inode(data, hash_size, fanout, leaf, digits, empty), b""


def decode_commit(
    data: bytes, hash_size: int
) -> tuple[bytes, list[bytes], int, str, str, list[tuple[str, bytes]]]:
    """(root, parents, date, author, message, extra) of the commit `data`; ValueError as `decode_node`."""
    if len(data) > MAX_COMMIT:
        raise ValueError(f"{len(data)} bytes, the limit is {MAX_COMMIT}")
    # Only extra is an array, and only then has a commit a sixth item.
    row = _rows(data, b"C", 6 if data[1:2] == b"\x95" else len(data))
    if len(row) not in (5, 6):
        raise ValueError(f"an array of {len(row)} items, not 5 or 6")
    node, joined, date, author, message = row[:5]
    if type(node) is not bytes or len(node) != hash_size:
        raise ValueError("the root is no hash")
    if type(joined) is not bytes or len(joined) % hash_size:
        raise ValueError("the parents are no hashes")
    parents = [joined[i : i + hash_size] for i in range(0, len(joined), hash_size)]
    if len(parents) > MAX_PARENTS or len(set(parents)) != len(parents):
        raise ValueError(f"a parent twice, or more than {MAX_PARENTS} parents")
    if type(date) is not int or not _INT64_MIN <= date <= _INT64_MAX:
        raise ValueError("the date is no signed 64-bit number")
    if type(author) is not str or type(message) is not str:
        raise ValueError("author or message is no str")
    extra: list[tuple[str, bytes]] = []
    columns: list[str | bytes] = []
    if len(row) == 6:
        columns = row[5]
        if not _is_list(columns) or not columns or len(columns) % 2:
            raise ValueError("extra is not a list of keys and values")
        previous = ""
        for key, value in zip(columns[::2], columns[1::2], strict=True):
            if type(key) is not str or type(value) is not bytes:
                raise ValueError("extra with a key that is no str or a value that is no bin")
            if key <= previous:
                raise ValueError("the keys of extra are not strictly ascending")
            previous = key
            extra.append((key, value))
    if encode_commit(node, joined, date, author, message, columns) != data:
        raise ValueError("not the shortest encoding")
    return node, parents, date, author, message, extra


def digit(key: bytes, depth: int, width: int) -> int:
    """Bits [depth·width, (depth+1)·width) of `key`, most significant bit first."""
    if width == 4:
        byte = key[depth >> 1]
        return byte & 15 if depth & 1 else byte >> 4
    if width == 8:
        return key[depth]
    start = depth * width
    at = start >> 3
    # Two bytes hold any digit: it has at most 8 bits, of which the first lies in byte `at`.
    window = int.from_bytes(key[at : at + 2].ljust(2, b"\0"), "big")
    return window >> (16 - width - (start & 7)) & ((1 << width) - 1)


def patch_column(column: bytes, size: int, changes: list[tuple[int, bytes]], /) -> bytes:
    """`column`, of items of `size` bytes, with `item` for its item `i` for each (i, item) in `changes`."""
    if len(changes) == 1:
        i, item = changes[0]
        return column[: i * size] + item + column[(i + 1) * size :]
    out = bytearray(column)
    for i, item in changes:
        out[i * size : (i + 1) * size] = item
    return bytes(out)


def patched(
    head: bytes, hashes: bytes, words: bytes, i: int, hash: bytes, /
) -> tuple[bytes, bytes, bytes, bytes]:
    """(hash, canonical bytes, hashes, words) of a node that gets `hash` for child number `i`; its word is not known.

    The bytes of the node are `head` and `hashes`, of 32 bytes each; `words` may be empty.
    """
    hashes = hashes[: i * 32] + hash + hashes[(i + 1) * 32 :]
    if words:
        words = words[: 8 * i] + _UNKNOWN + words[8 * i + 8 :]
    data = head + hashes
    return digest(data), data, hashes, words


def place(
    record: tuple[Any, ...], recent: Callable[[bytes], tuple[Any, ...] | None], step: str, width: int, /
) -> tuple[Any, int]:
    """(node, position): where `step` stands below the decoded node `record`, whose digits have `width` bits.

    The position is -1 if the step is not there; -2 if the way was followed to that node only, as the next one is not at
    hand (`recent` gives nodes by their hash, or None), has no word, or is not what its parent states.
    """
    key = b""
    while len(record) == 6:
        depth, buckets, counts, hashes, words, _ = record
        if not words or len(counts) != len(buckets) or (depth + 1) * width > 256:
            return record, -2
        key = key or digest(step.encode())
        i = buckets.find(digit(key, depth, width))
        if i < 0:
            return record, -1
        child = recent(hashes[i * 32 : (i + 1) * 32])
        if child is None:
            return record, -2
        if len(child) == 8:
            fits = len(child[1]) == counts[i] and child[7] != 1
        else:
            fits = child[0] == depth + 1 and sum(child[2]) == counts[i]
        if not fits:
            return record, -2
        record = child
    return record, record[0].get(step, -1)
