"""The G frame: what garbage collection says of the generation it made (docs/formats/pack-gc.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgpack

from irminpy.errors import Corrupted
from irminpy.fields import NamedTuple

from .frame import GENERATION
from .log import Log

__all__ = ["Generation", "decode_generation", "encode_generation", "generation_at"]

_pack = cast("Callable[[object], bytes]", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]
_unpack = cast("Callable[[bytes], Any]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]


class Generation(NamedTuple):
    """What a G frame says."""

    number: int
    time: int
    """Microseconds since 1970."""
    shallow: list[bytes]
    """The commits at which history ends though others name them as parents, ascending."""


def encode_generation(generation: Generation) -> bytes:
    """The payload of a G frame."""
    return _pack(list(generation))


def decode_generation(payload: bytes) -> Generation:
    """The inverse of `encode_generation`; ValueError for other bytes."""
    try:
        number, time, shallow = _unpack(payload)
        found = Generation(number, time, list(shallow))
    except TypeError:
        raise ValueError("no list of number, time and hashes") from None
    if encode_generation(found) != payload:
        raise ValueError("not what garbage collection writes")
    return found


def generation_at(log: Log, flip: int) -> Generation:
    """What the G frame at the offset `flip` says; Corrupted if there is none. Cost: one read."""
    frame = log.frame(flip)
    reason = "the frame of the generation is not where MANIFEST says"
    if frame is not None and frame.kind == GENERATION:
        try:
            return decode_generation(frame.canonical)
        except ValueError as e:
            reason = f"the frame of the generation is {e}"
    segment = log.table.locate(flip)
    raise Corrupted("the segments" if segment is None else segment.path, flip, None, reason)
