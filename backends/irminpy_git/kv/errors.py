"""What the key-value store raises besides the errors of irminpy and of remotes."""

from __future__ import annotations

from typing import Any

from irminpy.errors import IrminError, RefUpdateError, RemoteError

__all__ = [
    "AlreadyPresent",
    "DictionaryExpected",
    "Diverged",
    "Modified",
    "NestedChange",
    "NotPushed",
    "ValueExpected",
]


class _AtKey(IrminError):
    """An error about `key`."""

    _said = "{}"

    def __init__(self, key: str) -> None:
        super().__init__(self._said.format(key))
        self.key = key

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.key,)


class ValueExpected(_AtKey):
    """There is something else than a value at `key`: a dictionary, a symbolic link, a link to another repository."""

    _said = "{}: a value is expected, and there is something else"


class DictionaryExpected(_AtKey):
    """There is a value at `key`, where a dictionary is expected."""

    _said = "{}: a dictionary is expected, and there is a value"


class AlreadyPresent(_AtKey):
    """There is something at `key`."""

    _said = "{}: there is something already"


class NestedChange(IrminError):
    """A change was begun inside of a change of the same store."""

    def __init__(self) -> None:
        super().__init__("Nested change_and_push")

    def __reduce__(self) -> tuple[Any, ...]:
        return NestedChange, ()


class Modified(RefUpdateError):
    """The store moved while a change was made; the change was dropped."""

    def __init__(self) -> None:
        super().__init__("the store was modified outside of change_and_push, please retry")

    def __reduce__(self) -> tuple[Any, ...]:
        return Modified, ()


class Diverged(RefUpdateError):
    """The remote's branch has nothing in common any more with what is not pushed. Nothing was changed here."""


class NotPushed(RemoteError):
    """The remote could not be reached. What was written is kept, and not pushed: `push` tries again."""

    def __init__(self, remote: str, reason: str) -> None:
        super().__init__(remote, reason)
        self.args = (f"{self.message}; the change is kept here and not pushed: push() tries again",)
        self.message = str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return NotPushed, (self.remote, self.reason)
