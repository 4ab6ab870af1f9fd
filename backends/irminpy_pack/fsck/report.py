"""What a check of a pack store finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

__all__ = ["EXIT", "LEVELS", "Finding", "Level", "Report"]

Level = Literal["frames", "hashes", "graph", "index", "deep"]
LEVELS: Final[tuple[Level, ...]] = ("frames", "hashes", "graph", "index", "deep")
"""Each level does what those before it do, too."""

Fault = Literal[
    "store",
    "head",
    "frame",
    "trailer",
    "refs",
    "hash",
    "object",
    "hint",
    "dangling",
    "index",
    "tail",
    "stray",
]
"""What may be wrong.

store: the files do not make a store. head, index, tail, stray: derived data, or what a dead process left; it is put
in order when the store is opened for writing, and nothing is lost. hint: a word that leads elsewhere; slower or, in a
store whose index is minimal, unreadable. frame, trailer, refs, hash, object, dangling: data is damaged.
"""
_HEALS: Final = frozenset({"head", "index", "tail", "stray"})

EXIT: Final = {"clean": 0, "derived": 1, "damaged": 5}
"""Exit statuses: nothing found; only derived data is not in order; data is damaged."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, in `file` at byte `offset`, of the object `hash` (hexadecimal digits), where known."""

    fault: Fault
    file: str
    offset: int | None
    hash: str | None
    reason: str
    size: int | None = None
    """Bytes from `offset` on that cannot be read, where that is known."""
    missing: str | None = None
    """The hash of the object that is not there, of a dangling one."""

    @property
    def heals(self) -> bool:
        """Whether opening the store for writing, or rebuilding the index, puts it in order with nothing lost."""
        return self.fault in _HEALS

    def __str__(self) -> str:
        where = "" if self.offset is None else f" at byte {self.offset}"
        which = "" if self.hash is None else f" ({self.hash[:16]})"
        return f"{self.fault}: {self.file}{where}{which}: {self.reason}"

    def to_json(self) -> dict[str, Any]:
        """All fields, and whether it heals."""
        return {**asdict(self), "heals": self.heals}


@dataclass(slots=True)
class Report:
    """How much was looked at, and what is wrong."""

    level: str
    generation: int = 0
    segments: int = 0
    bytes: int = 0
    batches: int = 0
    frames: dict[str, int] = field(default_factory=dict[str, int])
    """Letter of a kind of frame to how many there are."""
    refs: int = 0
    reached: dict[str, int] = field(default_factory=dict[str, int])
    """Commits, nodes and contents that the branches lead to, chunks among these; at the level "deep"."""
    findings: list[Finding] = field(default_factory=list[Finding])
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True if nothing was found."""
        return not self.findings

    @property
    def status(self) -> int:
        """The exit status: see EXIT."""
        if self.ok:
            return EXIT["clean"]
        return EXIT["derived" if all(finding.heals for finding in self.findings) else "damaged"]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        findings = [finding.to_json() for finding in self.findings]
        return {**asdict(self), "ok": self.ok, "status": self.status, "findings": findings}

    def __str__(self) -> str:
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.frames.items()))
        head = (
            f"{self.segments} segments, {self.bytes} bytes, {self.batches} batches, frames: {kinds or 'none'}"
        )
        if self.reached:
            counts = ", ".join(f"{n} {name}" for name, n in self.reached.items())
            head = f"{head}, reached: {counts}"
        return "\n".join([f"{head}, findings: {len(self.findings)}", *map(str, self.findings)])
