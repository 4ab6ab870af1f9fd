"""The memory backend: what is its own, beyond the suites."""

from __future__ import annotations

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
    one, _ = Memory().open(None, Options())
    made, (head,) = history(Schema(), 1)
    assert one.write(made, [RefUpdate("main", head)])
    two, _ = Memory().open(None, Options())
    assert two.refs() == {}


def test_a_named_store_outlives_its_handles() -> None:
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
    assert Memory.of_uri("", {}) == Memory()
    assert Memory.of_uri("name", {}) == Memory("name")
    with pytest.raises(TypeError, match="size"):
        Memory.of_uri("", {"size": "1"})


def test_a_uri_with_an_unknown_option_is_refused_with_its_name() -> None:
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
