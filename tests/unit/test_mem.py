"""The memory backend: what is its own, beyond the suites."""

from __future__ import annotations

from typing import Any

import pytest

from irminpy.backend import Options, RefChange, RefUpdate
from irminpy.errors import NotAStore, StorageError
from irminpy.hash import Hash
from irminpy.objects import Objects
from irminpy.registry import maker_of_uri
from irminpy.schema import Schema
from irminpy.testing.samples import history, in_threads
from irminpy_mem import Memory


def test_a_store_without_a_name_is_fresh_each_time() -> None:
    """BE-10, decision 3: Irmin shares one store by default."""
    one, _ = Memory().open(None, Options())
    made, (head,) = history(Schema(), 1)
    assert one.write(made, [RefUpdate("main", head)])
    two, _ = Memory().open(None, Options())
    assert two.refs() == {}


def test_a_named_store_outlives_its_handles() -> None:
    """BE-10: data is shared by name, even after close."""
    one, _ = Memory("outlives").open(None, Options())
    made, (head,) = history(Schema(), 1)
    assert one.write(made, [RefUpdate("main", head)])
    one.close()
    two, _ = Memory("outlives").open(None, Options(create=False))
    assert two.refs() == {"main": head}
    with pytest.raises(NotAStore):
        Memory("nobody made this").open(None, Options(create=False))


def test_threads_that_open_one_name_share_one_store() -> None:
    head = Hash(bytes(32))

    def work(n: int) -> None:
        backend, _ = Memory("shared by threads").open(None, Options())
        assert backend.write(Objects(), [RefUpdate(f"r{n}", head, None)])

    in_threads(8, work)
    backend, _ = Memory("shared by threads").open(None, Options())
    assert list(backend.refs()) == [f"r{n}" for n in range(8)]


def test_uris_give_makers() -> None:
    """TY-24, TY-25, decision 1: options are arguments, makers are equal by them, an unknown one is named."""
    assert Memory.of_uri("", {}) == Memory()
    assert Memory.of_uri("name", {}) == Memory("name")
    with pytest.raises(TypeError, match="size"):
        Memory.of_uri("", {"size": "1"})


def test_a_uri_with_an_unknown_option_is_refused_with_its_name() -> None:
    """TY-25."""
    with pytest.raises(StorageError, match="size"):
        maker_of_uri("mem:?size=1")


def test_a_listener_that_raises_does_not_silence_the_store_for_ever() -> None:
    backend, _ = Memory().open(None, Options())
    heard: list[RefChange] = []

    def listener(change: RefChange) -> None:
        heard.append(change)
        if len(heard) == 1:
            raise ValueError("a mistake of the caller")

    backend.watch(listener)
    head = Hash(bytes(32))
    with pytest.raises(ValueError, match="mistake"):
        backend.write(Objects(), [RefUpdate("a", head)])
    assert backend.ref("a") == head
    assert backend.write(Objects(), [RefUpdate("b", head)])
    assert [change.name for change in heard] == ["a", "b"]


def test_options_have_defaults_and_are_values() -> None:
    """TY-24, TY-25: what Irmin's registry of keys holds is in the types."""
    assert Options() == Options(readonly=False, create=True, exclusive=False, timeout=5.0)
    assert Options(readonly=True) != Options()
    wrong: Any = {"colour": "red"}
    with pytest.raises(TypeError, match="colour"):
        Options(**wrong)


def test_writers_of_different_branches_wait_for_one_lock_and_lose_nothing() -> None:
    """BE-11, decision 4: compare-and-set of eight branches at once, each a chain without a gap."""
    backend, schema = Memory().open(None, Options())
    made, heads = history(schema, 50)
    assert backend.write(made)

    def work(n: int) -> None:
        before: Hash | None = None
        for head in heads:
            assert backend.write(Objects(), [RefUpdate(f"r{n}", head, before)])
            before = head

    in_threads(8, work)
    assert backend.refs() == {f"r{n}": heads[-1] for n in range(8)}


def test_a_batch_over_several_branches_is_never_seen_in_part() -> None:
    """BE-11: the reason for one lock. Two branches that always move together are always seen together."""
    backend, schema = Memory().open(None, Options())
    _, heads = history(schema, 2)
    assert backend.write(Objects(), [RefUpdate("a", heads[0]), RefUpdate("b", heads[0])])

    def work(n: int) -> None:
        for i in range(300):
            if n:
                seen = backend.refs()
                assert seen["a"] == seen["b"]
            else:
                assert backend.write(Objects(), [RefUpdate(name, heads[i % 2]) for name in "ab"])

    in_threads(4, work)
