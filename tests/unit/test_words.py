"""Trees whose objects are found by words, and objects that move while trees are held."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from irminpy import Commit, Repo, Schema, Tree
from irminpy.backend import Locating, Moving, RefUpdate
from irminpy.errors import Corrupted, DanglingHash, StorageError
from irminpy.formats import Native
from irminpy.hash import Hash
from irminpy.key import KindedHash
from irminpy.objects import Inode, Kind, Node, Objects, located, words_of
from tests.located import Located, LocatedBackend, LocatedKey, LocatedReader, WrongWord, collect

SCHEMA = Schema(format=Native(2, 2))
MANY = {f"{d}/{i}": b"%d" % i for d in "abc" for i in range(12)}
MODES = ("always", "minimal", "translates")


@pytest.fixture(params=MODES)
def maker(request: pytest.FixtureRequest) -> Located:
    return Located(uuid4().hex, minimal=request.param != "always", translates=request.param == "translates")


@pytest.fixture
def repo(maker: Located) -> Iterator[Repo[bytes]]:
    ticks = count()
    with Repo.open(maker, SCHEMA, clock=lambda: next(ticks)) as repo:
        yield repo


def filled(repo: Repo[bytes], branch: str = "main") -> Commit[bytes]:
    with repo.branch(branch).edit() as edit:
        for path, value in MANY.items():
            edit[path] = value
    assert edit.commit is not None
    return edit.commit


def values(tree: Tree[bytes]) -> dict[str, bytes]:
    return tree.fold({}, contents=lambda path, value, acc: acc | {"/".join(path): value})


def backend_of(repo: Repo[bytes]) -> LocatedBackend:
    backend: Any = repo._opened.backend
    assert isinstance(backend, LocatedBackend)
    return backend


def fresh(maker: Located) -> dict[str, bytes]:
    """What somebody else finds on main; and everything below every branch is in order."""
    with Repo.open(maker, SCHEMA) as other:
        report = other.check()
        assert report.ok, str(report)
        return values(other.main().tree())


def searches(repo: Repo[bytes]) -> int:
    return backend_of(repo).reader.space.searches


# -- words on the way ----------------------------------------------------------------------------------------


def test_the_backend_is_what_it_says(repo: Repo[bytes]) -> None:
    assert isinstance(backend_of(repo), Moving)
    assert isinstance(backend_of(repo).reader, Locating)


def test_records_have_a_word_for_each_child() -> None:
    words = b"".join(n.to_bytes(8, "little") for n in (7, 0, 2**64 - 1))
    hashes = b"a" * 32 + b"b" * 32 + b"c" * 32
    node = Node({"x": 0, "y": 1, "z": 2}, b"\1\1\1", hashes, {}, words)
    inode = Inode(0, b"\0\1\2", [1, 1, 1], hashes, words)
    for record in (node, inode):
        assert [record.word(i) for i in range(3)] == [7, 0, 2**64 - 1]
        where = {b"a" * 32: 7, b"b" * 32: 0, b"c" * 32: 2**64 - 1}
        assert located(record.hashes, record.words) == where
    assert node._replace(words=b"").word(1) == 0
    assert located(hashes, b"") == {}


def test_a_column_of_another_length_is_corrupted(repo: Repo[bytes]) -> None:
    head = filled(repo)
    space = backend_of(repo).reader.space
    for word, cell in list(space.cells.items()):
        if cell.hash == head.tree_hash:
            space.cells[word] = cell._replace(words=cell.words + bytes(8))
    with pytest.raises(Corrupted):
        repo.commit(head.hash).tree().list()


def test_nothing_that_was_read_is_looked_for_by_its_hash(repo: Repo[bytes], maker: Located) -> None:
    """Edits, lists, diffs, merges, histories: every directory and all contents are found by their words."""
    filled(repo)
    main = repo.main()
    for i in range(20):
        main.set(f"a/{i}", b"new %d" % i)
        main.remove(f"b/{i}")
        tree = main.tree().add(f"c/{i}", b"x")
        tree.hash()
        main.set_tree((), tree.add("d/e/f", b"%d" % i), clear=bool(i % 2))
    dev = main.clone("dev")
    dev.set("a/1", b"theirs")
    main.set("b/new", b"ours")
    main.merge_with_branch("dev")
    old = list(main.log())[-1]
    assert len(list(old.tree().diff(main.tree()))) > 40
    main.set_tree("old", old.tree())
    assert values(main.get_tree("old")) == MANY
    assert main.last_modified("a/3")
    assert len(list(main.log(path="a/3"))) == 2
    assert searches(repo) == 0
    assert fresh(maker)["a/1"] == b"theirs"


def test_a_lost_word_and_a_wrong_one_are_told() -> None:
    """What the other tests rest on."""
    maker = Located(uuid4().hex, minimal=True)
    with Repo.open(maker, SCHEMA) as repo:
        head = filled(repo)
        backend = backend_of(repo)
        data = SCHEMA.codec.encode_node(["k"], b"\0", head.tree_hash, [])
        hash_ = SCHEMA.codec.digest(data)
        for words in ({}, {bytes(head.tree_hash): 1}):
            with pytest.raises(WrongWord):
                backend.write(Objects(nodes={hash_: data}, words=words_of(Kind.NODE, dict(words))))
        assert backend.reader.load(Kind.NODE, head.tree_hash, 0) is None
        assert Tree.of_hash(repo, head.tree().kinded_hash()) is None


def test_parents_are_read_by_their_words(repo: Repo[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    main = repo.main()
    for i in range(20):
        main.set("k", b"%d" % i)
    dev = main.clone("dev")
    dev.set("k2", b"")
    main.set("k3", b"")
    main.merge_with_branch("dev")
    asked: list[int] = []
    load = LocatedReader.load

    def counting(self: LocatedReader, kind: Kind, hash: bytes, word: int, /) -> tuple[bytes, bytes] | None:
        if kind is Kind.COMMIT:
            asked.append(word)
        return load(self, kind, hash, word)

    monkeypatch.setattr(LocatedReader, "load", counting)
    store = repo.branch("main")
    head = store.head()
    asked.clear()
    walks: list[Callable[[], object]] = [
        lambda: list(store.log()),
        lambda: list(store.log(order="date", path="k")),
        lambda: store.last_modified("k", n=9),
        store.history,
        lambda: store.lcas_with_branch("dev"),
    ]
    for walk in walks:
        asked.clear()
        assert walk()
        # Heads are found by their hashes, and so are the answers of a search for common ancestors.
        assert asked.count(0) <= 4
        assert len(asked) > 4
    assert head.parents[0] != head.parents[1]


# -- keys ----------------------------------------------------------------------------------------------------


def test_keys_lead_back_to_what_they_are_the_keys_of(repo: Repo[bytes]) -> None:
    head = filled(repo)
    for tree in (head.tree(), head.tree().get_tree("a"), head.tree().get_tree("a/1")):
        key = tree.key()
        assert key is not None
        assert isinstance(key.key, LocatedKey)
        assert key.key.place
        again, shallow = Tree.of_key(repo, key), Tree.shallow(repo, key)
        assert again == shallow == tree
        assert again is not None
        assert values(again) == values(tree)
        assert repo.find_key(tree) == key
        assert repo.main().set_tree("copy", shallow) is not None
        assert values(repo.main().get_tree("copy")) == values(tree)
    commit = repo.commit(head.hash)
    assert isinstance(head.key, LocatedKey)
    assert isinstance(commit.key, LocatedKey)
    assert head.key == commit.key
    assert head.key.place
    kind, contents, _ = head.tree().get_tree("a/1").destruct()  # type: ignore[misc]
    assert kind == "contents"
    leads = contents.key()
    assert leads is not None
    assert repo.find_contents(leads) == b"1"
    assert repo.find_contents(repo.save_contents(b"saved")) == b"saved"
    saved = repo.save_tree(Tree.singleton("x/y", b"z", SCHEMA))
    found = Tree.of_key(repo, saved)
    assert found is not None
    assert found.get("x/y") == b"z"
    assert repo.main().set_tree("saved", found) is not None


def test_a_key_from_before_objects_moved(repo: Repo[bytes], maker: Located) -> None:
    """It leads there if the store can tell, or has an index; never elsewhere."""
    key = filled(repo).tree().get_tree("a").key()
    assert key is not None
    collect(maker)
    found = Tree.of_key(repo, key)
    assert (found is None) is (maker.minimal and not maker.translates)
    if found is not None:
        assert values(found)["1"] == b"1"
        repo.main().set_tree("again", found)
        assert fresh(maker)["again/1"] == b"1"


# -- objects that move ---------------------------------------------------------------------------------------


def test_a_tree_from_before_objects_moved_is_edited_and_committed(repo: Repo[bytes], maker: Located) -> None:
    """Read or unread, settled or not, and through several moves."""
    head = filled(repo)
    unread, read = head.tree(), repo.commit(head.hash).tree()
    values(read)
    staged = repo.commit(head.hash).tree().add("a/staged", b"s")
    settled = repo.commit(head.hash).tree().add("b/settled", b"t")
    settled.hash()
    kept = repo.commit(head.hash).tree().add("k", b"kept")
    repo.commit_tree(kept, parents=[head], clear=False)
    repo.branch("kept").set_tree((), kept, clear=False)
    collect(maker)
    settled = settled.add("b/later", b"u")
    settled.hash()
    collect(maker)
    for name, tree in {
        "unread": unread,
        "read": read,
        "staged": staged,
        "settled": settled,
        "kept": kept,
    }.items():
        edited = tree.add("a/3", name.encode()).remove("c/1")
        wanted = values(edited)
        assert wanted["a/3"] == name.encode()
        for clear in (False, True):
            repo.main().set_tree((), edited.add("clear", b"%d" % clear), clear=clear)
            assert values(repo.main().tree()) == wanted | {"clear": b"%d" % clear}
            repo.main().set("after", b"")
            assert fresh(maker) == wanted | {"clear": b"%d" % clear, "after": b""}
        collect(maker)


def test_what_moved_is_written_again_only_where_it_cannot_be_found(
    repo: Repo[bytes], maker: Located, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its key or its hash it is not copied."""
    held = filled(repo).tree()
    collect(maker)
    written: list[int] = []
    write = LocatedBackend.write

    def counting(self: LocatedBackend, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        written.append(len(objects))
        return write(self, objects, updates)

    monkeypatch.setattr(LocatedBackend, "write", counting)
    repo.main().set_tree((), held.add("a/1", b"other"))
    repo.main().set("a/2", b"now")
    assert (written[0] > 20) is (maker.minimal and not maker.translates)
    assert written[1] < 12
    assert fresh(maker) == MANY | {"a/1": b"other", "a/2": b"now"}


def test_subtrees_of_old_commits_go_into_new_ones(repo: Repo[bytes], maker: Located) -> None:
    """From handles of all ages in one tree: two generations of one object are not mixed up."""
    one = filled(repo)
    a = one.tree().get_tree("a")
    collect(maker)
    repo.main().set("a/new", b"n")
    b = repo.main().get_tree("a")
    other = a.add("edited", b"old").add_tree("b", b.add("edited", b"new"))
    other.hash()
    collect(maker)
    tree = repo.main().tree().add_tree("x", a).add_tree("y", b).add_tree("z", other)
    tree = tree.add_tree("w", repo.main().get_tree("a")).add_tree("v/u", one.tree())
    wanted = values(tree)
    assert len(wanted) == len(MANY) + 1 + 12 + 13 + 13 + 14 + 13 + len(MANY)
    repo.main().set_tree((), tree)
    assert values(repo.main().tree()) == wanted == fresh(maker)


def test_merges_over_a_move(repo: Repo[bytes], maker: Located) -> None:
    filled(repo)
    main, dev = repo.main(), repo.main().clone("dev")
    ours, theirs, base = main.tree().add("a/1", b"ours"), main.tree().add("b/1", b"theirs"), main.tree()
    dev.set("c/1", b"dev")
    main.set("c/2", b"main")
    collect(maker)
    merged = ours.merge(theirs.add("b/2", b"more"), old=base)
    main.merge_with_branch("dev")
    main.merge_tree((), merged, old=base)
    wanted = MANY | {"a/1": b"ours", "b/1": b"theirs", "b/2": b"more", "c/1": b"dev", "c/2": b"main"}
    assert values(main.tree()) == wanted == fresh(maker)


def test_a_store_reads_on_where_objects_are_now(repo: Repo[bytes], maker: Located) -> None:
    """Heads of branches and detached ones; what is gone is read as long as somebody holds it."""
    head = filled(repo)
    main, detached = repo.main(), repo.detached(head)
    tree = main.tree()
    lost = repo.detached(repo.commit_tree(head.tree().add("lost", b"l"), parents=[head]))
    commits = repo.closure()
    collect(maker)
    assert main.tree() is not tree
    assert main.tree() is main.tree()
    assert detached.tree().key() == main.tree().key()
    source = repo.home.source()
    for store in (main, detached):
        assert store._head().source is source
        assert values(store.tree()) == MANY
    assert [commit.tree() for commit in commits] == [main.tree()]
    assert lost.get("lost") == b"l"
    assert lost.set("a/1", b"kept") is not None
    assert lost.get("lost") == b"l"


def test_the_old_reader_goes_with_the_last_tree_that_needs_it(repo: Repo[bytes], maker: Located) -> None:
    head = filled(repo)
    main = repo.main()
    tree = main.tree()
    old = weakref.ref(repo.home.source())
    reader = weakref.ref(backend_of(repo).reader)
    collect(maker)
    assert (main.get("a/1"), head.tree().get("a/1")) == (b"1", b"1")
    gc.collect()
    assert reader() is not None
    assert tree.get("a/2") == b"2"
    del tree
    gc.collect()
    assert old() is None
    assert reader() is None


def test_a_write_that_objects_moved_under_is_gathered_again(
    repo: Repo[bytes], maker: Located, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(repo)
    write = LocatedBackend.write
    left = [3]

    def moving(self: LocatedBackend, objects: Objects, updates: Sequence[RefUpdate] = (), /) -> bool:
        if left[0]:
            left[0] -= 1
            collect(maker)
        return write(self, objects, updates)

    monkeypatch.setattr(LocatedBackend, "write", moving)
    repo.main().set("a/1", b"x")
    assert left == [0]
    left[0] = 2
    assert repo.save_tree(repo.main().tree().add("a/2", b"y")).key
    left[0] = 1
    assert repo.find_contents(repo.save_contents(b"z")) == b"z"
    assert fresh(maker) == MANY | {"a/1": b"x"}


def test_edits_from_many_threads_while_objects_move(repo: Repo[bytes], maker: Located) -> None:
    filled(repo)
    threads, each = 4, 15
    stop = threading.Event()
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for i in range(each):
                assert repo.main().set(f"{'abc'[n % 3]}/{n} {i}", b"%d" % i, retries=1000) is not None
        except BaseException as e:
            failures.append(e)

    def move() -> None:
        while not stop.wait(0.005):
            collect(maker)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    mover = threading.Thread(target=move)
    for thread in (*workers, mover):
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    mover.join()
    assert not failures, failures
    wanted = {f"{'abc'[n % 3]}/{n} {i}": b"%d" % i for n in range(threads) for i in range(each)}
    assert fresh(maker) == MANY | wanted


def test_a_tree_of_another_repository_is_still_refused(repo: Repo[bytes]) -> None:
    minimal = Located(uuid4().hex, minimal=True)
    with Repo.open(minimal, SCHEMA) as other:
        theirs = other.main()
        theirs.set("x/y", b"theirs")
        for tree in (theirs.tree(), theirs.tree().add("z", b"")):
            with pytest.raises(StorageError):
                repo.main().set_tree("t", tree)
        key = theirs.tree().key()
        assert key is not None
        assert Tree.of_key(repo, key) is None
        with pytest.raises((StorageError, WrongWord)):
            repo.main().set_tree("t", Tree.shallow(repo, key))


def test_what_was_collected_and_is_held_by_nobody_is_dangling(repo: Repo[bytes], maker: Located) -> None:
    head = filled(repo)
    hash_, root = head.hash, head.tree().kinded_hash()
    repo.remove_branch("main")
    del head
    collect(maker)
    assert repo.find_commit(hash_) is None
    assert Tree.of_hash(repo, root) is None
    with pytest.raises(DanglingHash):
        repo.commit_tree(repo.empty_tree(), parents=[hash_])


# -- walks ---------------------------------------------------------------------------------------------------


def test_walks_over_all_objects_find_their_way(repo: Repo[bytes], maker: Located) -> None:
    """Checks, exports, closures and visits: nodes and contents are reached from the heads."""
    filled(repo)
    repo.main().set("a/1", b"later")
    for _ in range(2):
        report = repo.check()
        assert report.ok, str(report)
        assert (report.commits, report.contents) == (2, len({*MANY.values(), b"later"}))
        nodes: list[Hash] = []
        repo.iter(node=nodes.append)
        assert report.nodes == len(nodes)
        slice_ = repo.export()
        assert len(slice_) == 2 + report.nodes + report.contents
        with Repo.open(Located(uuid4().hex, minimal=True), SCHEMA) as other:
            other.import_(slice_)
            copy = other.commit(repo.main().head().hash)
            other.main().set_head(copy)
            assert values(other.main().tree()) == MANY | {"a/1": b"later"}
        collect(maker)
    assert searches(repo) == 0


def test_a_slice_that_goes_on_from_what_is_here_is_imported(repo: Repo[bytes], maker: Located) -> None:
    """What it points at and does not hold is found by way of the commits before it."""
    first = filled(repo)
    other_maker = Located(uuid4().hex, minimal=maker.minimal)
    with Repo.open(other_maker, SCHEMA) as other:
        other.import_(repo.export())
        other.main().set_head(other.commit(first.hash))
        collect(other_maker)
        repo.main().set("a/1", b"later")
        second = repo.main().set("b/2", b"last")
        assert second is not None
        part = repo.export(min=[first])
        assert 0 < other.import_(part) < 40
        other.main().set_head(other.commit(second.hash))
        assert fresh(other_maker) == MANY | {"a/1": b"later", "b/2": b"last"}
    with Repo.open(Located(uuid4().hex, minimal=True), SCHEMA) as none, pytest.raises(DanglingHash):
        none.import_(part)


def test_pruned_and_shallow_parts_have_no_words(repo: Repo[bytes]) -> None:
    head = filled(repo)
    pruned = Tree.pruned(head.tree().kinded_hash(), SCHEMA)
    assert pruned.key() is None
    absent = Tree.shallow(repo, KindedHash("node", Hash(bytes(32))))
    with pytest.raises(DanglingHash):
        absent.list()
