"""What came of a case: passed, ours by decision, or failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TextIO

__all__ = ["PASSED", "Decided", "Outcome", "Report", "failed", "same"]


@dataclass(frozen=True, slots=True)
class Decided:
    """Irmin gives something else, by decision `rule`; ours was computed, and is what the decision says."""

    rule: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Something differs, and no decision says so."""

    reason: str


Outcome = None | Decided | Failed
PASSED: Outcome = None


def failed(reason: str) -> Outcome:
    """The case failed, because of `reason`."""
    return Failed(reason)


def same(checks: Iterable[tuple[str, Any, Any]]) -> Outcome:
    """Passed if each (what, ours, Irmin's) has two equal values; else failed, with the first that has not."""
    for what, ours, theirs in checks:
        if ours != theirs:
            return Failed(f"{what} is {ours!r:.200}, Irmin has {theirs!r:.200}")
    return PASSED


@dataclass(slots=True)
class Report:
    """Counts of cases, and the names of those that failed, printed to `out` as they come."""

    out: TextIO
    passed: int = 0
    decided: dict[str, int] = field(default_factory=dict[str, int])
    failures: int = 0

    def add(self, name: str, outcome: Outcome) -> None:
        """Count the case `name`."""
        if outcome is None:
            self.passed += 1
        elif isinstance(outcome, Decided):
            self.decided[outcome.rule] = self.decided.get(outcome.rule, 0) + 1
        else:
            self.failures += 1
            print(f"FAILED {name}: {outcome.reason}", file=self.out)

    def join(self, other: Report) -> None:
        """Add the counts of `other`."""
        self.passed += other.passed
        self.failures += other.failures
        for rule, n in other.decided.items():
            self.decided[rule] = self.decided.get(rule, 0) + n

    @property
    def line(self) -> str:
        """`N passed, D by decision, M failed`."""
        return f"{self.passed} passed, {sum(self.decided.values())} by decision, {self.failures} failed"
