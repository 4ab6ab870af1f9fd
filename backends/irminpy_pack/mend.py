"""Putting in order what is derived: whatever a dead process left, HEAD, MANIFEST, and indexes.

All of it the engine does when it has to. Here it is done at once, on request, with a check before and after it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .fsck import Report
from .lookup import INDEXED
from .reindex import Rebuilt

__all__ = ["Mended", "mend"]


@dataclass(frozen=True, slots=True)
class Mended:
    """What was wrong, what was done, and what is wrong now."""

    before: Report
    rebuilt: tuple[Rebuilt, ...]
    after: Report

    @property
    def ok(self) -> bool:
        """True if nothing is wrong any more."""
        return self.after.ok

    @property
    def status(self) -> int:
        """The exit status, of what is wrong now."""
        return self.after.status

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "ok": self.ok,
            "status": self.status,
            "before": self.before.to_json(),
            "rebuilt": [one.to_json() for one in self.rebuilt],
            "after": self.after.to_json(),
        }

    def __str__(self) -> str:
        if self.before.ok:
            return f"nothing was to be mended\n{self.after}"
        return "\n".join([f"before: {self.before}", *map(str, self.rebuilt), f"after: {self.after}"])


def mend(
    check: Callable[[], Report], reopen: Callable[[], None], rebuild: Callable[[str], Rebuilt]
) -> Mended:
    """Mend what `check` finds: `reopen` opens the store for writing and closes it, `rebuild` makes an index."""
    before = check()
    if all(not finding.heals for finding in before.findings):
        return Mended(before, (), before)
    faults = {finding.fault for finding in before.findings}
    if faults & {"head", "tail", "stray"}:
        reopen()
    strategies: dict[str, None] = {}
    for finding in before.findings:
        strategy = os.path.basename(finding.file).partition("-")[2]
        if finding.fault == "index" and strategy in INDEXED:
            strategies[strategy] = None
    return Mended(before, tuple([rebuild(strategy) for strategy in strategies]), check())
