"""Packets, side bands and capabilities of Git's protocol: the adapter to dulwich, which nothing else here imports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from dulwich.errors import GitProtocolError, HangupException
from dulwich.protocol import PktLineParser, Protocol, parse_capability, pkt_line

from irminpy.errors import RemoteError

__all__ = ["DELIM", "FLUSH", "Lines", "capability", "packet", "readable"]

FLUSH: Final = b"0000"
DELIM: Final = b"0001"
_MOST_SAID: Final = 4000


def packet(data: bytes) -> bytes:
    """`data` as one packet."""
    return pkt_line(data)


def capability(word: bytes) -> tuple[bytes, bytes]:
    """Name and value of a capability; no value is an empty one."""
    key, value = parse_capability(word)
    return key, value or b""


def readable(data: bytes) -> str:
    """What a server says, for a message: on one line, and nothing that a terminal would act on."""
    text = data[:_MOST_SAID].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:500]


class Lines:
    """Packets of an answer."""

    def __init__(self, name: str, read: Callable[[int], bytes], complaint: Callable[[], str]) -> None:
        self._name = name
        self._complaint = complaint
        self._protocol = Protocol(read, lambda data: len(data))

    def next(self) -> bytes | None:
        """The next packet, None for the end of a section."""
        try:
            return self._protocol.read_pkt_line()
        except HangupException as cause:
            said = readable(self._complaint().encode())
            raise RemoteError(
                self._name, f"it went away in the middle{': ' if said else ''}{said}"
            ) from cause
        except GitProtocolError as cause:
            raise RemoteError(self._name, f"it does not speak Git's protocol: {cause}") from cause

    def unread(self, line: bytes | None) -> None:
        """Have `line` be the next packet again; one at a time."""
        self._protocol.unread_pkt_line(line)

    def section(self) -> Iterator[bytes]:
        """The packets up to the end of the section. RemoteError for what a server says that went wrong."""
        while (line := self.next()) is not None:
            if line.startswith(b"ERR "):
                raise RemoteError(self._name, f"it says: {readable(line[4:])}")
            yield line

    def bands(self, said: list[bytes]) -> Iterator[bytes]:
        """The data of side bands; what it tells people goes to `said`."""
        while line := self.next():
            if line[0] == 1:
                yield line[1:]
            elif line[0] == 2:
                if sum(map(len, said)) < _MOST_SAID:
                    said.append(line[1:])
            elif line[0] == 3:
                raise RemoteError(self._name, f"it gave up: {readable(line[1:])}")
            else:
                raise RemoteError(self._name, f"it uses a side band {line[0]}, which there is not")

    def report(self, said: list[bytes], most: int) -> list[bytes]:
        """The packets within the data of side bands; `said` as in `bands`. RemoteError for more than `most`."""
        rows: list[bytes | None] = []
        parser = PktLineParser(rows.append)
        try:
            for data in self.bands(said):
                parser.parse(data)
                if len(rows) > most:
                    raise RemoteError(self._name, "it reports on more refs than there are")
        except GitProtocolError as cause:
            raise RemoteError(self._name, f"its report makes no sense: {cause}") from cause
        return [(row or b"").rstrip(b"\n") for row in rows]
