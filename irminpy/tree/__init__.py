"""Trees: immutable values with lazy reads and delayed writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..late import late
from .tree import Editor, OnConflict, Tree
from .walk import LazyContents

if TYPE_CHECKING:
    from .concrete import Concrete, ConcreteContents, concrete_of_json, concrete_to_json
    from .fold import Depth, Marks, empty_marks
    from .stats import Stats

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

_WHERE = {
    **dict.fromkeys(("Concrete", "ConcreteContents", "concrete_of_json", "concrete_to_json"), "concrete"),
    **dict.fromkeys(("Depth", "Marks", "empty_marks"), "fold"),
    "Stats": "stats",
}

if not TYPE_CHECKING:  # with it, checkers would take any name for an attribute
    __getattr__, __dir__ = late(__name__, _WHERE)
