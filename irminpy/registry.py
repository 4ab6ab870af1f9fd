"""From a URI to the backend that opens it. Backends are found through entry points; the core imports none.

"mem:", "mem:NAME", "pack:./db?index=minimal", "git:.", "http://host/": the scheme names an entry point of the group
`irminpy.backends`, whose object has a static method `of_uri(rest, options)` that gives a maker.
"""

from __future__ import annotations

from typing import Any, cast

from .backend import Maker
from .carrier import Carrier
from .errors import StorageError
from .installed import entry_points

__all__ = ["carrier_of_url", "maker_of_uri", "schemes"]

GROUP = "irminpy.backends"


def schemes() -> list[str]:
    """The schemes that installed backends announce, in order."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def maker_of_uri(uri: str) -> Maker:
    """The maker that opens `uri`.

    Raises StorageError, saying what to do, for an unknown scheme, an option that the backend does not know or
    that is given twice, or a backend that needs an extra which is not installed.
    """
    if not isinstance(uri, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a store is named by a str such as 'mem:', not {type(uri).__name__}")
    scheme, colon, rest = uri.partition(":")
    if not colon:
        raise StorageError(f"{uri!r} names no backend: write {'pack:' + uri!r} or another of {_known()}")
    if scheme in ("http", "https"):
        path, options = uri, dict[str, str]()
    else:
        path, _, query = rest.partition("?")
        given = _options(query)
        options = dict(given)
        if len(options) != len(given):
            twice = next(name for at, (name, _) in enumerate(given) if name in dict(given[:at]))
            raise StorageError(f"{uri!r}: the option {twice!r} is given twice")
    maker = _load(scheme, uri)
    try:
        return cast("Maker", maker.of_uri(path, options))
    except TypeError as e:
        raise StorageError(f"{uri!r}: {e}") from e


def carrier_of_url(url: str) -> Carrier | None:
    """What syncs with the repository of Git at `url`; None if `url` is not written as one of Git's.

    The backend of Git knows which are (docs/git.md, "Remotes"). DecodeError for one that may not be used, StorageError
    if the extra `git` is not installed.
    """
    if "://" not in url and "@" not in url:
        return None
    try:
        return cast("Carrier | None", _load("git", url).remote(url))
    except ModuleNotFoundError as e:
        raise StorageError(
            f"remotes of Git need {e.name or 'a package'} that is not installed: pip install 'irminpy[git]'"
        ) from e


def _options(query: str) -> list[tuple[str, str]]:
    if not query:
        return []
    from urllib.parse import parse_qsl  # late: most URIs have no options

    return parse_qsl(query, keep_blank_values=True)


def _known() -> str:
    return ", ".join(f"{scheme}:" for scheme in schemes()) or "(no backend is installed)"


def _load(scheme: str, uri: str) -> Any:
    entries = entry_points(group=GROUP, name=scheme)
    if not entries:
        raise StorageError(f"{uri!r}: no backend is called {scheme!r}; there are {_known()}")
    try:
        return entries[0].load()
    except ImportError as e:
        raise StorageError(
            f"the {scheme} backend needs {e.name or 'a package'} that is not installed: "
            f"pip install 'irminpy[{scheme}]'"
        ) from e
