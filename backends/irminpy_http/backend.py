"""The contract of a backend over HTTP: reads are checked on arrival, a write is one request, refs are always asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from irminpy.backend import RefListener, RefUpdate
from irminpy.errors import Closed, Corrupted, DecodeError, IrminError, ReadOnly, RemoteError
from irminpy.hash import Hash
from irminpy.key import Key, hash_of_key
from irminpy.objects import Kind, Objects
from irminpy.repr.base import is_dict, is_list
from irminpy.schema import Schema
from irminpy.wire import ASKED, MEDIA, Batch, Question, unpack_answers, unpack_flags

from .cache import Cache
from .connection import Connection
from .following import Following

__all__ = ["HttpBackend"]

_BATCH: Final = 4 << 20  # bytes of objects in one request
_KIND: Final = {Kind.CONTENTS: "contents", Kind.NODE: "node", Kind.COMMIT: "commit"}

T = TypeVar("T")


class HttpBackend:
    """A handle on the store that a server serves; see `irminpy.backend.Backend`.

    `body`: bytes that the server takes in one request. `cache`: objects kept here. `trusted`: the hash of a commit or
    of a root directory; then every head that is not that commit, or whose root is another, is refused.
    """

    what = "the remote store"

    def __init__(
        self,
        connection: Connection,
        schema: Schema[Any, Any],
        *,
        readonly: bool,
        body: int,
        cache: Cache | None,
        trusted: Hash | None,
    ) -> None:
        self._connection = connection
        self._schema = schema
        self._readonly = readonly
        self._most = min(_BATCH, body // 2)
        self._cache = cache
        self._trusted = trusted
        self._following = Following(connection, schema.codec.hash_size)
        self._closed = False

    def _open(self) -> Connection:
        if self._closed:
            raise Closed(self.what)
        return self._connection

    # -- reading ---------------------------------------------------------------------------------------------

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        """The object, or None; Corrupted if the server gives bytes with another hash."""
        (data,) = self.read_many(kind, [key])
        return data

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        """The objects, in order: one request for up to 4,096 of them, and for about 4 MiB."""
        self._open()
        hashes = [hash_of_key(key) for key in keys]
        found: dict[Hash, bytes | None] = {}
        if self._cache is not None:
            here = self._cache.find(kind, hashes)
            found.update((hash_, data) for hash_, data in zip(hashes, here, strict=True) if data is not None)
        wanted = list(dict.fromkeys(hash_ for hash_ in hashes if hash_ not in found))
        came: dict[bytes, bytes] = {}
        for hash_, data in self._fetched(kind, wanted):
            found[hash_] = data
            if data is not None:
                came[hash_] = data
        if self._cache is not None and came:
            self._cache.keep(kind, came)
        return [found[hash_] for hash_ in hashes]

    def _fetched(self, kind: Kind, hashes: list[Hash]) -> Iterator[tuple[Hash, bytes | None]]:
        """The objects from the server, each hashed."""
        connection, digest = self._open(), self._schema.codec.digest_many
        while hashes:
            asked = Question(kind, hashes[:ASKED])
            answer = self._understood(unpack_answers, connection.ask("objects/read", asked.to_bytes(), MEDIA))
            if not 0 < len(answer) <= len(asked.hashes):
                raise RemoteError(connection.name, f"it gives {len(answer)} objects for {len(asked.hashes)}")
            there = [(hash_, data) for hash_, data in zip(hashes, answer, strict=False) if data is not None]
            for (hash_, _), digested in zip(there, digest([data for _, data in there]), strict=True):
                if digested != hash_:
                    raise Corrupted(
                        connection.name, None, hash_, f"what it sent hashes to {Hash(digested).hex()}"
                    )
            yield from zip(hashes, answer, strict=False)
            hashes = hashes[len(answer) :]

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """The hashes of the objects that the server says it has."""
        connection = self._open()
        found: list[Hash | Key | None] = []
        for at in range(0, len(hashes), ASKED):
            asked = Question(kind, hashes[at : at + ASKED])
            body = connection.ask("objects/missing", asked.to_bytes(), MEDIA)
            lacks = self._understood(partial(unpack_flags, n=len(asked.hashes)), body)
            found += [None if lacking else hash_ for hash_, lacking in zip(asked.hashes, lacks, strict=True)]
        return found

    def find_commits(self, prefix: str, /) -> list[Hash]:
        """The hashes of commits that begin with `prefix`."""
        connection = self._open()
        fields = connection.get(f"commits?{urlencode({'prefix': prefix})}").fields()
        found = [self._hash(one) for one in self._list(fields.get("commits"))][:20]
        if not all(hash_.hex().startswith(prefix) for hash_ in found):
            raise RemoteError(connection.name, f"it gives commits that do not begin with {prefix!r:.80}")
        return sorted(found)

    # -- writing ---------------------------------------------------------------------------------------------

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        """Write all or nothing; whether it happened.

        Objects beyond 4 MiB go ahead in requests of their own. RemoteError if the server goes away; where it is not
        known then whether a ref moved, the error says so.
        """
        connection = self._open()
        if self._readonly:
            raise ReadOnly(self.what)
        rest = self._ahead(objects)
        if not len(rest) and not updates:
            return True
        body = Batch(rest, updates, objects.shallow).to_bytes()
        send = connection.move if updates else connection.ask
        answer = self._understood(json.loads, send("objects", body, MEDIA))
        done = answer.get("done") if is_dict(answer) else None
        if type(done) is not bool:
            raise RemoteError(connection.name, "it does not say whether it has written")
        return done

    def _ahead(self, objects: Objects) -> Objects:
        """Send what does not fit into one request; what is left to go with the refs."""
        rest, size = Objects(), 0
        prefix = self._schema.codec.contents_prefix
        for kind in (Kind.CONTENTS, Kind.NODE, Kind.COMMIT):
            for hash_, data in objects.of_kind(kind).items():
                if kind is Kind.CONTENTS and len(data) > self._most and prefix is not None:
                    self._connection.put(f"objects/contents/{Hash(hash_).hex()}", data[len(prefix) :])
                    continue
                if size and size + len(data) > self._most:
                    self._connection.ask("objects", Batch(rest, (), objects.shallow).to_bytes(), MEDIA)
                    rest, size = Objects(), 0
                rest.of_kind(kind)[hash_] = data
                size += len(data)
        return rest

    # -- refs ------------------------------------------------------------------------------------------------

    def ref(self, name: str, /) -> Hash | None:
        """The commit of the ref, or None."""
        connection = self._open()
        answer = connection.find(f"branches/{quote(name, safe='')}")
        if answer is None:
            return None
        return self._accepted(name, self._hash(answer.fields().get("commit")))

    def refs(self) -> dict[str, Hash]:
        """All refs, ordered by name."""
        fields = self._open().get("branches").fields().get("branches")
        if not is_dict(fields):
            raise RemoteError(self._connection.name, "it does not say which branches it has")
        found = {name: self._hash(head) for name, head in fields.items()}
        return {name: self._accepted(name, found[name]) for name in sorted(found)}

    def _accepted(self, name: str, head: Hash) -> Hash:
        """`head`, if there is nothing to compare it with, or if it leads to what is trusted."""
        trusted = self._trusted
        if trusted is None or head == trusted:
            return head
        data = self.read(Kind.COMMIT, head)
        if data is None:
            raise RemoteError(
                self._connection.name, f"it lacks the commit {head.short()} of the branch {name}"
            )
        root = self._schema.codec.decode_commit(data).node
        if root != trusted:
            reason = (
                f"the branch {name} is at {head.short()} with the root {root.short()}, not at what is trusted"
            )
            raise Corrupted(self._connection.name, None, trusted, reason)
        return head

    def watch(self, listener: RefListener, /) -> Callable[[], None]:
        """Call `listener` with each change from now on, whoever makes it. It is told on a thread of this handle."""
        self._open()
        return self._following.listen(listener)

    def close(self) -> None:
        """End the stream and the connections. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._following.close()
            if self._cache is not None:
                self._cache.close()
            self._connection.close()

    # -- proofs ----------------------------------------------------------------------------------------------

    def prove(self, root: Hash, job: str, paths: Sequence[str], /, **how: int) -> bytes:
        """The bytes of a proof; see `irminpy.backend.Proving`."""
        query = urlencode([("job", job), *(("path", path) for path in paths), *how.items()])
        return self._open().get(f"proof/{root.hex()}?{query}").body

    # -- answers ---------------------------------------------------------------------------------------------

    def _understood(self, decode: Callable[[bytes], T], data: bytes) -> T:
        """`data` as `decode` takes it; RemoteError where the server says something else."""
        try:
            return decode(data)
        except (DecodeError, ValueError, RecursionError) as e:
            raise RemoteError(
                self._connection.name, f"it answers something else than was asked: {e!s:.200}"
            ) from e

    def _hash(self, text: object) -> Hash:
        try:
            return Hash.from_json(text, self._schema.codec.hash_size)
        except IrminError as e:
            raise RemoteError(self._connection.name, str(e)) from e

    def _list(self, item: object) -> list[Any]:
        if not is_list(item):
            raise RemoteError(self._connection.name, "a list was expected")
        return item
