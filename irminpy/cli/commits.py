"""Commits and changes as the commands show them, and how a command that writes is told what to say of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from irminpy.cli.failure import USAGE, Failure
from irminpy.cli.output import Output, Span
from irminpy.cli.place import AnyCommit, AnyRepo, AnyStore
from irminpy.diff import Added, Change, Removed
from irminpy.errors import DecodeError
from irminpy.hash import Hash
from irminpy.info import Info
from irminpy.store.writing import Writing

__all__ = ["date_of", "how", "iso", "letter", "names", "record_of", "saying", "tell_head", "when"]

F = TypeVar("F", bound=Callable[..., Any])

TAGS = "tags/"
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGO = re.compile(r"([0-9]{1,9})(s|min|h|d|w)")
STYLES: Mapping[str, str] = {"A": "green", "D": "red", "M": "yellow"}


def saying(command: F) -> F:
    """The options of every command that commits: message, author, date."""
    for option in (
        click.option(
            "--date", metavar="DATE", help="Of the commit: seconds since 1970, or as in 2026-11-22T12:00:00Z."
        ),
        click.option(
            "--author", metavar="NAME", help="Of the commit, instead of IRMINPY_AUTHOR or your own name."
        ),
        click.option("-m", "--message", metavar="TEXT", help="Why."),
    ):
        command = option(command)
    return command


def how(usual: str, message: str | None, author: str | None, date: str | None) -> Writing:
    """The keywords of a write; `usual` is the message if none is given. The date may come from IRMINPY_DATE."""
    date = date or os.environ.get("IRMINPY_DATE")
    message = usual if message is None else message
    writing = Writing(message=message)
    if author is not None:
        writing["author"] = author
    if date is not None:
        writing["date"] = date_of(date)
    try:
        Info(0, author or "", message)
    except DecodeError as e:
        why = "a commit holds text"
        raise Failure(str(e), why=why, type="give the message and the author as UTF-8", status=USAGE) from e
    return writing


def date_of(text: str) -> int:
    """Seconds since 1970 of `text`: a number, a date in ISO 8601 (UTC if it has no offset), or how long ago: "7d"."""
    try:
        return int(text)
    except ValueError:
        pass
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return int(time.time()) - int(ago[1]) * _SECONDS[ago[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(
            f"{text!r:.60} is no date",
            why="dates are seconds since 1970, ISO 8601, or how long ago",
            type="2026-11-22, 2026-11-22T12:00:00Z, 1795348800 or 7d",
            status=USAGE,
        ) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def iso(date: int) -> str:
    """`date` as ISO 8601 in UTC; the number, if no calendar has it."""
    try:
        return datetime.fromtimestamp(date, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return str(date)


def when(date: int, *, relative: bool, now: Callable[[], float] = time.time) -> str:
    """`date` for people: as in "2 min ago" if `relative`, else ISO 8601."""
    ago = int(now()) - date
    if not relative or ago < 0:
        return iso(date)
    for most, unit in ((60, "s"), (3600, "min"), (86400, "h"), (30 * 86400, "d")):
        if ago < most:
            return f"{ago // _SECONDS[unit]} {unit} ago"
    return iso(date)[:10]


def names(repo: AnyRepo) -> dict[Hash, list[str]]:
    """The branches and tags that stand on each commit; tags as tag:NAME."""
    found: dict[Hash, list[str]] = {}
    for name in repo.branches():
        head = repo.branch(name).find_head()
        if head is not None:
            told = f"tag:{name[len(TAGS) :]}" if name.startswith(TAGS) else name
            found.setdefault(head.hash, []).append(told)
    return found


def record_of(commit: AnyCommit, refs: Iterable[str] = ()) -> dict[str, Any]:
    """`commit` for programs."""
    return {
        "commit": commit.hash.hex(),
        "parents": [parent.hex() for parent in commit.parents],
        "tree": commit.tree_hash.hex(),
        "author": commit.info.author,
        "date": iso(commit.info.date),
        "message": commit.info.message,
        "refs": list(refs),
    }


def letter(change: Change[Any]) -> str:
    """A, D or M."""
    return "A" if isinstance(change, Added) else "D" if isinstance(change, Removed) else "M"


def title(commit: AnyCommit) -> str:
    """The first line of the message."""
    return commit.info.message.split("\n", 1)[0]


def tell_head(
    output: Output, store: AnyStore, commit: AnyCommit | None, did: str = "", **more: object
) -> None:
    """Where the branch stands after a write; `commit` None: nothing changed."""
    head = store.find_head() if commit is None else commit
    name = store.name or "(detached)"
    if output.options.json:
        record = {} if head is None else record_of(head)
        output.record({"branch": name, "changed": commit is not None, **record, **more})
        return
    did = did if commit is not None else "nothing changed"
    if head is None:
        output.row(name, f"  {did}")
        return
    parts: list[Span] = [(name, "bold"), "  ", (head.short(), "yellow")]
    if commit is not None:
        parts.append(f"   {title(head)}")
    output.row(*parts, f"   {did}" if did else "")
