"""The command of the benchmarks: arithmetic, what is skipped, what is written. Nothing depends on how fast it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from irminpy import NotFound
from tests.bench import beside, git_sides, report
from tests.bench.building import batches, build, opened
from tests.bench.command import main, parts_of, works_of
from tests.bench.figures import Figure, Figures, irmin, ratio, told
from tests.bench.ours import PLACES, WORKS, Plan, short
from tests.bench.plot import Line, draw
from tests.bench.rows import ROWS, Row, judged, numbers
from tests.bench.sides import Pack, PyTrie, Side
from tests.bench.timing import IRMIN, Spent, measured
from tests.bench.workloads import key, updates, value
from tests.git_repositories import git

SMALL = Plan(n=300, commits=3, merges=1, proofs=(("1", 1, 0, 2), ("100+10", 100, 10, 1)))


def test_the_goals_are_one_to_twenty_four() -> None:
    assert numbers() == [str(n) for n in range(1, 25)]
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_every_goal_says_where_its_figures_come_from() -> None:
    for number in numbers():
        assert works_of([number]) or parts_of([number])
    assert works_of([]) == list(WORKS)
    assert works_of(["22"]) == []
    assert works_of(["5"]) == ["w1", "w2", "w3"]
    assert parts_of(["10"]) == ["small"]


def test_a_ratio_is_of_costs_in_the_same_turn() -> None:
    turns = [Figures(), Figures(), Figures()]
    for n, turn in enumerate(turns, 1):
        turn.took("SQLite", "W2", Spent(2.0 * n, 2.0 * n), 10)
        if n < 3:
            turn.took("pack", "W2", Spent(4.0, 4.0), 10)
    found = ratio(turns, ("SQLite", "W2"), ("pack", "W2"), 1)
    assert found is not None
    assert (found.median, found.low, found.high, found.turns) == (0.75, 0.5, 1.0, 2)
    assert ratio(turns, ("SQLite", "W2"), ("nobody", "W2"), 1) is None


def test_turns_in_which_something_else_had_the_processor_do_not_count() -> None:
    quiet, busy = Figure(1.0, 1.05), Figure(9.0, 1.31)
    found = told([quiet, busy, Figure(3.0, 1.2)])
    assert found is not None
    assert (found.median, found.turns, found.discarded, found.disturbed) == (2.0, 2, 1, False)
    found = told([busy, busy])
    assert found is not None
    assert (found.median, found.turns, found.discarded, found.disturbed) == (9.0, 2, 0, True)
    assert told([]) is None
    turn = Figures({("a", "w"): quiet, ("b", "w"): busy})
    both = ratio([turn], ("a", "w"), ("b", "w"), 1)
    assert both is not None
    assert both.disturbed


def test_the_real_irmin_is_as_slow_as_this_machine() -> None:
    rate = IRMIN["pack"]["W8_merges_per_cpu_s"]
    assert irmin("W8_merges_per_cpu_s", "pack", 2) == Figure(2 / rate)
    assert irmin("W1_commit_cpu_s", "pack", 2) == Figure(2 * IRMIN["pack"]["W1_commit_cpu_s"])
    assert irmin("W5_bytes_1", "pack", 2) == Figure(33809)
    assert irmin("W9", "pack", 2) is None
    turn = Figures()
    turn.took("pack", "W8_merges_per_cpu_s", Spent(1, 1), 2 * rate)
    (row,) = judged([turn], 1)
    assert row["row"] == "8"
    assert row["median"] == pytest.approx(2)
    assert row["reached"] == "must"
    assert not row["lost"]


def test_a_goal_is_reached_or_missed() -> None:
    least = Row("1", "rates", ("a", "w"), ("b", "w"), (1, 2, 3))
    assert [least.reached(found) for found in (0.9, 1, 2.5, 3)] == ["MISSED", "must", "ambitious", "C"]
    most = Row("2", "times", ("a", "w"), ("b", "w"), (4, 2), least=False)
    assert [most.reached(found) for found in (4.1, 4, 2)] == ["MISSED", "must", "ambitious"]
    assert Row("3", "to be known", ("a", "w"), ("b", "w")).reached(7) == ""
    assert (least.lost(0.99), least.lost(1), most.lost(1.01), most.lost(1)) == (True, False, True, False)


def test_cpu_time_has_that_of_children() -> None:
    busy = [sys.executable, "-c", "sum(range(3_000_000))"]
    spent, done = measured(lambda: subprocess.run(busy, check=True))
    assert done.returncode == 0
    assert spent.cpu > 0
    assert Spent(1, 2) + Spent(3, 4) == Spent(4, 6)


@pytest.mark.parametrize("peer", [Pack, *beside.PEERS], ids=lambda peer: peer.name)
def test_every_side_is_given_every_update(peer: type[Side], tmp_path: Path) -> None:
    if peer.absent() is not None:
        pytest.skip(f"{peer.name} is absent")
    paths = [key(i) for i in range(50)]
    side = peer(str(tmp_path / "store"))
    side.commit([(path, value(i, 0)) for i, path in enumerate(paths)])
    for bindings in updates(2, 3, 50):
        side.commit(bindings)
    if isinstance(side, beside.READERS):
        side.finds(1, paths)
    side.close()
    assert (side.size() > 0) is (peer.name not in ("py-trie", "prollytree"))


def test_a_side_that_is_no_reader_says_so(tmp_path: Path) -> None:
    class Deaf(Side):
        name = "deaf"

        def commit(self, bindings: object) -> None: ...

    with pytest.raises(NotImplementedError, match="deaf"):
        Deaf(str(tmp_path)).finds(0, [])


@pytest.mark.needs("git")
def test_git_has_every_commit_of_fast_import(tmp_path: Path) -> None:
    at = tmp_path / "git"
    side = git_sides.FastImport(str(at))
    generations = list(updates(2, 5, 50))
    side.commit([(key(i), value(i, 0)) for i in range(50)])
    side.commits(generations[:3])
    side.commits(generations[3:])
    assert len(git(at, "rev-list", "main").splitlines()) == 6
    last = dict(generations[-1])
    for path, contents in last.items():
        assert git(at, "cat-file", "blob", f"main:{path}") == contents


def test_peers_that_are_absent_are_named_with_what_they_lack(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(PyTrie, "module", "there_is_no_such_module")
    monkeypatch.setattr(git_sides.FastImport, "tool", "there-is-no-such-tool")
    skipped = beside.absent()
    assert skipped["py-trie"] == "there_is_no_such_module is not installed (the extra `bench` has it)"
    assert skipped["git fast-import"] == "there-is-no-such-tool is not installed"
    assert "LMDB" not in skipped
    found = Figures()
    beside.race(str(tmp_path), SMALL, found, "10x100x100", (PyTrie,), True)
    assert {side for side, _ in found} == {"pack"}
    assert not [row for row in judged([found], 1) if "py-trie" in row["what"]]


def test_a_barrier_that_costs_nothing_is_no_barrier(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = Figures()
    monkeypatch.setattr(beside, "barriers", lambda folder: 1e-6)
    beside.durable(str(tmp_path), SMALL, found)
    assert found == {}


def test_a_run_tells_every_work_and_writes_it_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.bench.command.Plan", lambda: SMALL)
    monkeypatch.setattr("tests.bench.command.PARTS", {})
    monkeypatch.setattr(
        "tests.bench.timing.gc", SimpleNamespace(collect=lambda: None)
    )  # is for figures alone
    monkeypatch.setattr("tests.bench.timing.LOOPS", {"dicts": lambda: 0.5})
    docs = tmp_path / "doc.md"
    docs.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    out = tmp_path / "out"
    assert main(["--turns", "1", "--out", str(out), "--docs", str(docs), "--quiet"]) == 0
    found = json.loads((out / "bench.json").read_text(encoding="utf-8"))
    assert (found["keys"], found["commits"], found["turns"]) == (300, 3, 1)
    assert found["machine"]["core"]
    assert len(found["load"]) == 2
    sides = {(cost["side"], cost["work"]) for cost in found["costs"]}
    for place in PLACES:
        for name in IRMIN["pack"]:
            proofs_left_out = name.startswith("W5") and name.endswith("_10")
            if name.startswith("W") and not name.startswith("W2") and not proofs_left_out:
                assert (place.name, name) in sides
        assert (place.name, "W2 all") in sides
    assert {row["row"] for row in found["rows"]} >= {"1", "2", "4", "5", "6", "7", "8", "9", "3 always"}
    tables = (out / "bench.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == tables == report.markdown(found)
    assert docs.read_text(encoding="utf-8") == f"before\n{report.BEGIN}\n\n{tables}\n{report.END}\nafter\n"
    assert report.main([str(out / "bench.json")]) == 0
    assert capsys.readouterr().out == tables


def test_rows_and_turns_that_are_not_there_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, why in (
        (["--rows", "3,25"], "no such row: 25"),
        (["--turns", "0"], "at least one"),
        (["--docs", "nowhere.md"], "is not there"),
    ):
        with pytest.raises(SystemExit) as refused:
            main(arguments)
        assert refused.value.code == 2
        assert why in capsys.readouterr().err


def test_a_document_without_a_place_for_the_tables_is_left_alone() -> None:
    for text in ("", report.BEGIN, f"{report.END}{report.BEGIN}", f"{report.BEGIN}{report.END}{report.END}"):
        with pytest.raises(ValueError, match="are not there"):
            report.rewritten(text, "tables")


def test_the_short_profile_is_a_tenth() -> None:
    plan = short(Plan())
    assert (plan.n, plan.commits, plan.full, Plan().full) == (10_000, 50, False, True)
    assert [proofs[3] for proofs in plan.proofs] == [30, 6, 1]


def test_stores_are_built_of_all_keys_in_batches(tmp_path: Path) -> None:
    some = list(batches(5_000, 1_000))
    assert len(some) > 2
    assert sorted(i for numbers in some for i in numbers) == list(range(5_000))
    with opened(str(tmp_path / "store")) as repo:
        build(repo, 500)
        tree = repo.main().tree()
        assert all(tree.get(key(i)) == value(i, 0) for i in range(500))
        with pytest.raises(NotFound):
            tree.get(key(500))


def test_a_plot_has_every_point_and_no_line_leaves_it() -> None:
    drawn = draw("a & b", "keys", "ms", [Line("one", [(1e4, 20), (1e7, 25)]), Line("two", [(1e4, 20)])])
    assert drawn.count("<circle") == 3
    assert "a &amp; b" in drawn
    assert ">10,000<" in drawn
    assert ">10,000,000<" in drawn
