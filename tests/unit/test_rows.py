"""Every row of Irmin's own list of behaviours is named by a test that checks it, or waits for a later part."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
SUITES = TESTS.parent / "irminpy" / "testing"

# Table to its number of rows: types, merges, backends, reading trees, broken trees, edits, folds, identity.
TABLES = {"TY": 28, "ME": 15, "BE": 19, "TR": 23, "BR": 9, "TU": 9, "TF": 12, "TI": 10}
ROWS = [f"{table}-{n:02}" for table, last in TABLES.items() for n in range(1, last + 1)]

# Whoever brings the part takes its rows away from here.
LATER = {
    "TY-02": "descriptions of types, which give the bytes that Irmin's formats hash",
    "TY-03": "the JSON of described types, with Irmin's formats",
    "TY-04": "the binary form of described types, with Irmin's formats",
    "TY-09": "hashes with the old header, with Irmin's formats",
    "TY-13": "permissions of files, with Git",
    "TY-17": "strings of older versions, with Irmin's formats",
}

_NAMED = re.compile(r"\b([A-Z]{2})-(\d\d)(?: to (?:\1-)?(\d\d))?\b")


def named(text: str) -> set[str]:
    """The rows that `text` names, one by one or as "TR-08 to TR-11"."""
    return {
        f"{table}-{n:02}"
        for table, first, last in _NAMED.findall(text)
        for n in range(int(first), int(last or first) + 1)
    }


def all_named() -> set[str]:
    """The rows that the tests and the shipped suites name; this file does not count."""
    files = [*TESTS.rglob("*.py"), *SUITES.rglob("*.py")]
    found: set[str] = set()
    for file in files:
        if file != Path(__file__).resolve():
            found |= named(file.read_text(encoding="utf-8"))
    return found


NAMED = all_named()


@pytest.mark.parametrize("row", [row for row in ROWS if row not in LATER])
def test_a_row_is_named_by_a_test(row: str) -> None:
    assert row in NAMED, f"no test says that it checks {row}"


def test_rows_for_later_are_rows_with_a_reason() -> None:
    assert set(LATER) <= set(ROWS)
    assert all(LATER.values())


@pytest.mark.parametrize("row", LATER)
def test_a_row_that_is_tested_no_longer_waits(row: str) -> None:
    assert row not in NAMED, f"{row} is named by a test: take it from LATER"


def test_no_test_names_a_row_that_does_not_exist() -> None:
    known = {row for row in NAMED if row[:2] in TABLES}
    assert known <= set(ROWS), sorted(known - set(ROWS))


def test_rows_are_found_one_by_one_and_in_ranges() -> None:
    assert named('"""TR-08 to TR-11, TC-097."""') == {"TR-08", "TR-09", "TR-10", "TR-11"}
    assert named("TU-01, TU-03 to 05") == {"TU-01", "TU-03", "TU-04", "TU-05"}
    assert named("nothing of TR-8 or XTR-08") == set()
