"""Trees: immutable values with lazy reads and delayed writes."""

from .concrete import Concrete, ConcreteContents, concrete_of_json, concrete_to_json
from .fold import Depth, Marks, empty_marks
from .stats import Stats
from .tree import Editor, OnConflict, Tree
from .walk import LazyContents

__all__ = [
    "Concrete",
    "ConcreteContents",
    "Depth",
    "Editor",
    "LazyContents",
    "Marks",
    "OnConflict",
    "Stats",
    "Tree",
    "concrete_of_json",
    "concrete_to_json",
    "empty_marks",
]
