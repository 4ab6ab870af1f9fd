"""Requests a second of a server: small reads and batched reads, beside a bare starlette route in the same process.

`python -m tests.bench.http [SECONDS]`. One client on one connection sends the next request when it has the answer. What
is measured is the server: CPU seconds of its process for each request, and what that makes in a second of one core.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

import irminpy
from irminpy import Schema
from irminpy.hash import Hash
from irminpy.objects import Kind
from irminpy.server import Application, Limits, background
from irminpy.wire import MEDIA, Question

VALUES = 1000
ROUNDS = 5


class Both:
    """A bare route at /bare, and the application everywhere else."""

    limits = Limits()

    def __init__(self, application: Application) -> None:
        async def bare(request: Request) -> Response:
            return Response(b"a small value", media_type="application/octet-stream")

        self._bare = Starlette(routes=[Route("/bare", bare)])
        self._application = application

    def end(self) -> None:
        self._application.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._bare if scope["path"] == "/bare" else self._application)(scope, receive, send)


def child() -> None:
    with irminpy.open("mem:") as repo:
        with repo.main().edit("d") as edit:
            for i in range(VALUES):
                edit[f"{i}"] = b"a small value %d" % i
        root = repo.main().tree().get_tree("d")
        hashes = [tree.kinded_hash().hash.hex() for _, tree in root.list()]
        with background(Both(Application(repo))) as url:
            print(url, *hashes, flush=True)
            sys.stdin.read()


def cpu(pid: int) -> float:
    """CPU seconds of the process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Wire:
    """One connection that is kept."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._file = self._socket.makefile("rb")

    def ask(self, sent: bytes) -> bytes:
        self._socket.sendall(sent)
        status = self._file.readline()
        assert status.startswith(b"HTTP/1.1 200"), status
        length = 0
        while (line := self._file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return self._file.read(length)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def batch(hashes: list[str]) -> bytes:
    body = Question(Kind.CONTENTS, [Hash.of_hex(hash_) for hash_ in hashes]).to_bytes()
    lines = [
        "POST /objects/read HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {MEDIA}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def rate(pid: int, seconds: float, ask: Callable[[int], object]) -> float:
    """Requests in a CPU second of the process."""
    begun, started, n = cpu(pid), time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        for _ in range(20):
            ask(n)
            n += 1
    return n / max(cpu(pid) - begun, 0.01)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    command = [sys.executable, "-m", "tests.bench.http", "child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url, *hashes = process.stdout.readline().split()
        wire = Wire(url)
        many = batch(hashes)
        paths = [get(f"/trees/main/d/{i}") for i in range(VALUES)]
        objects = [get(f"/objects/contents/{hash_}") for hash_ in hashes]
        sides: dict[str, tuple[int, Callable[[int], object]]] = {
            "a bare route of starlette": (1, lambda n: wire.ask(get("/bare"))),
            "a value by its path": (1, lambda n: wire.ask(paths[n % VALUES])),
            "an object by its hash": (1, lambda n: wire.ask(objects[n % VALUES])),
            f"{VALUES} objects in one request": (VALUES, lambda n: wire.ask(many)),
        }
        found: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, (_, ask) in sides.items():
                found[name].append(rate(process.pid, seconds, ask))
        process.kill()
    bare = statistics.median(found["a bare route of starlette"])
    print(f"{Schema().describe()}; per CPU second of the server; load {os.getloadavg()[0]:.1f}")
    for name, rates in found.items():
        middle, each = statistics.median(rates), sides[name][0]
        reads = f", {middle * each:,.0f} reads" if each > 1 else ""
        print(
            f"  {name:<28} {middle:>8,.0f} requests ({min(rates):,.0f} to {max(rates):,.0f})"
            f"{reads}, {middle / bare:.2f} of a bare route"
        )


if __name__ == "__main__":
    child() if sys.argv[1:] == ["child"] else main()
