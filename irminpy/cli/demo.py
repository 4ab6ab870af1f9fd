"""`irminpy demo`: a directory becomes a tree, is branched, changed, merged and shown, by the public API.

`walk` reads the directory, `demonstrate` gives one `Step` after another. Nothing here prints.
"""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import irminpy
from irminpy.backend import Checking, Maker
from irminpy.cli.failure import ABSENT, CORRUPT, USAGE, Failure
from irminpy.cli.output import amount, size
from irminpy.proof import ProofFile, Question
from irminpy.registry import maker_of_uri

Path_ = tuple[str, ...]
Fact = str | int | dict[str, int]

VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".bzr", ".jj", "_darcs", "CVS", ".pijul", ".fslckout"})
CACHES = frozenset({"__pycache__"})
LINES = 20  # of a listing or a diff


@dataclass(slots=True)
class Found:
    """What a walk found: the files in the order of their paths, and how many of what it left out."""

    files: dict[Path_, bytes] = field(default_factory=dict[Path_, bytes])
    skipped: Counter[str] = field(default_factory=Counter[str])

    @property
    def octets(self) -> int:
        """The size of all files."""
        return sum(map(len, self.files.values()))


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it `did`, counts and hashes, `lines` worth showing, and its `seconds`."""

    name: str
    did: str
    facts: dict[str, Fact]
    lines: tuple[str, ...] = ()
    seconds: float = 0.0


def walk(root: Path) -> Found:
    """All files below `root`, read, and how many entries of each kind were left out.

    Left out: symbolic links, what version control and Python keep for themselves, what is neither file nor
    directory, what cannot be read, empty directories, and names that are not UTF-8 (the format refuses them).
    """
    try:
        if not root.is_dir():
            what = "is not a directory" if root.exists() else "does not exist"
            raise Failure(
                f"{root} {what}",
                why="the demo imports a directory",
                type="irminpy demo DIR, or no DIR for irminpy's own files",
                status=USAGE if root.exists() else ABSENT,
            )
        os.scandir(root).close()
    except PermissionError:
        raise Failure(
            f"{root} cannot be read",
            why="the operating system denies permission",
            type=f"ls -ld {root}",
            status=ABSENT,
        ) from None
    found = Found()
    _walk(root, found)
    if not found.files:
        raise Failure(
            f"{root} has no file to import",
            why=_skipped(found) or "it is empty",
            type="irminpy demo with a directory that has files",
            status=ABSENT,
        )
    return found


def _walk(root: Path, found: Found) -> None:
    # A stack of its own: a directory may be deeper than Python's recursion limit.
    pending: list[tuple[Path_, str]] = [((), os.fspath(root))]
    while pending:
        path, folder = pending.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
        except OSError:
            found.skipped["unreadable directories"] += 1
            continue
        if not entries:
            found.skipped["empty directories"] += 1
        folders: list[tuple[Path_, str]] = []
        for entry in entries:
            reason = _left_out(entry)
            if reason is not None:
                found.skipped[reason] += 1
            elif entry.is_dir(follow_symlinks=False):
                folders.append(((*path, entry.name), entry.path))
            else:
                try:
                    found.files[(*path, entry.name)] = Path(entry.path).read_bytes()
                except OSError:
                    found.skipped["unreadable files"] += 1
        pending.extend(reversed(folders))


def _left_out(entry: os.DirEntry[str]) -> str | None:
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError:
        return "names that are not UTF-8"
    if entry.is_symlink():
        return "symbolic links"
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError:
        return "unreadable files"
    if entry.name in VERSION_CONTROL:
        return "version control"
    if stat.S_ISDIR(mode):
        return "caches" if entry.name in CACHES else None
    return None if stat.S_ISREG(mode) else "special files"


def _skipped(found: Found) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(found.skipped.items()))


def demonstrate(root: Path) -> Iterator[Step]:
    """The steps of the demo on the files below `root`, each done and timed when it is given."""
    steps = _steps(root)
    while True:
        started = time.perf_counter()
        step = next(steps, None)
        if step is None:
            return
        yield replace(step, seconds=time.perf_counter() - started)


def _steps(root: Path) -> Iterator[Step]:
    found = walk(root)
    left = _skipped(found)
    yield Step(
        "read",
        f"{amount(len(found.files), 'file')}, {size(found.octets)}" + (f"; left out: {left}" if left else ""),
        {"files": len(found.files), "bytes": found.octets, "skipped": dict(sorted(found.skipped.items()))},
    )

    with TemporaryDirectory(prefix="irminpy-demo-") as folder:
        maker = maker_of_uri(f"pack:{folder}/store")
        yield from _in(maker, found)


def _in(maker: Maker, found: Found) -> Iterator[Step]:
    """The steps in the store that `maker` makes."""
    with irminpy.Repo.open(maker) as repo:
        main = repo.main()
        imported = _tree(main.tree(), found.files)
        stats = imported.stats(force=True)
        yield Step(
            "build",
            f"a tree of {amount(stats.nodes, 'directory', 'directories')} and {amount(stats.leafs, 'file')}",
            {
                "directories": stats.nodes,
                "leafs": stats.leafs,
                "depth": stats.depth,
                "root": str(imported.hash()),
            },
        )

        first = _made(main.set_tree((), imported, message=f"import {len(found.files)} files"))
        yield Step(
            "commit", f"{first.short()} on main", {"commit": str(first.hash), "root": str(imported.hash())}
        )

        work = main.clone("work")
        yield Step("branch", "work starts where main stands; nothing is copied", {"commit": str(first.hash)})

        paths = list(found.files)
        changed, removed = paths[0], paths[-1] if len(paths) > 1 else None
        notes = _free(found)
        mine, theirs = (notes, "main"), (notes, "work")
        commits = [
            _made(work.set(changed, found.files[changed] + b"\nchanged\n", message="change a file")),
            _made(work.set(theirs, b"written on work\n", message="add a file")),
        ]
        if removed is not None:
            commits.append(_made(work.remove(removed, message="remove a file")))
        commits.append(_made(main.set(mine, b"written on main\n", message="add another file, on main")))
        yield Step(
            "change",
            f"{amount(len(commits) - 1, 'commit')} on work, 1 on main",
            {"commits": len(commits), "work": str(work.tree().hash()), "main": str(main.tree().hash())},
        )

        merge = _made(main.merge_with_branch("work", message="merge work"))
        merged = main.tree()
        kept = merged.find(mine) == b"written on main\n" and merged.find(theirs) == b"written on work\n"
        gone = removed is None or merged.find(removed) is None
        _must(kept and gone and merged.get(changed) == work.get(changed), "the merge lacks a change")
        yield Step(
            "merge",
            f"{merge.short()} has {amount(len(merge.parents), 'parent')} and what both sides did",
            {"commit": str(merge.hash), "parents": len(merge.parents), "root": str(merged.hash())},
        )

        log = tuple(f"{commit.short()}  {commit.info.message}" for commit in main.log(n=10))
        yield Step("log", amount(len(log), "commit"), {"commits": len(log)}, log)

        steps = sorted((step for step, _ in merged.list(())), key=lambda step: step.encode("utf-8"))
        lines = [
            f"{step}/  {amount(merged.length((step,)), 'entry', 'entries')}"
            if merged.kind((step,)) == "node"
            else f"{step}  {size(len(merged.get((step,))))}"
            for step in steps
        ]
        yield Step(
            "tree", f"main has {amount(len(lines), 'entry', 'entries')}", {"entries": len(lines)}, _cut(lines)
        )

        changes = [f"{_letter(change)} {'/'.join(path)}" for path, change in imported.diff(merged)]
        yield Step(
            "diff", f"{amount(len(changes), 'path')} since the import", {"paths": len(changes)}, _cut(changes)
        )

        yield _proved(repo, merge, changed, merged.get(changed))

    if isinstance(maker, Checking):
        health = maker.fsck()
        _must(health.ok, f"the store is not in order: {health}")
        yield Step("fsck", str(health), {})

    with irminpy.open("mem:") as other:
        again = _tree(other.main().tree(), dict(reversed(found.files.items())))
        _must(again.hash() == imported.hash(), "the same files gave another root hash")
        yield Step(
            "again",
            "the same files in reverse order in another store: the same root hash",
            {"root": str(again.hash())},
        )


def _proved(repo: irminpy.Repo[bytes], commit: irminpy.Commit[bytes], path: Path_, value: bytes) -> Step:
    """A proof of one file, verified from its bytes by whoever knows nothing but the hash of the commit."""
    question = Question({"read": ["/".join(path)]})
    proof, _ = repo.produce_proof(commit.tree_hash, question)
    file = ProofFile(question, commit.to_bytes(), proof.to_bytes())
    root, answer = ProofFile.from_bytes(file.to_bytes()).verify(repo.schema, commit=commit.hash)
    _must(answer == [value.hex()], "the proof shows another file")
    return Step(
        "prove",
        f"{size(len(file.proof))} show one file to whoever trusts the hash of the merge",
        {"bytes": len(file.proof), "file": len(value), "root": str(root)},
    )


def _tree(empty: irminpy.Tree[bytes], files: dict[Path_, bytes]) -> irminpy.Tree[bytes]:
    edit = empty.edit()
    for path, value in files.items():
        edit[path] = value
    return edit.tree()


def _made(commit: irminpy.Commit[bytes] | None) -> irminpy.Commit[bytes]:
    if commit is None:
        raise _wrong("a write changed nothing")
    return commit


def _must(true: bool, what: str) -> None:
    if not true:
        raise _wrong(what)


def _wrong(what: str) -> Failure:
    return Failure(
        what,
        why="irminpy is at fault, your files are as they were",
        type="report it, with the output of irminpy --json demo",
        status=CORRUPT,
    )


def _free(found: Found) -> str:
    """A step that no file or directory at the top has."""
    taken = {path[0] for path in found.files}
    name = "irminpy-demo"
    while name in taken:
        name += "-"
    return name


def _letter(change: irminpy.Added[bytes] | irminpy.Removed[bytes] | irminpy.Updated[bytes]) -> str:
    return "A" if isinstance(change, irminpy.Added) else "D" if isinstance(change, irminpy.Removed) else "M"


def _cut(lines: list[str]) -> tuple[str, ...]:
    more = len(lines) - LINES
    return tuple(lines) if more <= 0 else (*lines[:LINES], f"... and {more} more")
