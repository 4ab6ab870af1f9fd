"""Metadata: what an entry of a directory may carry beside its contents, such as a file mode.

Entries with the default metadata hash and print as if there were none. Directories never carry any.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from irminpy.errors import NotFound
from irminpy.late import late

from .plain import Metadata, NoMetadata

if TYPE_CHECKING:
    from .modes import Mode, Modes
    from .own import Own

__all__ = ["Metadata", "Mode", "Modes", "NoMetadata", "Own", "by_id"]

_WHERE = {"Mode": "modes", "Modes": "modes", "Own": "own"}

if not TYPE_CHECKING:  # with it, checkers would take any name for an attribute
    __getattr__, __dir__ = late(__name__, _WHERE)

# The id of each built-in type, and the name of its class.
_BUILT_IN = {"none": "NoMetadata", "git-mode/1": "Modes"}


def by_id(id: str) -> Metadata[Any]:
    """The built-in type of metadata that is called `id`, such as "none"; NotFound if there is none."""
    name = _BUILT_IN.get(id)
    if name is None:
        raise NotFound("built-in type of metadata", id)
    found: Metadata[Any] = getattr(sys.modules[__name__], name)()
    return found
