"""`python -m tests.bench`: W1 to W8 on ours, and ours beside what somebody would use instead, with every goal.

    python -m tests.bench --out DIR              the whole (100,000 keys, 1,000 commits, 5 turns)
    python -m tests.bench --profile short        a tenth of the keys and 50 commits, within three minutes
    python -m tests.bench --rows 3,16,17         only what these goals need
    python -m tests.bench --docs docs/performance.md    rewrite the tables there
    python -m tests.bench --roots                that the workloads are those of the real Irmin

A turn does everything once, all sides in one process by turns; medians are over the turns, of CPU time with that of
children. TMPDIR says where stores are made; on a disk, or goal 22 (durable commits) is left out.
A peer that is not installed is named and skipped; `pip install irminpy[bench]` has all but git.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from time import monotonic
from typing import Any, Final

from . import machine
from .beside import PARTS, absent
from .figures import Figures
from .ours import PLACES, WORKS, Place, Plan, Store, short
from .report import document, markdown, rewritten
from .roots import check as check_roots
from .rows import numbers
from .timing import Calibration

__all__ = ["main"]

NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "1": ("w1",),
    "2": ("w1",),
    "3": ("w1", "w2"),
    "4": ("w4",),
    "5": ("w1", "w2", "w3"),
    "6": ("w1", "w2", "w3"),
    "7": ("w1", "w2", "w6"),
    "8": ("w1", "w8"),
    "9": ("w1", "w7"),
}
"""The works that goals beside the real Irmin have their figures from."""

MINUTES: Final = {"short": 2.6, "full": 600.0}
"""No turn is begun that would probably end later than this."""


def works_of(rows: Sequence[str]) -> list[str]:
    """The works that `rows` need, in their order; all of them for no rows."""
    wanted = {work for row in rows for work in NEEDS.get(row, ())} if rows else set(WORKS)
    return [work for work in WORKS if work in wanted]


def parts_of(rows: Sequence[str]) -> list[str]:
    """The parts beside peers that `rows` need."""
    return [name for name, (_, found) in PARTS.items() if not rows or set(rows) & set(found)]


def run_works(folder: str, plan: Plan, places: Sequence[Place], works: Sequence[str], found: Figures) -> None:
    """`works` on all `places`, which do each of them by turns."""
    stores = [Store(place, folder, plan, found) for place in places]
    try:
        for work in works:
            steps: list[Iterator[None]] = [getattr(store, work)() for store in stores]
            for _ in zip_longest(*steps):
                pass
    finally:
        for store in stores:
            store.close()


def turn(plan: Plan, rows: Sequence[str], calibration: Calibration, say: Any) -> Figures:
    """Everything once, the calibration loops before each part."""
    found = Figures()
    works = works_of(rows)
    # One in memory is as large as all else, and gone before the rest begins.
    groups = ([PLACES[1:], PLACES[:1]] if not rows else [PLACES[1:]]) if works else []
    for places in groups:
        calibration.run()
        say(f"W1 to W8: {', '.join(place.name for place in places)}")
        with tempfile.TemporaryDirectory() as folder:
            run_works(folder, plan, places, works, found)
    for name in parts_of(rows):
        calibration.run()
        say(f"beside peers: {name}")
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name][0](folder, plan, found)
    return found


def measure(plan: Plan, profile: str, turns: int, rows: Sequence[str], say: Any) -> dict[str, Any]:
    """The document of a run."""
    before, began, took = machine.load(), monotonic(), 0.0
    calibration = Calibration()
    figures: list[Figures] = []
    while len(figures) < turns and (not figures or monotonic() - began + took <= 60 * MINUTES[profile]):
        start = monotonic()
        say(f"turn {len(figures) + 1} of {turns}")
        figures.append(turn(plan, rows, calibration, say))
        took = max(took, monotonic() - start)
    about = {
        "machine": machine.described(),
        "load": [before, machine.load()],
        "seconds": round(monotonic() - began, 1),
        "skipped": absent(),
    }
    scaled = {"scale": calibration.scale(), "loops": calibration.ratios()}
    return document(plan, profile, figures, scaled, about)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", choices=tuple(MINUTES), default="full")
    parser.add_argument("--turns", type=int, default=5, help="medians are over them (default: %(default)s)")
    parser.add_argument("--rows", default="", metavar="N,N", help=f"of {', '.join(numbers())}")
    parser.add_argument("--keys", type=int, help="instead of what the profile has")
    parser.add_argument("--commits", type=int, help="instead of what the profile has")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables")
    parser.add_argument("--out", type=Path, metavar="DIR", help="both, as bench.json and bench.md")
    parser.add_argument(
        "--docs", type=Path, metavar="FILE", help="write the tables into a document that has a place for them"
    )
    parser.add_argument(
        "--roots", action="store_true", help="compare roots with those of the real Irmin; measure nothing"
    )
    parser.add_argument("--quiet", action="store_true", help="do not say on stderr what is being done")
    given = parser.parse_args(argv)
    given.rows = [row for row in given.rows.split(",") if row]
    if unknown := [row for row in given.rows if row not in numbers()]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(numbers())}")
    if given.turns < 1:
        parser.error("--turns: at least one")
    if given.docs is not None and not given.docs.is_file():
        parser.error(f"--docs: {given.docs} is not there")
    return given


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 1 if a root is not that of the real Irmin; figures do not change it."""
    given = _parsed(argv)
    if given.roots:
        return check_roots(sys.stdout)
    plan = short(Plan()) if given.profile == "short" else Plan()
    plan = plan._replace(n=given.keys or plan.n, commits=given.commits or plan.commits)

    def say(what: str) -> None:
        if not given.quiet:
            print(what, file=sys.stderr, flush=True)

    found = measure(plan, given.profile, given.turns, given.rows, say)
    tables, kept = markdown(found), json.dumps(found, indent=1) + "\n"
    print(tables, end="")
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
    for path, text in (
        (given.json, kept),
        (given.markdown, tables),
        (given.out and given.out / "bench.json", kept),
        (given.out and given.out / "bench.md", tables),
        (given.docs, given.docs and rewritten(given.docs.read_text(encoding="utf-8"), tables)),
    ):
        if path is not None:
            path.write_text(text, encoding="utf-8")
    return 0
