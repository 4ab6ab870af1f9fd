"""Streams of bytes to a remote: a process, a socket, requests of HTTP. All of them end in time.

Whoever is at the other end may be slow, may never stop, or may go away in the middle: each wait is bounded, so is the
whole, and so are the bytes that are let in. RemoteError says which it was.
"""

from __future__ import annotations

import io
import os
import selectors
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Final, Protocol

from irminpy.errors import DecodeError, RemoteError

from .address import PORTS, SCHEMES, Address

__all__ = ["Channel", "Meter", "Piped", "Socket", "Transport", "connect", "environment"]

_PIECE: Final = 1 << 16
_TOLD: Final = 2000  # bytes of what a program complains of


@dataclass(frozen=True, slots=True)
class Transport:
    """How remotes are reached, and how long and how much is waited for.

    `idle` and `total` are seconds without a byte, and of one conversation; `octets` the bytes of one answer. `schemes`
    are those that may be used at all. `plain`: whether `http:` and `git:`, which anybody on the way can read and
    change, may lead to another machine. `user` and `password` are for HTTP, where the URL does not say them; a
    `token` is sent instead as "Bearer". `cafile`: certificates to trust instead of the system's. `ssh` is the
    command of ssh with options; `git` the program that serves `file:`.
    """

    idle: float = 60.0
    total: float = 3600.0
    octets: int = 4 << 30
    schemes: frozenset[str] = frozenset(SCHEMES)
    plain: bool = False
    user: str | None = None
    password: str | None = None
    token: str | None = None
    cafile: str | None = None
    ssh: tuple[str, ...] = ("ssh",)
    git: str = "git"

    def __repr__(self) -> str:
        shown = {"password", "token"} - {n for n in ("password", "token") if getattr(self, n) is None}
        fields = ", ".join(
            f"{name}={'***' if name in shown else repr(getattr(self, name))}"
            for name in Transport.__dataclass_fields__
        )
        return f"Transport({fields})"

    def check(self, address: Address) -> None:
        """DecodeError if `address` may not be used."""
        if address.scheme not in self.schemes:
            raise DecodeError(
                "URL of a remote",
                f"{address}: {address.scheme} is not among the schemes of this transport",
            )
        if address.scheme in ("http", "git") and not (self.plain or address.local):
            reason = f"anybody on the way can read and change {address.scheme}"
            raise DecodeError(
                "URL of a remote", f"{address}: {reason}; use https or ssh, or Transport(plain=True)"
            )


class Meter:
    """How long and how much one conversation may still take."""

    def __init__(self, name: str, transport: Transport) -> None:
        self.name = name
        self._idle = transport.idle
        self._end = time.monotonic() + transport.total
        self._total = transport.total
        self._octets = self._left = transport.octets

    def wait(self) -> float:
        """Seconds to wait now, more than 0; RemoteError if the time is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise RemoteError(self.name, f"it was not done within {self._total:g} seconds")
        return min(left, self._idle)

    def idle(self) -> RemoteError:
        """That nothing came."""
        if self._end <= time.monotonic():
            return RemoteError(self.name, f"it was not done within {self._total:g} seconds")
        return RemoteError(self.name, f"nothing came for {self._idle:g} seconds")

    def took(self, n: int) -> None:
        """`n` bytes came."""
        self._left -= n
        if self._left < 0:
            raise RemoteError(self.name, f"it sends more than {self._octets} bytes, the limit")

    @contextmanager
    def typed(self) -> Generator[None]:
        """Errors of the system become RemoteError."""
        try:
            yield
        except TimeoutError as cause:
            raise self.idle() from cause
        except OSError as cause:
            raise RemoteError(self.name, f"the connection failed: {cause.strerror or cause}") from cause


class Channel(Protocol):
    """A stream in both directions."""

    def read(self, size: int, /) -> bytes:
        """`size` bytes, or fewer at the end of the stream."""
        ...

    def write(self, data: bytes, /) -> None:
        """Send all of `data`."""
        ...

    def close(self) -> None:
        """Let go. A second call does nothing."""
        ...

    def complaint(self) -> str:
        """What the other side's program said beside the protocol, for a message; empty if nothing."""
        ...


class _Buffered:
    """Reads of so many bytes from a source that gives some."""

    def __init__(self, some: Callable[[], bytes]) -> None:
        self._some = some
        self._rest = b""

    def read(self, size: int) -> bytes:
        parts = [self._rest]
        got = len(self._rest)
        while got < size:
            piece = self._some()
            if not piece:
                break
            parts.append(piece)
            got += len(piece)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]


class Piped:
    """A program that serves on its standard input and output."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], meter: Meter) -> None:
        self._meter = meter
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `close`)
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=env
            )
        except OSError as cause:
            self._errors.close()
            raise RemoteError(
                meter.name,
                f"the program {command[0]!r} cannot be started ({cause.strerror}); install it, or name it in Transport",
            ) from cause
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise TypeError("a process with pipes has both")
        self._stdin, self._stdout = stdin, stdout
        os.set_blocking(stdin.fileno(), False)
        self._buffer = _Buffered(self._some)
        self._closed = False

    def _ready(self, file: IO[bytes], event: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(file, event)
            if not selector.select(self._meter.wait()):
                raise self._meter.idle()

    def _some(self) -> bytes:
        self._ready(self._stdout, selectors.EVENT_READ)
        data = os.read(self._stdout.fileno(), _PIECE)
        self._meter.took(len(data))
        return data

    def read(self, size: int, /) -> bytes:
        """As `Channel.read`."""
        with self._meter.typed():
            return self._buffer.read(size)

    def write(self, data: bytes, /) -> None:
        """As `Channel.write`."""
        view = memoryview(data)
        with self._meter.typed():
            while view:
                self._ready(self._stdin, selectors.EVENT_WRITE)
                with suppress(BlockingIOError):
                    view = view[os.write(self._stdin.fileno(), view) :]

    def close(self) -> None:
        """As `Channel.close`: the program has its end of input, and a second to end."""
        if self._closed:
            return
        self._closed = True
        for file in (self._stdin, self._stdout):
            with suppress(OSError):
                file.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def complaint(self) -> str:
        """As `Channel.complaint`: the end of what it wrote to its standard error."""
        if self._closed:
            return ""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        size = self._errors.seek(0, io.SEEK_END)
        self._errors.seek(max(0, size - _TOLD))
        return self._errors.read().decode("utf-8", "replace")


class Socket:
    """A connection by TCP."""

    def __init__(self, host: str, port: int, meter: Meter) -> None:
        self._meter = meter
        with meter.typed():
            self._socket = socket.create_connection((host.strip("[]"), port), meter.wait())
        self._buffer = _Buffered(self._some)

    def _some(self) -> bytes:
        self._socket.settimeout(self._meter.wait())
        data = self._socket.recv(_PIECE)
        self._meter.took(len(data))
        return data

    def read(self, size: int, /) -> bytes:
        """As `Channel.read`."""
        with self._meter.typed():
            return self._buffer.read(size)

    def write(self, data: bytes, /) -> None:
        """As `Channel.write`."""
        view = memoryview(data)
        with self._meter.typed():
            while view:
                self._socket.settimeout(self._meter.wait())
                view = view[self._socket.send(view[:_PIECE]) :]

    def close(self) -> None:
        """As `Channel.close`."""
        self._socket.close()

    def complaint(self) -> str:
        """As `Channel.complaint`: there is no way to complain."""
        return ""


def connect(address: Address, service: str, transport: Transport, meter: Meter, *, version: int) -> Channel:
    """A channel to `service` ("upload-pack" or "receive-pack") of the repository; not for HTTP."""
    if address.scheme == "git":
        channel = Socket(address.host, address.port or PORTS["git"], meter)
        host = address.host if address.port is None else f"{address.host}:{address.port}"
        line = f"git-{service} {address.path}\0host={host}\0"
        if version:
            line += f"\0version={version}\0"
        data = line.encode("utf-8", "surrogateescape")
        try:
            channel.write(b"%04x%b" % (len(data) + 4, data))
        except BaseException:
            channel.close()
            raise
        return channel
    env = environment(version)
    if address.scheme == "file":
        return Piped([transport.git, service, address.path], env, meter)
    options = ["-oBatchMode=yes", "-oSendEnv=GIT_PROTOCOL"]
    if address.port is not None:
        options.append(f"-p{address.port}")
    who = address.host.strip("[]") if address.user is None else f"{address.user}@{address.host.strip('[]')}"
    remote = f"git-{service} {shlex.quote(address.path)}"
    return Piped([*transport.ssh, *options, "--", who, remote], env, meter)


def environment(version: int) -> dict[str, str]:
    """What a program that is started sees: nothing that would lead git to another repository."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(("GIT_SSL", "GIT_CONFIG"))
    }
    if version:
        env["GIT_PROTOCOL"] = f"version={version}"
    return env
