"""`Tree.update`, and edits of trees that were stored: TU-02, BE-15, BE-17."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from irminpy import NotFound, Repo, Schema, Tree
from irminpy.contents import Json
from irminpy.errors import InvalidStep
from irminpy.metadata import Own
from irminpy.objects import Node
from irminpy_mem import Memory
from tests.tree_repo import TreeRepo


def keep_ours(old: object, ours: int, theirs: int) -> int:
    return ours


MODE: Own[int] = Own("mode/1", 0, lambda n: b"%d" % n, int, keep_ours)
SCHEMA = Schema(metadata=MODE)
TREE = Tree.empty(SCHEMA).add("d/x", b"1", metadata=7).add("d/y", b"2").add("z", b"3")


class Once:
    """A function for `update` that answers `answer` and remembers what it was given."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.given: list[bytes | None] = []

    def __call__(self, value: bytes | None) -> bytes | None:
        self.given.append(value)
        return self.answer


@pytest.mark.parametrize(
    ("path", "given"),
    [("d/x", b"1"), ("z", b"3"), ("new", None), ("d", None), ("", None), ("z/below/contents", None)],
)
def test_the_function_is_called_once_with_the_contents_or_none(path: str, given: bytes | None) -> None:
    """TU-02: None also where there is a directory."""
    for answer in (b"1", b"other", None):
        f = Once(answer)
        TREE.update(path, f)
        assert f.given == [given]


def test_the_result_takes_the_place_of_whatever_was_there() -> None:
    """TU-02: of contents, of a directory, of nothing, of contents on the way, of the root."""
    for path in ("d/x", "d", "new/one", "z/below"):
        assert TREE.update(path, Once(b"9")).get(path) == b"9"
    assert TREE.update("d", Once(b"9")).find("d/x") is None
    assert TREE.update("z/below", Once(b"9")).find("z") is None
    assert TREE.update("", Once(b"9")).kind() == "contents"


def test_none_removes_what_was_there() -> None:
    """TU-02: contents, a directory, the root; nothing and below contents nothing changes."""
    assert not TREE.update("d/x", Once(None)).mem_tree("d/x")
    assert not TREE.update("d", Once(None)).mem_tree("d")
    assert TREE.update("", Once(None)).is_empty()
    assert not TREE.update("d/x", Once(None)).update("d/y", Once(None)).mem_tree("d")
    for path in ("new", "z/below"):
        assert TREE.update(path, Once(None)) is TREE


def test_an_equal_result_with_equal_metadata_is_no_change() -> None:
    """TU-02."""
    assert TREE.update("z", Once(b"3")) is TREE
    assert TREE.update("d/x", Once(b"1"), metadata=7) is TREE
    assert TREE.update("d/x", Once(b"1"), keep=True) is TREE


def test_metadata_alone_is_a_change() -> None:
    """TU-02, TC-085."""
    changed = TREE.update("z", Once(b"3"), metadata=5)
    assert changed is not TREE
    assert changed.hash() != TREE.hash()
    assert changed.get_all("z") == (b"3", 5)


def test_metadata_that_is_not_given_is_the_default_unless_it_is_kept() -> None:
    """TU-02, QK-07: what was there is lost."""
    assert TREE.update("d/x", Once(b"1")).get_all("d/x") == (b"1", 0)
    assert TREE.update("d/x", Once(b"8")).get_all("d/x") == (b"8", 0)
    assert TREE.update("d/x", Once(b"8"), keep=True).get_all("d/x") == (b"8", 7)
    assert TREE.update("d/x", Once(b"8"), metadata=4, keep=True).get_all("d/x") == (b"8", 4)
    assert TREE.update("new", Once(b"8"), keep=True).get_all("new") == (b"8", 0)


def test_contents_at_the_root_are_updated_too() -> None:
    """TU-02, TC-082: a root that is contents has a value like any other, and a directory becomes one."""
    root = Tree.of_contents(b"1", SCHEMA, metadata=7)
    f = Once(b"2")
    assert root.update("", f).get_all() == (b"2", 0)
    assert f.given == [b"1"]
    assert root.update("", f, keep=True).get_all() == (b"2", 7)
    emptied = root.update("", Once(None))
    assert (emptied.kind(), emptied.is_empty()) == ("node", True)
    assert root.update("a", f).get("a") == b"2"
    directory = Tree.empty(SCHEMA).add("a", b"1")
    given = Once(b"2")
    assert directory.update("", given, metadata=5).get_all() == (b"2", 5)
    assert given.given == [None]


def test_null_of_json_is_taken_for_nothing() -> None:
    """TU-02: None as an answer removes; `add` binds JSON's null."""
    tree = Tree.empty(Schema(Json())).add("a", None).add("b", 1)
    given: list[Any] = []

    def f(value: Any) -> Any:
        given.append(value)

    assert list(tree.update("a", f)) == ["b"]
    assert given == [None]
    assert tree.find_all("a") == (None, None)


def test_an_error_of_the_function_leaves_the_tree_as_it_was() -> None:
    """TU-02."""

    def f(value: bytes | None) -> bytes:
        raise ZeroDivisionError

    before = TREE.hash()
    with pytest.raises(ZeroDivisionError):
        TREE.update("d/x", f)
    with pytest.raises(InvalidStep):
        TREE.update(("a/b",), Once(b"1"))
    with pytest.raises(TypeError):
        TREE.update("d/x", Once(3))  # type: ignore[arg-type]
    assert TREE.hash() == before


def test_update_reads_the_value_that_a_stored_tree_has_now() -> None:
    """TU-02: lazily, and the older handle keeps its own."""
    repo = TreeRepo(SCHEMA)
    stored = repo.fresh(TREE)

    def more(value: bytes | None) -> bytes:
        return (value or b"") + b"+"

    twice = stored.update("d/x", more).update("d/x", more)
    assert twice.get("d/x") == b"1++"
    assert stored.get("d/x") == b"1"


# -- stored directories ----------------------------------------------------------------------------------------


def nodes_of(repo: TreeRepo) -> Tree[bytes, Any]:
    return repo.fresh(Tree.empty(SCHEMA).add("a", b"1").add("b", b"2").add("d/x", b"3"))


def test_a_stored_directory_is_edited_like_any_other() -> None:
    """BE-15, in the words of decision 5: an identical entry and an absent step change nothing."""
    repo = TreeRepo(SCHEMA)
    node = nodes_of(repo)
    assert node.add("a", b"1") is node
    assert node.remove("nothing") is node
    assert node.add_tree("d", node.get_tree("d")) is node
    assert (node.length(), node.is_empty()) == (3, False)
    assert [step for step, _ in node.list(offset=1, length=1)] == ["b"]
    assert [step for step, _ in node.list(sorted=True)] == ["a", "b", "d"]
    assert node.remove("a").remove("b").remove("d") == Tree.empty(SCHEMA)


def test_a_directory_of_pairs_binds_no_step_twice() -> None:
    """BE-15: pairs that say two things are refused, as in TF-11; of edits one after the other the last one stays."""
    with pytest.raises(InvalidStep, match="duplicate"):
        Tree.of_concrete([("a", b"1"), ("a", b"2")])
    tree = Tree.empty().edit()
    for value in (b"1", b"2"):
        tree.add("a", value)
    assert [step for step, _ in tree.tree().list()] == ["a"]
    assert tree["a"] == b"2"


def test_path_operations_on_stored_nodes_lead_from_key_to_key() -> None:
    """BE-17: the graph of nodes is trees."""
    with Repo.open(Memory()) as repo:
        key = repo.save_tree(Tree.empty().add("a/b/c", b"1").add("z", b"2"))
        node = Tree.of_key(repo, key)
        assert node is not None
        inner = node.get_tree("a/b")
        below = inner.key()
        assert below is not None
        assert Tree.of_key(repo, below) == inner

        assert node.add_tree((), inner) == inner  # at the root path a directory takes its place
        assert node.add((), b"1").kind() == "contents"
        assert node.remove(()).is_empty()  # where Irmin refuses
        emptied = node.remove("a/b/c")
        assert [step for step, _ in emptied.list()] == ["z"]  # emptied directories vanish
        again = repo.save_tree(emptied.add("z", b"3").add("z", b"2"))
        assert again == repo.save_tree(Tree.empty().add("z", b"2"))


def test_a_directory_knows_hashes_alone() -> None:
    """BE-16 without proofs, which come with a later part: what Irmin calls portable is the only form there is."""
    one, two = TreeRepo(SCHEMA), TreeRepo(SCHEMA)
    tree = nodes_of(one)
    hash_ = tree.get_tree("d").kinded_hash()
    pruned = Tree.pruned(hash_, SCHEMA)
    assert tree.add_tree("d", pruned).hash() == tree.hash()
    assert Tree.shallow(two, hash_).hash() == pruned.hash() == hash_.hash
    codec = SCHEMA.codec
    node = codec.decode_node(one.reader.objects.nodes[tree.hash()])
    assert isinstance(node, Node)
    assert codec.digest(codec.encode_node(list(node.index), node.kinds, node.hashes, [])) == tree.hash()


def test_what_a_tree_is_taken_apart_into_makes_it_again() -> None:
    """TR-04."""
    node = TREE.destruct()
    assert node[0] == "node"
    assert node[1] == TREE
    found = TREE.get_tree("d/x").destruct()
    assert found[0] == "contents"
    assert Tree.of_contents(found[1].force(), SCHEMA, metadata=found[2]) == TREE.get_tree("d/x")
    unread = nodes_of(TreeRepo(SCHEMA)).destruct()
    assert unread[1] == nodes_of(TreeRepo(SCHEMA))


def test_a_sequence_reads_when_it_is_asked() -> None:
    """TR-13: nothing when it is made, then a node when the first of its entries is reached."""
    repo = TreeRepo()
    stored = repo.fresh(Tree.of_concrete({f"k{i}": b"v" for i in range(5_000)}))
    whole = len(repo.reader.objects.nodes)
    rows = stored.seq(cache=False)
    assert repo.reader.reads == []
    first, _ = next(rows)
    few = len(repo.reader.reads)
    assert 0 < few <= 4
    for _ in range(100):
        next(rows)
    assert few < len(repo.reader.reads) <= few + 40
    rest = [step for step, _ in rows]
    assert len(rest) == 4_899
    assert len(repo.reader.reads) == whole
    assert [first, *rest[-1:]] == [step for step, _ in (stored.list()[0], stored.list()[-1])]


def test_get_raises_where_find_gives_none() -> None:
    """TR-10."""
    for path in ("d", "", "nothing", "z/below"):
        assert TREE.find(path) is None
        assert TREE.find_all(path) is None
        gets: list[Callable[[str], object]] = [TREE.get, TREE.get_all]
        for get in gets:
            with pytest.raises(NotFound):
                get(path)


def test_counters_belong_to_a_repository_and_can_be_reset() -> None:
    """TR-21, decision 9."""
    with Repo.open(Memory()) as one, Repo.open(Memory()) as two:
        commit = one.main().set("a/b", b"1")
        assert commit is not None
        counts = one.counters.to_json()
        assert (counts["contents_add"], counts["node_add"]) == (1, 2)
        assert set(two.counters.to_json().values()) == {0}

        one.counters.reset()
        assert set(one.counters.to_json().values()) == {0}
        assert one.counters.dump() == ""
        fresh = Tree.of_hash(one, commit.tree().kinded_hash())
        assert fresh is not None
        assert fresh.get("a/b") == b"1"
        assert one.counters.contents_find == 1
        assert one.find_key(fresh) is not None
        assert one.counters.node_mem == 1
        assert "contents_find 1" in one.counters.dump()
