"""Servers of Git repositories on the loopback: git's daemon, git's program for HTTP, sshd."""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from irminpy_git.channel import Transport

from .git_repositories import environment

__all__ = ["Serving", "daemon", "http", "sshd"]


class Serving:
    """A server: the URL of a repository by its name, and how to reach it."""

    def __init__(self, url: Callable[[str], str], transport: Transport | None = None) -> None:
        self.url = url
        self.transport = transport or Transport(idle=60.0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether the server listens, before it ends."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.01)
        else:
            return True
    return False


@contextmanager
def _running(command: list[str], env: dict[str, str], port: int) -> Iterator[bool]:
    with subprocess.Popen(
        command, env=env, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield _wait(port, process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)


@contextmanager
def daemon(folder: Path) -> Iterator[Serving]:
    """`git daemon` for the repositories below `folder`; anybody may push."""
    port = free_port()
    options = [
        "--reuseaddr",
        "--listen=127.0.0.1",
        f"--port={port}",
        "--export-all",
        "--enable=receive-pack",
        f"--base-path={folder}",
        str(folder),
    ]
    with _running(["git", "daemon", *options], environment(folder), port) as up:
        assert up, "git daemon does not listen"
        yield Serving(lambda name: f"git://127.0.0.1:{port}/{name}")


@contextmanager
def sshd(folder: Path, program: str, *, protocol: bool = True) -> Iterator[Serving]:
    """`sshd` with keys of its own; `protocol`: whether it lets the version of Git's protocol through."""
    port = free_port()
    keys = folder / "keys"
    keys.mkdir()
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True, timeout=60
        )
    shutil.copy(keys / "user.pub", keys / "authorized")
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {keys / 'host'}",
        f"AuthorizedKeysFile {keys / 'authorized'}",
        f"PidFile {keys / 'pid'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "UseDNS no",
        f"SetEnv HOME={keys}",  # what a user's shell does when it starts is nobody's business here
    ]
    if protocol:
        lines.append("AcceptEnv GIT_PROTOCOL")
    (keys / "config").write_text("\n".join(lines) + "\n")
    with _running([program, "-D", "-f", str(keys / "config")], dict(os.environ), port) as up:
        if not up:
            pytest.skip("sshd does not start here")  # as root it asks for a directory of its own
        who = pwd.getpwuid(os.getuid()).pw_name
        options = ("-F", "/dev/null", "-i", str(keys / "user"), "-oIdentitiesOnly=yes")
        hosts = (
            "-oStrictHostKeyChecking=no",
            "-oUserKnownHostsFile=/dev/null",
            "-oLogLevel=ERROR",
            "-oKexAlgorithms=curve25519-sha256",
        )
        # The connections share one, since to make one takes most of a second; each is a session of its own.
        shared = ("-oControlMaster=auto", f"-oControlPath={keys / 'c'}", "-oControlPersist=60")
        command = ("ssh", *options, *hosts, *shared)
        try:
            url = f"ssh://{who}@127.0.0.1:{port}"
            yield Serving(lambda name: f"{url}{folder / name}", Transport(ssh=command))
        finally:
            subprocess.run(
                [*command, "-O", "exit", f"-p{port}", f"{who}@127.0.0.1"],
                check=False,
                capture_output=True,
                timeout=60,
            )


@contextmanager
def http(
    folder: Path,
    *,
    password: str | None = None,
    redirect: Callable[[str], str | None] = lambda path: None,
    cut: Callable[[], int | None] = lambda: None,
) -> Iterator[Serving]:
    """`git http-backend` behind a server of the standard library.

    `password`: of the user "me", who must be named then. `redirect`: where a path is sent on to. `cut`: after how many
    bytes of the answer to a POST the connection ends.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._run(b"")

        def do_POST(self) -> None:
            self._run(self.rfile.read(int(self.headers["Content-Length"])))

        def _run(self, body: bytes) -> None:
            target = redirect(self.path)
            if target is not None:
                self._answer(302, {"Location": target}, b"")
                return
            if password is not None:
                wanted = "Basic " + base64.b64encode(f"me:{password}".encode()).decode()
                if self.headers.get("Authorization") != wanted:
                    self._answer(401, {"WWW-Authenticate": "Basic"}, b"")
                    return
            path, _, query = self.path.partition("?")
            env = environment(folder) | {
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "REMOTE_USER": "me",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            done = subprocess.run(
                ["git", "http-backend"], input=body, capture_output=True, env=env, check=False, timeout=120
            )
            head, _, answer = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            status = int(headers.pop("Status", "200 OK").split()[0])
            self._answer(status, headers, answer, cut() if self.command == "POST" else None)

        def _answer(
            self, status: int, headers: dict[str, str], body: bytes, limit: int | None = None
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body[:limit])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        port = server.server_address[1]
        yield Serving(lambda name: f"http://127.0.0.1:{port}/{name}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
