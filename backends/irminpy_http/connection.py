"""Requests to a server: what is sent again, what is not, and what its refusals mean.

Reading is safe, and is tried again after a fault of the network. Writing objects is safe, too, since they are named by
what they hold. A request that moves a ref is sent again only if it surely never left; otherwise nobody knows whether it
happened, and the error says so.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from irminpy.errors import (
    Closed,
    DecodeError,
    IrminError,
    NotAStore,
    NotFound,
    ReadOnly,
    RemoteError,
    from_json,
)
from irminpy.repr.base import is_dict

__all__ = ["Answer", "Connection"]

_PAUSES: Final = (0.05, 0.2, 0.5)  # seconds before each further attempt
_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_BUSY: Final = 503
_MOST: Final = 64 << 20  # bytes of an answer that is held in memory, unless the server takes larger values
_LARGEST: Final = 2 << 30  # bytes, whatever the server says that it takes
_FRAMING: Final = 1 << 16  # bytes of an answer around the value


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as a whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def fields(self) -> dict[str, Any]:
        """The JSON object that it is; {} if it is none."""
        if "json" not in self.headers.get("content-type", ""):
            return {}
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if is_dict(found) else {}


class Connection:
    """Connections to the server at `url`, shared by all threads.

    `timeout`: seconds that the server may be silent. `name`: what errors call it.
    """

    def __init__(self, url: str, token: str | None, timeout: float) -> None:
        self.name = url
        headers = {"accept-encoding": "identity", "user-agent": "irminpy"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=64)
        self._client = httpx2.Client(
            # Certificates are loaded for TLS alone, which takes longer than most requests; nothing is redirected to it.
            verify=url.startswith("https:"),
            base_url=url,
            headers=headers,
            timeout=timeout,
            limits=limits,
            follow_redirects=False,
            trust_env=False,
        )
        self._most = _MOST
        self._closed = False
        self._under_way = 0
        self._idle = threading.Condition()

    def expect(self, value: int) -> None:
        """Take answers that hold one value of `value` bytes, which is what the server takes."""
        self._most = max(_MOST, min(value, _LARGEST) + _FRAMING)

    def close(self) -> None:
        """End all connections, after the requests that are under way on other threads. A second call does nothing."""
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: not self._under_way)  # each ends: a silent server by its timeout
        self._client.close()

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to a read."""
        return self._safe("GET", path, headers=headers)

    def find(self, path: str) -> Answer | None:
        """The answer to a read, or None where there is nothing of that name."""
        try:
            return self.get(path)
        except NotFound:
            return None

    def ask(self, path: str, body: bytes, media: str) -> bytes:
        """The answer to a read that takes a body, or to a write of objects alone."""
        return self._safe("POST", path, content=body, headers={"content-type": media}).body

    def move(self, path: str, body: bytes, media: str) -> bytes:
        """The answer to a write that moves refs, which is sent once."""
        try:
            return self._again(_NEVER_SENT, "POST", path, content=body, headers={"content-type": media}).body
        except httpx2.TransportError as e:
            reason = f"it went away while it was asked to write ({_said(e)})"
            raise RemoteError(self.name, f"{reason}: whether it did is not known; look at the branch") from e

    def put(self, path: str, body: bytes) -> None:
        """Put one value of any length, which may be done again."""
        self._safe("PUT", path, content=body, headers={"content-type": "application/octet-stream"})

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str], silence: float) -> Generator[httpx2.Response]:
        """An answer that is read as it comes; `silence`: seconds that may pass between two pieces."""
        timeout = httpx2.Timeout(self._client.timeout.connect, read=silence)
        try:
            with self._client.stream("GET", path, headers=headers, timeout=timeout) as response:
                if response.status_code != 200:
                    raise self._refusal(self._whole(response))
                yield response
        except httpx2.TransportError as e:
            raise RemoteError(self.name, f"the stream ended: {_said(e)}") from e
        except (httpx2.StreamError, RuntimeError) as e:
            raise self._gone(e) from e

    def _safe(self, method: str, path: str, **what: Any) -> Answer:
        try:
            return self._again((httpx2.TransportError,), method, path, **what)
        except httpx2.TransportError as e:
            raise RemoteError(self.name, f"it does not answer: {_said(e)}") from e

    def _again(self, retried: tuple[type[Exception], ...], method: str, path: str, **what: Any) -> Answer:
        """The answer, after faults of `retried` that went away; one that refuses raises."""
        with self._idle:
            if self._closed:
                raise Closed("the remote store")
            self._under_way += 1
        try:
            return self._attempts(retried, method, path, **what)
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    def _attempts(self, retried: tuple[type[Exception], ...], method: str, path: str, **what: Any) -> Answer:
        for pause in (*_PAUSES, None):
            try:
                with self._client.stream(method, path, **what) as response:
                    answer = self._whole(response)
            except retried:
                if pause is None or self._closed:
                    raise
            except RuntimeError as e:
                raise self._gone(e) from e
            else:
                if answer.status != _BUSY or pause is None:
                    if not 200 <= answer.status < 300:
                        raise self._refusal(answer)
                    return answer
                # Refused before anything happened, so that even a write may be sent again.
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _gone(self, error: Exception) -> IrminError:
        """What a use after `close` is."""
        return Closed("the remote store") if self._closed else RemoteError(self.name, str(error))

    def _whole(self, response: httpx2.Response) -> Answer:
        """All of an answer; RemoteError for one that is longer than any should be, or packed."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise RemoteError(self.name, "it packs its answers, and was not asked to")
        pieces: list[bytes] = []
        size = 0
        for piece in response.iter_raw():
            size += len(piece)
            if size > self._most:
                raise RemoteError(self.name, f"an answer of more than {self._most} bytes, the limit")
            pieces.append(piece)
        return Answer(response.status_code, response.headers, b"".join(pieces))

    def _refusal(self, answer: Answer) -> IrminError:
        """The error that the server tells of, as if it had happened here; of others what it says."""
        told = answer.fields()
        kind, detail = told.get("error"), str(told.get("detail", ""))[:500]
        if kind == "read-only":
            return ReadOnly(f"the store at {self.name}")
        if kind == "storage" or not isinstance(kind, str):
            return self._unclear(answer, detail)
        try:
            return from_json(told)
        except DecodeError:
            return self._unclear(answer, detail)

    def _unclear(self, answer: Answer, detail: str) -> IrminError:
        if answer.status == 401:
            return RemoteError(
                self.name, "it asks for a token: set IRMINPY_TOKEN, or name a file with ?token_file=FILE"
            )
        said = detail or "it does not say why"
        return RemoteError(self.name, f"it answers {answer.status}: {said}")

    def root(self) -> dict[str, Any]:
        """What the server says that it serves; NotAStore if it is no server of irminpy."""
        try:
            fields = self.get("").fields()
        except RemoteError as e:
            if " answers 404:" in e.reason:
                raise NotAStore(self.name, "there is a server, but not one of irminpy") from e
            raise
        if not isinstance(fields.get("irminpy"), str):
            raise NotAStore(self.name, "there is a server, but not one of irminpy")
        return fields


def _said(error: Exception) -> str:
    return f"{type(error).__name__} {str(error)[:200]}".strip()
