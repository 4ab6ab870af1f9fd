"""Contents of the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from irminpy.merge import Conflict, Old

__all__ = ["Own"]

C = TypeVar("C")


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
