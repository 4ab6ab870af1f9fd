"""Metadata of any length for the formats of Irmin, which write nothing around them."""

from __future__ import annotations

from irminpy.errors import DecodeError
from irminpy.metadata import Own

__all__ = ["MARKS", "Marks", "decode_marks"]


class Marks(Own[bytes]):
    """Any bytes behind their length, which has one."""

    def read(self, data: bytes, at: int, /) -> tuple[bytes, int]:
        end = at + 1 + data[at] if at < len(data) else 0
        if not 0 < end <= len(data):
            raise DecodeError("marks", "the bytes end within them", at)
        return data[at + 1 : end], end


def decode_marks(data: bytes) -> bytes:
    """The bytes behind the length; DecodeError if that is another."""
    if not data or len(data) != 1 + data[0]:
        raise DecodeError("marks", "no length, or another one", 0)
    return data[1:]


MARKS = Marks(
    "marks/1", b"", lambda mark: bytes([len(mark)]) + mark, decode_marks, lambda old, ours, theirs: ours
)
