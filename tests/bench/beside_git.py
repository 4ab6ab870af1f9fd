"""A writer of ours and git on one repository: `python -m tests.bench.beside_git --minutes 5`.

Two threads of ours write to one branch; git commits to the same branch by compare-and-set, collects garbage, packs
objects and refs, and prunes, all at once. At the end `git fsck --strict` must find nothing wrong, and everything that
was acknowledged, to us or to git, must be in the history of the branch.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from irminpy import Repo
from irminpy_git import Git, repack
from tests.git_repositories import git

_CARE = (
    *(("gc", "-q"), ("repack", "-adfq"), ("pack-refs", "--all"), ("repack", "-q"), ("prune-packed", "-q")),
    *(("multi-pack-index", "write"), ("gc", "-q", "--prune=1.hour.ago"), ("repack", "-dq")),
)


class Run:
    """The repository, the clock, and what was acknowledged."""

    def __init__(self, at: Path, seconds: float) -> None:
        self.at = at
        self.end = time.monotonic() + seconds
        self.acknowledged: list[str] = []
        self.failures: list[BaseException] = []
        self.done = Counter[str]()

    def over(self) -> bool:
        """Whether it is time to stop."""
        return time.monotonic() > self.end or bool(self.failures)

    def ours(self, name: str) -> None:
        """Write, one value a commit, now and then many."""
        with Repo.open(Git(str(self.at), durability="none"), author=name) as repo:
            main = repo.main()
            for n in itertools.count():
                if self.over():
                    return
                many = 150 if n % 40 == 39 else 1
                with main.edit(message=f"{name} {n}\n", on_race="merge", retries=100) as editor:
                    for i in range(many):
                        editor[f"{name}/{n % 7}/{i}"] = b"%d of %d" % (i, n)
                self.acknowledged.append(f"{name} {n}")
                self.done["ours"] += 1
                assert main.get(f"{name}/{n % 7}/0") == b"0 of %d" % n
                # Git, which starts six processes for a commit, would hardly ever win a race.
                time.sleep(1 if n % 20 == 19 else 0.01)

    def theirs(self) -> None:
        """Commit on top by update-ref with the old value."""
        for n in itertools.count():
            if self.over():
                return
            while not self._theirs(n):
                self.done["lost races of git"] += 1
            self.acknowledged.append(f"git {n}")
            self.done["git"] += 1

    def _theirs(self, n: int) -> bool:
        """One commit; whether it was made. A prune, git's own too, may take a directory that git has just made."""
        try:
            old = git(self.at, "rev-parse", "main").decode().strip()
            tree = git(self.at, "ls-tree", f"{old}^{{tree}}")
            blob = git(self.at, "hash-object", "-w", "--stdin", data=b"git %d" % n).decode().strip()
            rows = [row for row in tree.splitlines() if not row.endswith(b"\tgit")]
            rows.append(f"100644 blob {blob}\tgit".encode())
            made = git(self.at, "mktree", data=b"\n".join(rows) + b"\n").decode().strip()
            new = git(self.at, "commit-tree", "-p", old, "-m", f"git {n}", made).decode().strip()
            git(self.at, "update-ref", "refs/heads/main", new, old)
        except AssertionError:
            return False
        return True

    def care(self) -> None:
        """Let git tidy up, and ours once in a while."""
        for n, step in enumerate(itertools.cycle(_CARE)):
            if self.over():
                return
            if n % 10 == 9:
                repack(str(self.at), effort="line")
                self.done["our repacks"] += 1
            else:
                git(self.at, *step)
                self.done["git's care"] += 1

    def guarded(self, work: object, *arguments: object) -> None:
        """Remember what goes wrong."""
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException as e:
            self.failures.append(e)
            raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder, "r.git")
        git(Path(folder), "init", "-q", "--bare", "-b", "main", str(at))
        with Repo.open(Git(str(at))) as repo:
            repo.main().set("a", b"first", message="first")
        run = Run(at, 60 * options.minutes)
        works = [(run.ours, "one"), (run.ours, "two"), (run.theirs,), (run.care,)]
        threads = [threading.Thread(target=run.guarded, args=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if run.failures:
            print(f"failed: {run.failures[0]!r}")
            return 1
        found = git(at, "fsck", "--full", "--strict")
        wrong = [line for line in found.splitlines() if not line.startswith(b"dangling")]
        subjects = Counter(git(at, "log", "--format=%s", "main").decode().splitlines())
        lost = [subject for subject in run.acknowledged if not subjects[subject]]
        print(
            f"{dict(run.done)}; fsck: {len(wrong)} findings; {len(lost)} of {len(run.acknowledged)} commits lost"
        )
        return 1 if wrong or lost else 0


if __name__ == "__main__":
    sys.exit(main())
