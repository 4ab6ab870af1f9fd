"""Telling listeners of ref changes in their order, one at a time, without holding the lock of a store.

What a backend owes by its method `watch`. Changes wait in a queue; whoever made one drains it after the batch.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from .backend import RefChange, RefListener

__all__ = ["Announcer"]


class Announcer:
    """The listeners of one store."""

    __slots__ = ("_inside", "_listeners", "_lock", "_speaking", "_waiting")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[RefListener] = []
        self._waiting: deque[tuple[RefChange, tuple[RefListener, ...]]] = deque()
        self._speaking = threading.RLock()
        self._inside = False  # a listener is being called, by the thread that holds `_speaking`

    def __len__(self) -> int:
        return len(self._listeners)

    def listen(self, listener: RefListener) -> Callable[[], None]:
        """Call `listener` with each change that is queued from now on; gives the function that stops it."""

        def relay(change: RefChange) -> None:
            listener(change)

        with self._lock:
            self._listeners.append(relay)

        def stop() -> None:
            with self._lock:
                if relay in self._listeners:
                    self._listeners.remove(relay)
            # A call that is under way on another thread ends before stopping has returned.
            with self._speaking:
                pass

        return stop

    def close(self) -> None:
        """No call comes any more; one that is under way on another thread has ended."""
        with self._lock:
            self._listeners.clear()
        with self._speaking:
            pass

    def queue(self, changes: Iterable[RefChange]) -> None:
        """Changes that have become visible, in order; the caller holds the lock that orders them."""
        if self._listeners:
            with self._lock:
                listeners = tuple(self._listeners)
            self._waiting.extend((change, listeners) for change in changes)

    def speak(self) -> None:
        """Tell what is queued; the caller holds no lock."""
        if not self._waiting:
            return
        with self._speaking:
            if self._inside:
                return  # a listener writes: its change has its turn when all have heard the one before
            self._inside = True
            try:
                while True:
                    try:
                        change, listeners = self._waiting.popleft()
                    except IndexError:
                        return
                    for listener in listeners:
                        if listener in self._listeners:
                            listener(change)
            finally:
                self._inside = False
