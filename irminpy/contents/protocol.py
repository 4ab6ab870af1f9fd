"""What a schema asks of a type of contents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from irminpy.merge import Conflict, Old

C = TypeVar("C")


class Contents(Protocol[C]):
    """A type of contents; one is immutable, equal by value, and free to share between threads."""

    @property
    def id(self) -> str:
        """The name, with a version, that stores and proofs record, such as "json/1"."""
        ...

    def encode(self, value: C, /) -> bytes:
        """The canonical bytes of `value`: different values give different bytes.

        Must raise TypeError for a value of another type, and DecodeError for one that the type cannot hold.
        """
        ...

    def decode(self, data: bytes, /) -> C:
        """The value whose canonical bytes are `data`; must raise DecodeError for all other bytes."""
        ...

    def merge(self, old: Old[C | None], ours: C | None, theirs: C | None, /) -> C | Conflict | None:
        """The three-way merge of `ours` and `theirs`; None stands for "absent", and as a result deletes."""
        ...
