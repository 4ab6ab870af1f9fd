"""The public names and the error tree. A change here is a change users see; CHANGELOG.md tells it."""

from __future__ import annotations

import irminpy
from irminpy import errors

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
    "Info",
    "InvalidBranch",
    "InvalidHash",
    "InvalidStep",
    "IrminError",
    "Locked",
    "MaxDepthReached",
    "MergeConflict",
    "NoChange",
    "NotAStore",
    "NotFound",
    "PortableValue",
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
    "StreamTooLong",
    "StreamTooShort",
    "TestWas",
    "TooManyLcas",
    "TooManyRetries",
    "Tree",
    "UnsupportedVersion",
    "Updated",
    "contents",
    "formats",
    "hash",
    "open",
)

ERRORS = """
IrminError (Exception)
  BadProof
    ProofMismatch
    StreamTooLong
    StreamTooShort
  DanglingHash
  DecodeError (ValueError)
  InvalidBranch (ValueError)
  InvalidHash (ValueError)
  InvalidStep (ValueError)
    DepthExceeded
  MergeConflict
  NotFound (KeyError)
  PortableValue
  PrunedHash
  RefUpdateError
    MaxDepthReached
    NoChange
    Rejected
    TooManyLcas
    TooManyRetries
  RemoteError
  SchemaMismatch
  StorageError
    Closed
    Corrupted
    Locked
    NotAStore
    ReadOnly
    UnsupportedVersion
  TestWas
"""


def drawn(error: type[BaseException], depth: int = 0) -> list[str]:
    """The classes of irminpy.errors at and below `error`, indented, with the bases from outside the tree."""
    outside = [base.__name__ for base in error.__bases__ if base.__module__ == "builtins"]
    lines = ["  " * depth + error.__name__ + (f" ({', '.join(outside)})" if outside else "")]
    for below in sorted(error.__subclasses__(), key=lambda cls: cls.__name__):
        if below.__module__ == errors.__name__:
            lines += drawn(below, depth + 1)
    return lines


def test_the_error_tree() -> None:
    assert "\n".join(drawn(errors.IrminError)) == ERRORS.strip()


def test_the_public_names() -> None:
    assert list(irminpy.__all__) == sorted(irminpy.__all__), "__all__ is sorted"
    assert tuple(irminpy.__all__) == NAMES
    for name in NAMES:
        getattr(irminpy, name)
