"""Time stamps: a value with the moment it was written, in nanoseconds since 1970, and the clocks that tell it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from ..errors import DecodeError

T = TypeVar("T")

Clock: TypeAlias = Callable[[], int]
"""Tells the time in nanoseconds since 1970; `time.time_ns` is one."""

machine_clock: Clock = time.time_ns


# No slots: with them, Python 3.11 cannot make a frozen generic dataclass by its subscripted name.
@dataclass(frozen=True)
class Stamped(Generic[T]):
    """A `value` and when it was written."""

    value: T
    timestamp: int


def after(clock: Clock, newest: int | None) -> int:
    """The time now, but later than `newest`: a clock that stands still or was set back changes no order."""
    now = clock()
    return now if newest is None else max(now, newest + 1)


def check(what: str, timestamp: object) -> int:
    """`timestamp`, if it is a signed 64-bit number; TypeError or DecodeError about `what` otherwise."""
    if type(timestamp) is not int:
        raise TypeError(f"a time stamp is an int, not {type(timestamp).__name__}")
    if not -(1 << 63) <= timestamp < 1 << 63:
        raise DecodeError(what, f"the time stamp {hex(timestamp)[:24]} is not a signed 64-bit number")
    return timestamp


def parts(value: object) -> list[Any]:
    """`value`, which was decoded, if it is a list; else an empty one."""
    return value if type(value) is list else []  # pyright: ignore[reportUnknownVariableType]
