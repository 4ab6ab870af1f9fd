"""Commits as part of a proof: who trusts the hash of a commit gets the root of its tree from the commit's bytes."""

from __future__ import annotations

from typing import Any

from ..errors import DecodeError, ProofMismatch
from ..hash import Hash
from ..info import Info
from ..schema import Schema

__all__ = ["VerifiedCommit", "verify_commit"]


class VerifiedCommit:
    """A commit whose bytes have the hash that somebody trusts. Immutable; equal by hash."""

    __slots__ = ("_hash", "_info", "_parents", "_tree_hash")

    def __init__(self, hash: Hash, tree_hash: Hash, parents: tuple[Hash, ...], info: Info) -> None:
        self._hash = hash
        self._tree_hash = tree_hash
        self._parents = parents
        self._info = info

    @property
    def hash(self) -> Hash:
        """The hash of the commit."""
        return self._hash

    @property
    def tree_hash(self) -> Hash:
        """The hash of its root directory: what `verify_proof` takes as `root`."""
        return self._tree_hash

    @property
    def parents(self) -> tuple[Hash, ...]:
        """The hashes of its parents."""
        return self._parents

    @property
    def info(self) -> Info:
        """When, who, why."""
        return self._info

    def __eq__(self, other: object) -> bool:
        return self._hash == other._hash if isinstance(other, VerifiedCommit) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._hash)

    def __repr__(self) -> str:
        return f"<VerifiedCommit {self._hash.short()}>"


def verify_commit(raw: bytes, schema: Schema[Any, Any], *, hash: bytes) -> VerifiedCommit:
    """The commit with the canonical bytes `raw`, which must have the `hash` that the caller trusts.

    `commit.to_bytes()` gives the bytes. ProofMismatch for another hash, and for bytes that are no commit of `schema`.
    """
    if not isinstance(schema, Schema):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a schema is expected, not {type(schema).__name__}")
    for what, value in (("a commit", raw), ("hash", hash)):
        if not isinstance(value, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{what} is given as bytes, not {type(value).__name__}")
    codec = schema.codec
    trusted = Hash.of_bytes(bytes(hash), codec.hash_size)
    found = codec.digest(raw)
    if found != trusted:
        n = 16 if found[:8] != trusted[:8] else None  # digits to tell them apart
        raise ProofMismatch(
            f"commit mismatch: these bytes hash to {found.hex()[:n]}, not to {trusted.hex()[:n]}"
        )
    try:
        val = codec.decode_commit(raw)
    except DecodeError as e:
        raise ProofMismatch(f"kind mismatch: what has this hash is no commit: {e}") from e
    return VerifiedCommit(trusted, val.node, val.parents, val.info)
