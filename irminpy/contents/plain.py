"""Contents that are one piece: bytes, text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from irminpy.errors import DecodeError
from irminpy.fields import Frozen, frozen

if TYPE_CHECKING:
    from irminpy.merge import Conflict, Merge, Old


@frozen
class Bytes(Frozen):
    """Bytes, stored as they are; a merge takes what both sides agree on, or the side that changed."""

    __slots__ = ("id",)

    id: str

    def __init__(self) -> None:
        self._set("bytes")

    def encode(self, value: bytes, /) -> bytes:
        """`value` itself; TypeError if it is not bytes."""
        if type(value) is bytes:
            return value
        if isinstance(value, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            return bytes(value)
        raise TypeError(f"contents of type bytes are bytes, not {type(value).__name__}; wrap it in bytes()")

    def decode(self, data: bytes, /) -> bytes:
        """`data` itself."""
        return data

    def merge(
        self, old: Old[bytes | None], ours: bytes | None, theirs: bytes | None, /
    ) -> bytes | Conflict | None:
        """What both sides agree on, or the side that changed."""
        from irminpy.merge import idempotent  # late: most programs merge nothing

        merge: Merge[bytes | None] = idempotent()
        return merge(old, ours, theirs)


@frozen
class String(Frozen):
    """Text, stored as UTF-8; a merge takes what both sides agree on, or the side that changed."""

    __slots__ = ("id",)

    id: str

    def __init__(self) -> None:
        self._set("string/1")

    def encode(self, value: str, /) -> bytes:
        """The UTF-8 of `value`; TypeError if it is not a str, DecodeError if it holds a surrogate."""
        if type(value) is not str:
            raise TypeError(f"contents of type string/1 are str, not {type(value).__name__}")
        try:
            return value.encode()
        except UnicodeEncodeError as cause:
            reason = f"{value[cause.start : cause.end]!r} is a surrogate, which no UTF-8 stands for"
            raise DecodeError("value of string/1", reason) from cause

    def decode(self, data: bytes, /) -> str:
        """The text whose UTF-8 is `data`; DecodeError if it is not UTF-8."""
        try:
            return data.decode()
        except UnicodeDecodeError as cause:
            raise DecodeError("string/1", "it is not UTF-8", cause.start) from cause

    def merge(self, old: Old[str | None], ours: str | None, theirs: str | None, /) -> str | Conflict | None:
        """What both sides agree on, or the side that changed."""
        from irminpy.merge import idempotent  # late, as above

        merge: Merge[str | None] = idempotent()
        return merge(old, ours, theirs)
