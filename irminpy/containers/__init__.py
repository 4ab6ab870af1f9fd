"""Mergeable containers: values that branches change for themselves and that merge without conflicts.

Each is a type of contents for a schema, and a small class over a store and a path.

>>> import irminpy
>>> from irminpy import containers, contents
>>> with irminpy.open("mem:", irminpy.Schema(contents.Counter())) as repo:
...     visits = containers.Counter(repo.main(), "visits")
...     commit = visits.inc(3)
...     visits.read()
3
"""

from __future__ import annotations

from .blob_log import BlobLog, BlobLogContents
from .counter import Counter
from .linked_log import Cursor, LinkedLog, LinkedLogContents
from .lww import LwwContents, LwwRegister
from .stamp import Clock, Stamped, machine_clock

__all__ = [
    "BlobLog",
    "BlobLogContents",
    "Clock",
    "Counter",
    "Cursor",
    "LinkedLog",
    "LinkedLogContents",
    "LwwContents",
    "LwwRegister",
    "Stamped",
    "machine_clock",
]
