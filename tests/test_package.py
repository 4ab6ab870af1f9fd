"""What pyproject.toml says agrees with what is on disk, and conftest.py gates tools as it says."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def backends() -> list[str]:
    return sorted(file.parent.name for file in (ROOT / "backends").glob("*/__init__.py"))


def test_the_wheel_holds_the_core_and_every_backend() -> None:
    packages = project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages == ["irminpy", *(f"backends/{name}" for name in backends())]


def test_every_backend_is_typed_and_has_an_entry_point() -> None:
    points = project()["project"]["entry-points"]["irminpy.backends"]
    assert sorted({target.split(":")[0].split(".")[0] for target in points.values()}) == backends()
    for package in [ROOT / "irminpy", *(ROOT / "backends" / name for name in backends())]:
        assert (package / "py.typed").is_file()


def test_every_extra_is_part_of_all_or_a_tool() -> None:
    extras = project()["project"]["optional-dependencies"]
    tools = {"all", "test", "bench"}
    assert extras["all"] == [f"irminpy[{','.join(name for name in extras if name not in tools)}]"]


def inner_pytest(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a test that needs git, with the project's conftest.py, in an environment of its own."""
    folder.joinpath("conftest.py").write_bytes((ROOT / "tests/conftest.py").read_bytes())
    folder.joinpath("test_inner.py").write_text(
        "import pytest\n@pytest.mark.needs('git')\ndef test_git(): ...\ndef test_plain(): ...\n"
    )
    folder.joinpath("empty").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IRMINPY_", "PYTEST_"))}
    options = ["-p", "no:cacheprovider", "--strict-markers", f"--rootdir={folder}"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        env=kept | variables,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_test_whose_tool_is_absent_is_deselected_and_named(tmp_path: Path) -> None:
    done = inner_pytest(tmp_path, PATH=str(tmp_path / "empty"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 1 deselected" in done.stdout
    assert "deselected tests that need tools absent here: git (1)" in done.stdout


def test_a_required_tool_that_is_absent_is_a_failure(tmp_path: Path) -> None:
    done = inner_pytest(tmp_path, PATH=str(tmp_path / "empty"), IRMINPY_REQUIRE="all")
    assert done.returncode != 0
    assert "not installed" in done.stderr
    assert "git" in done.stderr
