"""The 25 named crash points of reliability.md 2.2, restated for a store whose truth is its segments.

Where the list speaks of an LMDB transaction, what decides here is HEAD, MANIFEST or the lagging index. Each point is
either a kind of crash image, which must be met and survived, or a scenario of its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from irminpy_pack.environment import Environment
from irminpy_pack.files import Files
from irminpy_pack.index import Index

from ...errors import IrminError, UnsupportedVersion
from .carry import carry, slices, snapshots
from .checker import Promise, check
from .flip import store_of
from .forks import Died, Raised, call
from .images import Image, images
from .packs import pack
from .probes import PROBES
from .program import Step, ledger_of, open_repo, random_program
from .recording import Event, Recording, load, tree_of
from .replay import ALARM, STORE, box, record, replay, run
from .subject import Subject
from .victims import has_strace, killing, victim

__all__ = ["POINTS", "Point", "Points", "classify", "points"]

Test = Callable[[Image], bool]
Scenario = Callable[[int], tuple[int, list[str]]]
"""How often the point was met, and the violations; for a seed."""


@dataclass(frozen=True, slots=True)
class Point:
    """`title` says where the crash is; `image` recognises it, or `scenario` brings it about."""

    title: str
    image: Test | None = None
    scenario: Scenario | None = None


def _pack(event: Event) -> bool:
    return event.path.endswith(".pack")


def _head(event: Event) -> bool:
    return os.path.basename(event.path) == "HEAD"


def _new(event: Event) -> bool:
    return event.path.startswith(f"{STORE}.new")


def _appended(event: Event) -> bool:
    return event.op == "write" and _pack(event) and event.offset > 0


_SMALL = 48 << 10  # bytes of a map that the index of a few hundred objects outgrows
_PARTS = ("torn", "zeros", "head", "hole", "length")


def _interrupted_recovery(seed: int) -> tuple[int, list[str]]:
    """C24: of some crash images the recovery is recorded, and its own crash images are checked (D5)."""
    subject = pack()
    program = random_program(seed, 6, reopen=False)
    ledger = ledger_of(program)
    found: list[str] = []
    met = 0
    with box() as root:
        recording = record(subject, program, root)
    torn = [
        image
        for image in images(recording.start, recording.events, seed, limit=6)
        if image.variant in ("torn", "hole", "all") and _appended(image.event)
    ]
    for image in torn[:: max(1, len(torn) // 6)]:
        with box() as root:
            load(root, image.tree)
            recovery = call(lambda: _recovery(subject, root), ALARM)
        if isinstance(recovery, Died | Raised):
            return met, [f"C24: {recovery}"]
        with box() as root:
            load(root, image.tree)
            start = Recording(root).start
        events = [Event.of_json(fields) for fields in recovery]
        for again in images(start, events, seed, limit=6):
            met += 1
            with box() as root:
                load(root, again.tree)
                promise = Promise.after(image.acknowledged, ledger)
                bad = check(subject, str(root / STORE), ledger, promise).violations
                found += [f"C24: recovery of {image}, crashed at {again}: {one}" for one in bad]
    return met, found


def _recovery(subject: Subject, root: Path) -> list[list[str | int]]:
    recording = Recording(root)
    recording.phase = "recovery"
    with open_repo(subject.maker(str(root / STORE), recording), create=False):
        return [event.to_json() for event in recording.events]


def _newer_format(seed: int) -> tuple[int, list[str]]:
    """C22: there is no older version to migrate from; a newer one is refused, and no byte of it is changed."""
    subject = pack()
    made = store_of(subject, random_program(seed, 3))
    name = f"{STORE}/FORMAT"
    data = made[name]
    assert data is not None
    first, rest = data.split(b"\n", 1)
    word, _, version = first.rpartition(b" ")
    made[name] = word + b" %d\n" % (int(version) + 1) + rest
    with box() as root:
        load(root, made)
        before = tree_of(root)
        for readonly in (True, False):
            try:
                open_repo(subject.maker(str(root / STORE), Files()), create=False, readonly=readonly).close()
            except UnsupportedVersion:
                continue
            except IrminError as e:
                return 1, [f"C22: a newer format is refused as {type(e).__name__}: {e}"]
            return 1, ["C22: a newer format was opened"]
        return 1, [] if tree_of(root) == before else ["C22: files of a newer format were changed"]


def _full_map(seed: int) -> tuple[int, list[str]]:
    """C21: the map of the index is too small for what goes in at once; it grows, and nothing is lost."""
    grown = 0
    grow = Environment._grow

    def counted(self: Environment, *rest: Any) -> None:
        nonlocal grown
        grown += 1
        grow(self, *rest)

    def small(*rest: Any, **how: Any) -> Index:
        return opened(*rest, **{**how, "map_size": _SMALL})

    opened = Index.open
    program = [Step("tree", "main", f"t{i}", b"%d" % i * 40) for i in range(40)]
    ledger = ledger_of(program)
    subject = pack(seal=1 << 20)
    with (
        box() as root,
        mock.patch.object(Environment, "_grow", counted),
        mock.patch.object(Index, "open", staticmethod(small)),
    ):
        path = str(root / STORE)
        run(subject, path, Files(), program, lambda state: None)
        last = len(program)
        return grown, [f"C21: {one}" for one in check(subject, path, ledger, Promise(last, last)).violations]


def _interrupted_rebuild(seed: int) -> tuple[int, list[str]]:
    """C23: the index is gone, and the process that makes it anew is killed on the way."""
    subject = pack()
    program = random_program(seed, 10, reopen=False)
    ledger, last = ledger_of(program), len(program)
    made = {name: data for name, data in store_of(subject, program).items() if not name.endswith(".mdb")}
    blows = [(call, n) for call in ("pwrite64", "?pwritev,?writev", "fdatasync") for n in range(1, 7)]
    met, found = 0, list[str]()
    for call_, n in blows if has_strace() else [("", n) for n in range(12)]:
        with box() as root:
            load(root, made)
            path = str(root / STORE)
            if call_:
                ended = victim(subject, path, program, ledger, last, inject=killing(call_, n))
            else:
                ended = victim(subject, path, program, ledger, last, delay=0.002 * n)
            met += ended.died.signal == signal.SIGKILL
            bad = check(subject, path, ledger, Promise(last, last)).violations
            found += [f"C23: killed at {call_} {n}: {one}" for one in bad]
    return met, found


def _lost_race(seed: int) -> tuple[int, list[str]]:
    """C15: the loser of a compare-and-set moves nothing, at once and on the disk."""
    return 1, [f"C15: {one}" for one in PROBES["race"](pack(), seed)]


def _interrupted_carrying(seed: int) -> tuple[int, list[str]]:
    """C25: by every way in which a store is carried to another one."""
    found = [
        carry(pack(), seed=seed, ways=[slices()], limit=4, stride=3),
        carry(pack(), seed=seed, ways=[snapshots()], limit=1, every=3, stride=97),
    ]
    return sum(one.images + one.faults for one in found), [
        f"C25: {w}" for one in found for w in one.violations
    ]


POINTS: dict[str, Point] = {
    "C01": Point(
        "the directory of a new store is made, and nothing else of it",
        lambda i: f"{STORE}/FORMAT" not in i.tree and i.event.op == "mkdir" and _new(i.event),
    ),
    "C02": Point(
        "the first HEAD or MANIFEST is torn",
        lambda i: _new(i.event) and i.event.op == "write" and not _pack(i.event) and i.variant in _PARTS,
    ),
    "C03": Point(
        "the new store is renamed, its parent is not synced",
        lambda i: i.event.op == "rename" and i.event.path == STORE,
    ),
    "C04": Point(
        "the header of a segment is torn",
        lambda i: i.event.op == "write" and _pack(i.event) and not i.event.offset and i.variant in _PARTS,
    ),
    "C05": Point(
        "some frames of a batch are appended",
        lambda i: _appended(i.event) and i.variant in ("torn", "length"),
    ),
    "C06": Point(
        "a frame is torn at a sector", lambda i: _appended(i.event) and i.variant in ("torn", "head", "hole")
    ),
    "C07": Point(
        "a segment has grown, its data have not arrived",
        lambda i: _appended(i.event) and i.variant == "zeros",
    ),
    "C08": Point(
        "a segment's length is shorter than its data", lambda i: _appended(i.event) and i.variant == "length"
    ),
    "C09": Point(
        "during fdatasync of a segment",
        lambda i: _appended(i.event) and i.variant in ("none", "subset", "hole"),
    ),
    "C10": Point(
        "the segment is synced, HEAD does not name the batch",
        lambda i: i.event.op == "sync" and _pack(i.event) and i.acknowledged >= 0,
    ),
    "C11": Point(
        "a slot of HEAD is partly written",
        lambda i: _head(i.event) and i.event.op == "write" and i.variant in _PARTS,
    ),
    "C12": Point(
        "HEAD is written and does not reach the disk",
        lambda i: _head(i.event) and i.event.op == "write" and i.variant == "none" and i.acknowledged >= 0,
    ),
    "C13": Point(
        "HEAD is written and reaches the disk",
        lambda i: _head(i.event) and i.event.op == "write" and i.variant == "all" and i.acknowledged >= 0,
    ),
    "C14": Point(
        "published, and the caller has not been told", lambda i: i.event.op == "mark" and i.variant == "all"
    ),
    "C15": Point("a compare-and-set has lost", scenario=_lost_race),
    "C16": Point(
        "a segment is begun, its directory is not synced",
        lambda i: i.event.op == "create" and _pack(i.event) and i.acknowledged >= 0,
    ),
    "C17": Point(
        "garbage collection: a new segment is half written",
        lambda i: i.event.phase == "collect" and _pack(i.event) and i.event.op == "write",
    ),
    "C18": Point(
        "garbage collection: all is synced, MANIFEST is not renamed",
        lambda i: i.event.phase == "collect" and i.event.op == "sync" and "MANIFEST" in i.event.path,
    ),
    "C19": Point(
        "garbage collection: MANIFEST is renamed, its directory is not synced",
        lambda i: i.event.phase == "collect" and i.event.op == "rename" and "MANIFEST" in i.event.path,
    ),
    "C20": Point(
        "garbage collection: the old segments are not unlinked",
        lambda i: i.event.phase == "collect" and i.event.op == "unlink" and _pack(i.event),
    ),
    "C21": Point("the map of the index is full", scenario=_full_map),
    "C22": Point("another version of the format", scenario=_newer_format),
    "C23": Point("making the index anew is interrupted", scenario=_interrupted_rebuild),
    "C24": Point("recovery is interrupted", scenario=_interrupted_recovery),
    "C25": Point("export or import of a snapshot is interrupted", scenario=_interrupted_carrying),
}


def classify(image: Image) -> frozenset[str]:
    """The points that `image` is a case of."""
    return frozenset(name for name, point in POINTS.items() if point.image is not None and point.image(image))


@dataclass(slots=True)
class Points:
    """How often each point was met, and what was wrong."""

    met: dict[str, int] = field(default_factory=lambda: dict.fromkeys(POINTS, 0))
    violations: list[str] = field(default_factory=list[str])

    @property
    def survived(self) -> list[str]:
        """The points that were met, and no violation names."""
        return [name for name, count in self.met.items() if count] if not self.violations else []


# Every kind of write, two segments that are begun, and little else.
_PROGRAM = [
    Step("set", "main", "a", b"first"),
    Step("tree", "main", "wide", b"y" * 50),
    Step("set", "dev", "b", b"z" * 4000),
    Step("merge", "main", other="dev"),
    Step("set", "main", "b", b"w" * 4000),
    Step("drop", "dev"),
    Step("set", "main", "c", b"after the seal"),
    Step("collect"),
    Step("set", "main", "d", b"after the collection"),
]


def points(*, seed: int, limit: int = 10) -> Points:
    """Meet all points: the images of one program, `limit` for each moment, and the scenarios."""
    out = Points()
    for subject in (pack(), pack("minimal", "full")):
        found = replay(subject, _PROGRAM, seed=seed, limit=limit, classify=classify)
        for name, count in found.points.items():
            out.met[name] += count
        out.violations += found.violations
    for name, point in POINTS.items():
        if point.scenario is not None:
            count, wrong = point.scenario(seed)
            out.met[name] += count
            out.violations += wrong
    return out
