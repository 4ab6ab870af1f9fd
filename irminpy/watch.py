"""Watching refs: callbacks that hear what changed, on a thread of their own.

`Watches` stands between the ref changes that a backend announces on the thread of the writer and callbacks
that may take their time. It knows hashes and names of refs, no commits and no stores.

Each watcher remembers the last value it was told for each ref; what it is told is the difference from that:
Added, Updated or Removed, never two equal values. A watcher is never run concurrently with itself, and hears
of changes in their order. One that is too slow misses steps in between but not the last state; it never
blocks a writer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, Self, TypeAlias, TypeVar

from .backend import RefChange, RefListener
from .errors import Closed
from .fields import NamedTuple
from .hash import Hash

if TYPE_CHECKING:
    from .diff import Change

__all__ = ["Callback", "Changes", "Stats", "Watch", "Watches", "changed"]

T = TypeVar("T")
V = TypeVar("V")

Callback: TypeAlias = "Callable[[str, Change[Hash]], None]"
"""Called with the name of a ref and what happened to it."""


_MOST_WAITING = 1024  # events of one watcher, before they are coalesced


class Stats(NamedTuple):
    """How many watchers of one ref and of all refs there are, and how many threads run for them."""

    one: int
    all: int
    threads: int


class Watch:
    """A running watcher. `unwatch()`, or leaving it as a context manager, ends it."""

    __slots__ = (
        *("__weakref__", "_callback", "_events", "_limit", "_name", "_seen", "_watches"),
        *("on_end", "session"),
    )

    def __init__(
        self, watches: Watches, session: _Session, name: str | None, seen: dict[str, Hash], callback: Callback
    ) -> None:
        self._watches = watches
        self.session = session
        self._name = name
        self._seen = seen
        self._callback = callback
        self._events: deque[tuple[str, Hash | None]] = deque()
        self._limit = _MOST_WAITING
        self.on_end: Callable[[], None] | None = None
        """Called once the watch has ended, if not before."""

    @property
    def name(self) -> str | None:
        """The ref that is watched; None for all of them."""
        return self._name

    def unwatch(self) -> None:
        """Stop. When this returns the callback is not running and is not called again; a second call does
        nothing.

        Called from inside the callback itself it returns at once. Do not hold a lock that the callback waits
        for.
        """
        self._watches.unwatch(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.unwatch()

    # Only the session calls what follows: `put` under its lock, `tell` on its thread.

    def put(self, name: str, value: Hash | None) -> None:
        """Note that `name` has `value` now, if that is watched."""
        if self._name is None or self._name == name:
            events = self._events
            events.append((name, value))
            if len(events) > self._limit:
                # Keep the last value of each ref, in the order of the last changes.
                last: dict[str, Hash | None] = {}
                for at, now in events:
                    last.pop(at, None)
                    last[at] = now
                self._events = deque(last.items())
                self._limit = max(_MOST_WAITING, 2 * len(last))

    def take(self) -> deque[tuple[str, Hash | None]]:
        """What has to be told, now taken off."""
        events, self._events = self._events, deque()
        return events

    def tell(self, name: str, value: Hash | None) -> None:
        """Call the callback if `value` is not what it was told last."""
        before = self._seen.get(name)
        if before == value:
            return
        if value is None:
            del self._seen[name]
        else:
            self._seen[name] = value
        change = changed(before, value)
        if change is not None:
            try:
                self._callback(name, change)
            except Exception:
                import logging  # late: most programs have no watch that fails

                logging.getLogger(__name__).exception(
                    "a watcher of %s failed", "all branches" if self._name is None else self._name
                )


class Changes(Generic[V, T]):
    """What a watch tells, as an iterator: it waits for the next change, and ends with the watch.

    For `for`, in any thread. What comes while nobody asks is kept, step by step up to a bound, beyond which steps of
    one branch become one; the last state is never missed, and no writer waits. `unwatch()`, leaving it as a context
    manager, or closing the repository ends it, and whoever waits.
    """

    __slots__ = ("_condition", "_differ", "_ended", "_events", "_limit", "_shape", "_watch")

    def __init__(
        self, shape: Callable[[str, Change[V]], T], differ: Callable[[V | None, V | None], Change[V] | None]
    ) -> None:
        self._shape = shape
        self._differ = differ
        self._condition = threading.Condition()
        self._events: deque[tuple[str, Change[V]]] = deque()
        self._limit = _MOST_WAITING
        self._ended = False
        self._watch: Watch | None = None

    def of(self, watch: Watch) -> Self:
        """This, of `watch`, whose callback is `put`."""
        self._watch = watch
        watch.on_end = self._end
        if watch not in watch.session.watchers:  # it ended before it could tell
            self._end()
        return self

    def put(self, name: str, change: Change[V]) -> None:
        """Keep `change` of the ref `name` for whoever asks."""
        with self._condition:
            self._events.append((name, change))
            if len(self._events) > self._limit:
                first: dict[str, V | None] = {}
                last: dict[str, V | None] = {}
                for at, step in self._events:
                    first.setdefault(at, step.before)
                    last.pop(at, None)
                    last[at] = step.after
                steps = [(at, self._differ(first[at], after)) for at, after in last.items()]
                self._events = deque((at, step) for at, step in steps if step is not None)
                self._limit = max(_MOST_WAITING, 2 * len(last))
            self._condition.notify()

    def wait(self, timeout: float | None = None) -> T | None:
        """The next change; None if none has come within `timeout` seconds (None: for ever), or at the end."""
        with self._condition:
            self._condition.wait_for(lambda: self._events or self._ended, timeout)
            return None if self._ended or not self._events else self._shape(*self._events.popleft())

    def unwatch(self) -> None:
        """End the watch; a second call does nothing. Nothing comes after it, not even what was kept."""
        if self._watch is not None:
            self._watch.unwatch()

    def _end(self) -> None:
        with self._condition:
            self._ended = True
            self._events.clear()
            self._condition.notify_all()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        change = self.wait()
        if change is None:
            raise StopIteration
        return change

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.unwatch()


def changed(before: V | None, after: V | None) -> Change[V] | None:
    """The change from `before` to `after`; None if there is none."""
    from . import diff  # late: who watches nothing needs no changes

    return None if before == after else diff.of(before, after)


class _Session:
    """From the first watcher to the last: one subscription to the backend and one thread."""

    def __init__(self, subscribe: Callable[[RefListener], Callable[[], None]]) -> None:
        self.watchers: list[Watch] = []
        self._condition = threading.Condition()
        self._ended = False
        self._telling: Watch | None = None
        self._thread = threading.Thread(target=self._run, name="irminpy-watch", daemon=True)
        self._unsubscribe = subscribe(self._listen)
        self._thread.start()

    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def add(self, watcher: Watch) -> None:
        """Tell `watcher` of changes from now on."""
        with self._condition:
            self.watchers.append(watcher)

    def put(self, watcher: Watch, values: Mapping[str, Hash | None]) -> None:
        """Tell `watcher` the `values` that refs have now."""
        with self._condition:
            for name, value in values.items():
                watcher.put(name, value)
            self._condition.notify_all()

    def remove(self, watcher: Watch) -> bool:
        """Forget `watcher`, after a call of it that is under way; True if no watcher is left."""
        with self._condition:
            if watcher in self.watchers:
                self.watchers.remove(watcher)
            return not self.watchers

    def settle(self, watcher: Watch) -> None:
        """Wait for a call of `watcher` that is under way on another thread."""
        if threading.current_thread() is not self._thread:
            with self._condition:
                self._condition.wait_for(lambda: self._telling is not watcher)

    def end(self) -> None:
        """Stop the subscription and the thread. Called without any lock."""
        with self._condition:
            self._ended = True
            ended = self.watchers.copy()
            self.watchers.clear()
            self._condition.notify_all()
        self._unsubscribe()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        for watcher in ended:
            if watcher.on_end is not None:
                watcher.on_end()

    def _listen(self, change: RefChange) -> None:
        with self._condition:
            for watcher in self.watchers:
                watcher.put(change.name, change.after)
            self._condition.notify_all()

    def _next(self) -> tuple[Watch, deque[tuple[str, Hash | None]]] | None:
        """A watcher that has to be told something, and what; None at the end."""
        with self._condition:
            self._telling = None
            self._condition.notify_all()
            while not self._ended:
                for i, watcher in enumerate(self.watchers):
                    events = watcher.take()
                    if events:
                        # The next turn is that of the others.
                        self.watchers.append(self.watchers.pop(i))
                        self._telling = watcher
                        return watcher, events
                self._condition.wait()
            return None

    def _run(self) -> None:
        while True:
            turn = self._next()
            if turn is None:
                return
            watcher, events = turn
            for name, value in events:
                if watcher not in self.watchers:
                    break
                watcher.tell(name, value)


class Watches:
    """All watchers of an open backend; `subscribe` is its `watch`, `refs` its `refs`, `ref` its `ref`.

    The subscription and the one thread start with the first watcher and end with the last.
    """

    def __init__(
        self,
        subscribe: Callable[[RefListener], Callable[[], None]],
        ref: Callable[[str], Hash | None],
        refs: Callable[[], dict[str, Hash]],
    ) -> None:
        self._subscribe = subscribe
        self._ref = ref
        self._refs = refs
        self._lock = threading.Lock()
        self._session: _Session | None = None
        self._closed = False

    def watch(self, name: str, callback: Callback, *, init: Hash | None = None) -> Watch:
        """Call `callback` with each change of the ref `name` from now on.

        `init` is what the caller knows of it: what has changed since is told at once. Without it the first
        event is Added, whatever the ref is now.
        """
        watcher = self._add(name, {} if init is None else {name: init}, callback)
        if init is not None:
            watcher.session.put(watcher, {name: self._ref(name)})
        return watcher

    def watch_all(self, callback: Callback, *, init: Mapping[str, Hash] | None = None) -> Watch:
        """Call `callback` with each change of any ref from now on; `init` as in `watch`, for all refs."""
        watcher = self._add(None, dict(init or {}), callback)
        if init is not None:
            now = self._refs()
            watcher.session.put(watcher, {**dict.fromkeys(init), **now})
        return watcher

    def unwatch(self, watcher: Watch) -> None:
        """What `Watch.unwatch` does."""
        session = watcher.session
        with self._lock:
            last = session.remove(watcher) and session is self._session
            if last:
                self._session = None
        if last:
            session.end()
        else:
            session.settle(watcher)
        if watcher.on_end is not None:
            watcher.on_end()

    def stats(self) -> Stats:
        """How many watchers and threads there are."""
        with self._lock:
            session = self._session
            watchers = [] if session is None else session.watchers.copy()
            one = sum(watcher.name is not None for watcher in watchers)
            return Stats(one, len(watchers) - one, int(session is not None and session.alive()))

    def close(self) -> None:
        """End all watchers, and refuse new ones. A second call does nothing."""
        with self._lock:
            self._closed = True
            session, self._session = self._session, None
        if session is not None:
            session.end()

    def _add(self, name: str | None, seen: dict[str, Hash], callback: Callback) -> Watch:
        with self._lock:
            if self._closed:
                raise Closed("the repository")
            if self._session is None:
                self._session = _Session(self._subscribe)
            watcher = Watch(self, self._session, name, seen, callback)
            self._session.add(watcher)
            return watcher
