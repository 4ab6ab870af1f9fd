"""The transfer: what a receiver lacks of some heads goes there from a sender. Fetch and push are both this.

It walks the commits from the heads back to those that the receiver has, then the trees of the others from their
roots down: many nodes at once, and never below a node that the receiver has, since that has all below it there (the
invariant of `irminpy.remote`). Objects are written children first, in batches, and refs move in the last one. So a
transfer that is interrupted has moved nothing, and what it wrote need not travel again.

Held in memory: the commits that travel, one hash for each of their nodes, one batch, and of the nodes whose
children are still on their way at most `Bounds.ask` for each level of the trees, with the hashes of these children.
No recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from .backend import RefUpdate
from .errors import Corrupted, DanglingHash, DecodeError, Rejected, RemoteError
from .graph import Contents, Node, children_first, successors
from .hash import Hash
from .history import check_count
from .key import Key, KindedHash, hash_of_key
from .objects import Commit as CommitVal
from .objects import Kind, Objects
from .remote import Receiver, Sender

if TYPE_CHECKING:
    from .formats.format import Codec

__all__ = ["Advance", "Bounds", "Sent", "Transfer"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a transfer handles at once, and how much it lets in."""

    ask: int = 1024
    """Objects that are asked for at once."""
    write: int = 8192
    """Objects that are written at once, about."""
    size: int = 8 << 20
    """Bytes of one answer and of one batch that is written, about: the last object may go beyond."""
    total: int | None = None
    """Bytes of objects that may come in all; None: any number."""

    def __post_init__(self) -> None:
        for name in ("ask", "write", "size"):
            if getattr(self, name) < 1:
                raise DecodeError("bounds", f"{name} is {getattr(self, name)}; 1 is the least")


@dataclass(slots=True)
class Sent:
    """What travelled: objects of each kind, and their bytes."""

    commits: int = 0
    nodes: int = 0
    contents: int = 0
    bytes: int = 0

    @property
    def objects(self) -> int:
        """Objects of all kinds."""
        return self.commits + self.nodes + self.contents


Advance: TypeAlias = Callable[[Sent], object]
"""Called with what has travelled so far: the same object each time."""


@dataclass(slots=True)
class _Waiting:
    """A node whose children are not all at the receiver yet: its bytes, and how many are missing."""

    data: bytes
    left: int


@dataclass(slots=True)
class Transfer:
    """One transfer from `sender` to `receiver`; and a reader of what the sender has."""

    codec: Codec
    sender: Sender
    receiver: Receiver
    bounds: Bounds
    progress: Advance | None = None
    sent: Sent = field(default_factory=Sent)
    # Commits that were read, some of them ahead; None for those that the sender has not.
    _read: dict[Hash, CommitVal | None] = field(default_factory=dict[Hash, "CommitVal | None"])
    _lacks: dict[Hash, bool] = field(default_factory=dict[Hash, bool])
    _page: int = 16  # commits to read at once, doubled each time: few where little is new
    # Nodes to look at, those that wait, and who waits for a node or for contents.
    _stack: list[Hash] = field(default_factory=list[Hash])
    _waiting: dict[Hash, _Waiting] = field(default_factory=dict[Hash, _Waiting])
    _above: dict[Hash, list[Hash]] = field(default_factory=dict[Hash, "list[Hash]"])
    _values: dict[Hash, list[Hash]] = field(default_factory=dict[Hash, "list[Hash]"])
    # INVARIANT: all below these nodes, and they, are at the receiver or in the batch.
    _done: set[Hash] = field(default_factory=set[Hash])
    _batch: Objects = field(default_factory=Objects)
    _batched: int = 0  # bytes of the batch
    _came: int = 0  # bytes from the sender
    _shallow: bool = False

    def run(
        self,
        heads: Sequence[Hash],
        depth: int | None,
        updates: Sequence[RefUpdate] = (),
        *,
        deepen: bool = False,
    ) -> Sent:
        """Send what the receiver lacks of `heads`, then move refs; Rejected if one has moved meanwhile."""
        check_count("depth", depth)
        self._shallow = depth is not None
        commits = list(self._commits(list(dict.fromkeys(heads)), depth, deepen=deepen).items())
        for at in range(0, len(commits), self.bounds.ask):
            group = commits[at : at + self.bounds.ask]
            for _, val in group:
                self._wanted(val.node, None)
            self._trees()
            for hash_, val in group:
                self._put(Kind.COMMIT, hash_, self.codec.encode_commit(val))
        self._flush(updates)
        return self.sent

    def parts(self, parts: Sequence[KindedHash]) -> Sent:
        """Send what the receiver lacks of `parts`, of each with all below it; no commit goes, and no ref moves."""
        for part in parts:
            if part.kind == "node":
                self._wanted(part.hash, None)
            else:
                self._values.setdefault(part.hash, [])
        self._trees()
        self._flush()
        return self.sent

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes:
        """One object of the sender, checked. Raises DanglingHash, Corrupted, DecodeError."""
        hash_ = hash_of_key(key)
        ((_, data),) = self._objects(kind, [hash_])
        self._verify(kind, hash_, data)
        if kind is Kind.NODE:
            self.codec.decode_node(data)  # a tree that reads from here takes a node for well-formed
        return data

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """`read`, one by one."""
        return [self.read(kind, key) for key in keys]

    # -- commits

    def _commits(self, heads: list[Hash], depth: int | None, *, deepen: bool) -> dict[Hash, CommitVal]:
        """The commits that travel, parents first."""
        found: dict[Hash, CommitVal] = {}
        layer, away = heads, 0
        asked = set(heads)
        while layer:
            self._learn(layer, deepen=deepen)
            following: dict[Hash, None] = {}
            for hash_ in layer:
                if not deepen and not self._lacks[hash_]:
                    continue
                val = self._read[hash_]
                if val is not None:
                    found[hash_] = val
                    following.update(dict.fromkeys(val.parents))
                elif self._lacks[hash_] and (depth is None or not away):
                    raise DanglingHash(f"the history of {self.sender.name}", hash_)
            if away == depth:
                break
            away += 1
            layer = [hash_ for hash_ in following if hash_ not in asked]
            asked.update(layer)
        self._read.clear()
        order = children_first({hash_: val.parents for hash_, val in found.items()})
        return {Hash(hash_): found[Hash(hash_)] for hash_ in order if self._lacks[Hash(hash_)]}

    def _learn(self, layer: list[Hash], *, deepen: bool) -> None:
        """Learn which commits of `layer` the receiver lacks, and read those."""
        self._ask_for(layer)
        wanted = [hash_ for hash_ in layer if hash_ not in self._read and (deepen or self._lacks[hash_])]
        while wanted:
            starts = wanted[: self.bounds.ask]
            n = max(len(starts), min(self._page, self.bounds.ask))
            answer = self.sender.history(starts, n, self.bounds.size)
            if not 0 < len(answer) <= n:
                raise _odd(self.sender, f"{len(answer)} commits where 1 to {n} are expected")
            for hash_, data in zip(starts, answer, strict=False):
                self._read[hash_] = None if data is None else self._decoded(hash_, data)
            ahead: list[Hash] = []
            for data in answer[len(starts) :]:
                if data is None:
                    raise _odd(self.sender, "an absent commit that nobody asked for")
                hash_ = Hash(self.codec.digest(data))
                self._read[hash_] = self._decoded(hash_, data)
                ahead.append(hash_)
            self._ask_for(ahead)
            wanted = wanted[min(len(answer), len(starts)) :]
            self._page *= 2

    def _ask_for(self, commits: list[Hash]) -> None:
        unknown = [hash_ for hash_ in commits if hash_ not in self._lacks]
        for at in range(0, len(unknown), self.bounds.ask):
            some = unknown[at : at + self.bounds.ask]
            self._lacks.update(zip(some, self._missing(Kind.COMMIT, some), strict=True))

    def _decoded(self, hash_: Hash, data: bytes) -> CommitVal:
        self._count(data)
        self._verify(Kind.COMMIT, hash_, data)
        try:
            return self.codec.decode_commit(data)
        except DecodeError as e:
            raise DecodeError(f"commit {hash_.short()} of {self.sender.name}", e.reason) from e

    # -- trees

    def _wanted(self, node: Hash, by: Hash | None) -> bool:
        """Have `node` looked at, for the node `by`; False if nothing is missing there."""
        if node in self._done:
            return False
        above = self._above.get(node)
        if above is None:
            above = self._above[node] = []
            self._stack.append(node)
        if by is not None:
            above.append(by)
        return True

    def _trees(self) -> None:
        """Send all that is on the stack: the newest first, so that few nodes wait for their children."""
        ask = self.bounds.ask
        while self._stack or self._values:
            if len(self._values) >= ask or not self._stack:
                self._send_values()
                continue
            nodes = self._stack[-ask:]
            del self._stack[-ask:]
            lacks = self._missing(Kind.NODE, nodes)
            for node, lacking in zip(nodes, lacks, strict=True):
                if not lacking:
                    self._complete(node)
            wanted = [node for node, lacking in zip(nodes, lacks, strict=True) if lacking]
            for node, data in self._objects(Kind.NODE, wanted):
                self._verify(Kind.NODE, node, data)
                self._node(node, data)

    def _node(self, node: Hash, data: bytes) -> None:
        left = 0
        try:
            below = successors(self.codec, Kind.NODE, node, data)
        except Corrupted as e:
            raise DecodeError(f"node {node.short()} of {self.sender.name}", e.reason) from e
        for element in below:
            if type(element) is Contents:
                if element.hash not in self._batch.contents:
                    self._values.setdefault(element.hash, []).append(node)
                    left += 1
            else:
                assert type(element) is Node
                left += self._wanted(element.hash, node)
        self._waiting[node] = _Waiting(data, left)
        if not left:
            self._complete(node)

    def _complete(self, node: Hash) -> None:
        """All below `node` is at the receiver or in the batch, and perhaps `node` too: so are those above it that
        waited for nothing else.
        """
        stack = [node]
        while stack:
            at = stack.pop()
            self._done.add(at)
            waiting = self._waiting.pop(at, None)
            if waiting is not None:
                self._put(Kind.NODE, at, waiting.data)
            stack += self._less(self._above.pop(at))

    def _less(self, above: list[Hash]) -> list[Hash]:
        """Those of `above` that wait for nothing any more, now that one of their children is there."""
        ready: list[Hash] = []
        for node in above:
            waiting = self._waiting[node]
            waiting.left -= 1
            if not waiting.left:
                ready.append(node)
        return ready

    def _send_values(self) -> None:
        """Send the contents that were met first."""
        values = list(self._values)[: self.bounds.ask]
        lacks = self._missing(Kind.CONTENTS, values)
        wanted = [value for value, lacking in zip(values, lacks, strict=True) if lacking]
        there = [value for value, lacking in zip(values, lacks, strict=True) if not lacking]
        for value in there:
            self._arrived(value)
        for value, data in self._objects(Kind.CONTENTS, wanted):
            self._put(Kind.CONTENTS, value, data)
            self._arrived(value)

    def _arrived(self, value: Hash) -> None:
        for node in self._less(self._values.pop(value)):
            self._complete(node)

    # -- objects

    def _missing(self, kind: Kind, hashes: list[Hash]) -> list[bool]:
        answer = self.receiver.lacks(kind, hashes)
        if len(answer) != len(hashes):
            raise _odd(self.receiver, f"{len(answer)} answers to {len(hashes)} questions")
        return answer

    def _objects(self, kind: Kind, hashes: list[Hash]) -> Iterator[tuple[Hash, bytes]]:
        """The objects `hashes` of the sender, in order; DanglingHash for one that it has not."""
        while hashes:
            answer = self.sender.objects(kind, hashes, self.bounds.size)
            if not 0 < len(answer) <= len(hashes):
                raise _odd(self.sender, f"{len(answer)} objects where 1 to {len(hashes)} are expected")
            for hash_, data in zip(hashes, answer, strict=False):
                if data is None:
                    raise DanglingHash(f"{self.sender.name}, asked for a {kind.name.lower()}", hash_)
                self._count(data)
                yield hash_, data
            hashes = hashes[len(answer) :]

    def _verify(self, kind: Kind, hash_: Hash, data: bytes) -> None:
        # Before anything that `data` says is followed: so no sender can lead the walk on for ever.
        if self.codec.digest(data) != hash_:
            reason = f"hash-mismatch: its bytes, sent as a {kind.name.lower()}, have another hash"
            raise Corrupted(self.sender.name, None, hash_, reason)

    def _count(self, data: bytes) -> None:
        self._came += len(data)
        if self.bounds.total is not None and self._came > self.bounds.total:
            raise DecodeError(
                "transfer", f"{self.sender.name} sends more than {self.bounds.total} bytes, the limit"
            )

    def _put(self, kind: Kind, hash_: Hash, data: bytes) -> None:
        """Add an object to the batch; all below it is there, or at the receiver, already."""
        self._batch.of_kind(kind)[hash_] = data
        self._batched += len(data)
        sent = self.sent
        sent.bytes += len(data)
        if kind is Kind.CONTENTS:
            sent.contents += 1
        elif kind is Kind.NODE:
            sent.nodes += 1
        else:
            sent.commits += 1
        if self.progress is not None:
            self.progress(sent)
        if len(self._batch) >= self.bounds.write or self._batched >= self.bounds.size:
            self._flush()

    def _flush(self, updates: Sequence[RefUpdate] = ()) -> None:
        """Have the batch written, and the refs moved with it."""
        if not len(self._batch) and not updates:
            return
        batch, self._batch, self._batched = self._batch, Objects(), 0
        if not self.receiver.receive(batch, updates, shallow=self._shallow):
            names = ", ".join(update.name for update in updates)
            raise Rejected(
                f"{names} of {self.receiver.name} has just been moved by somebody else; pull and try again"
            )


def _odd(side: Sender | Receiver, reason: str) -> RemoteError:
    return RemoteError(side.name.removeprefix("the remote "), f"it answers with {reason}")
