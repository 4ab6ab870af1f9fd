"""Contents: the values at the leaves of a tree, their canonical bytes, and how they merge.

For each built-in type, `encode` gives different bytes for different values, and `decode` gives back the
value, types included, and refuses all other bytes.
"""

from __future__ import annotations

from typing import Any

from irminpy.contents.json import Json, JsonObject
from irminpy.contents.msgpack import Msgpack
from irminpy.contents.one_of import OneOf
from irminpy.contents.plain import Bytes, Counter, String
from irminpy.contents.protocol import Contents, Own
from irminpy.errors import NotFound

__all__ = ["Bytes", "Contents", "Counter", "Json", "JsonObject", "Msgpack", "OneOf", "Own", "String", "by_id"]

_BUILT_IN: dict[str, Contents[Any]] = {
    kind.id: kind for kind in (Bytes(), String(), JsonObject(), Json(), Msgpack(), Counter())
}


def by_id(id: str) -> Contents[Any]:
    """The built-in type of contents that is called `id`, such as "json/1"; NotFound if there is none."""
    found = _BUILT_IN.get(id)
    if found is None:
        raise NotFound("built-in type of contents", id)
    return found
