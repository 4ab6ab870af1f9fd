"""Remotes of Git over files, its daemon, HTTP and ssh, with the real servers on the loopback; git judges."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

import irminpy
from irminpy import Repo, Schema, registry, sync
from irminpy.contents import String
from irminpy.errors import DanglingHash, DecodeError, RemoteError, SchemaMismatch, StorageError
from irminpy.formats import Git as GitFormat
from irminpy.hash import SHA1, SHA256
from irminpy.metadata import Mode, Modes
from irminpy_git import Git, PushRejected, Transport
from irminpy_git.kv import Add, connect, of_octets
from irminpy_git.remote import GitRemote
from irminpy_pack import Pack
from tests.conftest import locate
from tests.git_repositories import git
from tests.git_servers import Serving, daemon, http, sshd

pytestmark = pytest.mark.needs("git")

PROFILE = os.environ.get("IRMINPY_PROFILE", "quick")
SCHEMA: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=SHA1(), format=GitFormat())
Repos = Repo[bytes, Mode]
WAYS = [
    "file",
    "git",
    "http",
    pytest.param("ssh", marks=pytest.mark.needs("sshd")),
    pytest.param("ssh-0", marks=pytest.mark.needs("sshd")),
]
# One of each kind is enough where a test takes a second; the profile ci tries the others.
SOME = {"quick": [WAYS[2], WAYS[4]], "ci": [WAYS[0], WAYS[1], WAYS[3]]}.get(PROFILE, WAYS)


class Servers:
    """The servers of a module, each started when it is first asked for, over one folder of repositories."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self._running: dict[str, Serving] = {}
        self._names = count()

    def __getitem__(self, way: str) -> Serving:
        if way not in self._running:
            self._running[way] = self._start(way)
        return self._running[way]

    def _start(self, way: str) -> Serving:
        if way == "file":
            return Serving(lambda name: f"file://{self.folder / name}")
        if way == "git":
            return self._stack.enter_context(daemon(self.folder))
        if way == "http":
            return self._stack.enter_context(http(self.folder))
        keys = self.folder / f"{way}.keys"
        keys.mkdir()
        found = self._stack.enter_context(sshd(keys, locate("sshd") or "sshd", protocol=way == "ssh"))
        return Serving(lambda name: found.url(f"../{name}"), found.transport)

    def new(self, *options: str) -> str:
        """The name of a new bare repository."""
        name = f"r{next(self._names)}.git"
        git(self.folder, "init", "-q", "--bare", "-b", "main", *options, name)
        return name

    def remote(self, way: str, name: str) -> GitRemote:
        return GitRemote(self[way].url(name), self[way].transport)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(tmp_path_factory.mktemp("served"), stack)


def memory(schema: Schema[bytes, Mode] = SCHEMA) -> Repos:
    ticks = count(1_700_000_000)
    return irminpy.open("mem:", schema, author="Bob <bob@example.com>", clock=lambda: next(ticks))


def filled(n: int = 5) -> Repos:
    """A store with `n` commits."""
    repo = memory()
    for i in range(n):
        repo.main().set(f"dir/{i % 3}", b"value %d\n" % i * 20, message=f"commit {i}")
    return repo


def head(servers: Servers, name: str, ref: str = "main") -> str:
    return git(servers.folder / name, "rev-parse", ref).decode().strip()


def commits(servers: Servers, name: str) -> int:
    return int(git(servers.folder / name, "rev-list", "--count", "main"))


# -- there and back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS[:4])
def test_a_history_goes_there_and_comes_back(servers: Servers, way: str) -> None:
    """G3: what git clones is what was pushed, and what git pushes is what is pulled."""
    name = servers.new()
    remote = servers.remote(way, name)
    with filled() as repo:
        assert remote.refs() == {}
        assert sync.fetch(repo.main(), remote).head is None
        pushed = sync.push(repo.main(), remote)
        assert (pushed.before, pushed.head) == (None, repo.main().head())
        assert pushed.sent.commits == 5
        assert head(servers, name) == repo.main().head().hash.hex()
        git(servers.folder / name, "fsck", "--full", "--strict")
        with memory() as other:
            got = sync.pull(other.main(), remote, "set")
            assert got == repo.main().head()
            assert other.check().ok
            other.main().set("dir/more", b"x", message="more")
            assert sync.push(other.main(), remote).sent.objects == 4
            new = sync.pull(repo.main(), remote, "merge", message="a merge")
            assert new == other.main().head()
            assert sync.push(repo.main(), remote).sent.objects == 0
        git(servers.folder / name, "fsck", "--full", "--strict")
        assert commits(servers, name) == 6


@pytest.mark.profiled
@pytest.mark.parametrize("way", SOME)
def test_what_git_did_is_fetched_in_part_and_deepened(servers: Servers, tmp_path: Path, way: str) -> None:
    """G11: depth, then more, from a remote and from one that is shallow itself."""
    name = servers.new()
    remote = servers.remote(way, name)
    with filled(6) as repo:
        sync.push(repo.main(), remote)
        first = repo.main().head()
    with Repo.open(Git(str(tmp_path / "thin"), durability="none"), SCHEMA) as thin:
        got = sync.pull(thin.main(), remote, "set", depth=1)
        assert got is not None
        assert got.hash == first.hash
        assert len(list(thin.main().log(shallow=True))) == 2
        git(tmp_path / "thin", "fsck", "--full", "--strict")
        assert int(git(tmp_path / "thin", "rev-list", "--count", "main")) == 2
        sync.fetch(thin.main(), remote, depth=3, deepen=True)
        git(tmp_path / "thin", "fsck", "--full", "--strict")
        assert int(git(tmp_path / "thin", "rev-list", "--count", "main")) == 4
        # A push to where all is there.
        thin.main().set("new", b"1", message="on top")
        assert sync.push(thin.main(), remote).sent.commits == 1
        sync.fetch(thin.main(), remote, deepen=True)
        assert thin.check().ok
        assert not (tmp_path / "thin" / "shallow").exists()
        git(tmp_path / "thin", "fsck", "--full", "--strict")
    shallow = servers.new()
    git(
        servers.folder, "clone", "-q", "--bare", "--depth=2", f"file://{servers.folder / name}", f"{shallow}2"
    )
    cut = servers.remote(way, f"{shallow}2")
    with memory() as other:
        with pytest.raises(DanglingHash):
            sync.fetch(other.main(), cut)
        assert sync.pull(other.main(), cut, "set", depth=9) is not None
        assert len(list(other.main().log(shallow=True))) == 2


@pytest.mark.parametrize("way", ["file", "http"])
def test_sha256_goes_there_and_comes_back(servers: Servers, way: str) -> None:
    """G9: and neither hash is taken for the other."""
    name = servers.new("--object-format=sha256")
    remote = servers.remote(way, name)
    schema: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=SHA256(), format=GitFormat())
    with memory(schema) as repo, memory(schema) as other:
        repo.main().set("a/b", b"1")
        sync.push(repo.main(), remote)
        git(servers.folder / name, "fsck", "--full", "--strict")
        assert sync.pull(other.main(), remote, "set") == repo.main().head()
        other.main().set("a/c", b"2")
        sync.push(other.main(), remote)
        git(servers.folder / name, "fsck", "--full", "--strict")
        with filled(1) as wrong, pytest.raises(SchemaMismatch):
            sync.fetch(wrong.main(), remote)


def test_all_branches_come_and_names_that_none_may_have_do_not(servers: Servers) -> None:
    """G12, G16: refs that nobody asked for, such as tags, become nothing here."""
    name = servers.new()
    at = servers.folder / name
    with filled(2) as repo:
        sync.push(repo.main(), servers.remote("file", name))
        sync.push(repo.main(), servers.remote("file", name), branch="feature/one")
        git(at, "tag", "v1", "main")
        git(at, "update-ref", "refs/notes/x", "main")
    with memory() as other:
        heads = sync.fetch_all(other, servers.remote("git", name), prefix="origin/").heads
        assert sorted(heads) == ["feature/one", "main"]
        assert other.branches() == ["origin/feature/one", "origin/main"]
    with memory() as other:
        part = sync.fetch_part(other.main(), servers.remote("http", name), ["dir/1", "none"])
        assert part.tree.get("dir/1") == b"value 1\n" * 20
        assert part.sent.commits == 0


# -- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.profiled
@pytest.mark.parametrize("way", SOME)
def test_a_push_that_the_remote_declines_is_never_reported_as_done(servers: Servers, way: str) -> None:
    """A hook that says no; one ref locked by somebody else; then nothing stands in the way."""
    name = servers.new()
    at = servers.folder / name
    hook = at / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not on a Sunday' >&2\nexit 1\n")
    hook.chmod(0o755)
    remote = servers.remote(way, name)
    with filled(2) as repo:
        before = repo.main().head()
        with pytest.raises(PushRejected, match="not on a Sunday") as e:
            sync.push(repo.main(), remote)
        assert (e.value.ref, e.value.why) == ("main", "hook")
        assert remote.refs() == {}
        assert repo.main().head() == before
        hook.unlink()
        (at / "refs" / "heads" / "main.lock").touch()
        with pytest.raises(PushRejected):
            sync.push(repo.main(), remote)
        assert remote.refs() == {}
        (at / "refs" / "heads" / "main.lock").unlink()
        sync.push(repo.main(), remote)
        assert remote.refs() == {"main": before.hash}


@pytest.mark.parametrize("way", ["file", "git"])
def test_a_push_is_a_fast_forward_or_forced_and_a_server_may_refuse_even_that(
    servers: Servers, way: str
) -> None:
    name = servers.new()
    remote = servers.remote(way, name)
    with filled(2) as repo, memory() as other:
        sync.push(repo.main(), remote)
        other.main().set("else", b"1")
        with pytest.raises(irminpy.Rejected, match="pull first"):
            sync.push(other.main(), remote)
        git(servers.folder / name, "config", "receive.denyNonFastForwards", "true")
        sync.fetch(other.main(), remote)
        with pytest.raises(PushRejected) as e:
            sync.push(other.main(), remote, force=True)
        assert e.value.why == "not-a-fast-forward"
        assert remote.refs() == {"main": repo.main().head().hash}
        git(servers.folder / name, "config", "receive.denyNonFastForwards", "false")
        sync.push(other.main(), remote, force=True)
        assert remote.refs() == {"main": other.main().head().hash}


def test_what_somebody_pushes_meanwhile_is_not_lost(servers: Servers) -> None:
    """The remote moves between the look at its refs and the push."""
    name = servers.new()
    remote = servers.remote("file", name)
    with filled(2) as repo, memory() as other:
        sync.push(repo.main(), remote)
        sync.pull(other.main(), remote, "set")
        repo.main().set("a", b"1")
        other.main().set("b", b"2")
        seen = remote.refs()

        class Late(GitRemote):
            def refs(self) -> dict[str, irminpy.Hash]:
                return seen

        sync.push(repo.main(), remote)
        late = Late(servers["file"].url(name))
        with pytest.raises(PushRejected) as e:
            sync.push(other.main(), late)
        assert e.value.why == "stale"
        assert remote.refs() == {"main": repo.main().head().hash}
        sync.pull(other.main(), remote, message="merge")
        sync.push(other.main(), remote)
        assert commits(servers, name) == 5


def test_a_remote_that_is_not_there_is_told(servers: Servers) -> None:
    with filled(1) as repo:
        for way in ("file", "git", "http"):
            with pytest.raises(RemoteError) as e:
                sync.fetch(repo.main(), servers.remote(way, "nowhere.git"))
            assert "nowhere.git" in e.value.remote
        with pytest.raises(RemoteError, match="connection failed"):
            sync.fetch(repo.main(), GitRemote("git://127.0.0.1:1/x"))
        with pytest.raises(RemoteError, match="cannot be started"):
            sync.fetch(repo.main(), GitRemote("file:///x", Transport(git="no-such-git")))


def test_a_store_of_another_format_is_refused_and_told_why(servers: Servers) -> None:
    with irminpy.open("mem:") as repo:
        repo.main().set("a", b"1")
        remote = servers.remote("file", servers.new())
        for action in (sync.fetch, sync.push, sync.pull):
            with pytest.raises(SchemaMismatch, match="format git"):
                action(repo.main(), remote)


def test_text_is_pushed_and_pulled_as_its_bytes(servers: Servers) -> None:
    """Any type of contents, as in a store on a repository."""
    remote = servers.remote("file", servers.new())
    schema: Schema[str, Mode] = Schema(String(), metadata=Modes(), hash=SHA1(), format=GitFormat())
    with irminpy.open("mem:", schema) as repo, memory() as other:
        repo.main().set("a", "é")
        sync.push(repo.main(), remote)
        sync.pull(other.main(), remote, "set")
        assert other.main().get("a") == "é".encode()


# -- access ----------------------------------------------------------------------------------------------------


def test_credentials_are_sent_and_never_shown(servers: Servers) -> None:
    """G19: neither in messages nor in what a remote is called nor in commits."""
    name = servers.new()
    with http(servers.folder, password="s3cret") as serving, filled(1) as repo:
        url = serving.url(name)
        with pytest.raises(RemoteError, match="refuses access"):
            sync.push(repo.main(), GitRemote(url))
        with_password = url.replace("http://", "http://me:s3cret@")
        remote = GitRemote(with_password)
        sync.push(repo.main(), remote)
        assert sync.fetch(repo.main(), GitRemote(url, Transport(user="me", password="s3cret"))).head
        for text in (remote.name, repr(remote), repr(remote.wire.address), str(remote.wire.address)):
            assert "s3cret" not in text
        assert "s3cret" not in repr(Transport(user="me", password="s3cret", token="s3cret"))
        wrong = GitRemote(url.replace("http://", "http://me:wr0ng@"))
        with pytest.raises(RemoteError) as e:
            sync.fetch(repo.main(), wrong)
        assert "wr0ng" not in str(e.value)
        assert b"s3cret" not in git(servers.folder / name, "cat-file", "-p", "main")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_certificates_are_checked(servers: Servers, tmp_path: Path) -> None:
    """G17: HTTPS with a certificate that is trusted, and with one that is not."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *made, *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    name = servers.new()
    with http(servers.folder, context=context) as serving, filled(2) as repo:
        trusting = GitRemote(serving.url(name), Transport(cafile=str(certificate)))
        sync.push(repo.main(), trusting)
        assert sync.fetch(repo.main(), trusting).head == repo.main().head()
        with pytest.raises(RemoteError, match=r"(?i)certificate"):
            sync.fetch(repo.main(), GitRemote(serving.url(name)))


@pytest.mark.parametrize("way", ["git", "http"])
def test_a_key_value_store_works_over_any_way(servers: Servers, way: str) -> None:
    """SD-01 to SD-05 over sockets: connect, write, pull, restore."""
    name = servers.new()
    with connect(servers[way].url(name)) as kv, connect(servers[way].url(name)) as other:
        kv.set("a", b"1")
        assert other.pull() == [Add("/a")]
        with of_octets(other.to_octets(), remote=servers[way].url(name)) as again:
            again.set("b", b"2")
        assert kv.pull() == [Add("/b")]
    assert commits(servers, name) == 2


def test_a_redirection_is_followed_to_the_same_server_only(servers: Servers) -> None:
    """G17: credentials go to nobody else."""
    name = servers.new()
    asked: list[str] = []

    def thief(path: str) -> str | None:
        asked.append(path)
        return None

    with filled(1) as repo, http(servers.folder, redirect=thief) as other:
        where: dict[str, str] = {
            "/moved": f"/{name}/info/refs?service=git-receive-pack",
            "/stolen": other.url(name) + "/info/refs?service=git-receive-pack",
            "/file": f"file://{servers.folder / name}/info/refs?service=git-receive-pack",
            "/loop": "/loop/info/refs?service=git-receive-pack",
            "/odd": "/odd",
        }

        def redirect(path: str) -> str | None:
            return where.get("/" + path.split("/")[1])

        with http(servers.folder, redirect=redirect) as serving:
            remote = GitRemote(serving.url("moved").replace("http://", "http://me:s3cret@"))
            remote.take(irminpy.objects.Objects(), [])
            for path in ("stolen", "file", "loop", "odd"):
                bad = GitRemote(serving.url(path).replace("http://", "http://me:s3cret@"))
                with pytest.raises(RemoteError, match="redirect"):
                    sync.push(repo.main(), bad)
    assert not asked


def test_urls_of_remotes_are_known_from_uris_of_stores(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store is pushed to what is written as a URL of Git, and opened if it is not."""
    name = servers.new()
    with filled(2) as repo:
        # Entry points are those of what is installed, which may be older than these files.
        monkeypatch.setattr(registry, "_load", lambda scheme, uri: Git)
        sync.push(repo.main(), f"file://{servers.folder / name}")
        sync.push(repo.main(), f"git+file://{servers.folder / name}", branch="two")
        sync.push(repo.main(), servers["http"].url(name), branch="three")
        with Repo.open(Git(str(tmp_path / "own"), durability="none"), SCHEMA):
            pass
        sync.push(repo.main(), f"git:{tmp_path / 'own'}", branch="four")
        assert sorted(servers.remote("file", name).refs()) == ["main", "three", "two"]
        with pytest.raises(DecodeError, match="ext"):
            sync.push(repo.main(), "git+ext://sh -c x")
    assert Git.remote("mem:x@y") is None
    assert Git.remote("http://host/api") is None
    assert Git.remote("git:///tmp/x") is None
    for url in (
        "git@host:path",
        "ssh://h/p",
        "git://localhost/p",
        "https://h/p.git",
        "git+https://h/p",
        "file:///p",
    ):
        assert isinstance(Git.remote(url), GitRemote)


def test_without_the_extra_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare:
        @staticmethod
        def remote(url: str) -> None:
            raise ModuleNotFoundError("No module named 'dulwich'", name="dulwich")

    monkeypatch.setattr(registry, "_load", lambda scheme, uri: Bare)
    with pytest.raises(StorageError, match=r"irminpy\[git\]"):
        registry.carrier_of_url("file:///x")


def test_nothing_of_the_environment_leads_git_elsewhere(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G18: a caller that runs in a hook of git, say, has GIT_DIR set."""
    name = servers.new()
    git(tmp_path, "init", "-q", "--bare", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "other" / "objects"))
    with filled(1) as repo:
        sync.push(repo.main(), servers.remote("file", name))
    assert not os.listdir(tmp_path / "other" / "refs" / "heads")
    monkeypatch.undo()
    git(servers.folder / name, "fsck", "--full", "--strict")


@pytest.mark.parametrize("index", ["always", "minimal"])
def test_a_pack_store_is_pulled_into_and_pushed_from(servers: Servers, tmp_path: Path, index: str) -> None:
    """Also one that cannot find every object by its hash: then nothing comes as a difference of what is there."""
    remote = servers.remote("file", servers.new())
    with filled(4) as repo, Repo.open(Pack(str(tmp_path / "pack"), index=index), SCHEMA) as pack:
        big = b"".join(b"line %d\n" % i for i in range(500))
        repo.main().set("big", big)
        sync.push(repo.main(), remote)
        assert sync.pull(pack.main(), remote, "set") == repo.main().head()
        repo.main().set("big", big + b"more\n")
        sync.push(repo.main(), remote)
        pack.main().set("own", b"1")
        assert sync.pull(pack.main(), remote, message="merge") is not None
        assert pack.main().get("big") == big + b"more\n"
        assert pack.check().ok
        sync.push(pack.main(), remote)
        sync.pull(repo.main(), remote)
        assert repo.main().get("own") == b"1"
