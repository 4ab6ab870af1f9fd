"""Sync beyond what the suite asks of any two backends: costs, remotes that lie, partial remotes, URIs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

import irminpy
from irminpy import (
    Corrupted,
    DanglingHash,
    DecodeError,
    Hash,
    InvalidBranch,
    NotAStore,
    NotFound,
    ReadOnly,
    Rejected,
    RemoteError,
    Repo,
    Schema,
    SchemaMismatch,
    merge,
    sync,
)
from irminpy.backend import RefUpdate
from irminpy.contents import Json, String
from irminpy.formats import Native
from irminpy.metadata import Own
from irminpy.objects import CONTENTS, DIRECTORY, Kind, Objects
from irminpy.objects import Commit as CommitVal
from irminpy.remote import Local, Remote
from irminpy.testing.faulty import Faulty
from irminpy.testing.samples import history
from irminpy.testing.strategies import bindings, schemas
from irminpy_mem import Memory

SMALL = Schema(format=Native(2, 2))


def opened(schema: Schema[bytes, None] = SMALL) -> Repo[bytes, None]:
    return Repo.open(Memory(), schema, clock=lambda: 0)


def everything(repo: Repo[Any, Any]) -> set[tuple[Kind, bytes]]:
    """All that a memory store holds."""
    objects = repo._opened.backend._store.objects  # type: ignore[attr-defined]
    return {(kind, hash_) for kind in Kind for hash_ in objects.of_kind(kind)}


# -- costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keys", "levels"), [(100_000, 5), (10_000, 7)], ids=["wide", "deep"])
def test_one_change_among_many_keys_costs_its_path(keys: int, levels: int) -> None:
    """At most three objects more than the path has nodes, and reads that depend on the path alone."""
    sides = [Faulty(Memory()), Faulty(Memory())]
    here, there = repos = [Repo.open(side, clock=lambda: 0) for side in sides]
    for repo in repos:  # the same commit on both sides
        with repo.main().edit(message="many") as ed:
            for i in range(keys):
                ed[f"k{i}" if levels == 5 else f"{i % 10}/{i // 10 % 10}/{i}"] = b"%d" % i

    def cost(way: Callable[[], sync.Sent]) -> None:
        for side in sides:
            side.reset()
        sent = way()
        assert (sent.commits, sent.contents) == (1, 1)
        assert sent.objects <= levels + 3
        assert sum(side.written for side in sides) == sent.objects
        assert sum(side.read for side in sides) <= 700
        assert sum(side.looked_up for side in sides) <= 300
        assert sum(side.calls for side in sides) <= 80

    path = "k777" if levels == 5 else "7/7/777"
    here.main().set(path, b"new")
    cost(lambda: sync.push(here.main(), there).sent)
    here.main().set(path, b"newer")
    cost(lambda: sync.fetch(there.main(), here).sent)


def test_a_history_is_walked_in_pages_that_grow() -> None:
    """A thousand new commits on ten thousand that both have: tens of calls, and no look at what is old."""
    side = Faulty(Memory())
    here, there = Repo.open(Memory()), Repo.open(side)
    objects, heads = history(Schema(), 11_000)
    here._opened.backend.write(objects, [RefUpdate("main", heads[-1])])
    old, old_heads = history(Schema(), 10_000)
    there._opened.backend.write(old, [RefUpdate("main", old_heads[-1])])
    side.reset()
    assert sync.push(here.main(), there).sent.commits == 1000
    assert side.looked_up < 10_000
    assert side.calls < 120
    side.reset()
    assert sync.push(here.main(), there).sent.objects == 0
    assert side.calls == 1


class Recording:
    """A remote that counts requests, and remembers the longest answer."""

    def __init__(self, remote: Local) -> None:
        self.remote = remote
        self.name = "the remote that counts"
        self.requests = 0
        self.longest = 0

    def require(self, schema: Schema[Any, Any], /) -> None:
        self.remote.require(schema)

    def refs(self) -> dict[str, Hash]:
        return self.remote.refs()

    def _told(self, answer: list[bytes | None]) -> list[bytes | None]:
        self.requests += 1
        self.longest = max(self.longest, sum(len(data or b"") for data in answer))
        return answer

    def history(self, starts: Sequence[Hash], n: int, size: int, /) -> list[bytes | None]:
        return self._told(self.remote.history(starts, n, size))

    def objects(self, kind: Kind, hashes: Sequence[Hash], size: int, /) -> list[bytes | None]:
        return self._told(self.remote.objects(kind, hashes, size))

    def lacks(self, kind: Kind, hashes: Sequence[Hash], /) -> list[bool]:
        self.requests += 1
        return self.remote.lacks(kind, hashes)

    def receive(
        self, objects: Objects, updates: Sequence[RefUpdate] = (), /, *, shallow: bool = False
    ) -> bool:
        self.requests += 1
        self.longest = max(
            self.longest, sum(len(data) for kind in Kind for data in objects.of_kind(kind).values())
        )
        return self.remote.receive(objects, updates, shallow=shallow)


def test_requests_are_few_and_answers_bounded() -> None:
    """What a client of a server would send: a few requests per level, none larger than asked for."""
    here, there = opened(Schema()), opened(Schema())
    with here.main().edit() as ed:
        for i in range(8_000):
            ed[f"{i % 7}/{i}"] = b"%d" % i * 20
    bounds = sync.Bounds(size=1 << 17)
    remote = Recording(Local(there._opened))
    assert isinstance(remote, Remote)
    sync.push(here.main(), remote, bounds=bounds)
    assert remote.requests < 100
    assert remote.longest < bounds.size + 2_000
    back = opened(Schema())
    remote = Recording(Local(there._opened))
    assert sync.pull(back.main(), remote, bounds=bounds) == here.main().head()
    assert remote.requests < 100
    assert remote.longest < bounds.size + 2_000
    assert back.check().ok


# -- any stores ----------------------------------------------------------------------------------------------


@given(
    st.lists(bindings(8), min_size=1, max_size=4), st.data(), schemas(), st.integers(1, 5), st.integers(1, 9)
)
def test_a_push_copies_any_history(
    versions: list[dict[Any, bytes]], data: st.DataObject, schema: Schema[bytes, None], ask: int, write: int
) -> None:
    """Whatever of it is there already, and however it is cut into batches: the trees are equal, nothing lacks."""
    here, there = opened(schema), opened(schema)
    bounds = sync.Bounds(ask=ask, write=write, size=data.draw(st.integers(1, 500)))
    main = here.main()
    for i, version in enumerate(versions):
        tree = here.empty_tree()
        for path, value in version.items():
            tree = tree.add(path, value)
        main.set_tree((), tree, message=str(i), allow_empty=True)
        if data.draw(st.booleans()):
            sync.push(main, there, bounds=bounds)
    sync.push(main, there, bounds=bounds)
    assert there.main().head() == main.head()
    assert there.main().tree() == main.tree()
    assert there.check().ok
    assert everything(there) <= everything(here)
    back = opened(schema)
    assert sync.fetch(back.main(), there, bounds=bounds).head == main.head()
    assert back.check(roots=back.closure([main.head().hash])).ok


def test_subtrees_that_are_shared_travel_once() -> None:
    """2^60 paths in 60 nodes."""
    here, there = opened(), opened()
    tree = here.empty_tree().add("v", b"v")
    for _ in range(60):
        tree = here.empty_tree().add_tree("a", tree).add_tree("b", tree)
    here.main().set_tree((), tree)
    assert sync.push(here.main(), there).sent.objects == 1 + 61 + 1
    assert sync.push(here.main(), there, branch="again").sent.objects == 0
    assert there.check().ok


def test_a_receiver_that_does_not_know_what_it_has_gets_it_again_but_once() -> None:
    """A backend may answer None for the key of what it holds (`Backend.find_keys`)."""

    class Vague(Recording):
        def lacks(self, kind: Kind, hashes: Sequence[Hash], /) -> list[bool]:
            return [True] * len(hashes) if kind is not Kind.COMMIT else super().lacks(kind, hashes)

    here, there = opened(), opened()
    x, y = here.empty_tree().add("v", b"x"), here.empty_tree().add("v", b"y")
    for _ in range(30):  # 2^30 paths, and no node is twice in another
        x, y = (
            here.empty_tree().add_tree("a", x).add_tree("b", y),
            here.empty_tree().add_tree("c", x).add_tree("d", y),
        )
    here.main().set_tree((), x.add_tree("y", y))
    for ask, write in ((1, 1), (3, 1000), (1000, 1)):
        bounds = sync.Bounds(ask=ask, write=write)
        here.main().set("n", b"%d" % ask)
        assert sync.push(here.main(), Vague(Local(there._opened)), bounds=bounds).sent.nodes <= 2 * 62
    assert there.main().tree().hash() == here.main().tree().hash()
    assert there.check().ok


def test_an_empty_tree_and_large_values_travel() -> None:
    here, there = opened(), opened()
    main = here.main()
    main.set_tree((), here.empty_tree(), allow_empty=True)
    for i in range(4):
        main.set(f"big{i}", bytes([i]) * 300_000)
    assert sync.push(main, there, bounds=sync.Bounds(size=1000)).sent.bytes > 1_200_000
    assert there.main().tree() == main.tree()
    assert there.check().ok


def test_metadata_and_own_contents_travel() -> None:
    here, there = (Repo.open(Memory(), Schema(Json())) for _ in range(2))
    here.main().set("a", {"b": [1, None]})
    assert sync.pull(there.main(), here) == here.main().head()
    assert there.main().get("a") == {"b": [1, None]}


# -- parts of a tree -----------------------------------------------------------------------------------------


@given(bindings(12), st.data(), schemas(), st.integers(1, 5))
def test_a_part_is_the_tree_without_the_rest(
    values: dict[Any, bytes], data: st.DataObject, schema: Schema[bytes, None], ask: int
) -> None:
    """US-05: for any tree and any paths, also some within others, of contents and of nothing."""
    here, there = opened(schema), opened(schema)
    tree = here.empty_tree()
    for path, value in values.items():
        tree = tree.add(path, value)
    here.main().set_tree((), tree, allow_empty=True)
    some = st.sampled_from([("no", "where"), *(path[:n] for path in values for n in range(len(path) + 1))])
    paths = data.draw(st.lists(some, max_size=4))
    got = sync.fetch_part(there.main(), here, paths, bounds=sync.Bounds(ask=ask))
    expected = here.empty_tree()
    for path in sorted(paths, key=len):
        part = tree.find_tree(path)
        if part is not None:
            expected = expected.add_tree(path, part)
    assert got.tree.to_concrete() == expected.to_concrete()
    there.main().set_tree((), got.tree, allow_empty=True)
    assert there.main().tree().hash() == expected.hash()
    assert there.check().ok


def test_a_part_costs_the_way_to_it() -> None:
    """US-05: of the twenty thousand keys beside it nothing is read but the nodes on the way."""
    side = Faulty(Memory())
    here, there = Repo.open(side), opened(Schema())
    with here.main().edit() as ed:
        for i in range(20_000):
            ed[f"many/{i}"] = b"%d" % i
        ed["docs/a/b"] = b"few"
    side.reset()
    got = sync.fetch_part(there.main(), here, ["docs/a", "many/777"])
    assert (got.tree.get("docs/a/b"), got.tree.get("many/777")) == (b"few", b"777")
    assert (got.sent.nodes, got.sent.contents) == (1, 2)
    assert side.read <= 12


def test_a_part_of_nothing_is_an_empty_tree() -> None:
    here, there = opened(), opened()
    assert sync.fetch_part(there.main(), here, ["a"]).head is None
    here.main().set("a", b"1")
    got = sync.fetch_part(there.main(), here, ["b", "a/b"])
    assert got.head is not None
    assert got.tree.is_empty()
    assert sync.fetch_part(there.empty(), here.at("main"), ["a"]).tree.get("a") == b"1"
    with pytest.raises(TypeError, match=r"use \['a/b'\]"):
        sync.fetch_part(there.main(), here, "a/b")
    with pytest.raises(NotFound):
        sync.fetch_part(there.empty(), here, ["a"])


def test_metadata_comes_with_a_part() -> None:
    mode = Own[int]("mode/1", 0, lambda m: bytes([m]), lambda data: data[0], merge.default())
    schema = Schema(metadata=mode)
    here, there = Repo.open(Memory(), schema), Repo.open(Memory(), schema)
    here.main().set_tree("run", irminpy.Tree.of_contents(b"#!", schema, metadata=7))
    got = sync.fetch_part(there.main(), here, ["run"])
    assert got.tree.get_all("run") == (b"#!", 7)


# -- remotes by name -----------------------------------------------------------------------------------------


def test_a_remote_may_be_named_by_a_uri() -> None:
    """It must be there; a fetch opens it for reading."""
    uri = f"mem:{uuid4().hex}"
    here = irminpy.open("mem:")
    here.main().set("a", b"1")
    with pytest.raises(NotAStore):
        sync.push(here.main(), uri)
    with irminpy.open(uri) as there:
        sync.push(here.main(), uri)
        assert there.main().get("a") == b"1"
        there.main().set("b", b"2")
    assert sync.pull(here.main(), uri) is not None
    assert here.main().get("b") == b"2"
    with pytest.raises(irminpy.StorageError, match="nothing:"):
        sync.fetch(here.main(), "nothing:x")
    with pytest.raises(SchemaMismatch):
        sync.fetch(irminpy.open("mem:", Schema(String())).main(), uri)


def test_another_schema_is_refused() -> None:
    """GR-16: before anything is asked for."""
    one = opened()
    one.main().set("a", b"1")
    for schema in (Schema(), Schema(String(), format=SMALL.format)):
        other: Any = Repo.open(Memory(), schema)
        with pytest.raises(SchemaMismatch):
            sync.fetch(other.main(), one)
        with pytest.raises(SchemaMismatch):
            sync.fetch_all(other, one, prefix="")
        with pytest.raises(SchemaMismatch):
            sync.pull(other.main(), one.main(), "set")
        with pytest.raises(SchemaMismatch):
            sync.push(one.main(), other)
        assert everything(other) == set()


def test_a_remote_that_may_not_be_written_refuses_a_push() -> None:
    name = uuid4().hex
    here = irminpy.open("mem:")
    here.main().set("a", b"1")
    with Repo.open(Memory(name)), Repo.open(Memory(name), readonly=True) as there, pytest.raises(ReadOnly):
        sync.push(here.main(), there)


def test_a_remote_with_a_part_of_the_history_gives_it_only_where_a_part_is_asked_for() -> None:
    """GR-12: a shallow copy of a shallow copy has to be asked for; a push of one is refused."""
    whole, part = opened(), opened()
    for i in range(5):
        whole.main().set("a", b"%d" % i)
    sync.pull(part.main(), whole, "set", depth=1)
    for act in (
        lambda to: sync.fetch(to.main(), part),
        lambda to: sync.push(part.main(), to),
    ):
        target = opened()
        with pytest.raises(DanglingHash):
            act(target)
        assert target.branches() == []
        assert everything(target) == set()
    target = opened()
    assert sync.fetch(target.main(), part, depth=10).sent.commits == 2
    sync.fetch(target.main(), part, depth=0)
    # What the target lacks behind it, the whole one has.
    sync.pull(target.main(), whole, "set", deepen=True)
    assert len(list(target.main().log())) == 5


# -- remotes that lie ----------------------------------------------------------------------------------------


class Lying(Recording):
    """A remote that sends other objects for some hashes."""

    def __init__(self, remote: Local) -> None:
        super().__init__(remote)
        self.instead: dict[bytes, bytes | None] = {}

    def _changed(self, hashes: Sequence[Hash], answer: list[bytes | None]) -> list[bytes | None]:
        changed = [self.instead.get(h, data) for h, data in zip(hashes, answer, strict=False)]
        return changed + answer[len(hashes) :]

    def history(self, starts: Sequence[Hash], n: int, size: int, /) -> list[bytes | None]:
        return self._changed(starts, super().history(starts, len(starts), size))

    def objects(self, kind: Kind, hashes: Sequence[Hash], size: int, /) -> list[bytes | None]:
        return self._changed(hashes, super().objects(kind, hashes, size))


@given(st.data())
def test_objects_that_are_not_what_they_should_be_are_refused(data: st.DataObject) -> None:
    """Any object left out, or with any byte changed: a typed error, refs stay, the closure of what is here holds."""
    source, target = opened(), opened()
    for i in range(2):
        with source.main().edit(message=str(i)) as ed:
            for j in range(4):
                ed[f"{i}/{j}"] = b"%d" % j
    target.main().set("own", b"own")
    _, hash_, old = data.draw(st.sampled_from(list(source.export())))
    liar = Lying(Local(source._opened))
    liar.instead[hash_] = None
    at = data.draw(st.integers(-1, len(old) - 1))
    if at >= 0:
        liar.instead[hash_] = old[:at] + bytes([old[at] ^ data.draw(st.integers(1, 255))]) + old[at + 1 :]
    head = target.main().head()
    with pytest.raises((Corrupted, DanglingHash)):
        sync.pull(target.main(), liar, "set", bounds=sync.Bounds(ask=2, write=3))
    assert target.main().head() == head
    assert target.check().ok
    sync.pull(target.main(), source, "set")
    assert target.check().ok
    assert target.main().tree() == source.main().tree()


@given(st.data())
def test_a_part_that_is_not_what_it_should_be_is_refused(data: st.DataObject) -> None:
    """US-05: any object left out, or with any byte changed: a typed error, or it was not needed."""
    source, target = opened(), opened()
    with source.main().edit() as ed:
        for j in range(12):
            ed[f"{j % 3}/{j}"] = b"%d" % j
    paths = data.draw(st.lists(st.sampled_from(["0", "1/4", "2"]), unique=True))
    _, hash_, old = data.draw(st.sampled_from(list(source.export())))
    liar = Lying(Local(source._opened))
    liar.instead[hash_] = None
    at = data.draw(st.integers(-1, len(old) - 1))
    if at >= 0:
        liar.instead[hash_] = old[:at] + bytes([old[at] ^ data.draw(st.integers(1, 255))]) + old[at + 1 :]
    try:
        got = sync.fetch_part(target.main(), liar, paths, bounds=sync.Bounds(ask=2, write=3))
    except (Corrupted, DanglingHash):
        got = sync.fetch_part(target.main(), source, paths)
    for path in paths:
        assert got.tree.get_tree(path) == source.main().get_tree(path)
    target.main().set_tree((), got.tree, allow_empty=True)
    assert target.check().ok


def planted(*groups: tuple[Kind, Sequence[bytes]], root: bytes) -> tuple[Repo[bytes, None], Hash]:
    """A repository that holds these objects unchecked, and a commit of `root`, its main."""
    repo = opened()
    objects = Objects()
    codec = SMALL.codec
    for kind, items in groups:
        for item in items:
            objects.of_kind(kind)[codec.digest(item)] = item
    commit = codec.encode_commit(CommitVal(Hash(root)))
    hash_ = Hash(codec.digest(commit))
    objects.commits[hash_] = commit
    repo._opened.backend.write(objects, [RefUpdate("main", hash_)])
    return repo, hash_


def bad_trees() -> dict[str, tuple[Repo[bytes, None], Hash]]:
    codec = SMALL.codec
    value = codec.encode_contents([b"v"])[0]
    v = codec.digest(value)
    leaf = codec.encode_node(["k"], bytes([CONTENTS]), v, [])
    as_directory = codec.encode_node(["k"], bytes([DIRECTORY]), v, [])
    as_contents = codec.encode_node(["k"], bytes([CONTENTS]), codec.digest(leaf), [])
    names = [f"{i}" for i in range(40)]
    by_digit = [[n for n in names if codec.digit(n, 0) == d][:2] for d in (0, 1)]
    good = [codec.encode_node(sorted(some), bytes([CONTENTS]) * 2, v * 2, []) for some in by_digit]
    hashes = [codec.digest(data) for data in good]
    swapped = codec.encode_inode(0, b"\0\1", [2, 2], hashes[1] + hashes[0])
    miscounted = codec.encode_inode(0, b"\0\1", [2, 1], hashes[0] + hashes[1])
    right = codec.encode_inode(0, b"\0\1", [2, 2], hashes[0] + hashes[1])
    below = codec.encode_inode(1, b"\0\1", [2, 2], hashes[0] + hashes[1])
    return {
        "contents as a directory": planted(
            (Kind.CONTENTS, [value]), (Kind.NODE, [as_directory]), root=codec.digest(as_directory)
        ),
        "a directory as contents": planted(
            (Kind.NODE, [leaf, as_contents]), (Kind.CONTENTS, [value]), root=codec.digest(as_contents)
        ),
        "contents as a root": planted((Kind.CONTENTS, [value]), root=v),
        "buckets swapped": planted(
            (Kind.CONTENTS, [value]), (Kind.NODE, [*good, swapped]), root=codec.digest(swapped)
        ),
        "a wrong count": planted(
            (Kind.CONTENTS, [value]), (Kind.NODE, [*good, miscounted]), root=codec.digest(miscounted)
        ),
        "a bucket as a root": planted(
            (Kind.CONTENTS, [value]), (Kind.NODE, [*good, below]), root=codec.digest(below)
        ),
        "right": planted((Kind.CONTENTS, [value]), (Kind.NODE, [*good, right]), root=codec.digest(right)),
    }


@pytest.mark.parametrize("what", bad_trees())
@pytest.mark.parametrize("write", [1, 3, 1000])
def test_trees_that_are_not_well_formed_are_refused(what: str, write: int) -> None:
    """However they are cut into batches; on fetch as on push."""
    source, hash_ = bad_trees()[what]
    bounds = sync.Bounds(write=write)
    for way in (
        lambda to: sync.pull(to.main(), source, bounds=bounds),
        lambda to: sync.push(source.main(), to, bounds=bounds),
        lambda to: sync.fetch_part(to.main(), source, [()], bounds=bounds),
    ):
        target = opened()
        if what == "right":
            way(target)
            assert target.check().ok
            continue
        with pytest.raises((Corrupted, DanglingHash, DecodeError)):
            way(target)
        assert target.branches() == []
        assert target.find_commit(hash_) is None


def test_contents_of_another_type_are_refused() -> None:
    """GR-16: Irmin drops what does not decode; here it is refused."""
    texts = Repo.open(Memory(), Schema(String()))
    value = texts.schema.codec.encode_contents([b"\xff"])[0]
    texts._opened.backend.write(Objects(contents={texts.schema.codec.digest(value): value}))
    leaf = texts.schema.codec.encode_node(["k"], bytes([CONTENTS]), texts.schema.codec.digest(value), [])
    commit = texts.schema.codec.encode_commit(CommitVal(Hash(texts.schema.codec.digest(leaf))))
    head = Hash(texts.schema.codec.digest(commit))
    texts._opened.backend.write(
        Objects(nodes={texts.schema.codec.digest(leaf): leaf}, commits={head: commit}),
        [RefUpdate("main", head)],
    )
    target = Repo.open(Memory(), Schema(String()))
    with pytest.raises(DecodeError):
        sync.pull(target.main(), texts)
    assert everything(target) == set()


class Odd(Recording):
    """A remote that answers with the wrong number of things."""

    def __init__(self, remote: Local, what: str) -> None:
        super().__init__(remote)
        self.what = what

    def history(self, starts: Sequence[Hash], n: int, size: int, /) -> list[bytes | None]:
        answer = super().history(starts, n, size)
        if self.what == "no commits":
            return []
        if self.what == "too many commits":
            return answer * 100
        return [*answer[:1], None] if self.what == "an absent one" else answer

    def objects(self, kind: Kind, hashes: Sequence[Hash], size: int, /) -> list[bytes | None]:
        answer = super().objects(kind, hashes, size)
        if self.what == "nothing":
            return []
        return [*answer, b"more"] if self.what == "more" else answer

    def lacks(self, kind: Kind, hashes: Sequence[Hash], /) -> list[bool]:
        return super().lacks(kind, hashes)[1:] if self.what == "few answers" else super().lacks(kind, hashes)


@pytest.mark.parametrize(
    "what", ["no commits", "too many commits", "an absent one", "nothing", "more", "few answers"]
)
def test_answers_of_the_wrong_length_are_refused(what: str) -> None:
    source = opened()
    for i in range(3):
        source.main().set("a", b"%d" % i)
    target = opened()
    to, of = Odd(Local(target._opened), what), Odd(Local(source._opened), what)
    with pytest.raises(RemoteError, match="answers"):
        sync.push(source.main(), to) if what == "few answers" else sync.fetch(target.main(), of)
    assert everything(target) == set()


def test_commits_that_nobody_asked_for_are_left_aside() -> None:
    """A remote may send any commits ahead; only ancestors of the head are kept."""
    source, target = opened(), opened()
    source.main().set("a", b"1")
    source.branch("secret").set("b", b"2")
    extra = source.branch("secret").head()

    class Generous(Recording):
        def history(self, starts: Sequence[Hash], n: int, size: int, /) -> list[bytes | None]:
            return [*super().history(starts, n, size), extra.to_bytes()]

    sync.pull(target.main(), Generous(Local(source._opened)))
    assert target.find_commit(extra.hash) is None
    assert target.check().ok


def test_a_branch_of_the_remote_with_an_impossible_name_is_refused() -> None:
    source, target = opened(), opened()
    source.main().set("a", b"1")

    class Renamed(Recording):
        def refs(self) -> dict[str, Hash]:
            return {"..": source.main().head().hash}

    with pytest.raises(InvalidBranch):
        sync.fetch_all(target, Renamed(Local(source._opened)), prefix="")
    assert everything(target) == set()
    with pytest.raises(InvalidBranch):
        sync.push(source.main(), target, branch="a..b")


def test_a_ref_never_moves_to_what_is_not_there() -> None:
    target = opened()
    with pytest.raises(DanglingHash):
        Local(target._opened).receive(Objects(), [RefUpdate("main", Hash(b"x" * 32))])
    with pytest.raises(InvalidBranch):
        Local(target._opened).receive(Objects(), [RefUpdate("..", None)])
    assert Local(target._opened).receive(Objects())
    source = opened()
    source.main().set("a", b"1")

    class Dangling(Recording):
        def refs(self) -> dict[str, Hash]:
            return {"main": Hash(b"x" * 32)}

    with pytest.raises(DanglingHash):
        sync.fetch(target.main(), Dangling(Local(source._opened)))
    assert target.branches() == []


def test_the_names_of_errors() -> None:
    """GR-15: every failure is an exception, which says who, where and what to do."""
    here, there = opened(), opened()
    here.main().set("a", b"1")
    there.main().set("a", b"2")
    with pytest.raises(Rejected, match=r"the branch main of the remote repository has commits .* pull first"):
        sync.push(here.main(), there)
    with pytest.raises(NotFound, match="branch="):
        sync.push(here.detached(here.main().head()), there)


def test_who_waits_for_a_transfer_is_told_what_has_travelled() -> None:
    with Repo.open(Memory()) as one, Repo.open(Memory()) as two:
        with one.main().edit("", message="many") as edit:
            for i in range(10):
                edit[f"{i}"] = b"%d" % i
        told: list[int] = []
        sync.fetch_all(two, one, prefix="", progress=lambda sent: told.append(sent.objects))
        assert told == list(range(1, 13))  # ten values, a directory, a commit
        two.main().set("x", b"new")
        told.clear()
        sync.push(two.main(), one, progress=lambda sent: told.append(sent.commits))
        assert told == [0, 0, 1]

        def stop(sent: sync.Sent) -> None:
            raise KeyboardInterrupt

        two.main().set("x", b"newer")
        with pytest.raises(KeyboardInterrupt):
            sync.pull(one.main(), two, progress=stop)
        assert one.main().get("x") == b"new"
