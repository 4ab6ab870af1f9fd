"""Remotes that lie, break off, never end, or are no remotes: G01 to G20 where they come over the wire.

Whatever comes, the error is a typed one, no ref moves, and nothing is kept that nobody asked for.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import irminpy
from irminpy import Repo, Schema, sync
from irminpy.errors import Corrupted, DanglingHash, DecodeError, IrminError, RemoteError
from irminpy.formats import Git as GitFormat
from irminpy.hash import SHA1, Hash
from irminpy.metadata import Mode, Modes
from irminpy.objects import Objects
from irminpy_git import PushRejected, Transport, wire
from irminpy_git.address import Address
from irminpy_git.bundle import packed
from irminpy_git.kinds import Type, id_of
from irminpy_git.packing import REF_DELTA, entry_header, pack_header
from irminpy_git.remote import GitRemote

SCHEMA: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=SHA1(), format=GitFormat())
Repos = Repo[bytes, Mode]
URL = "git://localhost/x"
ABLE = b"multi_ack_detailed side-band-64k thin-pack ofs-delta shallow report-status delete-refs"
Pieces = list[tuple[Type, bytes]]


# -- a server that says what it is told to -----------------------------------------------------------------


def line(data: bytes) -> bytes:
    return b"%04x%b" % (len(data) + 4, data)


def band(n: int, data: bytes) -> bytes:
    return b"".join(line(bytes([n]) + data[at : at + 65000]) for at in range(0, len(data), 65000))


class Scripted:
    """A channel on which the same comes whatever is asked."""

    def __init__(self, said: Iterator[bytes]) -> None:
        self._said = said
        self._rest = b""
        self.asked = b""

    def read(self, size: int, /) -> bytes:
        while len(self._rest) < size:
            piece = next(self._said, None)
            if piece is None:
                break
            self._rest += piece
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def write(self, data: bytes, /) -> None:
        self.asked += data

    def close(self) -> None:
        pass

    def complaint(self) -> str:
        return ""


class Server:
    """Has every conversation with the remote be with what was set last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[bytes] = []
        self.channels: list[Scripted] = []
        self._counts: Any = None
        monkeypatch.setattr(wire, "connect", self._connect)

    def _connect(
        self, address: Address, service: str, transport: Transport, meter: Any, **how: int
    ) -> Scripted:
        def counted() -> Iterator[bytes]:
            for piece in self.said[len(self.channels) - 1 :][:1] if self._counts is None else self._counts():
                meter.took(len(piece))
                yield piece

        self.channels.append(Scripted(iter(())))
        channel = Scripted(counted())
        self.channels[-1] = channel
        return channel

    def says(self, *said: bytes) -> None:
        """The first conversation is the first of `said`, and so on."""
        self.channels.clear()
        self.said = list(said)

    def says_for_ever(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._counts = pieces


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


@pytest.fixture
def repo() -> Iterator[Repos]:
    with irminpy.open("mem:", SCHEMA, clock=lambda: 1_700_000_000) as opened:
        yield opened


def announced(head: bytes | None, capabilities: bytes = ABLE, name: bytes = b"refs/heads/main") -> bytes:
    if head is None:
        return line(b"0" * 40 + b" capabilities^{}\0" + capabilities + b"\n") + b"0000"
    return line(head.hex().encode() + b" " + name + b"\0" + capabilities + b"\n") + b"0000"


def entries(*objects: tuple[Type, bytes]) -> bytes:
    """A pack of the objects, each whole."""
    body = pack_header(len(objects))
    body += b"".join(entry_header(kind, len(data)) + zlib.compress(data) for kind, data in objects)
    return body + hashlib.sha1(body).digest()


BLOB = (Type.BLOB, b"value\n" * 9)
TREE = (Type.TREE, b"100644 a\0" + id_of(*BLOB))


def commit(tree: bytes, *parents: bytes) -> tuple[Type, bytes]:
    rows = b"".join(b"parent %b\n" % parent.hex().encode() for parent in parents)
    who = b"A <a@x> 1700000000 +0000"
    return Type.COMMIT, b"tree %b\n%bauthor %b\ncommitter %b\n\nm\n" % (tree.hex().encode(), rows, who, who)


COMMIT = commit(id_of(*TREE))
HEAD = id_of(*COMMIT)
PACK = entries(COMMIT, TREE, BLOB)


def answer(pack: bytes) -> bytes:
    return line(b"NAK\n") + band(1, pack) + b"0000"


def fetched(server: Server, repo: Repos, said: bytes, head: bytes = HEAD) -> Any:
    """A fetch of a remote that announces `head` and then says `said`."""
    server.says(announced(head), announced(head) + said)
    return sync.fetch(repo.main(), GitRemote(URL)).head


def untouched(repo: Repos) -> None:
    assert repo.branches() == []
    assert len(repo.export()) == 0


def test_an_honest_answer_is_taken(server: Server, repo: Repos) -> None:
    """So that what is refused below is refused for its own sake; side bands may come in any pieces."""
    assert fetched(server, repo, answer(PACK)).hash == HEAD
    with irminpy.open("mem:", SCHEMA) as other:
        pieces = b"".join(band(1, PACK[at : at + 1]) + band(2, b"..") for at in range(len(PACK)))
        assert fetched(server, other, line(b"NAK\n") + pieces + b"0000").hash == HEAD
        assert other.commit(Hash(HEAD)).tree().get("a") == BLOB[1]


# -- G15, G16: the protocol --------------------------------------------------------------------------------

SAID: dict[str, bytes] = {
    "nothing": b"",
    "no number": b"xyzt",
    "a negative number": b"-001",
    "a number with a sign": b"+010",
    "a number with spaces": b"  10",
    "a number in another base": b"0x10",
    "a length of 2": b"0002",
    "a length of 3": b"0003",
    "a length beyond the end": b"ffff" + b"x" * 100,
    "half of a length": b"00",
    "a page": b"<!DOCTYPE html>",
    "zeros": bytes(400),
    "ones": b"\xff" * 400,
    "a version there is not": line(b"version 3\n") + b"0000",
    "an error": line(b"ERR go away\x1b[31m\n"),
    "an id of 39 digits": line(b"a" * 39 + b" refs/heads/main\0" + ABLE) + b"0000",
    "an id of 41 digits": line(b"a" * 41 + b" refs/heads/main\0" + ABLE) + b"0000",
    "an id that is none": line(b"g" * 40 + b" refs/heads/main\0" + ABLE) + b"0000",
    "an id with spaces in it": line(b"a " * 20 + b" refs/heads/main\0" + ABLE) + b"0000",
    "an id that is no text": line(b"\xff" * 40 + b" refs/heads/main\0" + ABLE) + b"0000",
    "no end of the refs": announced(HEAD)[:-4],
    "another hash": announced(HEAD, ABLE + b" object-format=md5"),
    "an end of history that is none": line(HEAD.hex().encode() + b" refs/heads/main\0" + ABLE)
    + line(b"shallow xyz")
    + b"0000",
    "version 2 and no capabilities": line(b"version 2\n"),
    "version 2 and refs that are none": line(b"version 2\n")
    + b"0000"
    + line(b"zz refs/heads/main\n")
    + b"0000",
    "version 2 and an error": line(b"version 2\n") + b"0000" + line(b"ERR no\n"),
}


@pytest.mark.parametrize("why", SAID)
def test_what_is_not_the_protocol_is_a_remote_error(server: Server, repo: Repos, why: str) -> None:
    """G15: whatever is said instead of refs; messages hold nothing that a terminal would act on."""
    server.says(SAID[why])
    with pytest.raises(RemoteError) as e:
        GitRemote(URL).refs()
    assert "\x1b" not in str(e.value)
    server.says(SAID[why])
    with pytest.raises(RemoteError):
        GitRemote(URL).take(Objects(), [irminpy.backend.RefUpdate("main", Hash(HEAD), None)])
    untouched(repo)


ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "neither yes nor no": line(b"perhaps\n") + band(1, PACK) + b"0000",
    "an error": line(b"ERR upload-pack: not our ref\n"),
    "yes for ever": line(b"ACK " + HEAD.hex().encode() + b" common\n") * 50,
    "no pack": line(b"NAK\n") + b"0000",
    "no end": line(b"NAK\n") + band(1, PACK),
    "a side band 4": line(b"NAK\n") + band(4, PACK) + b"0000",
    "a side band 0": line(b"NAK\n") + band(0, PACK) + b"0000",
    "an error in the middle": line(b"NAK\n") + band(1, PACK[:40]) + band(3, b"disk full") + b"0000",
    "an empty packet in the middle": line(b"NAK\n") + band(1, PACK[:40]) + b"0004" + band(1, PACK[40:]),
    "no side bands": line(b"NAK\n") + PACK,
    "half of the pack": answer(PACK[:60]),
    "more than the pack": answer(PACK + b"x"),
    "two packs": answer(PACK + PACK),
    "no header": answer(PACK[12:]),
    "another version": answer(PACK[:7] + b"\3" + PACK[8:]),
}


@pytest.mark.parametrize("why", ANSWERS)
def test_an_answer_that_is_no_pack_moves_nothing(server: Server, repo: Repos, why: str) -> None:
    """G15."""
    with pytest.raises((RemoteError, Corrupted, DanglingHash)):
        fetched(server, repo, ANSWERS[why])
    untouched(repo)


def test_progress_without_end_and_a_pack_without_end_are_cut(server: Server, repo: Repos) -> None:
    """G15, G02: by the bytes that may come."""
    for n in (1, 2):

        def said(n: int = n) -> Iterator[bytes]:
            yield announced(HEAD)
            yield line(b"NAK\n")
            while True:
                yield band(n, bytes(60000))

        server.says_for_ever(said)
        remote = GitRemote(URL, Transport(octets=2 << 20))
        with (
            pytest.raises(RemoteError, match="2097152 bytes, the limit"),
            remote.bring([Hash(HEAD)], repo._opened.trail(), SCHEMA.codec, []),
        ):
            pass
    untouched(repo)


def test_a_list_of_refs_without_end_is_cut(server: Server) -> None:
    """G15, G05."""

    def said() -> Iterator[bytes]:
        yield announced(HEAD)[:-4]
        while True:
            yield line(HEAD.hex().encode() + b" refs/heads/x\n") * 1000

    server.says_for_ever(said)
    with pytest.raises(RemoteError, match="limit"):
        GitRemote(URL, Transport(octets=1 << 20)).refs()


NAMES = [
    *(b"refs/heads/../x", b"refs/heads/a..b", b"refs/heads/a@{b", b"refs/heads/a.lock", b"refs/heads/-x\x01"),
    *(b"refs/heads/a b", b"refs/heads//a", b"refs/heads/a/", b"refs/heads/.a", b"/etc/passwd", b"../../x"),
    *(b"refs/heads/a\\b", b"refs/heads/a~1", b"refs/heads/" + b"x" * 60000, b"refs/tags/v1", b"HEAD2"),
    *(b"refs/heads/a\x7f", b"refs/heads/a:b", b"refs/heads/a?", b"refs/heads/@"),
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:24]))
def test_a_ref_that_none_may_have_or_nobody_asked_for_is_left_out(
    server: Server, repo: Repos, name: bytes
) -> None:
    """G12, G16: of a remote with many branches one is taken."""
    odd = line(HEAD.hex().encode() + b" " + name + b"\n")
    said = announced(HEAD)[:-4] + odd + b"0000"
    server.says(said, said + answer(PACK))
    heads = sync.fetch_all(repo, GitRemote(URL), prefix="r/").heads
    assert (sorted(heads), repo.branches()) == (["main"], ["r/main"])


def test_objects_that_nobody_asked_for_are_not_kept(server: Server, repo: Repos) -> None:
    """G16."""
    stray = (Type.BLOB, b"stray")
    other = commit(id_of(Type.TREE, b""))
    tag = (Type.TAG, b"object " + HEAD.hex().encode() + b"\ntype commit\ntag x\n\n")
    pack = entries(COMMIT, TREE, BLOB, stray, other, (Type.TREE, b""), tag)
    assert fetched(server, repo, answer(pack)).hash == HEAD
    assert len(repo.export(max=[Hash(HEAD)])) == 3
    assert repo.find_commit(Hash(id_of(*other))) is None
    assert repo.find_contents(Hash(id_of(*stray))) is None


# -- G01 to G11: packs ---------------------------------------------------------------------------------------


def changed(at: int, new: bytes) -> bytes:
    """The pack with other bytes at `at`, and its right hash."""
    body = PACK[:at] + new + PACK[at + len(new) : -20]
    return body + hashlib.sha1(body).digest()


def delta(base: bytes, data: bytes, *before: tuple[Type, bytes]) -> bytes:
    """A pack of the objects `before` and of a delta of `base`."""
    body = pack_header(1 + len(before)) + entries(*before)[12:-20]
    body += entry_header(REF_DELTA, len(data)) + base + zlib.compress(data)
    return body + hashlib.sha1(body).digest()


def tree_of(rows: bytes, *more: tuple[Type, bytes]) -> tuple[bytes, bytes]:
    """(head, pack) of a commit of the tree with `rows`."""
    tree = (Type.TREE, rows)
    made = commit(id_of(*tree))
    return id_of(*made), entries(made, tree, BLOB, *more)


BLOB_ID = id_of(*BLOB)
NAMED = {
    name: tree_of(b"100644 " + name.encode() + b"\0" + BLOB_ID)
    for name in (
        *(".", "..", ".git", ".GIT", ".Git", "git~1", "GIT~1", ".git ", ".git.", ".git. ."),
        *(".git::$INDEX_ALLOCATION", ".g\u200cit", "\ufeff.git", "a\\.git", ".git/x", "", "a/b"),
    )
}
HOSTILE: dict[str, tuple[bytes, bytes]] = {
    "G01 a bomb of deltas": (
        HEAD,
        delta(BLOB_ID, b"\x36" + b"\x80\x80\x80\x80\x80\x01" + b"\x90\x36" * 100, BLOB),
    ),
    "G02 more than was promised": (
        HEAD,
        (lambda body: body + hashlib.sha1(body).digest())(
            pack_header(1) + entry_header(3, 10) + zlib.compress(bytes(1 << 20))
        ),
    ),
    "G02 a size of 2^60": (
        HEAD,
        (lambda body: body + hashlib.sha1(body).digest())(
            pack_header(1) + entry_header(3, 1 << 60) + zlib.compress(b"x")
        ),
    ),
    "G03 a delta of itself": (HEAD, delta(HEAD, b"\x05\x05\x90\x05")),
    "G04 a copy beyond its base": (HEAD, delta(BLOB_ID, b"\x36\x05\x91\x35\x05", BLOB)),
    "G05 a count of 2^32-1": (HEAD, changed(8, b"\xff\xff\xff\xff")),
    "G05 a count of none": (HEAD, changed(8, b"\0\0\0\0")),
    "G06 a delta whose base is nowhere": (HEAD, delta(b"\x11" * 20, b"\x36\x05\x90\x05")),
    "G07 another hash at the end": (HEAD, PACK[:-1] + bytes([PACK[-1] ^ 1])),
    "G08 no tree": (HEAD, entries(COMMIT, BLOB)),
    "G08 no blob": (HEAD, entries(COMMIT, TREE)),
    "G08 no commit": (HEAD, entries(TREE, BLOB)),
    "G08 another commit": (HEAD, entries(commit(id_of(*TREE), HEAD), TREE, BLOB)),
    "G08 no parent": (
        id_of(*commit(id_of(*TREE), b"\x22" * 20)),
        entries(commit(id_of(*TREE), b"\x22" * 20), TREE, BLOB),
    ),
    "G08 a blob where a tree should be": (
        id_of(*commit(BLOB_ID)),
        entries(commit(BLOB_ID), BLOB),
    ),
    "G08 a directory that is not there": tree_of(b"40000 d\0" + b"\x33" * 20),
    "G08 a directory that is a blob": tree_of(b"40000 d\0" + BLOB_ID),
    "G08 a file that is a tree": tree_of(b"100644 f\0" + id_of(Type.TREE, b""), (Type.TREE, b"")),
    "G10 entries out of order": tree_of(b"100644 b\0" + BLOB_ID + b"100644 a\0" + BLOB_ID),
    "G10 an entry twice": tree_of(b"100644 a\0" + BLOB_ID + b"100644 a\0" + BLOB_ID),
    "G10 a file and a directory of one name": tree_of(
        b"100644 a\0" + BLOB_ID + b"40000 a\0" + id_of(Type.TREE, b""), (Type.TREE, b"")
    ),
    "G10 a mode that is none": tree_of(b"100000 a\0" + BLOB_ID),
    "G10 a mode with zeros": tree_of(b"040000 a\0" + id_of(Type.TREE, b""), (Type.TREE, b"")),
    "G10 a mode of 64 digits": tree_of(b"1" * 64 + b" a\0" + BLOB_ID),
    "G10 an id of zeros": tree_of(b"100644 a\0" + bytes(20)),
    "G10 half of an entry": tree_of(b"100644 a\0" + BLOB_ID[:10]),
    "G11 .gitmodules as a link": tree_of(b"120000 .gitmodules\0" + BLOB_ID),
    **{f"G09 the name {name!a}": made for name, made in NAMED.items()},
}


@pytest.mark.parametrize("why", HOSTILE)
def test_a_pack_with_what_git_would_refuse_moves_nothing(server: Server, repo: Repos, why: str) -> None:
    """G01 to G11: the error is typed, and nothing of the pack is led to."""
    head, pack = HOSTILE[why]
    with pytest.raises((Corrupted, DanglingHash, DecodeError)):
        fetched(server, repo, answer(pack), head)
    assert repo.branches() == []
    assert repo.find_commit(Hash(head)) is None


def test_deltas_that_are_held_count_too(server: Server, repo: Repos) -> None:
    """G01, G02: many that wait for a base which never comes."""
    payload = b"\x36" + b"\x90\x36" * 50000
    body = pack_header(20)
    for n in range(20):
        body += entry_header(REF_DELTA, len(payload)) + bytes([n]) * 20 + zlib.compress(payload)
    pack = body + hashlib.sha1(body).digest()
    server.says(announced(HEAD), announced(HEAD) + answer(pack))
    with pytest.raises(Corrupted, match="1000000 bytes"):
        sync.fetch(repo.main(), GitRemote(URL, total=1000000))


def test_links_are_data(server: Server, repo: Repos) -> None:
    """G11: a symbolic link that leads out, and a link to another repository, are kept and lead nowhere."""
    target = (Type.BLOB, b"../../../etc/passwd")
    head, pack = tree_of(b"120000 l\0" + id_of(*target) + b"160000 m\0" + b"\x44" * 20, target)
    assert fetched(server, repo, answer(pack), head).tree().find_all("l") == (target[1], Mode.LINK)
    assert repo.commit(Hash(head)).tree().find("m") is None


def test_each_flipped_byte_of_a_pack_is_refused(server: Server, repo: Repos) -> None:
    """G07: N of N; the trailer tells."""
    for at in range(len(PACK)):
        bad = bytearray(PACK)
        bad[at] ^= 0x10
        with pytest.raises(Corrupted):
            fetched(server, repo, answer(bytes(bad)))
    untouched(repo)


def test_each_flipped_byte_with_a_right_trailer_gives_nothing_wrong(server: Server) -> None:
    """G07: then the hashes of the objects tell, or zlib. A few bits say nothing, such as how hard zlib tried."""
    refused = 0
    for at in range(len(PACK) - 20):
        with irminpy.open("mem:", SCHEMA) as repo:
            try:
                head = fetched(server, repo, answer(changed(at, bytes([PACK[at] ^ 0x10]))))
            except (Corrupted, DanglingHash, DecodeError):
                refused += 1
                assert repo.find_commit(Hash(HEAD)) is None
            else:
                assert (head.hash, head.tree().get("a")) == (HEAD, BLOB[1])
    assert refused >= len(PACK) - 30


@pytest.mark.parametrize("version", [0, 2])
def test_a_fetch_that_is_cut_at_each_byte_moves_nothing(server: Server, version: int) -> None:
    """G06: whatever came before, refs are as they were; and the same fetch, whole, then does it."""
    if version:
        refs = line(b"version 2\n") + line(b"fetch=shallow\n") + b"0000"
        refs += line(HEAD.hex().encode() + b" refs/heads/main\n") + b"0000"
        body = line(b"packfile\n") + band(1, PACK) + b"0000"
    else:
        refs, body = announced(HEAD), answer(PACK)
    with irminpy.open("mem:", SCHEMA, clock=lambda: 0) as repo:
        main = repo.main()
        start = main.set("own", b"1")
        for at in range(len(body)):
            server.says(refs, refs + body[:at])
            with pytest.raises((RemoteError, Corrupted)):
                sync.pull(main, GitRemote(URL), "set")
            assert main.find_head() == start
        for at in range(len(refs)):
            server.says(refs[:at])
            with pytest.raises(RemoteError):
                sync.pull(main, GitRemote(URL), "set")
        server.says(refs, refs + body)
        new = sync.pull(main, GitRemote(URL), "set")
        assert new is not None
        assert new.hash == HEAD


# -- what a remote says of a push ----------------------------------------------------------------------------

REPORTS: dict[str, bytes] = {
    "nothing": b"",
    "an end": b"0000",
    "no unpack": band(1, line(b"ok refs/heads/main\n") + b"0000") + b"0000",
    "unpacked and nothing else": band(1, line(b"unpack ok\n") + b"0000") + b"0000",
    "another ref": band(1, line(b"unpack ok\n") + line(b"ok refs/heads/other\n") + b"0000") + b"0000",
    "not unpacked": band(1, line(b"unpack index-pack died\n") + line(b"ok refs/heads/main\n")) + b"0000",
    "no": band(1, line(b"unpack ok\n") + line(b"ng refs/heads/main no\n") + b"0000") + b"0000",
    "no without a reason": band(1, line(b"unpack ok\n") + line(b"ng refs/heads/main\n") + b"0000") + b"0000",
    "yes and no": band(
        1, line(b"unpack ok\n") + line(b"ok refs/heads/main\n") + line(b"ng refs/heads/main no\n") + b"0000"
    )
    + b"0000",
    "a word that is none": band(1, line(b"unpack ok\n") + line(b"perhaps refs/heads/main\n")) + b"0000",
    "half of a line": band(1, line(b"unpack ok\n") + b"0017ok ref") + b"0000",
    "a length that is none": band(1, line(b"unpack ok\n") + b"zzzz") + b"0000",
    "it gave up": band(3, b"out of memory"),
    "no end": band(1, line(b"unpack ok\n")),
    "more rows than refs": band(1, line(b"unpack ok\n") + line(b"ok refs/heads/x\n") * 500) + b"0000",
    "letters that are none": band(1, line(b"unpack ok\n") + line(b"ng refs/heads/main \xff\x1b[2J\n"))
    + b"0000",
}


@pytest.mark.parametrize("why", REPORTS)
def test_a_push_that_is_not_confirmed_is_not_done(server: Server, repo: Repos, why: str) -> None:
    """G15: silence, riddles and contradictions are no."""
    repo.main().set("a", b"1")
    server.says(announced(None), announced(None) + REPORTS[why])
    with pytest.raises((PushRejected, RemoteError)) as e:
        sync.push(repo.main(), GitRemote(URL))
    assert "\x1b" not in str(e.value)


def test_a_push_that_is_confirmed_is_done_and_what_was_sent_is_a_pack(server: Server, repo: Repos) -> None:
    repo.main().set("a", b"1")
    report = band(1, line(b"unpack ok\n") + line(b"ok refs/heads/main\n") + b"0000") + b"0000"
    server.says(announced(None), announced(None) + report)
    assert sync.push(repo.main(), GitRemote(URL)).sent.objects == 3
    asked = server.channels[-1].asked
    head = repo.main().head().hash.hex().encode()
    words = b"\0 report-status side-band-64k agent=irminpy"
    assert asked.startswith(line(b"0" * 40 + b" " + head + b" refs/heads/main" + words))
    assert asked[asked.index(b"PACK") :] == b"".join(packed(repo.export().objects, "sha1"))


@pytest.mark.parametrize("lacks", [b"report-status", b"side-band-64k"])
def test_a_remote_that_could_not_confirm_is_sent_nothing(server: Server, repo: Repos, lacks: bytes) -> None:
    repo.main().set("a", b"1")
    said = announced(None, ABLE.replace(lacks, b""))
    server.says(said, said)
    with pytest.raises(RemoteError, match=lacks.decode()):
        sync.push(repo.main(), GitRemote(URL))
    assert b"PACK" not in server.channels[-1].asked


# -- G17, G19: URLs ------------------------------------------------------------------------------------------

URLS = [
    *("ext::sh -c touch% /tmp/x", "ext::git-upload-pack /x", "git+ext://sh/x", "fd::17", "fd://17/x"),
    *(
        "javascript://x/y",
        "data://x/y",
        "ftp://h/x",
        "sftp://h/x",
        "gopher://h/x",
        "rsync://h/x",
        "SSH://h/x",
    ),
    *("ssh://-oProxyCommand=touch%20x/y", "ssh://-oProxyCommand=x@h/y", "-oProxyCommand=x:y", "x@-oP=y:z"),
    *("ssh://h", "ssh://h/", "git@host:-x", "git@host:", "git@:x"),
    *("ssh://us%0aer@h/x", "ssh://h/x%0ay", "ssh://h/x%00", "https://h/x\ny", "https://h/x\r\nHost: other"),
    *("https://h\t/x", "https://h/\x00", "https://us er:p@h/x y\x7f", "https://a@b@h/x", "https://h:0/x"),
    *(
        "https://h:99999/x",
        "https://h:x/y",
        "https:///x",
        "https://[::1/x",
        "https://h/x?y=1",
        "https://h/x#y",
    ),
    *("https://h/../x", "https://h/%2e%2e/x", "https://%0ax:y@h/z", "https://:p@h/x", "git://user@h/x"),
    *(
        "git://u:s3cret@h/x",
        "ssh://u:s3cret@h/x",
        "file://host/x",
        "file://",
        "file:///",
        "file://-x",
        "x",
        "",
    ),
    *("ssh://`id`@h/x", "ssh://$(id)@h/x", "ssh://a;b@h/x", "git@h ost:x", "http://" + "h" * 5000 + "/x"),
    *("http://example.com/x.git", "git://example.com/x", "http://me:s3cret@example.com/x.git"),
]


@pytest.mark.parametrize("url", URLS, ids=lambda url: repr(url[:30]))
def test_a_url_that_is_none_or_that_is_not_safe_is_refused(url: str) -> None:
    """G17, G19: before anything is started or connected; a password in it is not shown."""
    with pytest.raises(DecodeError) as e:
        GitRemote(url)
    assert "s3cret" not in str(e.value)


def test_schemes_may_be_narrowed_and_plain_ones_allowed() -> None:
    """G17."""
    assert GitRemote("http://example.com/x.git", Transport(plain=True)).name
    with pytest.raises(DecodeError, match="not among the schemes"):
        GitRemote("file:///x", Transport(schemes=frozenset({"https"})))
    for url in (
        "http://localhost/x",
        "http://127.0.0.1:80/x",
        "git://[::1]/x",
        "https://me:pw@h:8443/a/b.git",
    ):
        address = Address.parse(url)
        assert "pw" not in str(address)
        Transport().check(address)
    assert Address.parse("git@h.x:a/b") == Address("ssh", "h.x", None, "git", None, "a/b")
    assert Address.parse("ssh://g@h:22/~u/x").path == "~u/x"
    assert str(Address.parse("https://u:p@h/x")) == "https://h/x"


# -- G20: time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["git", "http"])
@pytest.mark.parametrize("slow", ["never", "one by one"])
def test_a_peer_that_is_slow_is_left(way: str, slow: str) -> None:
    """G20: one that says nothing, and one that says a byte now and then."""
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as peer:
            while not stop.wait(0.02):
                if slow == "one by one":
                    try:
                        peer.send(b"f" if way == "git" else b"H")
                    except OSError:
                        return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        limits = Transport(idle=0.1) if slow == "never" else Transport(idle=30, total=0.3)
        with pytest.raises(RemoteError, match=r"nothing came|not done within|Git's protocol|speak HTTP"):
            GitRemote(f"{way}://127.0.0.1:{port}/x", limits).refs()
        stop.set()
        thread.join(60)


def test_every_error_here_is_one_of_ours() -> None:
    """What the groups raise is below IrminError, so that a program catches it as one."""
    for error in (RemoteError, Corrupted, DanglingHash, DecodeError, PushRejected):
        assert issubclass(error, IrminError)
