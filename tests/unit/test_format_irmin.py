"""The formats of Irmin: known values, canonical or refused, whatever the bytes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import Repo, Tree
from irminpy.errors import Corrupted, DecodeError, DepthExceeded, InvalidStep, SchemaMismatch
from irminpy.formats import Custom, Format, Inodes, Irmin, Irmin2, Native, Tezos
from irminpy.formats.format import Codec
from irminpy.formats.tezos import read_hash, show_hash
from irminpy.hash import BLAKE2B, SHA1, SHA256, Hash, HashFunction
from irminpy.info import Info
from irminpy.key import KindedHash
from irminpy.merge import Conflict, Old
from irminpy.metadata import Own as OwnMetadata
from irminpy.objects import BUCKET, ROOT, Commit, Inode, Kind, Node, Objects
from irminpy.repr import string, variant
from irminpy.schema import Schema
from irminpy_mem import Memory

SMALL = Inodes(2, 3, "seeded")
FORMATS: list[tuple[Format, HashFunction]] = [
    (Irmin(SMALL), SHA1()),
    (Irmin(None), SHA1()),
    (Irmin2(SMALL), SHA1()),
    (Irmin2(Inodes(4, 0, "hash-bits")), SHA1()),
    (Tezos(SMALL), BLAKE2B(32)),
]
CODECS: list[Codec] = [format_.bind(hash_) for format_, hash_ in FORMATS]


def schema(hash: HashFunction, format: Format) -> Schema[bytes, None]:
    return Schema(hash=hash, format=format)


# Computed by Irmin 3.7.2.
KNOWN: list[tuple[HashFunction, str, str, str, str]] = [
    (
        SHA1(),
        "0c18465c76978406a75e0f2390125ce7d8357c93",
        "2daa2f11cc457e3d644234db4e81301c19673fb6",
        "24eee2cd20dbd74505ec33efd2fbbb9120f30b68",
        "5ca7161776a423335c4f98b4593bec271e8ebc37",
    ),
    (
        SHA256(),
        "c50d1e599503752783abdfbcdbe5416d7898305a0ea91fadf8bd74014365e542",
        "3f8626b2a6eeb6a0657615c69a98d68a6428f9c51db3afb94ccfe4cfef50fd61",
        "44dcb9e2b5ef98828bbd40691af1104967ad98933fad7a100993043be57b0991",
        "9211a47999cf935789ee30838b8964b129f8d36f4d9b6d0b7f68ab2f05839bfd",
    ),
]


@pytest.mark.parametrize(("hash_", "root", "one", "two", "three"), KNOWN, ids=["sha1", "sha256"])
def test_a_tree_and_three_commits_have_irmins_hashes(
    hash_: HashFunction, root: str, one: str, two: str, three: str
) -> None:
    """TY-05, TC-141: contents, directories, a merge."""
    with Repo.open(Memory(), schema(hash_, Irmin())) as repo:
        tree = repo.empty_tree().add("a", b"hello").add("ab", b"").add("b/c", b"world").add("b/d", b"!")
        assert tree.hash().hex() == root
        first = repo.commit_tree(tree, info=Info(42, "alice", "first"))
        second = repo.commit_tree(tree, info=Info(43, "bob", "second"), parents=[first])
        merge = repo.commit_tree(tree, info=Info(44, "bob", "merge"), parents=[second, first])
        assert [commit.hash.hex() for commit in (first, second, merge)] == [one, two, three]


@pytest.mark.parametrize(
    ("inodes", "hashes"),
    [
        (Inodes(2, 3, "hash-bits"), ("559a34d1", "5eea0233", "17b38b25", "c8a7444d")),
        (Inodes(2, 3, "seeded"), ("559a34d1", "5eea0233", "7ef2cbc4", "e63d371f")),
        (Inodes(32, 256, "hash-bits"), ("559a34d1", "801b3190", "dabc65d3", "80b56856")),
        (Inodes(32, 256, "seeded"), ("559a34d1", "801b3190", "c1370f61", "168d387f")),
    ],
    ids=lambda value: str(value.parameters) if isinstance(value, Inodes) else "",
)
def test_large_directories_have_irmins_hashes(inodes: Inodes, hashes: tuple[str, ...]) -> None:
    """TC-141: also on the way back, step by step (CG-04)."""
    tree: Tree[bytes, None] = Tree.empty(schema(SHA1(), Irmin(inodes)))
    sizes = (3, 4, 257, 1000)
    for (before, n), expected in zip(pairwise((0, *sizes)), hashes, strict=True):
        for i in range(before, n):
            tree = tree.add((f"step-{i:03}",), b"v%d" % i)
        assert tree.hash().hex()[:8] == expected
    for n, expected in list(zip(sizes, hashes, strict=True))[-2::-1]:
        for i in range(n, 1000):
            tree = tree.remove((f"step-{i:03}",))
        assert tree.hash().hex()[:8] == expected


def test_a_tezos_context_has_the_hashes_that_tezos_shows() -> None:
    """TY-17, TC-146: base58check goes in and comes out."""
    zeros = b"0" * 10
    with Repo.open(Memory(), schema(BLAKE2B(32), Tezos())) as repo:
        singleton = repo.empty_tree().add("singleton-step", b"singleton-val")
        parent = repo.commit_tree(singleton, info=Info())
        assert parent.hash.hex() == "634d894802f9032ef48bbe1253563dbeb2aad7dc684da83bdea5692fde2185ae"
        tree = repo.empty_tree().add("00", zeros).add("01", zeros)
        assert tree.hash().hex() == "83722c2791a1c47dada4718656a20a2f3a063ae9945b475e67bbb6ef29d88ca4"
        commit = repo.commit_tree(tree, info=Info(0, "Tezos", ""), parents=[parent])
        assert commit.hash.hex() == "c20860adda3c3d40d8d03fab22b07e889979cdac880d979711aa852a0896ae30"
        text = "CoW7mALEs2vue5cfTMdJfSAjNmjmALYS1YyqSsYr9siLcNEcrvAm"
        assert repo.schema.codec.show_hash(commit.hash) == text
        assert repo.at(text).head() == commit
        assert repo.at(f"{text}~1").head() == parent
        assert repo.get(f"{text}:00") == zeros
        assert repo.at(commit.hash.hex()).head() == commit


@given(st.binary(min_size=32, max_size=32))
def test_base58check_reads_back_and_no_other_text_does(hash_: bytes) -> None:
    text = show_hash(hash_)
    assert text.startswith("Co")
    assert read_hash(text) == hash_
    for other in (
        text[:-1],
        text + "1",
        text[:-1] + ("1" if text[-1] != "1" else "2"),
        text.replace("C", "0", 1),
    ):
        assert read_hash(other) is None


# -- metadata --------------------------------------------------------------------------------------------------

_MODE = variant("mode", {"X": None, "Y": string})


@dataclass(frozen=True)
class Mode:
    """X, or Y of a string; X by default. What a type needs to be metadata in Irmin's formats."""

    id: str = "mode/1"
    default: tuple[str, Any] = ("X", None)

    def encode(self, value: tuple[str, Any], /) -> bytes:
        return _MODE.encode(value)

    def decode(self, data: bytes, /) -> tuple[str, Any]:
        return _MODE.decode(data)

    def read(self, data: bytes, at: int, /) -> tuple[tuple[str, Any], int]:
        return _MODE.read(data, at)

    def merge(
        self, old: Old[tuple[str, Any]], ours: tuple[str, Any], theirs: tuple[str, Any], /
    ) -> tuple[str, Any] | Conflict:
        return ours if ours == theirs else Conflict("modes")


def test_metadata_stand_before_the_step_and_the_default_is_not_written() -> None:
    """TY-12: known bytes and hash."""
    own = Schema(metadata=Mode(), hash=SHA1(), format=Irmin(SMALL))
    tree = Tree.empty(own).add("a", b"hello", metadata=("Y", b"zz")).add("b", b"hello")
    assert tree.hash().hex() == "6e9b13cd558736021de9c17e5b39d7e020e3fc66"
    with Repo.open(Memory(), own) as repo:
        repo.main().set_tree((), tree, message="m")
        data = repo._opened.backend.read(Kind.NODE, tree.hash())
        assert data is not None
        assert data.hex().startswith("4e020101623aa3")
        assert data[25:30].hex() == "0201027a7a"
        many = tree
        for i in range(20):
            many = many.add(f"k{i}", b"v", metadata=("Y", b"%d" % i) if i % 2 else None)
        repo.main().set_tree((), many, message="inodes")
        again = Tree.shallow(repo, many.kinded_hash())
        assert again.get_all("k7") == (b"v", ("Y", b"7"))
        assert again.get_all("k8") == (b"v", ("X", None))
        assert repo.check().ok
    written = own.codec.encode_node(["a"], b"\2", bytes(20), [_MODE.encode(("X", None))])
    with pytest.raises(DecodeError, match="default"):
        own.codec.decode_node(written)


def test_metadata_that_do_not_tell_their_end_are_refused() -> None:
    own: OwnMetadata[int] = OwnMetadata("n/1", 0, lambda n: b"%d" % n, int, lambda old, ours, theirs: ours)
    for format_ in (Irmin(), Irmin2(), Tezos()):
        with pytest.raises(SchemaMismatch):
            Schema(metadata=own, hash=BLAKE2B(32), format=format_)


# -- canonical or refused --------------------------------------------------------------------------------------

_steps = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.binary(max_size=3).map(
    lambda data: data.decode("utf-8", "surrogateescape")
)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
@given(
    entries=st.dictionaries(_steps, st.tuples(st.booleans(), st.binary(min_size=32, max_size=32)), max_size=6)
)
def test_directories_and_buckets_read_back_as_they_were(
    codec: Codec, entries: dict[str, tuple[bool, bytes]]
) -> None:
    steps = sorted(entries, key=codec.order)
    kinds = bytes([int(entries[step][0]) for step in steps])
    hashes = b"".join([entries[step][1][: codec.hash_size] for step in steps])
    for limit, encode, place in (
        (codec.flat, codec.encode_node, BUCKET),
        (codec.leaf, codec.encode_bucket, ROOT),
    ):
        if len(steps) > limit or (place == ROOT and (not steps or limit > 100)):
            continue
        data = encode(steps, kinds, hashes, [])
        record = codec.decode_node(data)
        assert isinstance(record, Node)
        assert (list(record.index), record.kinds, record.hashes) == (steps, kinds, hashes)
        assert record.place != place
        assert codec.children(data) == (kinds, hashes)
        assert encode(list(record.index), record.kinds, record.hashes, []) == data


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: type(codec).__name__)
@given(data=st.data())
def test_bytes_decode_to_what_encodes_to_them_or_are_refused(codec: Codec, data: st.DataObject) -> None:
    """Valid bytes with one byte changed, cut or added, and any bytes."""
    h = bytes(range(codec.hash_size))
    valid = [
        codec.encode_node(["a", "b"], b"\0\1", h + h, []),
        codec.encode_bucket(["a", "b"], b"\1\0", h + h, []),
        codec.encode_inode(0, b"\0\1", [4, 4], h + h),
        codec.encode_commit(Commit(Hash(h), (Hash(h),), Info(1, "a", "m"))),
        *codec.encode_contents([b"value"]),
    ]
    raw = bytearray(data.draw(st.sampled_from(valid) | st.binary(max_size=60)))
    at = data.draw(st.integers(0, len(raw)))
    how = data.draw(st.sampled_from(["change", "cut", "add"]))
    if how == "change" and at < len(raw):
        raw[at] = data.draw(st.integers(0, 255))
    elif how == "cut":
        del raw[at:]
    else:
        raw[at:at] = data.draw(st.binary(max_size=2))
    changed = bytes(raw)
    try:
        record = codec.decode_node(changed)
    except DecodeError:
        pass
    else:
        if isinstance(record, Inode):
            again = codec.encode_inode(record.depth, record.buckets, record.counts, record.hashes)
        else:
            encode = codec.encode_bucket if record.place == BUCKET else codec.encode_node
            again = encode(list(record.index), record.kinds, record.hashes, list(record.metadata.values()))
        assert again == changed
    try:
        commit = codec.decode_commit(changed)
    except DecodeError:
        pass
    else:
        assert codec.encode_commit(commit) == changed
    try:
        value = codec.decode_contents(changed)
    except DecodeError:
        pass
    else:
        assert codec.encode_contents([value]) == [changed]


def test_a_step_that_makes_the_bytes_of_an_inode_is_refused() -> None:
    """In Irmin 2, a directory of one long step can equal an inode: the bytes are the inode's (decision 046)."""
    codec = Irmin2(Inodes(32, 256, "seeded")).bind(SHA1())
    count = 31
    total = 21 * count - 19  # so many entries, and so many bytes of the step
    inode = codec.encode_inode(0, bytes(range(count)), [total], bytes(range(20)) * count)
    assert isinstance(codec.decode_node(inode), Inode)
    assert inode[0] == 1
    step = inode[4:-20].decode("utf-8", "surrogateescape")
    with pytest.raises(InvalidStep, match="inode"):
        codec.encode_node([step], b"\0", inode[-20:], [])
    other = step[:-1] + "x"
    assert isinstance(codec.decode_node(codec.encode_node([other], b"\0", inode[-20:], [])), Node)


def test_a_bucket_and_a_directory_do_not_stand_for_each_other() -> None:
    """BE-18: neither is read in the place of the other, though their hashes are right."""
    own = schema(SHA1(), Irmin(SMALL))
    codec = own.codec
    h = bytes(range(20))
    with Repo.open(Memory(), own) as repo:
        bucket = codec.encode_bucket(["a", "b"], b"\1\1", h + h, [])
        node = codec.encode_node(["a", "b"], b"\1\1", h + h, [])
        inode = codec.encode_inode(0, b"\0\1", [4], codec.digest(node) + codec.digest(node))
        made = {codec.digest(data): data for data in (bucket, node, inode)}
        repo._opened.backend.write(Objects(nodes=made))
        tree: Any = Tree.shallow(repo, KindedHash("node", Hash(codec.digest(bucket))))
        with pytest.raises(Corrupted):
            tree.list(())
        tree = Tree.shallow(repo, KindedHash("node", Hash(codec.digest(inode))))
        with pytest.raises(Corrupted):
            tree.find("a")


def test_more_steps_than_the_depth_tells_apart_are_refused() -> None:
    """TC-145: what Irmin calls Max_depth."""
    alike = Custom("alike/1", lambda depth, step: 0)
    for order in (alike, Custom("nowhere/1", lambda depth, step: step[depth])):
        tree: Tree[bytes, None] = Tree.empty(schema(SHA1(), Irmin(Inodes(2, 0, order))))
        for name in ("a", "b", "c"):
            tree = tree.add(name, b"")
        with pytest.raises(DepthExceeded):
            tree.hash()


def test_what_no_configuration_has_is_refused() -> None:
    for wrong in ((3, 256), (1, 256), (512, 256), (True, 256), (32, -1), (32, True)):
        with pytest.raises(ValueError, match="use a"):
            Inodes(*wrong)
    with pytest.raises(ValueError, match="use 'seeded'"):
        Inodes(32, 256, "sorted")  # type: ignore[arg-type]
    with pytest.raises(SchemaMismatch):
        schema(SHA1(), Tezos())


def test_schemas_differ_by_all_that_the_hashes_depend_on() -> None:
    formats: list[Format] = [Irmin(), Irmin(None), Irmin2(), Irmin2(None), Tezos(), Native(), Irmin(SMALL)]
    formats += [
        Irmin(Inodes(32, 256, "seeded")),
        Irmin(Inodes(32, 256, Custom("x/1", lambda depth, step: 0))),
    ]
    identities = {schema(BLAKE2B(32), format_).identity for format_ in formats}
    assert len(identities) == len(formats)


def test_commits_of_irmin_hold_nothing_extra() -> None:
    for codec in CODECS:
        with pytest.raises(DecodeError, match="extra"):
            codec.encode_commit(Commit(Hash(bytes(codec.hash_size)), (), Info(extra={"k": b"v"})))
