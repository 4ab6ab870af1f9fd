"""The type variables of the package: `C`, what contents are in Python, and `M`, what metadata is.

`C2` and `M2` are the same for static constructors, which may not share the variables of their class.
`R` is what a function of the caller's gives.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import TypeVar
elif sys.version_info >= (3, 13):
    from typing import TypeVar
else:
    import typing

    def TypeVar(name: str, *, default: object) -> Any:
        """A variable with a default, as of Python 3.13. `typing_extensions` has it too, and takes longer to import than
        our trees (docs/decisions/082).
        """
        variable = typing.TypeVar(name)
        variable.__default__ = default
        variable.__typing_prepare_subst__ = _filled
        return variable

    def _filled(alias: Any, given: Sequence[Any]) -> tuple[Any, ...]:
        """What `alias` is given in its brackets, and the defaults of what it is not; `typing` asks for it."""
        rest = [
            variable for variable in alias.__parameters__[len(given) :] if hasattr(variable, "__default__")
        ]
        return (*given, *[variable.__default__ for variable in rest])


__all__ = ["C2", "M2", "C", "M", "R"]

C = TypeVar("C", default=bytes)
M = TypeVar("M", default=None)
C2 = TypeVar("C2", default=bytes)
M2 = TypeVar("M2", default=None)
R = TypeVar("R", default=object)
