"""A map of bounded weight that is as quick as a dict where it is asked for the same again and again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Cache"]

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Two dicts: what was added or asked for since the last turn, and what was before. For any thread.

    When the younger one weighs half of `capacity`, it becomes the older one, which is forgotten. So what is asked for
    at least once a turn stays, as in an `Lru`, but a hit among the younger costs one look-up and no lock. `weigh`
    gives the weight of a value; one added twice in a turn counts twice. A capacity of 0 or less holds nothing.
    `turned` is called at each turn, with the lock held.

    The compiled core has a class that does the same, without a lock; `irminpy.core` says which is used.
    """

    __slots__ = ("_half", "_lock", "_old", "_room", "_turned", "_weigh", "_young", "recent")

    def __init__(
        self, capacity: int, weigh: Callable[[V], int], turned: Callable[[], object] | None = None
    ) -> None:
        self._half = capacity // 2
        self._weigh = weigh
        self._turned = turned
        self._lock = threading.Lock()
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self.recent: Callable[[K], V | None] = self._young.get
        """The value of a key, if it is among the younger, else perhaps None: a hit costs no call of Python. Then ask
        `find`. In the compiled core it is `find`.
        """
        self._room = self._half
        """What the younger ones may still weigh."""

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def find(self, key: K) -> V | None:
        """The value of `key`, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.add(key, value)
        return value

    def add(self, key: K, value: V) -> None:
        """Bind `key` to `value`, which is not None. A value of more than half the capacity is not held."""
        weight = self._weigh(value)
        with self._lock:
            if weight > self._room:
                if weight > self._half:
                    self._young.pop(key, None)
                    self._old.pop(key, None)
                    return
                # The older ones are let go first: a reader in between finds less, and never more than the bound.
                self._old = self._young
                self._young = {}
                self.recent = self._young.get
                self._room = self._half
                if self._turned is not None:
                    self._turned()
            self._young[key] = value
            self._room -= weight

    def add_many(self, items: dict[K, V]) -> None:
        """`add` for each of `items`."""
        weight = sum(map(self._weigh, items.values()))
        with self._lock:
            if weight <= self._room:
                self._young.update(items)
                self._room -= weight
                return
        for key, value in items.items():
            self.add(key, value)

    def drop_many(self, keys: list[K]) -> None:
        """Forget `keys`."""
        with self._lock:
            for key in keys:
                value = self._young.pop(key, None)
                self._old.pop(key, None)
                if value is not None:
                    self._room = min(self._half, self._room + self._weigh(value))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._young, self._old, self._room = {}, {}, self._half
            self.recent = self._young.get

    def iter(self) -> Iterator[tuple[K, V]]:
        """The keys and values as they are now; one may be there twice, with equal values if `add` was given such."""
        with self._lock:
            now = [*self._old.items(), *self._young.items()]
        return iter(now)
