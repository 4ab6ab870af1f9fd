"""What the real Irmin computed, computed again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from irminpy.testing.vectors.command import main, run

FOLDER = Path(__file__).resolve().parent.parent / "vectors" / "irmin"
FILES = sorted(path.name for path in FOLDER.glob("*.json") if not path.name.startswith("bench-"))


@pytest.mark.parametrize("name", FILES)
def test_irmin_and_we_compute_the_same(name: str) -> None:
    """TY-02 to TY-05, TY-09, TY-17, TC-141, TC-143, TC-145, TC-146: and where not, a decision says so."""
    out = StringIO()
    report = run(str(FOLDER / name), out)
    assert report.failures == 0, out.getvalue()
    assert report.passed >= 5


@pytest.mark.skipif(
    os.environ.get("IRMINPY_PROFILE", "quick") != "deep", reason="forty seconds: profile deep"
)
def test_the_workloads_reach_the_roots_that_the_real_irmin_reached() -> None:
    """`python -m tests.bench --roots` makes each of their commits; here only the last of each."""
    out = StringIO()
    report = run(str(FOLDER / "bench-roots.json"), out)
    assert report.failures == 0, out.getvalue()
    assert report.passed == 15


def test_the_decisions_are_at_most_eight() -> None:
    rules: set[str] = set()
    for name in FILES:
        if name.startswith(("trees", "inodes", "diff", "proofs-tezos")):
            rules |= run(str(FOLDER / name), StringIO()).decided.keys()
    assert rules <= {
        *("clash", "empty-directory", "empty-root", "walks"),
        *("own-proof", "list-order", "slash", "test-first"),
    }


QUESTION = ("name", "type", "bindings", "value", "left", "right", "old", "tree_concrete")


def test_a_proof_that_is_changed_is_a_failure(tmp_path: Path) -> None:
    """Roots, results, JSON, bytes, and whether Irmin takes it: each counts."""
    name = "proofs-pack-v2-sha1-custom.json"
    file = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    case = file["cases"][1]
    answers = ("results", "before", "after", "proof", "proof_bin", "proof_json_len", "stream", "stream_bin")
    found: set[str] = set()
    for answer in answers:
        for other in islice(changed(case["proofs"][0][answer]), 6):
            row = {**case, "proofs": [{**case["proofs"][0], answer: other}]}
            (tmp_path / name).write_text(json.dumps({**file, "cases": [row]}), encoding="utf-8")
            assert run(str(tmp_path / name), StringIO()).failures, (answer, other)
            found.add(answer)
    assert found == {*answers} - {"results"}  # a string that is no hash is not changed


def changed(value: Any) -> Iterator[Any]:
    """`value` with one of its leaves changed, for each of them."""
    if isinstance(value, dict):
        for key in value:
            for other in changed(value[key]):
                yield {**value, key: other}
    elif isinstance(value, list):
        for i, item in enumerate(value):
            for other in changed(item):
                yield [*value[:i], other, *value[i + 1 :]]
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, str) and value and set(value) <= set("0123456789abcdef"):
        yield value[:-1] + ("0" if value[-1] != "0" else "1")


@pytest.mark.parametrize(
    "name", ["types.json", "trees-mem-sha1.json", "commits-tezos.json", "diff-merge.json"]
)
def test_a_result_that_is_changed_is_a_failure(name: str, tmp_path: Path) -> None:
    """The command computes: whatever is altered in what it compares with, it finds."""
    file = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    found = 0
    case = file["cases"][1]
    for row in changed(case):
        if {key: row.get(key) for key in QUESTION} != {key: case.get(key) for key in QUESTION}:
            continue  # a question, not an answer
        path = tmp_path / name
        path.write_text(json.dumps({**file, "cases": [row]}), encoding="utf-8")
        report = run(str(path), StringIO())
        assert report.failures, row
        found += 1
        if found == 12:
            break
    assert found


def test_a_file_and_a_case_that_nobody_knows_are_failures(tmp_path: Path) -> None:
    out = StringIO()
    (tmp_path / "unknown.json").write_text("{}", encoding="utf-8")
    (tmp_path / "types.json").write_text('{"cases": [{"type": "tree", "value": ""}]}', encoding="utf-8")
    (tmp_path / "diff-merge.json").write_text(
        '{"store": "mem-blake2b", "cases": [{"type": "rebase", "name": "x"}]}', encoding="utf-8"
    )
    (tmp_path / "traces-x.json").write_text('{"store": "nobody", "cases": []}', encoding="utf-8")
    (tmp_path / "commits-broken.json").write_text("{", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    assert main([str(tmp_path)], out) == 1
    assert out.getvalue().splitlines()[-1] == "0 passed, 0 by decision, 6 failed"
    for name in (
        "unknown.json",
        "types.json",
        "diff-merge.json",
        "traces-x.json",
        "commits-broken.json",
        "folder",
    ):
        assert f"FAILED {name}" in out.getvalue()


def test_the_command_ends_with_what_came_of_all_cases(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "types.json", tmp_path)
    out = StringIO()
    assert main([str(tmp_path)], out) == 0
    assert out.getvalue().splitlines()[-1] == "72 passed, 0 by decision, 0 failed"
    assert main([], out) == 2
    assert main([str(tmp_path / "nowhere")], out) == 2
