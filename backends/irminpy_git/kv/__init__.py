"""A branch of a repository of Git as a key-value store in memory: git-kv (docs/git.md, "A key-value store").

It needs the extra `irminpy[git]`, and stands above the library: the backend does not import it.
"""

from ..channel import Transport
from ..rejected import PushRejected
from .changes import Add, Change, Changes, Remove
from .errors import (
    AlreadyPresent,
    DictionaryExpected,
    Diverged,
    Modified,
    NestedChange,
    NotPushed,
    ValueExpected,
)
from .store import Batch, Clean, Dirty, GitKv, connect, of_octets

__all__ = [
    "Add",
    "AlreadyPresent",
    "Batch",
    "Change",
    "Changes",
    "Clean",
    "DictionaryExpected",
    "Dirty",
    "Diverged",
    "GitKv",
    "Modified",
    "NestedChange",
    "NotPushed",
    "PushRejected",
    "Remove",
    "Transport",
    "ValueExpected",
    "connect",
    "of_octets",
]
