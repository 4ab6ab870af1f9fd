"""What takes care of a store: `irminpy fsck` and `irminpy gc`. Nothing here prints."""

from __future__ import annotations

from irminpy.backend import Checking, Collected, Progress
from irminpy.cli.failure import CORRUPT, USAGE, Failure
from irminpy.registry import maker_of_uri
from irminpy.repo import Repo

__all__ = ["checked", "collected"]


def checked(uri: str | None, level: str) -> tuple[int, str, dict[str, object]]:
    """(exit status, what to show, the same as JSON) of a check of the store `uri`.

    A backend that cannot check its files has everything read that its branches lead to.
    """
    maker = maker_of_uri(_named(uri, "fsck"))
    if isinstance(maker, Checking):
        health = maker.fsck(level=level)
        return health.status, str(health), health.to_json()
    with Repo.open(maker, readonly=True, create=False) as repo:
        report = repo.check()
        return (0 if report.ok else CORRUPT), str(report), report.to_json()


def collected(
    uri: str | None,
    *,
    branches: tuple[str, ...],
    depth: int | None,
    since: int | None,
    keep: tuple[str, ...],
    dry_run: bool,
    progress: Progress | None,
) -> Collected:
    """What a garbage collection of the store `uri` did, or would do; `keep` holds revisions."""
    with Repo.open(maker_of_uri(_named(uri, "gc")), create=False, readonly=dry_run) as repo:
        commits = [repo.at(revision).head() for revision in keep]
        return repo.gc(
            branches=branches or None,
            depth=depth,
            since=since,
            keep=commits,
            dry_run=dry_run,
            progress=progress,
        )


def _named(uri: str | None, command: str) -> str:
    if uri is None:
        raise Failure(
            "no store is named",
            why="the command works on a store",
            type=f"irminpy --store pack:DIR {command}, or set IRMINPY_STORE",
            status=USAGE,
        )
    return uri
