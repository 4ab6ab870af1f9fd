"""What an index was when it was put away, so that a byte changed at rest is found before LMDB maps the file.

LMDB has no checksums: most changed bytes make it answer wrongly, and some make it kill the process. So at close, seal
and flip the length of its file, the number of its newest transaction and the BLAKE3 of the file go into MANIFEST.

A fingerprint holds until somebody writes. Every write transaction therefore first makes durable, in the file
`written` beside the data, the number of the transaction it comes after: fingerprints of that one and of older ones
hold no more, nor do those of another environment that was in this place before. Without it one could not tell a file
whose writer was killed from a damaged one, nor a newer transaction from a changed number.
"""

from __future__ import annotations

import os
import zlib
from struct import Struct

from blake3 import blake3

from irminpy.fields import NamedTuple

from .damage import IndexDamaged, failure
from .environment import DATA
from .files import Files, read_at, write_file

__all__ = ["CHECK", "Fingerprint", "begin", "compare", "holds", "take", "void"]

CHECK = 1 << 30  # bytes; larger files are not hashed unless the caller says so

_WRITTEN = "written"
_RECORD = Struct("<8s8sQI")  # magic, name of the environment, number of a transaction, crc32 of all before
_MAGIC = b"IRMPYIDX"
_PIECE = 1 << 20


class Fingerprint(NamedTuple):
    """What the data file of an index was when `transaction` was its newest."""

    environment: bytes
    """The 8 random bytes that name the environment, so that one made anew in its place is told apart."""
    transaction: int
    """LMDB's number of the transaction."""
    length: int
    """Bytes."""
    digest: bytes
    """BLAKE3-256 of the file; empty if it was too long to be hashed."""


def begin(files: Files, directory: str) -> None:
    """Name the environment that is about to be made in `directory`. Cost: two syncs."""
    _write(files, directory, os.urandom(8), 0)


def void(files: Files, directory: str, transaction: int) -> None:
    """Unless it is so already: from now on, durably, fingerprints up to `transaction` do not hold. Cost: two syncs."""
    environment, newest = _read(files, directory)
    if newest < transaction:
        _write(files, directory, environment, transaction)


def holds(files: Files, directory: str, fingerprint: Fingerprint) -> bool:
    """Whether nobody has begun to write since `fingerprint` was taken. IndexDamaged if that is not to be told."""
    environment, newest = _read(files, directory)
    return environment == fingerprint.environment and newest < fingerprint.transaction


def take(files: Files, directory: str, transaction: int, check: int) -> Fingerprint | None:
    """The fingerprint of the index whose newest transaction is `transaction`; None if somebody is writing to it.

    Files over `check` bytes are not hashed. Cost: one pass over the file, in constant memory.
    """
    environment, _ = _read(files, directory)
    fingerprint = Fingerprint(environment, transaction, *_measure(files, directory, check))
    return fingerprint if holds(files, directory, fingerprint) else None


def compare(files: Files, directory: str, fingerprint: Fingerprint, check: int) -> bool:
    """Whether the data file is exactly what it was; False where that is not known.

    It is not known if there was a write since, and if the file is longer than `check` bytes; then only its length is
    compared. IndexDamaged if there was no write and the file is another. The file is read, never mapped.
    Cost: one pass over it, in constant memory.
    """
    if not holds(files, directory, fingerprint):
        return False
    length, digest = _measure(files, directory, check if fingerprint.digest else -1)
    same = length == fingerprint.length and digest in (b"", fingerprint.digest)
    if same or not holds(files, directory, fingerprint):  # somebody may have begun to write meanwhile
        return same and digest != b""
    found = f"{length} bytes, not {fingerprint.length}" if length != fingerprint.length else "other bytes"
    raise IndexDamaged(directory, f"{DATA} is not what it was when it was put away: it has {found}")


def _measure(files: Files, directory: str, check: int) -> tuple[int, bytes]:
    """Length and digest of the data file; an empty digest if it is longer than `check`."""
    try:
        fd = files.open(os.path.join(directory, DATA), os.O_RDONLY)
        try:
            length = files.size(fd)
            if length > check:
                return length, b""
            hasher = blake3()
            length = 0
            while piece := files.pread(fd, _PIECE, length):
                hasher.update(piece)
                length += len(piece)
            return length, hasher.digest()
        finally:
            files.close(fd)
    except OSError as error:
        raise failure(directory, error) from error


def _write(files: Files, directory: str, environment: bytes, transaction: int) -> None:
    record = _RECORD.pack(_MAGIC, environment, transaction, 0)[:-4]
    try:
        write_file(
            files, os.path.join(directory, _WRITTEN), record + zlib.crc32(record).to_bytes(4, "little")
        )
    except OSError as error:
        raise failure(directory, error) from error


def _read(files: Files, directory: str) -> tuple[bytes, int]:
    """The name of the environment, and the transaction up to which fingerprints do not hold."""
    try:
        fd = files.open(os.path.join(directory, _WRITTEN), os.O_RDONLY)
        try:
            data = read_at(files, fd, _RECORD.size + 1, 0)
        finally:
            files.close(fd)
    except OSError as error:
        raise failure(directory, error) from error
    if len(data) == _RECORD.size:
        magic, environment, transaction, crc = _RECORD.unpack(data)
        if magic == _MAGIC and crc == zlib.crc32(data[:-4]):
            return environment, transaction
    raise IndexDamaged(directory, f"its file {_WRITTEN} is damaged")
