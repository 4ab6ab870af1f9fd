"""The reading side of the key-value store: values and dictionaries of one tree."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, TypeAlias

from irminpy import Repo, Tree
from irminpy.errors import DecodeError, NotFound
from irminpy.formats.git import GitCodec
from irminpy.hash import Hash
from irminpy.metadata import Mode
from irminpy.objects import Kind, Node

from .errors import DictionaryExpected, ValueExpected

__all__ = ["Key", "Kinds", "Reading", "steps", "text"]

Key: TypeAlias = "str | Sequence[str]"
"""A path as text, with or without a "/" before it, or its steps. "" and "/" are the root."""
Kinds: TypeAlias = Literal["value", "dictionary"]
Store: TypeAlias = Repo[bytes, Mode]


def steps(key: Key) -> tuple[str, ...]:
    """The steps of `key`."""
    if isinstance(key, str):
        return tuple(step for step in key.split("/") if step)
    return tuple(key)


def text(key: Key) -> str:
    """`key` as text, as in "/a/b"."""
    return "/" + "/".join(steps(key))


class Reading(ABC):
    """Reads of what is committed, or of what a change has made of it so far."""

    @abstractmethod
    def _now(self) -> tuple[Store, Tree[bytes, Mode] | None]:
        """The repository, and the tree; None if there is no commit yet."""

    @abstractmethod
    def _time(self) -> int | None:
        """The date of the head, in seconds since 1970; None if there is none."""

    # -- kinds -----------------------------------------------------------------------------------------------

    def exists(self, key: Key) -> Kinds | None:
        """What is at `key`. A symbolic link does not exist here; a link to another repository is a dictionary."""
        found = self._at(steps(key))
        if found == "link":
            return None
        return "value" if isinstance(found, tuple) else found

    def _at(self, path: tuple[str, ...]) -> tuple[bytes, Mode] | Literal["dictionary", "link"] | None:
        """A value with its mode, or what else is there."""
        repo, tree = self._now()
        if tree is None:
            return None
        if tree.kind(path) == "node":
            return "dictionary"
        found = tree.find_all(path)
        if found is not None:
            return "link" if found[1] is Mode.LINK else found
        if path and self._is_linked(repo, tree, path):
            return "dictionary"
        return None

    def _is_linked(self, repo: Store, tree: Tree[bytes, Mode], path: tuple[str, ...]) -> bool:
        parent = tree.find_tree(path[:-1])
        return parent is not None and parent.kind() == "node" and path[-1] in _links(repo, parent)

    def _value(self, key: Key) -> bytes:
        found = self._at(steps(key))
        if found is None:
            raise NotFound("key", text(key))
        if not isinstance(found, tuple):
            raise ValueExpected(text(key))
        return found[0]

    # -- values ----------------------------------------------------------------------------------------------

    def get(self, key: Key) -> bytes:
        """The value at `key`. NotFound; ValueExpected for a dictionary or a symbolic link."""
        return self._value(key)

    def get_partial(self, key: Key, *, offset: int, length: int) -> bytes:
        """At most `length` bytes of the value from `offset` on; none beyond its end. DecodeError below 0."""
        if offset < 0 or length < 0:
            raise DecodeError("part of a value", f"offset {offset} and length {length}: neither is below 0")
        return self._value(key)[offset : offset + length]

    def get_with_permissions(self, key: Key) -> tuple[Mode, bytes]:
        """Mode and bytes of the value at `key`; of a symbolic link, where it leads."""
        _, tree = self._now()
        found = None if tree is None else tree.find_all(steps(key))
        if found is not None:
            return found[1], found[0]
        self._value(key)
        raise ValueExpected(text(key))

    def size(self, key: Key) -> int:
        """Bytes of the value at `key`."""
        return len(self._value(key))

    def list(self, key: Key = "/") -> list[tuple[str, Kinds]]:
        """Full keys of what is in the dictionary `key`, with what they are, in the order of Git's trees.

        Symbolic links are left out. NotFound; DictionaryExpected for a value.
        """
        path = steps(key)
        found = self._at(path)
        if found is None:
            raise NotFound("key", text(key))
        if found != "dictionary":
            raise DictionaryExpected(text(key))
        repo, tree = self._now()
        here = None if tree is None else tree.find_tree(path)
        rows: list[tuple[bytes, str, Kinds]] = []
        if here is not None:
            for step, child in here.list():
                if child.kind() == "node":
                    rows.append((_order(step) + b"/", step, "dictionary"))
                elif child.get_all()[1] is not Mode.LINK:
                    rows.append((_order(step), step, "value"))
            linked: list[tuple[bytes, str, Kinds]] = [
                (_order(step) + b"/", step, "dictionary") for step in _links(repo, here)
            ]
            rows += linked
        return [(text((*path, step)), kind) for _, step, kind in sorted(rows)]

    def last_modified(self, key: Key = "/") -> int:
        """The date of the head, in seconds since 1970, whatever the key is; NotFound if there is nothing at `key`."""
        found = self._at(steps(key))
        date = self._time()
        if found is None or date is None:
            raise NotFound("key", text(key))
        return date

    def digest(self, key: Key = "/") -> Hash:
        """The id that Git has for the value, or the dictionary, at `key`. ValueExpected for any link."""
        path = steps(key)
        found = self._at(path)
        if found is None:
            raise NotFound("key", text(key))
        _, tree = self._now()
        here = None if tree is None else tree.find_tree(path)
        if here is None or found == "link":
            raise ValueExpected(text(key))
        return here.hash()


def _order(step: str) -> bytes:
    return step.encode("utf-8", "surrogateescape")


def _links(repo: Store, directory: Tree[bytes, Mode]) -> list[str]:
    """The names of links to other repositories in `directory`, which no tree shows."""
    key = repo.save_tree(directory, clear=False).key
    data = repo.home.source().reader.read(Kind.NODE, key)
    codec = repo.schema.codec
    if data is None or not isinstance(codec, GitCodec):
        return []
    node = codec.load_node(data)
    return list(codec.links(node)) if isinstance(node, Node) and node.links else []
