"""Git's protocol with a remote: what it has, fetch, push. The one module that uses dulwich.

dulwich frames packets and reads side bands and capabilities; which packets are sent, what of the answers is
believed, and all objects and packs are ours. Version 2 is asked for where things are fetched, and 0 understood;
pushes are version 0, which is all there is (decision 064).

Nothing a server says is followed before it is checked. RemoteError for whatever is not Git's protocol.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from dulwich.errors import GitProtocolError, HangupException
from dulwich.protocol import PktLineParser, Protocol, parse_capability, pkt_line

from irminpy.errors import RemoteError

from .address import Address
from .channel import Channel, Meter, Transport, connect
from .kinds import HASHES
from .requests import Requests

__all__ = ["Advertised", "Brought", "Command", "Wire"]

_FLUSH: Final = b"0000"
_DELIM: Final = b"0001"
_AGENT: Final = b"agent=irminpy"
_MOST_REFS: Final = 1 << 20
_MOST_SAID: Final = 4000
_NAME: Final = re.compile(rb"(?:HEAD|refs/[^\x00-\x20\x7f~^:?*\[\\]+)\Z")
_EVER: Final = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Advertised:
    """What a remote says that it has."""

    refs: dict[bytes, bytes]
    """Names of refs to ids; none that is no name of a ref."""
    algorithm: str
    """The hash function of its objects."""
    head: bytes | None
    """The ref that its HEAD stands for, if it says so."""
    shallow: frozenset[bytes]
    """Commits at which its own history ends, as far as it says so."""
    capabilities: dict[bytes, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Brought:
    """What came with a fetch besides the pack."""

    advertised: Advertised
    wanted: list[bytes]
    shallow: frozenset[bytes]
    """Commits whose parents were left out."""


@dataclass(frozen=True, slots=True)
class Command:
    """One ref to move: from `old` to `new`, None where it is not there."""

    ref: bytes
    old: bytes | None
    new: bytes | None


class _Lines:
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
            said = _readable(self._complaint().encode())
            raise RemoteError(
                self._name, f"it went away in the middle{': ' if said else ''}{said}"
            ) from cause
        except GitProtocolError as cause:
            raise RemoteError(self._name, f"it does not speak Git's protocol: {cause}") from cause

    def section(self) -> Iterator[bytes]:
        """The packets up to the end of the section. RemoteError for what a server says that went wrong."""
        while (line := self.next()) is not None:
            if line.startswith(b"ERR "):
                raise RemoteError(self._name, f"it says: {_readable(line[4:])}")
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
                raise RemoteError(self._name, f"it gave up: {_readable(line[1:])}")
            else:
                raise RemoteError(self._name, f"it uses a side band {line[0]}, which there is not")


class _Talk:
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
        self._lines: _Lines | None = None

    def announced(self) -> _Lines:
        """What the service says first."""
        if self._requests is not None:
            lines = self._reading(self._requests.discover(self._service, version=self._version).read)
            first = lines.next()
            if first is not None and first.rstrip() == b"# service=git-" + self._service.encode():
                if lines.next() is not None:
                    raise RemoteError(self.name, "it says more than which service it is")
                return lines
            return _Again(lines, first)
        if self._channel is None:
            raise TypeError("a conversation has a channel")
        self._lines = self._reading(self._channel.read)
        return self._lines

    def ask(self, body: Sequence[bytes]) -> _Lines:
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
            self._channel.write(_FLUSH)

    def close(self) -> None:
        """Let go."""
        if self._requests is not None:
            self._requests.close()
        if self._channel is not None:
            self._channel.close()

    def _reading(self, read: Callable[[int], bytes]) -> _Lines:
        return _Lines(self.name, read, lambda: "" if self._channel is None else self._channel.complaint())


class _Again(_Lines):
    """Packets with one that was read already."""

    def __init__(self, lines: _Lines, first: bytes | None) -> None:
        self._rest = lines
        self._first: list[bytes | None] = [first]
        self._name = lines._name

    def next(self) -> bytes | None:
        return self._first.pop() if self._first else self._rest.next()


class Wire:
    """Conversations with the repository at `address`, each on connections of its own. Threads may share it."""

    def __init__(self, address: Address, transport: Transport) -> None:
        transport.check(address)
        self.address = address
        self.transport = transport
        self.name = str(address)

    @contextmanager
    def _talk(self, service: str, version: int) -> Generator[_Talk]:
        talk = _Talk(self.address, self.transport, service, version)
        try:
            yield talk
        finally:
            talk.close()

    def _error(self, reason: str) -> RemoteError:
        return RemoteError(self.name, reason)

    # -- what there is ---------------------------------------------------------------------------------------

    def refs(self, prefixes: Sequence[bytes] = (b"refs/heads/",)) -> Advertised:
        """The refs of the remote whose names begin with one of `prefixes`, and HEAD."""
        with self._talk("upload-pack", 2) as talk:
            found, version = self._look(talk, prefixes)
            if version != 2:
                talk.end()
            return found

    def _look(self, talk: _Talk, prefixes: Sequence[bytes]) -> tuple[Advertised, int]:
        lines = talk.announced()
        first = lines.next()
        if first is not None and first.rstrip() == b"version 2":
            capabilities = dict(_capability(line.rstrip()) for line in lines.section())
            algorithm = self._algorithm(capabilities)
            ask = [pkt_line(b"command=ls-refs\n"), pkt_line(_AGENT)]
            if b"object-format" in capabilities:
                ask.append(pkt_line(b"object-format=" + algorithm.encode()))
            ask += [_DELIM, pkt_line(b"symrefs\n"), pkt_line(b"ref-prefix HEAD\n")]
            ask += [pkt_line(b"ref-prefix " + prefix + b"\n") for prefix in prefixes]
            return self._refs2(talk.ask([*ask, _FLUSH]), algorithm, capabilities, prefixes), 2
        return self._refs0(_Again(lines, first), prefixes), 0

    def _refs2(
        self, lines: _Lines, algorithm: str, capabilities: dict[bytes, bytes], prefixes: Sequence[bytes]
    ) -> Advertised:
        refs: dict[bytes, bytes] = {}
        head: bytes | None = None
        for n, line in enumerate(lines.section()):
            digits, _, rest = line.rstrip(b"\n").partition(b" ")
            name, *attributes = rest.split(b" ")
            self._add(refs, n, name, digits, algorithm, prefixes)
            for attribute in attributes:
                if name == b"HEAD" and attribute.startswith(b"symref-target:"):
                    head = attribute[14:]
        return Advertised(refs, algorithm, head, frozenset(), capabilities)

    def _refs0(self, lines: _Lines, prefixes: Sequence[bytes]) -> Advertised:
        refs: dict[bytes, bytes] = {}
        shallow = set[bytes]()
        capabilities: dict[bytes, bytes] = {}
        algorithm, head = "sha1", None
        for n, line in enumerate(lines.section()):
            line = line.rstrip(b"\n")
            if not n:
                if line == b"version 1":
                    continue
                line, _, words = line.partition(b"\0")
                for word in words.split():
                    key, value = _capability(word)
                    if key == b"symref" and value.startswith(b"HEAD:"):
                        head = value[5:]
                    capabilities[key] = value
                algorithm = self._algorithm(capabilities)
            digits, _, name = line.partition(b" ")
            if digits == b"shallow":
                shallow.add(self._id(name, algorithm))
            elif not name.endswith(b"^{}"):
                self._add(refs, n, name, digits, algorithm, prefixes)
        return Advertised(refs, algorithm, head, frozenset(shallow), capabilities)

    def _add(
        self,
        refs: dict[bytes, bytes],
        n: int,
        name: bytes,
        digits: bytes,
        algorithm: str,
        prefixes: Sequence[bytes],
    ) -> None:
        """Take a ref, if it is one that was asked for."""
        if n > _MOST_REFS:
            raise self._error(f"it has more than {_MOST_REFS} refs")
        if digits == b"unborn":
            return
        id = self._id(digits, algorithm)
        # A name that is none is left out: nobody can ask for it, and it never becomes the name of a file.
        if _NAME.match(name) and (name == b"HEAD" or name.startswith(tuple(prefixes))) and any(id):
            refs[name] = id

    def _algorithm(self, capabilities: dict[bytes, bytes]) -> str:
        found = capabilities.get(b"object-format", b"sha1").decode("ascii", "replace")
        if found not in HASHES:
            raise self._error(f"its objects are hashed by {found[:40]!r}, and not by sha1 or sha256")
        return found

    def _id(self, digits: bytes, algorithm: str) -> bytes:
        try:
            id = bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            id = b""
        if len(id) != HASHES[algorithm].size or len(digits) != 2 * len(id):
            raise self._error(f"it says {digits[:80]!r} where the id of an object should be")
        return id

    # -- fetch -----------------------------------------------------------------------------------------------

    def fetch(
        self,
        choose: Callable[[Advertised], Sequence[bytes]],
        sink: Callable[[bytes], object],
        *,
        haves: Sequence[bytes] = (),
        shallow: Sequence[bytes] = (),
        depth: int | None = None,
        ever: bool = False,
        prefixes: Sequence[bytes] = (b"refs/heads/",),
    ) -> Brought:
        """Have the remote send the objects of the commits that `choose` picks from what it has; the pack goes to
        `sink`.

        `haves` are commits that are here with all behind them, but for the parents of those in `shallow`; objects
        may come as differences of what they lead to. `depth`: so many commits deep, 1 is the commit alone; `ever`:
        also what is behind `shallow`. If nothing is chosen nothing comes.
        """
        with self._talk("upload-pack", 2) as talk:
            found, version = self._look(talk, prefixes)
            wants = list(dict.fromkeys(choose(found)))
            if not wants:
                if version != 2:
                    talk.end()
                return Brought(found, [], frozenset())
            if version != 2 and b"side-band-64k" not in found.capabilities:
                raise self._error("it has no side-band-64k; it is too old")
            deepen = depth if depth is not None else (_EVER if ever else None)
            if (deepen is not None or shallow) and not _can_be_shallow(found.capabilities, version):
                raise self._error("it cannot send a part of a history, nor to where one ends")
            body = [
                *_wants(found, version, wants),
                *(pkt_line(b"shallow " + id.hex().encode() + b"\n") for id in shallow),
                *([] if deepen is None else [pkt_line(b"deepen %d\n" % deepen)]),
                *([] if version == 2 else [_FLUSH]),
                *(pkt_line(b"have " + id.hex().encode() + b"\n") for id in haves),
                pkt_line(b"done\n"),
                *([_FLUSH] if version == 2 else []),
            ]
            lines = talk.ask([b"".join(body)])
            ends = (
                self._sections(lines, found)
                if version == 2
                else self._acknowledged(lines, found, deepen is not None)
            )
            for data in lines.bands([]):
                sink(data)
            return Brought(found, wants, frozenset(ends))

    def _sections(self, lines: _Lines, found: Advertised) -> set[bytes]:
        """Read up to the pack of an answer of version 2."""
        ends = set[bytes]()
        while True:
            line = lines.next()
            if line is None:
                raise self._error("its answer has no pack")
            line = line.rstrip(b"\n")
            if line == b"packfile":
                return ends
            if line.startswith(b"ERR "):
                raise self._error(f"it says: {_readable(line[4:])}")
            if line == b"shallow-info":
                self._ends(lines, found, ends)
            else:
                raise self._error(f"it answers with {line[:60]!r}, which was not asked for")

    def _acknowledged(self, lines: _Lines, found: Advertised, deepened: bool) -> set[bytes]:
        """Read up to the pack of an answer of version 0."""
        ends = set(found.shallow)
        if deepened:
            self._ends(lines, found, ends)
        while True:
            line = lines.next() or b""
            words = line.rstrip(b"\n").split(b" ")
            if line.startswith(b"ERR "):
                raise self._error(f"it says: {_readable(line[4:])}")
            if words[0] not in (b"ACK", b"NAK"):
                raise self._error(f"it answers with {line[:60]!r}, and neither yes nor no")
            if words[0] == b"NAK" or len(words) < 3:
                return ends

    def _ends(self, lines: _Lines, found: Advertised, ends: set[bytes]) -> None:
        for line in lines.section():
            word, _, digits = line.rstrip(b"\n").partition(b" ")
            id = self._id(digits, found.algorithm)
            if word == b"shallow":
                ends.add(id)
            elif word == b"unshallow":
                ends.discard(id)
            else:
                raise self._error(f"it says {line[:60]!r} of where history ends")

    # -- push ------------------------------------------------------------------------------------------------

    def push(
        self,
        decide: Callable[[Advertised], tuple[Sequence[Command], Iterable[bytes]]],
        *,
        shallow: Sequence[bytes] = (),
    ) -> dict[bytes, str | None]:
        """Move refs of the remote; for each of them None, or why it was not moved. All of them or none, if it can
        do that.

        `decide` gets what the remote has now, and gives the commands and the pieces of the pack that goes with
        them, none if they only delete. What the remote does not confirm is not done.
        """
        with self._talk("receive-pack", 0) as talk:
            lines = talk.announced()
            found = self._refs0(lines, (b"refs/",))
            able = found.capabilities
            for needed in (b"report-status", b"side-band-64k"):
                if needed not in able:
                    talk.end()
                    raise self._error(f"it has no {needed.decode()}, so that nobody could tell what it did")
            commands, pack = decide(found)
            if not commands:
                talk.end()
                return {}
            if any(command.new is None for command in commands) and b"delete-refs" not in able:
                talk.end()
                raise self._error("it lets nobody delete refs")
            words = [b"report-status", b"side-band-64k", _AGENT]
            if len(commands) > 1 and b"atomic" in able:
                words.append(b"atomic")
            if b"object-format" in able:
                words.append(b"object-format=" + found.algorithm.encode())
            none = bytes(HASHES[found.algorithm].size)
            head: list[bytes] = [pkt_line(b"shallow " + id.hex().encode()) for id in shallow]
            for n, command in enumerate(commands):
                row = b"%b %b %b" % (
                    (command.old or none).hex().encode(),
                    (command.new or none).hex().encode(),
                    command.ref,
                )
                head.append(pkt_line(row if n else row + b"\0 " + b" ".join(words)))
            answer = talk.ask([b"".join(head) + _FLUSH, *pack])
            return self._report(answer, commands)

    def _report(self, lines: _Lines, commands: Sequence[Command]) -> dict[bytes, str | None]:
        said: list[bytes] = []
        rows: list[bytes | None] = []
        parser = PktLineParser(rows.append)
        try:
            for data in lines.bands(said):
                parser.parse(data)
                if len(rows) > len(commands) + 100:
                    raise self._error("it reports on more refs than there are")
        except GitProtocolError as cause:
            raise self._error(f"its report makes no sense: {cause}") from cause
        words = _readable(b"".join(said))
        first = (rows[0] if rows else None) or b""
        unpacked = first.rstrip(b"\n")
        if not unpacked.startswith(b"unpack "):
            raise self._error(f"it does not report what it did{': ' if words else ''}{words}")
        reasons: dict[bytes, str | None] = {}
        for row in rows[1:]:
            word, _, rest = (row or b"").rstrip(b"\n").partition(b" ")
            name, _, reason = rest.partition(b" ")
            if word == b"ok":
                reasons.setdefault(name, None)
            elif word == b"ng":
                reasons[name] = _readable(reason) or "it does not say why"
        if unpacked != b"unpack ok":
            why = f"the objects were refused: {_readable(unpacked[7:])}"
            reasons = {command.ref: reasons.get(command.ref) or why for command in commands}
        return {
            command.ref: _told(reasons.get(command.ref, "the remote says nothing about it"), words)
            for command in commands
        }


def _told(reason: str | None, words: str) -> str | None:
    return reason if reason is None or not words else f"{reason} (it says: {words})"


def _capability(word: bytes) -> tuple[bytes, bytes]:
    key, value = parse_capability(word)
    return key, value or b""


def _can_be_shallow(capabilities: dict[bytes, bytes], version: int) -> bool:
    if version == 2:
        return b"shallow" in capabilities.get(b"fetch", b"").split()
    return b"shallow" in capabilities


def _wants(found: Advertised, version: int, wants: Sequence[bytes]) -> Iterator[bytes]:
    """What a request to fetch begins with."""
    if version == 2:
        yield pkt_line(b"command=fetch")
        yield pkt_line(_AGENT)
        if b"object-format" in found.capabilities:
            yield pkt_line(b"object-format=" + found.algorithm.encode())
        yield _DELIM
        yield from map(pkt_line, (b"thin-pack\n", b"ofs-delta\n", b"no-progress\n"))
        yield from (pkt_line(b"want " + id.hex().encode() + b"\n") for id in wants)
        return
    useful = (
        b"multi_ack_detailed",
        b"side-band-64k",
        b"thin-pack",
        b"ofs-delta",
        b"no-progress",
        b"shallow",
    )
    words = [word for word in useful if word in found.capabilities] + [_AGENT]
    if b"object-format" in found.capabilities:
        words.append(b"object-format=" + found.algorithm.encode())
    for n, id in enumerate(wants):
        line = b"want " + id.hex().encode()
        yield pkt_line(line + (b"\n" if n else b" " + b" ".join(words) + b"\n"))


def _readable(data: bytes) -> str:
    """What a server says, for a message: on one line, and nothing that a terminal would act on."""
    text = data[:_MOST_SAID].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:500]
