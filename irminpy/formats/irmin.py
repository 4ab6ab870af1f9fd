"""The formats of Irmin: the bytes that Irmin 3 hashes (`Irmin`) and those that Irmin 2 did (`Irmin2`).

docs/formats/irmin.md says what they are. An object is what Irmin feeds to the hash function, its pre-image, so that
its hash is the hash of the bytes that are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from ..errors import DecodeError, InvalidStep, SchemaMismatch
from ..hash import Hash
from ..info import Info
from ..metadata import NoMetadata
from ..objects import BUCKET, CONTENTS_META, DIRECTORY, ROOT, Commit, Inode, Kind, Node
from ..path import as_path, step_bytes, step_of_bytes
from ..repr import read_varint, varint
from .format import encode_each
from .inodes import Digits, Inodes, NoDigits, digits_of

if TYPE_CHECKING:
    from ..hash import HashFunction
    from ..metadata import Metadata
    from ..path import PathLike
    from .format import Codec, Load

__all__ = ["Delimited", "Irmin", "Irmin2", "IrminCodec"]

_NO_LIMIT: Final = 1 << 62
_MAX_COMMIT: Final = 16 << 20

Row = tuple[str, int, bytes, bytes]
"""Step, kind, hash, metadata (b"" for none) of one entry."""


@runtime_checkable
class Delimited(Protocol):
    """What these formats ask of metadata beside `Metadata`: nothing is written around it, so it tells its own end."""

    def read(self, data: bytes, at: int, /) -> tuple[Any, int]:
        """(value, where it ends) of the metadata whose canonical bytes begin at `at`; DecodeError if none do.

        Nothing but these bytes may matter: they are the same metadata wherever they stand, whatever follows them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Irmin:
    """The bytes of Irmin 3: contents, nodes and commits begin with "B", "N" and "C".

    `inodes` is the configuration of an irmin-pack store; None for stores that have one object per directory, as
    irmin-mem and irmin-fs do. Metadata, if the schema has any, must be `Delimited`.
    """

    inodes: Inodes | None = field(default_factory=Inodes)

    @property
    def name(self) -> str:
        """The name in the schema identity."""
        return "irmin"

    @property
    def version(self) -> int:
        """The version of the bytes: that of Irmin."""
        return 3

    @property
    def parameters(self) -> tuple[int | str, ...]:
        """(entries, stable, order), or nothing without inodes."""
        return () if self.inodes is None else self.inodes.parameters

    def bind(self, hash: HashFunction, metadata: Metadata[Any] | None = None, /) -> Codec:
        """This format with any `hash`; SchemaMismatch for metadata that is not `Delimited`."""
        return IrminCodec(hash, self.inodes, metadata, b"B", b"N", b"C")


@dataclass(frozen=True, slots=True)
class Irmin2:
    """The bytes of Irmin 2, and of `String_v2`, `Make_v2` in Irmin 3: nothing says what an object is.

    Contents can be written that equal a directory or a commit; kinds come from references, so that nothing is
    mistaken. `inodes` as in `Irmin`.
    """

    inodes: Inodes | None = field(default_factory=Inodes)

    @property
    def name(self) -> str:
        """The name in the schema identity."""
        return "irmin"

    @property
    def version(self) -> int:
        """The version of the bytes: that of Irmin."""
        return 2

    @property
    def parameters(self) -> tuple[int | str, ...]:
        """(entries, stable, order), or nothing without inodes."""
        return () if self.inodes is None else self.inodes.parameters

    def bind(self, hash: HashFunction, metadata: Metadata[Any] | None = None, /) -> Codec:
        """This format with any `hash`; SchemaMismatch for metadata that is not `Delimited`."""
        return IrminCodec(hash, self.inodes, metadata, b"", b"", b"")


class IrminCodec:
    """A format of Irmin bound to a hash function; see `Codec` for the methods.

    The flat form of a directory and commits are those of Irmin 2 and 3; `formats.tezos` has others. Inodes are the
    same in all.
    """

    __slots__ = (
        *(
            "_commit",
            "_contents",
            "_digits",
            "_node",
            "_read_metadata",
            "_default",
            "digit",
            "digest",
            "digest_many",
        ),
        *("empty", "fanout", "flat", "hash_size", "keys", "leaf", "levels", "split", "stable"),
    )

    def __init__(
        self,
        hash: HashFunction,
        inodes: Inodes | None,
        metadata: Metadata[Any] | None,
        contents: bytes,
        node: bytes,
        commit: bytes,
    ) -> None:
        self.digest = hash.digest
        self.digest_many = hash.digest_many
        self.hash_size = hash.size
        self._contents, self._node, self._commit = contents, node, commit
        digits: Digits = NoDigits() if inodes is None else digits_of(inodes, hash)
        self.levels = digits.levels
        self.digit, self.keys, self.split = digits.digit, digits.keys, digits.split
        self.fanout = 2 if inodes is None else inodes.entries
        self.leaf = _NO_LIMIT if inodes is None else inodes.entries
        self.stable = _NO_LIMIT if inodes is None else inodes.stable
        """The most entries of a directory in the flat form."""
        self.flat = max(self.leaf, self.stable)
        self._read_metadata: Callable[[bytes, int], tuple[Any, int]] | None = None
        self._default = b""
        if metadata is not None and not isinstance(metadata, NoMetadata):
            if not isinstance(metadata, Delimited):
                raise SchemaMismatch("metadata that tell where they end (with `read`)", metadata.id)
            self._read_metadata = metadata.read
            self._default = metadata.encode(metadata.default)
        self.empty = hash.digest(self.encode_node([], b"", b"", []))

    @property
    def order(self) -> Callable[[str], bytes] | None:
        """The bytes of a step."""
        return step_bytes

    looks = 0
    """As `Codec`."""

    @property
    def contents_prefix(self) -> bytes | None:
        """What comes before every value."""
        return self._contents

    def bucket_of(self, load: Load, record: Inode, step: str, /) -> Node | Inode | None:
        """Digits are not always those of a hash, and counts not always there: nothing is done at once."""
        return record

    def show_hash(self, hash: bytes, /) -> str:
        """Hexadecimal digits."""
        return hash.hex()

    def read_hash(self, text: str, /) -> Hash | None:
        """The hash whose hexadecimal digits are `text`, or None."""
        if len(text) != 2 * self.hash_size or set(text) - set("0123456789abcdef"):
            return None
        return Hash.of_hex(text)

    def steps(self, path: PathLike, /) -> list[str]:
        """The steps of `path`: any bytes."""
        steps = list(as_path(path))
        for step in steps:
            if not step.isascii():
                step_bytes(step)
        return steps

    def parents(self, given: Sequence[Hash], /) -> tuple[Hash, ...]:
        """The parents in the order of their bytes, those that are there twice as often as that."""
        return tuple(sorted(given))

    def domain(self, kind: Kind, /) -> bytes:
        """What stands before all objects of `kind`; Irmin stores what follows it."""
        return self._contents if kind is Kind.CONTENTS else self._node if kind is Kind.NODE else self._commit

    # -- contents ----------------------------------------------------------------------------------------------

    def encode_contents(self, values: list[bytes], /) -> list[bytes]:
        """The prefix, then the bytes of the contents type."""
        prefix = self._contents
        return [prefix + value for value in values] if prefix else values

    def decode_contents(self, data: bytes, /) -> bytes:
        """What follows the prefix."""
        prefix = self._contents
        if not data.startswith(prefix):
            raise DecodeError("contents", f"it begins with {data[:1].hex() or 'nothing'}, not 42", 0)
        return data[len(prefix) :]

    # -- directories -------------------------------------------------------------------------------------------

    def encode_node(self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], /) -> bytes:
        """The flat form of a directory of at most `stable` entries, else the form of a bucket."""
        if len(steps) > self.stable and steps:
            return self.encode_bucket(steps, kinds, hashes, metadata)
        data = self._encode_flat(steps, kinds, hashes, metadata)
        # INVARIANT: bytes are of one node only. Without prefixes, one step of some 300 bytes can make others.
        if len(steps) == 1 and data[0] == 1 and self._is_tree(data):
            raise InvalidStep(
                steps[0], "the bytes of a directory with this step alone are those of an inode, too"
            )
        return data

    def _encode_flat(self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes]) -> bytes:
        size = self.hash_size
        rest = len(metadata)
        parts: list[bytes] = []
        for i in range(len(steps) - 1, -1, -1):
            name = step_bytes(steps[i])
            own = b""
            if kinds[i] == CONTENTS_META:
                rest -= 1
                own = metadata[rest]
            parts += (kinds[i : i + 1], own, varint(len(name)), name, hashes[i * size : (i + 1) * size])
        return b"".join([self._node, varint(len(steps)), *parts])

    def encode_bucket(self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], /) -> bytes:
        """Irmin's `Values`: the entries by step, ascending."""
        size = self.hash_size
        own = iter(metadata)
        parts: list[bytes] = [b"\0", varint(len(steps))]
        for i, step in enumerate(steps):
            name = step_bytes(step)
            parts += (varint(len(name)), name, kinds[i : i + 1], hashes[i * size : (i + 1) * size])
            if kinds[i] == CONTENTS_META:
                parts.append(next(own))
        return b"".join(parts)

    def encode_nodes(
        self, steps: list[list[str]], kinds: bytes, hashes: list[bytes], metadata: Mapping[str, bytes], /
    ) -> list[bytes]:
        """`encode_node`, one by one."""
        return encode_each(self.encode_node, steps, kinds, hashes, metadata)

    def encode_buckets(
        self, steps: list[list[str]], kinds: bytes, hashes: list[bytes], metadata: Mapping[str, bytes], /
    ) -> list[bytes]:
        """`encode_bucket`, one by one."""
        return encode_each(self.encode_bucket, steps, kinds, hashes, metadata)

    def encode_inode(self, depth: int, buckets: bytes, counts: list[int], hashes: bytes, /) -> bytes:
        """Irmin's `Tree`: of the counts only their sum is written."""
        size = self.hash_size
        parts = [b"\1", varint(depth), varint(sum(counts)), varint(len(buckets))]
        for i, bucket in enumerate(buckets):
            parts += (varint(bucket), hashes[i * size : (i + 1) * size])
        return b"".join(parts)

    def made_node(
        self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes], bucket: bool, /
    ) -> tuple[bytes, Node | Inode]:
        """The bytes of a directory or a bucket, and what `decode_node` gives for them: its errors, too."""
        data = (self.encode_bucket if bucket else self.encode_node)(steps, kinds, hashes, metadata)
        n = len(steps)
        listed = bucket or n > self.stable
        if metadata or not 1 <= n <= (self.leaf if listed else self.stable) or self.empty in hashes:
            return data, self.decode_node(data)
        place = 0 if not self.levels else ROOT if not listed else BUCKET if n <= self.stable else 0
        return data, Node(dict(zip(steps, range(n), strict=True)), kinds, hashes, {}, place=place)

    def made_inode(
        self, depth: int, buckets: bytes, count: int, hashes: bytes, /
    ) -> tuple[bytes, Node | Inode]:
        """As `made_node`, of an inode with `count` entries; `buckets` are ascending and less than `fanout`."""
        data = self.encode_inode(depth, buckets, [count], hashes)
        if depth >= self.levels or count <= (self.leaf if depth else self.flat) or not buckets:
            return data, self.decode_node(data)
        return data, Inode(depth, buckets, [count], hashes)

    def decode_node(self, data: bytes, /) -> Node | Inode:
        """The directory or inode with the bytes `data`."""
        first = data[:1]
        if first == b"\1" and self.levels and (self._tagged() or self._is_tree(data)):
            return self._decode_tree(data)
        if first == b"\0" and self.levels and self._is_bucket(data):
            return self._decode_bucket(data)
        rows, place = self._decode_flat(data), ROOT if self.levels else 0
        if len(rows) > self.stable:
            raise DecodeError(
                "directory", f"{len(rows)} entries in the flat form, the limit is {self.stable}"
            )
        return self._node_of(rows, place)

    def load_node(self, data: bytes, words: bytes = b"", /) -> Node | Inode:
        """`decode_node` with the `words` of the children."""
        record = self.decode_node(data)
        if not words:
            return record
        n = len(record.buckets if type(record) is Inode else record.kinds)
        if len(words) != 8 * n:
            raise DecodeError("directory", f"{n} children with {len(words) / 8:g} words")
        return record.located(words)

    def children(self, data: bytes, /) -> tuple[bytes, bytes]:
        """The kinds and the hashes of all children."""
        record = self.decode_node(data)
        return (bytes(len(record.buckets)) if type(record) is Inode else record.kinds), record.hashes

    def _tagged(self) -> bool:
        """Whether the flat form never begins with the 01 of an inode."""
        return bool(self._node)

    def _is_bucket(self, data: bytes) -> bool:
        """Whether `data`, which begin with 00, are a bucket: only the empty directory has these bytes, too."""
        return len(data) > 1

    def _is_tree(self, data: bytes) -> bool:
        if not self.levels:
            return False
        try:
            self._decode_tree(data)
        except DecodeError:
            return False
        return True

    def _decode_flat(self, data: bytes) -> list[Row]:
        """The entries, ascending."""
        prefix = self._node
        if not data.startswith(prefix):
            raise DecodeError(
                "directory", f"it begins with {data[:1].hex() or 'nothing'}, not {prefix.hex()}", 0
            )
        n, at = read_varint(data, len(prefix))
        rows: list[Row] = []
        for _ in range(n):
            kind, own = data[at : at + 1], b""
            if kind not in (b"\0", b"\1", b"\2"):
                raise DecodeError("directory", f"an unknown kind of entry, {kind.hex() or 'missing'}", at)
            at += 1
            if kind == b"\2":
                own, at = self._metadata(data, at)
            step, at = self._step(data, at)
            hash_, at = self._hash(data, at)
            rows.append((step, kind[0], hash_, own))
        self._end(data, at)
        rows.reverse()
        self._ascending(rows)
        return rows

    def _decode_bucket(self, data: bytes) -> Node:
        n, at = read_varint(data, 1)
        if not 1 <= n <= self.leaf:
            raise DecodeError("bucket", f"{n} entries, 1 to {self.leaf} are allowed", 1)
        rows: list[Row] = []
        for _ in range(n):
            step, at = self._step(data, at)
            kind, own = data[at : at + 1], b""
            if kind not in (b"\0", b"\1", b"\2"):
                raise DecodeError("bucket", f"an unknown kind of entry, {kind.hex() or 'missing'}", at)
            hash_, at = self._hash(data, at + 1)
            if kind == b"\2":
                own, at = self._metadata(data, at)
            rows.append((step, kind[0], hash_, own))
        self._end(data, at)
        self._ascending(rows)
        return self._node_of(rows, BUCKET if n <= self.stable else 0)

    def _decode_tree(self, data: bytes) -> Inode:
        depth, at = read_varint(data, 1)
        total, at = read_varint(data, at)
        n, at = read_varint(data, at)
        if depth >= self.levels:
            raise DecodeError("inode", f"depth {depth}, {self.levels} are allowed", 1)
        if total <= (self.leaf if depth else self.flat):
            raise DecodeError("inode", f"{total} entries at depth {depth}, which is no inode's number", 1)
        if not 1 <= n <= self.fanout:
            raise DecodeError("inode", f"{n} buckets, 1 to {self.fanout} are allowed", at)
        buckets = bytearray()
        hashes: list[bytes] = []
        for _ in range(n):
            start = at
            bucket, at = read_varint(data, at)
            if bucket >= self.fanout or (buckets and bucket <= buckets[-1]):
                raise DecodeError("inode", "the buckets are not ascending numbers", start)
            hash_, at = self._hash(data, at)
            buckets.append(bucket)
            hashes.append(hash_)
        self._end(data, at)
        return Inode(depth, bytes(buckets), [total], b"".join(hashes))

    def _node_of(self, rows: list[Row], place: int) -> Node:
        index = {row[0]: i for i, row in enumerate(rows)}
        kinds = bytes([row[1] for row in rows])
        metadata = {i: row[3] for i, row in enumerate(rows) if row[1] == CONTENTS_META}
        empty = self.empty
        for step, kind, hash_, _ in rows:
            if kind == DIRECTORY and hash_ == empty:
                raise DecodeError("directory", f"the empty directory under {step!r:.80}")
        return Node(index, kinds, b"".join([row[2] for row in rows]), metadata, place=place)

    def _ascending(self, rows: list[Row]) -> None:
        before = None
        for row in rows:
            name = step_bytes(row[0])
            if before is not None and before >= name:
                raise DecodeError("directory", f"the step {row[0]!r:.80} out of order, or there twice")
            before = name

    def _step(self, data: bytes, at: int) -> tuple[str, int]:
        n, start = read_varint(data, at)
        end = start + n
        if end > len(data):
            raise DecodeError("directory", "the bytes end within a step", at)
        return step_of_bytes(data[start:end]), end

    def _hash(self, data: bytes, at: int) -> tuple[bytes, int]:
        end = at + self.hash_size
        if end > len(data):
            raise DecodeError("object", "the bytes end within a hash", at)
        return data[at:end], end

    def _metadata(self, data: bytes, at: int) -> tuple[bytes, int]:
        if self._read_metadata is None:
            raise DecodeError("directory", "an entry with metadata, which this schema has not", at)
        _, end = self._read_metadata(data, at)
        if data[at:end] == self._default:
            raise DecodeError("directory", "the default metadata, which is not written", at)
        return data[at:end], end

    def _end(self, data: bytes, at: int) -> None:
        if at != len(data):
            raise DecodeError("object", f"{len(data) - at} bytes too many", at)

    # -- commits -----------------------------------------------------------------------------------------------

    def encode_commit(self, commit: Commit, /) -> bytes:
        """The bytes of `commit`, its parents sorted; DecodeError for one that Irmin cannot hold."""
        info = commit.info
        if info.extra:
            raise DecodeError("commit", "commits of Irmin hold nothing extra; leave it out")
        for hash_ in (commit.node, *commit.parents):
            if len(hash_) != self.hash_size:
                raise DecodeError("commit", f"a hash of {len(hash_)} bytes, not {self.hash_size}")
        data = self._encode_commit(commit.node, sorted(commit.parents), info)
        if len(data) > _MAX_COMMIT:
            raise DecodeError("commit", f"{len(data)} bytes, the limit is {_MAX_COMMIT}")
        return data

    def _encode_commit(self, node: bytes, parents: Sequence[bytes], info: Info) -> bytes:
        author, message = info.author.encode(), info.message.encode()
        head = (self._commit, node, varint(len(parents)), *parents, info.date.to_bytes(8, "big", signed=True))
        return b"".join((*head, varint(len(author)), author, varint(len(message)), message))

    def decode_commit(self, data: bytes, /) -> Commit:
        """The commit with the bytes `data`."""
        if len(data) > _MAX_COMMIT:
            raise DecodeError("commit", f"{len(data)} bytes, the limit is {_MAX_COMMIT}")
        fields = self._commit_fields(data)
        node = Hash(next(fields))
        parents = tuple(map(Hash, next(fields)))
        if list(parents) != sorted(parents):
            raise DecodeError("commit", "the parents are not in order")
        date = int.from_bytes(next(fields), "big", signed=True)
        try:
            author, message = next(fields).decode(), next(fields).decode()
        except UnicodeDecodeError as e:
            raise DecodeError("commit", "the author or the message is not UTF-8") from e
        return Commit.stored(node, parents, Info(date, author, message))

    def _commit_fields(self, data: bytes) -> Iterator[Any]:
        """The root, the parents, the date in 8 bytes, author and message; nothing comes after."""
        prefix = self._commit
        if not data.startswith(prefix):
            raise DecodeError(
                "commit", f"it begins with {data[:1].hex() or 'nothing'}, not {prefix.hex()}", 0
            )
        node, at = self._hash(data, len(prefix))
        yield node
        n, at = read_varint(data, at)
        parents: list[bytes] = []
        for _ in range(n):
            parent, at = self._hash(data, at)
            parents.append(parent)
        yield parents
        if at + 8 > len(data):
            raise DecodeError("commit", "the bytes end within the date", at)
        yield data[at : at + 8]
        at += 8
        texts: list[bytes] = []
        for _ in range(2):
            n, start = read_varint(data, at)
            at = start + n
            if at > len(data):
                raise DecodeError("commit", "the bytes end within author or message", start)
            texts.append(data[start:at])
        self._end(data, at)
        yield from texts
