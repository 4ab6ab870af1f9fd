"""Msgpack, canonical: bytes of rows, by a packer that is made once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import msgpack

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["packer"]


class _Packer(threading.local):
    """One packer per thread: making one costs more than packing a node does."""

    def __init__(self) -> None:
        self.pack = cast("Callable[[list[Any]], bytes]", msgpack.Packer().pack)  # pyright: ignore[reportUnknownMemberType]


packer = _Packer()
"""`packer.pack(row)`, for any thread."""
