"""The `python` blocks of README.md and docs/ run, the examples run, and CI runs the README's command."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def session(document: Path) -> str:
    """The python blocks of `document` as one text; other lines are empty, so that line numbers are true."""
    text = document.read_text(encoding="utf-8")
    lines = [""] * len(text.splitlines())
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        for number, line in enumerate(block[1].splitlines(), first):
            lines[number] = line
    return "\n".join(lines) + "\n"


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_examples_of_a_document_run(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """US-14."""
    monkeypatch.chdir(tmp_path)
    name = str(document.relative_to(ROOT))
    test = doctest.DocTestParser().get_doctest(session(document), {}, name, str(document), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test)
    assert runner.failures == 0, capsys.readouterr().out


def test_the_readme_has_a_tour() -> None:
    assert session(ROOT / "README.md").count(">>> ") >= 10


def test_ci_runs_the_test_command_of_the_readme() -> None:
    shown = subprocess.run(
        ["bash", str(ROOT / ".ci/run"), "--show"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()
    assert shown in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\n" not in shown
    assert " -m pytest" in shown


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_runs(example: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(example)]
    roots = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")])}
    done = subprocess.run(command, cwd=tmp_path, env=roots, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
