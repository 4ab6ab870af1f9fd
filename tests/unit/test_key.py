from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from irminpy.errors import DecodeError
from irminpy.hash import Hash
from irminpy.key import KindedHash, KindedKey, hash_of_key

H = Hash(bytes(range(32)))


@dataclass(frozen=True)
class Direct:
    """A key as a backend has one."""

    hash: Hash
    offset: int


def test_the_hash_of_a_key() -> None:
    assert hash_of_key(H) == H
    assert hash_of_key(Direct(H, 3)) == H
    assert KindedKey("node", Direct(H, 3)).kinded_hash == KindedHash("node", H)


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (KindedHash("node", H), {"node": H.hex()}),
        (KindedHash("contents", H), {"contents": H.hex()}),
        (KindedHash("contents", H, b"\1\2"), {"contents": H.hex(), "metadata": "0102"}),
        (KindedHash("contents", H, b""), {"contents": H.hex(), "metadata": ""}),
    ],
)
def test_kinded_hashes_have_a_json_form(value: KindedHash, json: dict[str, Any]) -> None:
    key = KindedKey(value.kind, value.hash, value.metadata)
    assert value.to_json() == key.to_json() == json
    assert KindedHash.from_json(json) == value
    assert KindedKey.from_json(json) == key
    assert pickle.loads(pickle.dumps(value)) == value
    assert hash(pickle.loads(pickle.dumps(value))) == hash(value)


deep: Any = []
for _ in range(100_000):
    deep = [deep]


@pytest.mark.parametrize(
    "json",
    [
        None,
        [],
        "node",
        {},
        {"node": 3},
        {"node": "0g"},
        {"node": "012"},
        {"node": "01 02"},
        {"commit": H.hex()},
        {"node": H.hex(), "contents": H.hex()},
        {"node": H.hex(), "more": 1},
        {"node": H.hex(), "metadata": ""},
        {"contents": H.hex(), "metadata": None},
        {"contents": H.hex(), "metadata": 3},
        {"contents": H.hex(), "metadata": "0"},
        {"contents": H.hex(), "metadata": "00 00"},
        {"contents": deep},
        deep,
    ],
    ids=range(18),
)
def test_other_json_is_refused(json: Any) -> None:
    """Spaces among the digits, metadata of null, and deep values once passed or raised other errors."""
    with pytest.raises(DecodeError):
        KindedHash.from_json(json)
    with pytest.raises(DecodeError):
        KindedKey.from_json(json)


@pytest.mark.parametrize(("kind", "metadata"), [("commit", None), ("", None), ("node", b""), ("node", b"x")])
def test_a_kind_is_node_or_contents_and_only_contents_have_metadata(
    kind: str, metadata: bytes | None
) -> None:
    with pytest.raises(DecodeError):
        KindedHash(kind, H, metadata)
    with pytest.raises(DecodeError):
        KindedKey(kind, H, metadata)
