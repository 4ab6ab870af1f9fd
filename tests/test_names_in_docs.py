"""The names that the documents for users promise are there, and say what is not there yet."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import irminpy
from irminpy import containers, contents, remote, sync, watch
from irminpy.cli import COMMANDS
from irminpy.repo import Opening
from irminpy.store.writing import Writing

ROOT = Path(__file__).resolve().parent.parent
IRMIN, GIT = "docs/irminpy-for-irmin-users.md", "docs/irminpy-for-git-users.md"
DOCUMENTS = ("README.md", "docs/tutorial.md", "docs/concepts.md", "docs/sync.md", IRMIN, GIT)

BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\|.*\|(?P<ours>[^|]*)\|$", re.MULTILINE)
LATER = re.compile(r"^## Not there yet$.*", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"`(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?P<call>\()?")
WORD = re.compile(r"`(?P<word>[a-z_][a-z_0-9]*)(?:`|=|\()")

# What a name begins with in an example.
BOUND = {"repo": irminpy.Repo, "main": irminpy.Store, "a": irminpy.Store}
PUBLIC: tuple[Any, ...] = (
    *(irminpy.Repo, irminpy.Store, irminpy.Tree, irminpy.Commit, irminpy.MergeConflict),
    *(contents.Contents, remote.Remote, watch.Watch, containers.LinkedLog),
    *(sync, sync.Bounds, sync.Fetched, irminpy.proof),
)
# Words that are no names of ours: Irmin's and git's, the name of a branch, and letters.
OTHER = {"_exn", "main", "n"}


def prose(document: str) -> str:
    """What `document` says of irminpy now: no blocks, which the tests run, and no columns of other systems."""
    text = BLOCK.sub("", (ROOT / document).read_text(encoding="utf-8"))
    return ROW.sub(r"\g<ours>", LATER.sub("", text))


def later(document: str) -> str:
    found = LATER.search((ROOT / document).read_text(encoding="utf-8"))
    return "" if found is None else found[0]


def names(document: str) -> set[str]:
    return {found["name"] for found in NAME.finditer(prose(document)) if not found["name"].endswith(".md")}


def words(text: str) -> set[str]:
    return {found["word"] for found in WORD.finditer(text)}


def look_up(name: str) -> object:
    """What `name` is; AttributeError or ImportError if it is nothing."""
    first, *rest = name.split(".")
    found: Any = BOUND.get(first, irminpy if first == "irminpy" else getattr(irminpy, first, None))
    if found is None:
        found = importlib.import_module(first if first.startswith("irminpy_") else f"irminpy.{first}")
    for member in rest:
        found = getattr(found, member, None) or importlib.import_module(f"{found.__name__}.{member}")
    return found


def known() -> set[str]:
    """Members of what users hold, and their parameters; commands."""
    found = {*Writing.__annotations__, *Opening.__annotations__}
    found |= {name for _, _, names in COMMANDS for name in names.split()}
    for owner in PUBLIC:
        for name in dir(owner):
            member = getattr(owner, name, None)
            found.add(name)
            if inspect.isfunction(member):
                found.update(inspect.signature(member).parameters)
        found.update(getattr(owner, "__annotations__", ()))
    return found


PROMISED = sorted({(document, name) for document in DOCUMENTS for name in names(document)})


@pytest.mark.parametrize(("document", "name"), PROMISED)
def test_a_name_in_a_document_is_there(document: str, name: str) -> None:
    look_up(name)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_word_in_a_document_is_a_method_or_a_parameter(document: str) -> None:
    assert words(prose(document)) <= known() | OTHER


def test_what_is_not_there_yet_is_not_there() -> None:
    """Whoever brings it takes it away from the list."""
    text = later(IRMIN)
    assert words(text) == set()
    assert not words(text) & (known() | set(irminpy.__all__))
    folders = {path.name for path in (ROOT / "backends").iterdir()}
    for name in ("fs", "chunk"):
        assert name in text.lower()
        assert f"irminpy_{name}" not in folders


def test_the_documents_are_read() -> None:
    count = {document: len(names(document)) for document in DOCUMENTS}
    assert count[IRMIN] > 120
    assert count[GIT] > 25
    assert "Repo.check" in names(IRMIN)
    assert {"deepen", "force", "author"} <= words(prose(GIT))


def test_a_name_that_is_not_there_is_found() -> None:
    for name in ("Repo.nothing", "nothing.at_all", "irminpy_pack.Pack.nothing", "repo.atx"):
        with pytest.raises((AttributeError, ImportError)):
            look_up(name)
    assert "cloned" not in known()
