"""Sizes and rates of the delta engine beside Git's, in one run: `python -m tests.bench.deltas [REPOSITORY…]`.

Without arguments three repositories are made: text of many versions, a project of small files with a deep tree, and
files of several kinds. Sizes are those of the packs, rates are inflated bytes by CPU time; Git's is that of
`git repack -adf --window=10 --depth=50` with one thread.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from irminpy_git.deltas import Effort, Entry, deltas
from irminpy_git.kinds import Type
from irminpy_git.packing import write_pack
from tests.git_repositories import make

_GIT = 43.0  # the MB/s of Git on the machine and the repository for which the rates were set
ENV = {
    "PATH": os.environ.get("PATH", os.defpath),
    "GIT_CONFIG_NOSYSTEM": "1",
    "HOME": "/nonexistent",
    "LC_ALL": "C",
}


def git(at: Path, *arguments: str, data: bytes = b"") -> bytes:
    done = subprocess.run(["git", *arguments], cwd=at, input=data, capture_output=True, env=ENV, check=True)
    return done.stdout


def load(at: Path) -> tuple[list[Entry], dict[bytes, bytes]]:
    """All objects that a branch or tag leads to, in Git's order, with their bodies."""
    rows = [line.split(b" ", 1) for line in git(at, "rev-list", "--objects", "--all").splitlines()]
    answer = git(at, "cat-file", "--batch", data=b"".join(row[0] + b"\n" for row in rows))
    entries: list[Entry] = []
    bodies: dict[bytes, bytes] = {}
    position = 0
    for row in rows:
        end = answer.index(b"\n", position)
        id_, kind, size = answer[position:end].split()
        body = answer[end + 1 : end + 1 + int(size)]
        position = end + 2 + int(size)
        id_ = bytes.fromhex(id_.decode())
        bodies[id_] = body
        name = row[1] if len(row) > 1 else None
        entries.append(Entry(id_, Type[kind.decode().upper()], len(body), name))
    return entries, bodies


class Counting:
    """A sink that keeps nothing."""

    def write(self, data: bytes) -> None:
        """Take all."""


def measure(at: Path, name: str) -> bool:
    """Print one line for Git and one for each effort; whether sizes and rates are as they should be."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    git(at, "-c", "pack.threads=1", "repack", "-adfq", "--window=10", "--depth=50")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs = sum(file.stat().st_size for file in (at / "objects" / "pack").glob("*.pack"))
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    entries, bodies = load(at)
    total = sum(len(body) for body in bodies.values())
    print(f"{name}: {len(entries)} objects, {total / 1e6:.2f} MB, load {os.getloadavg()[0]:.1f}")
    print(f"  git          {theirs:>10} bytes  1.000  {seconds:6.2f} s  {total / 1e6 / seconds:6.1f} MB/s")
    good, git_rate = True, total / 1e6 / seconds
    for effort, most, least in ((Effort.BLOCK, 1.03, 5.0), (Effort.LINE, 1.06, 15.0)):
        start = time.process_time()
        results = deltas(entries, bodies.get, effort=effort)
        searched = time.process_time() - start
        packed = write_pack(Counting(), results, bodies.get)
        seconds = time.process_time() - start
        ratio, rate = packed.size / theirs, total / 1e6 / seconds
        print(
            f"  {effort.value:<12} {packed.size:>10} bytes  {ratio:.3f}  {seconds:6.2f} s  {rate:6.1f} MB/s  "
            f"(search alone {total / 1e6 / searched:.1f} MB/s), {packed.deltas} deltas"
        )
        good = good and ratio <= most and rate / git_rate >= least / _GIT
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repositories", nargs="*", type=Path, help="bare repositories; they are copied")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        given: list[Path] = options.repositories
        for i, path in enumerate(given):
            at = Path(folder, f"{i}.git")
            git(Path(folder), "clone", "-q", "--bare", "--no-local", str(path.resolve()), str(at))
            good = measure(at, path.name) and good
        if not given:
            for name in ("versions", "project", "mixed"):
                at = make(Path(folder), name)
                good = measure(at, name) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
