"""Names of branches: the rules of Git's references, so that every branch can live in a Git repository too."""

from __future__ import annotations

from functools import lru_cache

from irminpy.errors import InvalidBranch

MAIN = "main"
MAX_BYTES = 1024

_SHORT = 64  # characters
_FORBIDDEN = frozenset([*map(chr, range(0x21)), *"\x7f~^:?*[\\"])


def check(name: str) -> str:
    """`name`, if a branch may have it; InvalidBranch, saying which rule it breaks, if not."""
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"the name of a branch is a str, not {type(name).__name__}")
    # Each handle asks, mostly for the same few; longer ones, which anybody may send, are not remembered.
    reason = _remembered(name) if len(name) <= _SHORT else _broken_rule(name)
    if reason is not None:
        raise InvalidBranch(name, reason)
    return name


def is_valid(name: str) -> bool:
    """Whether a branch may be called `name`."""
    return _broken_rule(name) is None


def _broken_rule(name: str) -> str | None:
    if not name:
        return "it is empty"
    found = next((character for character in name if character in _FORBIDDEN), None)
    if found is not None:
        return f"it holds {found!r}; no space, control character or any of ~ ^ : ? * [ \\ is allowed"
    for component in name.split("/"):
        if not component:
            return 'it starts or ends with "/" or holds "//"'
        if component.startswith("."):
            return f'its component {component!r} starts with "."'
        if component.endswith(".lock"):
            return f'its component {component!r} ends with ".lock"'
    if ".." in name or "@{" in name:
        return 'it holds ".." or "@{"'
    if name.endswith("."):
        return 'it ends with "."'
    if name == "@":
        return 'it is "@"'
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "it holds a surrogate, which no UTF-8 stands for"
    return f"it has {size} bytes, {MAX_BYTES} are allowed" if size > MAX_BYTES else None


_remembered = lru_cache(256)(_broken_rule)
