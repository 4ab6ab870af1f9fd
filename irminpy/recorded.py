"""From what a store records of its schema back to the schema, for whoever has only the store.

A store records the identity and the description of its schema. The description names formats, hashes, contents and
metadata; those that are built in are found by their names, and the identity proves that nothing else is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import contents, formats, hash, metadata
from .errors import DecodeError, InvalidHash, NotFound, ReadOnly, SchemaMismatch
from .fields import Frozen, frozen
from .schema import Schema

if TYPE_CHECKING:
    from .merge import Conflict, Old

__all__ = ["Raw", "described", "recorded"]


@frozen
class Raw(Frozen):
    """Contents of a type that is not built in, read as the bytes they are stored as, and never written.

    What bytes the type allows is not known here: so none are made, and two versions are never merged.
    """

    __slots__ = ("id",)

    id: str

    def __init__(self, id: str) -> None:
        self._set(id)

    def encode(self, value: bytes, /) -> bytes:
        """Raises ReadOnly."""
        raise ReadOnly(f"a store with contents of type {self.id}, which is not built in,")

    def decode(self, data: bytes, /) -> bytes:
        """`data` itself."""
        return data

    def merge(
        self, old: Old[bytes | None], ours: bytes | None, theirs: bytes | None, /
    ) -> bytes | Conflict | None:
        """One of two equal sides, else a conflict."""
        if ours == theirs:
            return ours
        from .merge import Conflict  # late: who looks at such a store merges nothing

        return Conflict(f"contents of type {self.id} are not known here")


def recorded(description: str, identity: bytes) -> Schema[Any, Any]:
    """The schema with this `identity`, whose `Schema.describe` gave `description`.

    Contents of a type that is not built in are `Raw`. SchemaMismatch, naming the description, if the format, the hash
    or the metadata is not built in, or if what they make together has another identity.
    """
    schema = described(description)
    if schema.identity != identity:
        found = f"{description!r:.200} with the identity {identity.hex()}"
        raise SchemaMismatch(schema.describe(), found)
    return schema


def described(description: str) -> Schema[Any, Any]:
    """The schema of which `Schema.describe` gives `description`, as `recorded`, by the names alone."""
    try:
        return _parsed(description)
    except (DecodeError, NotFound, InvalidHash, ValueError, SchemaMismatch) as e:
        raise SchemaMismatch("a schema of built-in parts", f"{description!r:.200} ({e})") from e


def _parsed(description: str) -> Schema[Any, Any]:
    words = description.split(" ")
    if len(words) < 4:
        raise ValueError("it has not the parts of a schema")
    name, _, version = words[0].rpartition("/")
    function = hash.by_name(words[1])
    parameters = formats.parameters_in(name, words[2:-2])
    at = 2 + len(parameters)
    format = formats.by_name(name, int(version), parameters)
    kind = metadata.by_id(words[-1])
    return Schema(_contents(" ".join(words[at:-1])), metadata=kind, hash=function, format=format)


def _contents(id: str) -> contents.Contents[Any]:
    try:
        return contents.by_id(id)
    except NotFound:
        return Raw(id)
