"""The history of a project in Git as a store: when each of its files last changed, in which commit, by whom.

Without an argument a small project is made for it; else it is the repository at that path, which is only read.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from itertools import count

import irminpy
from irminpy.metadata import Mode
from irminpy_git import Git

Store = irminpy.Store[bytes, Mode]
Commit = irminpy.Commit[bytes, Mode]


def make(path: str) -> None:
    """A project with two authors, a branch and a merge; git reads it like any other."""
    days = count(1_700_000_000, 86_400)
    with irminpy.Repo.open(Git(path), clock=lambda: next(days)) as repo:
        main = repo.main()
        ann, bob = "Ann <ann@example.com>", "Bob <bob@example.com>"
        with main.edit(author=ann, message="begin") as project:
            project["README"] = b"A project\n"
            project["src/main.py"] = b"print('hello')\n"
            project["src/util.py"] = b"def twice(x):\n    return 2 * x\n"
        fix = main.clone("fix")
        fix.set("src/util.py", b"def twice(x):\n    return x + x\n", author=bob, message="twice is a sum")
        main.set("docs/guide", b"Run it.\n", author=ann, message="a guide")
        main.merge_with_branch("fix", author=ann, message="merge the fix")
        main.set("src/main.py", b"print('hello, world')\n", author=bob, message="greet all")


def last_changes(repo: irminpy.Repo[bytes, Mode], store: Store) -> dict[tuple[str, ...], Commit]:
    """The newest commit that changed each path of the head, in one walk through the history."""
    empty = repo.empty_tree()
    paths = {path for path, _ in empty.diff(store.tree())}
    found: dict[tuple[str, ...], Commit] = {}
    for commit in store.log(shallow=True):
        if len(found) == len(paths):
            break
        # A merge changes only what is in none of its parents as it is there.
        parents = [parent.tree() for hash in commit.parents if (parent := repo.find_commit(hash))]
        changes = [{path for path, _ in tree.diff(commit.tree())} for tree in parents or [empty]]
        for path in set.intersection(*changes) & paths - found.keys():
            found[path] = commit
    return found


def show(path: str, revision: str = "main") -> list[str]:
    maker = Git(path)
    with irminpy.Repo.open(maker, maker.default(), readonly=True, create=False) as repo:
        rows: list[str] = []
        for steps, commit in sorted(last_changes(repo, repo.at(revision)).items()):
            day = datetime.fromtimestamp(commit.info.date, UTC).date()
            first_line = commit.info.message.partition("\n")[0]
            rows.append(
                f"{'/'.join(steps):<12} {day} {commit.info.author.partition(' <')[0]:<4} {first_line}"
            )
        return rows


if len(sys.argv) > 1:
    print("\n".join(show(sys.argv[1], *sys.argv[2:])))
else:
    with tempfile.TemporaryDirectory() as folder:
        make(f"{folder}/project")
        rows = show(f"{folder}/project")
        print("\n".join(rows))
        assert [row.split(maxsplit=3)[3] for row in rows] == [
            "begin",
            "a guide",
            "greet all",
            "twice is a sum",
        ]
