"""Contents: the values at the leaves of a tree, their canonical bytes, and how they merge."""

from __future__ import annotations

from irminpy.contents.plain import Bytes
from irminpy.contents.protocol import Contents, Own

__all__ = ["Bytes", "Contents", "Own"]
