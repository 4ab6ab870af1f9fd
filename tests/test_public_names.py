"""The public names. A change here is a change users see, and CHANGELOG.md tells it."""

from __future__ import annotations

import irminpy

NAMES = (
    "Added",
    "BadProof",
    "Closed",
    "Commit",
    "Conflict",
    "Corrupted",
    "DanglingHash",
    "DecodeError",
    "DepthExceeded",
    "Hash",
    "History",
    "Info",
    "InvalidBranch",
    "InvalidHash",
    "InvalidStep",
    "IrminError",
    "KindedHash",
    "KindedKey",
    "Locked",
    "MaxDepthReached",
    "MergeConflict",
    "NoChange",
    "NotAStore",
    "NotFound",
    "PortableValue",
    "Proof",
    "ProofMismatch",
    "PrunedHash",
    "ReadOnly",
    "RefUpdateError",
    "Rejected",
    "RemoteError",
    "Removed",
    "Repo",
    "Schema",
    "SchemaMismatch",
    "StorageError",
    "Store",
    "StreamProof",
    "StreamTooLong",
    "StreamTooShort",
    "TestWas",
    "TooManyLcas",
    "TooManyRetries",
    "Tree",
    "UnsupportedVersion",
    "Updated",
    "contents",
    "dot",
    "errors",
    "formats",
    "hash",
    "merge",
    "metadata",
    "open",
    "proof",
    "sync",
    "verify_commit",
    "verify_proof",
    "verify_stream",
)


def test_the_public_names() -> None:
    assert list(irminpy.__all__) == sorted(irminpy.__all__), "__all__ is sorted"
    assert tuple(irminpy.__all__) == NAMES
    for name in NAMES:
        getattr(irminpy, name)
