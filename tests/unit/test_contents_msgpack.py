"""MessagePack contents."""

from __future__ import annotations

import struct
from typing import Any

import msgpack
import pytest

from irminpy.contents import Msgpack
from irminpy.errors import DecodeError
from irminpy.merge import Conflict


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\xcc\x80"),
        (65536, b"\xce\x00\x01\x00\x00"),
        ((1 << 64) - 1, b"\xcf" + b"\xff" * 8),
        (-32, b"\xe0"),
        (-33, b"\xd0\xdf"),
        (-(1 << 63), b"\xd3\x80" + b"\0" * 7),
        (1.0, b"\xcb" + struct.pack(">d", 1.0)),
        (-0.0, b"\xcb" + struct.pack(">d", -0.0)),
        ("a" * 32, b"\xd9\x20" + b"a" * 32),
        (b"a", b"\xc4\x01a"),
        ([None, True, False], b"\x93\xc0\xc3\xc2"),
        ({b"a": 1, "b": 2, "aa": 3, 10: 4, -1: 5}, b"\x85\xff\x05\x0a\x04\xa2aa\x03\xa1b\x02\xc4\x01a\x01"),
    ],
    ids=lambda value: "",
)
def test_msgpack_has_one_spelling(value: Any, data: bytes) -> None:
    assert Msgpack().encode(value) == data
    assert Msgpack().decode(data) == value


NOT_CANONICAL = {
    "nothing": b"",
    "two values": b"\x00\x00",
    "a long unsigned header": b"\xcc\x01",
    "a signed header for a positive number": b"\xd0\x01",
    "a float of 32 bits": b"\xca" + struct.pack(">f", 1.0),
    "NaN": b"\xcb" + struct.pack(">d", float("nan")),
    "a long str header": b"\xd9\x01a",
    "a str that is no UTF-8": b"\xa1\xff",
    "a long array header": b"\xdc\x00\x00",
    "keys out of order": b"\x82\xa1b\x01\xa1a\x01",
    "a key twice": b"\x82\xa1a\x01\xa1a\x01",
    "keys that are equal in Python": b"\x82\x01\x01\xc3\x01",
    "a key that is None": b"\x81\xc0\x01",
    "a key that is an array": b"\x81\x90\x01",
    "an extension": b"\xd4\x01a",
    "a timestamp": b"\xd6\xff\0\0\0\0",
    "an unused header": b"\xc1",
    "an array that is cut off": b"\xdd\xff\xff\xff\xff",
    "bytes that are cut off": b"\xc6\xff\xff\xff\xff",
    "129 arrays": b"\x91" * 129 + b"\x00",
    "very many arrays": b"\x91" * 100_000,
}


@pytest.mark.parametrize("data", NOT_CANONICAL.values(), ids=NOT_CANONICAL.keys())
def test_msgpack_in_another_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        Msgpack().decode(data)


@pytest.mark.parametrize(
    "value", [float("nan"), 1 << 64, -(1 << 63) - 1, 10**5000, {1 << 64: 1}], ids=lambda value: ""
)
def test_msgpack_has_no_such_number(value: Any) -> None:
    with pytest.raises(DecodeError):
        Msgpack().encode(value)


@pytest.mark.parametrize(
    "value", [(1,), {None: 1}, {True: 1}, {1.0: 1}, bytearray(), msgpack.ExtType(1, b""), {1}]
)
def test_msgpack_has_no_such_type(value: Any) -> None:
    with pytest.raises(TypeError):
        Msgpack().encode([value])


def test_msgpack_nests_to_a_limit() -> None:
    value: Any = 0
    for i in range(128):
        value = [value] if i % 2 else {"a": value}
    assert Msgpack().decode(Msgpack().encode(value)) == value
    with pytest.raises(DecodeError, match="128"):
        Msgpack().encode([value])


def test_msgpack_merges_tell_equal_numbers_of_other_types_apart() -> None:
    assert Msgpack().merge([1], [True], [1]) == [True]
    assert isinstance(Msgpack().merge([1], [True], [1.0]), Conflict)
