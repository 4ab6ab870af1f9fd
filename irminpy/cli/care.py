"""What takes care of a store: check, repair, garbage, index, statistics, snapshots. Nothing here prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from irminpy.backend import Checking
from irminpy.cli.failure import ABSENT, CORRUPT, Failure
from irminpy.cli.place import maker_of, opened, unable
from irminpy.collecting import Collected, Progress
from irminpy.recorded import described
from irminpy.upkeep import Advance, Measuring, Mending, Reindexing, Salvaging, Snapshots, Told, Traversing

__all__ = ["checked", "collected", "exported", "imported", "measured", "reindexed", "traversed", "written"]

Answer = tuple[int, list[Told]]
"""Exit status, and what is to be shown."""


def checked(
    uri: str | None,
    level: str,
    *,
    quarantine: str | None,
    repair: bool,
    progress: Callable[[int, int], None] | None = None,
) -> Answer:
    """A check of the store `uri`; with `quarantine` what is damaged is copied to that directory, and with `repair` what
    is derived is put in order, in this order.

    A backend that cannot check its files has everything read that its branches lead to.
    """
    maker = maker_of(uri, "fsck")
    told: list[Told] = []
    if quarantine is not None:
        if not isinstance(maker, Salvaging):
            raise unable(maker, "fsck --quarantine")
        told.append(maker.quarantine(directory=quarantine, progress=progress))
    if repair:
        if not isinstance(maker, Mending):
            raise unable(maker, "fsck --repair")
        mended = maker.mend()
        return mended.status, [*told, mended]
    if isinstance(maker, Checking):
        health = maker.fsck(level=level, progress=progress)
        return health.status, [*told, health]
    with opened(maker, readonly=True) as repo:
        report = repo.check()
        return (0 if report.ok else CORRUPT), [*told, report]


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
    with opened(maker_of(uri, "gc"), readonly=dry_run) as repo:
        commits = [repo.at(revision).head() for revision in keep]
        return repo.gc(
            branches=branches or None,
            depth=depth,
            since=since,
            keep=commits,
            dry_run=dry_run,
            progress=progress,
        )


def reindexed(uri: str | None, progress: Advance | None = None) -> Told:
    """The index of the store `uri`, made anew."""
    maker = maker_of(uri, "index rebuild")
    if not isinstance(maker, Reindexing):
        raise unable(maker, "index rebuild")
    return maker.rebuild_index(progress=progress)


def measured(uri: str | None, *, garbage: bool, progress: Advance | None = None) -> Told:
    """What the store `uri` holds."""
    maker = maker_of(uri, "stats")
    if not isinstance(maker, Measuring):
        raise unable(maker, "stats")
    return maker.stats(garbage=garbage, progress=progress)


def traversed(uri: str | None) -> Iterator[Told]:
    """Every record of the store `uri`."""
    maker = maker_of(uri, "traverse")
    if not isinstance(maker, Traversing):
        raise unable(maker, "traverse")
    return maker.traverse()


def exported(
    uri: str | None, revision: str | None, target: str, *, depth: int | None, progress: Advance | None = None
) -> Told:
    """A snapshot of the store `uri`, or of one revision, in the file `target`; "-" is stdout.

    The file has its name only when it is whole and on the disk.
    """
    maker = maker_of(uri, "snapshot export")
    if not isinstance(maker, Snapshots):
        raise unable(maker, "snapshot export")
    if revision is None:
        with written(target) as file:
            return maker.export_snapshot(file, progress=progress)
    with opened(maker_of(uri, "snapshot export"), readonly=True) as repo:
        commit = repo.at(revision).head().hash
        branch = revision if revision in repo.branches() else "main"
    with written(target) as file:
        return maker.export_snapshot(file, commit=commit, branch=branch, depth=depth, progress=progress)


def imported(uri: str | None, source: str, schema: str | None, progress: Advance | None = None) -> Told:
    """The new store `uri`, made from the snapshot in the file `source`; "-" is stdin."""
    maker = maker_of(uri, "snapshot import")
    if not isinstance(maker, Snapshots):
        raise unable(maker, "snapshot import")
    wanted = None if schema is None else described(schema)
    if source == "-":
        return maker.import_snapshot(sys.stdin.buffer, wanted, progress=progress)
    try:
        file = open(source, "rb")  # noqa: SIM115  # closed below
    except FileNotFoundError:
        raise Failure(
            f"{source}: there is no such file",
            why="a snapshot is read from it",
            type="irminpy snapshot export --output FILE makes one",
            status=ABSENT,
        ) from None
    with file:
        return maker.import_snapshot(file, wanted, progress=progress)


@contextmanager
def written(target: str) -> Generator[BinaryIO]:
    """The file `target` for writing: under another name until all went well."""
    if target == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    temporary = f"{target}.new-{os.getpid()}"
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    directory = os.open(os.path.dirname(os.path.abspath(target)), os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
