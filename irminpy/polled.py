"""Listening to the refs of a store that other programs write as well: what this process does, and what others did.

For backends whose refs are files of their own. Whoever moves a ref here tells it; a thread looks for the rest, while
somebody listens.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Protocol
from weakref import WeakValueDictionary

from .announce import Announcer
from .backend import RefChange, RefListener
from .errors import Corrupted
from .hash import Hash

__all__ = ["Polled", "Refs", "polled"]


class Refs(Protocol):
    """The refs of a store, as they are now."""

    def all(self) -> dict[str, Hash]:
        """All of them, by name."""
        ...

    def mark(self) -> object:
        """Something that is equal as long as nothing has changed, without reading any ref."""
        ...


class Polled:
    """What all handles of this process on one store share: who hears of changes, and who moves refs now."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.announcer = Announcer()
        self.known: dict[str, Hash] = {}
        """The branches as listeners were told of them; kept while there are listeners."""
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    def told(self, changes: Sequence[RefChange]) -> None:
        """Queue `changes` that have happened, with what somebody else did before; the caller holds the lock."""
        if not len(self.announcer):
            return
        for change in changes:
            before = self.known.get(change.name)
            if before != change.before:
                self.announcer.queue([RefChange(change.name, before, change.before)])
            if change.after is None:
                self.known.pop(change.name, None)
            else:
                self.known[change.name] = change.after
            self.announcer.queue([change])

    def look(self, refs: Refs) -> None:
        """Tell what others did since the last look."""
        with self.lock:
            now, known = refs.all(), self.known
            changes = [
                RefChange(name, known.get(name), now.get(name))
                for name in sorted(known.keys() | now.keys())
                if known.get(name) != now.get(name)
            ]
            self.known = now
            self.announcer.queue(changes)
        self.announcer.speak()

    def listen(self, listener: RefListener, refs: Refs, poll: float) -> Callable[[], None]:
        """Call `listener` from now on; a thread looks every `poll` seconds what other processes did."""
        with self.lock:
            if not len(self.announcer):
                self.known = refs.all()
            stop = self.announcer.listen(listener)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._poll, args=(refs, poll), name="irminpy-refs", daemon=True
                )
                self._thread.start()

        def end() -> None:
            stop()
            with self._wake:
                self._wake.notify_all()

        return end

    def _poll(self, refs: Refs, poll: float) -> None:
        mark: object = None
        while True:
            with self._wake:
                self._wake.wait(poll)
            with self.lock:
                if not len(self.announcer):
                    self._thread = None
                    return
            try:
                now = refs.mark()
                if now != mark:
                    self.look(refs)
                    mark = now
            except (OSError, Corrupted):
                continue  # half of a change by somebody else, or damage that whoever reads the ref hears of


_all: WeakValueDictionary[str, Polled] = WeakValueDictionary()
_sharing = threading.Lock()


def polled(path: str) -> Polled:
    """What handles on the store at `path`, a path that is one for all of them, share in this process."""
    key = f"{os.getpid()} {path}"
    with _sharing:
        found = _all.get(key)
        if found is None:
            found = _all[key] = Polled()
        return found
