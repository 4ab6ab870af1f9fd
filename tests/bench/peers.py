"""What the pack is measured beside: a raw LMDB, a history table in SQLite, bare barriers. None of them hashes."""

from __future__ import annotations

import os
import sqlite3
from time import perf_counter

import lmdb

from .timing import timed
from .workloads import Updates, value

__all__ = ["Lmdb", "barriers", "sqlite_commits"]


class Lmdb:
    """The first state only: each of `paths` to its value."""

    def __init__(self, folder: str, paths: list[str]) -> None:
        self._env = lmdb.open(folder, map_size=1 << 28, sync=False)
        with self._env.begin(write=True) as txn:
            for i, path in enumerate(paths):
                txn.put(path.encode(), value(i, 0))

    def gets(self, paths: list[str]) -> float:
        """CPU seconds of one get for each of the paths, all in one transaction."""
        with self._env.begin() as txn:

            def all_() -> None:
                for path in paths:
                    txn.get(path.encode())

            return timed(all_)[0]

    def close(self) -> None:
        """Close it."""
        self._env.close()


def sqlite_commits(path: str, paths: list[str], generations: list[Updates]) -> float:
    """CPU seconds of a commit in a table of all versions of all `paths`, without syncing."""
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")
        db.execute("CREATE TABLE history (path TEXT, version INT, value BLOB, PRIMARY KEY (path, version))")
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO history VALUES (?, 0, ?)", ((name, value(i, 0)) for i, name in enumerate(paths))
        )
        db.execute("COMMIT")

        def all_() -> None:
            for version, bindings in enumerate(generations, 1):
                db.execute("BEGIN")
                # One of the bindings of a generation may be there twice.
                for name, data in bindings:
                    db.execute("INSERT OR REPLACE INTO history VALUES (?, ?, ?)", (name, version, data))
                db.execute("COMMIT")

        spent = timed(all_)[0] / len(generations)
    db.close()
    return spent


def barriers(folder: str, times: int = 50) -> float:
    """Wall seconds of two writes of 20 kB, each followed by fdatasync; the mean."""
    fd = os.open(os.path.join(folder, "barriers"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        start = perf_counter()
        for n in range(2 * times):
            os.pwrite(fd, bytes(20_000), 20_000 * n)
            os.fdatasync(fd)
        return (perf_counter() - start) / times
    finally:
        os.close(fd)
