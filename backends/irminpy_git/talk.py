"""A conversation with a service of a remote, over whatever leads there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from irminpy.errors import RemoteError

from .address import Address
from .channel import Channel, Meter, Transport, connect
from .packets import FLUSH, Lines
from .requests import Requests

__all__ = ["Talk"]


class Talk:
    """One conversation with a service: what it announces, then questions and answers."""

    def __init__(self, address: Address, transport: Transport, service: str, version: int) -> None:
        self._service = service
        self._version = version
        self.name = str(address)
        meter = Meter(self.name, transport)
        self._requests: Requests | None = None
        self._channel: Channel | None = None
        if address.scheme in ("http", "https"):
            self._requests = Requests(address, transport, meter)
        else:
            self._channel = connect(address, service, transport, meter, version=version)
        self._lines: Lines | None = None

    def announced(self) -> Lines:
        """What the service says first."""
        if self._requests is not None:
            lines = self._reading(self._requests.discover(self._service, version=self._version).read)
            first = lines.next()
            if first is not None and first.rstrip() == b"# service=git-" + self._service.encode():
                if lines.next() is not None:
                    raise RemoteError(self.name, "it says more than which service it is")
                return lines
            lines.unread(first)
            return lines
        if self._channel is None:
            raise TypeError("a conversation has a channel")
        self._lines = self._reading(self._channel.read)
        return self._lines

    def ask(self, body: Sequence[bytes]) -> Lines:
        """The answer to `body`."""
        if self._requests is not None:
            size = sum(map(len, body))
            return self._reading(self._requests.post(self._service, body, size, version=self._version).read)
        if self._channel is None or self._lines is None:
            raise TypeError("what is announced is read first")
        for piece in body:
            self._channel.write(piece)
        return self._lines

    def end(self) -> None:
        """Say that nothing more is asked."""
        if self._channel is not None:
            self._channel.write(FLUSH)

    def close(self) -> None:
        """Let go."""
        if self._requests is not None:
            self._requests.close()
        if self._channel is not None:
            self._channel.close()

    def _reading(self, read: Callable[[int], bytes]) -> Lines:
        return Lines(self.name, read, lambda: "" if self._channel is None else self._channel.complaint())
