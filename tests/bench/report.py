"""`python -m tests.bench.report FILE.json`: what a run found, as Markdown; `--docs FILE.md` writes it into a document.

A document has the tables between the lines BEGIN and END; all that is between them is made here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from .figures import Figures, irmin, ratio
from .ours import PLACES, Plan
from .rows import BOUNDS, judged
from .timing import IRMIN

__all__ = ["BEGIN", "END", "document", "markdown", "rewritten"]

BEGIN: Final = "<!-- made by `python -m tests.bench`: do not edit -->"
END: Final = "<!-- end of what is made -->"

Found = dict[str, Any]


def document(plan: Plan, profile: str, turns: Sequence[Figures], calibration: Found, about: Found) -> Found:
    """All that a run found, as JSON; `about` has the machine, its load, and what was skipped."""
    scale = calibration["scale"]
    return {
        "profile": profile,
        "keys": plan.n,
        "commits": plan.commits,
        "turns": len(turns),
        **about,
        "calibration": calibration,
        "rows": judged(turns, scale),
        "workloads": _workloads(turns, scale),
        "costs": _costs(turns),
    }


def _workloads(turns: Sequence[Figures], scale: float) -> list[Found]:
    """Each work of W1 to W8 that was done: what each place took, and Irmin's stores beside it."""
    works = dict.fromkeys(
        work for turn in turns for side, work in turn if side in {place.name for place in PLACES}
    )
    found: list[Found] = []
    for work in works:
        sides = {
            place.name: told._asdict()
            for place in PLACES
            if (told := ratio(turns, (place.name, work), None, scale)) is not None
        }
        if work.startswith("W") and work in IRMIN["pack"]:
            theirs = {
                store: figure.cost
                for store in ("mem", "pack", "tezos")
                if (figure := irmin(work, store, scale)) is not None
            }
            found.append({"work": work, "ours": sides, "irmin": theirs})
    return found


def _costs(turns: Sequence[Figures]) -> list[Found]:
    """Every figure: median cost of a unit (seconds or bytes), the costs of all turns, wall over CPU time of each."""
    keys = dict.fromkeys(key for turn in turns for key in turn)
    found: list[Found] = []
    for side, work in keys:
        told = ratio(turns, (side, work), None, 1)
        figures = [turn[side, work] for turn in turns if (side, work) in turn]
        found.append(
            {
                "side": side,
                "work": work,
                "median": told.median if told else None,
                "costs": [figure.cost for figure in figures],
                "wall_over_cpu": [figure.busy for figure in figures],
            }
        )
    return found


def _number(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _bound(row: Found, name: str) -> str:
    return "" if row[name] is None else f"{'≥' if row['least'] else '≤'} {row[name]:g}"


def _rows(rows: Sequence[Found]) -> list[str]:
    lines = [
        "| row | | found | from, to | must | ambitious | C | reaches |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        spread = f"{_number(row['low'])}, {_number(row['high'])}"
        if row["disturbed"]:
            spread += " *"
        elif row["discarded"]:
            spread += f" ({row['turns']} of {row['turns'] + row['discarded']})"
        reached = f"**{row['reached']}**" if row["reached"] == "MISSED" else row["reached"]
        bounds = " | ".join(_bound(row, name) for name in BOUNDS)
        lines.append(
            f"| {row['row']} | {row['what']} | {_number(row['median'])} | {spread} | {bounds} | {reached} |"
        )
    return lines


def _works(works: Sequence[Found]) -> list[str]:
    places = [place.name for place in PLACES]
    lines = [
        f"| work | {' | '.join(places)} | Irmin mem, pack, tezos | mem / mem | pack / pack |",
        "|---|" + "---|" * (len(places) + 3),
    ]
    for work in works:
        name, ours, theirs = work["work"], work["ours"], work["irmin"]
        plain = "_per_" not in name
        size = "bytes" in name

        def shown(cost: float | None, plain: bool = plain, size: bool = size) -> str:
            if cost is None:
                return ""
            if size:
                return f"{cost:,.0f}"
            return f"{_number(cost)} s" if plain else f"{_number(1 / cost)} /s"

        def beside(place: str, store: str, ours: Found = ours, theirs: Found = theirs) -> str:
            return _number(theirs[store] / ours[place]["median"]) if place in ours and store in theirs else ""

        cells = [shown(ours[place]["median"] if place in ours else None) for place in places]
        cells.append(", ".join(shown(theirs.get(store)) for store in ("mem", "pack", "tezos")))
        lines.append(
            f"| {_work(name)} | {' | '.join(cells)} | {beside('mem', 'mem')} | {beside('pack', 'pack')} |"
        )
    return lines


def _work(name: str) -> str:
    """W1_adds_per_cpu_s as "W1 adds"."""
    name = name.replace("_per_cpu_s", "").replace("_per_s", "").replace("_cpu_s", "")
    return name.removesuffix("_s").replace("_", " ")


def _lost(rows: Sequence[Found]) -> list[str]:
    missed = [row for row in rows if row["reached"] == "MISSED"]
    lines: list[str] = []
    if missed:
        told = ", ".join(f"{row['row']} ({_number(row['median'])}, {_bound(row, 'must')})" for row in missed)
        lines.append(f"Missed: {told}.")
    if slower := [row["row"] for row in rows if row["lost"]]:
        lines.append(f"Slower or larger than the store that it is held against: rows {', '.join(slower)}.")
    return lines


def markdown(found: Found) -> str:
    """The tables."""
    machine, calibration, load = found["machine"], found["calibration"], found["load"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    loops = ", ".join(f"{name} {value:.2f}" for name, value in calibration["loops"].items())
    lines = [
        f"Profile {found['profile']}: {found['keys']:,} keys, {found['commits']:,} commits, medians of "
        f"{found['turns']} turns, CPU time. {machine['date']}, core {machine['core']}, Python {machine['python']}, "
        f"{machine['system']}, {machine['processors']} processors, load {load[0]} before and {load[1]} after. "
        f"{versions}.",
        "",
        f"This machine takes {calibration['scale']:.2f} times as long as the one that Irmin ran on ({loops}); Irmin's "
        "figures are scaled by that.",
    ]
    if found["profile"] != "full":
        lines += ["", "These are not the workloads that Irmin was measured on: rows beside it say little."]
    if found["skipped"]:
        skipped = "; ".join(f"{name}: {why}" for name, why in found["skipped"].items())
        lines += ["", f"Skipped: {skipped}."]
    lines += ["", *_rows(found["rows"])]
    if any(row["disturbed"] for row in found["rows"]):
        lines += [
            "",
            "\\* In no turn was wall time below 1.3 times CPU time: something else had the processor.",
        ]
    for line in _lost(found["rows"]):
        lines += ["", line]
    if found["workloads"]:
        lines += ["", *_works(found["workloads"])]
    return "\n".join(lines) + "\n"


def rewritten(text: str, tables: str) -> str:
    """The document `text` with `tables` between BEGIN and END; ValueError if they are not there once, in this order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise ValueError(f"the lines {BEGIN!r} and {END!r} are not there, each once and in this order")
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables, or write them into a document."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.report", description=__doc__)
    parser.add_argument("found", type=Path, help="the JSON file of a run")
    parser.add_argument("--docs", type=Path)
    given = parser.parse_args(argv)
    tables = markdown(json.loads(given.found.read_text(encoding="utf-8")))
    if given.docs is None:
        print(tables, end="")
    else:
        given.docs.write_text(rewritten(given.docs.read_text(encoding="utf-8"), tables), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
