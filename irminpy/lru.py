"""A map of bounded weight that forgets what was not used for longest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

K = TypeVar("K")
V = TypeVar("V")


def _one(value: object) -> int:
    return 1


class Lru(Generic[K, V]):
    """A map that holds values up to a weight of `capacity`, for any thread; below that it acts as a dict.

    A negative capacity is no bound, and 0 holds nothing. `weigh` gives the weight of a value, at least 0
    and always the same for the same value; without it each weighs 1. `find` and `mem` count as use, `iter`
    does not.
    """

    def __init__(self, capacity: int, weigh: Callable[[V], int] = _one) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._lock = threading.Lock()
        # INVARIANT: least recently used first; the weights sum to `_weight`, which is within the capacity.
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0

    @property
    def capacity(self) -> int:
        """The weight it may hold; negative for no bound."""
        return self._capacity

    @property
    def weight(self) -> int:
        """The sum of the weights of its values; without `weigh`, how many there are."""
        return self._weight

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: K) -> V | None:
        """The value of `key`, which is now the one used last, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def mem(self, key: K) -> bool:
        """Whether `key` has a value, which is now the one used last."""
        with self._lock:
            if key not in self._entries:
                return False
            self._entries.move_to_end(key)
            return True

    def add(self, key: K, value: V) -> None:
        """Bind `key` to `value`, forgetting old ones to make room.

        A value too heavy for the whole capacity is not held; `key` has no value then.
        """
        weight = self._weigh(value)
        with self._lock:
            self._remove(key)
            if self._capacity == 0 or 0 <= self._capacity < weight:
                return
            self._entries[key] = (value, weight)
            self._weight += weight
            while 0 <= self._capacity < self._weight:
                self._drop()

    def remove(self, key: K) -> None:
        """Forget `key`; nothing happens if it has no value."""
        with self._lock:
            self._remove(key)

    def drop(self) -> tuple[K, V] | None:
        """Forget the key not used for longest; it and its value, or None if there is none."""
        with self._lock:
            return self._drop() if self._entries else None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._weight = 0

    def iter(self) -> Iterator[tuple[K, V]]:
        """The keys and values as they are now, the one not used for longest first."""
        with self._lock:
            now = [(key, value) for key, (value, _) in self._entries.items()]
        return iter(now)

    def _remove(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._weight -= entry[1]

    def _drop(self) -> tuple[K, V]:
        key, (value, weight) = self._entries.popitem(last=False)
        self._weight -= weight
        return key, value
