"""irminpy: a content-addressed, versioned, branchable tree store.

>>> import irminpy
>>> repo = irminpy.open("mem:")
>>> main = repo.main()
>>> commit = main.set("theme/name", b"dark", message="pick a theme")
>>> main.get("theme/name")
b'dark'
>>> work = main.clone("work")
>>> commit = work.set("theme/font", b"serif", message="add a font")
>>> commit = main.merge_with_branch("work", message="merge work")
>>> sorted(main.tree().get_tree("theme"))
['font', 'name']
>>> [commit.info.message for commit in main.log()]
['add a font', 'pick a theme']
>>> repo.close()
"""

from typing import TYPE_CHECKING

from .late import late

if TYPE_CHECKING:
    from . import contents, dot, errors, formats, hash, merge, metadata, proof, sync
    from .commit import Commit
    from .diff import Added, Removed, Updated
    from .errors import (
        BadProof,
        Closed,
        Corrupted,
        DanglingHash,
        DecodeError,
        DepthExceeded,
        InvalidBranch,
        InvalidHash,
        InvalidStep,
        IrminError,
        Locked,
        MaxDepthReached,
        MergeConflict,
        NoChange,
        NotAStore,
        NotFound,
        PortableValue,
        ProofMismatch,
        PrunedHash,
        ReadOnly,
        RefUpdateError,
        Rejected,
        RemoteError,
        SchemaMismatch,
        StorageError,
        StreamTooLong,
        StreamTooShort,
        TestWas,
        TooManyLcas,
        TooManyRetries,
        UnsupportedVersion,
    )
    from .hash import Hash
    from .history import History
    from .info import Info
    from .key import KindedHash, KindedKey
    from .merge import Conflict
    from .proof import Proof, StreamProof, verify_commit, verify_proof, verify_stream
    from .repo import Repo, open
    from .schema import Schema
    from .store import Store
    from .tree import Tree

__all__ = [
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
]

# The module of each name: the same as above, as a test checks.
_WHERE = {
    "Commit": "commit",
    "Added": "diff",
    "Removed": "diff",
    "Updated": "diff",
    "BadProof": "errors",
    "Closed": "errors",
    "Corrupted": "errors",
    "DanglingHash": "errors",
    "DecodeError": "errors",
    "DepthExceeded": "errors",
    "InvalidBranch": "errors",
    "InvalidHash": "errors",
    "InvalidStep": "errors",
    "IrminError": "errors",
    "Locked": "errors",
    "MaxDepthReached": "errors",
    "MergeConflict": "errors",
    "NoChange": "errors",
    "NotAStore": "errors",
    "NotFound": "errors",
    "PortableValue": "errors",
    "ProofMismatch": "errors",
    "PrunedHash": "errors",
    "ReadOnly": "errors",
    "RefUpdateError": "errors",
    "Rejected": "errors",
    "RemoteError": "errors",
    "SchemaMismatch": "errors",
    "StorageError": "errors",
    "StreamTooLong": "errors",
    "StreamTooShort": "errors",
    "TestWas": "errors",
    "TooManyLcas": "errors",
    "TooManyRetries": "errors",
    "UnsupportedVersion": "errors",
    "Hash": "hash",
    "History": "history",
    "Info": "info",
    "KindedHash": "key",
    "KindedKey": "key",
    "Conflict": "merge",
    "Proof": "proof",
    "StreamProof": "proof",
    "verify_commit": "proof",
    "verify_proof": "proof",
    "verify_stream": "proof",
    "Repo": "repo",
    "open": "repo",
    "Schema": "schema",
    "Store": "store",
    "Tree": "tree",
}

if not TYPE_CHECKING:  # with it, checkers would take any name for an attribute
    __getattr__, __dir__ = late(__name__, _WHERE)
