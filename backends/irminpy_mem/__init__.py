"""The memory backend: dictionaries. It is the reference that other backends are compared with.

`Mapped` makes a store of any mapping from bytes to bytes.
"""

from .mapped import Mapped, MappedBackend
from .memory import Memory, MemoryBackend

__all__ = ["Mapped", "MappedBackend", "Memory", "MemoryBackend"]
