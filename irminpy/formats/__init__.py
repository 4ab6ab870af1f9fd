"""The formats: what the bytes of a store look like. `Native` is the default."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import NotFound
from .format import Codec, Format
from .git import Git
from .native import FlatNative, Native

__all__ = ["Codec", "FlatNative", "Format", "Git", "Native", "by_name"]

# Name and version to what makes the format of its parameters, in the order of the schema identity.
_BUILT_IN: dict[tuple[str, int], Callable[..., Format]] = {
    (Native().name, Native().version): Native,
    (FlatNative().name, FlatNative().version): FlatNative,
    (Git().name, Git().version): Git,
}


def by_name(name: str, version: int, parameters: tuple[int, ...]) -> Format:
    """The built-in format with this name, version and `parameters`; NotFound if there is none."""
    make = _BUILT_IN.get((name, version))
    if make is not None:
        try:
            return make(*parameters)
        except (TypeError, ValueError):
            pass
    shown = " ".join([f"{name}/{version}", *map(str, parameters)])
    raise NotFound("built-in format", shown)
