"""The format of Tezos: Irmin's first encodings ("V1"), with lengths of 8 bytes, and hashes shown in base58check.

docs/formats/irmin.md. Inodes are those of `formats.irmin`. Source: irmin-tezos 3.7.2, `schema.ml`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..errors import DecodeError, SchemaMismatch
from ..hash import Hash
from ..info import Info
from ..metadata import NoMetadata
from ..objects import CONTENTS, DIRECTORY
from ..path import step_bytes
from ..repr import varint
from .inodes import Inodes
from .irmin import IrminCodec, Row

if TYPE_CHECKING:
    from ..hash import HashFunction
    from ..metadata import Metadata
    from .format import Codec

__all__ = ["Tezos", "TezosCodec", "read_hash", "show_hash"]

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {c: i for i, c in enumerate(_ALPHABET)}
_PREFIX: Final = b"\x4f\xc7"
"""What makes the text of a hash begin with "Co"."""
_SIZE: Final = 32
_TEXT: Final = 52  # characters

_KINDS: Final = {DIRECTORY: bytes(8), CONTENTS: b"\xff" + bytes(7)}
_KIND_OF: Final = {data: kind for kind, data in _KINDS.items()}


def show_hash(hash: bytes) -> str:
    """A hash of 32 bytes in base58check, "Co…", as Tezos prints hashes of contexts."""
    data = _PREFIX + hash
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    n = int.from_bytes(data, "big")
    text = ""
    while n:
        n, digit = divmod(n, 58)
        text = _ALPHABET[digit] + text
    return text


def read_hash(text: str) -> Hash | None:
    """The hash that `show_hash` shows as `text`, or None if there is none: its checksum must hold."""
    if len(text) != _TEXT or not set(text) <= _VALUES.keys():
        return None
    n = 0
    for c in text:
        n = n * 58 + _VALUES[c]
    size = len(_PREFIX) + _SIZE + 4
    if n >> 8 * size:
        return None
    hash_ = n.to_bytes(size, "big")[len(_PREFIX) : -4]
    return Hash(hash_) if show_hash(hash_) == text else None


@dataclass(frozen=True, slots=True)
class Tezos:
    """The bytes of a Tezos context. Its hash is `BLAKE2B(32)`; others of 32 bytes are taken, too.

    Nothing in an object says what it is, as in `Irmin2`. `inodes` are those of Tezos by default; None makes one object
    per directory. No metadata.
    """

    inodes: Inodes | None = field(default_factory=lambda: Inodes(32, 256, "seeded"))

    @property
    def name(self) -> str:
        """The name in the schema identity."""
        return "tezos"

    @property
    def version(self) -> int:
        """The version of the bytes."""
        return 1

    @property
    def parameters(self) -> tuple[int | str, ...]:
        """(entries, stable, order), or nothing without inodes."""
        return () if self.inodes is None else self.inodes.parameters

    def bind(self, hash: HashFunction, metadata: Metadata[Any] | None = None, /) -> Codec:
        """This format with `hash`, whose digests must have 32 bytes; SchemaMismatch otherwise, or for metadata."""
        if hash.size != _SIZE:
            raise SchemaMismatch(
                "a hash of 32 bytes for the tezos format", f"{hash.name} ({hash.size} bytes)"
            )
        if metadata is not None and not isinstance(metadata, NoMetadata):
            raise SchemaMismatch("no metadata for the tezos format", metadata.id)
        return TezosCodec(hash, self.inodes, None, b"", b"", b"")


def _int64(n: int) -> bytes:
    return n.to_bytes(8, "big")


class TezosCodec(IrminCodec):
    """The tezos format bound to a hash function; see `Codec` for the methods."""

    __slots__ = ()

    looks = 0
    """As `Codec`."""

    @property
    def contents_prefix(self) -> bytes | None:
        """None: it is the length of the value."""
        return None

    def show_hash(self, hash: bytes, /) -> str:
        """Base58check, "Co…"."""
        return show_hash(hash)

    def read_hash(self, text: str, /) -> Hash | None:
        """The hash with this base58check or these hexadecimal digits, or None."""
        return read_hash(text) or super().read_hash(text)

    def encode_contents(self, values: list[bytes], /) -> list[bytes]:
        """The length, then the bytes of the contents type."""
        return [_int64(len(value)) + value for value in values]

    def decode_contents(self, data: bytes, /) -> bytes:
        """What follows the length."""
        if len(data) < 8 or int.from_bytes(data[:8], "big") != len(data) - 8:
            raise DecodeError("contents", "the first 8 bytes are not the length of the others", 0)
        return data[8:]

    def _encode_flat(self, steps: list[str], kinds: bytes, hashes: bytes, metadata: list[bytes]) -> bytes:
        size = self.hash_size
        header = _int64(size)
        parts = [_int64(len(steps))]
        for i, step in enumerate(steps):
            name = step_bytes(step)
            parts += (_KINDS[kinds[i]], varint(len(name)), name, header, hashes[i * size : (i + 1) * size])
        return b"".join(parts)

    def _tagged(self) -> bool:
        return True

    def _is_bucket(self, data: bytes) -> bool:
        # The flat form begins with its length in 8 bytes; a bucket has at least one entry.
        return data[1:2] != b"\0"

    def _decode_flat(self, data: bytes) -> list[Row]:
        n, at = self._number(data, 0)
        rows: list[Row] = []
        for _ in range(n):
            kind = _KIND_OF.get(data[at : at + 8])
            if kind is None:
                raise DecodeError("directory", "an unknown kind of entry", at)
            step, at = self._step(data, at + 8)
            hash_, at = self._long_hash(data, at)
            rows.append((step, kind, hash_, b""))
        self._end(data, at)
        self._ascending(rows)
        return rows

    def _number(self, data: bytes, at: int) -> tuple[int, int]:
        if at + 8 > len(data):
            raise DecodeError("object", "the bytes end within a length", at)
        return int.from_bytes(data[at : at + 8], "big"), at + 8

    def _long_hash(self, data: bytes, at: int) -> tuple[bytes, int]:
        size, start = self._number(data, at)
        if size != self.hash_size:
            raise DecodeError("object", f"a hash of {size} bytes, not {self.hash_size}", at)
        return self._hash(data, start)

    def _encode_commit(self, node: bytes, parents: Sequence[bytes], info: Info) -> bytes:
        header = _int64(self.hash_size)
        parts = [header, node, _int64(len(parents))]
        for parent in parents:
            parts += (header, parent)
        parts.append(info.date.to_bytes(8, "big", signed=True))
        for text in (info.author.encode(), info.message.encode()):
            parts += (_int64(len(text)), text)
        return b"".join(parts)

    def _commit_fields(self, data: bytes) -> Iterator[Any]:
        node, at = self._long_hash(data, 0)
        yield node
        n, at = self._number(data, at)
        parents: list[bytes] = []
        for _ in range(n):
            parent, at = self._long_hash(data, at)
            parents.append(parent)
        yield parents
        self._number(data, at)
        yield data[at : at + 8]
        at += 8
        texts: list[bytes] = []
        for _ in range(2):
            n, start = self._number(data, at)
            at = start + n
            if at > len(data):
                raise DecodeError("commit", "the bytes end within author or message", start)
            texts.append(data[start:at])
        self._end(data, at)
        yield from texts
