"""Where a repository lies, and what it is: bare or not, its object format, what it asks of its readers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from irminpy.errors import NotAStore, UnsupportedVersion

from . import config
from .files import make_directory, read_small
from .kinds import HASHES

__all__ = ["Repository", "create", "find"]

_EXTENSIONS: Final = frozenset(
    ("noop", "objectformat", "partialclone", "preciousobjects", "worktreeconfig", "relativeworktrees")
)
"""What a reader need not understand, or this one does."""


@dataclass(frozen=True, slots=True)
class Repository:
    """The directories and the settings of a repository."""

    path: str
    """What holds HEAD: the repository, its `.git`, or what a work tree has of its own."""
    common: str
    """What holds objects and refs; the same but for additional work trees."""
    algorithm: str
    """The hash function of its objects: "sha1" or "sha256"."""
    bare: bool
    precious: bool
    """Whether no object may be removed, whatever leads to it."""
    reflog: bool
    """Whether moves of branches are to be logged."""

    @property
    def objects(self) -> str:
        """The directory of the objects."""
        return os.path.join(self.common, "objects")

    @property
    def size(self) -> int:
        """Bytes of an id."""
        return HASHES[self.algorithm].size


def _git_dir(path: str) -> str | None:
    """The directory that holds HEAD, for the path of a repository or of a work tree; None if there is none."""
    for at in (os.path.join(path, ".git"), path):
        if os.path.isfile(at):
            text = (read_small(at, 4096) or b"").decode("utf-8", "surrogateescape")
            if not text.startswith("gitdir: "):
                return None
            return os.path.join(os.path.dirname(at), text[8:].strip())
        if os.path.isfile(os.path.join(at, "HEAD")) or os.path.islink(os.path.join(at, "HEAD")):
            return at
    return None


def find(path: str) -> Repository | None:
    """The repository at `path`, or None. UnsupportedVersion if it asks of its readers what this one cannot do."""
    found = _git_dir(path)
    if found is None:
        return None
    git_dir = os.path.realpath(found)
    common = git_dir
    other = read_small(os.path.join(git_dir, "commondir"), 4096)
    if other is not None:
        common = os.path.realpath(os.path.join(git_dir, other.decode("utf-8", "surrogateescape").strip()))
    if not os.path.isdir(os.path.join(common, "objects")):
        return None
    text = (read_small(os.path.join(common, "config")) or b"").decode("utf-8", "surrogateescape")
    settings = config.parse(text)
    version = settings.get("core.repositoryformatversion", "0")
    if version not in ("0", "1"):
        raise UnsupportedVersion(f"the repository {path}", version, "0 and 1")
    algorithm = "sha1"
    extensions = {key[11:]: value for key, value in settings.items() if key.startswith("extensions.")}
    if version == "1":
        for name, value in extensions.items():
            if name == "refstorage" and value.lower() == "files":
                continue
            if name not in _EXTENSIONS:
                raise UnsupportedVersion(
                    f"the repository {path}", f"1 with {name} = {value:.40}", "1 without that"
                )
        algorithm = extensions.get("objectformat", "sha1").lower()
        if algorithm not in HASHES:
            raise UnsupportedVersion(f"the object format of {path}", algorithm, "sha1 and sha256")
    bare = settings.get("core.bare", "false").lower() in ("true", "yes", "on", "1")
    logged = settings.get("core.logallrefupdates", "false" if bare else "true").lower()
    precious = version == "1" and extensions.get("preciousobjects", "false").lower() == "true"
    return Repository(
        git_dir, common, algorithm, bare, precious, logged in ("true", "yes", "on", "1", "always")
    )


def create(path: str, algorithm: str, *, bare: bool) -> Repository:
    """A new repository with nothing in it, as `git init` makes it, without samples of hooks.

    NotAStore if there is anything at `path` already.
    """
    if os.path.exists(path) and (not os.path.isdir(path) or (bare and os.listdir(path))):
        raise NotAStore(path, "it is no repository of Git, and not empty either; git init makes one of it")
    at = path if bare else os.path.join(path, ".git")
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
        make_directory(os.path.join(at, name))
    lines = ["[core]", f"\trepositoryformatversion = {int(algorithm != 'sha1')}", "\tfilemode = true"]
    lines.append(f"\tbare = {'true' if bare else 'false'}")
    if not bare:
        lines.append("\tlogallrefupdates = true")
    if algorithm != "sha1":
        lines += ["[extensions]", f"\tobjectformat = {algorithm}"]
    with open(os.path.join(at, "config"), "x", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    # Whoever looks for a repository looks for HEAD, so it comes last.
    new = os.path.join(at, f"HEAD.{os.getpid()}")
    with open(new, "x", encoding="ascii") as file:
        file.write("ref: refs/heads/main\n")
    os.rename(new, os.path.join(at, "HEAD"))
    made = find(path)
    assert made is not None, "it was just made"
    return made
