"""The native format, version 1: canonical msgpack behind a domain byte (docs/formats/native.md).

The bytes themselves are made in `irminpy._core`; here they are joined with a hash function, typed errors and
the cache of hashed steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .. import core
from ..errors import DecodeError, DepthExceeded, SchemaMismatch
from ..fields import Frozen, frozen
from ..hash import Hash
from ..info import Info
from ..objects import Commit, Inode, Node
from ..path import as_path, check_native_step
from .format import BUCKET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..hash import HashFunction
    from ..metadata import Metadata
    from ..path import PathLike
    from .format import Codec, Load, Sought

__all__ = ["FlatNative", "Native", "NativeCodec"]

_HASHED_STEPS = 1 << 16
_FEW = 32
_MANY = 4096  # steps up to which the hashes of those of whole directories are remembered
_WIDEST = 12  # bits by which directories are split at once
_HASH_SIZE = 32
_NO_LIMIT = 1 << 63
_MAX_STEP = core.MAX_STEP
_HEX = frozenset("0123456789abcdef")


@frozen
class Native(Frozen):
    """The default format. `fanout` (a power of two, 2 to 256) and `leaf` (2 to 256) shape large directories.

    A directory of more than `leaf` entries becomes a tree of inner nodes with at most `fanout` buckets each.
    Raises ValueError for other parameters.
    """

    __slots__ = ("fanout", "leaf")

    fanout: int
    leaf: int

    def __init__(self, fanout: int = 16, leaf: int = 32) -> None:
        # True and 16.0 equal ints, and would make equal formats with other identities.
        if type(fanout) is not int or fanout not in (2, 4, 8, 16, 32, 64, 128, 256):
            raise ValueError(f"fanout {fanout!r}: use a power of two from 2 to 256")
        if type(leaf) is not int or not 2 <= leaf <= 256:
            raise ValueError(f"leaf {leaf!r}: use a number from 2 to 256")
        self._set(fanout, leaf)

    @property
    def name(self) -> str:
        """The name in the schema identity."""
        return "native"

    @property
    def version(self) -> int:
        """The version of the bytes."""
        return 1

    @property
    def parameters(self) -> tuple[int | str, ...]:
        """(fanout, leaf)."""
        return (self.fanout, self.leaf)

    def bind(self, hash: HashFunction, metadata: Metadata[Any] | None = None, /) -> Codec:
        """This format with `hash`, whose digests must have exactly 32 bytes; SchemaMismatch otherwise."""
        return NativeCodec(_fitting(hash), self.fanout, self.leaf)


@frozen
class FlatNative(Frozen):
    """The native bytes with one object per directory, however large.

    Simple to read for other programs, slow for large directories: each change writes the whole directory.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name in the schema identity."""
        return "native-flat"

    @property
    def version(self) -> int:
        """The version of the bytes."""
        return 1

    @property
    def parameters(self) -> tuple[int | str, ...]:
        """None."""
        return ()

    def bind(self, hash: HashFunction, metadata: Metadata[Any] | None = None, /) -> Codec:
        """This format with `hash`, whose digests must have exactly 32 bytes; SchemaMismatch otherwise."""
        return NativeCodec(_fitting(hash), 2, _NO_LIMIT)


def _fitting(hash: HashFunction) -> HashFunction:
    if hash.size != _HASH_SIZE:
        found = f"{hash.name} ({hash.size} bytes)"
        raise SchemaMismatch("a hash of 32 bytes for the native format", found)
    return hash


class NativeCodec:
    """The native format bound to a hash function; see `Codec` for the methods."""

    __slots__ = (
        "_hashed",
        "_width",
        "digest",
        "digest_many",
        "empty",
        "fanout",
        "flat",
        "hash_size",
        "leaf",
        "levels",
        "looks",
        "order",
    )

    contents_prefix: bytes | None = b"B"
    """The domain byte of contents."""

    encode_node = staticmethod(core.encode_node)
    """The bytes of an `N` object."""

    encode_bucket = staticmethod(core.encode_node)
    """The same: one `N` may serve as a directory and as a bucket."""

    encode_nodes = staticmethod(core.encode_nodes)
    """The bytes of many `N` objects."""

    encode_buckets = staticmethod(core.encode_nodes)
    """The same."""

    def __init__(self, hash: HashFunction, fanout: int, leaf: int) -> None:
        self.digest = hash.digest
        self.digest_many = hash.digest_many
        self.hash_size = hash.size
        self.fanout = fanout
        self.leaf = self.flat = leaf
        self._width = fanout.bit_length() - 1
        # The flat shape has no inner node at any depth.
        self.levels = 0 if leaf == _NO_LIMIT else 8 * _HASH_SIZE // self._width
        # In Python the call would cost more than it saves.
        compiled = core.CORE == "c" and hash.digest is core.digest
        self.looks = self._width if compiled and self.levels else 0
        self.empty = hash.digest(core.encode_node([], b"", b"", []))
        self._hashed: dict[str, bytes] = {}
        self.order = None

    def apart(self) -> NativeCodec:
        """The same with a cache of hashed steps of its own, which is empty."""
        codec = NativeCodec.__new__(NativeCodec)
        codec.digest, codec.digest_many, codec.hash_size = self.digest, self.digest_many, self.hash_size
        codec.fanout, codec.leaf, codec.flat = self.fanout, self.leaf, self.flat
        codec._width, codec.levels, codec.empty, codec.looks = (
            self._width,
            self.levels,
            self.empty,
            self.looks,
        )
        codec._hashed = {}
        codec.order = None
        return codec

    def steps(self, path: PathLike, /) -> list[str]:
        """The legal steps of `path`, in a new list."""
        if type(path) is str:
            steps = path.split("/")
            if "" in steps:
                steps = [step for step in steps if step]
            # ASCII has no surrogates, and a short path has no long step: one look at the whole is enough.
            if path.isascii() and "\0" not in path and len(path) <= _MAX_STEP:
                return steps
        else:
            if path == ():
                return []
            steps = list(as_path(path))
            # As above: that no step is empty or holds a slash is seen by how many slashes there are, and where.
            joined = f"/{'/'.join(steps)}/"
            if (
                joined.isascii()
                and joined.count("/") == len(steps) + 1
                and "//" not in joined
                and "\0" not in joined
                and len(joined) <= _MAX_STEP
            ):
                return steps
        for step in steps:
            check_native_step(step)
        return steps

    def _key(self, step: str) -> bytes:
        key = self._hashed.get(step)
        if key is None:
            if len(self._hashed) >= _HASHED_STEPS:
                self._hashed.clear()
            key = self._hashed[step] = self.digest(step.encode())
        return key

    def _too_deep(self, step: str) -> DepthExceeded:
        reason = f"more than {self.leaf} steps agree in all {self.levels} digits of their hash"
        return DepthExceeded(step, reason)

    def digit(self, step: str, depth: int, /) -> int:
        """Digit `depth` of the hash of `step`."""
        key = self._hashed.get(step) or self._key(step)
        width = self._width
        if depth < self.levels:  # as `core.digit`, without the call
            if width == 4:
                return key[depth >> 1] & 15 if depth & 1 else key[depth >> 1] >> 4
            if width == 1:
                return key[depth >> 3] >> (7 - (depth & 7)) & 1
            return core.digit(key, depth, width)
        raise self._too_deep(step)

    def bucket_of(self, load: Load, record: Inode, step: str, /) -> Node | Inode | None:
        """Down the inner nodes, as far as the core goes at once."""
        key = self._hashed.get(step) or self._key(step)
        found: Node | Inode | None = core.bucket_of(record, key, self._width, load, Node, Inode)
        return found

    def keys(self, steps: list[str], /) -> list[bytes]:
        """The hashes of the steps, from which all digits are taken."""
        if len(steps) <= _FEW:
            return [self._key(step) for step in steps]
        known = self._hashed
        if steps[0] in known:
            # Directories beside each other often have the same steps.
            found = [*map(known.get, steps)]
            if all(found):
                return cast("list[bytes]", found)
        keys = self.digest_many([step.encode() for step in steps])
        if (
            len(known) + len(steps) <= _MANY
        ):  # where steps are new each time, remembering them costs and gives nothing
            known.update(zip(steps, keys, strict=True))
        return keys

    def split(
        self, steps: list[str], keys: list[bytes], rows: Sequence[int], depth: int, levels: int = 1, /
    ) -> list[list[int]]:
        """The `rows` by the digits of their keys at `depth` and below."""
        if depth >= self.levels:
            if rows:
                raise self._too_deep(steps[rows[0]])
            return []
        width = self._width
        at, skip = divmod(depth * width, 8)
        # All digits lie in two bytes, which one expression reads; and an empty group costs something, too.
        levels = min(levels, max(1, min(_WIDEST, 16 - skip) // width), self.levels - depth)
        groups: list[list[int]] = [[] for _ in range(self.fanout**levels)]
        bits = width * levels
        if skip + bits <= 8:
            shift, mask = 8 - skip - bits, (1 << bits) - 1
            for row in rows:
                groups[keys[row][at] >> shift & mask].append(row)
        elif at + 1 < self.hash_size:
            shift, mask = 16 - skip - bits, (1 << bits) - 1
            for row in rows:
                key = keys[row]
                groups[(key[at] << 8 | key[at + 1]) >> shift & mask].append(row)
        else:
            for row in rows:
                groups[core.digit(keys[row], depth, width)].append(row)
        return groups

    def encode_contents(self, values: list[bytes], /) -> list[bytes]:
        """A domain byte, then the bytes of the contents type."""
        return [b"B" + value for value in values]

    def decode_contents(self, data: bytes, /) -> bytes:
        """What follows the domain byte."""
        if data[:1] != b"B":
            raise DecodeError("contents", f"the domain byte is {data[:1].hex() or 'missing'}, not 42", 0)
        return data[1:]

    def encode_inode(self, depth: int, buckets: bytes, counts: list[int], hashes: bytes, /) -> bytes:
        """The bytes of an `I` object."""
        return core.encode_inode(self.fanout, self.leaf, depth, buckets, counts, hashes)

    def children(self, data: bytes, /) -> tuple[bytes, bytes]:
        """The last columns, found without decoding the others."""
        return core.children(data, self.hash_size)

    def parents(self, given: Sequence[Hash], /) -> tuple[Hash, ...]:
        """The parents in the order given, each once."""
        return tuple(dict.fromkeys(given))

    def show_hash(self, hash: bytes, /) -> str:
        """Hexadecimal digits."""
        return hash.hex()

    def read_hash(self, text: str, /) -> Hash | None:
        """The hash whose hexadecimal digits are `text`, or None."""
        if len(text) != 2 * self.hash_size or set(text) - _HEX:
            return None
        return Hash.of_hex(text)

    def decode_node(self, data: bytes, /) -> Node | Inode:
        """The `N` or `I` object with the bytes `data`."""
        try:
            if data[:1] != b"I":
                return Node(*core.decode_node(data, self.hash_size, self.leaf, self.empty))
            if not self.levels:
                raise ValueError("an inner node, which this format does not have")
            parameters = (self.fanout, self.leaf, self.levels, self.empty)
            return Inode(*core.decode_inode(data, self.hash_size, *parameters))
        except ValueError as e:
            raise DecodeError("directory", str(e), None) from None

    def made_node(
        self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes]
    ) -> tuple[bytes, Node]:
        """The bytes of the `N` object with these columns, and the object; DecodeError if no directory has them."""
        try:
            index, found = core.check_node(
                steps, kinds, hashes, metadata or None, self.hash_size, self.leaf, self.empty
            )
        except ValueError as e:
            raise DecodeError("directory", str(e), None) from None
        return core.encode_node(steps, kinds, hashes, metadata), Node(index, kinds, hashes, found)

    def made_inode(self, depth: int, buckets: bytes, counts: list[int], hashes: bytes) -> tuple[bytes, Inode]:
        """As `made_node`, of an `I` object."""
        try:
            if not self.levels:
                raise ValueError("an inner node, which this format does not have")
            parameters = (self.hash_size, self.fanout, self.leaf, self.levels, self.empty)
            core.check_inode(depth, buckets, counts, hashes, *parameters)
        except ValueError as e:
            raise DecodeError("directory", str(e), None) from None
        return self.encode_inode(depth, buckets, counts, hashes), Inode(depth, buckets, counts, hashes)

    def load_node(self, data: bytes, words: bytes = b"", /) -> Node | Inode:
        """The `N` or `I` object with the bytes `data`, which were checked when they were stored."""
        try:
            if data[:1] != b"I":
                index, kinds, hashes, metadata, head = core.load_node(
                    data, self.hash_size, self.leaf, self.empty
                )
                if words and len(words) != 8 * len(kinds):
                    raise ValueError(f"{len(kinds)} children with {len(words) / 8:g} words")
                return Node(index, kinds, hashes, metadata, words, head)
            if not self.levels:
                raise ValueError("an inner node, which this format does not have")
            depth, buckets, counts, hashes, head = core.load_inode(
                data, self.hash_size, self.fanout, self.leaf, self.levels, self.empty
            )
            if words and len(words) != 8 * len(buckets):
                raise ValueError(f"{len(buckets)} children with {len(words) / 8:g} words")
            return Inode(depth, buckets, counts, hashes, words, head)
        except ValueError as e:
            raise DecodeError("directory", str(e), None) from None

    def seek(self, data: bytes, words: bytes, step: str, depth: int, count: int, /) -> Sought | None:
        """What `step` leads to in the `N` or `I` object with the bytes `data`; see `Seeking`."""
        try:
            if data[:1] != b"I":
                n, i, kind, hash_ = core.seek_node(data, self.hash_size, self.leaf, step)
                columns, below = n, 0
            else:
                if not self.levels:
                    raise ValueError("an inner node, which this format does not have")
                n, columns, i, below, hash_ = core.seek_inode(
                    data, self.hash_size, self.fanout, self.leaf, depth, self.digit(step, depth)
                )
                kind = BUCKET
        except ValueError as e:
            raise DecodeError("directory", str(e), None) from None
        if count >= 0 and n != count:
            raise DecodeError("directory", f"a bucket of {n} entries where its parent states {count}", None)
        if words and len(words) != columns << 3:
            raise DecodeError("directory", f"{columns} children with {len(words) / 8:g} words", None)
        if i < 0:
            return None
        return kind, hash_, int.from_bytes(words[8 * i : 8 * i + 8], "little"), below

    def encode_commit(self, commit: Commit, /) -> bytes:
        """The bytes of a `C` object; DecodeError for a commit that the format cannot hold."""
        info = commit.info
        if len(commit.parents) > core.MAX_PARENTS:
            reason = f"{len(commit.parents)} parents, the limit is {core.MAX_PARENTS}"
            raise DecodeError("commit", reason, None)
        for hash_ in (commit.node, *commit.parents):
            if len(hash_) != self.hash_size:
                raise DecodeError("commit", f"a hash of {len(hash_)} bytes, not {self.hash_size}", None)
        extra: list[str | bytes] = []
        for key, value in info.extra:
            extra += [key, value]
        data = core.encode_commit(
            bytes(commit.node), b"".join(commit.parents), info.date, info.author, info.message, extra
        )
        if len(data) > core.MAX_COMMIT:
            raise DecodeError("commit", f"{len(data)} bytes, the limit is {core.MAX_COMMIT}", None)
        return data

    def decode_commit(self, data: bytes, /) -> Commit:
        """The commit with the bytes `data`."""
        try:
            node, parents, date, author, message, extra = core.decode_commit(data, self.hash_size)
        except ValueError as e:
            raise DecodeError("commit", str(e), None) from None
        return Commit(Hash(node), tuple(map(Hash, parents)), Info(date, author, message, tuple(extra)))
