"""The client: what it believes, what it keeps, and what it says when the server goes away."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

import irminpy
from irminpy import Repo, Schema, contents, sync
from irminpy.backend import Options, RefChange, RefUpdate
from irminpy.errors import (
    BadProof,
    Corrupted,
    DanglingHash,
    DecodeError,
    InvalidHash,
    NotAStore,
    NotFound,
    ReadOnly,
    RemoteError,
    SchemaMismatch,
    StorageError,
)
from irminpy.hash import Hash
from irminpy.light import Light
from irminpy.objects import Kind, Objects
from irminpy.server import Access, Application, Limits, background
from irminpy.testing.samples import history
from irminpy_http import Http, connection
from irminpy_http.cache import Cache
from tests.http.proxy import Proxy, proxied
from tests.http.served import Plain, served

PATIENCE = 60


@pytest.fixture
def plain() -> Iterator[Plain]:
    with served() as found:
        yield found


@pytest.fixture
def wire(plain: Plain) -> Iterator[Proxy]:
    with proxied(plain.url) as found:
        yield found


def test_a_store_on_another_machine_is_used_as_any(plain: Plain) -> None:
    """HT-16, TC-135, TC-138: by URI; the suites in tests/conformance/test_http.py have all of it."""
    with irminpy.open(plain.url) as repo:
        main = repo.main()
        commit = main.set("theme/name", b"dark", message="pick a theme")
        assert commit is not None
        dev = main.clone("dev")
        dev.set("theme/font", b"serif")
        main.merge_with_branch("dev")
        assert plain.repo.main().get("theme/font") == b"serif"
        assert [one.info.message for one in main.log()] == ["", "pick a theme"]
        assert repo.check().ok
        assert repo.at(commit.hash.hex()[:8]).get("theme/name") == b"dark"


def test_the_schema_is_that_of_the_server_or_refused() -> None:
    """D15."""
    with served(Schema(contents.Json())) as plain:
        with pytest.raises(SchemaMismatch, match="json/1"):
            irminpy.open(plain.url)
        assert Http(plain.url).recorded() == Schema(contents.Json())
        with irminpy.open(plain.url, Schema(contents.Json())) as repo:
            repo.main().set("a", [1])
            assert repo.main().get("a") == [1]


def test_values_and_batches_beyond_one_request_arrive(plain: Plain) -> None:
    large = os.urandom(5 << 20)
    with irminpy.open(plain.url) as repo:
        with repo.main().edit() as edit:
            edit["large"] = large
            for i in range(9):
                edit[f"many/{i}"] = bytes([i]) * (1 << 20)
        assert repo.main().get("large") == large
        assert plain.repo.main().get("large") == large
        assert plain.repo.main().get("many/8") == b"\x08" * (1 << 20)
        assert repo.main().length("many") == 9


def test_what_the_server_takes_can_be_read_again(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its limit for values is larger than what is otherwise held of one answer."""
    monkeypatch.setattr("irminpy_http.connection._MOST", 100_000)
    with irminpy.open(plain.url) as repo:
        repo.main().set("large", bytes(200_000))
    with irminpy.open(plain.url) as repo:
        assert repo.main().get("large") == bytes(200_000)
    with served(limits=Limits(upload=50_000)) as small, irminpy.open(small.url) as repo:
        small.repo.main().set("large", bytes(200_000))
        with pytest.raises(RemoteError, match="an answer of more than 115536 bytes"):
            repo.main().get("large")


def test_many_reads_are_few_requests(plain: Plain) -> None:
    made, heads = history(Schema(), 300)
    assert plain.repo._opened.backend.write(made, [RefUpdate("main", heads[-1])])
    asked: list[str] = []
    original = Application.__call__

    async def counting(self: Application, scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await original(self, scope, receive, send)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Application, "__call__", counting)
        with background(plain.repo) as url:
            backend, _ = Http(url).open(Schema(), Options())
            found = backend.read_many(Kind.COMMIT, [*heads, *heads])
            assert found == [made.commits[head] for head in heads] * 2
            assert asked == ["/", "/objects/read"]
            assert None not in backend.find_keys(Kind.COMMIT, heads)
            assert len(asked) == 3
            backend.close()


class Lying:
    """An application whose answers are changed by `lie` on their way."""

    def __init__(self, application: Application, lie: Any) -> None:
        self._application = application
        self._lie = lie
        self.limits = application.limits

    def end(self) -> None:
        self._application.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bent(message: Message) -> None:
            if message["type"] == "http.response.body" and message.get("body"):
                message = {**message, "body": self._lie(scope["path"], message["body"])}
            await send(message)

        await self._application(scope, receive, bent)


def lying(plain: Plain, lie: Any) -> Any:
    return background(Lying(Application(plain.repo, access=Access(write=True)), lie))


def flipped(path: str, body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1]) if path == "/objects/read" else body


def test_what_a_server_sends_is_hashed_on_arrival(plain: Plain, tmp_path: Path) -> None:
    """And what was not right is not kept."""
    plain.repo.main().set("a", b"value")
    with lying(plain, flipped) as url, irminpy.open(f"{url}?cache={tmp_path / 'cache'}") as repo:
        for _ in range(2):
            with pytest.raises(Corrupted, match="hashes to"):
                repo.main().get("a")
    with irminpy.open(f"{plain.url}?cache={tmp_path / 'cache'}") as repo:
        assert repo.main().get("a") == b"value"


LIES = [
    ("/objects/read", b"\xc1" * 4),
    ("/objects/read", b""),
    ("/objects/read", b"\x90"),
    ("/objects/read", b"\x93\xc0\xc0\xc0"),
    ("/objects/missing", b"\2"),
    ("/branches", b'{"branches": []}'),
    ("/branches", b'{"branches": {"main": "xyz"}}'),
    ("/branches", b"[" * 3000),
    ("/branches/main", b'{"commit": 7}'),
    ("/commits", b'{"commits": ["' + b"0" * 64 + b'"]}'),
    ("/objects", b'{"done": "yes"}'),
    ("/objects", b"[]"),
]


@pytest.mark.parametrize(("path", "said"), LIES, ids=[f"{path} {said[:8]!r}" for path, said in LIES])
def test_an_answer_that_is_none_is_an_error_of_the_remote(plain: Plain, path: str, said: bytes) -> None:
    made, (head,) = history(Schema(), 1)
    assert plain.repo._opened.backend.write(made, [RefUpdate("main", head)])

    def lie(asked: str, body: bytes) -> bytes:
        return (
            said.ljust(len(body))[: len(body)]
            if asked == path and path != "/objects/read"
            else (said[: len(body)].ljust(len(body), b"\xc0") if asked == path else body)
        )

    with lying(plain, lie) as url:
        backend, _ = Http(url).open(Schema(), Options())
        calls: dict[str, Any] = {
            "/objects/read": lambda: backend.read(Kind.COMMIT, head),
            "/objects/missing": lambda: backend.find_keys(Kind.COMMIT, [head]),
            "/branches": backend.refs,
            "/branches/main": lambda: backend.ref("main"),
            "/commits": lambda: backend.find_commits(head.hex()[:5]),
            "/objects": lambda: backend.write(Objects(), [RefUpdate("dev", head)]),
        }
        with pytest.raises((RemoteError, Corrupted)):
            calls[path]()
        backend.close()


@pytest.mark.parametrize(
    "said",
    [
        b"event: change\ndata: [1]\n\n",
        b"event: change\ndata: 5\n\n",
        b'event: change\ndata: {"branch": 5}\n\n',
        b"event: refs\ndata: []\n\n",
        b"event: refs\ndata: {\n\n",
        b"event: refs\ndata: \xff\xfe\n\n",
    ],
)
def test_an_event_that_is_none_is_an_error_of_the_remote(
    plain: Plain, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is told at once, not when the patience is at its end."""
    monkeypatch.setattr("irminpy_http.following._PATIENCE", 600.0)

    def lie(asked: str, body: bytes) -> bytes:
        return said if asked == "/watch" and body.startswith(b"event") else body

    with lying(plain, lie) as url:
        backend, _ = Http(url).open(Schema(), Options())
        with pytest.raises((RemoteError, DecodeError)):
            backend.watch(lambda change: None)
        backend.close()


# -- the server goes away ------------------------------------------------------------------------------------------


def test_a_read_is_asked_again_and_a_write_that_never_left_is_sent_again(plain: Plain, wire: Proxy) -> None:
    plain.repo.main().set("a", b"1")
    with irminpy.open(wire.url) as repo:
        for _ in range(3):
            wire.drop()
            assert repo.main().get("a") == b"1"
        wire.drop()
        wire.refuse = 2
        assert repo.main().get("a") == b"1"


def test_a_write_whose_answer_is_lost_says_that_nothing_is_known(plain: Plain, wire: Proxy) -> None:
    """It is not sent again: somebody else may have moved the branch meanwhile."""
    made, (one, two) = history(Schema(), 2)
    backend, _ = Http(wire.url).open(Schema(), Options())
    assert backend.write(made, [RefUpdate("main", one)])
    wire.drop()
    wire.cut = True
    with pytest.raises(RemoteError, match="whether it did is not known"):
        backend.write(Objects(), [RefUpdate("main", two, one)])
    wire.cut = False
    assert backend.ref("main") in (one, two)
    backend.close()


def test_objects_alone_are_sent_again(plain: Plain, wire: Proxy) -> None:
    made, _ = history(Schema(), 1)
    backend, _ = Http(wire.url).open(Schema(), Options())
    wire.drop()
    wire.refuse = 2
    assert backend.write(made)
    backend.close()


def test_a_server_that_is_gone_is_named(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PAUSES", (0.001, 0.001))
    with proxied(plain.url) as wire:
        url = wire.url
        repo = irminpy.open(url)
        repo.main().set("a", b"1")
        wire.close()
        for use in (
            lambda: repo.main().get("a"),
            lambda: repo.main().set("a", b"2"),
            lambda: repo.branches(),
        ):
            with pytest.raises(RemoteError) as caught:
                use()
            assert url in str(caught.value)
            assert "\n" not in str(caught.value)
        repo.close()
        with pytest.raises(RemoteError, match="does not answer"):
            irminpy.open(url)


def test_changes_while_the_stream_was_broken_are_told_afterwards(plain: Plain, wire: Proxy) -> None:
    """Each, where the server remembers them."""
    made, heads = history(Schema(), 4)
    assert plain.repo._opened.backend.write(made)
    backend, _ = Http(wire.url).open(Schema(), Options())
    told: list[RefChange] = []
    more = threading.Condition()

    def listener(change: RefChange) -> None:
        with more:
            told.append(change)
            more.notify_all()

    backend.watch(listener)
    before: Hash | None = None
    for head in heads:
        plain.repo._opened.backend.write(Objects(), [RefUpdate("main", head)])
        wire.drop()
    with more:
        assert more.wait_for(lambda: len(told) == 4, PATIENCE)
    for change, head in zip(told, heads, strict=True):
        assert change == RefChange("main", before, head)
        before = head
    backend.close()


def test_a_server_that_was_started_anew_tells_what_differs(plain: Plain) -> None:
    made, heads = history(Schema(), 3)
    inner = plain.repo._opened.backend
    assert inner.write(made, [RefUpdate("main", heads[0]), RefUpdate("gone", heads[0])])
    told: list[RefChange] = []
    more = threading.Condition()

    def listener(change: RefChange) -> None:
        with more:
            told.append(change)
            more.notify_all()

    first = Application(plain.repo, limits=Limits())
    with background(first) as url:
        wire = Proxy(("127.0.0.1", int(url.rpartition(":")[2].rstrip("/"))))
        backend, _ = Http(wire.url).open(Schema(), Options())
        backend.watch(listener)
    inner.write(
        Objects(), [RefUpdate("main", heads[1]), RefUpdate("main", heads[2]), RefUpdate("gone", None)]
    )
    with background(plain.repo) as url:
        wire._target = ("127.0.0.1", int(url.rpartition(":")[2].rstrip("/")))
        wire.drop()
        with more:
            assert more.wait_for(lambda: len(told) == 2, PATIENCE)
        assert sorted(told, key=lambda change: change.name) == [
            RefChange("gone", heads[0], None),
            RefChange("main", heads[0], heads[2]),
        ]
        backend.close()
        wire.close()


# -- what is kept --------------------------------------------------------------------------------------------------


def test_what_was_read_is_kept_in_a_pack(plain: Plain, wire: Proxy, tmp_path: Path) -> None:
    """Objects, and no refs; the pack may be looked into, and is checked as any."""
    plain.repo.main().set("a/b", b"value")
    head = plain.repo.main().head()
    uri = f"{wire.url}?cache={tmp_path / 'cache'}"
    with irminpy.open(uri) as repo:
        assert repo.main().get("a/b") == b"value"
        held = repo.main().head()
        wire.drop()
        wire.refuse = 1000
        assert held.tree().get("a/b") == b"value"
        wire.refuse = 0
    with irminpy.open(f"pack:{tmp_path / 'cache'}") as kept:
        assert kept.branches() == []
        commit = kept.find_commit(head.hash)
        assert commit is not None
        assert commit.tree().get("a/b") == b"value"
    with irminpy.open(uri) as repo:
        before = wire.connections
        backend = repo._opened.backend
        assert backend.read(Kind.COMMIT, head.hash) == head.to_bytes()
        assert wire.connections == before


@pytest.mark.filterwarnings("ignore::irminpy_pack.state.Degraded")
def test_a_cache_that_is_damaged_is_passed_over(plain: Plain, tmp_path: Path) -> None:
    plain.repo.main().set("a", b"x" * 1000)
    uri = f"{plain.url}?cache={tmp_path / 'cache'}"
    with irminpy.open(uri) as repo:
        assert repo.main().get("a") == b"x" * 1000
    for file in (tmp_path / "cache" / "pack").iterdir():
        data = bytearray(file.read_bytes())
        at = data.find(b"x" * 1000)
        assert at > 0
        data[at + 500] ^= 1
        file.write_bytes(data)
    with irminpy.open(uri) as repo:
        assert repo.main().get("a") == b"x" * 1000


def test_a_cache_writes_when_there_is_enough(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"), Schema())
    codec = Schema().codec
    data = codec.encode_contents([b"%d" % i for i in range(600)])
    made = dict(zip(codec.digest_many(data), data, strict=True))
    cache.keep(Kind.CONTENTS, made)
    assert cache.find(Kind.CONTENTS, [Hash(hash_) for hash_ in made]) == data
    assert cache.find(Kind.NODE, [Hash(hash_) for hash_ in made][:1]) == [None]
    cache.close()


# -- trust ---------------------------------------------------------------------------------------------------------


def test_a_client_who_trusts_a_root_believes_no_other_head(plain: Plain) -> None:
    """Decision 077: by the hash of the commit, or of its root."""
    main = plain.repo.main()
    main.set("a", b"1")
    commit = main.head()
    for trusted in (commit.hash, commit.tree_hash):
        with irminpy.open(f"{plain.url}?verify={trusted.hex()}") as repo:
            assert repo.main().get("a") == b"1"
            assert repo.branches() == ["main"]
    main.set("a", b"2")
    for trusted in (commit.hash, commit.tree_hash):
        with irminpy.open(f"{plain.url}?verify={trusted.hex()}") as repo:
            for use in (lambda: repo.main().get("a"), repo.branches):
                with pytest.raises(Corrupted, match="not at what is trusted"):
                    use()
            assert repo.commit(commit.hash).tree().get("a") == b"1"
    with pytest.raises(InvalidHash):
        irminpy.open(f"{plain.url}?verify=abc")


def test_a_light_client_has_every_answer_proved(plain: Plain) -> None:
    """Decision 077: with nothing but a root, or the hash of a commit."""
    with plain.repo.main().edit("d") as edit:
        for i in range(100):
            edit[f"{i:02}"] = b"%d" % i
    head = plain.repo.main().head()
    plain.repo.main().set("d/07", b"moved on")
    for trusted in (head.hash, head.tree_hash):
        with Light(plain.url, Schema(), root=trusted) as light:
            assert light.root == head.tree_hash
            assert light.get("d/07") == b"7"
            assert light.find_many(["d/07", "d/none", "d"]) == {
                ("d", "07"): b"7",
                ("d", "none"): None,
                ("d",): None,
            }
            assert light.absent(["d/none", "d"]) == {("d", "none"): True, ("d",): False}
            count, page = light.page("d", 98, 10)
            assert (count, len(page)) == (100, 2)
            with pytest.raises(NotFound):
                light.get("nothing")
    with pytest.raises(StorageError, match="makes no proofs"):
        Light(plain.repo._opened.backend, Schema(), root=head.hash)


def test_a_light_client_refuses_what_is_not_proved(plain: Plain) -> None:
    main = plain.repo.main()
    main.set("a", b"mine")
    root = main.head().tree_hash
    with served() as other:
        other.repo.main().set("a", b"theirs")
        theirs = other.http.get("/proof/main?path=a").content

    def lie(path: str, body: bytes) -> bytes:
        return theirs[: len(body)].ljust(len(body)) if path.startswith("/proof") else body

    def flip(path: str, body: bytes) -> bytes:
        return body[:-1] + bytes([body[-1] ^ 1]) if path.startswith("/proof") else body

    for bent in (lie, flip):
        with lying(plain, bent) as url, Light(url, Schema(), root=root) as light, pytest.raises(BadProof):
            light.get("a")
    with Light(plain.url, Schema(), root=bytes(32)) as light, pytest.raises(DanglingHash):
        light.get("a")


# -- addresses and tokens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "http:",
        "http://",
        "http:///path",
        "http://host:port/",
        "http://user:password@host/",
        "http://host/?color=red",
        "http://host/?timeout=never",
        "http://host/?timeout=0",
        "http://host/?cache=a&cache=b",
        "http://host/?token_file=/nothing/there",
        "http://host/#fragment",
        "http://[::1/",
        "http://[::1]x/?cache=a",
    ],
)
def test_what_is_no_address_of_a_server_is_refused_before_anything_is_sent(uri: str) -> None:
    with pytest.raises(StorageError) as caught:
        irminpy.open(uri)
    assert "password@" not in str(caught.value) or "user:" not in str(caught.value)


def test_a_server_that_is_not_ours_is_no_store(plain: Plain) -> None:
    with pytest.raises(NotAStore):
        irminpy.open(plain.url + "trees/")


def test_a_token_comes_from_the_environment_or_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with served(access=Access(token="secret")) as plain:
        monkeypatch.delenv("IRMINPY_TOKEN", raising=False)
        with irminpy.open(plain.url) as repo, pytest.raises(RemoteError, match="IRMINPY_TOKEN"):
            repo.main().set("a", b"1")
        tmp_path.joinpath("token").write_text("secret\n")
        with irminpy.open(f"{plain.url}?token_file={tmp_path / 'token'}") as repo:
            repo.main().set("a", b"1")
        monkeypatch.setenv("IRMINPY_TOKEN", "secret")
        with irminpy.open(plain.url) as repo:
            repo.main().set("a", b"2")
            assert repo.main().get("a") == b"2"
        assert "secret" not in repr(Http(plain.url, token="secret"))


def test_a_server_that_only_reads_says_so() -> None:
    with (
        served(access=Access()) as plain,
        irminpy.open(plain.url) as repo,
        pytest.raises(ReadOnly, match=plain.url),
    ):
        repo.main().set("a", b"1")


def test_repositories_are_synced_over_http(plain: Plain) -> None:
    """By the URI of the server, as any remote."""
    with irminpy.open("mem:") as mine:
        main = mine.main()
        for i in range(3):
            main.set(f"k{i}", b"%d" % i)
        pushed = sync.push(main, plain.url)
        assert pushed.sent.commits == 3
        assert plain.repo.main().head() == main.head()
        plain.repo.main().set("there", b"1")
        assert sync.pull(main, plain.url) == plain.repo.main().head()


def test_the_core_works_without_the_extra_and_says_what_to_install(tmp_path: Path) -> None:
    program = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("httpx2", "starlette", "uvicorn"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import irminpy
from irminpy.cli import main
with irminpy.open("mem:") as repo:
    repo.main().set("a", b"1")
try:
    irminpy.open("http://127.0.0.1:1/")
except irminpy.StorageError as e:
    print(e)
main(["--store", "mem:", "serve"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert "pip install 'irminpy[http]'" in done.stdout
    assert "pip install 'irminpy[http]'" in done.stderr


def test_a_repo_is_what_a_server_serves() -> None:
    with pytest.raises(AttributeError):
        Application("mem:")  # type: ignore[arg-type]
    assert isinstance(irminpy.open("mem:"), Repo)
