"""The index of one generation: where the objects lie, by kind and hash, in LMDB. Bytes: docs/formats/index.md.

It is derived from the frames of the pack, and never believed: what it says of an object is a word that counts only
after the frame there has been hashed, and that there is no entry proves nothing. Whatever does not fit together
raises IndexDamaged, upon which the engine sets the directory aside and rebuilds the index from the frames.

Any thread may use an index. In the child of a fork it can be read.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from struct import Struct
from typing import NoReturn, TypeVar, final

from irminpy.core import Words
from irminpy.errors import Closed, InvalidHash, ReadOnly, StorageError
from irminpy.fields import NamedTuple

from .damage import IndexDamaged, failure
from .environment import DATA, MAP_SIZE, Environment, Reading, Writing
from .files import Files, sync_directory
from .fingerprint import CHECK, Fingerprint, begin, compare, holds, take, void
from .runs import LONGEST_KEY, VALUE, Layout, Run, live, pending

__all__ = ["CHECK", "Entries", "Fingerprint", "Index", "IndexDamaged", "no_entries"]

VERSION = 2
LONGEST_HASH = LONGEST_KEY - 1  # the first byte of a key is the kind

_KINDS = tuple(bytes((kind,)) for kind in range(4))
_VALUE = Struct("<QI")  # word, crc32 of the key and the word
_STATE = Struct(
    "<HH16sQQI"
)  # version, hash size, uuid, generation, end, count of runs; then these, and a crc32
_RUN = Struct("<IIQQ")
_NAME = b"state"
_PAGE = 64  # blocks of the largest run that are read at once
_AT_ONCE = 1024  # look-ups before other threads get their turn
_JOINED = 1 << 17  # rows that adding makes one run at once; more are merged later
_HEX = frozenset("0123456789abcdef")

T = TypeVar("T")
Entries = dict[int, dict[bytes, int]]
"""Words of objects, by kind and hash."""


def no_entries() -> Entries:
    """None yet, of each kind that there is."""
    return {1: {}, 2: {}, 3: {}}


class _State(NamedTuple):
    end: int
    runs: list[Run]
    """In the order of their age, the oldest first. One that is not complete lies behind those that become it."""
    live: list[Run]
    """Those that are complete."""
    heads: list[bytes]
    """What the keys of their blocks begin with, the newest first."""


@final
class Index:
    """The index in one directory, open; `open` gives it. Every method but `close` raises Closed after `close`."""

    __slots__ = (
        *(
            "_check",
            "_environment",
            "_files",
            "_fingerprint",
            "_generation",
            "_hash_size",
            "_known",
            "_layout",
        ),
        *("_uuid", "checked", "directory", "readonly"),
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
        self._layout = Layout(1 + hash_size)
        self._known: tuple[bytes, _State] | None = None  # the state that was read last
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
            directory, readonly=readonly, map_size=map_size, initial=lambda txn: index._set(txn, 0, [])
        )
        try:
            index._environment = environment
            transaction = environment.read(index._whole)
            if fingerprint is not None:
                index._expect(fingerprint, transaction)
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
        return self._read(lambda txn: self._state(txn).end)

    @property
    def count(self) -> int:
        """How many entries there are; one that was added again may count twice, until runs are merged."""
        return self._read(lambda txn: sum([run.rows for run in self._runs(txn)]))

    @property
    def runs(self) -> int:
        """How many runs a look-up goes through."""
        return self._read(lambda txn: len(self._runs(txn)))

    def find(self, kind: int, hash: bytes) -> int:
        """The word of an object with this kind and hash, or 0 if there is no entry. Cost: some 3 us and 1 a run."""
        if len(hash) != self._hash_size:
            raise self._wrong_size(hash)
        key = _KINDS[kind] + hash
        value = self._read(lambda txn: self._layout.look(txn, self._state(txn).heads, key))
        return 0 if value is None else self._word(key, value)

    def find_many(self, kind: int, hashes: Sequence[bytes]) -> list[int]:
        """`find` for each of `hashes`, in order. Cost: some 2 us each for each run, less where they are many."""
        size, prefix = self._hash_size, _KINDS[kind]
        for wrong in {*map(len, hashes)} - {size}:
            raise self._wrong_size(next(hash_ for hash_ in hashes if len(hash_) == wrong))
        keys = [prefix + hash_ for hash_ in hashes]
        words: dict[bytes, int] = {}
        if not self._environment:
            self._closed()
        for start in range(0, len(keys), _AT_ONCE):
            found = self._read(partial(self._look, keys[start : start + _AT_ONCE]))
            words.update([(key, self._word(key, value)) for key, value in found.items()])
        return [words.get(key, 0) for key in keys] if words else [0] * len(keys)

    def _look(self, keys: list[bytes], txn: Reading) -> dict[bytes, bytes]:
        return self._layout.look_many(txn, self._state(txn).heads, keys)

    def prefix(self, kind: int, prefix_hex: str, limit: int) -> list[bytes]:
        """The first `limit` hashes whose hexadecimal digits (lower case) begin with `prefix_hex`, ascending."""
        found: list[bytes] = []
        if limit <= 0 or len(prefix_hex) > 2 * self._hash_size or not _HEX.issuperset(prefix_hex):
            return found
        first = _KINDS[kind] + bytes.fromhex(prefix_hex + "0" * (len(prefix_hex) % 2))
        for key, _ in self._entries(first, 1 + min(limit // 64, _PAGE)):
            if len(found) == limit or key[0] != kind or not key[1:].hex().startswith(prefix_hex):
                break
            found.append(key[1:])
        return found

    def dump(self) -> Iterator[tuple[bytes, int]]:
        """All entries, ascending: kind and hash, and the word. Each is checked.

        It holds nothing in LMDB while the caller works: entries added meanwhile may or may not come.
        """
        return self._entries(b"", _PAGE)

    def _entries(self, start: bytes, blocks: int) -> Iterator[tuple[bytes, int]]:
        row = Struct(f"{1 + self._hash_size}s{VALUE}s")
        for rows in self._pages(start, blocks):
            for key, value in row.iter_unpack(rows):
                yield key, self._word(key, value)

    def keys(self, kind: int) -> Iterator[list[bytes]]:
        """All keys (kind and hash) of a kind and some of the next one, some thousand at a time, ascending.

        Their checksums are not looked at. It holds nothing in LMDB while the caller works. Cost: a tenth of `dump`.
        """
        row = Struct(f"{1 + self._hash_size}s{VALUE}x")
        for rows in self._pages(_KINDS[kind], _PAGE):
            keys = [key for (key,) in row.iter_unpack(rows)]
            if keys:
                yield keys
            if keys and keys[-1][0] != kind:
                return

    def _pages(self, start: bytes, blocks: int, run: Run | None = None) -> Iterator[bytes]:
        """The rows from the key `start` on, ascending, of all runs or of one, `blocks` of them at a time."""
        following: bytes | None = start
        while following is not None:
            rows, following = self._read(partial(self._page, following, blocks, run))
            yield rows

    def _page(self, start: bytes, blocks: int, run: Run | None, txn: Reading) -> tuple[bytes, bytes | None]:
        return self._layout.page(txn, [run] if run else self._runs(txn), start, blocks)

    def verify(self) -> None:
        """Raise IndexDamaged if a run has not as many rows as it says. Cost: a pass over the file."""
        for run in self._read(self._runs):
            rows = sum(map(self._layout.count, self._pages(b"", _PAGE, run)))
            if rows != run.rows and run in self._read(self._runs):  # or it was merged meanwhile
                reason = f"its run {run.number} has {rows} rows, and says {run.rows}"
                raise (self._environment or self._closed()).condemn(reason)

    # Adding

    def add(self, entries: dict[bytes, int], end: int) -> None:
        """Bind the keys (kind and hash) of `entries` to their words, and let `end` be the end: all or nothing.

        One sorted run, durable when this returns; the map grows where it must. Raises StorageError without
        a change if there is no space or memory, ReadOnly, and IndexDamaged.
        """
        words = Words(1 + self._hash_size)
        for wrong in {*map(len, entries)} - {1 + self._hash_size}:
            raise self._wrong_size(next(key for key in entries if len(key) == wrong)[1:])
        words.add(entries)
        self._write(lambda: words.rows(b""), end)

    def add_kinds(self, entries: Mapping[int, Words], end: int) -> None:
        """`add`, of hashes by kind."""
        for words in entries.values():
            if words.size != self._hash_size:
                raise ValueError(f"hashes of {words.size} bytes for an index of hashes of {self._hash_size}")
        self._write(lambda: b"".join([entries[kind].rows(_KINDS[kind]) for kind in sorted(entries)]), end)

    def _write(self, made: Callable[[], bytes], end: int) -> None:
        environment = self._environment or self._closed()
        if self.readonly:
            raise ReadOnly(f"the index {self.directory}")
        rows = made()
        self._fingerprint = None
        environment.write(lambda txn: self._add(txn, rows, end))

    def _add(self, txn: Writing, rows: bytes, end: int) -> None:
        self._whole(txn)
        void(self._files, self.directory, txn.number - 1)  # before anything reaches the file
        self._set(txn, end, self._layout.add(txn, self._state(txn).runs, rows, _JOINED))
        self._whole(txn)

    def merge(self, *, wholly: bool = False) -> None:
        """Make one run of many where that is due, or of all, `wholly`. It says nothing else then, and says it faster.

        Cost: some 0.1 us for each of the rows, of which at most some megabytes are in memory; log2(n) times for
        each of `n` rows that ever come. Raises as `add`; what was merged until then stays.
        """
        environment = self._environment or self._closed()
        while pending(environment.read(self._state).runs, wholly):
            self._fingerprint = None
            environment.write(partial(self._merge, wholly))

    def _merge(self, wholly: bool, txn: Writing) -> None:
        self._whole(txn)
        state = self._state(txn)
        count = pending(state.runs, wholly)
        if count:  # and no other process was faster
            void(self._files, self.directory, txn.number - 1)
            self._set(txn, state.end, self._layout.merge(txn, state.runs, count))
            self._whole(txn)

    # Closing

    def fingerprint(self) -> Fingerprint | None:
        """What the file is now, for MANIFEST; None if another process is writing to it. Cost: one pass over it."""
        known = self._fingerprint
        if known is None or not holds(self._files, self.directory, known):
            self._fingerprint = take(self._files, self.directory, self._read(self._whole), self._check)
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

    def _read(self, work: Callable[[Reading], T]) -> T:
        return (self._environment or self._closed()).read(work)

    def _runs(self, txn: Reading) -> list[Run]:
        return self._state(txn).live

    def _whole(self, txn: Reading) -> int:
        """The number of the transaction, in which the state is that of the table, or IndexDamaged."""
        there, blocks = txn.entries, sum([run.blocks for run in self._state(txn).runs])
        if there != blocks:
            raise IndexDamaged(self.directory, f"its count of blocks is {blocks}, not {there}")
        return txn.number

    def _state(self, txn: Reading) -> _State:
        record, known = txn.get(_NAME), self._known
        if known is not None and known[0] == record:
            return known[1]
        if record is None or len(record) < _STATE.size + 4:
            raise IndexDamaged(self.directory, "its state is missing or of a wrong length")
        if zlib.crc32(record[:-4]).to_bytes(4, "little") != record[-4:]:
            raise IndexDamaged(self.directory, "its state has a wrong checksum")
        version, hash_size, uuid, generation, end, count = _STATE.unpack_from(record)
        for what, found, wanted in (
            ("format version", version, VERSION),
            ("hash size", hash_size, self._hash_size),
            ("store", uuid.hex(), self._uuid.hex()),
            ("generation", generation, self._generation),
            ("state's length", len(record), _STATE.size + count * _RUN.size + 4),
        ):
            if found != wanted:
                raise IndexDamaged(self.directory, f"its {what} is {found}, not {wanted}")
        runs = [Run(*fields) for fields in _RUN.iter_unpack(record[_STATE.size : -4])]
        there = live(runs)
        state = _State(end, runs, there, [run.head for run in reversed(there)])
        self._known = record, state
        return state

    def _set(self, txn: Writing, end: int, runs: Sequence[Run]) -> None:
        head = _STATE.pack(VERSION, self._hash_size, self._uuid, self._generation, end, len(runs))
        record = head + b"".join([_RUN.pack(*run) for run in runs])
        txn.set(_NAME, record + zlib.crc32(record).to_bytes(4, "little"))

    def _wrong_size(self, hash: bytes) -> InvalidHash:
        return InvalidHash(hash, f"hashes of this store have {self._hash_size} bytes")

    def _closed(self) -> NoReturn:
        raise Closed(f"the index {self.directory}")


def _make_directory(files: Files, directory: str) -> None:
    try:
        if not files.exists(directory):
            files.mkdir(directory)
            sync_directory(files, os.path.dirname(directory))
    except OSError as error:
        raise failure(directory, error) from error
