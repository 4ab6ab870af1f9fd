"""A live server in a process of its own, which makes fresh stores on demand: `python -m tests.http.live`.

Each store is served by an application of its own under /NAME/; `PUT /NAME?uri=…&schema=…` makes one. It tells its URL
on a line of stdout once it answers, and ends with its stdin.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote
from uuid import uuid4

import httpx2
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from irminpy import Repo, Schema
from irminpy.backend import Backend, Options
from irminpy.recorded import described
from irminpy.registry import maker_of_uri
from irminpy.server import Access, Application, Limits
from irminpy.server.running import background
from irminpy_http import Http


class Stores:
    """An ASGI application that makes a store for each name."""

    limits = Limits()

    def __init__(self) -> None:
        self._served: dict[str, Application] = {}
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, slash, _ = scope["path"][1:].partition("/")
        if not slash and scope["method"] == "PUT":
            self._make(name, parse_qs(scope["query_string"].decode()))
        elif name in self._served:
            await self._served[name]({**scope, "root_path": f"/{name}"}, receive, send)
            return
        await PlainTextResponse("", 204 if name in self._served else 404)(scope, receive, send)

    def _make(self, name: str, query: dict[str, list[str]]) -> None:
        with self._lock:
            if name not in self._served:
                schema = described(query["schema"][0])
                repo = Repo.open(maker_of_uri(query.get("uri", ["mem:"])[0]), schema)
                self._served[name] = Application(repo, access=Access(write=True))

    def end(self) -> None:
        for served in self._served.values():
            served.end()


def main() -> None:
    stores = Stores()
    with background(stores) as url:
        print(url, flush=True)
        sys.stdin.read()


@dataclass(frozen=True)
class Live:
    """A running process; `url` ends with a slash."""

    url: str
    process: subprocess.Popen[str]

    def make(self, name: str, schema: Schema[Any, Any], uri: str = "mem:") -> str:
        """The URL of the store `name`, which is made if it is not there."""
        query = f"schema={quote(schema.describe())}&uri={quote(uri)}"
        httpx2.put(f"{self.url}{name}?{query}").raise_for_status()
        return f"{self.url}{name}/"


@contextlib.contextmanager
def live() -> Iterator[Live]:
    command = [sys.executable, "-m", "tests.http.live"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Live(process.stdout.readline().strip(), process)
        finally:
            process.kill()


@dataclass(frozen=True)
class Served:
    """A maker of stores behind a live server: what a server cannot make for its clients is made beside it."""

    server: Live
    name: str
    uri: str = "mem:"

    @staticmethod
    def fresh(server: Live, uri: str = "mem:") -> Served:
        return Served(server, uuid4().hex, uri)

    def open(self, schema: Schema[Any, Any] | None, options: Options, /) -> tuple[Backend, Schema[Any, Any]]:
        if options.create:
            self.server.make(self.name, schema or Schema(), self.uri)
        return Http(f"{self.server.url}{self.name}/").open(schema, options)


if __name__ == "__main__":
    main()
