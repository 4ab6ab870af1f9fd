"""The bytes of a proof (docs/formats/proof.md): as little as a verifier needs to compute the rest.

Decoding is strict: there is one way to write each number, each node and each proof. What is left out, hashes and counts
of revealed parts and the depths of inner nodes, is computed. Lengths are compared with what is left of the input before
anything is made room for. No recursion.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, final

from .. import core
from ..errors import BadProof, ProofMismatch
from ..hash import Hash
from ..key import KindedHash
from ..objects import CONTENTS_META, DIRECTORY, Inode, Node
from .cursor import Cursor
from .draft import Draft, Flat, Inner, Root, assemble, check_metadata, check_values
from .limits import MIB, Limits, explain
from .shape import check_shape
from .shown import Encoded, Shown, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..schema import Schema

__all__ = ["STREAM", "TREE", "Reading", "decode_tree", "encode_tree", "head", "kinded_bytes", "varint"]

MAGIC = b"\x89ipf"
VERSION = 1
TREE, STREAM = 1, 2

_HEADS = {kind: MAGIC + bytes((VERSION, kind)) for kind in (TREE, STREAM)}
_SAME = 0  # the hash after is the hash before
_REVEALED, _CONTENTS, _METADATA = 1, 2, 4  # bits of the byte that says what a root is
_REVEALS = 4  # the bit of an entry's byte that says that what it leads to follows
_INNER = 1  # where a flat node has twice the number of its entries
_BLINDED, _ENTRIES = b"\0\1\2", b"\4\5\6"
_KINDS = bytes([state & 3 for state in range(256)])
_SHOWS = bytes([state >> 2 & 1 for state in range(256)])
# The states of four buckets: absent, blinded, revealed.
_FOUR = [bytes([byte >> shift & 3 for shift in (0, 2, 4, 6)]) for byte in range(256)]

_KIND_NAMES = {TREE: "a tree proof", STREAM: "a stream proof"}


# -- writing -------------------------------------------------------------------------------------------------


def varint(n: int) -> bytes:
    """`n` in groups of seven bits, the lowest first; all bytes but the last have their high bit set."""
    if n < 128:
        return bytes((n,))
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def _varints(numbers: list[int]) -> bytes:
    if not numbers or max(numbers) < 128:
        return bytes(numbers)
    return b"".join(map(varint, numbers))


def head(schema: Schema[Any, Any], kind: int) -> bytes:
    """What every proof begins with: which format, which version, which kind of proof, which schema."""
    return _HEADS[kind] + schema.identity


def kinded_bytes(kinded: KindedHash) -> bytes:
    """A root of which only the hash is written down."""
    if kinded.metadata is None:
        return bytes((_CONTENTS if kinded.kind == "contents" else 0,)) + kinded.hash
    return bytes((_CONTENTS | _METADATA,)) + varint(len(kinded.metadata)) + kinded.metadata + kinded.hash


def encode_tree(schema: Schema[Any, Any], shown: Shown, after: KindedHash) -> bytes:
    """The bytes of the proof that shows `shown` and ends with `after`."""
    root = shown.root
    codec = schema.codec
    out = [head(schema, TREE)]
    out.append(b"\0" if after is root or after == root else b"\1" + kinded_bytes(after))
    if root.kind == "contents":
        value = shown.contents.get(root.hash)
        if value is None:
            out.append(kinded_bytes(root))
        else:
            flags = _CONTENTS | _REVEALED | (0 if root.metadata is None else _METADATA)
            out.append(bytes((flags,)))
            if root.metadata is not None:
                out += (varint(len(root.metadata)), root.metadata)
            out += (varint(len(value)), value)
        return b"".join(out)
    size = codec.hash_size
    if codec.digest is core.digest:
        nodes = shown.nodes if isinstance(shown.nodes, dict) else dict(shown.nodes)
        written = core.write_nodes(root.hash, nodes, shown.contents, codec.fanout, Node, Inode)
        if written is not None:
            out += (b"\1", written)
            return b"".join(out)
    found = opened(root.hash, shown.nodes, shown.contents, size)
    if not found:
        out.append(kinded_bytes(root))
        return b"".join(out)
    out.append(bytes((_REVEALED,)))
    contents = shown.contents
    width = (2 * codec.fanout + 7) // 8
    for node in found:
        record, reveals = node.record, node.reveals
        hashes = record.hashes
        if type(record) is Node:
            steps = [step.encode() for step in record.index]
            out.append(varint(2 * len(steps)))
            out.append(_varints([len(step) for step in steps]))
            states = record.kinds
            if 1 in reveals:
                states = bytes([k | r << 2 for k, r in zip(record.kinds, reveals, strict=True)])
            out.append(states)
            out += steps
        else:
            states_at = 0
            for digit, revealed in zip(record.buckets, reveals, strict=True):
                states_at |= (2 if revealed else 1) << 2 * digit
            out.append(bytes((_INNER,)) + states_at.to_bytes(width, "little"))
            out.append(_varints([n for n, r in zip(record.counts, reveals, strict=True) if not r]))
        if 1 not in reveals:
            out.append(hashes)
        else:
            # All runs of hashes between the revealed ones.
            at = 0
            i = reveals.find(1)
            while i >= 0:
                out.append(hashes[at : i * size])
                at = (i + 1) * size
                i = reveals.find(1, i + 1)
            out.append(hashes[at:])
        if type(record) is Node:
            for data in record.metadata.values():
                out += (varint(len(data)), data)
            i = reveals.find(1)
            while i >= 0:
                if record.kinds[i] != DIRECTORY:
                    value = contents[hashes[i * size : (i + 1) * size]]
                    out += (varint(len(value)), value)
                i = reveals.find(1, i + 1)
    return b"".join(out)


# -- reading -------------------------------------------------------------------------------------------------


@final
class Reading(Cursor):
    """A place in the bytes of a native proof, at first behind its head."""

    __slots__ = ("limits", "size")

    def __init__(self, data: bytes, schema: Schema[Any, Any], kind: int, limits: Limits) -> None:
        super().__init__(data)
        self.limits = limits
        self.size = schema.codec.hash_size
        if len(data) > limits.total:
            raise BadProof(f"it has {len(data)} bytes, the limit is {limits.total}")
        wanted = head(schema, kind)
        if not data.startswith(wanted):
            self._refuse_head(wanted, schema)
        self.at = len(wanted)

    def _refuse_head(self, wanted: bytes, schema: Schema[Any, Any]) -> None:
        data = self.data
        if len(data) < len(wanted) and wanted.startswith(data[:4]):
            raise BadProof(f"truncated: it ends within its head, after {len(data)} bytes", "byte 0")
        if data[:4] != MAGIC:
            raise BadProof(f"unknown tag: a proof begins with {MAGIC.hex()}, not {data[:4].hex()}", "byte 0")
        if data[4] != VERSION:
            raise BadProof(
                f"version {data[4]}, and only {VERSION} can be read; use a newer irminpy", "byte 4"
            )
        if data[5] != wanted[5]:
            found = _KIND_NAMES.get(data[5], f"a proof of the unknown kind {data[5]}")
            raise BadProof(f"wrong proof type: it is {found}, not {_KIND_NAMES[wanted[5]]}", "byte 5")
        found = data[6 : len(wanted)].hex()
        raise ProofMismatch(
            f"parameter mismatch: it is of the schema {found}, not {schema.identity.hex()} ({schema.describe()})",
            "byte 6",
        )

    def byte(self) -> int:
        """The next byte."""
        at = self.at
        if at >= len(self.data):
            raise self.refuse("truncated: one more byte is expected")
        self.at = at + 1
        return self.data[at]

    def varint(self) -> int:
        """The next number, of at most 63 bits."""
        at = self.at
        n = self.byte()
        if n < 128:
            return n
        n &= 127
        shift = 7
        while True:
            byte = self.byte()
            n |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift > 56:
                raise self.refuse("a number of more than 63 bits", at)
        if not byte:
            raise self.refuse("not canonical: a number that is not as short as it can be", at)
        return n

    def varints(self, n: int) -> Sequence[int]:
        """The next `n` numbers."""
        column = self.data[self.at : self.at + n]
        if len(column) == n and (not n or max(column) < 128):
            self.at += n
            return column
        if len(column) < n:  # each takes a byte, so that nothing is made room for
            raise self.refuse(f"truncated: {n} entries are claimed, {len(column)} bytes are left")
        return [self.varint() for _ in range(n)]

    def value(self) -> bytes:
        """The next value of contents."""
        n = self.varint()
        if n > self.limits.contents:
            raise self.refuse(f"a value of {n} bytes, the limit is {self.limits.contents}")
        return self.take(n)

    def kinded(self) -> KindedHash:
        """The next root of which only the hash is written down."""
        at = self.at
        flags = self.byte()
        if flags not in (0, _CONTENTS, _CONTENTS | _METADATA):
            raise self.refuse(f"unknown tag {flags} of a root", at)
        metadata = self.take(self.varint()) if flags & _METADATA else None
        return KindedHash("contents" if flags else "node", Hash(self.take(self.size)), metadata)

    def end(self) -> None:
        """Refuse what comes after the end."""
        if self.at != len(self.data):
            raise self.refuse(f"trailing data: {len(self.data) - self.at} bytes after the end")


def decode_tree(data: bytes, schema: Schema[Any, Any], limits: Limits) -> tuple[Shown, KindedHash]:
    """What the tree proof `data` shows, and the root after. Raises BadProof."""
    usual = head(schema, TREE) + b"\0\1"  # the root after is the root before, a directory that is revealed
    if not (type(data) is bytes and len(data) <= limits.total and data.startswith(usual)):
        return _decoded(data, schema, limits, None, tried=False)
    known = _at_once(data, len(usual), schema, limits)
    if known is None or known[0] != len(data):
        return _decoded(data, schema, limits, known, tried=True)
    _check_known(data, len(usual) - 1, schema, known, limits)
    return known[1], known[1].root


def _decoded(
    data: bytes, schema: Schema[Any, Any], limits: Limits, known: _Known | None, *, tried: bool
) -> tuple[Shown, KindedHash]:
    """As `decode_tree`, of any proof. `known` is what `_at_once` says of its nodes, if that was `tried`."""
    reading = Reading(data, schema, TREE, limits)
    at = reading.at
    changed = reading.byte()
    if changed > 1:
        raise reading.refuse(f"unknown tag {changed} of the root after", at)
    after = reading.kinded() if changed else None
    drafts: list[Draft] = []
    values: list[bytes] = []
    start = reading.at
    flags = reading.byte()
    if flags == _REVEALED:
        root = Root(False, None, None)
        if not tried:
            known = _at_once(data, reading.at, schema, limits)
        if known is None:
            _drafts(reading, schema, drafts, values)
        else:
            reading.at = known[0]
    elif flags in (_CONTENTS | _REVEALED, _CONTENTS | _METADATA | _REVEALED):
        metadata = reading.take(reading.varint()) if flags & _METADATA else None
        root = Root(True, None, metadata)
        values.append(reading.value())
    else:
        reading.at = start
        kinded = reading.kinded()
        root = Root(kinded.kind == "contents", kinded.hash, kinded.metadata)
        if kinded.kind == "node" and kinded.hash == schema.codec.empty:
            raise reading.refuse("not canonical: the empty directory is blinded", start)
    reading.end()
    if known is None:
        shown, shared = assemble(schema, root, drafts, values)
        if shared:
            _check_first(data, start, schema, shown)
    else:
        shown = known[1]
        _check_known(data, start, schema, known, limits)
    if after is None:
        after = shown.root
    elif after == shown.root:
        raise reading.refuse("not canonical: the root after is written out, and equal to the one before", at)
    else:
        check_metadata(schema, after.metadata, "after")
    return shown, after


def _at_once(data: bytes, at: int, schema: Schema[Any, Any], limits: Limits) -> _Known | None:
    """What the nodes from the byte `at` on show, as `_drafts` and `assemble`; None where the core has no answer.

    (where they end, what they show, whether a part is not as it has to be where it is referred to again). That, and
    what values are, is for `_check_known`.
    """
    codec: Any = schema.codec
    if codec.digest is not core.digest:
        return None
    found = core.read_nodes(
        data,
        at,
        codec.fanout,
        codec.leaf,
        codec.levels,
        codec.empty,
        limits.depth,
        limits.density * -(-len(data) // MIB),
        limits.objects,
        limits.contents,
        Node,
    )
    if found is None:
        return None
    if isinstance(found, int):
        explain(data, found, limits, partial(_read_again, at, schema, limits))
        return None
    end, top, nodes, contents, odd, metadata = found
    try:
        for each in metadata:
            check_metadata(schema, each, "")
    except ProofMismatch:
        explain(data, end, limits, partial(_read_again, at, schema, limits))
        return None
    return end, Shown(KindedHash("node", Hash(top)), Encoded(codec, nodes), contents), bool(odd)


def _read_again(at: int, schema: Schema[Any, Any], limits: Limits, data: bytes) -> None:
    """Read the nodes from the byte `at` on, for what is wrong with them."""
    reading = Reading(data, schema, TREE, limits)
    reading.at = at
    _drafts(reading, schema, [], [])


_Known: TypeAlias = "tuple[int, Shown, bool]"


def _check_known(data: bytes, start: int, schema: Schema[Any, Any], known: _Known, limits: Limits) -> None:
    """What `_at_once` leaves to check; the state of the proof `data` begins at `start`."""
    end, shown, odd = known
    check_values(schema, shown.contents.values())
    if odd:
        explain(data, end, limits, partial(_read_again, start + 1, schema, limits))
        check_shape(schema.codec, shown)
        _check_first(data, start, schema, shown)


def _check_first(data: bytes, start: int, schema: Schema[Any, Any], shown: Shown) -> None:
    """Raise BadProof unless `data`, whose state begins at `start`, reveals each part at the first place there is."""
    if encode_tree(schema, shown, shown.root) != _unchanged(data, schema, start):
        raise BadProof("inconsistent sharing: a part is not revealed at the first place that leads to it")


def _unchanged(data: bytes, schema: Schema[Any, Any], start: int) -> bytes:
    """The proof `data`, whose state begins at `start`, as if the root after were that before."""
    return head(schema, TREE) + bytes((_SAME,)) + data[start:]


def _drafts(reading: Reading, schema: Schema[Any, Any], drafts: list[Draft], values: list[bytes]) -> None:
    """Add the revealed nodes of a tree proof, in pre-order, and the revealed values.

    The loop that verification spends its time in: what is usual is done in place, and the rest by `Reading`.
    """
    codec, limits, data = schema.codec, reading.limits, reading.data
    size, fanout = codec.hash_size, codec.fanout
    digit = fanout.bit_length() - 1
    width = (2 * fanout + 7) // 8
    levels = 8 * size // digit
    end = len(data)
    room = limits.density * -(-len(data) // MIB)
    # Where the next nodes stand: parent, which of its entries, directories above, level within the directory, digits.
    stack: list[tuple[int, int, int, int, int]] = [(-1, 0, 0, 0, 0)]
    while stack:
        parent, at, above, level, prefix = stack.pop()
        number = len(drafts)
        start = reading.at
        tag = data[start] if start < end else 128
        if tag < 128:
            reading.at = start + 1
        else:
            tag = reading.varint()
        if tag & 1:
            if tag != _INNER:
                raise reading.refuse(f"unknown tag {tag} of a node", start)
            if level >= levels:
                raise reading.refuse(f"too deep: an inner node below level {levels - 1}", start)
            states = b"".join([_FOUR[byte] for byte in reading.take(width)])
            if 3 in states or (len(states) > fanout and any(states[fanout:])):
                raise reading.refuse("unknown tag of a bucket", start + 1)
            present = states.replace(b"\0", b"")
            blinded = present.count(1)
            buckets = bytes([i for i, state in enumerate(states) if state])
            counts = list(reading.varints(blinded))
            hashes = reading.take(size * blinded)
            reveals = present.translate(_MINUS_ONE)
            drafts.append(Inner(parent, at, level, prefix, buckets, reveals, hashes, counts, None))
            i = reveals.rfind(1)
            while i >= 0:
                stack.append((number, i, above, level + 1, prefix << digit | buckets[i]))
                i = reveals.rfind(1, 0, i)
        else:
            n = tag >> 1
            at_states = reading.at + n
            short = data[reading.at : at_states]
            lengths: Sequence[int] = short
            states = data[at_states : at_states + n]
            at_steps = at_states + n
            stop = at_steps + sum(short)
            if short.isascii() and stop <= end and at_steps <= end:
                # Each length is one byte, and all that they claim is there.
                reading.at = stop
                joined = data[at_steps:stop]
            else:
                lengths = reading.varints(n)
                states = reading.take(n)
                at_steps = reading.at
                joined = reading.take(sum(lengths))
            if n == 1 and joined.isascii():
                steps = [joined.decode("ascii")]
            else:
                steps = _steps(reading, joined, lengths, at_steps)
            more = states.translate(None, _BLINDED)
            if not more:
                drafts.append(
                    Flat(parent, at, level, prefix, steps, states, bytes(n), reading.take(size * n),
                         _metadata(reading, states) if CONTENTS_META in states else {}, len(values))
                )  # fmt: skip
            else:
                if more.translate(None, _ENTRIES):
                    raise reading.refuse("unknown tag of an entry", at_steps - n)
                kinds, reveals = states.translate(_KINDS), states.translate(_SHOWS)
                hashes = reading.take(size * (n - len(more)))
                metadata = _metadata(reading, kinds) if CONTENTS_META in kinds else {}
                drafts.append(
                    Flat(parent, at, level, prefix, steps, kinds, reveals, hashes, metadata, len(values))
                )
                directories = more.count(_REVEALS)
                values += [reading.value() for _ in range(len(more) - directories)]
                if directories:
                    if above >= limits.depth:
                        raise reading.refuse(f"too deep: the limit is {limits.depth} directories", start)
                    i = states.rfind(_REVEALS)
                    while i >= 0:
                        stack.append((number, i, above + 1, 0, 0))
                        i = states.rfind(_REVEALS, 0, i)
        nodes = number + 1 + len(stack)
        if 4 * nodes + len(values) > room or nodes + len(values) > limits.objects:
            raise reading.refuse(limits.crowded)


_MINUS_ONE = bytes([max(0, state - 1) for state in range(256)])


def _metadata(reading: Reading, kinds: bytes) -> dict[int, bytes]:
    """The metadata of the next bytes, by the positions of the entries that have some."""
    return {i: reading.take(reading.varint()) for i, kind in enumerate(kinds) if kind == CONTENTS_META}


def _steps(reading: Reading, joined: bytes, lengths: Sequence[int], start: int) -> list[str]:
    """The steps in `joined`, which stands at the byte `start`, by their lengths."""
    steps: list[str] = []
    at = 0
    if joined.isascii():
        text = joined.decode("ascii")
        for n in lengths:
            steps.append(text[at : at + n])
            at += n
        return steps
    for n in lengths:
        try:
            steps.append(joined[at : at + n].decode())
        except UnicodeDecodeError:
            raise reading.refuse("bad step: it is not UTF-8", start + at) from None
        at += n
    return steps
