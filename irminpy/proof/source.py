"""Where the trees of a proof read from: while one is made, a repository that is looked on; later what it shows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, cast

from .. import core
from ..errors import BadProof, DanglingHash, ProofMismatch, PrunedHash, StreamTooLong, StreamTooShort
from ..formats.format import Codec
from ..formats.native import NativeCodec
from ..hash import Hash
from ..key import Key, KindedHash
from ..objects import DIRECTORY, Inode, Kind, Node
from ..shape import Record
from ..tree import Tree
from ..tree.home import Home
from ..tree.lazy import Environment, Leaf, Pruned, RepoSource, Source, Stored
from ..types import C, M
from .form import form_of
from .limits import Limits
from .shown import Encoded, Reads, Shown, find_place

# Before Python 3.12 to name a member of an enumeration costs four times as much as this.
_NODE = Kind.NODE
_CONTENTS = Kind.CONTENTS

__all__ = ["ProofSource", "Recording", "ShownSource", "StreamSource", "rooted"]


def rooted(home: Home[C, M], root: KindedHash, source: Source, word: int = 0) -> Tree[C, M]:
    """The tree `root`, unread, in `source`."""
    if root.kind == "contents":
        return Tree(home, Leaf(source, root.hash, None, root.metadata, word))
    return Tree(home, Stored(root.hash, source, word=word))


def followed(codec: Codec) -> bool:
    """Whether `core.follow` knows the nodes of this codec."""
    return isinstance(codec, NativeCodec) and codec.digest is core.digest


class Recording(Source):
    """A repository, with a record of what is read from it until `close`; then it is only the repository."""

    __slots__ = ("_base", "_opened", "contents_read", "in_order", "nodes_read", "seen")

    def __init__(self, base: RepoSource, *, in_order: bool) -> None:
        super().__init__(base.codec, base.counters, locates=base.locates)
        self._base = base
        self.in_order = in_order
        self.nodes_read: dict[bytes, Record] | None = {}
        """None after the end."""
        self.contents_read: dict[bytes, bytes] = {}
        self.seen: Reads = {}
        """All that was read in one order, if that matters."""
        self._opened: dict[tuple[bytes | str, ...], tuple[bytes, int]] = {}
        self.follows = not in_order and followed(base.codec)

    def follow(self, hash: bytes, word: int, steps: list[str], /) -> tuple[int, int, bytes, int] | None:
        """Through the nodes of the repository."""
        noted, base = self.nodes_read, self._base
        if noted is None:  # another thread has just ended it
            return 0, DIRECTORY, hash, word
        codec: Any = self.codec
        return core.follow(
            base.nodes.recent,
            base.node,
            noted,
            self._opened,
            hash,
            word,
            steps,
            codec.fanout,
            codec.leaf,
            base.locates,
            codec.empty,
            Node,
            Inode,
        )

    def node(self, hash: bytes, word: int = 0, /) -> Record:
        """As the repository."""
        record = self._base.node(hash, word)
        nodes = self.nodes_read
        if nodes is not None and hash not in nodes:
            nodes[hash] = record
            if self.in_order:
                self.seen[_NODE, hash] = record
        return record

    def contents(self, hash: bytes, word: int = 0, /) -> bytes:
        """As the repository."""
        value = self._base.contents(hash, word)
        if self.nodes_read is not None and hash not in self.contents_read:
            self.contents_read[hash] = value
            if self.in_order:
                self.seen[_CONTENTS, hash] = value
        return value

    def key(self, hash: bytes, word: int) -> Hash | Key:
        """As the repository."""
        return self._base.key(hash, word)

    @property
    def holder(self) -> Source:
        """The repository."""
        return self._base

    @property
    def environment(self) -> Environment | None:
        """This recording, until it ends."""
        return None if self.nodes_read is None else self

    def close(self) -> tuple[dict[bytes, Record], dict[bytes, bytes], Reads]:
        """End the recording: trees that read from here keep nothing of it. What was read: nodes, contents, and both in
        one order, if it matters.
        """
        nodes, contents, seen = self.nodes_read, self.contents_read, self.seen
        assert nodes is not None
        self.nodes_read, self.contents_read, self.seen = None, {}, {}
        self.follows, self._opened = False, {}
        return nodes, contents, seen


class ProofSource(Pruned):
    """What a proof shows, and nothing else: no store, and no cache that others see.

    A read of anything else raises, and is remembered: whoever catches the error changes nothing about it.
    """

    __slots__ = ("in_order", "running", "shown")

    def __init__(self, home: Home[Any, Any], shown: Shown, *, running: bool, in_order: bool) -> None:
        super().__init__(home.codec, home.counters)
        self.shown = shown
        self.in_order = in_order
        self.running = running
        """True while the function that a proof is for runs."""

    @property
    def environment(self) -> Environment | None:
        """This source: what is read beside it is not in the proof."""
        return self

    @abstractmethod
    def conclude(self, cause: Exception | None) -> None:
        """The function has ended, by `cause` if it raised. BadProof if it asked for more than the proof shows, or,
        if it did not raise, for less. From now on what is not shown raises DanglingHash.
        """

    @staticmethod
    def beyond(kind: Kind, hash: bytes) -> DanglingHash:
        """The error for a read of what is not shown, after the function has ended."""
        return DanglingHash(f"{_WHAT[kind]} that the proof does not show", Hash(hash))


class ShownSource(ProofSource):
    """What a tree proof shows."""

    __slots__ = ("_blinded", "_known", "_opened", "_strict", "_used_contents", "_used_nodes")

    def __init__(self, home: Home[Any, Any], shown: Shown, *, running: bool, strict: bool) -> None:
        super().__init__(home, shown, running=running, in_order=False)
        nodes = shown.nodes
        self._known: Mapping[bytes, object] = nodes.known if type(nodes) is Encoded else nodes
        self._strict = strict
        # By hash: that they are there is what matters.
        self._used_nodes: dict[bytes, object] = {}
        self._used_contents: set[bytes] = set()
        self._opened: dict[tuple[bytes | str, ...], tuple[bytes, int]] = {}
        self.follows = running and followed(home.codec)
        # The first thing that the function asked for and is not shown.
        self._blinded: bytes | None = None

    def node(self, hash: bytes, word: int = 0, /) -> Record:
        """The node, if the proof shows it."""
        record = self.shown.nodes.get(hash)
        if record is None:
            raise self._missing(_NODE, hash)
        if self.running:
            self._used_nodes[hash] = record
        return record

    def follow(self, hash: bytes, word: int, steps: list[str], /) -> tuple[int, int, bytes, int] | None:
        """Through the nodes that the proof shows."""
        codec: Any = self.codec
        return core.follow(
            self._known.get,
            None,
            self._used_nodes,
            self._opened,
            hash,
            word,
            steps,
            codec.fanout,
            codec.leaf,
            False,
            codec.empty,
            Node,
            Inode,
        )

    def contents(self, hash: bytes, word: int = 0, /) -> bytes:
        """The contents, if the proof shows them."""
        value = self.shown.contents.get(hash)
        if value is None:
            raise self._missing(_CONTENTS, hash)
        if self.running:
            self._used_contents.add(hash)
        return value

    def _missing(self, kind: Kind, hash: bytes) -> PrunedHash | DanglingHash:
        if not self.running:
            return self.beyond(kind, hash)
        if self._blinded is None:
            self._blinded = hash
        return PrunedHash(f"{_WHAT[kind]} that the proof does not show", Hash(hash))

    def conclude(self, cause: Exception | None) -> None:
        """ProofMismatch for a read of a blinded part, and, if strict, for a part that was not read."""
        self.running = self.follows = False
        size = self.codec.hash_size
        if self._blinded is not None:
            reason = f"read of a blinded part, {Hash(self._blinded).short()}"
            raise ProofMismatch(reason, find_place(self.shown, self._blinded, size)) from cause
        shown = self.shown
        parts = len(self._known) + len(shown.contents) - (self.codec.empty in self._known)
        used = len(self._used_nodes) + len(self._used_contents)
        if cause is None and self._strict and used != parts:
            self._surplus(size)
        self._used_nodes, self._used_contents, self._opened = {}, set(), {}

    def _surplus(self, size: int) -> None:
        shown = self.shown
        groups = (_NODE, shown.nodes, self._used_nodes), (_CONTENTS, shown.contents, self._used_contents)
        for kind, group, used in groups:
            # What was decoded or recorded last may be what stands first.
            for hash_ in reversed(list(group)):
                if hash_ not in used and hash_ != self.codec.empty:
                    reason = f"surplus data: {_WHAT[kind]} that the run does not read"
                    raise ProofMismatch(reason, find_place(shown, hash_, size))


class StreamSource(ProofSource):
    """What a stream proof shows: the next element is what is read next."""

    __slots__ = ("_bytes", "_elements", "_failure", "_form", "_limits", "_n", "_nodes", "_objects", "_schema")

    def __init__(
        self, home: Home[Any, Any], root: KindedHash, elements: Iterator[object], limits: Limits
    ) -> None:
        self._nodes: dict[bytes, Record] = {}
        super().__init__(home, Shown(root, self._nodes, {}), running=True, in_order=True)
        self._elements = elements
        self._limits = limits
        self._schema = home.schema
        self._form = form_of(home.schema)
        self._objects = self._form.reading(home.schema)
        self._n = 0
        self._bytes = 0
        # The first thing that went wrong.
        self._failure: BadProof | None = None

    def node(self, hash: bytes, word: int = 0, /) -> Record:
        """The node: one that was read before, or else the next element."""
        record = self._nodes.get(hash)
        if record is None:
            record = self._nodes[hash] = cast("Record", self._next(Kind.NODE, hash))
        return record

    def contents(self, hash: bytes, word: int = 0, /) -> bytes:
        """The contents, as `node`."""
        value = self.shown.contents.get(hash)
        if value is None:
            value = cast("bytes", self._next(Kind.CONTENTS, hash))
            self.shown.contents[hash] = value
        return value

    def _next(self, kind: Kind, hash: bytes) -> Record | bytes:
        if not self.running:
            raise self.beyond(kind, hash)
        if self._failure is None:
            try:
                return self._objects.read(kind, hash, lambda: self._element(kind, hash))
            except BadProof as e:
                self._failure = type(e)(e.reason, f"element {self._n}")
        raise self._failure

    def _element(self, kind: Kind, hash: bytes) -> bytes:
        limits = self._limits
        self._n += 1
        if self._n > limits.objects:
            raise ProofMismatch(f"node limit: more than {limits.objects} elements")
        try:
            element = next(self._elements)
        except StopIteration:
            reason = f"the elements end where {_WHAT[kind]} {Hash(hash).short()} is read"
            raise StreamTooShort(reason) from None
        except Exception as e:
            # The elements may come from anywhere; what they raise is no error of the function's.
            raise ProofMismatch(f"the elements failed: {e!r:.200}") from e
        if type(element) is not bytes:
            raise ProofMismatch(f"an element is bytes, not {type(element).__name__}")
        self._bytes += len(element)
        if self._bytes > limits.total:
            raise ProofMismatch(f"more than {limits.total} bytes")
        return element

    def conclude(self, cause: Exception | None) -> None:
        """The first failure; else ProofMismatch where elements do not fit each other, and StreamTooLong."""
        self.running = False
        if self._failure is not None:
            if self._failure is not cause:
                raise self._failure from cause
            return
        try:
            self._form.check(self._schema, self.shown)
        except ProofMismatch as e:
            raise e from cause
        if cause is None:
            if next(self._elements, None) is not None:
                raise StreamTooLong(
                    f"the run has read {self._n} elements, and there are more", f"element {self._n + 1}"
                )
            self._objects.end()
        self._elements = iter(())


_WHAT = {Kind.NODE: "a directory", Kind.CONTENTS: "contents"}
