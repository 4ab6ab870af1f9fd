"""What the figures were taken on: the machine, its load, and the versions of all that took part."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from irminpy.core import CORE

__all__ = ["described", "load"]

_PACKAGES: Final = (
    *("irminpy", "msgpack", "blake3", "lmdb"),
    *("ZODB", "trie", "dulwich", "pygit2", "prollytree"),
)


def load() -> float:
    """Processes that ran or waited for the processor in the last minute, this one included."""
    return round(os.getloadavg()[0], 1)


def _git() -> str | None:
    try:
        told = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return told.split()[-1]


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    found["sqlite"] = sqlite3.sqlite_version
    if git := _git():
        found["git"] = git
    return found


def described() -> dict[str, Any]:
    """All of it, but for the load."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "core": CORE,
        "versions": _versions(),
    }
