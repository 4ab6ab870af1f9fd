"""The writing side of the key-value store, the same for single writes and within a change."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Final

from irminpy import Tree
from irminpy.errors import DecodeError, NotFound
from irminpy.metadata import Mode

from .errors import AlreadyPresent, DictionaryExpected, ValueExpected
from .reading import Key, Reading, steps, text

__all__ = ["Writing"]

Trees = Tree[bytes, Mode]
_MOST: Final = 512 << 20


class Writing(Reading):
    """Writes. Outside of a change each of them is one commit that is pushed; one that changes nothing is none.

    They raise ValueExpected for the root, which is always a dictionary, DictionaryExpected for a key beyond a value,
    InvalidStep for a name that Git refuses. Outside of a change also `PushRejected`, then nothing has changed; and what
    cannot be pushed since the remote cannot be reached is NotPushed, and kept, unless the store drops it.
    """

    @abstractmethod
    def _update(self, build: Callable[[Trees | None], Trees]) -> None:
        """Make what `build` makes of the tree as it is now, None if there is none, the tree."""

    def set(self, key: Key, value: bytes) -> None:
        """Bind `key` to `value`, an ordinary file, whatever was there; directories on the way are made."""
        self.set_with_permissions(key, Mode.NORMAL, value)

    def set_with_permissions(self, key: Key, mode: Mode, value: bytes) -> None:
        """`set` with a mode; with `Mode.LINK`, `value` is where the symbolic link leads."""

        def build(tree: Trees | None) -> Trees:
            self._check(tree, key)
            return self._or_empty(tree).add(steps(key), value, metadata=mode)

        self._update(build)

    def set_partial(self, key: Key, value: bytes, *, offset: int) -> None:
        """Write `value` at `offset` into the value that is at `key`, an ordinary file then. NotFound if there is none.

        The value grows as needed, with zeros between, and never shrinks. DecodeError for an offset below 0.
        """
        if offset < 0 or offset + len(value) > _MOST:
            raise DecodeError("part of a value", f"offset {offset}: it is below 0, or beyond {_MOST} bytes")

        def build(tree: Trees | None) -> Trees:
            old = self._value(key)
            new = old[:offset].ljust(offset, b"\0") + value + old[offset + len(value) :]
            return self._or_empty(tree).add(steps(key), new, metadata=Mode.NORMAL)

        self._update(build)

    def remove(self, key: Key) -> None:
        """Unbind `key`, a value or a whole dictionary; directories that are empty then go too. Nothing there: nothing
        happens.
        """

        def build(tree: Trees | None) -> Trees:
            path = steps(key)
            whole = self._or_empty(tree)
            if not path or (whole.kind(path) is None and self.exists(key) is not None):
                raise ValueExpected(text(key))  # a link to another repository is not ours to remove
            return whole.remove(path)

        self._update(build)

    def rename(self, source: Key, dest: Key) -> None:
        """Move the value at `source`, with its mode, to `dest`, whatever was there. NotFound; ValueExpected."""

        def build(tree: Trees | None) -> Trees:
            found = self._at(steps(source))
            if found is None or found == "link":
                raise NotFound("key", text(source)) if found is None else ValueExpected(text(source))
            if not isinstance(found, tuple):
                raise ValueExpected(text(source))
            without = self._or_empty(tree).remove(steps(source))
            self._check(without, dest)
            return without.add(steps(dest), found[0], metadata=found[1])

        self._update(build)

    def allocate(self, key: Key, size: int) -> None:
        """Bind `key` to `size` zeros. AlreadyPresent if anything is there; DecodeError for a size below 0."""
        if not 0 <= size <= _MOST:
            raise DecodeError("size of a value", f"{size} is not from 0 to {_MOST}")

        def build(tree: Trees | None) -> Trees:
            if self._at(steps(key)) is not None:
                raise AlreadyPresent(text(key))
            self._check(tree, key)
            return self._or_empty(tree).add(steps(key), bytes(size), metadata=Mode.NORMAL)

        self._update(build)

    def _or_empty(self, tree: Trees | None) -> Trees:
        repo, _ = self._now()
        return repo.empty_tree() if tree is None else tree

    def _check(self, tree: Trees | None, key: Key) -> None:
        """Refuse the root, and what lies beyond a value."""
        path = steps(key)
        if not path:
            raise ValueExpected(text(key))
        for n in range(1, len(path)):
            if tree is not None and tree.kind(path[:n]) == "contents":
                raise DictionaryExpected(text(path[:n]))
