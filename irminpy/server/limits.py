"""What a server takes on: sizes, counts and times, checked before anything is made room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..proof import Limits as ProofLimits

__all__ = ["MIB", "Limits"]

MIB: Final = 1 << 20  # bytes
PROOF: Final = ProofLimits(total=4 * MIB, objects=20_000, contents=2 * MIB)


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. What is beyond is refused with 413, 408, 414, 431 or 503."""

    head: int = 16 << 10
    """The request line with all headers."""
    path: int = 8 << 10
    """The target of a request."""
    steps: int = 256
    """Steps of a path."""
    body: int = 8 * MIB
    """A body that is held in memory."""
    upload: int = 1 << 30
    """A body that goes through a file: a value, a slice."""
    depth: int = 64
    """JSON inside JSON."""
    changes: int = 10_000
    """Changes of one batch."""
    page: int = 1000
    """Entries, commits or differences of one answer."""
    proof: ProofLimits = PROOF
    """What a proof may cost."""
    paths: int = 256
    """Paths of one proof."""
    answer: int = 4 * MIB
    """Objects of one answer: it ends with the one that brings it there."""
    subscribers: int = 1000
    """Watches at once."""
    waiting: int = 1024
    """Changes that a watch may be behind; then it is told all branches again."""
    connections: int = 2000
    """Connections at once."""
    head_seconds: float = 10.0
    """For the head of a request to come."""
    seconds: float = 60.0
    """For a request, its body and its answer being made."""
    write_seconds: float = 30.0
    """For the other side to take the next piece of an answer."""
    idle_seconds: int = 15
    """For the next request on a connection."""
    heartbeat: float = 15.0
    """Between signs of life of a watch."""
