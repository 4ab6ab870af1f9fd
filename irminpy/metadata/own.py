"""Metadata of the caller's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from irminpy.merge import Conflict, Old

__all__ = ["Own"]

M = TypeVar("M")


# No slots: with them, Python 3.11 cannot make a frozen generic dataclass by its subscripted name.
@dataclass(frozen=True)
class Own(Generic[M]):
    """Metadata of the caller's, made of functions; equal by value, and it pickles if the functions do.

    `id` names it with a version ("mode/1"). The functions owe what `Metadata` asks of its
    methods of their names.
    """

    id: str
    default: M
    encode: Callable[[M], bytes]
    decode: Callable[[bytes], M]
    merge: Callable[[Old[M], M, M], M | Conflict]
