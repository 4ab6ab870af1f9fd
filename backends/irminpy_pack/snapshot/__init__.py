"""Snapshots: a store, or one commit of it, as a slice (docs/formats/slice.md), and a store made from one.

Both ways in bounded memory: what is to go is marked as garbage collection marks, and read in the order of the log, in
which children lie before their parents; what comes is written as garbage collection writes a generation.
"""

from __future__ import annotations

from .export import Exported, export
from .restore import Restored, restore

__all__ = ["Exported", "Restored", "export", "restore"]
