"""Changes of refs on their way to many watches: one subscription of the store, a number for each change.

The numbers go up by one within one run of a server; a position is that run and a number. Who comes back with a position
that is still remembered is told what he missed, everybody else all refs again. A watch that takes too little is never
waited for: what it waits for is dropped, and it is told all refs again.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from secrets import token_hex

from ..backend import Backend, RefChange
from .limits import Limits
from .problem import Refused

__all__ = ["Event", "Hub", "Subscriber"]

Event = tuple[int, RefChange]
"""A change and its number."""


class Subscriber:
    """One watch, which lives in the loop of the server."""

    __slots__ = ("_event", "_events", "_hub", "_loop", "behind", "ended")

    def __init__(self, hub: Hub, loop: asyncio.AbstractEventLoop, missed: list[Event] | None) -> None:
        self._hub = hub
        self._loop = loop
        self._events: deque[Event] = deque(missed or ())
        self._event = asyncio.Event()
        self.behind = missed is None
        """Whether it has to be told all refs again."""
        self.ended = False
        if self._events or self.behind:
            self._event.set()

    def put(self, event: Event, most: int) -> None:
        """Note a change, from any thread, under the lock of the hub."""
        if len(self._events) >= most:
            self._events.clear()
            self.behind = True
        elif not self.behind:
            self._events.append(event)
        self.wake()

    def wake(self) -> None:
        """Wake whoever waits, from any thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def take(self, timeout: float) -> tuple[bool, list[Event], int] | None:
        """(whether all refs have to be told, changes after that, the last number); None after `timeout` seconds."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout)
        except TimeoutError:
            return None
        self._event.clear()
        return self._hub.taken(self)

    def drain(self) -> tuple[bool, list[Event]]:
        """What has to be told, now taken off; called under the lock of the hub."""
        behind, self.behind = self.behind, False
        events = [*self._events]
        self._events.clear()
        return behind, events

    def close(self) -> None:
        """Forget this watch."""
        self._hub.forget(self)


class Hub:
    """All watches of a server. `begin` and `end` are called by the server."""

    def __init__(self, backend: Backend, limits: Limits) -> None:
        self._backend = backend
        self._limits = limits
        self._lock = threading.Lock()
        self._beginning = threading.Lock()  # not the other one: the store may call `_listen` from `watch`
        self._run = token_hex(6)
        self._number = 0
        self._recent: deque[Event] = deque(maxlen=limits.waiting)
        self._subscribers: set[Subscriber] = set()
        self._stop: Callable[[], None] | None = None
        self._ended = False

    def begin(self) -> None:
        """Listen to the store. A second call does nothing, nor one after `end`."""
        with self._beginning:
            if self._stop is None and not self._ended:
                self._stop = self._backend.watch(self._listen)

    def end(self) -> None:
        """End all watches."""
        with self._lock:
            self._ended = True
            ending = list(self._subscribers)
        with self._beginning:
            stop, self._stop = self._stop, None
        if stop is not None:
            stop()
        for subscriber in ending:
            subscriber.ended = True
            subscriber.wake()

    def _listen(self, change: RefChange) -> None:
        with self._lock:
            self._number += 1
            event = (self._number, change)
            self._recent.append(event)
            for subscriber in self._subscribers:
                subscriber.put(event, self._limits.waiting)

    def position(self) -> str:
        """Where the changes stand now."""
        with self._lock:
            return self.named(self._number)

    def named(self, number: int) -> str:
        """The position of the change `number`."""
        return f"{self._run}-{number}"

    def subscribe(self, after: str | None) -> Subscriber:
        """A watch of what comes after the position `after`; 503 if there are too many."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._ended or len(self._subscribers) >= self._limits.subscribers:
                raise Refused(503, "watches", "there are too many watches", headers={"retry-after": "10"})
            subscriber = Subscriber(self, loop, self._missed(after))
            self._subscribers.add(subscriber)
        return subscriber

    def _missed(self, after: str | None) -> list[Event] | None:
        run, _, digits = (after or "").partition("-")
        if run != self._run or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            return None
        number = int(digits)
        oldest = self._recent[0][0] if self._recent else self._number + 1
        if not oldest - 1 <= number <= self._number:
            return None
        return [event for event in self._recent if event[0] > number]

    def taken(self, subscriber: Subscriber) -> tuple[bool, list[Event], int]:
        """What `subscriber` has to tell."""
        with self._lock:
            return (*subscriber.drain(), self._number)

    def forget(self, subscriber: Subscriber) -> None:
        """Tell `subscriber` no more."""
        with self._lock:
            self._subscribers.discard(subscriber)

    def __len__(self) -> int:
        return len(self._subscribers)
