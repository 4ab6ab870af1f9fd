"""Who logs, and under which name: TY-28."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import irminpy

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = [file for folder in ("irminpy", "backends") for file in sorted((ROOT / folder).rglob("*.py"))]


def test_every_module_that_logs_does_so_under_its_own_name() -> None:
    """TY-28, decision 12: so that a program can be silent about one module, or about all below "irminpy"."""
    found: list[str] = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("getLogger"):
                assert ast.unparse(node) == "logging.getLogger(__name__)", file
                found.append(file.stem)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value)
                assert owner != "logging" or node.func.attr == "getLogger", f"{file} logs to the root logger"
    assert "watch" in found


def test_importing_irminpy_sets_up_no_handler() -> None:
    """TY-28: passive; the program decides what becomes of what is logged."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0].startswith("irminpy")]
    for name in ("irminpy", "irminpy.watch", *names):  # a logger is made when it is asked for
        assert logging.getLogger(name).handlers == []
        assert logging.getLogger(name).level == logging.NOTSET


def test_the_numbers_of_a_repository_are_plain_values() -> None:
    """TY-28: a program reads them when it wants to; nothing is registered anywhere."""
    with irminpy.open("mem:") as repo:
        before = repo.counters.to_json()
        repo.main().set("a", b"1")
        after = repo.counters.to_json()
        assert before.keys() == after.keys()
        assert all(type(n) is int for n in after.values())
        assert after["contents_add"] == before["contents_add"] + 1
