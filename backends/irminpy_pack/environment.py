"""LMDB environments, one per data file and process, shared by all who open its directory.

Only this module calls LMDB.

LMDB forbids a second environment on the same file in one process, and the use of an environment in the child of a
fork. So there is a registry: `Environment.open` gives the environment that is there already, and around a fork no
transaction is open; the child closes what it inherited, and opens the directory again, for reading only, when it
is next asked for something.

Each call of `read` is one short transaction, so no reader ever keeps LMDB from using old pages again. What the entries
mean is said in `runs.py` and `index.py`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NoReturn, TypeVar, final

import lmdb

from irminpy.errors import Closed, ReadOnly, StorageError
from irminpy.fields import NamedTuple

from .damage import IndexDamaged, failure

if TYPE_CHECKING:
    from lmdb import _Database as Table

__all__ = ["DATA", "MAP_SIZE", "Environment", "Reading", "Writing"]

T = TypeVar("T")

DATA = "data.mdb"  # LMDB's name for the file that holds everything

# Address space, not disk: LMDB's file grows page by page. 64 GiB are some 700 million entries.
MAP_SIZE = 1 << 36 if sys.maxsize > 1 << 32 else 1 << 28
_SMALLEST_MAP = 1 << 20

_READERS = 1024  # slots in LMDB's table of reading transactions, for all processes together
_FORK_WAIT = 10.0  # seconds a fork waits for transactions of other threads to end


class Reading:
    """An open transaction: everything is of one moment."""

    __slots__ = ("_cursor", "_meta", "_objects", "_txn", "directory")

    def __init__(
        self,
        directory: str,
        txn: lmdb.Transaction[bytes],
        objects: Table,
        meta: Table,
        cursor: lmdb.Cursor[bytes],
    ) -> None:
        self.directory = directory
        self._txn = txn
        self._objects = objects
        self._meta = meta
        self._cursor = cursor

    @property
    def number(self) -> int:
        """The number of the newest transaction; of one that writes, the number that it has when it is committed."""
        return self._txn.id()

    @property
    def entries(self) -> int:
        """How many entries there are, with those put so far."""
        return self._txn.stat(self._objects)["entries"]

    def get(self, name: bytes) -> bytes | None:
        """The record `name` of the table `meta`."""
        return self._txn.get(name, db=self._meta)

    def seek(self, key: bytes) -> tuple[bytes, bytes] | None:
        """The first entry whose key is `key` (not empty) or greater. Cost: some 1 us."""
        return self._cursor.item() if self._cursor.set_range(key) else None

    def below(self, prefix: bytes, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The entries whose keys begin with `prefix`, from `prefix` with `start` behind it, ascending."""
        if self._cursor.set_range(prefix + start):
            for key, value in self._cursor.iternext():
                if not key.startswith(prefix):
                    return
                yield key, value

    def last(self, prefix: bytes, size: int) -> bytes:
        """The greatest key that begins with `prefix`, at most `size` bytes longer. Raises IndexDamaged without one."""
        cursor = self._cursor
        there = cursor.set_range(prefix + b"\xff" * size)
        if not (there and cursor.key().startswith(prefix)):
            there = cursor.prev() if there else cursor.last()
        if not (there and cursor.key().startswith(prefix)):
            raise IndexDamaged(self.directory, f"it has no key that begins with {prefix.hex()}")
        return cursor.key()


@final
class Writing(Reading):
    """An open transaction that writes. Nothing of it is seen, and nothing is in the file, before it ends."""

    __slots__ = ()

    def set(self, name: bytes, record: bytes) -> None:
        """Make `record` the record `name` of the table `meta`."""
        self._txn.put(name, record, db=self._meta)

    def put(self, key: bytes, value: bytes) -> None:
        """Bind `key` to `value`, over what it was bound to."""
        self._cursor.put(key, value)

    def drop(self, prefix: bytes) -> int:
        """Remove the entries whose keys begin with `prefix`; how many they were."""
        cursor, count = self._cursor, 0
        cursor.set_range(prefix)
        while cursor.key().startswith(prefix):
            cursor.delete()  # the next one takes its place
            count += 1
        return count


class _Connection(NamedTuple):
    env: lmdb.Environment
    objects: Table
    meta: Table


@final
class Environment:
    """The environment of one directory in this process; `open` gives it, as often as `release` is called."""

    __slots__ = (
        *("_connection", "_key", "_map_size", "_reading", "_unusable", "_users", "_writing"),
        *("condemned", "directory", "readonly"),
    )

    directory: str
    readonly: bool
    condemned: str | None
    """Why nobody may use it any more."""

    def __init__(self, directory: str, readonly: bool, map_size: int) -> None:
        self.directory = directory
        self.readonly = readonly
        self._map_size = map_size
        self._key: tuple[int, int] | None = None
        self._connection: _Connection | None = None
        self._users = 1
        self.condemned = None
        self._unusable = False  # in a child whose parent was in the middle of a transaction
        # INVARIANT: a reading transaction is open only under `_reading`, a writing one only under `_writing`.
        # Who takes several takes `_registry_lock` first, then `_writing`. Reading under a lock costs nothing where
        # LMDB's calls hold Python's global lock anyhow.
        self._reading = threading.Lock()
        self._writing = threading.Lock()

    # Opening and closing

    @staticmethod
    def open(
        directory: str, *, readonly: bool, map_size: int = MAP_SIZE, initial: Callable[[Writing], None]
    ) -> Environment:
        """The environment of `directory`, which exists; if it is empty and may be written, made by `initial`.

        Whoever opens it for writing after others did for reading makes it writable for all. Raises StorageError
        if it cannot be opened now, and IndexDamaged if it is none, or if there is none and none may be made.
        """
        _release_forgotten()
        with _registry_lock:
            key = _identity(directory)
            shared = None if key is None else _registry.get(key)
            if shared is None:
                shared = Environment(directory, readonly, map_size)
                shared._connection = shared._connect(initial)
                shared._key = _identity(directory)
                if shared._key is not None:
                    _registry[shared._key] = shared
                return shared
            if shared.condemned is not None:
                raise IndexDamaged(directory, shared.condemned)
            if shared.readonly and not readonly:
                shared._make_writable()
            shared._users += 1
            return shared

    def release(self) -> None:
        """One user less; the last one closes it. Waits until a transaction of another thread has ended."""
        with _registry_lock:
            self._users -= 1
            if self._users == 0:
                if self._key is not None and _registry.get(self._key) is self:
                    del _registry[self._key]
                with self._writing, self._reading:
                    self._disconnect()

    def forget(self) -> None:
        """`release`, at the next opportunity. Takes no lock: for finalizers, which run in the middle of anything."""
        _forgotten.append(self)

    def condemn(self, reason: str) -> IndexDamaged:
        """From now on every use raises IndexDamaged, by whomever; gives one to raise."""
        self.condemned = self.condemned or reason
        return IndexDamaged(self.directory, self.condemned)

    def _make_writable(self) -> None:
        with self._writing, self._reading:
            self._disconnect()
            self.readonly = False
            try:
                self._connection = self._connect(None)
            except (StorageError, IndexDamaged):
                self.readonly = True  # the next reading call connects again
                raise

    def _connect(self, initial: Callable[[Writing], None] | None) -> _Connection:
        env = self._open_lmdb()
        try:
            env.reader_check()  # slots of processes that were killed
            objects, meta = _tables(env)
            if objects is not None and meta is not None:
                return _Connection(env, objects, meta)
            # One that has never seen a transaction was about to be made, perhaps by somebody who was killed.
            if initial is None or self.readonly or env.info()["last_txnid"]:
                raise IndexDamaged(self.directory, "it lacks its tables")
            return _make(env, initial)
        except lmdb.Error as error:
            env.close()
            raise failure(self.directory, error) from error
        except BaseException:
            env.close()
            raise

    def _open_lmdb(self) -> lmdb.Environment:
        size, lock = self._map_size, True
        while True:
            try:
                return lmdb.open(
                    self.directory,
                    map_size=size,
                    readonly=self.readonly,
                    lock=lock,
                    max_dbs=2,
                    max_readers=_READERS,
                    readahead=False,  # look-ups go anywhere
                    # A spare reading transaction saves 0.3 us of a look-up, but closing it in the child of a fork
                    # takes its slot away from the parent.
                    max_spare_txns=0,
                    mode=0o644,
                )
            except lmdb.MemoryError as error:  # less address space than we like to have
                size //= 2
                if size < _SMALLEST_MAP:
                    raise failure(self.directory, error) from error
            except lmdb.Error as error:
                # LMDB wants to note its readers in a file. On read-only media nobody writes. Where only we may not
                # write, a writer does not know of us: it uses the pages of a snapshot again in the third
                # transaction after it, and our snapshots live for microseconds.
                if not (lock and self.readonly and error.code in (errno.EACCES, errno.EPERM, errno.EROFS)):
                    raise failure(self.directory, error) from error
                lock = False

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.env.close()

    # Reading

    def read(self, work: Callable[[Reading], T]) -> T:
        """What `work` gives, in one transaction: short, since other threads wait. Cost: some 2 us.

        Raises Closed, StorageError, and IndexDamaged, also if `work` does.
        """
        try:
            with self._reading:
                txn = self._begin()
                try:
                    _, objects, meta = self._connected()
                    with txn.cursor() as cursor:
                        return work(Reading(self.directory, txn, objects, meta, cursor))
                finally:
                    txn.abort()
        except lmdb.Error as error:
            self._fail(error)
        except IndexDamaged as found:
            raise self.condemn(found.reason) from found

    def _begin(self) -> lmdb.Transaction[bytes]:
        env, objects, _ = self._connected()
        try:
            return env.begin(objects)
        except lmdb.MapResizedError:  # another process needed more room than we have mapped
            self._resize(env, 0)
        except lmdb.ReadersFullError:
            env.reader_check()
        return env.begin(objects)

    def _connected(self) -> _Connection:
        """What to work with; under `_reading`."""
        connection = self._connection
        if connection is not None and self.condemned is None:
            return connection
        if self.condemned is not None:
            raise IndexDamaged(self.directory, self.condemned)
        if self._users == 0:
            raise Closed(f"the index {self.directory}")
        if self._unusable:
            raise StorageError(
                f"the index {self.directory} cannot be used in this process, which was forked in the middle of a "
                "transaction: open the store anew"
            )
        if _identity(self.directory) != self._key:
            raise self.condemn("another has taken its place")
        connection = self._connection = self._connect(None)
        return connection

    def _fail(self, error: lmdb.Error) -> NoReturn:
        failed = failure(self.directory, error)
        if isinstance(failed, IndexDamaged):
            failed = self.condemn(failed.reason)
        raise failed from error

    # Writing

    def write(self, work: Callable[[Writing], T]) -> T:
        """Do `work` in one transaction: when this returns it is durable, if it raises nothing has happened.

        `work` is done again from its beginning when the map had to grow. One transaction at a time, over all
        processes; look-ups go on meanwhile. Raises ReadOnly, StorageError (for example without space), and
        IndexDamaged; after a failed sync, the latter.
        """
        with self._writing:
            if self.readonly:
                raise ReadOnly(f"the index {self.directory}")
            while True:
                with self._reading:
                    env, objects, meta = self._connected()
                try:
                    txn = env.begin(objects, write=True)
                    try:
                        with txn.cursor() as cursor:
                            result = work(Writing(self.directory, txn, objects, meta, cursor))
                        txn.commit()
                    finally:
                        txn.abort()  # nothing, once it is committed
                    return result
                except lmdb.MapFullError:
                    self._grow(env, 2 * env.info()["map_size"])
                except lmdb.MapResizedError:
                    self._grow(env, 0)
                except lmdb.Error as error:
                    self._fail(error)
                except IndexDamaged as found:
                    raise self.condemn(found.reason) from found

    def _grow(self, env: lmdb.Environment, size: int) -> None:
        try:
            with self._reading:
                self._resize(env, size)
        except lmdb.Error as error:
            self._fail(error)

    def _resize(self, env: lmdb.Environment, size: int) -> None:
        """Map `size` bytes from now on, or, if it is 0, as many as the process that grew it last.

        Under `_reading`: LMDB demands that no transaction is open.
        """
        try:
            env.set_mapsize(size)
        except lmdb.Error:
            self._disconnect()  # LMDB has given up the old map, and would follow a null pointer
            raise

    # Forks

    def _hold(self, timeout: float) -> bool:
        """Whether no transaction is open in any thread, and none begins before `_let_go`."""
        if self._writing.acquire(timeout=timeout):
            if self._reading.acquire(timeout=timeout):
                return True
            self._writing.release()
        return False

    def _let_go(self) -> None:
        self._reading.release()
        self._writing.release()

    def _in_child(self, held: bool) -> None:
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self.readonly = True
        if held:
            self._disconnect()
        else:
            self._unusable = True
            if self._connection is not None:
                _abandoned.append(self._connection)
            self._connection = None


def _tables(env: lmdb.Environment) -> tuple[Table | None, Table | None]:
    """The tables `objects` and `meta`, where there are such."""
    while True:
        try:
            return _table(env, b"objects"), _table(env, b"meta")
        except lmdb.MapResizedError:
            env.set_mapsize(0)  # another process made it longer after this one had read how long it is


def _table(env: lmdb.Environment, name: bytes) -> Table | None:
    try:
        return env.open_db(name, create=False)
    except lmdb.NotFoundError:
        return None


def _make(env: lmdb.Environment, initial: Callable[[Writing], None]) -> _Connection:
    # One transaction, so that there are both tables with their first record, or none.
    txn = env.begin(write=True)
    try:
        objects, meta = env.open_db(b"objects", txn=txn), env.open_db(b"meta", txn=txn)
        with txn.cursor(objects) as cursor:
            initial(Writing(env.path(), txn, objects, meta, cursor))
        txn.commit()
    finally:
        txn.abort()  # nothing, once it is committed
    return _Connection(env, objects, meta)


def _identity(directory: str) -> tuple[int, int] | None:
    """Device and inode of the data file, whatever the path; no other file gets them while LMDB has it open."""
    try:
        found = os.stat(os.path.join(directory, DATA))
    except OSError:
        return None
    return found.st_dev, found.st_ino


_registry: dict[tuple[int, int], Environment] = {}  # by what `_identity` says
_registry_lock = threading.Lock()
_forgotten: deque[Environment] = deque()


def _release_forgotten() -> None:
    while _forgotten:
        try:
            environment = _forgotten.popleft()
        except IndexError:  # by another thread
            return
        environment.release()


_held: list[tuple[Environment, bool]] = []  # during a fork
_abandoned: list[_Connection] = []  # in a child, kept, since they would be closed with their last reference


def _before_fork() -> None:
    deadline = time.monotonic() + _FORK_WAIT
    held = _registry_lock.acquire(timeout=_FORK_WAIT)
    _held[:] = [
        (environment, held and environment._hold(max(0.0, deadline - time.monotonic())))
        for environment in list(_registry.values())
    ]


def _after_fork_in_parent() -> None:
    for environment, held in _held:
        if held:
            environment._let_go()
    _held.clear()
    with contextlib.suppress(RuntimeError):  # it was not to be had in time
        _registry_lock.release()


def _after_fork_in_child() -> None:
    global _registry_lock
    _registry_lock = threading.Lock()
    for environment, held in _held:
        environment._in_child(held)
    _held.clear()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
