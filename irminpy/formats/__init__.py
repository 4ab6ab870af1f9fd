"""The formats: what the bytes of a store look like. `Native` is the default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import NotFound
from .format import Codec, Format
from .git import Git
from .inodes import Custom, Inodes
from .irmin import Irmin, Irmin2
from .native import FlatNative, Native
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


def _with_inodes(make: Callable[[Inodes | None], Format]) -> Callable[..., Format]:
    def made(*parameters: Any) -> Format:
        return make(Inodes(*parameters) if parameters else None)

    return made


# Name and version to what makes the format of its parameters, in the order of the schema identity.
_BUILT_IN: dict[tuple[str, int], Callable[..., Format]] = {
    (Native().name, Native().version): Native,
    (FlatNative().name, FlatNative().version): FlatNative,
    (Git().name, Git().version): Git,
    (Irmin().name, Irmin().version): _with_inodes(Irmin),
    (Irmin2().name, Irmin2().version): _with_inodes(Irmin2),
    (Tezos().name, Tezos().version): _with_inodes(Tezos),
}


# Formats whose last parameter, after two numbers, is a word: the order of the children of an inode.
_ORDERED = {Irmin().name, Irmin2().name, Tezos().name}


def parameters_in(name: str, words: Sequence[str]) -> tuple[int | str, ...]:
    """The parameters of the format `name` with which `words` begin, as `Schema.describe` writes them."""
    found: list[int | str] = []
    for word in words:
        if not (word.isascii() and word.isdigit()):
            if name in _ORDERED and len(found) == 2:
                found.append(word)
            break
        found.append(int(word))
    return tuple(found)


def by_name(name: str, version: int, parameters: tuple[int | str, ...]) -> Format:
    """The built-in format with this name, version and `parameters`; NotFound if there is none.

    So it is for an order of children of the caller's: of that a schema has the name only.
    """
    make = _BUILT_IN.get((name, version))
    if make is not None:
        try:
            format = make(*parameters)
            if format.parameters == parameters:  # and nothing was left out
                return format
        except (TypeError, ValueError):
            pass
    shown = " ".join([f"{name}/{version}", *map(str, parameters)])
    raise NotFound("built-in format", shown)
