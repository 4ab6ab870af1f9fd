"""`BackendSuite`: the contract of `irminpy.backend`, sentence by sentence. The letters name rows of Irmin's own list.

class TestMine(BackendSuite):
    @pytest.fixture
    def maker(self, tmp_path):
        return Mine(tmp_path / "store")
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from ..backend import ANY, Backend, Locating, Maker, Moving, Options, RefUpdate
from ..errors import Closed, NotAStore, ReadOnly, SchemaMismatch
from ..formats import Native
from ..hash import Hash
from ..key import Key, hash_of_key
from ..objects import Kind, Objects
from ..schema import Schema
from .samples import commit_of, contents, history, in_threads
from .watching import WatchSuite

__all__ = ["BackendSuite"]

KINDS = tuple(Kind)


def _asked(schema: Schema[Any, Any]) -> Schema[Any, Any] | None:
    """The schema to open a store with: none is the default one."""
    return None if schema == Schema() else schema


class BackendSuite(WatchSuite):
    """The contract of a backend. A subclass overrides the fixture `maker`.

    `reopens` says whether a second `open` of the same maker, while the first is open, sees the same store. `by_hash`
    says whether directories and contents are found by their hash alone; commits always are. `default` is the schema
    of a new store that was given none. `many`: commits of a large batch. `rounds`: see `WatchSuite`.
    """

    by_hash: bool = True
    many: int = 1000
    default: Schema[Any, Any] = Schema()

    def keys(self, backend: Backend, made: Objects, kind: Kind, hashes: Iterable[bytes]) -> list[Hash | Key]:
        """What leads to objects of `made`, which was written."""
        reader = backend.reader if isinstance(backend, Moving) else backend
        if isinstance(reader, Locating):
            return [reader.key(hash_, made.words[kind].get(hash_, 0)) for hash_ in hashes]
        return [Hash(hash_) for hash_ in hashes]

    def root(self, backend: Backend, head: Hash, node: Hash) -> Hash | Key:
        """What leads to the root directory `node` of the commit `head`."""
        reader = backend.reader if isinstance(backend, Moving) else backend
        if not isinstance(reader, Locating):
            return node
        found = reader.load(Kind.COMMIT, head, 0)
        assert found is not None
        return reader.key(node, int.from_bytes(found[1][:8], "little"))

    # -- objects -----------------------------------------------------------------------------------------------

    def test_what_was_never_written_reads_as_none(self, backend: Backend, schema: Schema[Any, Any]) -> None:
        """BE-01."""
        absent = Hash(schema.codec.digest(b"Babsent"))
        for kind in KINDS:
            assert backend.read(kind, absent) is None
            assert backend.read_many(kind, [absent, absent]) == [None, None]

    def test_what_was_written_reads_back(self, backend: Backend, schema: Schema[Any, Any]) -> None:
        """BE-02, TC-001: the empty value, a short one, one with every byte and a large one."""
        values = [b"", b"v", bytes(range(256)), b"x" * 300_000]
        made = contents(schema, *values)
        assert backend.write(made)
        keys = self.keys(backend, made, Kind.CONTENTS, made.contents)
        for key, data in zip(keys, made.contents.values(), strict=True):
            assert backend.read(Kind.CONTENTS, key) == data

    def test_an_object_is_found_under_its_own_kind_only(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """An object of one kind is not read as another, whatever its hash."""
        made, _ = history(schema, 1)
        assert backend.write(made)
        for kind in KINDS:
            for key in self.keys(backend, made, kind, made.of_kind(kind)):
                for other in KINDS:
                    assert (backend.read(other, key) is not None) is (other is kind)
                    known = other is kind and (self.by_hash or kind is Kind.COMMIT)
                    assert (backend.find_keys(other, [hash_of_key(key)]) != [None]) is known

    def test_a_store_without_commits_lists_no_commit_for_a_directory(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """Prefixes of contents and directories resolve to nothing."""
        made = contents(schema, b"v")
        empty = schema.codec.encode_node([], b"", b"", [])
        made.nodes[schema.codec.digest(empty)] = empty
        assert backend.write(made)
        assert backend.find_commits("") == []

    def test_many_reads_come_in_the_order_asked_with_none_for_each_miss(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """One answer per key, also for a key that is asked for twice."""
        made = contents(schema, *(b"%d" % i for i in range(100)))
        assert backend.write(made)
        absent = Hash(schema.codec.digest(b"Babsent"))
        keys = self.keys(backend, made, Kind.CONTENTS, made.contents)
        asked = [absent, *reversed(keys), absent, keys[3], keys[3]]
        wanted = [made.contents.get(hash_of_key(key)) for key in asked]
        assert backend.read_many(Kind.CONTENTS, asked) == wanted
        assert backend.read_many(Kind.CONTENTS, []) == []

    def test_a_key_that_is_found_leads_to_the_object(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """BE-04: in the order asked, and equal by hash to what was asked for."""
        made = contents(schema, b"1", b"2", b"3")
        assert backend.write(made)
        absent = Hash(schema.codec.digest(b"Babsent"))
        asked = [Hash(h) for h in made.contents]
        found = backend.find_keys(Kind.CONTENTS, [*asked, absent])
        assert len(found) == 4
        assert found[3] is None
        for hash_, key in zip(asked, found, strict=False):
            if key is not None:
                assert hash_of_key(key) == hash_
                assert backend.read(Kind.CONTENTS, key) == made.contents[hash_]

    def test_writing_an_object_again_is_harmless(self, backend: Backend, schema: Schema[Any, Any]) -> None:
        """BE-02, BE-03: in the same batch as refs, and in a batch that is all old."""
        made, heads = history(schema, 3)
        for _ in range(3):
            assert backend.write(made, [RefUpdate("main", heads[-1])])
        for kind in KINDS:
            keys = self.keys(backend, made, kind, made.of_kind(kind))
            assert backend.read_many(kind, keys) == list(made.of_kind(kind).values())

    def test_a_batch_of_nothing_happens(self, backend: Backend) -> None:
        """BE-09."""
        assert backend.write(Objects()) is True
        assert backend.write(Objects(), []) is True

    def test_a_large_batch_with_children_first_is_read_back_whole(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """BE-09: thousands of objects at once, and every object's children are there."""
        made, heads = history(schema, self.many)
        assert backend.write(made, [RefUpdate("main", heads[-1])])
        hashes = [Hash(h) for h in made.commits]
        for hash_, data in zip(hashes, backend.read_many(Kind.COMMIT, hashes), strict=True):
            assert data is not None
            commit = schema.codec.decode_commit(data)
            assert Hash(schema.codec.digest(data)) == hash_
            (root,) = self.keys(backend, made, Kind.NODE, [commit.node])
            assert backend.read(Kind.NODE, root) is not None
            assert None not in backend.read_many(Kind.COMMIT, commit.parents)

    # -- commits by prefix -------------------------------------------------------------------------------------

    def test_commits_are_found_by_the_beginning_of_their_hash(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """In order, with lower-case digits, of any length, and at most twenty."""
        made, heads = history(schema, 60)
        assert backend.write(made)
        ordered = sorted(heads)
        assert backend.find_commits("") == ordered[:20]
        for head in heads:
            text = head.hex()
            assert backend.find_commits(text) == [head]
            for n in (1, 2, 3, 7, 8):
                assert (
                    backend.find_commits(text[:n])
                    == [h for h in ordered if h.hex().startswith(text[:n])][:20]
                )
        for none in (ordered[0].hex() + "0", "not hex", ordered[0].hex().upper() + "x"):
            assert backend.find_commits(none) == []

    # -- refs --------------------------------------------------------------------------------------------------

    def test_refs_are_set_read_listed_in_order_and_deleted(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """BE-05, TC-008: names with slashes, and names that differ in case only."""
        made, (one, two) = history(schema, 2)
        assert backend.refs() == {}
        assert backend.ref("foo") is None
        assert backend.write(made, [RefUpdate("foo", one), RefUpdate("bar/toto", two), RefUpdate("Foo", two)])
        assert (backend.ref("foo"), backend.ref("bar/toto"), backend.ref("Foo")) == (one, two, two)
        assert list(backend.refs().items()) == [("Foo", two), ("bar/toto", two), ("foo", one)]
        assert backend.write(Objects(), [RefUpdate("foo", two)])
        assert backend.write(Objects(), [RefUpdate("bar/toto", None)])
        assert backend.refs() == {"Foo": two, "foo": two}
        assert backend.ref("bar/toto") is None

    def test_the_answer_of_refs_belongs_to_the_caller(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """Changing it changes nothing in the store."""
        made, (one,) = history(schema, 1)
        assert backend.write(made, [RefUpdate("main", one)])
        backend.refs().clear()
        assert backend.refs() == {"main": one}

    def test_deleting_a_ref_that_is_not_there_happens(self, backend: Backend) -> None:
        """BE-05: nothing changes, and that is no failure."""
        assert backend.write(Objects(), [RefUpdate("gone", None)]) is True
        assert backend.write(Objects(), [RefUpdate("gone", None, test=None)]) is True
        assert backend.refs() == {}

    def test_a_ref_moves_only_if_its_condition_holds(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """BE-05: None is absent, a hash is that hash, ANY is whatever it is."""
        made, (one, two) = history(schema, 2)
        assert backend.write(made)
        cases: list[tuple[Hash | None, Any, bool]] = [
            (None, one, False),
            (None, None, True),
            (None, ANY, True),
            (one, None, False),
            (one, two, False),
            (one, one, True),
            (one, ANY, True),
        ]
        for before, test, happens in cases:
            for after in (one, two, None):
                assert backend.write(Objects(), [RefUpdate("main", before)])
                assert backend.write(Objects(), [RefUpdate("main", after, test)]) is happens
                assert backend.ref("main") == (after if happens else before)

    def test_one_condition_that_fails_leaves_all_refs_as_they_were(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """Wherever in the batch it stands; the objects of the batch may stay, and do no harm."""
        made, (one, two) = history(schema, 2)
        assert backend.write(made, [RefUpdate("a", one), RefUpdate("b", one), RefUpdate("c", one)])
        before = backend.refs()
        good = [RefUpdate("a", two, one), RefUpdate("c", None, one), RefUpdate("d", two, None)]
        for at in range(len(good) + 1):
            batch = [*good[:at], RefUpdate("b", two, two), *good[at:]]
            assert backend.write(contents(schema, b"left over"), batch) is False
            assert backend.refs() == before
        assert backend.write(contents(schema, b"left over"), good) is True
        assert backend.refs() == {"a": two, "b": one, "d": two}

    def test_a_batch_may_move_one_ref_more_than_once(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """Each condition sees what the updates before it did."""
        made, (one, two) = history(schema, 2)
        assert backend.write(made, [RefUpdate("a", one, None), RefUpdate("a", two, one)])
        assert backend.ref("a") == two
        assert backend.write(Objects(), [RefUpdate("a", None, two), RefUpdate("a", one, two)]) is False
        assert backend.ref("a") == two

    def test_sixteen_threads_that_compare_and_set_lose_nothing(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """BE-05, TC-052, TC-053: every commit that was acknowledged is in the history of the head."""
        each = (self.rounds + 1) // 2

        def work(n: int) -> None:
            for i in range(each):
                while True:
                    head = backend.ref("main")
                    made, hash_ = commit_of(schema, f"{n} {i}", () if head is None else (head,))
                    if backend.write(made, [RefUpdate("main", hash_, head)]):
                        break

        in_threads(16, work)
        seen: list[str] = []
        head = backend.ref("main")
        while head is not None:
            data = backend.read(Kind.COMMIT, head)
            assert data is not None, "a ref led to a commit that is not there"
            commit = schema.codec.decode_commit(data)
            seen.append(commit.info.message)
            head = commit.parents[0] if commit.parents else None
        assert sorted(seen) == sorted(f"{n} {i}" for n in range(16) for i in range(each))

    def test_no_reader_sees_a_ref_before_what_it_leads_to(
        self, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """BE-09: readers on other threads follow every ref to a commit and its root directory."""
        done = threading.Event()

        def work(n: int) -> None:
            if n:
                while not done.is_set():
                    for head in backend.refs().values():
                        data = backend.read(Kind.COMMIT, head)
                        assert data is not None
                        root = self.root(backend, head, schema.codec.decode_commit(data).node)
                        assert backend.read(Kind.NODE, root) is not None
            else:
                try:
                    for i in range(4 * self.rounds):
                        made, hash_ = commit_of(schema, str(i), (), value=b"%d" % i)
                        assert backend.write(made, [RefUpdate(f"b{i % 3}", hash_)])
                finally:
                    done.set()

        in_threads(4, work)

    # -- opening and closing -----------------------------------------------------------------------------------

    def test_every_method_raises_closed_after_close(self, backend: Backend, schema: Schema[Any, Any]) -> None:
        """BE-06, TY-27, TC-006: but closing twice does nothing."""
        made, (one,) = history(schema, 1)
        assert backend.write(made, [RefUpdate("main", one)])
        stop = backend.watch(lambda change: None)
        backend.close()
        backend.close()
        calls: list[Callable[[], Any]] = [
            lambda: backend.read(Kind.COMMIT, one),
            lambda: backend.read_many(Kind.COMMIT, [one]),
            lambda: backend.find_keys(Kind.COMMIT, [one]),
            lambda: backend.find_commits(""),
            lambda: backend.write(Objects()),
            lambda: backend.ref("main"),
            backend.refs,
            lambda: backend.watch(lambda change: None),
        ]
        for call in calls:
            with pytest.raises(Closed):
                call()
        stop()
        backend.close()

    def test_a_maker_without_a_schema_opens_the_default_one(self, maker: Maker) -> None:
        """For a new store that is `Schema()`, of most backends."""
        backend, schema = maker.open(None, Options())
        backend.close()
        assert schema == self.default

    def test_a_store_that_is_not_there_is_no_store_unless_it_may_be_made(self, maker: Maker) -> None:
        """And asking does not make it."""
        for _ in range(2):
            with pytest.raises(NotAStore):
                maker.open(None, Options(create=False))

    def test_another_open_sees_the_same_store(
        self, maker: Maker, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """The recorded schema comes back, and closing one handle leaves the other open."""
        if not self.reopens:
            pytest.skip("this maker opens a fresh store each time")
        made, (one,) = history(schema, 1)
        assert backend.write(made, [RefUpdate("main", one)])
        again, recorded = maker.open(_asked(schema), Options(create=False))
        assert recorded == schema
        assert again.refs() == {"main": one}
        assert again.read(Kind.COMMIT, one) == made.commits[one]
        assert again.write(Objects(), [RefUpdate("other", one)])
        again.close()
        assert backend.refs() == {"main": one, "other": one}

    def test_another_schema_than_the_recorded_one_is_refused(
        self, maker: Maker, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """The error names both."""
        if not self.reopens:
            pytest.skip("this maker opens a fresh store each time")
        other = Schema(format=Native(4, 4))
        with pytest.raises(SchemaMismatch) as caught:
            maker.open(other, Options())
        assert other.describe() in str(caught.value)
        assert schema.describe() in str(caught.value)

    def test_a_read_only_handle_reads_and_refuses_to_write(
        self, maker: Maker, backend: Backend, schema: Schema[Any, Any]
    ) -> None:
        """Nothing is written, not even by a batch whose conditions fail."""
        if not self.reopens:
            pytest.skip("this maker opens a fresh store each time")
        made, (one,) = history(schema, 1)
        assert backend.write(made, [RefUpdate("main", one)])
        reader, _ = maker.open(_asked(schema), Options(readonly=True, create=False))
        new = contents(schema, b"refused")
        for updates in ([], [RefUpdate("main", None)], [RefUpdate("main", None, test=None)]):
            with pytest.raises(ReadOnly):
                reader.write(new, updates)
        assert reader.refs() == {"main": one}
        assert reader.read(Kind.CONTENTS, Hash(next(iter(new.contents)))) is None
        reader.close()
