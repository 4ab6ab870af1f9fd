"""The memory backend: dictionaries. It is the reference that other backends are compared with."""

from .memory import Memory, MemoryBackend

__all__ = ["Memory", "MemoryBackend"]
