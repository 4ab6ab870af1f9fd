"""Every row of Irmin's own list of behaviours is named by a test that checks it, or waits for a later part."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
SUITES = TESTS.parent / "irminpy" / "testing"

DECISIONS = TESTS.parent / "docs" / "decisions"

# Table to its number of rows: types, merges, backends, reading trees, broken trees, edits, folds, identity;
# repositories, writes, commits and history, watches, graphs and slices; what users asked for, bugs that shipped,
# where Irmin's documentation and code differ.
TABLES = {"TY": 28, "ME": 15, "BE": 19, "TR": 23, "BR": 9, "TU": 9, "TF": 12, "TI": 10}
TABLES |= {"RS": 9, "SW": 22, "CH": 20, "WA": 7, "GR": 17}
TABLES |= {"US": 15, "CG": 15, "QK": 20}
# Proofs: their values, how they are made and checked, edits within them, their shape, streams.
TABLES |= {"PR": 14, "PP": 11, "PV": 9, "PH": 6, "PS": 6, "ST": 7}
# The documents the project started from: the Git key-value store, deltas, keys of the pack.
TABLES |= {"SD": 13}
# The command line, and the routes of irmin-http.
TABLES |= {"CL": 21, "HT": 17}
ROWS = [f"{table}-{n:02}" for table, last in TABLES.items() for n in range(1, last + 1)]
# Irmin's own tests of proofs, the cases of a hostile prover, those of hostile streams.
ROWS += [f"PT-{n:02}" for n in (1, 4, 6, 7, 9, 10, 11, 12, 13, 15, 18, 20, 21, 22, 24, 26)]
ROWS += [f"P{n:02}" for n in range(1, 64)] + [f"S{n:02}" for n in range(1, 13)]

# Irmin's own tests: the battery of a store, graphs, watches and nodes, units; then libraries and the pack. Not all
# numbers are rows.
CASES = (
    *(1, 2, 3, 4, 6, 7, 8, 11, 12, 13, 16, 17, 18, 22, 24, 25, 26, 27, 28, 29, 31, 32, 33),
    *(35, 36, 37, 38, 39, 40, 42, 43, 44, 45, 46, 47, 49, 50, 51, 52, 53, 56, 59, 60, 62, 65, 66),
    *(67, 69, 70, 72, 73, 74, 75),
    *(76, 77, 79, 80, 82, 83, 84, 85, 89, 91, 92, 93, 94, 96, 97, 98, 100, 101, 102, 103, 104, 105),
    *(106, 107, 108, 109, 110),
    *(111, 113, 114, 116, 118, 119, 121, *range(123, 133), 134, 135, 137, 138, 139, 140),
    *(141, *range(143, 155)),
)
LAST_CASE = 154
ROWS += [f"TC-{n:03}" for n in CASES]

# Whoever brings the part takes its rows away from here.
LATER = {
    "CG-02": "the server's queries",
    "CG-15": "stores in Git and the server; the command line turns every error into three lines already",
    **dict.fromkeys(("QK-14", "QK-15"), "the server's queries"),
    "QK-16": "values in chunks, with the pack",
    **dict.fromkeys([f"TC-{n}" for n in (*range(127, 133), 134)], "the server's queries"),
    "CL-15": "the server's queries",
    "TC-139": "an interface for C, which is not planned: Python is the interface",
    "TC-147": "orders of folds over directories of Irmin's formats",
    "TC-149": "parts of other stores, with Irmin's formats",
}

# What a decision leaves without a test; the note names the row.
DECIDED = {"TC-108": "027", "TC-109": "027", "TC-110": "027"}

_NAMED = re.compile(r"\b([A-Z]{2})-(\d{2,3})(?: to (?:\1-)?(\d{2,3}))?\b")
_CASES = re.compile(r"\b([PS])(\d\d)(?: to \1(\d\d))?\b")


def named(text: str) -> set[str]:
    """The rows that `text` names, one by one or as "TR-08 to TR-11"."""
    found = [(f"{table}-", first, last) for table, first, last in _NAMED.findall(text)]
    found += _CASES.findall(text)
    return {
        f"{table}{n:0{len(first)}}"
        for table, first, last in found
        for n in range(int(first), int(last or first) + 1)
    }


@cache
def all_named() -> set[str]:
    """The rows that functions of the tests and of the shipped suites name; what a module says of itself, and this
    file, do not count.
    """
    files = [*TESTS.rglob("*.py"), *SUITES.rglob("*.py")]
    found: set[str] = set()
    for file in files:
        if file != Path(__file__).resolve():
            text = file.read_text(encoding="utf-8")
            lines = text.splitlines()
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef):
                    found |= named("\n".join(lines[node.lineno - 1 : node.end_lineno]))
    return found


@pytest.mark.parametrize("row", [row for row in ROWS if row not in {*LATER, *DECIDED}])
def test_a_row_is_named_by_a_test(row: str) -> None:
    assert row in all_named(), f"no test says that it checks {row}"


def test_rows_for_later_are_rows_with_a_reason() -> None:
    assert set(LATER) <= set(ROWS)
    assert all(LATER.values())
    assert set(DECIDED) <= set(ROWS) - set(LATER)


@pytest.mark.parametrize("row", DECIDED)
def test_a_row_without_a_test_is_named_by_a_decision(row: str) -> None:
    (note,) = DECISIONS.glob(f"{DECIDED[row]}-*.md")
    assert row in named(note.read_text(encoding="utf-8"))
    assert row not in all_named(), f"{row} is named by a test: take it from DECIDED"


@pytest.mark.parametrize("row", LATER)
def test_a_row_that_is_tested_no_longer_waits(row: str) -> None:
    assert row not in all_named(), f"{row} is named by a test: take it from LATER"


def test_no_test_names_a_row_that_does_not_exist() -> None:
    known = {row for row in all_named() if row[:2] in TABLES}
    assert known <= set(ROWS), sorted(known - set(ROWS))
    cases = {row for row in all_named() if row[:2] == "TC"}
    assert cases <= {f"TC-{n:03}" for n in range(1, LAST_CASE + 1)}


def test_rows_are_found_one_by_one_and_in_ranges() -> None:
    assert named('"""TR-08 to TR-11, TC-097."""') == {"TR-08", "TR-09", "TR-10", "TR-11", "TC-097"}
    assert named("TC-099 to TC-101") == {"TC-099", "TC-100", "TC-101"}
    assert named("TU-01, TU-03 to 05") == {"TU-01", "TU-03", "TU-04", "TU-05"}
    assert named("nothing of TR-8 or XTR-08") == set()
