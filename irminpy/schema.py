"""A schema: what a store's bytes depend on. Contents, metadata, hash and format in one value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import msgpack

from .contents import Bytes
from .errors import DecodeError, SchemaMismatch
from .fields import Frozen, frozen
from .formats.native import Native
from .hash import BLAKE3, Hash
from .metadata import NoMetadata
from .types import C, M

if TYPE_CHECKING:
    from collections.abc import Callable

    from .contents import Contents
    from .formats.format import Codec, Format
    from .hash import HashFunction
    from .metadata import Metadata

__all__ = ["Schema"]

# A constructor's `self` must not name the variables of its class.
C1 = TypeVar("C1")
M1 = TypeVar("M1")

_pack = cast("Callable[[object], bytes]", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]


@frozen
class Schema(Frozen, Generic[C, M]):
    """`Schema(contents=, metadata=, hash=, format=)`: everything a root hash depends on.

    Two stores with equal schemas give one tree one hash, whatever their backends. Schemas are equal when
    their identities are. Raises SchemaMismatch when the hash does not fit the format, and DecodeError for the
    name of a hash, or the id of a type, that is not printable text, or for an own type's id without a version
    (as "invoice/1" has).
    """

    __slots__ = ("__weakref__", "codec", "contents", "format", "hash", "identity", "metadata")

    contents: Contents[C]
    metadata: Metadata[M]
    hash: HashFunction
    format: Format
    codec: Codec
    identity: Hash
    """H("S" + msgpack of all parameters): recorded in stores, slices and proofs."""

    @overload
    def __init__(self: Schema[bytes, None], *, hash: HashFunction = ..., format: Format = ...) -> None: ...
    @overload
    def __init__(
        self: Schema[C1, None], contents: Contents[C1], *, hash: HashFunction = ..., format: Format = ...
    ) -> None: ...
    @overload
    def __init__(
        self: Schema[bytes, M1], *, metadata: Metadata[M1], hash: HashFunction = ..., format: Format = ...
    ) -> None: ...
    @overload
    def __init__(
        self,
        contents: Contents[C],
        *,
        metadata: Metadata[M],
        hash: HashFunction = ...,
        format: Format = ...,
    ) -> None: ...
    def __init__(
        self,
        contents: Contents[Any] | None = None,
        *,
        metadata: Metadata[Any] | None = None,
        hash: HashFunction | None = None,
        format: Format | None = None,
    ) -> None:
        chosen = {
            "contents": contents if contents is not None else Bytes(),
            "metadata": metadata if metadata is not None else NoMetadata(),
            "hash": hash if hash is not None else BLAKE3(),
            "format": format if format is not None else Native(),
        }
        for name, value in chosen.items():
            object.__setattr__(self, name, value)
        _check_name("hash", self.hash.name)
        for what, kind, plain in (
            ("contents", self.contents, isinstance(self.contents, Bytes)),
            ("metadata", self.metadata, isinstance(self.metadata, NoMetadata)),
        ):
            _check_name(what, kind.id)
            # "bytes" and "none" are the ids without a version: no other type may bear them.
            if not plain and not _is_versioned(kind.id):
                reason = (
                    f'the id of a type of {what} ends with its version, as in "invoice/1": {kind.id!r:.80}'
                )
                raise DecodeError("schema", reason)
        object.__setattr__(self, "codec", self.format.bind(self.hash, self.metadata))
        object.__setattr__(self, "identity", Hash(self.hash.digest(b"S" + self._description())))

    def _description(self) -> bytes:
        row: list[str | int | bytes] = [self.format.name, self.format.version, self.hash.name]
        row += [*self.format.parameters, self.contents.id, self.metadata.id]
        row.append(self.metadata.encode(self.metadata.default))
        return _pack(row)

    def describe(self) -> str:
        """One readable line, "native/1 blake3-256 16 32 bytes none"; what SchemaMismatch shows."""
        parts = [f"{self.format.name}/{self.format.version}", self.hash.name]
        parts += [str(p) for p in self.format.parameters]
        return " ".join([*parts, self.contents.id, self.metadata.id])

    def require(self, other: Schema[Any, Any]) -> None:
        """Raise SchemaMismatch unless `other` has the same identity."""
        if other is not self and other.identity != self.identity:
            raise SchemaMismatch(self.describe(), other.describe())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        return f"<Schema {self.describe()}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.contents, self.metadata, self.hash, self.format))


def _check_name(what: str, name: object) -> None:
    if type(name) is not str:
        # `Schema(Json)` for `Schema(Json())` ends here: the `id` of a class is no str.
        raise TypeError(
            f"the name of {what} is a str, not {type(name).__name__}; give an instance, not a class"
        )
    if not name or not name.isprintable():
        raise DecodeError("schema", f"the name of {what} is printable text, not {name!r:.80}")


def _is_versioned(id: str) -> bool:
    name, _, version = id.rpartition("/")
    return bool(name) and version.isascii() and version.isdigit()


def _rebuild(contents: Any, metadata: Any, hash: HashFunction, format: Format) -> Schema[Any, Any]:
    return Schema(contents, metadata=metadata, hash=hash, format=format)
