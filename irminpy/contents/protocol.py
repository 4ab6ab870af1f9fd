"""What a schema asks of a type of contents, and the way to bring one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

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


# No slots: with them, Python 3.11 cannot make a frozen generic dataclass by its subscripted name.
@dataclass(frozen=True)
class Own(Generic[C]):
    """Contents of the caller's, made of functions; equal by value, and it pickles if the functions do.

    `id` names it with a version ("invoice/1"). The functions owe what `Contents` asks of the methods
    of their names.
    """

    id: str
    encode: Callable[[C], bytes]
    decode: Callable[[bytes], C]
    merge: Callable[[Old[C | None], C | None, C | None], C | Conflict | None]
