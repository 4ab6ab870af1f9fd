"""Types described at run time, with the bytes and the JSON that Irmin's `Type` (the repr library) gives them.

Irmin hashes and stores what these descriptions say, so that its formats, its proofs and the files of its stores are
put together from them. A description encodes and decodes; there are no others than those that are needed.

Source of the encodings: repr 0.7.0 (`binary.ml`, `type_binary.ml`, `encode_json.ml`), checked against values that
it computed. Lengths and ints are LEB128; ints have 63 bits, in two's complement. A string that is the whole of a
value has no length header in `to_bin` and `pre_hash` ("unboxed"), a string within something always has one.

Decoding refuses what encoding would not give: DecodeError says where.
"""

from .base import Emit, Length, Type, read_varint, seeded_hash, varint
from .compound import array, list_, option, pair, record, result, triple, variant
from .plain import (
    boolean,
    bytes_,
    char,
    fixed,
    float64,
    int32,
    int63,
    int64,
    integer,
    like,
    mapped,
    string,
    text,
    unit,
)

__all__ = [
    "Emit",
    "Length",
    "Type",
    "array",
    "boolean",
    "bytes_",
    "char",
    "fixed",
    "float64",
    "int32",
    "int63",
    "int64",
    "integer",
    "like",
    "list_",
    "mapped",
    "option",
    "pair",
    "read_varint",
    "record",
    "result",
    "seeded_hash",
    "string",
    "text",
    "triple",
    "unit",
    "variant",
    "varint",
]
