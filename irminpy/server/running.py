"""Running an application: on which address, with which protocol, from when on, and how it ends."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import StorageError
from ..repo import Repo
from .access import Access
from .application import Application, SlowReader
from .limits import Limits

__all__ = ["access_for", "background", "is_loopback", "listen", "serve"]

_log = logging.getLogger(__name__)

_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
)


def is_loopback(host: str) -> bool:
    """Whether whoever listens on `host` is reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access_for(
    host: str,
    *,
    write: bool | None = None,
    token: str | None = None,
    private: bool = False,
    hosts: tuple[str, ...] = (),
) -> Access:
    """Who may do what on `host`. Without a token: whoever reaches this machine's own address may write, others only
    read. `write` False: nobody writes. StorageError for writing without a token beyond this machine.
    """
    local = is_loopback(host)
    if token is not None and not token.strip():
        raise StorageError("the token is empty; give one, or none")
    if token is None and (private or (write and not local)):
        what = "reading" if private else "writing"
        raise StorageError(
            f"{what} from beyond this machine needs a token: --token-file FILE, or IRMINPY_TOKEN"
        )
    names = {name.lower().rstrip(".") for name in (*hosts, host)}
    if write is False:
        # A token then is for reading.
        return Access(False, token if private else None, private, frozenset(names))
    return Access(local if write is None else write, token, private, frozenset(names))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any that is free. StorageError where that is not possible."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(1024)
        except BaseException:
            found.close()
            raise
    except OSError as e:
        raise StorageError(f"{host}:{port} cannot be listened on: {e.strerror or e}") from e
    return found


def url_of(listening: socket.socket) -> str:
    """The URL of what listens there."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


class Servable(Protocol):
    """An ASGI application that a server can end."""

    @property
    def limits(self) -> Limits:
        """Within which it is served."""
        ...

    def end(self) -> None:
        """End what would keep a connection open."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        ...


class _Server(uvicorn.Server):
    """Tells when it is ready, and ends watches before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, application: Servable, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._application = application
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Then `ready` is called."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """No watch keeps a connection open."""
        await asyncio.to_thread(self._application.end)
        await super().shutdown(sockets)


def _protocol(limits: Limits) -> type[asyncio.Protocol]:
    """HTTP/1.1 by h11, with a deadline for the head of a request and a bound for connections."""

    class Bounded(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.write(_FULL)
                transport.close()
                return
            self.app = partial(_ending, self.app, transport)
            self._deadline = self.loop.call_later(limits.head_seconds, self._late)

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            super().data_received(data)
            if self.cycle is not before:
                self._forget()
            elif self._deadline is None and self.conn.their_state is h11.IDLE:
                self._deadline = self.loop.call_later(limits.head_seconds, self._late)

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def _forget(self) -> None:
            deadline, self._deadline = self._deadline, None
            if deadline is not None:
                deadline.cancel()

        def _late(self) -> None:
            self._deadline = None
            if not self.transport.is_closing():
                self.transport.write(_SLOW)
                self.transport.close()

    return Bounded


async def _ending(
    app: ASGIApp, transport: asyncio.Transport, scope: Scope, receive: Receive, send: Send
) -> None:
    """`app`, but a connection whose other side takes nothing is cut off, and told of in one line."""
    try:
        await app(scope, receive, send)
    except SlowReader as e:
        _log.warning("gave up a reader of %s %.200r, who %s", scope["method"], scope["path"], e)
        transport.abort()
        await asyncio.sleep(
            0
        )  # uvicorn hears of it before this ends, and does not miss the rest of the answer


def _config(application: Servable) -> uvicorn.Config:
    limits = application.limits
    return uvicorn.Config(
        application,
        http=_protocol(limits),
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=limits.head,
    )


def serve(
    repo: Repo[Any, Any],
    listening: socket.socket,
    *,
    access: Access | None = None,
    limits: Limits | None = None,
    ready: Callable[[str], object] = lambda url: None,
) -> None:
    """Serve `repo` until a signal ends it. `ready` is called with the URL once requests are answered."""
    application = Application(repo, access=access, limits=limits)
    url = url_of(listening)
    server = _Server(_config(application), application, lambda: ready(url))
    try:
        server.run([listening])
    finally:
        application.end()
        listening.close()


@contextmanager
def background(
    repo: Repo[Any, Any] | Servable,
    *,
    access: Access | None = None,
    limits: Limits | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Generator[str]:
    """Serve `repo` on a thread of this process, for as long as the block runs; the URL. For tests and documents."""
    application: Servable
    if not isinstance(repo, Repo):
        application = repo
    else:
        application = Application(repo, access=access_for(host) if access is None else access, limits=limits)
    listening = listen(host, port)
    begun = threading.Event()
    server = _Server(_config(application), application, begun.set)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            server.run([listening])
        except BaseException as e:
            failures.append(e)
        finally:
            begun.set()

    thread = threading.Thread(target=run, name="irminpy-server", daemon=True)
    thread.start()
    begun.wait()
    if failures:
        raise failures[0]
    try:
        yield url_of(listening)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
