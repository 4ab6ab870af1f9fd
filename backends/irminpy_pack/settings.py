"""How a handle writes."""

from __future__ import annotations

from irminpy.fields import NamedTuple

__all__ = ["Settings"]


class Settings(NamedTuple):
    """How a handle writes."""

    durability: str
    """"full": segments and HEAD are synced; "wal": segments; "none": nothing, but now and then."""
    exclusive: bool
    """LOCK is held as long as the handle is open."""
    timeout: float
    """Seconds to wait for LOCK."""
    seal: int
    """Bytes of a segment beyond which the next batch begins another."""
    linger: float
    """Seconds that a sync may wait for company."""
