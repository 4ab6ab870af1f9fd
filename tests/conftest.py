"""Hypothesis profiles, and tests that need a tool of the system.

`IRMINPY_PROFILE` is quick (default), ci or deep. A test marked `needs("strace")` runs where the tool is;
elsewhere it is deselected and the summary says so in one line. `IRMINPY_REQUIRE=all` (or names, with commas)
makes absence a failure. `-m "hypothesis or profiled"` picks the tests that answer to a profile.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter

import pytest
from hypothesis import settings

CI = bool(os.environ.get("CI"))  # there every run tries the same; elsewhere each run something new

settings.register_profile("quick", max_examples=50, deadline=None, derandomize=CI)
settings.register_profile("ci", max_examples=60, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("deep", max_examples=5000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("IRMINPY_PROFILE", "quick"))

# The name tests use, and the program it stands for.
TOOLS = {"strace": "strace", "fiu": "fiu-run", "git": "git", "sshd": "sshd", "curl": "curl"}

DESELECTED = pytest.StashKey[dict[str, int]]()  # tool to number of tests


def locate(tool: str) -> str | None:
    """Where the program of `tool` is, or None. A user's PATH often lacks the directories of sshd."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/sbin"])
    return shutil.which(TOOLS[tool], path=path)


def required() -> set[str]:
    """The tools whose absence is a failure, from `IRMINPY_REQUIRE`."""
    names = {name.strip() for name in os.environ.get("IRMINPY_REQUIRE", "").split(",")} - {""}
    unknown = names - set(TOOLS) - {"all"}
    if unknown:
        raise pytest.UsageError(f"IRMINPY_REQUIRE names no known tool: {', '.join(sorted(unknown))}")
    return set(TOOLS) if "all" in names else names


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "profiled: tries more under a longer profile, as tests of hypothesis do"
    )
    config.addinivalue_line("markers", f"needs(*tools): runs only where these are: {', '.join(TOOLS)}")
    config.stash[DESELECTED] = {}
    absent = sorted(tool for tool in required() if locate(tool) is None)
    if absent:
        raise pytest.UsageError(f"IRMINPY_REQUIRE asks for tools that are not installed: {', '.join(absent)}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    absent = {tool for tool in TOOLS if locate(tool) is None}
    counts = Counter[str]()
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        tools = {tool for mark in item.iter_markers("needs") for tool in mark.args}
        unknown = tools - set(TOOLS)
        if unknown:
            raise pytest.UsageError(f"{item.nodeid} needs an unknown tool: {', '.join(sorted(unknown))}")
        if tools & absent:
            counts.update(tools & absent)
            dropped.append(item)
        else:
            kept.append(item)
    config.stash[DESELECTED] = dict(counts)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    # Under xdist only the workers collect; each hands its counts to the controller.
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["deselected"] = session.config.stash[DESELECTED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    output: dict[str, object] = getattr(node, "workeroutput", {})
    config: pytest.Config | None = getattr(node, "config", None)
    counts = output.get("deselected")
    if config is not None and isinstance(counts, dict):
        # Every worker collects the same tests, so the counts of one are those of all.
        config.stash[DESELECTED] = {str(tool): int(count) for tool, count in counts.items()}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash[DESELECTED]
    if counts:
        tools = ", ".join(f"{tool} ({count})" for tool, count in sorted(counts.items()))
        terminalreporter.write_line(f"deselected tests that need tools absent here: {tools}")


@pytest.fixture
def tool_path() -> dict[str, str]:
    """Where each tool that is here lives, by the name tests use."""
    return {tool: path for tool in TOOLS if (path := locate(tool)) is not None}
