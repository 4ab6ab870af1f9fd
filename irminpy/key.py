"""Keys and kinded hashes: what leads to an object, together with what it is.

A key leads to an object of one repository and knows its hash. Where a backend has nothing better, the key is
the hash itself. A kinded hash says whether a tree is a directory or contents, and with which metadata.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from .errors import DecodeError, InvalidHash
from .fields import Frozen, frozen
from .hash import Hash

__all__ = ["Key", "KindedHash", "KindedKey", "hash_of_key"]


class Key(Protocol):
    """Leads to an object. Two keys are equal, ordered and hashed by their hash alone."""

    @property
    def hash(self) -> Hash:
        """The hash of the object."""
        ...


def hash_of_key(key: Hash | Key) -> Hash:
    """The hash of the object that `key` leads to."""
    return key if isinstance(key, Hash) else key.hash


@frozen
class KindedHash(Frozen):
    """The hash of a directory, or of contents together with their metadata; DecodeError for another kind."""

    __slots__ = ("hash", "kind", "metadata")

    kind: str
    """"node" or "contents"."""
    hash: Hash
    metadata: bytes | None
    """Canonical bytes of the metadata type; None for the default and for a directory."""

    def __init__(self, kind: str, hash: Hash, metadata: bytes | None = None) -> None:
        if kind != "node" or metadata is not None:
            _check(kind, metadata)
        # As `_set` does, without the loop: each proof has a few of these.
        set_ = object.__setattr__
        set_(self, "kind", kind)
        set_(self, "hash", hash)
        set_(self, "metadata", metadata)

    def to_json(self) -> dict[str, Any]:
        """`{"node": hex}` or `{"contents": hex}`, with `"metadata": hex` when it is not the default."""
        out: dict[str, Any] = {self.kind: self.hash.hex()}
        if self.metadata is not None:
            out["metadata"] = self.metadata.hex()
        return out

    @staticmethod
    def from_json(value: Any) -> KindedHash:
        """The inverse of `to_json`; DecodeError for anything else."""
        return KindedHash(*_of_json(value))


@frozen
class KindedKey(Frozen):
    """A key with its kind, as `KindedHash`; equal by what their keys are equal by."""

    __slots__ = ("key", "kind", "metadata")

    kind: str
    """"node" or "contents"."""
    key: Hash | Key
    metadata: bytes | None
    """As of `KindedHash`."""

    def __init__(self, kind: str, key: Hash | Key, metadata: bytes | None = None) -> None:
        _check(kind, metadata)
        self._set(kind, key, metadata)

    @property
    def kinded_hash(self) -> KindedHash:
        """The same, by hash."""
        return KindedHash(self.kind, hash_of_key(self.key), self.metadata)

    def to_json(self) -> dict[str, Any]:
        """As `KindedHash.to_json`: keys are portable only as hashes."""
        return self.kinded_hash.to_json()

    @staticmethod
    def from_json(value: Any) -> KindedKey:
        """A key that is the hash itself; DecodeError for anything but what `to_json` gives."""
        return KindedKey(*_of_json(value))


def _check(kind: str, metadata: bytes | None) -> None:
    if kind not in ("node", "contents"):
        raise DecodeError("kinded hash", f"the kind is node or contents, not {kind!r:.40}", None)
    if kind == "node" and metadata is not None:
        raise DecodeError("kinded hash", "a directory has no metadata", None)


def _of_json(value: Any) -> tuple[str, Hash, bytes | None]:
    if not isinstance(value, dict):
        raise DecodeError("kinded hash", f"a JSON object is expected, not {type(value).__name__}", None)
    fields = cast("dict[str, Any]", value)
    for kind in ("node", "contents"):
        if kind in fields and fields.keys() <= {kind, "metadata"}:
            if not all(type(text) is str for text in fields.values()):
                raise DecodeError("kinded hash", "its parts are hexadecimal digits", None)
            try:
                hash_ = Hash.of_hex(fields[kind])
                metadata = bytes(Hash.of_hex(fields["metadata"])) if "metadata" in fields else None
            except InvalidHash as cause:
                raise DecodeError("kinded hash", cause.reason, None) from cause
            return kind, hash_, metadata
    raise DecodeError("kinded hash", "it names neither a node nor contents, or more than that", None)
