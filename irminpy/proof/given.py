"""The fields of the parts that somebody gives as values: each may be anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import DecodeError, ProofMismatch
from ..metadata import NoMetadata

if TYPE_CHECKING:
    from ..schema import Schema
    from .limits import Limits

__all__ = ["Given"]


class Given:
    """Looks at fields for one schema, within limits; ProofMismatch, with the place, for what they may not be."""

    __slots__ = ("_limits", "_schema", "_size")

    def __init__(self, schema: Schema[Any, Any], limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        self._size = schema.codec.hash_size

    def hash(self, hash_: object, place: str) -> bytes:
        """The bytes of `hash_`."""
        if not isinstance(hash_, bytes) or len(hash_) != self._size:
            raise ProofMismatch(f"bad hash size: {self._size} bytes are expected", place)
        return bytes(hash_)

    def metadata(self, metadata: Any, place: str) -> bytes | None:
        """The bytes of `metadata`; None for the default."""
        kind = self._schema.metadata
        if metadata is None and type(kind) is NoMetadata:
            return None
        try:
            data, default = kind.encode(metadata), kind.encode(kind.default)
        except (TypeError, DecodeError) as e:
            raise ProofMismatch(f"metadata that is none: {e}", place) from e
        return None if data == default else data

    def value(self, value: Any, place: str) -> bytes:
        """The bytes of `value`, as the type of contents has them."""
        try:
            data = self._schema.contents.encode(value)
        except (TypeError, DecodeError) as e:
            raise ProofMismatch(f"contents that are none: {e}", place) from e
        if len(data) > self._limits.contents:
            raise ProofMismatch(f"a value of {len(data)} bytes, the limit is {self._limits.contents}", place)
        return data
