"""Remotes: the other stores that `irmin.yml` names, and all that may stand for one in clone, fetch, pull and push."""

from __future__ import annotations

import os
import re

import click

from irminpy.cli import config
from irminpy.cli.failure import ABSENT, CONFLICT, USAGE, Failure
from irminpy.cli.output import Options, Output
from irminpy.cli.place import configured

__all__ = ["ORIGIN", "address", "of_directory", "remote"]

ORIGIN = "origin"
"""The remote that is meant where none is named."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")

# What lies in the directory of a store, and the scheme that opens it; the first that fits counts. A directory with none
# of it is a store of irmin-fs, which has no file of its own.
_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("git", (".git",)),
    ("git", ("HEAD", "objects", "refs")),
    ("pack", ("FORMAT",)),
    ("irmin-pack", ("store.dict",)),
    ("irmin-pack", ("store.control",)),
)


def address(text: str | None) -> str:
    """The URI or URL that `text` stands for: a remote of `irmin.yml`, the directory of a store, or itself.

    None is ORIGIN. A name wins over a directory, which `./NAME` means always. Failure for what is none of these.
    """
    known = configured().remotes
    name = ORIGIN if text is None else text
    if name in known:
        return known[name]
    if text is not None:
        if os.path.isdir(text):
            return of_directory(text)
        if ":" in text:
            return text
    raise _unknown(name)


def of_directory(path: str) -> str:
    """The URI of the store in the directory `path`, by what lies in it."""
    for scheme, signs in _SIGNS:
        if all(os.path.exists(os.path.join(path, sign)) for sign in signs):
            return f"{scheme}:{path}"
    return f"irmin-fs:{path}"


@click.group(invoke_without_command=True)
@click.pass_context
def remote(ctx: click.Context) -> None:
    """List the other stores that this directory knows by name, or change them. irmin.yml holds them as remote.NAME.

    clone, fetch, pull and push take the names; without one, it is origin that is meant.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(remote_list)


@remote.command("add")
@click.argument("name", metavar="NAME")
@click.argument("uri", metavar="REMOTE")
@click.option("--force", is_flag=True, help="Also if NAME stands for another one until now.")
@click.pass_obj
def remote_add(options: Options, name: str, uri: str, force: bool) -> None:
    """Let NAME stand for REMOTE: the URI of a store, the URL of a repository of Git, or a directory with either."""
    if not _NAME.fullmatch(name):
        why = "a name has letters, digits, '.', '_' and '-', and begins with one of the first two or '_'"
        raise Failure(
            f"{name!r:.80} is no name of a remote",
            why=why,
            type="irminpy remote add origin URI",
            status=USAGE,
        )
    given, known = _written(uri), configured()
    before = known.values.get(f"remote.{name}")
    if before not in (None, given) and not force:
        what = f"{name} stands for {before} already"
        raise Failure(what, why="it would be another", type="the same with --force", status=CONFLICT)
    file = known.file or os.path.abspath(config.FILE)
    if os.path.dirname(file) != os.getcwd():
        given = _absolute(given)
    config.changed(file, {f"remote.{name}": given})
    _tell(options, f"{name}  {given}", name, given)


@remote.command("rm")
@click.argument("name", metavar="NAME")
@click.pass_obj
def remote_rm(options: Options, name: str) -> None:
    """Forget NAME. What was fetched from there stays."""
    known = configured()
    before = known.values.get(f"remote.{name}")
    if before is None or known.file is None:
        raise _unknown(name)
    config.changed(known.file, {f"remote.{name}": None})
    _tell(options, f"forgot {name}, which stood for {before}", name, before)


@remote.command("list")
@click.pass_obj
def remote_list(options: Options) -> None:
    """List the names, one on each line, and what they stand for."""
    output = Output(options)
    for name, uri in configured().remotes.items():
        if options.json:
            output.record({"name": name, "uri": uri})
        else:
            output.item(name, f"  {uri}", style="bold green")


def _tell(options: Options, line: str, name: str, uri: str) -> None:
    if options.json:
        Output(options).record({"name": name, "uri": uri})
    else:
        Output(options).line(line)


def _written(uri: str) -> str:
    """`uri` as the file holds it; Failure for what can be no remote."""
    if os.path.isdir(uri):
        return of_directory(uri)
    if ":" not in uri:
        why = "it is no directory, and has no scheme such as pack: or https:"
        raise Failure(f"{uri!r:.80} is no remote", why=why, type="irminpy remote add NAME URI", status=USAGE)
    return uri


def _absolute(uri: str) -> str:
    """`uri`, its path meant from the working directory: the file that it goes to lies elsewhere."""
    scheme, _, rest = uri.partition(":")
    if scheme in config.PATHLESS or "://" in uri or "@" in scheme or os.path.isabs(rest):
        return uri
    return f"{scheme}:{os.path.abspath(rest)}"


def _unknown(name: str) -> Failure:
    import difflib  # late: only errors guess

    what = f"no remote is called {name!r:.80}"
    near = difflib.get_close_matches(name, configured().remotes, n=1)
    if near:
        return Failure(what, why=f"did you mean {near[0]!r}?", type="irminpy remote list", status=ABSENT)
    why = "it is no URI and no directory either; irmin.yml names none like it"
    return Failure(what, why=why, type=f"irminpy remote add {name} URI", status=ABSENT)
