"""What a commit says about itself: when, who, why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, ClassVar, TypeAlias, cast

from irminpy.errors import DecodeError
from irminpy.fields import Frozen, frozen

Extra: TypeAlias = Mapping[str, bytes] | Iterable[tuple[str, bytes]]


@frozen
class Info(Frozen):
    """The date (seconds since 1970, signed 64 bit), author and message of a commit, and `extra` named bytes.

    `extra` is given as a mapping or as pairs in any order, and kept as pairs by the UTF-8 bytes of their
    keys. DecodeError for a date out of range, a surrogate in a text, an extra key empty or there twice.
    """

    __slots__ = ("author", "date", "extra", "message")

    date: int
    author: str
    message: str
    extra: tuple[tuple[str, bytes], ...]

    empty: ClassVar[Info]

    def __init__(self, date: int = 0, author: str = "", message: str = "", extra: Extra = ()) -> None:
        if type(date) is not int:
            raise TypeError(f"a date is a whole number of seconds, not {type(date).__name__}")
        if not -(1 << 63) <= date < 1 << 63:
            raise DecodeError("info", f"the date {hex(date)[:24]} is not a signed 64-bit number of seconds")
        object.__setattr__(self, "date", date)
        object.__setattr__(self, "author", _checked("author", author))
        object.__setattr__(self, "message", _checked("message", message))
        object.__setattr__(self, "extra", _sorted_extra(extra) if extra else ())

    @staticmethod
    def none() -> Info:
        """The empty info; handy where a function that makes one is asked for."""
        return Info.empty

    @property
    def is_empty(self) -> bool:
        """Whether all of it is as by default."""
        return self == Info.empty

    def replace(
        self,
        *,
        date: int | None = None,
        author: str | None = None,
        message: str | None = None,
        extra: Extra | None = None,
    ) -> Info:
        """This info with what is given instead of its own."""
        return Info(
            self.date if date is None else date,
            self.author if author is None else author,
            self.message if message is None else message,
            self.extra if extra is None else extra,
        )

    def to_json(self) -> dict[str, Any]:
        """This info as a JSON object; the bytes of `extra` as hexadecimal digits."""
        extra = {key: value.hex() for key, value in self.extra}
        return {"date": self.date, "author": self.author, "message": self.message, "extra": extra}

    @staticmethod
    def from_json(obj: object) -> Info:
        """The info that `to_json` turned into `obj`; DecodeError if it is not the JSON form of one."""
        if not isinstance(obj, dict):
            raise DecodeError("info", "a JSON object is expected")
        fields = cast("dict[str, Any]", obj)
        extra = fields.get("extra", {})
        if not isinstance(extra, dict):
            raise DecodeError("info", "extra is an object")
        pairs = cast("dict[str, Any]", extra).items()
        try:
            extra_bytes = {key: bytes.fromhex(value) for key, value in pairs}
            return Info(
                fields.get("date", 0), fields.get("author", ""), fields.get("message", ""), extra_bytes
            )
        except DecodeError:
            raise
        except (TypeError, ValueError) as cause:
            raise DecodeError("info", str(cause)) from cause


def _checked(what: str, text: str) -> str:
    if type(text) is str and text.isascii():
        return text
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"the {what} is a str, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        raise DecodeError("info", f"the {what} holds a surrogate, which no UTF-8 stands for") from cause
    return text


def _sorted_extra(extra: Extra) -> tuple[tuple[str, bytes], ...]:
    given = cast("Mapping[str, bytes]", extra).items() if isinstance(extra, Mapping) else extra
    pairs: list[tuple[str, bytes]] = []
    for key, value in given:
        if not isinstance(value, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the value of an extra key is bytes, not {type(value).__name__}")
        if not _checked("key of an extra", key):
            raise DecodeError("info", "an extra key is empty")
        pairs.append((key, value))
    # The order of code points is the order of UTF-8 bytes.
    pairs.sort(key=lambda pair: pair[0])
    for (before, _), (after, _) in pairwise(pairs):
        if before == after:
            raise DecodeError("info", f"the extra key {before!r} is there twice")
    return tuple(pairs)


Info.empty = Info()
