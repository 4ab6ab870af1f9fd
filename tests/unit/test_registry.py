"""Opening a store by URI: one clear line for each way it can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

import irminpy
from irminpy import Repo, Schema, registry
from irminpy.contents import String
from irminpy.errors import NotAStore, SchemaMismatch, StorageError
from irminpy_mem import Memory


def clear(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text
    assert text
    return text


def test_a_named_memory_store_is_shared_and_a_nameless_one_is_not() -> None:
    """QK-13, WA-07."""
    with irminpy.open("mem:shared-by-name") as one, irminpy.open("mem:shared-by-name") as two:
        one.main().set("a", b"1")
        assert two.main().get("a") == b"1"
    with irminpy.open("mem:shared-by-name") as again:
        assert again.main().get("a") == b"1"
    with irminpy.open("mem:") as one, irminpy.open("mem:") as two:
        one.main().set("a", b"1")
        assert two.main().find("a") is None


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(StorageError) as caught:
        irminpy.open("nope:x")
    assert "'nope'" in clear(caught.value)
    assert "mem:" in clear(caught.value)


def test_no_scheme_at_all_says_how_to_write_one() -> None:
    with pytest.raises(StorageError) as caught:
        irminpy.open("./ledger")
    assert "pack:./ledger" in clear(caught.value)
    with pytest.raises(TypeError):
        irminpy.open(7)  # type: ignore[call-overload]


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("git", "irminpy_that_is_not_there:Git", registry.GROUP)

    def entry_points(**selection: Any) -> list[EntryPoint]:
        return [point]

    monkeypatch.setattr(registry, "entry_points", entry_points)
    with pytest.raises(StorageError) as caught:
        irminpy.open("git:.")
    assert "pip install 'irminpy[git]'" in clear(caught.value)


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(StorageError, match="color"):
        irminpy.open("mem:?color=red")


def test_the_wrong_schema_is_named() -> None:
    """D15: no schema means the default one."""
    with Repo.open(Memory("strings"), Schema(String())):
        attempts: list[Callable[[], Any]] = [
            lambda: irminpy.open("mem:strings"),
            lambda: Repo.open(Memory("strings")),
        ]
        for attempt in attempts:
            with pytest.raises(SchemaMismatch) as caught:
                attempt()
            assert "string" in clear(caught.value)
    with irminpy.open("mem:strings", Schema(String())) as repo:
        repo.main().set("a", "text")
        assert repo.main().get("a") == "text"


def test_a_store_that_must_exist() -> None:
    with pytest.raises(NotAStore) as caught:
        irminpy.open("mem:not-made-yet", create=False)
    clear(caught.value)


def test_open_and_repo_open_are_not_mixed_up() -> None:
    with pytest.raises(TypeError, match=r"irminpy\.open"):
        Repo.open("mem:")  # type: ignore[call-overload]
