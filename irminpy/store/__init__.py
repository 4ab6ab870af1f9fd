"""Stores: handles on branches, read like trees and written by commits."""

from .read import Status
from .store import Edit, Store, Writing

__all__ = ["Edit", "Status", "Store", "Writing"]
