"""Stores: handles on branches, read like trees and written by commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..late import late
from .store import Edit, Store
from .writing import Writing

if TYPE_CHECKING:
    from .status import Status

__all__ = ["Edit", "Status", "Store", "Writing"]

_WHERE = {"Status": "status"}

if not TYPE_CHECKING:  # with it, checkers would take any name for an attribute
    __getattr__, __dir__ = late(__name__, _WHERE)
