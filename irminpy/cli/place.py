"""Which store, branch, commit and path a command works on, and how the store is opened.

The store: --store, IRMINPY_STORE, then `irmin.yml`. The branch: -b, `irmin.yml`, main; --commit wins over both. A path
may say its own revision: REV:PATH.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

import click

from irminpy.backend import Maker
from irminpy.cli import config
from irminpy.cli.failure import ABSENT, NO, UNSAFE, USAGE, Failure, failure_of
from irminpy.cli.output import Options
from irminpy.commit import Commit
from irminpy.contents import by_id
from irminpy.errors import Corrupted, NotFound, StorageError
from irminpy.registry import maker_of_uri
from irminpy.repo import Repo
from irminpy.schema import Schema
from irminpy.store import Store
from irminpy.tree import Tree
from irminpy.upkeep import Recording, Verifying

__all__ = [
    "absent",
    "at",
    "author",
    "branch_of",
    "commit_of",
    "found",
    "maker_of",
    "opened",
    "opened_store",
    "placed",
    "standing",
    "target",
    "unable",
    "writable",
]

AnyRepo = Repo[Any, Any]
AnyStore = Store[Any, Any]
AnyTree = Tree[Any, Any]
AnyCommit = Commit[Any, Any]

_NEAR = 1000  # entries that are compared with a misspelt step


def maker_of(uri: str | None, command: str) -> Maker:
    """The maker of the store `uri`, None meaning the one of `irmin.yml`; Failure if none is named."""
    if uri is None:
        uri = configured().store
    if uri is None:
        raise Failure(
            "no store is named",
            why="the command works on a store, and there is no irmin.yml here or above",
            type=f"irminpy --store pack:DIR {command}, or set IRMINPY_STORE, or irminpy init pack:DIR",
            status=USAGE,
        )
    try:
        return maker_of_uri(uri)
    except StorageError as e:
        type = "irminpy options tells the backends and their options"
        raise Failure(str(e), why="a store is named by a URI", type=type, status=USAGE) from e


def configured() -> config.Config:
    """What `irmin.yml`, or the file of --config, says."""
    context = click.get_current_context(silent=True)
    options = None if context is None else context.find_object(Options)
    return config.found(None if options is None else options.config)


def unable(maker: Maker, command: str) -> Failure:
    """That the stores of `maker` do not have what `command` needs."""
    return Failure(
        f"a store of {type(maker).__name__} has no {command}",
        why="not every backend keeps files that it could work on",
        type=f"irminpy --store pack:DIR {command}",
        status=UNSAFE,
    )


def opened(maker: Maker, *, readonly: bool, author: str = "irminpy") -> AnyRepo:
    """The store that is there, with the schema that it records; the default one if its backend records none.

    Contents of a type that is not built in are raw bytes, and cannot be written (`irminpy.recorded`).
    """
    schema = maker.recorded() if isinstance(maker, Recording) else None
    contents = configured().values.get("contents")
    if schema is None and contents is not None:
        own = maker.open(None, _reading())[1]
        schema = Schema(by_id(contents), metadata=own.metadata, hash=own.hash, format=own.format)
    return Repo.open(maker, schema, readonly=readonly, create=False, author=author)


def _reading() -> Any:
    from irminpy.backend import Options as Opening

    return Opening(readonly=True, create=False)


@contextmanager
def opened_store(options: Options, *, readonly: bool = True) -> Generator[AnyRepo]:
    """The store of the command that runs, open."""
    command = click.get_current_context().info_name or "COMMAND"
    maker = maker_of(options.store, command)
    if options.verify is None:
        with opened(maker, readonly=readonly, author=author()) as repo:
            yield repo
        return
    if not isinstance(maker, Verifying):
        what = f"a store of {type(maker).__name__} is read here, not shown by a server"
        type_ = (
            f"irminpy --store http://HOST/ {command} --verify ROOT, or irminpy verify for a proof in a file"
        )
        raise Failure(what, why="--verify is for what somebody else answers", type=type_, status=USAGE)
    try:
        with opened(maker.verifying(options.verify), readonly=readonly) as repo:
            yield repo
    except Corrupted as e:
        why = "what the server shows is not what the trusted hash leads to"
        raise Failure(
            f"REFUSED: {e.reason}",
            why=why,
            type="do not believe the server, or trust another hash",
            status=NO,
        ) from e


def author() -> str:
    """Who commits: IRMINPY_AUTHOR, `irmin.yml`, the name of the user."""
    names = os.environ
    given = names.get("IRMINPY_AUTHOR") or configured().values.get("author")
    return given or names.get("LOGNAME") or names.get("USER") or "irminpy"


def branch_of(options: Options) -> str:
    """The branch that is worked on."""
    return options.branch or configured().values.get("branch") or "main"


def commit_of(repo: AnyRepo, revision: str, behind: str = "") -> AnyCommit:
    """The commit that `revision` names; Failure, with a guess what was meant, if there is none.

    `behind` is what follows it where it was typed.
    """
    if ":" in revision:
        what = f"{revision} goes on with a path"
        raise Failure(what, why="a commit is asked for", type=revision.partition(":")[0], status=USAGE)
    try:
        return repo.at(revision).head()
    except NotFound as e:
        raise _missing(repo, str(e), revision, behind=behind) from e


def at(repo: AnyRepo, revision: str, behind: str = "") -> AnyStore:
    """A detached store at `revision`; Failure as in `commit_of`."""
    return repo.detached(commit_of(repo, revision, behind))


def standing(repo: AnyRepo, options: Options) -> AnyStore:
    """What is read: the commit of --commit, else the branch; Failure if a branch was named and has no head."""
    if options.commit is not None:
        return at(repo, options.commit)
    name = branch_of(options)
    if options.verify is not None and options.branch is None:
        # The commit that is trusted, wherever the branch is by now. A root directory names no commit.
        with suppress(NotFound):
            return repo.at(options.verify)
    store = repo.branch(name)
    if options.branch is not None and store.find_head() is None:
        raise _missing(repo, f"branch not found: {name!r}", name)
    return store


def writable(repo: AnyRepo, options: Options) -> AnyStore:
    """The branch that is written to; Failure with --commit, which no write can move, and for a branch of -b that is not
    there, unless it is the first: a misspelt one must not become a new branch.
    """
    if options.commit is not None:
        raise Failure(
            "--commit names a commit, which never changes",
            why="a write moves a branch",
            type="irminpy -b BRANCH, without --commit",
            status=USAGE,
        )
    name = branch_of(options)
    if options.branch is not None and name not in (known := repo.branches()) and known:
        raise _missing(repo, f"branch not found: {name!r}", name, f"irminpy branch {name} makes it")
    return repo.branch(name)


def placed(repo: AnyRepo, options: Options, text: str) -> tuple[AnyStore, str]:
    """The store and the path that `text` names: PATH, REV:PATH, or :PATH for a path that holds a ":"."""
    revision, colon, path = text.partition(":")
    if not colon:
        return standing(repo, options), text
    return (at(repo, revision, f":{path}") if revision else standing(repo, options)), path


def target(repo: AnyRepo, options: Options, text: str) -> tuple[AnyStore, str]:
    """As `placed`, for writing: what stands before a ":" is a branch that is there."""
    name, colon, path = text.partition(":")
    if not colon or not name:
        return writable(repo, options), path if colon else text
    if name not in repo.branches():
        raise _missing(
            repo, f"branch not found: {name!r}", name, f"{_again(f':{text}')} if the path has a colon"
        )
    return writable(repo, options._replace(branch=name)), path


def absent(repo: AnyRepo, store: AnyStore, path: str) -> Failure:
    """That nothing is at `path` of `store`, with a guess what was meant."""
    import difflib  # late: only errors guess

    tree, steps = store.tree(), repo.home.steps(path)
    for depth, step in enumerate(steps):
        below = tree.find_tree((step,))
        if below is None:
            near = difflib.get_close_matches(
                step, [one for one, _ in islice(tree.seq(cache=False), _NEAR)], n=1
            )
            if near:
                guess = "/".join([*steps[:depth], near[0], *steps[depth + 1 :]])
                return Failure(
                    f"path not found: {path}",
                    why=f"did you mean {guess!r}?",
                    type=_again(guess),
                    status=ABSENT,
                )
            break
        tree = below
    with suppress(NotFound, ValueError):  # a step may be no branch
        repo.at(path)
        what, why = f"path not found: {path}", "it is a revision, not a path"
        return Failure(what, why=why, type=_again(f"{path}:"), status=ABSENT)
    return failure_of(NotFound("path", path))


def found(repo: AnyRepo, options: Options, text: str) -> tuple[AnyStore, str, AnyTree]:
    """As `placed`, with what is there; Failure, with a guess what was meant, if that is nothing."""
    store, path = placed(repo, options, text)
    tree = store.find_tree(path)
    if tree is None:
        raise absent(repo, store, path)
    return store, path, tree


def _again(argument: str) -> str:
    """The command that runs, with another argument."""
    return f"{click.get_current_context().command_path} ... {argument}"


def _missing(repo: AnyRepo, what: str, name: str, type: str | None = None, *, behind: str = "") -> Failure:
    import difflib  # late, as above

    base = name.split("~")[0].split("^")[0]
    names = [branch.removeprefix("tags/") for branch in repo.branches()]
    if base in names:
        return Failure(
            what,
            why=f"{base} is there, but not so many commits before it",
            type=_again(base + behind),
            status=ABSENT,
        )
    near = difflib.get_close_matches(base, names, n=1)
    if near:
        return Failure(
            what,
            why=f"did you mean {near[0]!r}?",
            type=type or _again(near[0] + name[len(base) :] + behind),
            status=ABSENT,
        )
    why = "no branch, tag or commit is called that"
    return Failure(what, why=why, type=type or "irminpy branch, or irminpy log", status=ABSENT)
