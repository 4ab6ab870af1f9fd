from __future__ import annotations

import hashlib
import pickle
from typing import Any, assert_type

import pytest

from irminpy import Repo, Tree
from irminpy.backend import Options
from irminpy.contents import Bytes, Counter, Json, Own, String
from irminpy.errors import DecodeError, SchemaMismatch
from irminpy.formats import FlatNative, Native
from irminpy.hash import BLAKE2B, BLAKE3, SHA1, SHA256
from irminpy.hash import Own as OwnHash
from irminpy.metadata import NoMetadata
from irminpy.metadata import Own as OwnMetadata
from irminpy.objects import Kind
from irminpy.schema import Schema
from irminpy_mem import Memory


def encode_mode(mode: int) -> bytes:
    return mode.to_bytes(2, "big")


def decode_mode(data: bytes) -> int:
    return int.from_bytes(data, "big")


def merge_mode(old: Any, ours: int, theirs: int) -> int:
    return max(ours, theirs)


MODE: OwnMetadata[int] = OwnMetadata("mode/1", 0o644, encode_mode, decode_mode, merge_mode)


def test_the_default_schema() -> None:
    """TY-01: Irmin's default is a function of six modules; ours is one value, see decision 13."""
    schema = Schema()
    assert schema.identity.hex() == "7346de8eaa6204a1c2074df596dfac1c587a114540967581a336d1b1f2fa5b07"
    assert schema == Schema(Bytes(), metadata=NoMetadata(), hash=BLAKE3(), format=Native(16, 32))
    assert schema.describe() == "native/1 blake3-256 16 32 bytes none"
    assert repr(schema) == "<Schema native/1 blake3-256 16 32 bytes none>"


DIFFERENT: list[Schema[Any, Any]] = [
    Schema(),
    Schema(String()),
    Schema(hash=SHA256()),
    Schema(format=Native(16, 16)),
    Schema(format=Native(32, 32)),
    Schema(format=FlatNative()),
    Schema(metadata=MODE),
    Schema(metadata=OwnMetadata("mode/1", 0o600, encode_mode, decode_mode, merge_mode)),
    Schema(metadata=OwnMetadata("mode/2", 0o644, encode_mode, decode_mode, merge_mode)),
    Schema(Json(), metadata=MODE, hash=BLAKE2B(32), format=Native(2, 2)),
]


def test_each_part_of_a_schema_is_in_its_identity() -> None:
    """TY-01: a store is a function of all of them."""
    assert len({schema.identity for schema in DIFFERENT}) == len(DIFFERENT)
    for i, schema in enumerate(DIFFERENT):
        assert [schema == other for other in DIFFERENT] == [i == j for j in range(len(DIFFERENT))]
    assert len(set(DIFFERENT)) == len(DIFFERENT)
    assert Schema() != "native"


@pytest.mark.parametrize("schema", DIFFERENT, ids=str)
def test_a_schema_pickles(schema: Schema[Any, Any]) -> None:
    again: Schema[Any, Any] = pickle.loads(pickle.dumps(schema))
    assert again == schema
    assert hash(again) == hash(schema)
    assert again.codec.empty == schema.codec.empty
    again.require(schema)


def test_types_of_one_id_make_one_schema() -> None:
    """The identity is what a root is trusted with; how a type merges is not in it."""

    def ours(old: Any, ours: str | None, theirs: str | None) -> str | None:
        return ours

    mine: Own[str] = Own("string/1", String().encode, String().decode, ours)
    assert Schema(mine) == Schema(String())


def test_another_schema_is_a_mismatch_that_names_both() -> None:
    with pytest.raises(SchemaMismatch) as caught:
        Schema().require(Schema(Json(), hash=SHA256()))
    assert caught.value.wanted == "native/1 blake3-256 16 32 bytes none"
    assert caught.value.found == "native/1 sha256 16 32 json/1 none"
    Schema().require(Schema())


def test_a_hash_that_does_not_fit_the_format_is_a_mismatch() -> None:
    with pytest.raises(SchemaMismatch):
        Schema(hash=SHA1())
    with pytest.raises(SchemaMismatch):
        Schema(hash=BLAKE2B())


def own(id: Any) -> Own[bytes]:
    def merge(old: Any, ours: bytes | None, theirs: bytes | None) -> bytes | None:
        return ours

    return Own(id, bytes, bytes, merge)


@pytest.mark.parametrize(
    "id", ["", "/1", "invoice", "invoice/", "invoice/v1", "bytes", "a\nb/1", "\ud800/1", "x/²"]
)
def test_an_own_type_states_a_versioned_id(id: str) -> None:
    """ "bytes" and "none" are the only ids without a version, so that no other type can bear them."""
    with pytest.raises(DecodeError, match="schema"):
        Schema(own(id))
    with pytest.raises(DecodeError, match="schema"):
        Schema(metadata=OwnMetadata(id, b"", bytes, bytes, merge_any))


def merge_any(old: Any, ours: bytes, theirs: bytes) -> bytes:
    return ours


def test_an_own_type_with_a_versioned_id_is_fine() -> None:
    assert Schema(own("facture/12")).describe() == "native/1 blake3-256 16 32 facture/12 none"
    with pytest.raises(DecodeError):
        Schema(metadata=OwnMetadata("none", b"", bytes, bytes, merge_any))


def test_a_hash_function_has_a_name_that_prints() -> None:
    for name in ("\ud800", "a\0"):
        with pytest.raises(DecodeError, match="schema"):
            Schema(hash=OwnHash(name, 32, SHA256().digest))


def test_a_class_in_place_of_an_instance_is_told_apart() -> None:
    wrong: Any = Json
    with pytest.raises(TypeError, match="instance"):
        Schema(wrong)


def test_a_schema_is_frozen() -> None:
    schema: Any = Schema()
    with pytest.raises(AttributeError):
        schema.hash = SHA256()


def test_the_types_of_a_schema_are_inferred() -> None:
    assert_type(Schema(), Schema[bytes, None])
    assert_type(Schema(hash=SHA256(), format=FlatNative()), Schema[bytes, None])
    assert_type(Schema(Counter()), Schema[int, None])
    assert_type(Schema(String(), format=Native(2, 2)), Schema[str, None])
    assert_type(Schema(metadata=MODE), Schema[bytes, int])
    assert_type(Schema(String(), metadata=MODE), Schema[str, int])
    plain: Schema[bytes] = Schema()
    assert_type(plain.contents.decode(b""), bytes)


def test_one_value_says_what_a_store_holds() -> None:
    """TY-01: contents alone, as Irmin's KV; or all of the parts."""
    with Repo.open(Memory(), Schema(String())) as repo:
        repo.main().set("a", "text")
        assert repo.main().get("a") == "text"
    whole = Schema(Json(), metadata=MODE, hash=SHA256(), format=Native(2, 2))
    with Repo.open(Memory(), whole) as repo:
        assert repo.schema is whole
        tree = repo.empty_tree().add("a", {"b": 1}, metadata=0o755)
        assert repo.commit_tree(tree).tree().get_all("a") == ({"b": 1}, 0o755)
    with Repo.open(Memory()) as plain:
        assert plain.schema == Schema()


@pytest.mark.parametrize("schema", [Schema(), Schema(hash=SHA256(), format=Native(2, 2))], ids=str)
def test_what_is_hashed_is_the_canonical_bytes_of_the_object(schema: Schema[bytes, None]) -> None:
    """TY-05, TY-08: no other form for hashing; `codec.digest` is the hash function over all of the bytes."""
    maker = Memory(f"canonical bytes {schema}")
    with Repo.open(maker, schema) as repo:
        commit = repo.main().set("a/b", b"value")
        assert commit is not None
        tree = commit.tree()
        backend, _ = maker.open(schema, Options())
        named = [
            (Kind.CONTENTS, tree.get_tree("a/b").hash()),
            (Kind.NODE, tree.get_tree("a").hash()),
            (Kind.NODE, tree.hash()),
            (Kind.COMMIT, commit.hash),
        ]
        for kind, hash_ in named:
            data = backend.read(kind, hash_)
            assert data is not None
            assert schema.codec.digest(data) == schema.hash.digest(data) == hash_
            assert schema.codec.digest_many([data, b""]) == [hash_, schema.hash.digest(b"")]


def test_an_object_hashes_with_nothing_but_its_bytes_and_the_hash_function() -> None:
    """TY-05: by hand, as docs/formats/native.md tells it."""
    codec = Schema(hash=SHA256()).codec
    (data,) = codec.encode_contents([b"value"])
    assert data == b"Bvalue"
    assert Tree.of_contents(b"value", Schema(hash=SHA256())).hash() == hashlib.sha256(b"Bvalue").digest()
