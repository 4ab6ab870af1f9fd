"""Git's bytes, judged by ids that are known and by git itself."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import KindedHash, Repo
from irminpy.backend import Options
from irminpy.errors import DecodeError, DepthExceeded, InvalidStep, MergeConflict, SchemaMismatch
from irminpy.formats import Git
from irminpy.formats.git import GitCodec, refusal
from irminpy.hash import BLAKE3, SHA1, SHA256, SHA512, Hash
from irminpy.info import Info
from irminpy.metadata import Mode, Modes
from irminpy.objects import CONTENTS, CONTENTS_META, DIRECTORY, Commit, Kind, Node, Objects
from irminpy.schema import Schema
from irminpy.tree import Tree
from irminpy_mem import Memory

SCHEMA: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=SHA1(), format=Git())
CODEC = GitCodec(SHA1())
FOO = hashlib.sha1(b"blob 3\0foo").digest()


def git(at: Path, *arguments: str, data: bytes = b"") -> bytes:
    """What git writes for `arguments`, in the repository `at`; it must succeed."""
    home = {"PATH": os.environ["PATH"], "HOME": str(at), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    done = subprocess.run(
        ["git", *arguments], cwd=at, input=data, capture_output=True, env=home, check=False, timeout=60
    )
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", "r")
    return tmp_path / "r"


def tree_of(*rows: tuple[str, bytes, bytes]) -> bytes:
    body = b"".join(b"%b %b\0%b" % (mode.encode(), name, hash_) for mode, name, hash_ in rows)
    return b"tree %d\0%b" % (len(body), body)


def commit_of(body: bytes) -> bytes:
    return b"commit %d\0%b" % (len(body), body)


# -- the schema ------------------------------------------------------------------------------------------------


def test_the_hash_is_sha1_or_sha256() -> None:
    for hash_ in (BLAKE3(), SHA512()):
        with pytest.raises(SchemaMismatch, match="git format"):
            Schema(hash=hash_, format=Git())
    assert Schema(hash=SHA256(), format=Git()).codec.hash_size == 32
    assert SCHEMA.describe() == "git/1 sha1 bytes git-mode/1"
    assert SCHEMA.identity != Schema(hash=SHA1(), format=Git()).identity


def test_ids_that_everybody_knows() -> None:
    """The empty tree and the empty blob, and the tree of git-spec 3.4, which git mktree gives."""
    assert CODEC.empty.hex() == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    long = GitCodec(SHA256())
    assert long.empty.hex() == "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
    (blob,) = CODEC.encode_contents([b""])
    assert CODEC.digest(blob).hex() == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    tree: Tree[bytes, Mode] = Tree.empty(SCHEMA)
    for path in ("foo.c", "foo/foo.o", "foo1"):
        tree = tree.add(path, path.split("/")[-1].encode())
    assert tree.hash().hex() == "00c5f5e40e37fde61911f71373813c0b6cad1477"


def test_the_order_in_a_tree_is_that_of_git_and_the_order_of_listing_that_of_steps() -> None:
    tree: Tree[bytes, Mode] = Tree.empty(SCHEMA)
    for path in ("foo.c", "foo/foo.o", "foo1", "foo0/x"):
        tree = tree.add(path, b"")
    node = SCHEMA.codec.encode_node(
        ["foo", "foo.c", "foo0", "foo1"], bytes([DIRECTORY, CONTENTS, DIRECTORY, CONTENTS]), FOO * 4, []
    )
    assert [row[1] for row in CODEC._rows(node[node.index(b"\0") + 1 :])] == [
        b"foo.c",
        b"foo",
        b"foo0",
        b"foo1",
    ]
    assert [step for step, _ in tree.list()] == ["foo", "foo.c", "foo0", "foo1"]


def test_a_mode_travels_as_metadata() -> None:
    """TY-13: Normal, Exec, Link and Everybody, Normal by default, merged by the default rule."""
    tree: Tree[bytes, Mode] = Tree.empty(SCHEMA)
    for mode in Mode:
        tree = tree.add(mode.name, b"x", metadata=mode)
    for mode in Mode:
        assert tree.find_all(mode.name) == (b"x", mode)
    assert tree.add("NORMAL", b"x").hash() == tree.hash()
    metadata = Modes()
    assert metadata.merge(Mode.NORMAL, Mode.NORMAL, Mode.EXEC) is Mode.EXEC
    assert metadata.merge(Mode.EXEC, Mode.NORMAL, Mode.EXEC) is Mode.NORMAL
    assert not isinstance(metadata.merge(Mode.NORMAL, Mode.LINK, Mode.EXEC), Mode)
    for mode in Mode:
        assert metadata.decode(metadata.encode(mode)) is mode
    for other in (b"", b"0100644", b"160000", b"100600", b"040000"):
        with pytest.raises(DecodeError, match="mode"):
            metadata.decode(other)
    with pytest.raises(TypeError):
        metadata.encode(0o100644)  # type: ignore[arg-type]


# -- trees -----------------------------------------------------------------------------------------------------

NAMES = [
    b"a",
    b"a.b",
    b"a0",
    b"\xff\xfe",
    b"caf\xc3\xa9",
    b"x\ny",
    b" ",
    b"...",
    b"dot.",
    b"n" * 4200,
    b"\xed\xb3\xbf",
]


def test_names_of_any_bytes_come_back() -> None:
    """G14: not UTF-8, a line feed, a space, longer than other formats allow."""
    rows = sorted(("100644", name, FOO) for name in NAMES)
    data = tree_of(*rows)
    node = CODEC.decode_node(data)
    assert type(node) is Node
    steps = list(node.index)
    assert [CODEC.steps((step,))[0] for step in steps] == steps
    assert CODEC.encode_node(steps, node.kinds, node.hashes, []) == data
    assert CODEC.children(data) == (node.kinds, node.hashes)


@given(
    st.dictionaries(
        st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=3
        ).filter(lambda step: refusal(step) is None),
        st.tuples(
            st.sampled_from(["40000", "100644", "100755", "120000", "100664", "160000"]),
            st.binary(min_size=20, max_size=20),
        ),
    )
)
def test_a_tree_is_encoded_as_git_would(entries: dict[str, tuple[str, bytes]]) -> None:
    rows = [(mode, step.encode(), hash_) for step, (mode, hash_) in entries.items() if any(hash_)]
    rows.sort(key=lambda row: row[1] + (b"/" if row[0] in ("40000", "160000") else b""))
    data = tree_of(*rows)
    node = CODEC.decode_node(data)
    assert type(node) is Node
    assert node == CODEC.load_node(data)
    metadata = [node.metadata[i] for i in sorted(node.metadata)]
    assert CODEC.encode_linked(list(node.index), node.kinds, node.hashes, metadata, node.links) == data
    assert CODEC.children(data) == (node.kinds, node.hashes)
    links = {name.decode(): hash_ for mode, name, hash_ in rows if mode == "160000"}
    assert CODEC.links(node) == links


HOSTILE_NAMES = [
    *(
        ".",
        "..",
        ".git",
        ".GIT",
        ".giT",
        "git~1",
        "GIT~1",
        ".git ",
        ".git.",
        ".git. .",
        ".git::$INDEX_ALLOCATION",
    ),
    *(
        ".git:x",
        "git~1 ",
        "git~1.",
        ".g\u200cit",
        "\ufeff.git",
        ".gi\u206ft",
        "a\\.git",
        "a\\git~1\\b",
        ".git\\x",
    ),
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_name_that_some_system_takes_for_a_part_of_the_repository_is_refused(name: str) -> None:
    """G09, G15: on every system, to write and to import; what is stored already is still listed."""
    with pytest.raises(InvalidStep):
        CODEC.steps(("d", name))
    with pytest.raises(InvalidStep):
        Tree.empty(SCHEMA).add((name,), b"x")
    data = tree_of(("100644", name.encode(), FOO))
    with pytest.raises(DecodeError, match="directory"):
        CODEC.decode_node(data)
    node = CODEC.load_node(data)
    assert type(node) is Node
    assert list(node.index) == [name]


@pytest.mark.parametrize(
    "name",
    [
        ".gitignore",
        ".gitmodules",
        "git",
        "digit",
        "git~2",
        ".git2",
        "a.git",
        "g.it",
        ".github",
        "C:",
        "a\\b",
        "...",
    ],
)
def test_a_name_that_git_takes_is_taken(name: str) -> None:
    assert CODEC.steps((name,)) == [name]
    CODEC.decode_node(tree_of(("100644", name.encode(), FOO)))


def test_a_name_is_refused_if_it_is_empty_or_no_single_name() -> None:
    for step in ("", "a/b", "a\0", "\ud800", "\udcc3\udca9"):
        with pytest.raises(InvalidStep):
            CODEC.steps((step,))


BAD_TREES: dict[str, bytes] = {
    "twice": tree_of(("100644", b"a", FOO), ("100644", b"a", FOO)),
    "a file and a directory of one name": tree_of(
        ("100644", b"a", FOO), ("100644", b"a.b", FOO), ("40000", b"a", FOO)
    ),
    "not in order": tree_of(("100644", b"b", FOO), ("100644", b"a", FOO)),
    "a directory where a file would stand": tree_of(("40000", b"a", FOO), ("100644", b"a.b", FOO)),
    "a leading zero": tree_of(("040000", b"a", FOO)),
    "a leading zero of a file": tree_of(("0100644", b"a", FOO)),
    "an odd mode": tree_of(("100600", b"a", FOO)),
    "no mode of a file": tree_of(("100", b"a", FOO)),
    "a device": tree_of(("60000", b"a", FOO)),
    "no octal digits": tree_of(("100698", b"a", FOO)),
    "no mode": tree_of(("", b"a", FOO)),
    "an empty name": tree_of(("100644", b"", FOO)),
    "a slash": tree_of(("100644", b"a/b", FOO)),
    "a hash of zeros": tree_of(("100644", b"a", bytes(20))),
    "a link to modules": tree_of(("120000", b".gitmodules", FOO)),
    "a link to modules as NTFS says it": tree_of(("120000", b"GITMOD~1", FOO)),
    "a short hash": tree_of(("100644", b"a", FOO[:19])),
    "something behind": tree_of(("100644", b"a", FOO + b"x")),
    "something before": b"tree 29\0x100644 a\0" + FOO,
    "another length": b"tree 28\0100644 a\0" + FOO + b"0",
    "a length with a zero": b"tree 00\0",
    "no length": b"tree \0",
    "another type": b"blob 0\0",
    "no header": b"",
    "no end of the header": b"tree 0",
}


@pytest.mark.parametrize("why", BAD_TREES)
def test_a_tree_that_git_would_not_make_is_refused(why: str) -> None:
    """G10: by the rules of fsck; nothing is put right silently."""
    with pytest.raises(DecodeError, match="directory"):
        CODEC.decode_node(BAD_TREES[why])


def stored(*objects: bytes, name: str | None = None) -> tuple[Repo[bytes, Mode], Memory]:
    """A repository in memory that holds `objects`, and its maker."""
    maker = Memory(name or uuid4().hex)
    backend, _ = maker.open(SCHEMA, Options())
    made = Objects()
    for data in objects:
        kind = {b"tree": made.nodes, b"blob": made.contents, b"comm": made.commits}[data[:4]]
        kind[CODEC.digest(data)] = data
    assert backend.write(made)
    return Repo.open(maker, SCHEMA), maker


def node_hash(hash_: Hash) -> KindedHash:
    return KindedHash("node", hash_)


def raw(repo: Repo[bytes, Mode], tree: Tree[bytes, Mode]) -> bytes:
    """The bytes of the root of `tree`, which is saved."""
    repo.save_tree(tree)
    data = repo._opened.backend.read(Kind.NODE, tree.hash())
    assert data is not None
    return data


ODD_ROWS = [
    ("100600", b"a", FOO),
    ("100664", b"b", FOO),
    ("120000", b"l", FOO),
    ("160000", b"s", b"S" * 20),
    ("040000", b"x", CODEC.digest(tree_of(("100644", b"foo", FOO)))),
]


def test_an_odd_tree_that_is_stored_is_read_and_keeps_its_modes_and_links_when_it_is_edited() -> None:
    """G12: git-spec 3.5. A mode with a zero is written as Git writes it, once the tree is written at all."""
    data = tree_of(*ODD_ROWS)
    repo, _ = stored(data, tree_of(("100644", b"foo", FOO)), b"blob 3\0foo")
    with repo:
        tree = Tree.of_hash(repo, node_hash(Hash(CODEC.digest(data))))
        assert tree is not None
        assert [step for step, _ in tree.list()] == ["a", "b", "l", "x"]
        assert tree.find_all("b") == (b"foo", Mode.EVERYBODY)
        assert tree.find_all("l") == (b"foo", Mode.LINK)
        assert tree.get("x/foo") == b"foo"
        edited = raw(repo, tree.add("x/foo", b"other").add("c", b"new"))
        wanted = [(mode.lstrip("0"), name, b"") for mode, name, _ in ODD_ROWS]
        wanted.insert(2, ("100644", b"c", b""))
        rows = [
            (mode.decode(), name, b"") for mode, name, _ in CODEC._rows(edited[edited.index(b"\0") + 1 :])
        ]
        assert rows == wanted
        assert b"160000 s\0" + b"S" * 20 in edited
        assert raw(repo, tree.add("x/foo", b"other").add("x/foo", b"foo")) == tree_of(
            *[(mode.lstrip("0"), name, hash_) for mode, name, hash_ in ODD_ROWS]
        )


def test_links_to_other_repositories_stay_when_all_else_goes_and_give_way_to_an_entry_of_their_name() -> None:
    data = tree_of(("100644", b"a", FOO), ("160000", b"s", b"S" * 20))
    repo, _ = stored(data, b"blob 3\0foo")
    with repo:
        tree = Tree.of_hash(repo, node_hash(Hash(CODEC.digest(data))))
        assert tree is not None
        assert raw(repo, tree.remove("a")) == tree_of(("160000", b"s", b"S" * 20))
        assert raw(repo, tree.add("s", b"foo")) == tree_of(("100644", b"a", FOO), ("100644", b"s", FOO))


def test_a_merge_that_would_lose_their_links_is_a_conflict() -> None:
    foo = b"blob 3\0foo"

    def directory(link: bytes, *names: bytes) -> bytes:
        return tree_of(*[("100644", name, FOO) for name in names], ("160000", b"s", link * 20))

    base, ours, theirs = directory(b"1", b"a"), directory(b"1", b"a", b"b"), directory(b"2", b"a", b"c")
    repo, _ = stored(foo, base, ours, theirs)
    with repo:
        trees = [Tree.of_hash(repo, node_hash(Hash(CODEC.digest(data)))) for data in (base, ours, theirs)]
        b, o, t = (tree for tree in trees if tree is not None)
        with pytest.raises(MergeConflict, match="links"):
            o.merge(t, old=b)
        assert raw(repo, t.merge(o, old=b)) == directory(b"2", b"a", b"b", b"c")


# -- commits ---------------------------------------------------------------------------------------------------

T = CODEC.empty.hex().encode()
P = b"1" * 40
AUTHOR = b"author A U Thor <author@example.com> 1112911993 -0700\n"
COMMITTER = b"committer C O Mitter <committer@example.com> 1112911994 +0200\n"
SIGNATURE = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n =abcd\n -----END PGP SIGNATURE-----\n"
MERGETAG = b"mergetag object " + P + b"\n type commit\n tag v1\n tagger A <a@b> 1 +0000\n \n message\n"
HEAD = b"tree " + T + b"\n" + AUTHOR + COMMITTER

ODD_COMMITS: dict[str, bytes] = {
    "as git makes it": HEAD + b"\nsubject\n\nbody\n",
    "a root of irmin": b"tree "
    + T
    + b"\nauthor x <irmin@openmirage.org> 0 +0000\ncommitter x <irmin@openmirage.org> 0 +0000\n\n",
    "parents": b"tree "
    + T
    + b"\nparent "
    + P
    + b"\nparent "
    + b"2" * 40
    + b"\n"
    + AUTHOR
    + COMMITTER
    + b"\nm",
    "one parent twice": b"tree " + T + b"\n" + (b"parent " + P + b"\n") * 2 + AUTHOR + COMMITTER + b"\nm",
    "a signature": HEAD + SIGNATURE + b"\nm\n",
    "a signature of sha256": HEAD + b"gpgsig-sha256 x\n y\n" + b"\nm\n",
    "an encoding and a signature": HEAD + b"encoding ISO-8859-1\n" + SIGNATURE + b"\nh\xe9\n",
    "an encoding that nobody knows": HEAD + b"encoding klingon\n\nh\xe9\n",
    "an encoding that does not fit": HEAD + b"encoding UTF-8\n\nh\xe9\n",
    "latin-1 without saying so": HEAD + b"\nh\xe9\n",
    "a merge tag": HEAD + MERGETAG + b"\nm\n",
    "two merge tags": HEAD + MERGETAG + MERGETAG + b"\nm\n",
    "a signature before another header": HEAD + SIGNATURE + b"x-other 1\n\nm\n",
    "headers nobody knows": HEAD + b"HG:extra rebase_source:1\nchange-id abc\n\nm\n",
    "a header of our own names": HEAD + b"raw x\ntimezone y\n\nm\n",
    "a header without a value": HEAD + b"empty\n\nm\n",
    "a header that is not utf-8": HEAD + b"h\xe9 x\n\nm\n",
    "a NUL in the message": HEAD + b"\na\0b\n",
    "no line feed at the end": HEAD + b"\nm",
    "no message": HEAD + b"\n",
    "no blank line": HEAD[:-1],
    "no blank line but a line feed": HEAD,
    "a zone of -0000": b"tree " + T + b"\nauthor A <a@b> 1 -0000\ncommitter A <a@b> 1 -0000\n\nm\n",
    "a zone of six digits": b"tree " + T + b"\nauthor A <a@b> 1 +051800\ncommitter A <a@b> 1 +051800\n\nm\n",
    "a zone of one digit": b"tree " + T + b"\nauthor A <a@b> 1 +1\ncommitter A <a@b> 1 +1\n\nm\n",
    "a date before 1970": b"tree " + T + b"\nauthor A <a@b> -1 +0000\ncommitter A <a@b> -1 +0000\n\nm\n",
    "a date beyond all": b"tree "
    + T
    + b"\nauthor A <a@b> 18446744073709551615 +0000\ncommitter A <a@b> 1 +0000\n\nm\n",
    "a date of nineteen digits": b"tree "
    + T
    + b"\nauthor A <a@b> 9999999999999999999 +0000\ncommitter A <a@b> 1 +0000\n\nm\n",
    "a date with zeros": b"tree " + T + b"\nauthor A <a@b> 007 +0000\ncommitter A <a@b> 007 +0000\n\nm\n",
    "no date": b"tree " + T + b"\nauthor A <a@b>\ncommitter A <a@b>\n\nm\n",
    "no e-mail": b"tree " + T + b"\nauthor A 1 +0000\ncommitter A 1 +0000\n\nm\n",
    "an empty e-mail": b"tree " + T + b"\nauthor A <> 1 +0000\ncommitter A <> 1 +0000\n\nm\n",
    "no name": b"tree " + T + b"\nauthor <a@b> 1 +0000\ncommitter <a@b> 1 +0000\n\nm\n",
    "an empty name": b"tree " + T + b"\nauthor  <a@b> 1 +0000\ncommitter  <a@b> 1 +0000\n\nm\n",
    "angles in the name": b"tree " + T + b"\nauthor A <x> B <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nm\n",
    "a name that is not utf-8": b"tree "
    + T
    + b"\nauthor J\xf6rg <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nm\n",
    "no author": b"tree " + T + b"\n" + COMMITTER + b"\nm\n",
    "no committer": b"tree " + T + b"\n" + AUTHOR + b"\nm\n",
    "upper-case digits": b"tree " + T.upper() + b"\n" + AUTHOR + COMMITTER + b"\nm\n",
    "a parent behind the author": b"tree "
    + T
    + b"\n"
    + AUTHOR
    + b"parent "
    + P
    + b"\n"
    + COMMITTER
    + b"\nm\n",
    "a message of blank lines": HEAD + b"\n\n\n \n",
    "a name of spaces": b"tree " + T + b"\nauthor    <a@b> 1 +0000\ncommitter    <a@b> 1 +0000\n\nm\n",
}


@pytest.mark.parametrize("why", ODD_COMMITS)
def test_any_commit_becomes_its_own_bytes_again(why: str) -> None:
    """G13: signatures, encodings, merge tags, odd dates, zones and names."""
    data = commit_of(ODD_COMMITS[why])
    commit = CODEC.decode_commit(data)
    assert commit.node.hex().encode() == T
    assert CODEC.encode_commit(commit) == data
    # As a value it travels through memory and JSON.
    again = Commit(commit.node, commit.parents, Info.from_json(commit.info.to_json()))
    assert CODEC.encode_commit(again) == data


def test_what_a_foreign_commit_says_is_shown() -> None:
    """git-spec 3.5: name, e-mail, both dates and zones, committer, encoding, other headers."""
    info = CODEC.decode_commit(commit_of(ODD_COMMITS["an encoding and a signature"])).info
    assert (info.author, info.date, info.message) == ("A U Thor <author@example.com>", 1112911993, "hé\n")
    extra = dict(info.extra)
    assert extra["committer"] == COMMITTER[10:-1]
    assert extra["timezone"] == b"-0700"
    assert extra["encoding"] == b"ISO-8859-1"
    assert extra["gpgsig"].startswith(b"-----BEGIN PGP SIGNATURE-----\n\niQ==")
    info = CODEC.decode_commit(commit_of(ODD_COMMITS["two merge tags"])).info
    assert dict(info.extra)["headers"] == MERGETAG * 2
    info = CODEC.decode_commit(commit_of(ODD_COMMITS["no e-mail"])).info
    assert (info.author, info.message, [key for key, _ in info.extra]) == ("A 1 +0000", "m\n", ["raw"])


def test_an_author_is_a_name_or_a_name_and_an_address() -> None:
    node = Hash(CODEC.empty)
    for author, line in (
        ("", b" <irmin@openmirage.org>"),
        ("Thomas", b"Thomas <irmin@openmirage.org>"),
        ("Thomas <t@x>", b"Thomas <t@x>"),
        ("<t@x>", b" <t@x>"),
        ("Thomas <>", b"Thomas <>"),
    ):
        data = CODEC.encode_commit(Commit(node, (), Info(1, author, "m")))
        assert b"\nauthor " + line + b" 1 +0000\ncommitter " + line + b" 1 +0000\n\nm" in data
        assert CODEC.decode_commit(data).info.author == author


BAD_INFOS: dict[str, Info] = {
    "a date before 1970": Info(-1, "a", "m"),
    "an angle in the author": Info(1, "a < b", "m"),
    "a line feed in the author": Info(1, "a\nb", "m"),
    "a line feed in the address": Info(1, "a <b\nc>", "m"),
    "a NUL in the author": Info(1, "a\0", "m"),
    "a NUL in the message": Info(1, "a", "m\0"),
    "a header that is none": Info(1, "a", "m", {"a b": b"x"}),
    "a header with a line feed": Info(1, "a", "m", {"a\nb": b"x"}),
    "a parent among the headers": Info(1, "a", "m", {"parent": P}),
    "a committer that ends too late": Info(1, "a", "m", {"committer": b"A <a@b> 1 +0000\n\nx"}),
    "the committer of the author": Info(1, "a", "m", {"committer": b"a <irmin@openmirage.org> 1 +0000"}),
    "a zone that is none": Info(1, "a", "m", {"timezone": b"UTC"}),
    "the usual zone": Info(1, "a", "m", {"timezone": b"+0000"}),
    "headers that end the head": Info(1, "a", "m", {"headers": b"x y\n\nz"}),
    "an encoding that nobody knows": Info(1, "a", "m", {"encoding": b"klingon"}),
    "an encoding that cannot say it": Info(1, "a", "\u4e2d", {"encoding": b"ISO-8859-1"}),
    "raw bytes of another commit": Info(1, "a", "m", {"raw": HEAD + b"\nm"}),
    "raw bytes of nothing": Info(1, "a", "m", {"raw": b""}),
}


@pytest.mark.parametrize("why", BAD_INFOS)
def test_a_commit_that_git_cannot_say_is_refused(why: str) -> None:
    with pytest.raises(DecodeError, match="commit"):
        CODEC.encode_commit(Commit(Hash(CODEC.empty), (), BAD_INFOS[why]))


BAD_COMMITS: dict[str, bytes] = {
    "nothing": b"",
    "no tree": AUTHOR + COMMITTER + b"\nm",
    "a short tree": b"tree " + T[:-1] + b"\n" + AUTHOR + COMMITTER + b"\nm",
    "a long tree": b"tree " + T + b"0\n" + AUTHOR + COMMITTER + b"\nm",
    "a tree of spaces": b"tree " + b"  " * 20 + b"\n" + AUTHOR + COMMITTER + b"\nm",
    "a tree that is no hash": b"tree " + b"g" * 40 + b"\n" + AUTHOR + COMMITTER + b"\nm",
    "a tree beyond ascii": b"tree " + b"\xff" * 40 + b"\n" + AUTHOR + COMMITTER + b"\nm",
    "a short parent": b"tree " + T + b"\nparent 11\n" + AUTHOR + COMMITTER + b"\nm",
    "a parent that is no hash": b"tree " + T + b"\nparent " + b"x" * 40 + b"\n" + AUTHOR + COMMITTER,
    "a tree without an end": b"tree " + T,
}


@pytest.mark.parametrize("why", BAD_COMMITS)
def test_what_begins_with_no_tree_is_no_commit(why: str) -> None:
    with pytest.raises(DecodeError, match="commit"):
        CODEC.decode_commit(commit_of(BAD_COMMITS[why]))


@given(st.binary(max_size=60))
def test_no_bytes_fail_otherwise_than_with_a_decode_error(tail: bytes) -> None:
    for data in (
        tail,
        commit_of(tail),
        commit_of(HEAD + tail),
        tree_of(("100644", tail, FOO)),
        b"tree %d\0" % len(tail) + tail,
    ):
        for decode in (
            CODEC.decode_commit,
            CODEC.decode_node,
            CODEC.load_node,
            CODEC.decode_contents,
            CODEC.children,
        ):
            try:
                found = decode(data)
            except DecodeError:
                continue
            if isinstance(found, Commit):
                assert CODEC.encode_commit(found) == data


def test_there_are_no_inner_nodes() -> None:
    with pytest.raises(DepthExceeded):
        CODEC.digit("a", 0)
    with pytest.raises(DepthExceeded):
        CODEC.split(["a"], [b"a"], [0], 0)
    with pytest.raises(DecodeError):
        CODEC.encode_inode(0, b"", [], b"")
    assert CODEC.split([], [], [], 0) == []


def test_metadata_that_is_no_mode_is_refused() -> None:
    with pytest.raises(DecodeError, match="mode"):
        CODEC.encode_node(["a"], bytes([CONTENTS_META]), FOO, [b"rwx"])
    with pytest.raises(InvalidStep):
        CODEC.encode_node([".gitmodules"], bytes([CONTENTS_META]), FOO, [b"120000"])


# -- git as the judge --------------------------------------------------------------------------------------------


@pytest.mark.needs("git")
@pytest.mark.parametrize("hash_", [SHA1(), SHA256()], ids=repr)
def test_git_makes_the_same_objects(tmp_path: Path, hash_: Any) -> None:
    git(tmp_path, "init", "-q", "--bare", f"--object-format={hash_.name}", "r")
    at = tmp_path / "r"
    schema: Schema[bytes, Mode] = Schema(metadata=Modes(), hash=hash_, format=Git())
    codec = schema.codec
    (blob,) = codec.encode_contents([b"foo"])
    id_ = git(at, "hash-object", "-w", "--stdin", data=b"foo").decode().strip()
    assert codec.digest(blob).hex() == id_
    steps = sorted(
        [name.decode("utf-8", "surrogateescape") for name in NAMES if len(name) < 4000], key=codec.order
    )
    metadata = [b"100755", b"120000", b"100664"]
    kinds = bytes([CONTENTS_META] * 3 + [CONTENTS] * (len(steps) - 3))
    data = codec.encode_node(steps, kinds, codec.digest(blob) * len(steps), metadata)
    lines = [
        b"%b blob %b\t%b\0" % (mode, id_.encode(), step.encode("utf-8", "surrogateescape"))
        for mode, step in zip([*metadata, *[b"100644"] * len(steps)], steps, strict=False)
    ]
    assert git(at, "mktree", "-z", data=b"".join(lines)).decode().strip() == codec.digest(data).hex()
    commit = codec.encode_commit(Commit(Hash(codec.digest(data)), (), Info(1700000000, "Bob <b@c>", "m\n")))
    made = git(at, "hash-object", "-w", "-t", "commit", "--stdin", data=commit[commit.index(b"\0") + 1 :])
    assert made.decode().strip() == codec.digest(commit).hex()
    git(at, "update-ref", "refs/heads/main", made.decode().strip())
    assert git(at, "fsck", "--full", "--strict") == b""


@pytest.mark.needs("git")
def test_git_refuses_the_names_that_we_refuse_and_no_others(bare: Path) -> None:
    """G09, G15: `refusal` says what fsck says."""
    git(bare, "hash-object", "-w", "--stdin", data=b"foo")
    names = [*HOSTILE_NAMES, ".gitmodule", "git~2", ".gitt", "a\\b", "C:", "...", "~", ".git\u00ad"]
    trees = {name: tree_of(("100644", name.encode(), FOO)) for name in names}
    for data in trees.values():
        body = data[data.index(b"\0") + 1 :]
        git(bare, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=body)
    found = subprocess.run(
        ["git", "fsck", "--full", "--strict"], cwd=bare, capture_output=True, check=False, timeout=60
    )
    wrong = {line.split()[3].rstrip(b":") for line in found.stderr.splitlines() if b" in tree " in line}
    for name, data in trees.items():
        refused = CODEC.digest(data).hex().encode() in wrong
        assert refused is (refusal(name) is not None), ascii(name)
