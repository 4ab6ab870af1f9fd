"""Names of branches: TY-11, QK-17, QK-20."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import irminpy
from irminpy import branch
from irminpy.errors import InvalidBranch


@pytest.mark.parametrize(
    "name", ["main", "a/b", "A-z_0.9", "feature/été", "a.b", "x@y", "@x", "a" * 1024, "a./b"]
)
def test_a_branch_may_have_this_name(name: str) -> None:
    """TY-11, US-15"""
    assert branch.check(name) == name
    assert branch.is_valid(name)


@pytest.mark.parametrize(
    "name",
    [
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a.lock",
        "a.lock/b",
        "a..b",
        "a b",
        "a\tb",
        "a\x7f",
        "~",
        "a^",
        "a:b",
        "a?",
        "*",
        "a[b",
        "a\\b",
        "a.",
        "a@{b",
        "@",
        "\ud800",
        "a" * 1025,
        "é" * 513,
        "\x00",
    ],
)
def test_no_branch_may_have_this_name(name: str) -> None:
    """TY-11"""
    assert not branch.is_valid(name)
    with pytest.raises(InvalidBranch) as caught:
        branch.check(name)
    assert caught.value.name == name


def test_the_empty_name_is_refused() -> None:
    """QK-17"""
    with pytest.raises(InvalidBranch, match="it is empty"):
        branch.check("")


@given(st.text(st.characters(exclude_categories=())))
def test_a_name_is_valid_or_refused_by_the_error_of_branches(name: str) -> None:
    try:
        branch.check(name)
    except InvalidBranch:
        assert not branch.is_valid(name)
    else:
        assert branch.is_valid(name)


@pytest.mark.parametrize("name", [b"main", None, 1])
def test_a_name_that_is_no_text_is_a_type_error(name: Any) -> None:
    with pytest.raises(TypeError):
        branch.check(name)


def test_the_main_branch_is_called_main() -> None:
    """TY-11"""
    assert branch.check(branch.MAIN) == "main"


def test_no_way_leads_to_a_branch_of_an_invalid_name() -> None:
    """QK-20."""
    with irminpy.open("mem:") as repo:
        main = repo.main()
        main.set("a", b"1")
        for name in ("", "a..b", "x y"):
            for call in (repo.branch, repo.remove_branch, main.clone, main.merge_with_branch):
                with pytest.raises(InvalidBranch):
                    call(name)
        assert repo.branches() == ["main"]


def test_only_short_names_are_remembered() -> None:
    """Names come from whoever asks a server: what is kept of them has a bound."""
    branch.check("short/name")
    before = branch._remembered.cache_info()
    assert before.maxsize is not None
    for n in (65, 1000):
        branch.check("a" * n)
    assert branch._remembered.cache_info() == before
    for i in range(2 * before.maxsize):
        branch.check(f"b{i}")
    assert branch._remembered.cache_info().currsize == before.maxsize
    for _ in range(2):
        with pytest.raises(InvalidBranch):
            branch.check("a..b")
