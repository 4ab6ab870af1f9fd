"""Hearing of refs: one stream of events from the server, for all listeners of a handle, on a thread of its own.

A listener hears of what happens after it began to listen: the position of the server at that moment says which events
those are. A stream that breaks is begun again where it ended; if the server does not remember that, it tells all refs,
and what differs from what was told before is made into changes.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import httpx2

from irminpy.announce import Announcer
from irminpy.backend import RefChange, RefListener
from irminpy.errors import Closed, DecodeError, IrminError, RemoteError
from irminpy.hash import Hash
from irminpy.repr.base import is_dict

from .connection import Connection

__all__ = ["Following"]

_SILENCE: Final = 60.0  # seconds; the server gives a sign of life every 15
_PATIENCE: Final = 30.0  # seconds until the first event
_PAUSES: Final = (0.05, 0.2, 1.0, 5.0, 15.0)
_LONGEST: Final = 64 << 20  # bytes of one event


class Following:
    """The listeners of one handle. The thread begins with the first of them and ends with `close`."""

    def __init__(self, connection: Connection, size: int) -> None:
        self._connection = connection
        self._size = size
        self._announcer = Announcer()
        self._lock = threading.Lock()
        self._known: dict[str, Hash] = {}
        self._last = ""
        self._broken = False
        self._begun = threading.Event()
        self._failure: IrminError | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._ending = threading.Event()

    def listen(self, listener: RefListener) -> Callable[[], None]:
        """Call `listener` with each change from now on; gives the function that stops it. RemoteError if the server
        does not answer.
        """
        self._begin()
        run, number = _split(self._connection.get("branches").headers.get("irmin-position", ""))

        def later(change: RefChange) -> None:
            at = self._at
            if at[0] != run or at[1] > number:
                listener(change)

        return self._announcer.listen(later)

    @property
    def _at(self) -> tuple[str, int]:
        """The position of the change that is being told."""
        return _split(self._last)

    def _begin(self) -> None:
        with self._lock:
            if self._ending.is_set():
                raise Closed("the remote store")
            if self._thread is None:
                self._begun.clear()
                self._failure = None
                self._thread = threading.Thread(target=self._run, name="irminpy-http-watch", daemon=True)
                self._thread.start()
        if not self._begun.wait(_PATIENCE):
            raise RemoteError(self._connection.name, f"it tells no changes within {_PATIENCE:g} seconds")
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End the stream; no listener is called any more."""
        self._ending.set()
        self._announcer.close()
        with self._lock:
            thread, found = self._thread, self._socket
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)  # wakes whoever reads from it
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._ending.is_set():
            try:
                self._follow()
                failures = 0
            except IrminError as e:
                if not self._begun.is_set():
                    with self._lock:
                        self._failure, self._thread = e, None
                    self._begun.set()
                    return
            # The changes meanwhile are told when the server is there again.
            self._ending.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
            failures += 1

    def _follow(self) -> None:
        """Tell what the stream says until it ends."""
        headers = {"accept": "text/event-stream"}
        if self._last:
            headers["last-event-id"] = self._last
        with self._connection.stream("watch", headers, _SILENCE) as response:
            stream = response.extensions.get("network_stream")
            with self._lock:
                self._socket = None if stream is None else stream.get_extra_info("socket")
            try:
                if self._ending.is_set():
                    return
                for event in httpx2.EventSource(response, max_event_size=_LONGEST):
                    self._hear(event.event, event.id, event.data)
            except httpx2.TransportError:
                if not self._ending.is_set():
                    raise
            finally:
                with self._lock:
                    self._socket = None

    def _hear(self, kind: str, position: str, data: str) -> None:
        try:
            fields = json.loads(data)
        except (ValueError, RecursionError) as e:
            raise DecodeError("event", str(e)[:200]) from e
        if kind == "refs":
            now = {name: self._hash(hash_) for name, hash_ in _table(fields, "refs").items()}
            begun = self._begun.is_set()
            known, self._known, self._last = self._known, now, position
            if begun:
                # What was missed is one change for each ref; what comes may be part of it.
                self._broken = True
                changes = [RefChange(name, before, None) for name, before in known.items() if name not in now]
                changes += [
                    RefChange(name, known.get(name), head)
                    for name, head in now.items()
                    if known.get(name) != head
                ]
                self._tell(changes)
            self._begun.set()
        elif kind == "change":
            if not is_dict(fields):
                raise DecodeError("event", "a change is an object")
            name, before, after = fields.get("branch"), fields.get("before"), fields.get("after")
            if not isinstance(name, str):
                raise DecodeError("event", "a change names a branch")
            change = RefChange(name, *[None if one is None else self._hash(one) for one in (before, after)])
            self._last = position
            if self._broken:
                change = RefChange(name, self._known.get(name), change.after)
            if change.after is None:
                self._known.pop(name, None)
            else:
                self._known[name] = change.after
            if change.before != change.after:
                self._tell([change])

    def _tell(self, changes: list[RefChange]) -> None:
        self._announcer.queue(changes)
        self._announcer.speak()

    def _hash(self, text: object) -> Hash:
        return Hash.from_json(text, self._size)


def _table(fields: object, name: str) -> dict[str, Any]:
    found = fields.get(name) if is_dict(fields) else None
    if not is_dict(found):
        raise DecodeError("event", f"an object of {name} is expected")
    return found


def _split(position: str) -> tuple[str, int]:
    run, _, digits = position.partition("-")
    return (run, int(digits)) if digits.isascii() and digits.isdigit() and len(digits) < 20 else ("", 0)
