"""The bytes of slices as a stream, object by object (docs/formats/slice.md): whoever writes or reads them here needs
no memory for more than one object, and may hand a long one on in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol, final

from blake3 import blake3

from .errors import DecodeError, SchemaMismatch, UnsupportedVersion
from .hash import Hash
from .objects import Kind
from .schema import Schema

__all__ = ["BOUND", "BRANCH", "HEAD", "SHALLOW", "Intake", "Limits", "Outlet", "Readable", "Writable"]

MAGIC: Final = b"\x89irmslc\n"
HEAD, BRANCH, SHALLOW, BOUND = 4, 5, 6, 7
"""Frames that hold no object; those of objects bear the number of their kind."""
_END: Final = 0
# Contents, nodes, commits, and what is said about them; what is not here is no frame of that version.
_RANK: Final = {Kind.CONTENTS: 0, Kind.NODE: 1, Kind.COMMIT: 2, HEAD: 3, BRANCH: 4, SHALLOW: 5, BOUND: 6}
_FRAMES: Final = {1: frozenset((1, 2, 3, HEAD)), 2: frozenset(_RANK) - {BOUND}, 3: frozenset(_RANK)}
_NOTES: Final = {HEAD: "head", SHALLOW: "shallow commit", BOUND: "bound"}
_CHUNK: Final = 1 << 20
_DIGEST: Final = 32
_NAME: Final = 1 << 12  # bytes of the name of a branch


class Writable(Protocol):
    """What a slice is written to."""

    def write(self, data: bytes, /) -> object:
        """Write all of `data`."""
        ...


class Readable(Protocol):
    """What a slice is read from."""

    def read(self, n: int, /) -> bytes:
        """At most `n` bytes; fewer than asked for, but not none, before the end."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """What a slice that is read may hold: bytes in all, bytes of one object, objects and heads."""

    total: int = 4 << 30
    object: int = 1 << 30
    objects: int = 1 << 24


class Outlet:
    """Writes one slice to `file`: objects in the order of the format, then heads and `notes`, then `end`.

    `notes`: the tags of what else there may be. The version is the first one that has them all.
    """

    __slots__ = ("_file", "_running", "bytes", "objects")

    def __init__(self, file: Writable, schema: Schema[Any, Any], notes: Iterable[int] = ()) -> None:
        self._file = file
        self._running = blake3()
        self.bytes = 0
        """Written so far."""
        self.objects = 0
        identity = schema.identity
        version = min(version for version, frames in _FRAMES.items() if frames.issuperset(notes))
        self._put(MAGIC + bytes([version, len(identity)]) + identity)

    def _put(self, data: bytes) -> None:
        self._running.update(data)
        self._file.write(data)
        self.bytes += len(data)

    def _begin(self, tag: int, length: int) -> None:
        self._put(bytes([tag]) + length.to_bytes(8, "big"))

    def object(self, kind: Kind, data: bytes) -> None:
        """One object."""
        self._begin(kind, len(data))
        self._put(data)
        self.objects += 1

    def pieces(self, kind: Kind, length: int, pieces: Iterable[bytes]) -> None:
        """One object of `length` bytes; ValueError if `pieces` are another number."""
        self._begin(kind, length)
        before = self.bytes
        for piece in pieces:
            self._put(piece)
        if self.bytes - before != length:
            raise ValueError(f"{self.bytes - before} bytes of an object of {length}")
        self.objects += 1

    def note(self, tag: int, data: bytes) -> None:
        """A head, a shallow commit or a bound, by its hash; a branch, by its hash and its name."""
        self._begin(tag, len(data))
        self._put(data)

    def end(self) -> None:
        """The end: count and digest."""
        self._begin(_END, 8 + _DIGEST)
        self._put(self.objects.to_bytes(8, "big"))
        self._file.write(self._running.digest())
        self.bytes += _DIGEST


class Intake:
    """Reads one slice from `file`, frame by frame: `next`, and then `take` or `read` for its data.

    All raise DecodeError for bytes that are no slice, or one beyond `limits`; the first SchemaMismatch and
    UnsupportedVersion, too. What objects say, and that none comes twice, is for the caller to check.
    """

    __slots__ = (
        "_file",
        "_frames",
        "_left",
        "_limits",
        "_notes",
        "_rank",
        "_running",
        "_schema",
        "at",
        "objects",
    )

    def __init__(self, file: Readable, schema: Schema[Any, Any], limits: Limits) -> None:
        self._file = file
        self._schema = schema
        self._limits = limits
        self._running = blake3()
        self._left = 0  # bytes of the frame that were not taken yet
        self._rank = self._notes = 0
        self.at = 0
        """Bytes read so far."""
        self.objects = 0
        if self._all(len(MAGIC)) != MAGIC:
            raise self.fail("it does not begin as one")
        (version,) = self._all(1)
        if version not in _FRAMES:
            raise UnsupportedVersion("the slice", version, max(_FRAMES))
        self._frames = _FRAMES[version]
        identity = self._all(self._all(1)[0])
        if identity != schema.identity:
            raise SchemaMismatch(schema.describe(), f"a slice of the schema {identity.hex()}")

    def fail(self, reason: str) -> DecodeError:
        """The error for what was read last."""
        return DecodeError("slice", reason, self.at)

    def _piece(self, n: int) -> bytes:
        if self.at + n > self._limits.total:
            raise self.fail(f"more than {self._limits.total} bytes, the limit")
        data = self._file.read(min(n, _CHUNK))
        if not data:
            raise self.fail("it ends too early")
        self.at += len(data)
        self._running.update(data)
        return data

    def _all(self, n: int) -> bytes:
        """The next `n` bytes; memory grows with what arrives, not with what is claimed."""
        if self.at + n > self._limits.total:
            raise self.fail(f"more than {self._limits.total} bytes, the limit")
        parts: list[bytes] = []
        while n:
            parts.append(self._piece(n))
            n -= len(parts[-1])
        return b"".join(parts)

    def _int(self) -> int:
        return int.from_bytes(self._all(8), "big")

    def next(self) -> tuple[int, int] | None:
        """(tag, bytes) of the next frame, the rest of this one being passed over; None after a right end."""
        while self._left:
            self.read(self._left)
        (tag,) = self._all(1)
        length = self._int()
        if tag == _END:
            self._end(length)
            return None
        if self.objects + self._notes >= self._limits.objects:
            raise self.fail(f"more than {self._limits.objects} objects, the limit")
        if tag not in self._frames:
            raise self.fail(f"an unknown frame, {tag}")
        if _RANK[tag] < self._rank:
            name = Kind(tag).name.lower() if tag <= Kind.COMMIT else "frames of another kind"
            raise self.fail(f"{name} after frames that come later")
        self._rank = _RANK[tag]
        if tag > Kind.COMMIT:
            self._check_note(tag, length)
            self._notes += 1
        else:
            if length > self._limits.object:
                raise self.fail(f"an object of {length} bytes, the limit is {self._limits.object}")
            self.objects += 1
        self._left = length
        return tag, length

    def _check_note(self, tag: int, length: int) -> None:
        size = self._schema.codec.hash_size
        if tag == BRANCH:
            if not size < length <= size + _NAME:
                raise self.fail(f"a branch of {length} bytes")
        elif length != size:
            raise self.fail(f"a {_NOTES[tag]} of {length} bytes")

    def take(self) -> bytes:
        """All that is left of the frame."""
        left, self._left = self._left, 0
        return self._all(left)

    def read(self, n: int, /) -> bytes:
        """At most `n` bytes of the frame, and at most 1 MiB; none at its end."""
        if not self._left:
            return b""
        data = self._piece(min(n, self._left))
        self._left -= len(data)
        return data

    def hash(self) -> Hash:
        """The hash that the frame begins with."""
        size = self._schema.codec.hash_size
        self._left -= size
        return Hash(self._all(size))

    def name(self) -> str:
        """What is left of a branch: its name."""
        try:
            return self.take().decode()
        except UnicodeDecodeError:
            raise self.fail("the name of a branch that is not UTF-8") from None

    def _end(self, length: int) -> None:
        if length != 8 + _DIGEST:
            raise self.fail(f"an end of {length} bytes")
        count = self._int()
        if count != self.objects:
            raise self.fail(f"{self.objects} objects where its end states {count}")
        digest = self._running.digest()
        if self._all(_DIGEST) != digest:
            raise self.fail("its digest does not fit its bytes")
