"""The suites that the author of a backend runs (docs/writing-a-backend.md). Needs pytest and hypothesis.

`BackendSuite` is the contract of `irminpy.backend`; `TreeSuite` and `StoreSuite` are what trees and stores owe over a
backend, `SyncSuite` what fetch, pull and push owe between two; `TreeMachine` compares random edits of many trees with
plain dicts, `StoreMachine` the same for branches and commits; `strategies` is what the examples are drawn from.
"""

from .backend import BackendSuite
from .machine import TreeMachine
from .store import StoreSuite
from .store_machine import StoreMachine
from .sync import SyncSuite
from .tree import TreeSuite

__all__ = ["BackendSuite", "StoreMachine", "StoreSuite", "SyncSuite", "TreeMachine", "TreeSuite"]
