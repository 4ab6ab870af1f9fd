"""Requests over HTTP to a server that speaks Git's protocol, by the standard library alone.

A redirection is followed only where it stays with the same scheme, host and port: what is sent, credentials among it,
goes to nobody else. Proxies of the environment are not asked.
"""

from __future__ import annotations

import base64
import io
import socket
import ssl
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from irminpy.errors import RemoteError

from .address import PORTS, Address
from .channel import Meter, Transport

__all__ = ["Answer", "Requests"]

_PIECE: Final = 1 << 16
_MOST_REDIRECTIONS: Final = 5
_MOVED: Final = (301, 302, 303, 307, 308)


class _Raw(io.RawIOBase):
    """What a socket gives, each wait bounded."""

    def __init__(self, sock: socket.socket, meter: Meter) -> None:
        self._socket = sock
        self._meter = meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._socket.settimeout(self._meter.wait())
        n = self._socket.recv_into(buffer)
        self._meter.took(n)
        return n


class _Timed:
    """A socket as `http.client` uses one."""

    def __init__(self, sock: socket.socket, meter: Meter) -> None:
        self._socket = sock
        self._meter = meter

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Raw(self._socket, self._meter), _PIECE)

    def sendall(self, data: Any) -> None:
        view = memoryview(data)
        while view:
            self._socket.settimeout(self._meter.wait())
            view = view[self._socket.send(view[:_PIECE]) :]

    def close(self) -> None:
        """Nothing: an answer is still read when its connection has been let go of. `Requests` closes the socket."""


class Answer:
    """The body of an answer, as a channel that is only read."""

    def __init__(self, response: HTTPResponse, meter: Meter) -> None:
        self._response = response
        self._meter = meter

    def read(self, size: int, /) -> bytes:
        """As `Channel.read`."""
        with self._meter.typed():
            try:
                return self._response.read(size)
            except HTTPException as cause:
                raise RemoteError(self._meter.name, f"its answer breaks off: {cause!r:.200}") from cause


class Requests:
    """Requests to one repository, each on a connection of its own."""

    def __init__(self, address: Address, transport: Transport, meter: Meter) -> None:
        self._address = address
        self._transport = transport
        self._meter = meter
        self._path = address.path
        self._open: list[socket.socket] = []

    def close(self) -> None:
        """Let go of all connections; answers cannot be read any more."""
        while self._open:
            self._open.pop().close()

    def discover(self, service: str, *, version: int) -> Answer:
        """What the server announces for `service`; redirections move the repository for later requests too."""
        tail = f"/info/refs?service=git-{service}"
        for _ in range(_MOST_REDIRECTIONS + 1):
            response = self._send("GET", self._path + tail, _version(version))
            if response.status not in _MOVED:
                self._check(response, f"application/x-git-{service}-advertisement")
                return Answer(response, self._meter)
            self._path = self._moved(response.getheader("Location") or "", tail)
        raise self._error(f"more than {_MOST_REDIRECTIONS} redirections")

    def post(self, service: str, body: Iterable[bytes], size: int, *, version: int) -> Answer:
        """The answer of `service` to `body`, whose pieces have `size` bytes."""
        headers = _version(version) | {
            "Content-Type": f"application/x-git-{service}-request",
            "Accept": f"application/x-git-{service}-result",
            "Content-Length": str(size),
        }
        response = self._send("POST", f"{self._path}/git-{service}", headers, body)
        if response.status in _MOVED:
            raise self._error("it redirects what was sent to it; use the address that it names")
        self._check(response, f"application/x-git-{service}-result")
        return Answer(response, self._meter)

    def _send(
        self, method: str, target: str, headers: dict[str, str], body: Iterable[bytes] = ()
    ) -> HTTPResponse:
        connection = self._connection()
        with self._meter.typed():
            try:
                connection.putrequest(method, target, skip_accept_encoding=True)
                for name, value in (headers | self._credentials()).items():
                    connection.putheader(name, value)
                connection.putheader("User-Agent", "git/irminpy")
                connection.endheaders()
                for piece in body:
                    connection.send(piece)
                return connection.getresponse()
            except HTTPException as cause:
                raise self._error(f"it does not speak HTTP: {cause!r:.200}") from cause
            except UnicodeError as cause:
                raise self._error("its path is not in ASCII; quote it") from cause

    def _connection(self) -> HTTPConnection:
        address, meter = self._address, self._meter
        host, port = address.host.strip("[]"), address.port or PORTS[address.scheme]
        with meter.typed():
            sock = socket.create_connection((host, port), meter.wait())
            self._open.append(sock)
            connection = HTTPConnection(host, port)
            if address.scheme == "https":
                context = ssl.create_default_context(cafile=self._transport.cafile)
                connection = HTTPSConnection(host, port, context=context)
                sock = context.wrap_socket(sock, server_hostname=host)
                self._open[-1] = sock
        # Whatever http.client would wait for, it waits for as long as the meter says.
        connection.sock = _Timed(sock, meter)
        return connection

    def _credentials(self) -> dict[str, str]:
        transport, address = self._transport, self._address
        if transport.token is not None:
            return {"Authorization": f"Bearer {transport.token}"}
        user = address.user if address.user is not None else transport.user
        password = address.password if address.user is not None else transport.password
        if user is None:
            return {}
        pair = f"{user}:{password or ''}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    def _moved(self, location: str, tail: str) -> str:
        """The path of the repository that a redirection leads to."""
        address = self._address
        try:
            to = urlsplit(location)
            port = to.port
        except ValueError:
            raise self._error("it redirects to what is no URL") from None
        if to.scheme or to.netloc:
            here = (address.scheme, address.host.strip("[]"), address.port or PORTS[address.scheme])
            if (to.scheme, to.hostname or "", port or PORTS.get(to.scheme)) != here:
                where = f"{to.scheme}://{to.hostname}"
                raise self._error(
                    f"it redirects to another place, {where[:100]!r}; use that address if you trust it"
                )
        target = to.path + (f"?{to.query}" if to.query else "")
        if not target.startswith("/") or not target.endswith(tail):
            raise self._error("it redirects to what is no repository")
        return target[: -len(tail)]

    def _check(self, response: HTTPResponse, kind: str) -> None:
        status = response.status
        if status in (401, 403):
            raise self._error(f"it refuses access ({status}): give a user and a password, or a token")
        if status in (404, 410):
            raise self._error(f"there is no repository ({status})")
        if status != 200:
            raise self._error(f"it answers {status} {response.reason:.100}")
        found = (response.getheader("Content-Type") or "").partition(";")[0].strip()
        if found != kind:
            raise self._error(f"it is no server of Git's protocol: it sends {found[:80]!r}, not {kind!r}")

    def _error(self, reason: str) -> RemoteError:
        return RemoteError(self._meter.name, reason)


def _version(version: int) -> dict[str, str]:
    return {"Git-Protocol": f"version={version}"} if version else {}
