"""Stores: handles on branches, read like trees and written by commits."""

from .read import Status
from .store import Edit, Store
from .writing import Writing

__all__ = ["Edit", "Status", "Store", "Writing"]
