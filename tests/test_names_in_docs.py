"""The names that a document for users of another system promises are there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import irminpy

DOCS = Path(__file__).resolve().parent.parent / "docs"
ROW = re.compile(r"^\|(?P<theirs>.*)\|(?P<ours>[^|]*)\|$", re.MULTILINE)
NAME = re.compile(r"`(?P<name>[A-Za-z_]+\.[A-Za-z_0-9]+)`")
CALL = re.compile(r"`?\b(?P<owner>repo|main)\.(?P<name>[a-z_]+)\(")
CLASSES = {"repo": irminpy.Repo, "main": irminpy.Store}


def ours(document: str) -> str:
    return "\n".join(row["ours"] for row in ROW.finditer((DOCS / document).read_text(encoding="utf-8")))


NAMES = sorted({found["name"] for found in NAME.finditer(ours("irminpy-for-irmin-users.md"))})
CALLS = sorted({found.groups() for found in CALL.finditer(ours("irminpy-for-git-users.md"))})


@pytest.mark.parametrize("name", NAMES)
def test_a_name_for_irmin_users_is_there(name: str) -> None:
    owner, member = name.split(".")
    found = irminpy if owner == "irminpy" else getattr(irminpy, owner, None)
    getattr(found or importlib.import_module(f"irminpy.{owner}"), member)


@pytest.mark.parametrize(("owner", "name"), CALLS)
def test_a_call_for_git_users_is_there(owner: str, name: str) -> None:
    getattr(CLASSES[owner], name)


def test_the_tables_are_read() -> None:
    assert len(NAMES) > 80
    assert len(CALLS) > 15
