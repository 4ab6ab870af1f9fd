"""The formats: what the bytes of a store look like. `Native` is the default."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import NotFound
from ..late import late
from .format import Codec, Format
from .native import FlatNative, Native

if TYPE_CHECKING:
    from .git import Git
    from .inodes import Custom, Inodes
    from .irmin import Irmin, Irmin2
    from .tezos import Tezos

__all__ = [
    "Codec",
    "Custom",
    "FlatNative",
    "Format",
    "Git",
    "Inodes",
    "Irmin",
    "Irmin2",
    "Native",
    "Tezos",
    "by_name",
    "parameters_in",
]


_WHERE = {
    "Custom": "inodes",
    "Git": "git",
    "Inodes": "inodes",
    "Irmin": "irmin",
    "Irmin2": "irmin",
    "Tezos": "tezos",
}

if not TYPE_CHECKING:  # with it, checkers would take any name for an attribute
    __getattr__, __dir__ = late(__name__, _WHERE)


# Name and version of each built-in format to its class.
_BUILT_IN: dict[tuple[str, int], str] = {
    ("native", 1): "Native",
    ("native-flat", 1): "FlatNative",
    ("git", 1): "Git",
    ("irmin", 3): "Irmin",
    ("irmin", 2): "Irmin2",
    ("tezos", 1): "Tezos",
}

# Formats whose parameters are those of `Inodes`: the last, after two numbers, is a word, the order of the children.
_ORDERED = {"Irmin", "Irmin2", "Tezos"}
_ORDERED_NAMES = {name for (name, _), class_name in _BUILT_IN.items() if class_name in _ORDERED}


def _maker(name: str, version: int) -> Callable[..., Format] | None:
    """What makes the format of its parameters, in the order of the schema identity; None if it is not built in."""
    class_name = _BUILT_IN.get((name, version))
    if class_name is None:
        return None
    make = getattr(sys.modules[__name__], class_name)
    if class_name not in _ORDERED:
        return make  # type: ignore[no-any-return]  # one of the classes above
    from .inodes import Inodes  # late, like the formats that have them

    return lambda *parameters: make(Inodes(*parameters) if parameters else None)


def parameters_in(name: str, words: Sequence[str]) -> tuple[int | str, ...]:
    """The parameters of the format `name` with which `words` begin, as `Schema.describe` writes them."""
    found: list[int | str] = []
    for word in words:
        if not (word.isascii() and word.isdigit()):
            if name in _ORDERED_NAMES and len(found) == 2:
                found.append(word)
            break
        found.append(int(word))
    return tuple(found)


def by_name(name: str, version: int, parameters: tuple[int | str, ...]) -> Format:
    """The built-in format with this name, version and `parameters`; NotFound if there is none.

    So it is for an order of children of the caller's: of that a schema has the name only.
    """
    make = _maker(name, version)
    if make is not None:
        try:
            format = make(*parameters)
            if format.parameters == parameters:  # and nothing was left out
                return format
        except (TypeError, ValueError):
            pass
    shown = " ".join([f"{name}/{version}", *map(str, parameters)])
    raise NotFound("built-in format", shown)
