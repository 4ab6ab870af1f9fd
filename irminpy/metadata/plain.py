"""What a schema asks of a type of metadata, and the one that most stores have: none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from irminpy.errors import DecodeError
from irminpy.fields import Frozen, frozen

if TYPE_CHECKING:
    from irminpy.merge import Conflict, Old

__all__ = ["Metadata", "NoMetadata"]

M = TypeVar("M")


class Metadata(Protocol[M]):
    """What a schema asks of a type of metadata."""

    @property
    def id(self) -> str:
        """The name, with a version, that stores and proofs record; "none" is taken."""
        ...

    @property
    def default(self) -> M:
        """The metadata of an entry that was given none."""
        ...

    def encode(self, value: M, /) -> bytes:
        """The canonical bytes of `value`: different values give different bytes."""
        ...

    def decode(self, data: bytes, /) -> M:
        """The value whose canonical bytes are `data`; must raise DecodeError for all other bytes."""
        ...

    def merge(self, old: Old[M], ours: M, theirs: M, /) -> M | Conflict:
        """The three-way merge of `ours` and `theirs`."""
        ...


@frozen
class NoMetadata(Frozen):
    """No metadata: the only value is None."""

    __slots__ = ("default", "id")

    id: str
    default: None

    def __init__(self) -> None:
        self._set("none", None)

    def encode(self, value: None, /) -> bytes:
        """No bytes."""
        if value is not None:  # pyright: ignore[reportUnnecessaryComparison]
            raise TypeError(f"this schema has no metadata; None is expected, not {type(value).__name__}")
        return b""

    def decode(self, data: bytes, /) -> None:
        """None, if `data` is empty; DecodeError if not."""
        if data:
            raise DecodeError("metadata of type none", "no bytes are expected", 0)

    def merge(self, old: Old[None], ours: None, theirs: None, /) -> None:
        """None."""
