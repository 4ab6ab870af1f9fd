"""Which store a command works on, and how it is opened: with the schema that the store records."""

from __future__ import annotations

from typing import Any

from irminpy.backend import Maker
from irminpy.cli.failure import UNSAFE, USAGE, Failure
from irminpy.registry import maker_of_uri
from irminpy.repo import Repo
from irminpy.upkeep import Recording

__all__ = ["maker_of", "opened", "unable"]


def maker_of(uri: str | None, command: str) -> Maker:
    """The maker of the store `uri`; Failure if none is named."""
    if uri is None:
        raise Failure(
            "no store is named",
            why="the command works on a store",
            type=f"irminpy --store pack:DIR {command}, or set IRMINPY_STORE",
            status=USAGE,
        )
    return maker_of_uri(uri)


def unable(maker: Maker, command: str) -> Failure:
    """That the stores of `maker` do not have what `command` needs."""
    return Failure(
        f"a store of {type(maker).__name__} has no {command}",
        why="not every backend keeps files that it could work on",
        type=f"irminpy --store pack:DIR {command}",
        status=UNSAFE,
    )


def opened(maker: Maker, *, readonly: bool) -> Repo[Any, Any]:
    """The store that is there, with the schema that it records; the default one if its backend records none.

    Contents of a type that is not built in are raw bytes, and cannot be written (`irminpy.recorded`).
    """
    schema = maker.recorded() if isinstance(maker, Recording) else None
    return Repo.open(maker, schema, readonly=readonly, create=False)
