"""What takes care of a store: `irminpy fsck`. Nothing here prints."""

from __future__ import annotations

from irminpy.backend import Checking
from irminpy.cli.failure import CORRUPT, USAGE, Failure
from irminpy.registry import maker_of_uri
from irminpy.repo import Repo

__all__ = ["checked"]


def checked(uri: str | None, level: str) -> tuple[int, str, dict[str, object]]:
    """(exit status, what to show, the same as JSON) of a check of the store `uri`.

    A backend that cannot check its files has everything read that its branches lead to.
    """
    maker = maker_of_uri(_named(uri))
    if isinstance(maker, Checking):
        health = maker.fsck(level=level)
        return health.status, str(health), health.to_json()
    with Repo.open(maker, readonly=True, create=False) as repo:
        report = repo.check()
        return (0 if report.ok else CORRUPT), str(report), report.to_json()


def _named(uri: str | None) -> str:
    if uri is None:
        raise Failure(
            "no store is named",
            why="the command works on a store",
            type="irminpy --store pack:DIR fsck, or set IRMINPY_STORE",
            status=USAGE,
        )
    return uri
