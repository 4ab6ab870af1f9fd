"""Hashes and hash functions: TY-06, TY-07."""

from __future__ import annotations

import contextlib
import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import hash as h
from irminpy.errors import InvalidHash
from irminpy.hash import Hash


def functions() -> list[h.HashFunction]:
    made: list[h.HashFunction] = [h.BLAKE3(), h.BLAKE2B(), h.BLAKE2B(20), h.BLAKE2S(), h.BLAKE2S(16)]
    made += [h.SHA1(), h.SHA224(), h.SHA256(), h.SHA384(), h.SHA512()]
    if "ripemd160" in hashlib.algorithms_available:
        with contextlib.suppress(InvalidHash):
            made.append(h.RIPEMD160())
    return made


@pytest.mark.parametrize(
    ("function", "digest"),
    [
        (h.BLAKE3(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (h.SHA1(), "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (h.SHA256(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (h.BLAKE2S(), "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9"),
        (h.BLAKE2B(20), "3345524abf6bbe1809449224b5972c41790b6cf2"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_digest_of_nothing_is_the_published_one(function: h.HashFunction, digest: str) -> None:
    """TY-06"""
    assert function.digest(b"").hex() == digest


@pytest.mark.parametrize("function", functions(), ids=lambda f: f.name)
def test_a_digest_has_the_size_that_the_function_states(function: h.HashFunction) -> None:
    """TY-06"""
    assert isinstance(function, h.HashFunction)
    assert len(function.digest(b"abc")) == function.size


@pytest.mark.parametrize("function", functions(), ids=lambda f: f.name)
def test_many_digests_are_those_of_each_in_order(function: h.HashFunction) -> None:
    items = [b"", b"a", b"b" * 1000]
    assert function.digest_many(items) == [function.digest(item) for item in items]


@pytest.mark.parametrize("function", functions(), ids=lambda f: f.name)
def test_a_hash_function_is_a_value_found_by_its_name(function: h.HashFunction) -> None:
    assert h.by_name(function.name) == function
    assert pickle.loads(pickle.dumps(function)) == function
    assert hash(h.by_name(function.name)) == hash(function)


def test_blake2b_is_named_by_its_bits() -> None:
    assert (h.BLAKE2B().name, h.BLAKE2S(16).name) == ("blake2b-512", "blake2s-128")


@pytest.mark.parametrize("size", [0, 65, -1])
def test_a_digest_size_blake2_does_not_have_is_refused(size: int) -> None:
    """TY-06"""
    with pytest.raises(InvalidHash):
        h.BLAKE2B(size)


def test_a_name_of_no_hash_function_is_refused() -> None:
    with pytest.raises(InvalidHash, match="md5"):
        h.by_name("md5")


def test_ripemd160_is_there_or_refused_and_never_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str, *args: object, **kwargs: object) -> object:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", lacking)
    with pytest.raises(InvalidHash, match="OpenSSL"):
        h.RIPEMD160()


def test_a_function_of_ones_own_must_give_the_size_it_states() -> None:
    """TY-06"""
    own = h.Own("first-4", 4, lambda data: data[:4])
    assert own.digest(b"abcdef") == b"abcd"
    assert own.digest_many([b"abcdef", b"12345"]) == [b"abcd", b"1234"]
    with pytest.raises(InvalidHash, match="gave 1 bytes, not 4"):
        own.digest(b"a")


@pytest.mark.parametrize(("name", "size"), [("", 4), ("x", 0)])
def test_a_function_of_ones_own_needs_a_name_and_a_size(name: str, size: int) -> None:
    with pytest.raises(InvalidHash):
        h.Own(name, size, bytes)


def test_the_short_hash_is_that_of_irmin() -> None:
    """TY-07, TC-101; it takes no seed (decision 27)."""
    assert h.short_hash(h.BLAKE2B().digest(b"")) == 241225442164632184


def test_the_short_hash_is_the_low_63_bits_signed() -> None:
    """TY-07"""
    assert h.short_hash(b"\xff" * 8) == -1
    assert h.short_hash(b"\x00" * 7 + b"\x80") == 0
    assert h.short_hash(b"\x00" * 7 + b"\x40") == -(1 << 62)
    assert h.short_hash(b"\x01") == 1


@given(st.binary())
def test_a_hash_is_its_bytes_and_prints_as_hexadecimal_digits(data: bytes) -> None:
    """TY-06"""
    value = Hash.of_bytes(data)
    assert value == data
    assert hash(value) == hash(data)
    assert str(value) == f"{value}" == data.hex()
    assert Hash.of_hex(str(value), len(data)) == value
    assert value.short(4) == data.hex()[:4]


@given(st.binary())
def test_a_hash_pickles_and_goes_to_json_and_back(data: bytes) -> None:
    value = Hash.of_bytes(data)
    for again in (pickle.loads(pickle.dumps(value)), Hash.from_json(value.to_json())):
        assert type(again) is Hash
        assert again == value


@pytest.mark.parametrize("text", ["0", "xy", "00 11", " 0011", "00\n"])
def test_text_that_is_no_hash_is_refused(text: str) -> None:
    """TY-06"""
    with pytest.raises(InvalidHash):
        Hash.of_hex(text)


def test_a_hash_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidHash, match="2 bytes, 3 are expected"):
        Hash.of_hex("0011", 3)


@given(st.text() | st.integers() | st.none())
def test_json_that_is_no_hash_is_refused(obj: object) -> None:
    with contextlib.suppress(InvalidHash):
        Hash.from_json(obj)


def test_a_hash_prints_short_in_a_representation() -> None:
    assert repr(Hash(bytes(range(32)))) == "Hash(0001020304)"


@pytest.mark.parametrize("function", functions(), ids=lambda f: f.name)
@given(parts=st.lists(st.binary(max_size=300), max_size=6))
def test_a_digest_of_pieces_is_that_of_the_whole(function: h.HashFunction, parts: list[bytes]) -> None:
    assert isinstance(function, h.Incremental)
    running = h.running(function)
    for i, part in enumerate(parts):
        running.update(part)
        assert running.digest() == function.digest(b"".join(parts[: i + 1]))
    assert running.digest() == function.digest(b"".join(parts))


def test_a_function_that_wants_its_input_whole_gets_it_whole() -> None:
    own = h.Own("mine", 16, lambda data: hashlib.md5(data, usedforsecurity=False).digest())
    assert not isinstance(own, h.Incremental)
    running = h.running(own)
    for part in (b"a", b"b", b"c"):
        running.update(part)
    assert running.digest() == own.digest(b"abc")
    running.update(b"d")
    assert running.digest() == own.digest(b"abcd")
