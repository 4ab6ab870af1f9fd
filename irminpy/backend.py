"""The contract of a backend: small enough to read standing up.

A backend holds encoded objects under (kind, hash) and refs, which map branch names to commit hashes. It knows no
paths, no trees and no merges. What no type can say is checked by the suites in `irminpy.testing`; how to write one
is told in docs/writing-a-backend.md.

Threads: every method may be called from any thread at any time.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, cast, runtime_checkable

from .fields import NamedTuple
from .hash import Hash
from .key import Key
from .objects import Inode, Kind, Node, Objects
from .schema import Schema

__all__ = [
    "ANY",
    "Backend",
    "Checking",
    "Defaulting",
    "Descending",
    "Gathering",
    "Health",
    "Locating",
    "Maker",
    "Moved",
    "Moving",
    "Options",
    "Proving",
    "Readable",
    "Reader",
    "RefChange",
    "RefListener",
    "RefUpdate",
    "Releasing",
    "Shallow",
    "StreamReader",
    "Streams",
    "stream_of",
]


class _Any:
    """The condition that always holds."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = _Any()


class RefUpdate(NamedTuple):
    """Set the ref `name` to `set` (None deletes it), if it is `test` now (None: absent; ANY: whatever it is)."""

    name: str
    set: Hash | None
    test: Hash | _Any | None = ANY


class RefChange(NamedTuple):
    """The ref `name` moved from `before` to `after`; None where it did not exist."""

    name: str
    before: Hash | None
    after: Hash | None


RefListener = Callable[[RefChange], None]


class Reader(Protocol):
    """The reading side: all that a tree needs."""

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The canonical bytes of the object, or None if it is not here.

        Must raise Corrupted rather than give bytes that do not hash to the key's hash. The kind is the reader's
        claim: an object written under another kind is not found, even if its hash is the same.
        """
        ...

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """`read` for many keys, in order; one round trip where that matters."""
        ...


class Backend(Reader, Protocol):
    """An open store of objects and refs. Every method but `close` raises Closed after `close`."""

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """For each hash the key of an object with that kind and hash, or None if none is known.

        Best effort where the backend says so: None does not prove absence there.
        """
        ...

    def find_commits(self, prefix: str, /) -> list[Hash]:
        """The hashes of commits whose hex begins with `prefix` (lower case), in order; at most 20 of them."""
        ...

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        """Write `objects` and move refs, all or nothing; whether it happened.

        False if the condition of an update does not hold: then no ref has moved. Objects come children first, and
        no reader may see a ref before the objects that it leads to. Writing an object again is harmless. Objects of
        a batch that did not happen may stay, unreferenced. When it returns True, later reads see all of it, and
        what the backend promises about durability holds. Listeners hear of each ref that changed, in order,
        after the batch. Raises ReadOnly on a read-only handle, before anything is written.
        """
        ...

    def ref(self, name: str, /) -> Hash | None:
        """The commit that the ref `name` names now, or None."""
        ...

    def refs(self) -> dict[str, Hash]:
        """All refs, from one moment, ordered by name."""
        ...

    def watch(self, listener: RefListener, /) -> Callable[[], None]:
        """Call `listener` with every change of a ref from now on; gives the function that stops it.

        The listener is called after the change is visible, in the order of the changes, never concurrently with
        itself, and must return quickly: `irminpy.watch` hands the work to a thread of its own. No call comes
        after stopping has returned, unless stopping is done from inside the listener.
        """
        ...

    def close(self) -> None:
        """Release everything. A second call does nothing."""
        ...


@runtime_checkable
class Releasing(Reader, Protocol):
    """Optional, of a reader: it reads from mapped files."""

    def release(self) -> None:
        """Give the pages that were read back to the system, which may keep them: reading goes on as before. Cheap."""
        ...


@runtime_checkable
class Locating(Reader, Protocol):
    """Optional, of a reader: it knows where the children of an object lie.

    A *word* is a number from 1 to 2^64 - 1 that leads to an object of this reader; 0 says nothing. A word is never
    believed: what it leads to counts only if it has the hash that was asked for. Who reads a node hands its words
    on to whoever reads its children, so that an object need not be found by its hash.

    `Backend.write` of such a backend is given the words of children that are not in the batch, in the columns
    that `Objects.hints` has of some nodes or else in `Objects.words`. It adds the words of the objects it wrote, and
    the columns of all their nodes.
    """

    def load(self, kind: Kind, hash: bytes, word: int, /) -> tuple[bytes, bytes] | None:
        """The canonical bytes of the object, and the words of its children, 8 bytes each, little-endian.

        Children of a node come in the order of its hashes; of a commit the root first, then the parents. The words
        may be missing altogether (b""). None, Corrupted and kinds are as in `Reader.read`. With word 0 the object
        is looked for by its hash, and not found where the reader keeps no such index. The same if nothing with
        that hash lies where the word says.
        """
        ...

    def key(self, hash: bytes, word: int, /) -> Hash | Key:
        """The key of an object of this reader that lies where `word` says, 0 meaning unknown. Reads nothing."""
        ...

    def word(self, key: Hash | Key, /) -> int:
        """Where the object of `key` lies for this reader, or 0: never a word that leads elsewhere.

        Keys come from anywhere: of another store, or of an older reader of this one (see `Moving`), which may be
        translated. So the place is looked at, unless `key` is a bare hash: one read.
        """
        ...


@runtime_checkable
class Descending(Protocol):
    """Optional, of a `Locating` reader: it goes down from a directory in one call."""

    def descend(self, hash: bytes, word: int, steps: list[str], /) -> tuple[int, bytes | None] | None:
        """(nodes read, value or None) of the contents that `steps` lead to from the directory `hash` at `word`.

        The value is the bytes of the contents type. Each node and the value was read and compared with its hash, as
        `Locating.load` does. None where it does not say: then objects are read one by one, and what is wrong is told.
        """
        ...

    def record(self, hash: bytes, word: int, /) -> Node | Inode | None:
        """The node `hash` at `word`, read, compared with its hash, and decoded with the words of its children.

        None where it does not say, as `descend`.
        """
        ...


@runtime_checkable
class Gathering(Protocol):
    """Optional, of a `Locating` reader: it takes a whole directory in, in one call."""

    def gather(
        self, hash: bytes, word: int, depth: int, count: int, most: int, room: int, below: int, /
    ) -> tuple[int, int, int, list[tuple[str, Any]]] | None:
        """(nodes read, values read, room they took, (step, child) of all entries) of the directory `hash` at `word`.

        With a `depth`, of the bucket there that has `count` entries; -1 for a directory. A child is the value of
        contents, as bytes of the contents type; or (kind, hash, word) of a directory, and of values that are long or
        for which there was no room, which is `room` bytes. Of some directories, at most `below` levels deep, comes what
        they hold, too: (kind, hash, word, pairs, whether all are values). Each object was read and compared with its
        hash, as `Locating.load` does. None where it does not say, and for more than `most` entries: then objects are
        read one by one.
        """
        ...


@runtime_checkable
class Moving(Protocol):
    """Optional, of a backend: its objects may move, by garbage collection."""

    @property
    def reader(self) -> Reader:
        """The reader of the objects where they lie now; another object once they have moved.

        An old one reads on from what it has open, as long as somebody holds it. A reader of a locating backend
        is locating too. Cheap: asked for before every read of a head.
        """
        ...


class Moved(Exception):
    """Raised by the `write` of a moving backend: `Objects.reader` is not its reader any more.

    Nothing was written. The tree is gathered again, with words of the present reader.
    """


class Readable(Protocol):
    """What bytes are taken from, such as a file opened for reading in binary mode."""

    def read(self, size: int, /) -> bytes:
        """At least one and at most about `size` bytes, in order; `b""` only at the end."""
        ...


@runtime_checkable
class StreamReader(Protocol):
    """Optional, of a reader: it gives large contents piece by piece, in bounded memory."""

    def open_stream(self, key: Hash | Key, /) -> io.BufferedReader | None:
        """The value of the contents as a file for reading, at its start; None if they are not here.

        What is read is checked before it is given: Corrupted where it is damaged, and reading elsewhere goes on.
        Reading raises Closed after the backend was closed.
        """
        ...


@runtime_checkable
class Streams(StreamReader, Protocol):
    """Optional, of a backend: it takes large contents piece by piece, too.

    Of other backends a stream is the whole value in memory. How contents were written never shows: what
    `put_stream` wrote is read by `read` too, and what `write` wrote is opened by `open_stream`.
    """

    def put_stream(self, file: Readable, /) -> Hash | Key:
        """Write contents whose value is all that `file` gives; their key.

        Nothing leads to them yet: until a commit does, they are what garbage collection may remove. Raises
        ReadOnly before anything is read. An error of `file` goes through; what was written so far stays,
        unreferenced.
        """
        ...


@runtime_checkable
class Proving(Protocol):
    """Optional, of a backend: it can have somebody else make a proof, who need not be trusted."""

    def prove(self, root: Hash, job: str, paths: Sequence[str], /, **how: int) -> bytes:
        """The bytes of a proof of `job`, "read", "absence" or "page" (with `offset` and `length`), at `paths` of the
        directory with the hash `root`. Nothing about them is checked.
        """
        ...


def stream_of(data: bytes) -> io.BufferedReader:
    """`data` as a file for reading: what `open_stream` gives for contents that are in memory."""
    # A buffered reader reads from anything with `readinto`, though its type asks for a raw file.
    return io.BufferedReader(cast("io.RawIOBase", io.BytesIO(data)))


@runtime_checkable
class Shallow(Protocol):
    """Optional, of a backend: a history may end in it before its beginning. A collecting one is shallow too."""

    def shallow(self) -> frozenset[Hash]:
        """The commits that need not be here though others name them as parents. Cheap: asked for on every walk."""
        ...


class Options(NamedTuple):
    """How a store is opened, for every backend.

    `readonly`: writes raise ReadOnly. `create`: make the store if it does not exist; else NotAStore. `exclusive`:
    no other process may write meanwhile. `timeout`: seconds to wait for a lock.
    """

    readonly: bool = False
    create: bool = True
    exclusive: bool = False
    timeout: float = 5.0


@runtime_checkable
class Maker(Protocol):
    """Knows where a store is and how to open it: `Memory()`, `Pack(path)`, … A value, equal by its options."""

    def open(self, schema: Schema[Any, Any] | None, options: Options, /) -> tuple[Backend, Schema[Any, Any]]:
        """The open backend, and the schema it holds.

        `schema` None means: the recorded one, or the default schema for a new store. Raises SchemaMismatch if the
        store records another schema than the one given, NotAStore if there is none and `create` is false,
        Locked if somebody else holds it.
        """
        ...


@runtime_checkable
class Defaulting(Protocol):
    """Optional, of a maker: what its stores hold says which schema is meant where none is given."""

    def default(self) -> Schema[Any, Any]:
        """The schema of the store, or of one that is made now. Raises as `Maker.open` does."""
        ...


class Health(Protocol):
    """What a check of the files of a store found."""

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        ...

    @property
    def status(self) -> int:
        """0: nothing is wrong; 1: only what is derived, and is made again; 5: data is damaged."""
        ...

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        ...


@runtime_checkable
class Checking(Protocol):
    """Optional, of a maker: it can check the files of its store, deeper than reading it does."""

    def fsck(
        self,
        schema: Schema[Any, Any] | None = None,
        level: str = "deep",
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Health:
        """Check the files, up to `level`, one of those that the backend names. Nothing is written.

        `progress(done, total)` is told bytes. Raises NotAStore, UnsupportedVersion, SchemaMismatch, and DecodeError
        for a level that does not exist; everything else that is wrong is a finding.
        """
        ...
