"""Metadata: TY-12."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from irminpy import merge
from irminpy.errors import DecodeError
from irminpy.merge import NO_ANCESTOR, Conflict, Old
from irminpy.metadata import Metadata, NoMetadata, Own


def encode_mode(mode: int) -> bytes:
    return mode.to_bytes(2, "big")


def decode_mode(data: bytes) -> int:
    if len(data) != 2:
        raise DecodeError("mode", "two bytes are expected")
    return int.from_bytes(data, "big")


def merge_mode(old: Old[int], ours: int, theirs: int) -> int | Conflict:
    default: merge.Merge[int] = merge.default()
    return default(old, ours, theirs)


def mode() -> Metadata[int]:
    return Own("mode/1", 0o644, encode_mode, decode_mode, merge_mode)


def test_no_metadata_is_none_has_no_bytes_and_merges_trivially() -> None:
    """TY-12"""
    none: Metadata[None] = NoMetadata()
    assert (none.id, none.default, none.encode(None)) == ("none", None, b"")
    for value in (none.decode(b""), none.merge(None, None, None), none.merge(NO_ANCESTOR, None, None)):
        assert value is None


def test_bytes_where_there_is_no_metadata_are_refused() -> None:
    with pytest.raises(DecodeError):
        NoMetadata().decode(b"\0")


@pytest.mark.parametrize("value", [0, b"", False])
def test_a_value_where_there_is_no_metadata_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        NoMetadata().encode(value)


def test_metadata_of_ones_own_is_made_of_functions() -> None:
    """TY-12"""
    metadata = mode()
    assert metadata.decode(metadata.encode(0o755)) == 0o755
    assert metadata.merge(0o644, 0o644, 0o755) == 0o755
    assert isinstance(metadata.merge(0o644, 0o600, 0o755), Conflict)


@pytest.mark.parametrize("make", [NoMetadata, mode])
def test_metadata_types_are_equal_by_value_and_pickle(make: Any) -> None:
    assert make() == make()
    assert hash(make()) == hash(make())
    assert pickle.loads(pickle.dumps(make())) == make()
