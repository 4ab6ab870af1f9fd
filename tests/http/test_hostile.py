"""Requests of those who mean harm: the groups H01 to H15, and bodies in JSON and msgpack that no client would send.

Most are bytes on a socket, with what the answer has to begin with. After each the server must still answer, and hold
what it held.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from starlette.requests import ClientDisconnect

import irminpy
from irminpy import Schema
from irminpy.backend import RefChange
from irminpy.errors import StorageError
from irminpy.server import Access, Application, Limits, access_for, background
from irminpy.server.hub import Hub, Subscriber
from tests.http.served import Plain, served

PATIENCE = 60
TOKEN = "a token of some length"
SMALL = Limits(body=2000, upload=5000, depth=16, changes=20, paths=8, steps=20, page=50)
MEDIA = "application/vnd.irminpy+msgpack"


@pytest.fixture(scope="module")
def plain() -> Iterator[Plain]:
    with served(access=Access(write=True, hosts=frozenset({"store.example"})), limits=SMALL) as found:
        found.repo.main().set("a/b", b"value")
        yield found


@pytest.fixture(scope="module")
def guarded() -> Iterator[Plain]:
    with served(access=Access(token=TOKEN), limits=SMALL) as found:
        found.repo.main().set("a/b", b"value")
        yield found


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    return host, int(port)


def raw(url: str, sent: bytes) -> bytes:
    """All that the server says to `sent` until it closes the connection."""
    with socket.create_connection(address(url), timeout=PATIENCE) as connection:
        got = b""
        with contextlib.suppress(ConnectionError):  # it may close while we still send
            connection.sendall(sent)
            while piece := connection.recv(65536):
                got += piece
        return got


def request(line: str, *headers: str, body: bytes = b"", host: str = "127.0.0.1") -> bytes:
    """A request that asks for the connection to be closed."""
    head = "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""])
    return head.encode("latin-1") + body


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer.split(b" ", 2)[1])


def patch(*changes: Any) -> bytes:
    return json.dumps({"changes": changes}).encode()


JSON = "Content-Type: application/json"
NEVER = request("PATCH /trees/main", JSON)  # a head without a length


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def sized(line: str, length: object, *headers: str, body: bytes = b"") -> bytes:
    return request(line, f"Content-Length: {length}", *headers, body=body)


CHUNKED = "Transfer-Encoding: chunked"
OCTETS = "Content-Type: application/octet-stream"
SLICE = "Content-Type: application/vnd.irmin.slice"

# What is sent, and the status of the answer; a set where either is right.
REQUESTS: dict[str, list[tuple[bytes, int | set[int]]]] = {
    "H01 a body over the limit": [
        (sized("PATCH /trees/main", 2001, JSON), 413),
        (sized("PATCH /trees/main", 10**9, JSON), 413),
        (sized("PATCH /trees/main", 10**18, JSON), 413),
        (request("PATCH /trees/main", JSON, CHUNKED, body=chunked(*[b"[" * 500] * 5)), 413),
        (sized("PUT /trees/main/x", 5001), 413),
        (request("PUT /trees/main/x", CHUNKED, body=chunked(*[b"x" * 900] * 6)), 413),
        (sized("POST /slice", 5001, SLICE), 413),
        (request("POST /slice", SLICE, CHUNKED, body=chunked(*[b"x" * 900] * 6)), 413),
        (sized("POST /objects", 2001, f"Content-Type: {MEDIA}"), 413),
        (sized("POST /objects/read", 2001, f"Content-Type: {MEDIA}"), 413),
        (sized("POST /irmin/blobs", 2001, JSON), 413),
        (sized("POST /merge", 2001, JSON), 413),
        (sized("GET /branches", 5, body=b"hello"), 400),
    ],
    "H01 a length that lies": [
        (sized("PATCH /trees/main", "-1", JSON), 400),
        (sized("PATCH /trees/main", "1e3", JSON), 400),
        (sized("PATCH /trees/main", "+5", JSON, body=b"{}   "), 400),
        (sized("PATCH /trees/main", "5, 6", JSON, body=b"{}   "), 400),
        (sized("PATCH /trees/main", "9" * 30, JSON), {400, 413}),
        (sized("PUT /branches/main", 1, JSON, "If-Match: *", body=b'{"commit": 1}'), 400),
    ],
    "H05 paths": [
        (request("GET /trees/main/../../../etc/passwd"), 404),
        (request("GET /trees/main/%2e%2e/%2e%2e/etc/passwd"), 404),
        (request("GET /trees/main/..%2f..%2fetc%2fpasswd"), 400),
        (request("GET /trees/main/%252e%252e/x"), 404),
        (request("GET /trees/main/a%2fb"), 400),
        (request("GET /trees/main/a%00b"), 400),
        (request("GET /trees/main/%c0%ae%c0%ae/x"), 400),
        (request("GET /trees/main/%ff"), 400),
        (request("GET /trees/main/%zz"), 400),
        (request("GET /trees/main/%"), 400),
        (request("GET /trees/main/%2"), 400),
        (request("GET /trees/main//a"), 400),
        (request("GET //trees/main/a"), 400),
        (request("GET /trees/..%2f..%2fetc/x"), 404),
        (request("GET /trees/%ff/x"), 400),
        (request("GET /trees/main/" + "a" * 65536), {400, 414, 431}),
        (request("GET /trees/main/" + "a" * 9000), 414),
        (request("GET /trees/main/" + "a" * 5000), 400),
        (request("GET /trees/main/" + "a/" * 40), 414),
        (request("PUT /trees/main/%2e%2e%2fx", "Content-Length: 1", body=b"x"), 400),
        (request("PUT /trees/main/", "Content-Length: 1", body=b"x"), 400),
        (request("GET /objects/contents/..%2f..%2fsecret"), 400),
        (request("GET /trees/main/a?offset=-1"), 400),
        (request("GET /trees/main/a?offset=1&offset=2"), 400),
        (request("GET /trees/main/a?offset=%"), 400),
        (request("GET /trees/main/a?unknown=1"), 400),
        (request("GET /trees/main/a?length=99999999999999999999"), 400),
    ],
    "H06 pages of other origins": [
        (sized("POST /merge", 2, "Content-Type: text/plain", body=b"{}"), 415),
        (sized("POST /merge", 2, "Content-Type: application/x-www-form-urlencoded", body=b"{}"), 415),
        (sized("POST /merge", 2, "Content-Type: multipart/form-data; boundary=x", body=b"{}"), 415),
        (sized("POST /merge", 2, body=b"{}"), 415),
        (sized("PATCH /trees/main", 2, "Content-Type: text/plain", body=b"{}"), 415),
        (sized("POST /irmin/commits", 2, "Content-Type: text/plain", body=b"{}"), 415),
        (sized("POST /irmin/trees", 2, "Content-Type: application/x-www-form-urlencoded", body=b"[]"), 415),
        (sized("POST /merge", 2, JSON, "Origin: http://evil.example", body=b"{}"), 403),
        (sized("POST /merge", 2, JSON, "Origin: null", body=b"{}"), 403),
        (sized("POST /merge", 2, JSON, "Origin: http://127.0.0.1.evil.example", body=b"{}"), 403),
        (sized("POST /merge", 2, JSON, "Sec-Fetch-Site: cross-site", body=b"{}"), 403),
        (sized("POST /irmin/blobs", 1, "Origin: http://evil.example", body=b"x"), 403),
        (sized("PUT /trees/main/x", 1, "Origin: http://evil.example", body=b"x"), 403),
        (request("DELETE /trees/main/a", "Origin: http://evil.example"), 403),
        (
            sized("POST /merge", 2, JSON, "Origin: http://127.0.0.1", body=b"{}"),
            400,
        ),
        (
            request(
                "OPTIONS /trees/main", "Origin: http://evil.example", "Access-Control-Request-Method: PUT"
            ),
            405,
        ),
    ],
    "H07 names of hosts": [
        *((request("GET /branches", host=host), 421) for host in ("evil.example", "127.0.0.1.evil.example")),
        *(
            (request("GET /branches", host=host), 421)
            for host in ("0x7f.1", "localhost.evil.example", "2130706433")
        ),
        *((request("GET /branches", host=host), 400) for host in ("", ":80", "127.0.0.1:x", "[::1")),
        *(
            (request("GET /branches", host=host), 200)
            for host in ("localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:5")
        ),
        (request("GET /branches", host="store.example:80"), 200),
        (request("GET /branches", host="store.example."), 200),
        (b"GET /branches HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET /branches HTTP/1.0\r\n\r\n", 400),
        (request("GET /branches", "Host: evil.example"), 400),
    ],
    "H09 nothing is fetched": [
        (b"GET http://169.254.169.254/latest HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 400),
        (request("CONNECT 169.254.169.254:80"), {400, 405}),
        (sized("POST /fetch", 2, JSON, body=b"{}"), 404),
        (sized("POST /pull", 2, JSON, body=b"{}"), 404),
        (
            sized("POST /merge", 51, JSON, body=b'{"into":"main","from":"http://169.254.169.254/a"}  '),
            {400, 404},
        ),
    ],
    "H12 two readings of one request": [
        (request("PUT /trees/main/x", "Content-Length: 1", CHUNKED, body=chunked(b"x")), 400),
        (request("PUT /trees/main/x", "Content-Length: 1", "Content-Length: 2", body=b"xy"), 400),
        (request("PUT /trees/main/x", "Content-Length: 1", "Content-Length: 1", body=b"x"), {400, 201}),
        (request("PUT /trees/main/x", CHUNKED, CHUNKED, body=chunked(b"x")), {400, 501}),
        (request("PUT /trees/main/x", "Transfer-Encoding: xchunked", body=chunked(b"x")), {400, 501}),
        (request("PUT /trees/main/x", "Transfer-Encoding: gzip, chunked", body=chunked(b"x")), {400, 501}),
        (request("PUT /trees/main/x", "Transfer-Encoding : chunked", body=chunked(b"x")), 400),
        (request("PUT /trees/main/x", CHUNKED, body=b"zz\r\nx\r\n0\r\n\r\n"), 400),
        (request("PUT /trees/main/x", CHUNKED, body=b"-1\r\nx\r\n0\r\n\r\n"), 400),
        (request("PUT /trees/main/x", CHUNKED, body=b"f" * 40 + b"\r\nx"), 400),
        (b"GET /branches HTTP/1.1\r\nHost: 127.0.0.1\r\nno colon\r\n\r\n", 400),
        (b"GET /branches HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n", 400),
        (b"GET /branches HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n", 505),
        (b"GET /bran ches HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
        (b"\0\0\0\0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (request("GET /branches", "X-Long: " + "x" * 20_000), {400, 431}),
        (request("GET /branches", *[f"X-{i}: 1" for i in range(3000)]), {400, 431}),
        (request("GET /branches", "Upgrade: websocket", "Connection: upgrade"), {200, 400}),
    ],
    "H14 proofs of everything": [
        (request("GET /proof/main?" + "&".join(f"path=a{i}" for i in range(9))), 413),
        (request("GET /proof/main?path=" + "a/" * 30), 414),
        (request("GET /proof/main?job=page&path=a&length=51"), 400),
        (request("GET /proof/main?job=page&path=a&path=b"), 400),
        (request("GET /proof/main?job=all"), 400),
        (request("GET /proof/nothing?path=a"), 404),
        (request("GET /proof/" + "0" * 64 + "?path=a"), {404, 500}),
    ],
    "H15 line ends in names": [
        (request("GET /branches/a%0d%0aSet-Cookie:%20x=1"), 400),
        (request("GET /branches/a%0ab"), 400),
        (sized("PUT /branches/a%0d%0ax", 2, JSON, "If-None-Match: *", body=b"{}"), 400),
        (sized("PUT /irmin/branch/a%0d%0ax", 2, JSON, body=b"{}"), 400),
        (sized("PUT /trees/a%0d%0ax/p", 1, body=b"x"), 400),
        (request("GET /watch?branch=a%0d%0ab"), 400),
        (request("GET /commits/a%0d%0ab"), 404),
        (request("GET /branches/" + "b" * 2000), 400),
    ],
    "E JSON": [
        (sized("PATCH /trees/main", len(body), JSON, body=body), 400)
        for body in (
            b"[" * 2000,
            b'{"changes":' + b"[" * 900 + b"]" * 900 + b"}",
            b'{"changes":' + b"[" * 17 + b"]" * 17 + b"}",
            b'{"changes":[],"changes":[]}',
            b'{"changes":[NaN]}',
            b'{"changes":[{"path":"\\ud800","text":"x"}]}',
            b'{"changes":[{"path":"x","text":"\\ud800"}]}',
            b'{"changes":[{"path":"a\\u0000b","text":"x"}]}',
            b'{"changes":[{"path":["a/b"],"text":"x"}]}',
            b'{"changes":[],"date":' + b"9" * 1000 + b"}",
            b'{"changes":[],"date":1.5}',
            b'{"changes":[],"date":true}',
            b'{"changes":[],"message":["x"]}',
            b'{"changes":[],"author":"\\udfff"}',
            b'{"changes":' + json.dumps([{"path": "x", "remove": True}] * 21).encode() + b"}",
            b'{"changes":[{"path":"' + b"s/" * 30 + b'","text":"x"}]}',
            b"\xff\xfe",
            b"",
            b"null",
            b'"changes"',
        )
    ],
    "E msgpack": [
        (sized("POST /objects", len(body), f"Content-Type: {MEDIA}", body=body), wanted)
        for body, wanted in (
            (b"", 400),
            (b"\xdd\xff\xff\xff\xff", 400),
            (b"\xc6\xff\xff\xff\xff", 400),
            (b"\x91" * 1500, 400),
            (msgpack.packb([False, [], [], []]), 400),
            (msgpack.packb([False, ["text"], [], [], []]), 400),
            (msgpack.packb([0, [], [], [], []]), 400),
            (msgpack.packb({}), 400),
            (msgpack.packb([False, [], [], [], []]) + b"\0", 400),
            (msgpack.packb([False, [b"no contents"], [], [], []]), 400),
            (msgpack.packb([False, [], [b"N\x93\x90\xc4\x00"], [], []]), 400),
            (msgpack.packb([False, [], [], [], [["main", b"short", True]]]), 400),
            (msgpack.packb([False, [], [], [], [["main", b"0" * 32, True]]]), 422),
            (msgpack.packb([False, [], [], [], [["a b", None, True]]]), 400),
            (msgpack.packb([False, [], [], [], [[b"main", None, True]]]), 400),
            (msgpack.packb([False, [], [], [], [["main", None, msgpack.ExtType(1, b"x")]]]), 400),
        )
    ],
}


CASES = [
    pytest.param(sent, wanted, id=f"{group}-{n}")
    for group, requests in REQUESTS.items()
    for n, (sent, wanted) in enumerate(requests)
]


@pytest.mark.parametrize(("sent", "wanted"), CASES)
def test_a_hostile_request_is_refused_and_changes_nothing(
    plain: Plain, sent: bytes, wanted: int | set[int]
) -> None:
    """H01, H05 to H07, H09, H12, H14, H15."""
    before = plain.repo._opened.backend.refs()
    answer = raw(plain.url, sent)
    found = status(answer)
    assert found == wanted or (isinstance(wanted, set) and found in wanted), answer[:500]
    for word in (b"Traceback", b"/irminpy/", b".py", b"\nSet-Cookie", b"root:"):
        assert word not in answer
    after = plain.repo._opened.backend.refs()
    if found >= 400:
        assert after == before
    assert plain.http.get("/branches").status_code == 200


def test_there_are_at_least_ninety_hostile_requests() -> None:
    assert len(CASES) >= 90


# -- H02 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /branches HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "])
def test_a_head_that_does_not_come_to_its_end_is_given_up(sent: bytes) -> None:
    """H02."""
    with served(limits=Limits(head_seconds=0.2)) as plain:
        assert status(raw(plain.url, sent)) == 408
        assert plain.http.get("/").status_code == 200


def test_the_second_request_of_a_connection_has_a_deadline_too() -> None:
    """H02: the first one is answered."""
    with served(limits=Limits(head_seconds=0.2, idle_seconds=1)) as plain:
        answer = raw(plain.url, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HT")
        assert status(answer) == 200
    with served(limits=Limits(head_seconds=0.2)) as plain:
        with socket.create_connection(address(plain.url), PATIENCE) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            got = connection.recv(65536)
            while b"\r\n\r\n{" not in got or not got.endswith(b"}}"):
                got += connection.recv(65536)
            connection.sendall(b"GET / HT")
            late = b""
            while piece := connection.recv(65536):
                late += piece
        assert status(late) == 408


CUT_SHORT = [
    sized("PATCH /trees/main", 100, JSON, body=b"{"),
    sized("PUT /trees/main/x", 9, body=b"x"),
    request("PUT /trees/main/x", CHUNKED, body=b"5\r\nhel"),
]


@pytest.mark.parametrize("sent", CUT_SHORT)
def test_a_body_that_does_not_come_to_its_end_is_given_up(sent: bytes) -> None:
    """H02."""
    with served(limits=Limits(seconds=0.3)) as plain:
        assert status(raw(plain.url, sent)) == 408
        assert plain.repo.branches() == []


class Said(logging.Handler):
    """What is logged on the threads of servers, as people read it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._first = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
        self._first.set()

    def wait(self) -> bool:
        return self._first.wait(PATIENCE)


@pytest.fixture
def said() -> Iterator[Said]:
    """All that this server, or the one below it, logs."""
    found = Said()
    for name in ("irminpy.server", "uvicorn"):
        logging.getLogger(name).addHandler(found)
    yield found
    for name in ("irminpy.server", "uvicorn"):
        logging.getLogger(name).removeHandler(found)


def test_whoever_takes_nothing_of_an_answer_is_given_up_in_one_line(said: Said) -> None:
    """H02: the answer is longer than what the system keeps for a connection."""
    with served(limits=Limits(write_seconds=0.2)) as plain:
        plain.repo.main().set("large", bytes(32 << 20))
        with socket.create_connection(address(plain.url), timeout=PATIENCE) as connection:
            connection.sendall(request("GET /trees/main/large"))
            taken = len(connection.recv(1024))
            assert said.wait()
            assert plain.http.get("/").status_code == 200
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(1 << 16):
                    taken += len(piece)
            assert taken < 32 << 20
    (line,) = said.lines
    assert (
        line == "gave up a reader of GET '/trees/main/large', who took nothing of its answer for 0.2 seconds"
    )


def test_there_is_a_bound_for_connections() -> None:
    """H02."""
    with served(limits=Limits(connections=4)) as plain:
        plain.http.close()
        with contextlib.ExitStack() as stack:
            answers: list[bytes] = []
            held: list[socket.socket] = []
            for _ in range(12):
                connection = stack.enter_context(
                    socket.create_connection(address(plain.url), timeout=PATIENCE)
                )
                connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                with contextlib.suppress(ConnectionError):
                    answers.append(connection.recv(65536)[:12])
                held.append(connection)
            assert answers.count(b"HTTP/1.1 200") == 4
            assert set(answers) <= {b"HTTP/1.1 200", b"HTTP/1.1 503", b""}
        assert status(raw(plain.url, request("GET /"))) in (200, 503)


# -- H03, H04 ------------------------------------------------------------------------------------------------------

TOKENS = (
    *(
        "",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Basic {TOKEN}",
        "Bearer",
        "Bearer  ",
        TOKEN,
        "Bearer null",
    ),
    *(f"Bearer {TOKEN.upper()}", "Bearer \xff\xfe", f"Digest {TOKEN}", "Bearer " + "x" * 5000),
)


@pytest.mark.parametrize("given", TOKENS)
def test_nobody_writes_without_the_token(guarded: Plain, given: str) -> None:
    """H03: and a wrong one is refused for reading, too."""
    headers = [f"Authorization: {given}"] if given else []
    answer = raw(guarded.url, request("DELETE /trees/main/a", *headers))
    assert status(answer) == 401
    assert b"www-authenticate: Bearer" in answer
    assert status(raw(guarded.url, request("GET /trees/main/a/b", *headers))) == (401 if given else 200)
    assert guarded.repo.main().get("a/b") == b"value"
    assert status(raw(guarded.url, request(f"DELETE /trees/main/a?token={TOKEN.replace(' ', '+')}"))) == 401


def test_whoever_has_the_token_writes(guarded: Plain) -> None:
    """H03."""
    for scheme in ("Bearer", "bearer"):
        headers = {"authorization": f"{scheme} {TOKEN}"}
        assert (
            guarded.http.put("/trees/main/new", content=scheme.encode(), headers=headers).status_code == 201
        )


def test_a_private_server_shows_nothing_without_the_token() -> None:
    """H03."""
    with served(access=Access(token=TOKEN, private=True)) as plain:
        for path in ("/", "/branches", "/watch", "/irmin/branches", "/openapi.json"):
            assert plain.http.get(path).status_code == 401
        assert plain.http.get("/branches", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


WRITES = [
    ("PUT", "/trees/main/x"),
    ("PATCH", "/trees/main"),
    ("DELETE", "/trees/main/a"),
    ("PUT", "/branches/x"),
    ("DELETE", "/branches/main"),
    ("POST", "/merge"),
    ("POST", "/objects"),
    ("PUT", "/objects/contents/00"),
    ("POST", "/slice"),
    ("POST", "/irmin/blobs"),
    ("POST", "/irmin/trees"),
    ("POST", "/irmin/commits"),
    ("POST", "/irmin/trees/merge"),
    ("POST", "/irmin/unsafe/blobs/00"),
    ("PUT", "/irmin/branch/main"),
    ("DELETE", "/irmin/branch/main"),
]


def test_beyond_this_machine_nobody_writes_unless_there_is_a_token() -> None:
    """H04: of an address of this machine whoever reaches it may write; elsewhere writing takes a token."""
    assert access_for("127.0.0.1").write
    assert access_for("::1").write
    for host in ("0.0.0.0", "192.0.2.1", "store.example", "::"):
        access = access_for(host)
        assert not access.write
        assert access.token is None
        assert access_for(host, token=TOKEN).token == TOKEN
        with pytest.raises(StorageError, match="needs a token"):
            access_for(host, write=True)
    for how in ({"private": True}, {"token": " "}):
        with pytest.raises(StorageError):
            access_for("127.0.0.1", **how)
    with served(access=access_for("0.0.0.0")) as plain:
        plain.repo.main().set("a", b"1")
        for method, path in WRITES:
            answer = plain.http.request(method, path)
            assert (answer.status_code, answer.json()["error"]) == (403, "read-only")
        assert plain.http.get("/").json()["readonly"] is True
        assert plain.repo.main().get("a") == b"1"
    with (
        pytest.raises(StorageError, match="cannot be listened on"),
        background(plain.repo, host="203.0.113.1"),
    ):
        pass


# -- H08 -----------------------------------------------------------------------------------------------------------

MARKUP = "<script>alert(1)</script>"


def test_markup_is_never_shown_by_a_browser() -> None:
    """H08: as a value, a step, a branch, an author and a message."""
    with served() as plain:
        branch = "<img/src=x>"
        step = "<svg onload=x>"
        plain.repo.branch(branch).set((step,), MARKUP.encode(), author=MARKUP, message=MARKUP)
        plain.repo.main().set((step,), MARKUP.encode(), author=MARKUP)
        for path in (
            *("/branches", "/branches.json", "/log/main", "/commits/main", "/trees/main", "/diff/main/main"),
            *("/trees/main/%3Csvg%20onload=x%3E", "/trees.json/main/%3Csvg%20onload=x%3E", "/irmin/branches"),
            f"/trees/main/{MARKUP}",
            "/%3Cscript%3E",
        ):
            answer = plain.http.get(path)
            media = answer.headers["content-type"]
            assert "html" not in media
            assert "text" not in media
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            if media == "application/octet-stream":
                assert answer.headers["content-disposition"] == "attachment"
            assert "access-control-allow-origin" not in answer.headers


# -- H10, H11 ------------------------------------------------------------------------------------------------------


def test_there_is_a_bound_for_watches() -> None:
    """H10."""
    with served(limits=Limits(subscribers=3)) as plain, contextlib.ExitStack() as stack:
        held = [stack.enter_context(plain.http.stream("GET", "/watch")).iter_lines() for _ in range(3)]
        assert [next(lines) for lines in held] == [": irminpy"] * 3
        for path in ("/watch", "/irmin/watches"):
            assert plain.http.get(path).status_code == 503
        plain.repo.main().set("a", b"1")


def test_a_watch_whose_reader_is_gone_before_it_begins_is_forgotten() -> None:
    """H10: else so many would leave no place for others."""
    import asyncio

    with irminpy.open("mem:") as repo:
        application = Application(repo)
        scope: Any = {
            "type": "http",
            "method": "GET",
            "http_version": "1.1",
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "extensions": {},
            "asgi": {"spec_version": "2.4"},
        }

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(_message: Any) -> None:
            raise OSError("nobody is there")

        for path in ("/watch", "/irmin/watches"):
            with pytest.raises(ClientDisconnect):
                asyncio.run(application(scope | {"path": path, "raw_path": path.encode()}, receive, send))
            assert len(application._service.hub) == 0
        application.end()


def test_two_first_watches_listen_to_the_store_once() -> None:
    """H10."""
    entered, go = threading.Event(), threading.Event()
    listeners: list[Any] = []

    class Backend:
        def watch(self, listener: Any) -> Any:
            listeners.append(listener)
            entered.set()
            go.wait(PATIENCE)
            return lambda: listeners.remove(listener)

    backend: Any = Backend()
    hub = Hub(backend, Limits())
    threads = [threading.Thread(target=hub.begin) for _ in range(2)]
    threads[0].start()
    assert entered.wait(PATIENCE)
    threads[1].start()
    go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(listeners) == 1
    hub.end()
    assert listeners == []
    hub.begin()  # a request that came late
    assert listeners == []


def test_a_change_wakes_no_loop_that_has_just_closed() -> None:
    """H10: the writer must not hear of it."""

    class Closing:
        def is_closed(self) -> bool:
            return False

        def call_soon_threadsafe(self, *_: Any) -> None:
            raise RuntimeError("Event loop is closed")

    loop: Any = Closing()
    hub = Hub(None, Limits())  # type: ignore[arg-type]
    subscriber = Subscriber(hub, loop, None)
    subscriber.put((1, RefChange("main", None, None)), 1)
    assert subscriber.behind


def test_a_watch_that_takes_too_little_is_told_all_branches_again() -> None:
    """H10: what waits for it is bounded, and no writer waits."""
    with served(limits=Limits(waiting=8)) as plain:
        told: list[tuple[bool, int]] = []

        async def follow() -> None:
            hub = Hub(plain.repo._opened.backend, Limits(waiting=8))
            hub.begin()
            slow = hub.subscribe(None)
            assert (await slow.take(PATIENCE)) == (True, [], 0)
            for i in range(8):
                plain.repo.main().set("a", b"%d" % i)
            found = await slow.take(PATIENCE)
            assert found is not None
            told.append((found[0], len(found[1])))
            for i in range(30):
                plain.repo.main().set("a", b"again %d" % i)
            found = await slow.take(PATIENCE)
            assert found is not None
            told.append((found[0], len(found[1])))
            hub.end()

        import asyncio

        asyncio.run(follow())
        assert told == [(False, 8), (True, 0)]


def test_of_many_who_saw_one_head_one_wins() -> None:
    """H11."""
    with served() as plain:
        first = plain.repo.main().set("a", b"0")
        assert first is not None
        commits = [plain.repo.detached(first).set("a", b"%d" % i) for i in range(1, 17)]
        start = threading.Barrier(16)
        found: list[int] = []

        def race(i: int) -> None:
            commit = commits[i]
            assert commit is not None
            start.wait()
            tag = {"if-match": f'"{first.hash.hex()}"'}
            answer = plain.http.put("/branches/main", json={"commit": commit.hash.hex()}, headers=tag)
            found.append(answer.status_code)

        threads = [threading.Thread(target=race, args=(i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert sorted(found) == [200] + [412] * 15


# -- H13 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("the secret of /srv/store"),
        StorageError("/srv/store: no space left"),
        irminpy.Corrupted("/srv/store/pack/1", 7, irminpy.Hash(b"x" * 32), "of the secret"),
        irminpy.Locked("/srv/store", 4711),
        irminpy.NotAStore("/srv/store", "secret"),
        KeyError("secret"),
        RecursionError("secret"),
    ],
)
def test_a_fault_inside_tells_nothing_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    """H13."""
    with served() as plain:

        def refs() -> Any:
            raise fault

        monkeypatch.setattr(plain.repo._opened.backend, "refs", refs)
        with caplog.at_level(logging.CRITICAL):
            answer = plain.http.get("/branches")
        assert answer.status_code in (500, 503)
        for word in ("srv", "secret", "Traceback", "4711", "pack"):
            assert word not in answer.text
        assert answer.json()["status"] == answer.status_code
        assert plain.http.get("/").status_code == 200


# -- H14 -----------------------------------------------------------------------------------------------------------


def test_a_proof_of_too_much_is_refused_before_it_is_read() -> None:
    """H14: by the bytes of the values, and by what a verifier takes."""
    from irminpy.proof import Limits as ProofLimits

    with served(limits=Limits(proof=ProofLimits(total=10_000, objects=50))) as plain:
        with plain.repo.main().edit() as edit:
            for i in range(50):
                edit[f"large/{i}"] = bytes(2000)
                edit[f"d{i}/x/y"] = b"%d" % i
        many = "&".join(f"path=large/{i}" for i in range(50))
        deep = "&".join(f"path=d{i}/x/y" for i in range(50))
        for query in (many, deep):
            answer = plain.http.get(f"/proof/main?{query}")
            assert (answer.status_code, answer.json()["error"]) == (413, "bad-proof")
        assert plain.http.get("/proof/main?path=large/1").status_code == 200


def test_the_schema_of_the_tests_is_the_default_one(plain: Plain) -> None:
    assert plain.repo.schema == Schema()
