"""The type variables of the package: `C`, what contents are in Python, and `M`, what metadata is.

`C2` and `M2` are the same for static constructors, which may not share the variables of their class.
`R` is what a function of the caller's gives.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 13):
    from typing import TypeVar
else:
    from typing_extensions import TypeVar

__all__ = ["C2", "M2", "C", "M", "R"]

C = TypeVar("C", default=bytes)
M = TypeVar("M", default=None)
C2 = TypeVar("C2", default=bytes)
M2 = TypeVar("M2", default=None)
R = TypeVar("R", default=object)
