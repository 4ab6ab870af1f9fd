"""Runs of an index: which become one, which count, and that the newest row of a key is what it says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from irminpy_pack import index as index_
from irminpy_pack import runs as runs_
from irminpy_pack.index import Index
from irminpy_pack.runs import Run, due, live, pending
from tests.pack_index import entries, opened


def runs(*rows: int, into: int = 0) -> list[Run]:
    return [Run(n + 1, into, count, 1) for n, count in enumerate(rows)]


@pytest.mark.parametrize(
    ("there", "rows", "most", "count"),
    [
        ((), 5, 0, 0),
        ((6,), 5, 0, 0),
        ((5,), 5, 0, 1),
        ((10, 5), 5, 0, 2),
        ((11, 5), 5, 0, 1),
        ((40, 20, 10, 5), 5, 0, 4),
        ((40, 20, 10, 5), 5, 20, 2),
        ((40, 20, 10, 5), 5, 19, 1),
        ((40, 20, 10, 5), 0, 0, 1),
        ((40, 20, 10, 10), 0, 0, 4),
        ((5, 6), 0, 0, 2),
    ],
)
def test_runs_that_have_no_more_rows_than_all_behind_become_one(
    there: tuple[int, ...], rows: int, most: int, count: int
) -> None:
    assert due(runs(*there), rows, most) == count


def test_what_is_on_its_way_is_let_be() -> None:
    there = [
        *runs(8, 4),
        Run(3, 9, 2, 1),
        Run(4, 9, 2, 1),
        Run(9, 9, 1, 1),
        Run(10, 0, 1, 1),
        Run(11, 0, 1, 1),
    ]
    assert live(there) == [run for run in there if run.number != 9]
    assert due(there, 100) == 2
    assert pending(there, wholly=False) == pending(there, wholly=True) == 1
    assert due(there[:5], 100) == 0


def test_all_runs_become_one_when_that_is_asked_for() -> None:
    assert pending(runs(40, 20, 10), wholly=False) == 0
    assert pending(runs(40, 20, 10), wholly=True) == 3
    assert pending(runs(40), wholly=True) == pending([], wholly=True) == 0
    assert pending(runs(40, 5, 5), wholly=False) == 2


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """One with blocks of some rows, in which each add is a run."""
    for module, name, value in (
        (runs_, "_BLOCK", 100),
        (runs_, "_STEP", 3),
        (runs_, "_PIECE", 2),
        (index_, "_PAGE", 2),
    ):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(index_, "_JOINED", 1)
    return opened(tmp_path / "index")


@pytest.mark.parametrize("sizes", [(3, 40), (40, 3), (20, 20), (1, 7, 60), (60, 7, 1)])
def test_the_newest_row_of_a_key_is_what_it_says_whichever_run_is_larger(
    index: Index, sizes: tuple[int, ...]
) -> None:
    there: dict[bytes, int] = {}
    for n, size in enumerate(sizes, 1):
        more = dict.fromkeys(sorted(entries(100))[:size], n)
        index.add(more, n)
        there |= more
    for merge in (False, True):
        assert dict(index.dump()) == there
        assert all(index.find(key[0], key[1:]) == word for key, word in there.items())
        assert index.find_many(1, [key[1:] for key in there if key[0] == 1]) == [
            word for key, word in there.items() if key[0] == 1
        ]
        if not merge:
            assert (index.runs, index.count) == (len(sizes), sum(sizes))
            index.merge(wholly=True)
            assert (index.runs, index.count) == (1, len(there))
    index.close()


def test_a_merge_that_was_left_in_the_middle_is_gone_on_with(index: Index, tmp_path: Path) -> None:
    """What comes meanwhile is a run of its own; rows of the run that is not complete do not count."""
    there = entries(60)
    index.add(entries(30), 1)
    index.add(there, 2)
    environment = index._environment
    assert environment is not None
    for n in range(3, 8):
        environment.write(partial(index._merge, True))
        more = entries(n, seed=n)
        index.add(more, n)
        there |= more
        index.add(more, n)
        assert dict(index.dump()) == there
        assert index.count >= len(there)
        index.verify()
        states = environment.read(index._state).runs
        assert sum(run.into == run.number for run in states) == 1
        assert sum(run.into != 0 for run in states) == 3
        index.close()
        index = opened(tmp_path / "index")
        environment = index._environment
        assert environment is not None
    index.merge(wholly=True)
    assert (index.runs, index.count) == (1, len(there))
    assert dict(index.dump()) == there
    index.close()


def test_what_a_merge_writes_is_noted_before(index: Index) -> None:
    """A fingerprint of before does not hold while a merge is written, nor when it is done."""
    index.add(entries(30), 1)
    index.add(entries(40, seed=2), 2)
    before = index.fingerprint()
    assert before is not None
    index.merge(wholly=True)
    after = index.close()
    assert after is not None
    assert after.transaction > before.transaction
    assert opened(index.directory, fingerprint=after).close() == after
    again = opened(index.directory, fingerprint=before)
    assert not again.checked
    assert dict(again.dump()) == entries(30) | entries(40, seed=2)
    again.close()
