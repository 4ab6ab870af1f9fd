"""The index of one generation: where the objects lie, by kind and hash, in LMDB. Bytes: docs/formats/index.md.

It is derived from the frames of the pack, and never believed: what it says of an object is a word that counts only
after the frame there has been hashed, and that there is no entry proves nothing. Whatever does not fit together
raises IndexDamaged, upon which the engine sets the directory aside and rebuilds the index from the frames.

Any thread may use an index. In the child of a fork it can be read.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import final

from irminpy.core import index_rows
from irminpy.errors import Closed, InvalidHash, ReadOnly, StorageError
from irminpy.fields import NamedTuple

from .damage import IndexDamaged, failure
from .environment import DATA, MAP_SIZE, Environment, Writing
from .files import Files, sync_directory
from .fingerprint import CHECK, Fingerprint, begin, compare, holds, take, void

__all__ = ["CHECK", "Entries", "Fingerprint", "Index", "IndexDamaged", "no_entries"]

VERSION = 1
LONGEST_HASH = 510  # LMDB's keys have at most 511 bytes, and the first is the kind

_KINDS = tuple(bytes((kind,)) for kind in range(4))
_VALUE = Struct("<QI")  # word, crc32 of the key and the word
_STATE = Struct("<HH16sQQQI")  # version, hash size, uuid, generation, end, count, crc32 of these
_NAME = b"state"
_PAGE = 4096  # entries read at once by `dump`
_HEX = frozenset("0123456789abcdef")

Entries = dict[int, dict[bytes, int]]
"""Words of objects, by kind and hash."""


def no_entries() -> Entries:
    """None yet, of each kind that there is."""
    return {1: {}, 2: {}, 3: {}}


class _State(NamedTuple):
    end: int
    entries: int
    transaction: int


@final
class Index:
    """The index in one directory, open; `open` gives it. Every method but `close` raises Closed after `close`."""

    __slots__ = (
        *("_check", "_environment", "_files", "_fingerprint", "_generation", "_hash_size", "_uuid"),
        *("checked", "directory", "readonly"),
    )

    directory: str
    readonly: bool
    checked: bool
    """Whether the file was compared with its fingerprint, or made by this handle: then a miss is a miss."""

    def __init__(
        self,
        directory: str,
        uuid: bytes,
        generation: int,
        hash_size: int,
        readonly: bool,
        files: Files,
        check: int,
    ) -> None:
        self.directory = directory
        self.readonly = readonly
        self.checked = False
        self._uuid = uuid
        self._generation = generation
        self._hash_size = hash_size
        self._files = files
        self._check = check
        self._fingerprint: Fingerprint | None = None  # while it is known to hold
        self._environment: Environment | None = None

    @staticmethod
    def open(
        directory: str,
        *,
        uuid: bytes,
        generation: int,
        hash_size: int,
        readonly: bool,
        files: Files,
        fingerprint: Fingerprint | None = None,
        check: int = CHECK,
        map_size: int = MAP_SIZE,
    ) -> Index:
        """The index in `directory`; without one an empty one, unless `readonly`.

        `uuid` (16 bytes) and `generation` say whose it is. A `fingerprint` that still holds is compared before
        LMDB maps the file, if that has at most `check` bytes. `map_size` is the address space in bytes to begin with.
        Raises IndexDamaged if it is not the index asked for, if it is damaged, or if a `readonly` one is not
        there; StorageError if it cannot be opened now. Cost: one pass over the file, if it is compared.
        """
        if not 1 <= hash_size <= LONGEST_HASH:
            raise StorageError(
                f"an index holds hashes of 1 to {LONGEST_HASH} bytes, not {hash_size}: choose another hash"
            )
        index = Index(directory, uuid, generation, hash_size, readonly, files, check)
        fresh = not files.exists(os.path.join(directory, DATA))
        if fresh and readonly:
            raise IndexDamaged(directory, "there is none")
        if fresh:
            _make_directory(files, directory)
            begin(files, directory)
        elif fingerprint is not None and compare(files, directory, fingerprint, check):
            index.checked, index._fingerprint = True, fingerprint
        environment = Environment.open(
            directory, readonly=readonly, map_size=map_size, initial=lambda txn: index._set(txn, 0, 0)
        )
        try:
            index._environment = environment
            state = index._state()
            if fingerprint is not None:
                index._expect(fingerprint, state.transaction)
            index.checked = index.checked or fresh
        except BaseException:
            environment.release()
            raise
        return index

    def _expect(self, fingerprint: Fingerprint, transaction: int) -> None:
        # Also what was too long to be hashed: numbers cost nothing.
        if transaction != fingerprint.transaction and holds(self._files, self.directory, fingerprint):
            reason = f"its newest transaction is {transaction}, not {fingerprint.transaction}"
            raise (self._environment or self._closed()).condemn(reason)

    # What is there

    @property
    def end(self) -> int:
        """The virtual offset up to which the frames of the pack are indexed."""
        return self._state().end

    @property
    def count(self) -> int:
        """How many entries there are."""
        return self._state().entries

    def find(self, kind: int, hash: bytes) -> int:
        """The word of an object with this kind and hash, or 0 if there is no entry. Cost: some 3 us."""
        if len(hash) != self._hash_size:
            raise self._wrong_size(hash)
        key = _KINDS[kind] + hash
        value = (self._environment or self._closed()).get(key)
        return 0 if value is None else self._word(key, value)

    def find_many(self, kind: int, hashes: Sequence[bytes]) -> list[int]:
        """`find` for each of `hashes`, in order. Cost: some 2 us each."""
        size, prefix = self._hash_size, _KINDS[kind]
        for wrong in {*map(len, hashes)} - {size}:
            raise self._wrong_size(next(hash_ for hash_ in hashes if len(hash_) == wrong))
        keys = [prefix + hash_ for hash_ in hashes]
        found = (self._environment or self._closed()).get_many(keys)
        words = {key: self._word(key, value) for key, value in found}
        return [words.get(key, 0) for key in keys] if words else [0] * len(keys)

    def prefix(self, kind: int, prefix_hex: str, limit: int) -> list[bytes]:
        """The first `limit` hashes whose hexadecimal digits (lower case) begin with `prefix_hex`, ascending."""
        environment = self._environment or self._closed()
        if limit <= 0 or len(prefix_hex) > 2 * self._hash_size or not _HEX.issuperset(prefix_hex):
            return []
        first = _KINDS[kind] + bytes.fromhex(prefix_hex + "0" * (len(prefix_hex) % 2))
        found: list[bytes] = []
        for key, value in environment.entries_from(first, limit):
            self._word(key, value)
            if key[0] != kind or not key[1:].hex().startswith(prefix_hex):
                break
            found.append(key[1:])
        return found

    def dump(self) -> Iterator[tuple[bytes, int]]:
        """All entries, ascending: kind and hash, and the word. Each is checked.

        It holds nothing in LMDB while the caller works: entries added meanwhile may or may not come.
        """
        start = b"\0"
        while True:
            environment = self._environment or self._closed()
            page = environment.entries_from(start, _PAGE)
            for key, value in page:
                # Damage may lead LMDB in circles; then keys do not ascend.
                if key < start or len(key) != 1 + self._hash_size:
                    raise environment.condemn(f"its entry {key.hex()} is out of order, or of a wrong length")
                yield key, self._word(key, value)
                start = key + b"\0"
            if len(page) < _PAGE:
                return

    def keys(self, kind: int) -> Iterator[list[bytes]]:
        """All keys (kind and hash) of a kind and some of the next one, some thousand at a time.

        Neither their checksums nor, within a list, their order are looked at. It holds nothing in LMDB while the
        caller works. Cost: a tenth of `dump`.
        """
        start = _KINDS[kind]
        while True:
            environment = self._environment or self._closed()
            page = environment.keys_from(start, _PAGE)
            if not page:
                return
            if page[-1] < start or {*map(len, page)} != {1 + self._hash_size}:
                raise environment.condemn(
                    f"its keys from {start.hex()} on are out of order, or of wrong lengths"
                )
            yield page
            if len(page) < _PAGE or page[-1][0] != kind:
                return
            start = page[-1] + b"\0"

    # Adding

    def add(self, entries: dict[bytes, int], end: int) -> None:
        """Bind the keys (kind and hash) of `entries` to their words, and let `end` be the end: all or nothing.

        One sorted transaction, durable when this returns; the map grows where it must. Raises StorageError without
        a change if there is no space or memory, ReadOnly, and IndexDamaged.
        """
        self._write([(b"", entries)], end)

    def add_kinds(self, entries: Entries, end: int) -> None:
        """`add`, of entries by kind and hash."""
        self._write([(_KINDS[kind], entries[kind]) for kind in sorted(entries)], end)

    def _write(self, entries: Iterable[tuple[bytes, dict[bytes, int]]], end: int) -> None:
        """Bind each prefix with the keys after it, ascending, to their words."""
        environment = self._environment or self._closed()
        if self.readonly:
            raise ReadOnly(f"the index {self.directory}")
        rows: list[bytes] = []
        for prefix, words in entries:
            size = 1 + self._hash_size - len(prefix)
            for wrong in {*map(len, words)} - {size}:
                raise self._wrong_size(next(key for key in words if len(key) == wrong)[1 - len(prefix) :])
            rows.append(index_rows(prefix, words, size))
        self._fingerprint = None
        environment.write(lambda txn: self._add(txn, rows, end))

    def _add(self, txn: Writing, rows: list[bytes], end: int) -> None:
        before = txn.entries
        self._parse(txn.get(_NAME), before, txn.number - 1)
        void(self._files, self.directory, txn.number - 1)  # before anything reaches the file
        key = 1 + self._hash_size
        put = sum([txn.put(some, key, _VALUE.size) for some in rows])
        if not before <= txn.entries <= before + put:
            raise IndexDamaged(self.directory, f"{put} entries made {txn.entries} of {before}")
        self._set(txn, end, txn.entries)

    # Closing

    def fingerprint(self) -> Fingerprint | None:
        """What the file is now, for MANIFEST; None if another process is writing to it. Cost: one pass over it."""
        known = self._fingerprint
        if known is None or not holds(self._files, self.directory, known):
            self._fingerprint = take(self._files, self.directory, self._state().transaction, self._check)
        return self._fingerprint

    def close(self) -> Fingerprint | None:
        """Release it; what `fingerprint` says at the end, or None if it is `readonly` or damaged.

        A second call does nothing.
        """
        environment = self._environment
        if environment is None:
            return None
        try:
            if environment.readonly or self.readonly or environment.condemned:
                return None
            return self.fingerprint()
        except IndexDamaged:
            return None
        finally:
            self._environment = None
            environment.release()

    def drop(self) -> None:
        """Release it, without a look at what it is. A second call does nothing."""
        environment, self._environment = self._environment, None
        if environment is not None:
            environment.release()

    def abandon(self) -> None:
        """As `drop`, soon, and without taking any lock: for a finalizer."""
        environment, self._environment = self._environment, None
        if environment is not None:
            environment.forget()

    # Bytes

    def _word(self, key: bytes, value: bytes) -> int:
        if len(value) == _VALUE.size:
            word, crc = _VALUE.unpack(value)
            if crc == zlib.crc32(value[:8], zlib.crc32(key)):
                return int(word)
        raise (self._environment or self._closed()).condemn(f"its entry {key.hex()} has a wrong checksum")

    def _state(self) -> _State:
        environment = self._environment or self._closed()
        record, entries, transaction = environment.record(_NAME)
        try:
            return self._parse(record, entries, transaction)
        except IndexDamaged as found:
            raise environment.condemn(found.reason) from found

    def _parse(self, record: bytes | None, entries: int, transaction: int) -> _State:
        if record is None or len(record) != _STATE.size:
            raise IndexDamaged(self.directory, "its state is missing or of a wrong length")
        version, hash_size, uuid, generation, end, count, crc = _STATE.unpack(record)
        if crc != zlib.crc32(record[:-4]):
            raise IndexDamaged(self.directory, "its state has a wrong checksum")
        for what, found, wanted in (
            ("format version", version, VERSION),
            ("hash size", hash_size, self._hash_size),
            ("store", uuid.hex(), self._uuid.hex()),
            ("generation", generation, self._generation),
            ("count of entries", count, entries),
        ):
            if found != wanted:
                raise IndexDamaged(self.directory, f"its {what} is {found}, not {wanted}")
        return _State(end, count, transaction)

    def _set(self, txn: Writing, end: int, count: int) -> None:
        record = _STATE.pack(VERSION, self._hash_size, self._uuid, self._generation, end, count, 0)[:-4]
        txn.set(_NAME, record + zlib.crc32(record).to_bytes(4, "little"))

    def _wrong_size(self, hash: bytes) -> InvalidHash:
        return InvalidHash(hash, f"hashes of this store have {self._hash_size} bytes")

    def _closed(self) -> Environment:
        raise Closed(f"the index {self.directory}")


def _make_directory(files: Files, directory: str) -> None:
    try:
        if not files.exists(directory):
            files.mkdir(directory)
            sync_directory(files, os.path.dirname(directory))
    except OSError as error:
        raise failure(directory, error) from error
