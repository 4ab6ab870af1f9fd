"""Revisions: texts that name a commit, and a place in its tree.

    REV       = BASE WAY*          BASE: a branch, a tag, a hash as the format shows it, or at least 7 digits of one
    WAY       = "~" N | "^" N      the N-th first parent, the N-th parent; N is 1 if left out
    REV:PATH                       what is at PATH in the tree of REV

A tag is a branch below tags/; of one name a branch wins over a tag, and a tag over a hash.
The first ":" ends the revision: neither branches nor hashes hold one, and a path may hold any further.
"""

from __future__ import annotations

import re

from . import branch as branches
from .commit import Commit, Opened
from .errors import DecodeError, NotFound
from .hash import Hash
from .types import C, M

__all__ = ["commit_at", "split"]

# Compiled when a revision is asked for: most programs name branches.
_REVISION = r"(?P<base>[^~^:]+)(?P<way>(?:[~^][0-9]*)*)\Z"
_STEP = r"([~^])([0-9]*)"
_TAGS = "tags/"
_SHORTEST = 7  # digits of a hash that may stand for it


def split(text: str) -> tuple[str, str | None]:
    """The revision of `text` and its path, which is None if there is no ":". TypeError for no text."""
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a revision is a str, not {type(text).__name__}")
    revision, colon, path = text.partition(":")
    return revision, path if colon else None


def commit_at(opened: Opened[C, M], text: str) -> Commit[C, M]:
    """The commit that `text` names; a branch wins over a tag, and a tag over a hash.

    NotFound if there is none, or if several begin with the digits; DecodeError for a text that goes on with a
    path. Cost: one read per step back.
    """
    opened.check()
    revision, path = split(text)
    if path is not None:
        raise DecodeError(
            "revision", f"{text!r:.80} goes on with a path; Repo.get and Repo.get_tree take REV:PATH"
        )
    found = re.match(_REVISION, revision)
    if found is None:
        raise NotFound("revision", revision)
    commit = _base(opened, found["base"], revision)
    for way, digits in re.findall(_STEP, found["way"]):
        number = int(digits or "1")
        for _ in range(number if way == "~" else 1):
            which = 1 if way == "~" else number
            if not which:
                continue
            if which > len(commit.parents) or commit.parents[which - 1] not in commit.past:
                raise NotFound("revision", revision)
            commit = opened.get(commit.parents[which - 1], "a parent of a commit")
    return commit


def _base(opened: Opened[C, M], name: str, revision: str) -> Commit[C, M]:
    backend = opened.backend
    if branches.is_valid(name):
        head = backend.ref(name) or (backend.ref(_TAGS + name) if branches.is_valid(_TAGS + name) else None)
        if head is not None:
            return opened.get(head, f"the branch {name}")
    digits = name.lower()
    codec = opened.home.codec
    whole: Hash | None = codec.read_hash(name) or codec.read_hash(digits)
    short = _SHORTEST <= len(digits) < 2 * codec.hash_size and not set(digits) - set("0123456789abcdef")
    if whole is not None or short:
        hashes = [whole] if whole is not None else backend.find_commits(digits)
        if len(hashes) > 1:
            raise NotFound("commit", f"{revision} (several begin with these digits; give more of them)")
        commit = opened.find(hashes[0]) if hashes else None
        if commit is not None:
            return commit
    elif _SHORTEST > len(digits) >= 4 and not set(digits) - set("0123456789abcdef"):
        raise NotFound("revision", f"{revision} (no branch, and a hash takes {_SHORTEST} digits or more)")
    raise NotFound("revision", revision)
