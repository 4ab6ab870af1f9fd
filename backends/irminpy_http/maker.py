"""Where a server is and how its store is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from httpx2 import InvalidURL

from irminpy.backend import Backend, Options
from irminpy.errors import RemoteError, SchemaMismatch, StorageError
from irminpy.hash import Hash
from irminpy.recorded import recorded
from irminpy.repr.base import is_dict
from irminpy.schema import Schema

from .backend import HttpBackend
from .cache import Cache
from .connection import Connection

__all__ = ["Http"]


@dataclass(frozen=True, slots=True)
class Http:
    """The store that a server of irminpy serves at `url`.

    `token`: shown with each request; else that of the environment, IRMINPY_TOKEN. `cache`: a directory in which
    what was read is kept, a pack store. `verify`: the hash of a commit or of a root directory, in hexadecimal digits,
    that is trusted: a branch that leads elsewhere raises Corrupted. `timeout`: seconds that the server may be silent.
    StorageError for what is no URL of a server.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    cache: str | None = None
    verify: str | None = None
    timeout: float = 30.0

    def __post_init__(self) -> None:
        parts = _parts(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise StorageError(f"{self.url!r:.200} is no URL of a server, such as http://host:8080/")
        if parts.username is not None or parts.password is not None:
            # It would end up in messages and in logs.
            raise StorageError(
                "a URL holds no password; set IRMINPY_TOKEN, or name a file with ?token_file=FILE"
            )
        if not self.url.endswith("/"):
            object.__setattr__(self, "url", self.url + "/")

    @staticmethod
    def of_uri(rest: str, options: dict[str, str]) -> Http:
        """The maker for "http://HOST/PREFIX/?cache=DIR&verify=HASH&token_file=FILE&timeout=SECONDS"."""
        parts = _parts(rest)
        known: dict[str, Any] = {}
        for name, value in [*options.items(), *parse_qsl(parts.query, keep_blank_values=True)]:
            if name in known or name not in ("cache", "verify", "token_file", "timeout"):
                raise TypeError(
                    f"http: takes no option {name}={value:.40}" + (" twice" if name in known else "")
                )
            known[name] = value
        if "timeout" in known:
            known["timeout"] = _seconds(known["timeout"])
        file = known.pop("token_file", None)
        if file is not None:
            known["token"] = _token(file)
        return Http(urlunsplit(parts._replace(query="")), **known)

    def verifying(self, root: str, /) -> Http:
        """The same store, of which only what the hash `root` leads to is believed; see `verify`."""
        return replace(self, verify=root)

    def recorded(self) -> Schema[Any, Any]:
        """The schema of the store, as the server tells it. Raises NotAStore, RemoteError, SchemaMismatch."""
        connection = self._connection()
        try:
            return _schema(connection, connection.root())
        finally:
            connection.close()

    def open(self, schema: Schema[Any, Any] | None, options: Options, /) -> tuple[Backend, Schema[Any, Any]]:
        """A handle on the store; see `irminpy.backend.Maker`. A server makes no store: it is there, or NotAStore."""
        connection = self._connection()
        try:
            root = connection.root()
            if schema is None:
                schema = _schema(connection, root)
            elif root.get("identity") != schema.identity.hex():
                raise SchemaMismatch(schema.describe(), str(root.get("schema"))[:200])
            size = schema.codec.hash_size
            trusted = None if self.verify is None else Hash.of_hex(self.verify, size)
            limits = root.get("limits")
            body, upload = (limits.get(name) if is_dict(limits) else None for name in ("body", "upload"))
            if type(upload) is int:
                connection.expect(upload)
            cache = None if self.cache is None else Cache(self.cache, schema)
        except BaseException:
            connection.close()
            raise
        backend = HttpBackend(
            connection,
            schema,
            readonly=options.readonly,
            body=body if type(body) is int and body > 0 else 1 << 20,
            cache=cache,
            trusted=trusted,
        )
        return backend, schema

    def _connection(self) -> Connection:
        token = self.token if self.token is not None else os.environ.get("IRMINPY_TOKEN") or None
        try:
            return Connection(self.url, token, self.timeout)
        except InvalidURL as e:
            raise StorageError(f"{self.url!r:.200} is no URL: {e}") from e


def _schema(connection: Connection, root: dict[str, Any]) -> Schema[Any, Any]:
    description, identity = root.get("schema"), root.get("identity")
    if not isinstance(description, str) or not isinstance(identity, str):
        raise RemoteError(connection.name, "it does not say which schema its store has")
    try:
        digest = bytes.fromhex(identity)
    except ValueError as e:
        raise RemoteError(connection.name, f"the identity of its schema is {identity!r:.80}") from e
    return recorded(description, digest)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (it raises where it is no number)
    except ValueError as e:
        raise StorageError(f"{url.rpartition('@')[2]!r:.200} is no URL: {e}") from e
    return parts


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= 3600:
        raise TypeError(f"http: timeout is a number of seconds, not {text:.40}")
    return found


def _token(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise StorageError(f"the token in {file}: {e}") from e
