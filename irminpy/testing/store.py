"""`StoreSuite`: what repositories, branches and stores owe over a backend."""

from __future__ import annotations

from .store_heads import HeadSuite
from .store_streams import StreamSuite
from .store_threads import ThreadSuite
from .store_writes import WriteSuite

__all__ = ["StoreSuite"]


class StoreSuite(WriteSuite, HeadSuite, ThreadSuite, StreamSuite):
    """Stores over a backend. A subclass overrides the fixture `maker`, and may override `schema` (of bytes).

    `reopens`: whether two opens of one maker give the same store. `increments`: how often each of sixteen
    threads counts.
    """
