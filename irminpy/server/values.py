"""Contents in JSON: a value of its own where the type is JSON or a number, else text or base64 of its bytes."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ..contents import Counter, Json, JsonObject
from ..errors import DecodeError
from ..schema import Schema

__all__ = ["of_json", "to_json"]


def to_json(schema: Schema[Any, Any], value: Any) -> dict[str, Any]:
    """`{"value": …}`, `{"text": …}` or `{"base64": …}`."""
    if isinstance(schema.contents, Json | JsonObject | Counter):
        return {"value": value}
    data = schema.contents.encode(value)
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def of_json(schema: Schema[Any, Any], fields: dict[str, Any]) -> Any:
    """The contents that `to_json` gives these `fields` of; text and base64 are the canonical bytes of any type."""
    if fields.keys() == {"value"}:
        # Encoding it checks it; the types that take no such value say so.
        if not isinstance(schema.contents, Json | JsonObject | Counter):
            raise DecodeError("value", f"contents of type {schema.contents.id} are given as text or base64")
        value = fields["value"]
        try:
            schema.contents.encode(value)
        except TypeError as e:
            raise DecodeError("value", str(e)) from e
        return value
    if fields.keys() not in ({"text"}, {"base64"}):
        raise DecodeError("value", "one of text, base64 and value is expected")
    ((form, text),) = fields.items()
    if not isinstance(text, str):
        raise DecodeError("value", f"{form} is a string")
    return schema.contents.decode(_bytes(form, text))


def _bytes(form: str, text: str) -> bytes:
    try:
        return text.encode() if form == "text" else base64.b64decode(text.encode("ascii"), validate=True)
    except UnicodeEncodeError:
        raise DecodeError("value", f"{form} with characters that do not belong there") from None
    except binascii.Error as e:
        raise DecodeError("value", f"base64: {e}") from e
