"""Entries of a pack of Irmin as they are written: contents, commits, inodes, with addresses instead of hashes.

Source: irmin-pack 3.7, `pack_value.ml`, `inode.ml` (`Compress`); docs/formats/irmin-pack.md says the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from irminpy.errors import DecodeError
from irminpy.objects import CONTENTS, CONTENTS_META, DIRECTORY, Kind

from .cursor import Cursor

__all__ = ["DANGLING", "KINDS", "Address", "Commit", "Row", "Tree", "Values", "commit", "inode", "is_root"]

DANGLING: Final = b"P"
"""The parent of the commit that garbage collection kept: its entry is there, its tree is not."""

KINDS: Final = {
    **dict.fromkeys((b"C", b"D", DANGLING), Kind.COMMIT),
    **dict.fromkeys((b"I", b"N", b"R", b"O"), Kind.NODE),
    b"B": Kind.CONTENTS,
}
SIZED: Final = frozenset((b"B", b"D", b"R", b"O", DANGLING))
"""Kinds whose entries say how long they are."""

Address: TypeAlias = int | bytes
"""Where a child is: its offset; or its hash, to be looked up in the index."""

_KIND_OF: Final = (CONTENTS, CONTENTS_META, DIRECTORY)


@dataclass(frozen=True, slots=True)
class Row:
    """One binding: its step, the kind byte of `irminpy.objects`, the child, the bytes of its metadata."""

    step: bytes
    kind: int
    address: Address
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class Values:
    """An inode that holds bindings."""

    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Tree:
    """An inode of inodes: `children` are (index, where)."""

    depth: int
    length: int
    children: list[tuple[int, Address]]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as it is stored."""

    node: Address
    parents: list[Address]
    date: int
    author: bytes
    message: bytes


ReadMetadata = Callable[[bytes, int], tuple[Any, int]]


def _address(cursor: Cursor, size: int) -> Address:
    tag = cursor.varint()
    if tag == 0:
        return cursor.int63()
    if tag == 1:
        return cursor.take(size)
    raise DecodeError(cursor.what, f"an address of the kind {tag}", cursor.at)


def commit(kind: bytes, cursor: Cursor, size: int) -> Commit:
    """The commit at `cursor`, in an entry of `kind`; hashes have `size` bytes. DecodeError."""
    first = kind == b"C"
    node: Address = cursor.take(size) if first else _address(cursor, size)
    parents: list[Address] = []
    for _ in range(cursor.varint()):
        parents.append(cursor.take(size) if first else _address(cursor, size))  # noqa: PERF401  # it may raise
    date = int.from_bytes(cursor.take(8), "big", signed=True)
    return Commit(node, parents, date, cursor.string(), cursor.string())


def inode(
    cursor: Cursor, size: int, names: Sequence[bytes], read_metadata: ReadMetadata | None
) -> Values | Tree:
    """The inode at `cursor`; `names` are those of the dict. DecodeError."""
    tag = cursor.varint()
    if tag == 0:
        return Values([_row(cursor, size, names, read_metadata) for _ in range(cursor.varint())])
    if tag != 1:
        raise DecodeError(cursor.what, f"an inode of the kind {tag}", cursor.at)
    depth, length = cursor.varint(), cursor.varint()
    children = [(cursor.varint(), _address(cursor, size)) for _ in range(cursor.varint())]
    return Tree(depth, length, children)


def _row(cursor: Cursor, size: int, names: Sequence[bytes], read_metadata: ReadMetadata | None) -> Row:
    tag = cursor.varint()
    if tag > 11:
        raise DecodeError(cursor.what, f"a binding of the kind {tag}", cursor.at)
    if tag < 6:
        number = cursor.varint()
        if number >= len(names):
            raise DecodeError(cursor.what, f"the step {number} of {len(names)} in the dict", cursor.at)
        step = names[number]
    else:
        step = cursor.string()
    address: Address = cursor.int63() if tag % 6 < 3 else cursor.take(size)
    kind, own = _KIND_OF[tag % 3], b""
    if kind == CONTENTS_META:
        if read_metadata is None:
            raise DecodeError(cursor.what, "metadata, which the schema has not", cursor.at)
        _, end = read_metadata(cursor.data, cursor.at)
        own = cursor.take(end - cursor.at)
    return Row(step, kind, address, own)


def is_root(kind: bytes, record: Values | Tree) -> bool:
    """Whether an inode in an entry of `kind` is a directory, not a part of one."""
    if kind in (b"R", b"O"):
        return kind == b"R"
    return record.depth == 0 if isinstance(record, Tree) else kind == b"N"
