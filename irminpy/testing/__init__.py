"""The suites that the author of a backend runs (docs/writing-a-backend.md). Needs pytest and hypothesis.

`BackendSuite` is the contract of `irminpy.backend`, `TreeSuite` what trees owe over a backend, `TreeMachine` random
edits of many trees compared with plain dicts, `StoreMachine` the same
for branches and commits, `strategies` what the examples are drawn from.
"""

from .backend import BackendSuite
from .machine import TreeMachine
from .store_machine import StoreMachine
from .tree import TreeSuite

__all__ = ["BackendSuite", "StoreMachine", "TreeMachine", "TreeSuite"]
