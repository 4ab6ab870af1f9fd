"""Probes: short experiments on one store, each of which asks one question that no crash asks.

words: an object is asked for at every place where another one lies. dedup: contents whose stored bytes are damaged are
written again. race: a compare-and-set that has lost must not move a ref. fork: the child of a fork must neither
write nor unlock.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from irminpy_pack.files import Files
from irminpy_pack.keys import PackKey

from ...backend import RefUpdate
from ...errors import IrminError, Locked
from ...hash import Hash
from ...objects import Kind, Objects
from .forks import Died, Raised, call
from .program import Repos, open_repo, random_program
from .replay import STORE, box, run
from .subject import Subject

__all__ = ["PROBES", "Probe"]

Probe = Callable[[Subject, int], list[str]]
"""The violations that a probe finds in a subject, with a seed."""

_ALARM = 30.0


def _filled(subject: Subject, path: str, seed: int) -> Repos:
    program = random_program(seed, 10, reopen=False)
    run(subject, path, Files(), program, lambda state: None)
    return open_repo(subject.maker(path, Files()), create=False)


def words(subject: Subject, seed: int) -> list[str]:
    """An object is never given for another one, wherever a key says that it lies."""
    found: list[str] = []
    with box() as root, _filled(subject, str(root / STORE), seed) as repo:
        backend = repo._opened.backend
        codec = repo.schema.codec
        hashes: list[tuple[Kind, Hash]] = []
        stack = [(Kind.COMMIT, commit.hash) for name in repo.branches() for commit in repo.branch(name).log()]
        for kind, hash_ in stack:
            hashes.append((kind, hash_))
            commit = repo.commit(hash_)
            hashes.append((Kind.NODE, commit.tree_hash))
        keys = [(kind, backend.find_keys(kind, [hash_])[0]) for kind, hash_ in hashes]
        places = [(kind, key.word) for kind, key in keys if isinstance(key, PackKey)]
        for kind, hash_ in hashes:
            for other, word in places:
                if other is not kind:
                    continue
                # A key that says where another object lies.
                data = backend.read(kind, PackKey(hash_, word))
                if data is None or codec.digest(data) != hash_:
                    found.append(
                        f"D6: {kind.name.lower()} {hash_.short()} was asked for, another one was given"
                    )
    return found


def dedup(subject: Subject, seed: int) -> list[str]:
    """Contents that are written again are readable, even if the copy that the store has is damaged."""
    value = b"to be damaged " * 9
    with box() as root:
        path = root / STORE
        with open_repo(subject.maker(str(path), Files())) as repo:
            repo.branch("main").set("a", value)
            repo.branch("main").set("b", b"later")
        _damage(path, value)
        with open_repo(subject.maker(str(path), Files()), create=False) as repo:
            try:
                repo.branch("other").set("c", value)
            except IrminError:
                return []  # refused, which is as good
        with open_repo(subject.maker(str(path), Files()), create=False) as repo:
            try:
                if repo.branch("other").get("c") != value:
                    return ["D6: other bytes than were written"]
            except IrminError as e:
                return [f"D1: a commit was acknowledged, and what it holds cannot be read: {e}"]
    return []


def _damage(path: Path, value: bytes) -> None:
    for file in sorted(path.rglob("*.pack")):
        data = bytearray(file.read_bytes())
        at = data.find(value)
        if at >= 0:
            data[at + 20] ^= 1
            file.write_bytes(data)
            return
    raise LookupError("the value lies in no segment")


def race(subject: Subject, seed: int) -> list[str]:
    """A batch whose condition does not hold says so, and moves no ref; what it brought may stay."""
    found: list[str] = []
    with box() as root:
        path = str(root / STORE)
        with open_repo(subject.maker(path, Files())) as repo:
            one = repo.branch("main").set("a", b"1")
            two = repo.branch("dev").set("a", b"2")
            assert one is not None
            assert two is not None
            backend = repo._opened.backend
            updates = (
                RefUpdate("main", two.hash, None),
                RefUpdate("main", two.hash, two.hash),
                RefUpdate("new", two.hash, one.hash),
                RefUpdate("main", None, two.hash),
            )
            found += [
                f"D2: {update} was done, and its condition does not hold"
                for update in updates
                if backend.write(Objects(), [update])
            ]
            wanted = {"dev": two.hash, "main": one.hash}
            if backend.refs() != wanted:
                found.append("D2: a lost compare-and-set moved a ref")
        with open_repo(subject.maker(path, Files()), create=False) as repo:
            if repo._opened.backend.refs() != wanted:
                found.append("D2: a lost compare-and-set moved a ref on the disk")
    return found


def fork(subject: Subject, seed: int) -> list[str]:
    """The child of a fork reads, may not write, and leaves the lock with its parent, which goes on."""
    found: list[str] = []
    with box() as root:
        path = str(root / STORE)
        with open_repo(subject.maker(path, Files()), exclusive=True) as repo:
            repo.branch("main").set("a", b"1")

            def child() -> list[str]:
                wrong: list[str] = []
                if repo.branch("main").get("a") != b"1":
                    wrong.append("D6: the child of a fork reads other bytes")
                try:
                    repo.branch("main").set("a", b"child")
                    wrong.append("D8: the child of a fork wrote through its parent's handle")
                except IrminError:
                    pass
                repo.close()
                return wrong

            def intruder() -> list[str]:
                try:
                    with open_repo(subject.maker(path, Files()), create=False, exclusive=True, timeout=0.1):
                        return ["D8: the lock of a living writer was free after a child of it had ended"]
                except Locked:
                    return []

            for function in (child, intruder):
                answer = call(function, _ALARM)
                found += [str(answer)] if isinstance(answer, Died | Raised) else answer
            repo.branch("main").set("a", b"2")
        with open_repo(subject.maker(path, Files()), create=False) as repo:
            if repo.branch("main").get("a") != b"2":
                found.append("D1: a commit after a fork is gone")
    return found


PROBES: dict[str, Probe] = {"words": words, "dedup": dedup, "race": race, "fork": fork}
