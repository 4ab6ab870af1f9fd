"""Contents: the values at the leaves of a tree, their canonical bytes, and how they merge.

For each built-in type, `encode` gives different bytes for different values, and `decode` gives back the
value, types included, and refuses all other bytes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from irminpy.contents.plain import Bytes, String
from irminpy.contents.protocol import Contents
from irminpy.errors import NotFound
from irminpy.late import late

if TYPE_CHECKING:
    from irminpy.contents.counter import Counter
    from irminpy.contents.json import Json, JsonObject
    from irminpy.contents.msgpack import Msgpack
    from irminpy.contents.one_of import OneOf
    from irminpy.contents.own import Own

__all__ = ["Bytes", "Contents", "Counter", "Json", "JsonObject", "Msgpack", "OneOf", "Own", "String", "by_id"]

_WHERE = {
    "Counter": "counter",
    "Json": "json",
    "JsonObject": "json",
    "Msgpack": "msgpack",
    "OneOf": "one_of",
    "Own": "own",
}

if not TYPE_CHECKING:  # with it, checkers would take any name for an attribute
    __getattr__, __dir__ = late(__name__, _WHERE)

# The id of each built-in type, and the name of its class.
_BUILT_IN = {
    "bytes": "Bytes",
    "string/1": "String",
    "json-object/1": "JsonObject",
    "json/1": "Json",
    "msgpack/1": "Msgpack",
    "counter/1": "Counter",
}


def by_id(id: str) -> Contents[Any]:
    """The built-in type of contents that is called `id`, such as "json/1"; NotFound if there is none."""
    name = _BUILT_IN.get(id)
    if name is None:
        raise NotFound("built-in type of contents", id)
    found: Contents[Any] = getattr(sys.modules[__name__], name)()
    return found
