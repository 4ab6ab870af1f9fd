"""The two type variables of the package: `C`, what contents are in Python, and `M`, what metadata is."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 13):
    from typing import TypeVar
else:
    from typing_extensions import TypeVar

__all__ = ["C", "M"]

C = TypeVar("C", default=bytes)
M = TypeVar("M", default=None)
