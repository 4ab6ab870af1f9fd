"""Probes: short experiments on one store, each of which asks one question that no crash asks.

words: an object is asked for at every place where another one lies. dedup: contents whose stored bytes are damaged are
written again. race: a compare-and-set that has lost must not move a ref. fork: the child of a fork must neither
write nor unlock. copies: garbage collection copies nothing that is damaged. retired: no word of an older generation
is written into the present one. differences: what a node differs from may be garbage. entries: an entry of the index
that was changed leads to no wrong answer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from irminpy_pack.files import Files
from irminpy_pack.frame import HEADER, Framing
from irminpy_pack.keys import PackKey
from irminpy_pack.segment import HEADER_SIZE

from ...backend import Locating, Moved, Moving, RefUpdate
from ...errors import IrminError, Locked
from ...fields import replaced
from ...hash import Hash
from ...objects import Kind, Objects, words_of
from ...schema import Schema
from .forks import Died, Raised, call
from .program import Repos, open_repo, random_program
from .replay import STORE, box, run
from .subject import Subject

__all__ = ["PROBES", "Probe"]

Probe = Callable[[Subject, int], list[str]]
"""The violations that a probe finds in a subject, with a seed."""

_ALARM = 30.0
_WIDE = 60  # directories below one, so that it is split


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


def _damage(path: Path, value: bytes, *, mended: bool = False) -> None:
    """Change a bit of `value` in the segment that holds it; `mended`: the crc of its frame is right again."""
    for file in sorted(path.rglob("*.pack")):
        data = bytearray(file.read_bytes())
        at = data.find(value)
        if at >= 0:
            data[at + 20] ^= 1
            if mended:
                start, size = _frame_around(data, at)
                data[start : start + 4] = crc32(data[start + 4 : start + size]).to_bytes(4, "little")
            file.write_bytes(data)
            return
    raise LookupError("the value lies in no segment")


def _frame_around(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """(byte, size) of the frame in which byte `at` of a segment lies."""
    framing, start = Framing(Schema().hash.size), HEADER_SIZE
    while True:
        size = framing.length(bytes(data[start : start + HEADER.size]))
        if start + size > at:
            return start, size
        start += size


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
    return [one for exclusive in (True, False) for one in _fork(subject, exclusive)]


def _fork(subject: Subject, exclusive: bool) -> list[str]:
    found: list[str] = []
    with box() as root:
        path = str(root / STORE)
        with open_repo(subject.maker(path, Files()), exclusive=exclusive) as repo:
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

            for function in (child, intruder) if exclusive else (child,):
                answer = call(function, _ALARM)
                found += [str(answer)] if isinstance(answer, Died | Raised) else answer
            repo.branch("main").set("a", b"2")
        with open_repo(subject.maker(path, Files()), create=False) as repo:
            if repo.branch("main").get("a") != b"2":
                found.append("D1: a commit after a fork is gone")
    return found


def copies(subject: Subject, seed: int) -> list[str]:
    """Garbage collection ends at a damaged object, whether the crc of its frame tells or not; all else stands."""
    value, found = b"to be copied " * 9, list[str]()
    for mended in (False, True):
        with box() as root:
            path = root / STORE
            with open_repo(subject.maker(str(path), Files())) as repo:
                repo.branch("main").set("a", value)
                repo.branch("main").set("b", b"later")
                repo.branch("dev").set("garbage", b"x" * 300)
                repo.remove_branch("dev")
            _damage(path, value, mended=mended)
            with open_repo(subject.maker(str(path), Files()), create=False) as repo:
                try:
                    repo.gc()
                    found.append(f"D6: damaged bytes, {'with' if mended else 'without'} a crc, were copied")
                except IrminError:
                    if repo.branch("main").get("b") != b"later":
                        found.append("D3: a collection that failed changed what can be read")
    return found


def retired(subject: Subject, seed: int) -> list[str]:
    """A tree that is held over a collection is edited and committed: the words in it are of the new generation."""
    found: list[str] = []
    with box() as root:
        path = str(root / STORE)
        with open_repo(subject.maker(path, Files())) as repo:
            main = repo.branch("main")
            repo.branch("dev").set("garbage", b"x" * 3000)
            for name in ("one", "two"):
                with main.edit(name) as edit:
                    for i in range(_WIDE):
                        edit[f"{i}/{name}"] = b"%d" % i
            repo.remove_branch("dev")
            held = main.tree()
            held.get("one/1/one")
            late = _gathered(repo)
            repo.gc()
            main.set_tree("", held.add("two/1/new", b"1"))
            try:
                repo._opened.backend.write(late)
                found.append("D3: a batch with words of before a collection was written after it")
            except Moved:
                pass
        with open_repo(subject.maker(path, Files()), create=False, readonly=True) as repo:
            try:
                found += [f"D3: {problem}" for problem in repo.check().problems]
            except IrminError as e:
                found.append(f"D3: {type(e).__name__}: {e}")
        health = None if subject.fsck is None else subject.fsck(path)
        if health is not None:
            found += [f"D3: fsck finds {problem}" for problem in health.damage]
    return found


def differences(subject: Subject, seed: int) -> list[str]:
    """Nodes that are differences from older ones are read after a collection, which keeps the older ones or not."""
    found: list[str] = []
    for depth in (0, 1):
        with box() as root:
            path = str(root / STORE)
            with open_repo(subject.maker(path, Files())) as repo:
                main = repo.branch("main")
                with main.edit() as edit:
                    for i in range(_WIDE):
                        edit[f"wide/{i}"] = b"%d" % i
                for i in range(4):
                    main.set("wide/7", b"changed %d" % i)
                repo.gc(depth=depth)
            try:
                with open_repo(subject.maker(path, Files()), create=False) as repo:
                    kept = [commit.tree().get("wide/7") for commit in repo.branch("main").log()]
                    if kept != [b"changed %d" % i for i in (3, 2)[: depth + 1]]:
                        found.append(f"D3: {kept} is left of what changed, with depth={depth}")
            except IrminError as e:
                found.append(f"D3: a node that is a difference cannot be read after a collection: {e}")
    return found


def _gathered(repo: Repos) -> Objects:
    """A batch with a new commit, and the word of its tree as it is now."""
    head = repo.branch("main").head()
    codec, backend = repo.schema.codec, repo._opened.backend
    assert isinstance(backend, Moving)
    reader = backend.reader
    assert isinstance(reader, Locating)
    found = reader.load(Kind.COMMIT, head.hash, 0)
    assert found is not None
    commit = codec.decode_commit(found[0])
    data = codec.encode_commit(replaced(commit, parents=(head.hash,)))
    words = {bytes(commit.node): int.from_bytes(found[1][:8], "little")}
    return Objects(commits={codec.digest(data): data}, words=words_of(Kind.NODE, words), reader=reader)


def entries(subject: Subject, seed: int) -> list[str]:
    """Each entry of an index that nothing compares is changed: its commit is found all the same."""
    found: list[str] = []
    with box() as root:
        path = root / STORE
        with _filled(subject, str(path), seed) as repo:
            hashes = [commit.hash for name in repo.branches() for commit in repo.branch(name).log()]
        (path / "MANIFEST").unlink()  # with the fingerprint that would tell of any change
        for data in path.rglob("data.mdb"):
            whole = data.read_bytes()
            for hash_ in hashes:
                data.write_bytes(_turned(whole, bytes([Kind.COMMIT]) + hash_))

                def look(hash_: Hash = hash_) -> list[str]:
                    with open_repo(subject.maker(str(path), Files()), create=False, readonly=True) as repo:
                        try:
                            held = repo.find_commit(hash_)
                        except IrminError as e:
                            return [f"D6: a sound commit cannot be read: {type(e).__name__}: {e}"]
                        if held is None:
                            return [f"D6: the commit {hash_.short()} is said not to exist"]
                        return [] if held.hash == hash_ else ["D6: another commit than was asked for"]

                answer = call(look, _ALARM)
                found += [str(answer)] if isinstance(answer, Died | Raised) else answer
            data.write_bytes(whole)
    return found


def _turned(data: bytes, key: bytes) -> bytes:
    """`data`, with a bit changed in what follows each `key`."""
    out, at = bytearray(data), data.find(key)
    while at >= 0:
        out[at + len(key) + 3] ^= 1
        at = data.find(key, at + 1)
    return bytes(out)


PROBES: dict[str, Probe] = {
    "words": words,
    "dedup": dedup,
    "race": race,
    "fork": fork,
    "copies": copies,
    "retired": retired,
    "differences": differences,
    "entries": entries,
}
