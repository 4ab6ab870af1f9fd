"""The elements of stream proofs in Irmin's form: what is read, in the order of the reads, each once.

A flat directory of more entries than an inode has is stored by Irmin as inodes, though it is hashed as one list: where
it is read, all of these follow it as elements that say nothing new. Inodes with one bucket each, below each other, are
one element, in the place of the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ...errors import BadProof, DecodeError, DepthExceeded, InvalidStep, ProofMismatch
from ...hash import Hash
from ...key import KindedHash
from ...objects import CONTENTS, CONTENTS_META, DIRECTORY, Inode, Kind, Node
from ...path import step_bytes
from ...repr import varint
from ...repr.base import is_dict
from .fields import Fields, Input, root_of
from .json import int_of_json, list_of_json, members_of_json, pair_of_json
from .shape import levels_of
from .values import chain_of

if TYPE_CHECKING:
    from ...formats.irmin import IrminCodec
    from ...schema import Schema
    from ...shape import Record
    from ..limits import Limits
    from ..shown import Reads

__all__ = ["Elements", "element_of_json", "element_to_json", "elements_of", "take_element"]

_CONTENTS, _NODE, _INODE, _EXTENDER = range(4)
_NAMES = ("Contents", "Node", "Inode", "Inode_extender")


class _Element(NamedTuple):
    """An element as it is written. Directories are columns, as in `Node`."""

    tag: int
    value: bytes = b""
    steps: Sequence[str] = ()
    kinds: bytes = b""
    hashes: bytes = b""
    metadata: Sequence[bytes] = ()
    """One for each entry of the kind CONTENTS_META."""
    length: int = 0
    segments: tuple[int, ...] = ()
    buckets: tuple[tuple[int, bytes], ...] = ()
    """Indices and hashes; of an extender one, whose index says nothing."""


def _parsed(source: Input, limit: int, most: int | None = None) -> _Element:
    """The next element; BadProof if there is none, a value of more than `limit` bytes or, if given, `most` segments."""
    tag = source.tag(3, "an element")
    if tag == _CONTENTS:
        return _Element(tag, value=source.text(limit))
    if tag == _NODE:
        n = source.count(2)
        return _directory(source, n)
    length = source.number()
    if tag == _INODE:
        n = source.count(2)
        return _Element(
            tag, length=length, buckets=tuple([(source.number(), source.hash()) for _ in range(n)])
        )
    start = source.at
    n = source.count(1)
    if most is not None and n > most:
        raise source.refuse(f"too deep: an extender of {n} segments, and there are {most} levels", start)
    segments = tuple([source.number() for _ in range(n)])
    return _Element(tag, length=length, segments=segments, buckets=((0, source.hash()),))


def _directory(source: Input, n: int) -> _Element:
    steps: list[str] = []
    kinds = bytearray()
    hashes: list[bytes] = []
    metadata: list[bytes] = []
    for _ in range(n):
        steps.append(source.step())
        kind, hash_, own = source.entry()
        kinds.append(kind)
        hashes.append(hash_)
        if own is not None:
            metadata.append(own)
    return _Element(_NODE, steps=steps, kinds=bytes(kinds), hashes=b"".join(hashes), metadata=metadata)


def _entries(fields: Fields, element: _Element) -> Iterator[tuple[int, bytes, bytes | None]]:
    """Kind, hash and metadata of the entries of a directory, as `Input.entry`."""
    own, size = iter(element.metadata), fields.size
    for i, kind in enumerate(element.kinds):
        yield kind, element.hashes[i * size : (i + 1) * size], next(own) if kind == CONTENTS_META else None


def _of_rows(rows: Sequence[tuple[str, KindedHash]]) -> _Element:
    """The directory of steps and roots."""
    kinds = bytes(
        [
            DIRECTORY if root.kind == "node" else CONTENTS if root.metadata is None else CONTENTS_META
            for _, root in rows
        ]
    )
    return _Element(
        _NODE,
        steps=[step for step, _ in rows],
        kinds=kinds,
        hashes=b"".join([root.hash for _, root in rows]),
        metadata=[root.metadata for _, root in rows if root.metadata is not None],
    )


def take_element(source: Input, limits: Limits) -> bytes:
    """The bytes of the next element; BadProof if there is none."""
    start = source.at
    _parsed(source, limits.contents)
    return source.data[start : source.at]


def _written(fields: Fields, element: _Element) -> bytes:
    tag = element.tag
    parts = [varint(tag)]
    if tag == _CONTENTS:
        parts.append(fields.text(element.value))
    elif tag == _NODE:
        parts.append(varint(len(element.kinds)))
        for step, (kind, hash_, own) in zip(element.steps, _entries(fields, element), strict=True):
            parts += (fields.step(step), fields.entry(kind, hash_, own))
    else:
        parts.append(varint(element.length))
        if tag == _EXTENDER:
            parts += (varint(len(element.segments)), *map(varint, element.segments), element.buckets[0][1])
        else:
            parts.append(varint(len(element.buckets)))
            for index, hash_ in element.buckets:
                parts += (varint(index), hash_)
    return b"".join(parts)


# -- JSON ------------------------------------------------------------------------------------------------------


def element_to_json(fields: Fields, data: bytes) -> Any:
    """Irmin's JSON of the element `data`; BadProof if there is none."""
    source = Input(data, fields)
    element = _parsed(source, len(data))
    source.end()
    if element.tag == _CONTENTS:
        body: Any = fields.contents_to_json(fields.decoded_contents(element.value))
    elif element.tag == _NODE:
        body = [
            [fields.step_to_json(step), fields.kinded_to_json(root_of(*entry))]
            for step, entry in zip(element.steps, _entries(fields, element), strict=True)
        ]
    elif element.tag == _INODE:
        rows = [[index, fields.hash_to_json(hash_)] for index, hash_ in element.buckets]
        body = {"length": element.length, "proofs": rows}
    else:
        below = fields.hash_to_json(element.buckets[0][1])
        body = {"length": element.length, "segments": list(element.segments), "proof": below}
    return {_NAMES[element.tag]: body}


def element_of_json(fields: Fields, value: object) -> bytes:
    """The element that `element_to_json` turned into `value`; BadProof for anything else."""
    ((name, body),) = value.items() if is_dict(value) and len(value) == 1 else ((None, None),)
    if name not in _NAMES:
        raise BadProof(f"an element is expected, not {value!r:.80}", "state")
    tag = _NAMES.index(name)
    if tag == _CONTENTS:
        return varint(tag) + fields.contents(fields.contents_of_json(body))
    if tag == _NODE:
        rows = [pair_of_json(row) for row in list_of_json(body)]
        entries = [(fields.step_of_json(step), fields.kinded_of_json(root)) for step, root in rows]
        return _written(fields, _of_rows(entries))
    if tag == _INODE:
        members = members_of_json(body, ("length", "proofs"))
        pairs = [pair_of_json(row) for row in list_of_json(members["proofs"])]
        buckets = tuple([(int_of_json(index), fields.hash_of_json(hash_)) for index, hash_ in pairs])
        return _written(fields, _Element(tag, length=int_of_json(members["length"]), buckets=buckets))
    members = members_of_json(body, ("length", "segments", "proof"))
    segments = tuple(map(int_of_json, list_of_json(members["segments"])))
    below = fields.hash_of_json(members["proof"])
    length = int_of_json(members["length"])
    return _written(fields, _Element(tag, length=length, segments=segments, buckets=((0, below),)))


# -- from what was read ----------------------------------------------------------------------------------------


def _of_node(fields: Fields, record: Node) -> bytes:
    own = [record.metadata[i] for i in sorted(record.metadata)]
    return _written(fields, _Element(_NODE, b"", list(record.index), record.kinds, record.hashes, own))


def _of_chain(fields: Fields, chain: list[Inode]) -> bytes:
    """The element of an inode, or of a chain of those that have one bucket."""
    last = chain[-1]
    if len(chain) > 1:
        segments = tuple([inode.buckets[0] for inode in chain])
        chained = _Element(_EXTENDER, length=last.count, segments=segments, buckets=((0, last.hashes),))
        return _written(fields, chained)
    buckets = tuple(zip(last.buckets, last.children(), strict=True))
    return _written(fields, _Element(_INODE, length=last.count, buckets=buckets))


def _of_records(
    schema: Schema[Any, Any], fields: Fields, records: dict[bytes, Record | bytes]
) -> list[bytes]:
    """The elements of what was read, in that order; contents by the bytes of their type."""
    nodes: dict[bytes, Record] = {
        hash_: record for hash_, record in records.items() if not isinstance(record, bytes)
    }
    inner: set[bytes] = set()
    for node in nodes.values():
        if type(node) is Inode:
            inner.update([above.hashes for above in chain_of(nodes, node)[:-1]])
    elements: list[bytes] = []
    for hash_, record in records.items():
        if isinstance(record, bytes):
            elements.append(varint(_CONTENTS) + fields.text(record))
        elif type(record) is Node:
            elements.append(_of_node(fields, record))
        elif hash_ not in inner:
            elements.append(_of_chain(fields, chain_of(nodes, record)))
    return elements


def elements_of(schema: Schema[Any, Any], seen: Reads) -> list[bytes]:
    """The elements of a stream proof of a run that read `seen`."""
    fields = Fields(schema)
    # Contents and nodes may have one hash.
    records: dict[bytes, Record | bytes] = {}
    for (kind, hash_), found in seen.items():
        if kind is Kind.CONTENTS:
            records[b"contents" + hash_] = found
            continue
        records.setdefault(hash_, found)
        if type(found) is Node:
            for below, record in _virtual(schema, found).items():
                records.setdefault(below, record)
    return _of_records(schema, fields, records)


def _virtual(schema: Schema[Any, Any], record: Node) -> dict[bytes, Record]:
    """The inodes below the root of those that the flat directory `record` consists of, in pre-order.

    Nothing for a directory that has none. Cost: as to build the directory. DepthExceeded if it cannot be built.
    """
    codec = schema.codec
    if len(record.kinds) <= codec.leaf:
        return {}
    steps, size = list(record.index), codec.hash_size
    keys = codec.keys(steps)

    def inode(rows: list[int], depth: int) -> list[tuple[bytes, Record]]:
        """The inode of the entries `rows` at `depth`, and those below it. No deeper than there are levels."""
        if len(rows) <= codec.leaf:
            rows = sorted(rows, key=lambda row: step_bytes(steps[row]))
            kinds = bytes([record.kinds[row] for row in rows])
            metadata = [record.metadata[row] for row in rows if record.kinds[row] == CONTENTS_META]
            hashes = b"".join([record.hashes[row * size : (row + 1) * size] for row in rows])
            data = codec.encode_bucket([steps[row] for row in rows], kinds, hashes, metadata)
            return [(codec.digest(data), codec.decode_node(data))]
        below = split(rows, depth)
        hashes = b"".join([found[0][0] for _, found in below])
        indices = bytes([index for index, _ in below])
        data = codec.encode_inode(depth, indices, [len(rows)], hashes)
        own = (codec.digest(data), cast("Record", Inode(depth, indices, [len(rows)], hashes)))
        return [own, *[item for _, found in below for item in found]]

    def split(rows: list[int], depth: int) -> list[tuple[int, list[tuple[bytes, Record]]]]:
        parts = codec.split(steps, keys, rows, depth)
        return [(index, inode(part, depth + 1)) for index, part in enumerate(parts) if part]

    return dict([item for _, found in split(list(range(len(steps))), 0) for item in found])


# -- reading ---------------------------------------------------------------------------------------------------


class Elements:
    """The elements of one stream proof as they are read. `read` takes as many as one object consists of."""

    __slots__ = ("_ahead", "_fields", "_known", "_levels", "_schema", "_seen", "_single")

    def __init__(self, schema: Schema[Any, Any]) -> None:
        self._schema = schema
        self._fields = Fields(schema)
        self._levels = levels_of(schema.codec)
        self._known: dict[bytes, Record] = {}
        """Inodes of flat directories, which may be read for themselves."""
        self._ahead: dict[bytes, Record] = {}
        """What an extender brought, and must be read."""
        self._single: set[bytes] = set()
        """The only buckets of inodes that were read, where nothing was said of them yet."""
        self._seen: set[bytes] = set()
        """The nodes that have been read."""

    def read(self, kind: Kind, hash: bytes, take: Callable[[], bytes]) -> Record | bytes:
        """The node, or the bytes of the contents, that `hash` leads to; `take` gives the next element.

        ProofMismatch if the element is another, or written in another way.
        """
        if kind is Kind.CONTENTS:
            return self._contents(hash, take())
        record = self._ahead.pop(hash, None)
        if record is None:
            record = self._known.get(hash)
        if record is None:
            record = self._node(hash, take())
            self._seen.add(hash)
            if type(record) is Node:
                self._virtual(record, take)
        return record

    def end(self) -> None:
        """ProofMismatch if something is left that an extender brought."""
        if self._ahead:
            raise ProofMismatch("not canonical: an extender that reaches further than what is read")

    def _parse(self, data: bytes) -> _Element:
        source = Input(data, self._fields)
        try:
            element = _parsed(source, len(data), self._levels)
            source.end()
        except BadProof as e:
            raise ProofMismatch(f"not canonical: {e.reason}") from e
        return element

    def _contents(self, hash: bytes, data: bytes) -> bytes:
        element = self._parse(data)
        if element.tag != _CONTENTS:
            raise _another_kind(element, "contents")
        codec, value = self._schema.codec, element.value
        if codec.digest(codec.encode_contents([value])[0]) != hash:
            raise _another(hash)
        try:
            self._schema.contents.decode(value)
        except DecodeError as e:
            raise ProofMismatch(f"contents that are none: {e}") from e
        return value

    def _node(self, hash: bytes, data: bytes) -> Record:
        element = self._parse(data)
        if element.tag == _CONTENTS:
            raise _another_kind(element, "a directory")
        try:
            chain = self._flat(hash, element) if element.tag == _NODE else self._inner(hash, element)
        except (DecodeError, InvalidStep) as e:
            raise ProofMismatch(f"not canonical: {e.reason}") from e
        hash_, record = chain[0]
        if type(record) is Inode and len(record.buckets) == 1:
            if hash_ in self._single:
                raise ProofMismatch("not canonical: a chain of inodes that is not written as an extender")
            self._single.add(chain[-1][1].hashes)
            self._ahead.update(chain[1:])
            self._seen.update([below for below, _ in chain])
        return record

    def _flat(self, hash: bytes, element: _Element) -> list[tuple[bytes, Record]]:
        codec, n = cast("IrminCodec", self._schema.codec), len(element.kinds)
        if n > codec.flat:
            raise ProofMismatch(f"not canonical: a directory of {n} entries, and {codec.flat} are the most")
        steps = codec.steps(list(element.steps))
        own = list(element.metadata)
        # A directory, or a bucket: the hash tells. What has more entries than a bucket may have is none.
        for encode in (codec.encode_node, codec.encode_bucket) if n <= codec.leaf else (codec.encode_node,):
            data = encode(steps, element.kinds, element.hashes, own)
            if codec.digest(data) == hash:
                return [(hash, codec.decode_node(data))]
        raise _another(hash)

    def _inner(self, hash: bytes, element: _Element) -> list[tuple[bytes, Record]]:
        """The inode `hash`, and those of its chain. Their depth is the one with which the hash is right."""
        codec = self._schema.codec
        length, segments, indices = element.length, element.segments, [index for index, _ in element.buckets]
        if element.tag == _EXTENDER and len(segments) < 2:
            raise ProofMismatch(
                f"not canonical: an extender of {len(segments)} segments, and two are the least"
            )
        if length <= 0:
            raise ProofMismatch(f"bad length: {length}")
        if not all(0 <= index < codec.fanout for index in (*indices, *segments)):
            raise ProofMismatch(f"index out of range: {max(*indices, *segments, 0)} or less than 0")
        last = b"".join([below for _, below in element.buckets])
        rows = [bytes(indices)] if element.tag == _INODE else [bytes((index,)) for index in segments]
        for depth in range(self._levels - len(rows) + 1):
            chain: list[tuple[bytes, bytes]] = []
            column = last
            for i in range(len(rows) - 1, -1, -1):
                data = codec.encode_inode(depth + i, rows[i], [length], column)
                column = codec.digest(data)
                chain.append((column, data))
            if column == hash:
                return [(found, codec.decode_node(data)) for found, data in reversed(chain)]
        raise _another(hash)

    def _virtual(self, record: Node, take: Callable[[], bytes]) -> None:
        """Take the elements of the inodes that a flat directory consists of: they are known already."""
        try:
            below = _virtual(self._schema, record)
        except DepthExceeded as e:
            raise ProofMismatch(f"not canonical: a directory that no inodes can hold: {e}") from e
        fresh: dict[bytes, Record | bytes] = {
            hash_: found
            for hash_, found in below.items()
            if hash_ not in self._seen and hash_ not in self._known
        }
        for element in _of_records(self._schema, self._fields, fresh):
            if take() != element:
                raise ProofMismatch("mismatch: another inode than the directory before it consists of")
        self._known.update(below)


def _another(hash: bytes) -> ProofMismatch:
    return ProofMismatch(f"mismatch: another object than {Hash(hash).short()}, which is read here")


def _another_kind(element: _Element, what: str) -> ProofMismatch:
    return ProofMismatch(f"kind mismatch: {_NAMES[element.tag]} where {what} is read")
