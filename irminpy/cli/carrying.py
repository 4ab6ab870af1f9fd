"""What goes from one store to another, as the commands ask for it. Nothing here prints."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from irminpy.backend import Maker
from irminpy.cli.failure import USAGE, Failure
from irminpy.cli.place import maker_of, opened
from irminpy.errors import NotAStore
from irminpy.importing import Imported, import_branches
from irminpy.recorded import described
from irminpy.repo import Repo
from irminpy.schema import Schema
from irminpy.transfer import Advance

__all__ = ["imported"]


def imported(
    uri: str | None,
    source: str,
    *,
    branches: Iterable[str] | None,
    prefix: str,
    schema: str | None,
    force: bool,
    dry_run: bool,
    advance: Advance | None,
) -> Imported:
    """The import of the store `source` into the store `uri`, which is made with the same schema if it is not there.

    `schema`: that of the source, as `Schema.describe` tells it; None: as its files say, or the usual one.
    """
    maker = maker_of(uri, f"import {source}")
    there = maker_of(source, "import")
    if there == maker:
        raise Failure(
            "a store is not imported into itself",
            why=f"{source} is both",
            type="irminpy --store pack:DIR import URI",
            status=USAGE,
        )
    with ExitStack() as stack:
        theirs = stack.enter_context(_source(there, schema))
        mine = _destination(maker, theirs.schema, dry_run=dry_run)
        if mine is not None:
            stack.enter_context(mine)
        return import_branches(
            mine, theirs, branches=branches, prefix=prefix, force=force, dry_run=dry_run, advance=advance
        )


def _source(maker: Maker, schema: str | None) -> Repo[Any, Any]:
    if schema is None:
        return opened(maker, readonly=True)
    return Repo.open(maker, described(schema), readonly=True, create=False)


def _destination(maker: Maker, schema: Schema[Any, Any], *, dry_run: bool) -> Repo[Any, Any] | None:
    """The store, which is made if it is not there; then None for a dry run. SchemaMismatch if it has another schema."""
    if not dry_run:
        return Repo.open(maker, schema)
    try:
        return Repo.open(maker, schema, readonly=True, create=False)
    except NotAStore:
        return None
