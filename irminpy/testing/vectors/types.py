"""`types.json`: the encodings that the repr library gives to values of many types."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any

from ... import repr as repr_
from ...formats import described
from ...info import Info
from ...repr import Type
from .report import Outcome, failed, same

__all__ = ["check_type"]


def _bytes(text: str) -> bytes:
    """A string as the file writes it: `hex:…` for what is not UTF-8."""
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()


def _items(text: str) -> list[bytes]:
    inner = text.strip("[|]")
    return [item.encode() for item in inner.split(";")] if inner else []


def _tuple(text: str) -> tuple[Any, ...]:
    """`(1,x,true)`."""
    values = {"true": True, "false": False}
    parts = text.strip("()").split(",")
    return tuple(
        [values[part] if part in values else int(part) if part.isdigit() else part.encode() for part in parts]
    )


def _int(bits: int) -> Callable[[str], int]:
    names = {"max": (1 << bits - 1) - 1, "min": -(1 << bits - 1)}
    return lambda text: names[text] if text in names else int(text)


def _option(text: str) -> bytes | None:
    return None if text == "None" else text.removeprefix("Some ").encode()


def _record(text: str) -> dict[str, Any]:
    """`{300;yy;None}`."""
    x, y, z = text.strip("{}").split(";")
    return {"x": int(x), "y": y.encode(), "z": _option(z)}


def _result(text: str) -> tuple[str, Any]:
    case, value = text.split(" ")
    return case.lower(), int(value) if value.isdigit() else value.encode()


def _variant(text: str) -> tuple[str, Any]:
    case, _, value = text.partition(" ")
    return case, int(value) if case == "B" else value.encode() if case == "C" else None


def _path(text: str) -> list[bytes]:
    inner = text.strip("[]")
    return [step.encode() for step in inner.split(";")] if inner else []


def _info(text: str) -> Info:
    fields = dict(part.split("=") for part in text.split(" ")) if text != "empty" else {}
    return Info(int(fields.get("date", 0)), fields.get("author", ""), fields.get("message", ""))


def _digest(size: int | None) -> Callable[[str], bytes]:
    def digest(text: str) -> bytes:
        data = text[text.index("(") + 1 : -1].encode()
        return (
            hashlib.sha1(data).digest() if size is None else hashlib.blake2b(data, digest_size=size).digest()
        )

    return digest


def _json_value(text: str) -> Any:
    """`{a:1,b:[null,true,s]}`: JSON whose names and strings lack their quotes."""
    words = re.findall(r"[{}\[\]:,]|[^{}\[\]:,]+", text)
    plain = ("null", "true", "false")
    quoted = "".join(
        [w if (len(w) == 1 and w in "{}[]:,") or w in plain or w.isdigit() else f'"{w}"' for w in words]
    )
    return _tagged(json.loads(quoted))


def _tagged(value: Any) -> tuple[str, Any]:
    if value is None:
        return "Null", None
    if isinstance(value, bool):
        return "Bool", value
    if isinstance(value, str):
        return "String", value.encode()
    if isinstance(value, int | float):
        return "Float", float(value)
    if isinstance(value, list):
        return "A", list(map(_tagged, value))  # pyright: ignore[reportUnknownArgumentType]
    return "O", [(key.encode(), _tagged(item)) for key, item in value.items()]


def _shown_json(value: tuple[str, Any]) -> str:
    """What Irmin prints, since `Contents.Json_value` shows itself as plain JSON."""
    kind, inner = value
    if kind == "O":
        return "{" + ",".join([f'"{k.decode()}":{_shown_json(v)}' for k, v in inner]) + "}"
    if kind == "A":
        return "[" + ",".join(map(_shown_json, inner)) + "]"
    if kind == "String":
        return json.dumps(inner.decode())
    return json.dumps(inner if kind != "Float" else repr_.float64.to_json(inner))


_CHARS = {"\\255": b"\xff", "\\000": b"\0"}
_RECORD = repr_.record("record", {"x": repr_.integer, "y": repr_.string, "z": repr_.option(repr_.string)})
_VARIANT = repr_.variant("variant", {"A": None, "B": repr_.integer, "C": repr_.string})
_BOOLS = {"true": True, "false": False}
# What OCaml 4.13 takes for nan.
_NAN = struct.unpack(">d", bytes.fromhex("7ff0000000000001"))[0]
_FLOATS = {
    "nan": _NAN,
    "inf": math.inf,
    "infinity": math.inf,
    "-inf": -math.inf,
    "neg_infinity": -math.inf,
}


def _float(text: str) -> float:
    return _FLOATS[text] if text in _FLOATS else float(text)


TYPES: dict[str, tuple[Type[Any], Callable[[str], Any]]] = {
    "unit": (repr_.unit, lambda _: None),
    "bool": (repr_.boolean, lambda text: _BOOLS[text]),
    "char": (repr_.char, lambda text: _CHARS[text] if text in _CHARS else text.encode()),
    "int": (repr_.integer, _int(63)),
    "int32": (repr_.int32, _int(32)),
    "int64": (repr_.int64, _int(64)),
    "float": (repr_.float64, _float),
    "string": (repr_.string, _bytes),
    "bytes": (repr_.string, _bytes),
    "string_of `Int8": (repr_.bytes_("int8"), _bytes),
    "string_of `Int16": (repr_.bytes_("int16"), _bytes),
    "string_of `Int32": (repr_.bytes_("int32"), _bytes),
    "string_of `Int64": (repr_.bytes_("int64"), _bytes),
    "string_of `Fixed 3": (repr_.fixed(3), _bytes),
    "list string": (repr_.list_(repr_.string), _items),
    "list ~len:`Int64 string": (repr_.list_(repr_.string, "int64"), _items),
    "array string": (repr_.array(repr_.string), _items),
    "option string": (repr_.option(repr_.string), _option),
    "pair int string": (repr_.pair(repr_.integer, repr_.string), _tuple),
    "triple": (repr_.triple(repr_.integer, repr_.string, repr_.boolean), _tuple),
    "result": (repr_.result(repr_.integer, repr_.string), _result),
    "record {x:int;y:string;z:string option}": (_RECORD, _record),
    "variant A|B of int|C of string": (_VARIANT, _variant),
    "Path.String_list.t": (described.PATH, _path),
    "Contents.String_v2.t": (repr_.string, _bytes),
    "Contents.V1.String.t": (described.V1_STRING, _bytes),
    "Info.Default.t": (described.INFO, _info),
    "Hash.SHA1.t": (described.hash_of_size(20), _digest(None)),
    "Hash.V1(SHA1).t": (described.v1_hash(20), _digest(None)),
    "Hash.BLAKE2B.t": (described.hash_of_size(64), _digest(64)),
    "Irmin_tezos.Schema.Hash.t": (described.TEZOS_HASH, _digest(32)),
    "Irmin_tezos.Schema.Contents.t": (described.TEZOS_CONTENTS, _bytes),
    "Contents.Json_value.t": (repr_.like(described.JSON_VALUE, "json", shown=_shown_json), _json_value),
}


def check_type(case: dict[str, Any]) -> Outcome:
    """The case `{type, value, bin, …}`: all forms of the value, and the value from each."""
    known = TYPES.get(case["type"])
    if known is None:
        return failed(f"no type {case['type']!r} is known")
    of, read = known
    value = read(case["value"])
    data, boxed = bytes.fromhex(case["bin"]), bytes.fromhex(case["encode_bin_boxed"])
    checks: list[tuple[str, Any, Any]] = [
        ("bin", of.to_bin(value), data),
        ("encode_bin", of.encode(value), boxed),
        ("pre_hash", of.pre_hash(value), bytes.fromhex(case["pre_hash"])),
        ("json", of.to_json(value), case["json"]),
        ("size_of", of.size_of(value), case["size_of"]),
        ("short_hash", of.short_hash(value), case["short_hash"]),
        ("short_hash of seed 1", of.short_hash(value, 1), case["short_hash_seed1"]),
        ("short_hash of seed 7", of.short_hash(value, 7), case["short_hash_seed7"]),
        ("the value of bin", of.encode(of.of_bin(data)), boxed),
        ("the value of encode_bin", of.encode(of.decode(boxed)), boxed),
    ]
    shown = case["pp"]
    text = shown if isinstance(shown, str) else bytes.fromhex(shown["hex"]).decode("utf-8", "surrogateescape")
    checks.append(("to_string", of.to_string(value), text))
    exact = not (type(value) is int and abs(value) > 1 << 53)  # JSON has floats only
    if exact:
        checks.append(("the value of json", of.encode(of.of_json(case["json"])), boxed))
    return same(checks)
