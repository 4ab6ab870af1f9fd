"""A maker whose backend counts what it is asked for, and fails at a call of the tester's choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..backend import Backend, Maker, Options, RefListener, RefUpdate
from ..errors import StorageError
from ..hash import Hash
from ..key import Key
from ..objects import Kind, Objects
from ..schema import Schema

__all__ = ["Fault", "Faulty"]

T = TypeVar("T")


class Fault(StorageError):
    """The failure that was asked for."""

    def __init__(self) -> None:
        super().__init__("a fault on purpose")


class Faulty:
    """Opens what `maker` opens, behind a backend that counts and fails. One open store at a time."""

    def __init__(self, maker: Maker) -> None:
        self.maker = maker
        self.calls = 0
        """Calls so far, since `reset`."""
        self.looked_up = 0
        """Hashes that were looked up."""
        self.read = 0
        """Objects that were asked for."""
        self.written = 0
        """Objects that were written."""
        self._at: int | None = None
        self._after = False

    def reset(self, at: int | None = None, *, after: bool = False) -> None:
        """Count from zero. The call number `at` fails, and every later one: before it does anything, or `after`
        it did everything. None: no call fails.
        """
        self.calls = self.looked_up = self.read = self.written = 0
        self._at, self._after = at, after

    def open(self, schema: Schema[Any, Any] | None, options: Options, /) -> tuple[Backend, Schema[Any, Any]]:
        """As the maker."""
        backend, found = self.maker.open(schema, options)
        return _Backend(backend, self), found

    def call(self, act: Callable[[], T]) -> T:
        """Do `act`, or fail."""
        self.calls += 1
        if self._at is None or self.calls < self._at:
            return act()
        if self._after and self.calls == self._at:
            act()
        raise Fault


class _Backend:
    """A backend behind a `Faulty`."""

    def __init__(self, backend: Backend, faulty: Faulty) -> None:
        self._backend = backend
        self._faulty = faulty

    def read(self, kind: Kind, key: Hash | Key, /) -> bytes | None:
        self._faulty.read += 1
        return self._faulty.call(lambda: self._backend.read(kind, key))

    def read_many(self, kind: Kind, keys: Sequence[Hash | Key], /) -> list[bytes | None]:
        self._faulty.read += len(keys)
        return self._faulty.call(lambda: self._backend.read_many(kind, keys))

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        self._faulty.looked_up += len(hashes)
        return self._faulty.call(lambda: self._backend.find_keys(kind, hashes))

    def find_commits(self, prefix: str, /) -> list[Hash]:
        return self._faulty.call(lambda: self._backend.find_commits(prefix))

    def write(self, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        self._faulty.written += len(objects)
        return self._faulty.call(lambda: self._backend.write(objects, updates))

    def ref(self, name: str, /) -> Hash | None:
        return self._faulty.call(lambda: self._backend.ref(name))

    def refs(self) -> dict[str, Hash]:
        return self._faulty.call(self._backend.refs)

    def watch(self, listener: RefListener, /) -> Callable[[], None]:
        return self._backend.watch(listener)

    def close(self) -> None:
        self._backend.close()
