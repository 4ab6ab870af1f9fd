"""Stores in repositories of Git, which git and irminpy may use at the same time; packs and deltas.

Nothing here needs git, or any library for it.
"""

from .backend import GitBackend
from .deltas import Effort, Entry, Result, S, Z, deltas
from .kinds import Type
from .maker import Git
from .repack import Repacked, repack, verify

__all__ = [
    "Effort",
    "Entry",
    "Git",
    "GitBackend",
    "Repacked",
    "Result",
    "S",
    "Type",
    "Z",
    "deltas",
    "repack",
    "verify",
]
