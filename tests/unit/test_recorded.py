"""From a description back to the schema."""

from __future__ import annotations

from typing import Any

import pytest

from irminpy import contents, hash
from irminpy.contents import Json, Own, String
from irminpy.errors import NotFound, ReadOnly, SchemaMismatch
from irminpy.formats import FlatNative, Git, Inodes, Irmin, Irmin2, Native, Tezos, by_name
from irminpy.merge import NO_ANCESTOR, Conflict
from irminpy.metadata import Own as OwnMetadata
from irminpy.recorded import Raw, recorded
from irminpy.schema import Schema


def again(schema: Schema[Any, Any]) -> Schema[Any, Any]:
    return recorded(schema.describe(), bytes(schema.identity))


@pytest.mark.parametrize(
    "schema",
    [
        Schema(),
        Schema(String()),
        Schema(Json(), hash=hash.BLAKE2B(32)),
        Schema(hash=hash.SHA256(), format=Native(64, 100)),
        Schema(contents.Counter(), format=FlatNative()),
        Schema(hash=hash.SHA1(), format=Irmin(Inodes(4, 0, "seeded"))),
        Schema(Json(), hash=hash.BLAKE2B(32), format=Tezos()),
        Schema(hash=hash.BLAKE2B(64), format=Irmin2(None)),
        Schema(hash=hash.SHA1(), format=Git()),
    ],
    ids=lambda schema: schema.describe(),
)
def test_a_schema_of_built_in_parts_is_found_again(schema: Schema[Any, Any]) -> None:
    found = again(schema)
    assert found == schema
    assert (found.contents, found.hash, found.format) == (schema.contents, schema.hash, schema.format)


@pytest.mark.parametrize("id", ["invoice/1", "an invoice 7 none/2", "16/3"])
def test_contents_that_are_not_built_in_are_raw_and_read_only(id: str) -> None:
    own: Own[int] = Own(id, lambda value: b"%d" % value, int, lambda old, ours, theirs: ours)
    found = again(Schema(own))
    assert found.identity == Schema(own).identity
    raw = found.contents
    assert isinstance(raw, Raw)
    assert raw.decode(b"12") == b"12"
    with pytest.raises(ReadOnly, match="not built in"):
        raw.encode(b"12")
    assert raw.merge(NO_ANCESTOR, b"1", b"1") == b"1"
    assert isinstance(raw.merge(b"0", b"1", b"2"), Conflict)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "native/1",
            "native/1 blake3-256",
            "native/1 blake3-256 16 32 bytes",
            "native/x blake3-256 16 32 bytes none",
        ),
        *("native/2 blake3-256 16 32 bytes none", "irmin/1 sha1 bytes none", "native/1 md5 16 32 bytes none"),
        *(
            "native/1 sha1 16 32 bytes none",
            "native/1 blake3-256 17 32 bytes none",
            "native/1 blake3-256 16 32 1 bytes none",
        ),
        *("native/1 blake3-256 16 32 bytes mode/1", "native/1 blake3-256 16 32 nameless none"),
    ],
)
def test_what_is_not_built_in_is_named(text: str) -> None:
    with pytest.raises(SchemaMismatch) as e:
        recorded(text, bytes(Schema().identity))
    assert repr(text) in str(e.value)


def test_the_identity_decides() -> None:
    with pytest.raises(SchemaMismatch, match="with the identity"):
        recorded(Schema().describe(), bytes(32))
    mode: OwnMetadata[int] = OwnMetadata(
        "mode/1", 0, lambda n: b"%d" % n, int, lambda old, ours, theirs: ours
    )
    with pytest.raises(SchemaMismatch, match="mode/1"):
        again(Schema(metadata=mode))


def test_formats_are_found_by_name() -> None:
    assert by_name("native", 1, (16, 32)) == Native()
    for format in (
        *(FlatNative(), Git(), Irmin(), Irmin2(), Tezos(), Irmin(None), Irmin2(None), Tezos(None)),
        *(Native(2, 3), Irmin(Inodes(4, 0, "seeded"))),
    ):
        assert by_name(format.name, format.version, format.parameters) == format
    for parameters in ((32, 256), (32, 256, "custom:mine/1"), (3, 256, "seeded"), (32, 256, "seeded", 1)):
        with pytest.raises(NotFound, match="irmin/3 "):
            by_name("irmin", 3, parameters)
    with pytest.raises(NotFound, match="native/1 3 3"):
        by_name("native", 1, (3, 3))
