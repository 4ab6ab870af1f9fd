"""The benchmarks do what they say they measure, at a size that costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import irminpy
from irminpy.diff import Updated
from irminpy.testing.model import bindings_of
from tests.bench.deltas import load
from tests.bench.timing import IRMIN, LOOPS, Calibration
from tests.bench.workloads import branches, differences, first, key, merge, rng, sides, updates, value, work
from tests.git_repositories import git, make

SMALL = 500


def test_keys_values_and_random_numbers_are_those_that_irmin_had() -> None:
    assert key(0) == "a9e/b37/k0"
    assert value(7, 3) == b"00000007:00000003:" + bytes(97 + (7 + 3 + j) % 26 for j in range(18, 100))
    assert len(value(99_999, 200_099)) == 100
    state = (2 * 6364136223846793005 + 1442695040888963407) % 2**64
    assert rng(2)(100_000) == (state >> 33) % 100_000


def test_commits_hold_every_update() -> None:
    generations = list(updates(2, 5, SMALL))
    model = {tuple(key(i).split("/")): value(i, 0) for i in range(SMALL)}
    model.update({tuple(path.split("/")): contents for each in generations for path, contents in each})
    with irminpy.open("mem:") as repo:
        first(repo, SMALL)
        work(repo, generations)
        assert bindings_of(repo.main().tree()) == model
        assert [commit.info.date for commit in repo.main().log()] == [5, 4, 3, 2, 1, 0]


def test_diffs_are_between_neighbours() -> None:
    with irminpy.open("mem:") as repo:
        first(repo, SMALL)
        work(repo, list(updates(2, 2, SMALL)))
        commits = list(repo.main().log())[::-1]
        distinct = [len({path for path, _ in each}) for each in updates(2, 2, SMALL)]
        assert differences(commits) == sum(distinct)
        assert {type(change) for _, change in commits[0].tree().diff(commits[1].tree())} == {Updated}


def test_merges_join_both_sides() -> None:
    ((left, right),) = sides(1, SMALL)
    assert len({path for path, _ in left + right}) == 200
    with irminpy.open("mem:") as repo:
        first(repo, SMALL)
        made = merge(*branches(repo, left, right))
        assert made is not None
        assert len(made.parents) == 2
        for path, contents in left + right:
            assert made.tree().get(path) == contents


def test_the_calibration_loops_are_those_that_ran_beside_irmin() -> None:
    assert LOOPS.keys() == IRMIN["calibration"].keys()
    calibration = Calibration()
    calibration.seconds = {name: [2 * spent] for name, spent in IRMIN["calibration"].items()}
    assert calibration.scale() == 2


@pytest.mark.needs("git")
@pytest.mark.parametrize("name", ["versions", "project", "mixed"])
def test_deltas_are_of_all_objects_of_repositories_that_are_the_same_each_time(
    tmp_path: Path, name: str
) -> None:
    at = make(tmp_path, name, 1)
    entries, bodies = load(at)
    assert len(entries) == len(bodies) == len(git(at, "rev-list", "--objects", "--all").splitlines())
    assert {entry.id: entry.length for entry in entries} == {id_: len(body) for id_, body in bodies.items()}
    (tmp_path / "again").mkdir()
    again = make(tmp_path / "again", name, 1)
    assert git(again, "rev-parse", "main") == git(at, "rev-parse", "main")
    assert git(at, "fsck", "--full", "--strict") == b""
