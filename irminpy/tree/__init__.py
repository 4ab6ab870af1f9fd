"""Trees: immutable values with lazy reads and delayed writes."""

from .tree import Editor, Tree

__all__ = ["Editor", "Tree"]
