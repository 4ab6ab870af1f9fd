"""Stores in repositories of Git, which git and irminpy may use at the same time; packs and deltas.

Nothing here needs git, or any library for it, but remotes: they are in `irminpy_git.remote`, which needs the extra
`irminpy[git]`, and the key-value store over them in `irminpy_git.kv`.
"""

from .backend import GitBackend
from .channel import Transport
from .deltas import Effort, Entry, Result, S, Z, deltas
from .kinds import Type
from .maker import Git
from .rejected import PushRejected
from .repack import Repacked, repack, verify

__all__ = [
    "Effort",
    "Entry",
    "Git",
    "GitBackend",
    "PushRejected",
    "Repacked",
    "Result",
    "S",
    "Transport",
    "Type",
    "Z",
    "deltas",
    "repack",
    "verify",
]
