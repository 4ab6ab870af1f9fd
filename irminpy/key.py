"""Keys and kinded hashes: what leads to an object, together with what it is.

A key leads to an object of one repository and knows its hash. Where a backend has nothing better, the key is the
hash itself. A kinded hash says whether a tree is a directory or contents, and with which metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from .errors import DecodeError
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


@dataclass(frozen=True, slots=True)
class KindedHash:
    """The hash of a directory, or of contents together with their encoded metadata (`b""` for a directory)."""

    kind: str
    """"node" or "contents"."""
    hash: Hash
    metadata: bytes | None = None
    """Canonical bytes of the metadata type; None for the default and for a directory."""

    def __post_init__(self) -> None:
        if self.kind not in ("node", "contents") or (self.kind == "node" and self.metadata is not None):
            raise DecodeError("kinded hash", f"kind {self.kind!r} with metadata {self.metadata!r}", None)

    def to_json(self) -> dict[str, Any]:
        """`{"node": hex}` or `{"contents": hex}`, with `"metadata": hex` when it is not the default."""
        out: dict[str, Any] = {self.kind: self.hash.hex()}
        if self.metadata is not None:
            out["metadata"] = self.metadata.hex()
        return out

    @staticmethod
    def from_json(value: Any) -> KindedHash:
        """The inverse of `to_json`; DecodeError for anything else."""
        return _of_json(value, KindedHash)


@dataclass(frozen=True, slots=True)
class KindedKey:
    """A key with its kind, as `KindedHash`."""

    kind: str
    key: Hash | Key
    metadata: bytes | None = None

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
        return _of_json(value, KindedKey)


def _of_json(value: Any, make: Any) -> Any:
    if isinstance(value, dict):
        metadata: Any = value.get("metadata")
        for kind in ("node", "contents"):
            text: Any = value.get(kind)
            if isinstance(text, str) and set(value) <= {kind, "metadata"}:
                try:
                    raw = None if metadata is None else bytes.fromhex(metadata)
                except (TypeError, ValueError):
                    raise DecodeError("kinded hash", f"metadata {metadata!r} is no hex", None) from None
                return make(kind, Hash.of_hex(text), raw)
    raise DecodeError("kinded hash", f"{value!r:.80}", None)
