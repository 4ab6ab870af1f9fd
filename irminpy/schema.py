"""A schema: what a store's bytes depend on. Contents, metadata, hash and format in one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, cast, overload

import msgpack

from .contents import Bytes, Contents
from .errors import SchemaMismatch
from .formats.format import Codec, Format
from .formats.native import Native
from .hash import BLAKE3, Hash, HashFunction
from .metadata import Metadata, NoMetadata
from .types import C, M

__all__ = ["Schema"]


@dataclass(frozen=True, init=False, repr=False)
class Schema(Generic[C, M]):
    """`Schema(contents=, metadata=, hash=, format=)`: everything a root hash depends on.

    Two stores with equal schemas give one tree one hash, whatever their backends. Schemas are equal when their
    identities are. Raises SchemaMismatch when the hash does not fit the format.
    """

    contents: Contents[C]
    metadata: Metadata[M]
    hash: HashFunction
    format: Format
    codec: Codec = field(compare=False)
    identity: Hash = field(compare=False)
    """H("S" + msgpack of all parameters): recorded in stores, slices and proofs."""

    @overload
    def __init__(
        self: Schema[bytes, None], *, hash: HashFunction = ..., format: Format = ...
    ) -> None: ...
    @overload
    def __init__(
        self: Schema[C, None], contents: Contents[C], *, hash: HashFunction = ..., format: Format = ...
    ) -> None: ...
    @overload
    def __init__(
        self: Schema[bytes, M], *, metadata: Metadata[M], hash: HashFunction = ..., format: Format = ...
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
        object.__setattr__(self, "codec", self.format.bind(self.hash))
        object.__setattr__(self, "identity", Hash(self.hash.digest(b"S" + self._description())))

    def _description(self) -> bytes:
        row: list[str | int | bytes] = [self.format.name, self.format.version, self.hash.name]
        row += [*self.format.parameters, self.contents.id, self.metadata.id]
        row.append(self.metadata.encode(self.metadata.default))
        return cast(bytes, msgpack.packb(row))

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
        return isinstance(other, Schema) and self.identity == cast("Schema[Any, Any]", other).identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        return f"<Schema {self.describe()}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.contents, self.metadata, self.hash, self.format))


def _rebuild(contents: Any, metadata: Any, hash: HashFunction, format: Format) -> Schema[Any, Any]:
    return Schema(contents, metadata=metadata, hash=hash, format=format)
