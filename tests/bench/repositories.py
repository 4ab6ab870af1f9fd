"""Whole repositories of Git, object by object: `python -m tests.bench.repositories`.

Three of different kinds: the one that this file is in, one of thousands of commits made of real files, one of odd
objects. Of each a mirror is opened, its history walked and checked as a store, every object encoded again to its own
bytes, and all packed by ours; git judges by `index-pack --strict` and `fsck --full --strict`, and has the same objects
before and after.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from irminpy import Repo
from irminpy.formats.git import GitCodec
from irminpy.objects import Node
from irminpy_git import Git, Type, repack
from irminpy_git.kinds import HASHES, id_of
from irminpy_git.repository import find
from irminpy_git.store import ObjectStore
from tests.git_repositories import git, make, odd

__all__ = ["Found", "examine", "mirror"]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one repository: how many of its objects, and of each type how many are equal."""

    objects: dict[str, int]
    equal: dict[str, int]
    walked: int
    """Commits that a store walked to from its branches, all with their trees checked."""
    packed: int
    size: int
    """Bytes of our pack."""
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether each of the objects is equal and packed."""
        return self.objects == self.equal and self.packed == sum(self.objects.values())


def mirror(source: Path, at: Path) -> Path:
    """A bare copy of all refs of the repository at `source`."""
    git(at.parent, "clone", "-q", "--mirror", "--no-local", str(source), str(at))
    return at


def again(codec: GitCodec, kind: Type, body: bytes) -> bytes:
    """The object, decoded and encoded again; a tag, which no store holds, as it is."""
    data = b"%b %d\0%b" % (kind.word, len(body), body)
    if kind is Type.COMMIT:
        return codec.encode_commit(codec.decode_commit(data))
    if kind is Type.TREE:
        node = codec.decode_node(data)
        assert type(node) is Node
        metadata = [node.metadata[i] for i in sorted(node.metadata)]
        return codec.encode_linked(list(node.index), node.kinds, node.hashes, metadata, node.links)
    return codec.encode_contents([codec.decode_contents(data)])[0] if kind is Type.BLOB else data


def examine(at: Path) -> Found:
    """All of the repository at `at`, which is repacked."""
    start = time.process_time()
    listed = git(at, "cat-file", "--batch-check", "--batch-all-objects").decode().splitlines()
    words = [row.split()[1] for row in listed]
    objects = {word: words.count(word) for word in sorted(set(words))}
    repository = find(str(at))
    assert repository is not None
    store = ObjectStore(repository.objects, repository.algorithm, repository.size)
    codec = GitCodec(HASHES[repository.algorithm])
    equal = dict.fromkeys(objects, 0)
    for row in listed:
        digits, word, _ = row.split()
        found = store.body(bytes.fromhex(digits))
        assert found is not None, digits
        kind, body = found
        data = again(codec, kind, body)
        assert id_of(kind, body, repository.algorithm).hex() == digits
        equal[word] += codec.digest(data).hex() == digits
    store.close()
    with Repo.open(Git(str(at)), readonly=True) as repo:
        heads = repo.heads()
        report = repo.check(shallow=True)
        assert report.ok, report
        walked = len({commit.hash for head in heads for commit in repo.detached(head).log(shallow=True)})
    done = repack(str(at))
    pack = next((at / "objects" / "pack").glob("pack-*.pack"))
    git(at, "index-pack", "--strict", "-o", str(at / "again.idx"), str(pack))
    git(at, "fsck", "--full", "--strict")
    assert sorted(
        git(at, "cat-file", "--batch-check", "--batch-all-objects").decode().splitlines()
    ) == sorted(listed)
    return Found(objects, equal, walked, done.objects, pack.stat().st_size, time.process_time() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=int, default=200, help="per cent; 200 is 3,000 commits")
    parser.add_argument("repository", type=Path, nargs="?", default=Path(__file__).resolve().parents[2])
    given = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds: dict[str, Callable[[], Path]] = {
            "this project": lambda: mirror(given.repository, folder / "own.git"),
            "made of real files": lambda: make(folder, "project", given.scale),
            "odd objects": lambda: odd(folder),
        }
        for what, made in kinds.items():
            found = examine(made())
            good &= found.ok
            rows = ", ".join(f"{found.equal[word]:,} of {n:,} {word}s" for word, n in found.objects.items())
            total = sum(found.objects.values())
            print(f"{what}: {sum(found.equal.values()):,} of {total:,} equal ({rows})")
            print(
                f"    {found.walked:,} commits walked and checked; packed by ours: {found.packed:,} objects, "
                f"{found.size:,} bytes, accepted by git index-pack --strict and fsck --strict; "
                f"{found.seconds:.1f} s of CPU"
            )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
