"""Every `python` block with prompts in README.md and docs/ runs as it stands; the README's commands are those CI runs."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def session(document: Path) -> str:
    """The python blocks of `document` as one text; other lines are left empty, so line numbers in failures are true."""
    text = document.read_text(encoding="utf-8")
    lines = [""] * len(text.splitlines())
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        for number, line in enumerate(block[1].splitlines(), first):
            lines[number] = line
    return "\n".join(lines) + "\n"


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("document", [pytest.param(file, id=str(file.relative_to(ROOT))) for file in DOCUMENTS])
def test_the_examples_of_a_document_run(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert shown.endswith("-m pytest")


@pytest.mark.parametrize("example", [pytest.param(file, id=file.stem) for file in sorted((ROOT / "examples").glob("*.py"))])
def test_an_example_runs(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
