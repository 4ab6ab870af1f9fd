"""Names of a package that are imported when they are asked for: a program pays for what it uses (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

__all__ = ["late", "module"]


@cache
def module(name: str) -> Any:
    """The module with the full `name`, imported when it is first asked for; then quicker than the statement is."""
    return import_module(name)


def late(package: str, where: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of `package`: `where` says for each name in which of its modules it is.

    A module of the package is an attribute too, as it would be if all were imported. A name is looked up once.
    """
    names = vars(sys.modules[package])

    def getattr_(name: str) -> Any:
        place = where.get(name)
        if place is not None:
            value = names[name] = getattr(import_module(f"{package}.{place}"), name)
            return value
        if not name.startswith("_"):
            whole = f"{package}.{name}"
            try:
                return import_module(whole)
            except ModuleNotFoundError as e:
                if e.name != whole:
                    raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def dir_() -> list[str]:
        return sorted({*names, *where})

    return getattr_, dir_
