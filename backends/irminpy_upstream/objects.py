"""From an offset or a hash to the canonical bytes of an object, checked: what Irmin hashed, from what it stored.

Irmin stores offsets in place of hashes, numbers in place of steps, and in pieces a directory of 33 to 256 bindings that
it hashes as one. So every object is put together from several places, and counts only with the hash that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from struct import pack
from typing import Any, Final, TypeVar

from irminpy.errors import Corrupted, DecodeError, InvalidStep
from irminpy.formats.irmin import Delimited, IrminCodec
from irminpy.hash import Hash
from irminpy.info import Info
from irminpy.objects import CONTENTS_META, Kind
from irminpy.objects import Commit as CommitVal
from irminpy.path import step_of_bytes
from irminpy.schema import Schema

from . import entry
from .cursor import Cursor
from .entry import DANGLING, KINDS, SIZED, Address, Row, Tree, Values
from .index import Index
from .space import Part, Space

__all__ = ["Entry", "Objects"]

T = TypeVar("T")

_FIRST_READ: Final = 4096
_LONGEST: Final = 32 << 20
"""Bytes of an entry that does not say its length; irmin-pack has a limit of the same kind, of 1 GiB."""


class Entry:
    """What lies at one offset: the hash it says it has, its kind, and where its value begins."""

    __slots__ = ("_size", "hash", "kind", "offset", "part")

    def __init__(self, part: Part, offset: int, hash: bytes, kind: bytes) -> None:
        self.part = part
        self.offset = offset
        self.hash = hash
        self.kind = kind
        self._size = len(hash)

    def damaged(self, reason: str) -> Corrupted:
        """That this entry is damaged."""
        return Corrupted(self.part.path, self.offset, Hash(self.hash), reason)

    def decoded(self, what: str, decode: Callable[[Cursor], T]) -> T:
        """What `decode` makes of the value; Corrupted where it cannot, or leaves something over."""
        begin = self.offset + self._size + 1
        sized = self.kind in SIZED
        n = _FIRST_READ
        while True:
            data = self.part.read(begin, n)
            cursor = Cursor(data, what)
            try:
                if sized:
                    length = cursor.varint()
                    if cursor.at + length > len(data) and len(data) == n:
                        # `read` gives no more than there is, whatever a damaged length says.
                        n = cursor.at + length
                        continue
                    cursor = Cursor(cursor.take(length), what)
                made = decode(cursor)
                if sized:
                    cursor.end()
                return made
            except DecodeError as e:
                if sized or not cursor.short or len(data) < n or n >= _LONGEST:
                    raise self.damaged(e.reason) from e
                n *= 4


class Objects:
    """The objects of a store as a reader sees it; a word of an object is its offset, and 1.

    Corrupted for whatever is not what it should be.
    """

    def __init__(
        self, schema: Schema[Any, Any], codec: IrminCodec, space: Space, index: Index, steps: Sequence[bytes]
    ) -> None:
        self._codec = codec
        self._size = codec.hash_size
        self._space = space
        self._index = index
        self._steps = steps
        self._metadata = schema.metadata.read if isinstance(schema.metadata, Delimited) else None
        self.cut_off: set[Hash] = set()
        """The commits that were met as parents and of which garbage collection has left nothing but their bytes."""

    # -- entries ---------------------------------------------------------------------------------------------

    def find(self, kind: Kind, hash: bytes, word: int) -> Entry | None:
        """The entry of `hash` that lies where `word` says, or else where the index does; None if there is none."""
        if word:
            found = self._at(word - 1, kind, hash)
            if found is not None:
                return found
        for offset in self._index.find(hash):
            head = self._head(offset)
            if head is None:
                continue  # it was collected, and the index does not forget
            if head.hash != hash:
                raise Corrupted(
                    head.part.path,
                    offset,
                    Hash(hash),
                    f"the object {head.hash.hex()} lies where the index leads",
                )
            found = self._at(offset, kind, hash)
            if found is not None:
                return found
        return None

    def _at(self, offset: int, kind: Kind, hash: bytes) -> Entry | None:
        """The entry at `offset`, if it says it is that; one that is whole rather than one that dangles."""
        for found in self._heads(offset):
            if found.hash == hash and KINDS[found.kind] is kind and found.kind != DANGLING:
                return found
        return None

    def peek(self, offset: int) -> bytes | None:
        """The hash that the entry at `offset` says it has; None if nothing lies there."""
        found = self._head(offset)
        return None if found is None else found.hash

    def _head(self, offset: int) -> Entry | None:
        return next(self._heads(offset), None)

    def _heads(self, offset: int) -> Iterator[Entry]:
        """The entry at `offset`, in each part of the store that has it. Corrupted if it is none."""
        for part in self._space.parts:
            data = part.read(offset, self._size + 1)
            if not data:
                continue
            hash_, kind = data[: self._size], data[self._size :]
            if kind not in KINDS:
                found = kind.hex() or "nothing"
                raise Corrupted(part.path, offset, None, f"{found} where the kind of an object is expected")
            one = Entry(part, offset, hash_, kind)
            if kind == DANGLING and not self._may_dangle(one):
                raise one.damaged("a commit that was kept is marked as the parent of one that was")
            yield one

    def _may_dangle(self, found: Entry) -> bool:
        """Only parents of the commit that was kept may, and that one lies right before the suffix."""
        space, size = self._space, self._size
        if space.is_kept(found.offset):
            return False
        data = found.part.read(found.offset + size + 1, 9)
        cursor = Cursor(data, "commit")
        try:
            length = cursor.varint()
        except DecodeError as e:
            raise found.damaged(e.reason) from e
        return found.offset + size + 1 + cursor.at + length != space.suffix.start

    def _child(self, by: Entry, address: Address) -> tuple[bytes, int]:
        """The hash of a child, and its word."""
        if isinstance(address, bytes):
            return address, 0
        if address >= by.offset:
            raise by.damaged(f"it leads to the offset {address}, where only what came later can be")
        found = self._head(address)
        if found is None:
            raise by.damaged(f"it leads to the offset {address}, where nothing is kept")
        return found.hash, address + 1

    # -- objects ---------------------------------------------------------------------------------------------

    def load(self, kind: Kind, hash: bytes, word: int) -> tuple[bytes, bytes] | None:
        """The canonical bytes of an object and the words of its children, as `irminpy.backend.Locating.load`.

        Cost: one read for the object, and one for each child of which it has the offset.
        """
        found = self.find(kind, hash, word)
        if found is None:
            return None
        try:
            if kind is Kind.CONTENTS:
                data, words = self._contents(found), b""
            elif kind is Kind.COMMIT:
                data, words = self._commit(found)
            else:
                data, words = self._node(found)
        except (DecodeError, InvalidStep) as e:
            raise found.damaged(str(e)) from e
        if self._codec.digest(data) != hash:
            raise found.damaged(
                "what it says has another hash; or the store has another schema (hash, format, entries, stable limit)"
            )
        return data, words

    def _contents(self, found: Entry) -> bytes:
        value = found.decoded("contents", lambda cursor: cursor.take(len(cursor.data)))
        return self._codec.encode_contents([value])[0]

    def _commit(self, found: Entry) -> tuple[bytes, bytes]:
        size = self._size
        raw = found.decoded("commit", lambda cursor: entry.commit(found.kind, cursor, size))
        node, word = self._child(found, raw.node)
        parents = sorted(self._child(found, parent) for parent in raw.parents)
        for hash_, at in parents:
            if at and all(head.kind == DANGLING for head in self._heads(at - 1)):
                self.cut_off.add(Hash(hash_))
        try:
            info = Info(raw.date, raw.author.decode(), raw.message.decode())
        except UnicodeDecodeError as e:
            raise found.damaged("the author or the message is not UTF-8") from e
        val = CommitVal.stored(Hash(node), tuple([Hash(hash_) for hash_, _ in parents]), info)
        words = (word, *(at for _, at in parents))
        return self._codec.encode_commit(val), pack(f"<{len(words)}Q", *words)

    # -- directories -----------------------------------------------------------------------------------------

    def _raw(self, found: Entry) -> Values | Tree:
        size, steps, metadata = self._size, self._steps, self._metadata
        return found.decoded("inode", lambda cursor: entry.inode(cursor, size, steps, metadata))

    def _node(self, found: Entry) -> tuple[bytes, bytes]:
        codec = self._codec
        raw = self._raw(found)
        root = entry.is_root(found.kind, raw)
        if type(raw) is Values:
            return self._flat(found, [(found, row) for row in raw.rows], root=root)
        assert type(raw) is Tree
        if root and raw.length <= codec.stable:
            return self._flat(found, self._rows(found, raw), root=True)
        return self._inode(found, raw)

    def _inode(self, found: Entry, raw: Tree) -> tuple[bytes, bytes]:
        codec = self._codec
        indices = [index for index, _ in raw.children]
        if not indices or max(indices) >= codec.fanout:
            raise found.damaged(
                f"its children are not 1 to {codec.fanout}: other `entries` were chosen, or it is damaged"
            )
        children = [self._child(found, address) for _, address in raw.children]
        self._in_order(found, raw)
        data = codec.encode_inode(
            raw.depth, bytes(indices), [raw.length], b"".join([hash_ for hash_, _ in children])
        )
        return data, pack(f"<{len(children)}Q", *(word for _, word in children))

    def _flat(self, found: Entry, rows: list[tuple[Entry, Row]], *, root: bool) -> tuple[bytes, bytes]:
        codec = self._codec
        rows.sort(key=lambda pair: pair[1].step)
        steps = [step_of_bytes(row.step) for _, row in rows]
        kinds = bytes([row.kind for _, row in rows])
        children = [self._child(by, row.address) for by, row in rows]
        hashes = b"".join([hash_ for hash_, _ in children])
        metadata = [row.metadata for _, row in rows if row.kind == CONTENTS_META]
        encode = codec.encode_node if root else codec.encode_bucket
        return encode(steps, kinds, hashes, metadata), pack(f"<{len(children)}Q", *(at for _, at in children))

    def _rows(self, top: Entry, raw: Tree) -> list[tuple[Entry, Row]]:
        """The bindings of a directory that is stored in pieces, each with the entry that has it.

        Bounded: by the number of bindings that the directory says it has, and the depth of inodes.
        """
        codec = self._codec
        rows: list[tuple[Entry, Row]] = []
        stack: list[tuple[Entry, Tree, tuple[int, ...]]] = [(top, raw, ())]
        while stack:
            by, tree, digits = stack.pop()
            if tree.depth != len(digits) or tree.depth >= codec.levels:
                raise by.damaged(f"an inode of depth {tree.depth} where {len(digits)} is its depth")
            for index, address in tree.children:
                below, found = self._below(by, address)
                own = (*digits, index)
                if type(found) is Tree:
                    stack.append((below, found, own))
                    continue
                assert type(found) is Values
                if not found.rows:
                    raise below.damaged("a part of a directory without bindings")
                self._placed(below, found, own)
                rows += [(below, row) for row in found.rows]
                if len(rows) > raw.length:
                    raise top.damaged(f"it has more than the {raw.length} bindings that it says it has")
            if not tree.children:
                raise by.damaged("a part of a directory without children")
        if len(rows) != raw.length:
            raise top.damaged(f"it has {len(rows)} bindings, and says that it has {raw.length}")
        return rows

    def _below(self, by: Entry, address: Address) -> tuple[Entry, Values | Tree]:
        """The entry of a part of a directory, and what it holds."""
        hash_, word = self._child(by, address)
        found = self.find(Kind.NODE, hash_, word)
        if found is None:
            raise by.damaged(f"its part {hash_.hex()} is not there")
        return found, self._raw(found)

    def _placed(self, found: Entry, values: Values, digits: tuple[int, ...]) -> None:
        """Corrupted unless all steps of `values` have these digits at the depths from 0 on."""
        for row in values.rows:
            self._has(found, row.step, dict(enumerate(digits)))

    def _has(self, found: Entry, step: bytes, digits: dict[int, int]) -> None:
        text = step_of_bytes(step)
        for depth, digit in digits.items():
            own = self._codec.digit(text, depth)
            if own != digit:
                raise found.damaged(
                    f"the step {text!r:.80} is in the child {digit} where the order of children has {own}; "
                    "or the store has another order (`order`) or other `entries`"
                )

    def _in_order(self, found: Entry, raw: Tree) -> None:
        """Look whether a large directory is in the order of the schema: no hash says that, and look-ups need it.

        One bucket below is looked at, all its steps.
        """
        digits = {raw.depth: raw.children[0][0]}
        by, tree = found, raw
        for _ in range(self._codec.levels):
            below, inner = self._below(by, tree.children[0][1])
            if type(inner) is Values:
                for row in inner.rows:
                    self._has(below, row.step, digits)
                return
            assert type(inner) is Tree
            if inner.depth != tree.depth + 1 or not inner.children:
                raise below.damaged(f"an inode of depth {inner.depth} where {tree.depth + 1} is its depth")
            digits[inner.depth] = inner.children[0][0]
            by, tree = below, inner
        raise found.damaged("its parts lie deeper than inodes can")
