"""Slices in files, as the commands ask for them: a part of a history out of a store, and into another."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import BinaryIO, NamedTuple, cast

from irminpy.cli.care import written
from irminpy.cli.failure import USAGE, Failure
from irminpy.cli.output import Options, is_terminal
from irminpy.cli.place import AnyRepo, branch_of, commit_of, opened_store
from irminpy.slice_files import Written, read_slice, write_slice

__all__ = ["Entered", "entered", "is_slice", "left"]

_SMALL = 1 << 20  # bytes of stdin that are kept in memory
_PIECE = 1 << 20


class Entered(NamedTuple):
    """What an import of a slice did."""

    objects: int
    branches: dict[str, str]
    """Name to the hash of its head."""


def left(
    options: Options, revision: str | None, target: str, *, depth: int | None, since: tuple[str, ...]
) -> Written:
    """Write the history of `revision`, a branch if it is None, to the file `target`; "-" is stdout."""
    if target == "-" and is_terminal(sys.stdout):
        why = "a slice is bytes, and stdout is a terminal"
        raise Failure("no file is named", why=why, type="irminpy export REV > FILE, or -o FILE", status=USAGE)
    with opened_store(options) as repo, written(target) as file:
        name = branch_of(options) if revision is None else revision
        head = commit_of(repo, name)
        named = [name] if name in repo.branches() else []
        floor = [commit_of(repo, one) for one in since]
        return write_slice(repo, file, max=[head], min=floor, depth=depth, branches=named)


def is_slice(source: str) -> bool:
    """Whether `source` is stdin or a file: no store."""
    return source == "-" or os.path.isfile(source)


def entered(
    options: Options, source: str, *, only: tuple[str, ...], prefix: str, force: bool, shallow: bool
) -> Entered:
    """Write what the store lacks of the slice in the file `source`, then move its branches forward."""
    with opened_store(options, readonly=False) as repo, _file(source) as file:
        taken = read_slice(repo, file, shallow=shallow)
        wanted = {name: head for name, head in taken.branches.items() if not only or name in only}
        missing = [name for name in only if name not in wanted]
        if missing:
            what = f"the slice has no branch {missing[0]!r:.80}"
            why = f"it has {', '.join(sorted(taken.branches)) or 'none'}; its objects are here now"
            raise Failure(what, why=why, type="the same with another --only", status=USAGE)
        for name, head in sorted(wanted.items()):
            _move(repo, prefix + name, head.hex(), force=force)
    return Entered(taken.objects, {prefix + name: head.hex() for name, head in sorted(wanted.items())})


def _move(repo: AnyRepo, name: str, head: str, *, force: bool) -> None:
    store, commit = repo.branch(name), commit_of(repo, head)
    before = store.find_head()
    if before is None or force:
        store.set_head(commit)
    elif before != commit:
        store.fast_forward(commit)


def _file(source: str) -> BinaryIO:
    """`source`, from its start, in a file that can be read twice."""
    if source != "-":
        return open(source, "rb")
    file = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=_SMALL))  # noqa: SIM115  # the caller closes it
    while piece := sys.stdin.buffer.read(_PIECE):
        file.write(piece)
    file.seek(0)
    return file
