"""Paths and steps: TY-10."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irminpy import path
from irminpy.errors import InvalidStep


@pytest.mark.parametrize(
    ("text", "steps"), [("", ()), ("/", ()), ("a", ("a",)), ("//a/b/", ("a", "b")), ("a//b", ("a", "b"))]
)
def test_text_is_split_on_slashes_and_empty_segments_dropped(text: str, steps: path.Path) -> None:
    """TY-10"""
    assert path.as_path(text) == steps


def test_a_sequence_of_steps_is_taken_as_it_is() -> None:
    assert path.as_path(["a/b", "", "c"]) == ("a/b", "", "c")
    assert path.as_path(("a",)) == ("a",)


@pytest.mark.parametrize(
    "value", [b"a/b", bytearray(b"a"), memoryview(b"a"), 1, None, {"a"}, iter("ab"), ["a", 1], ("a", b"b")]
)
def test_anything_else_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        path.as_path(value)


def test_a_path_prints_with_a_slash_before_each_step() -> None:
    """TY-10"""
    assert path.show(("a", "b")) == "/a/b"
    assert path.show(()) == ""
    assert path.join(("a", "b")) == "a/b"


def test_a_path_is_put_together_and_taken_apart_at_both_ends() -> None:
    """TY-10"""
    assert path.cons("a", ("b",)) == path.rcons(("a",), "b") == ("a", "b")
    assert path.decons(()) is None
    assert path.rdecons(()) is None
    assert path.decons(("a", "b")) == ("a", ("b",))
    assert path.rdecons(("a", "b")) == (("a",), "b")


@given(st.lists(st.text(min_size=1).filter(lambda step: "/" not in step)))
def test_what_is_printed_reads_back(steps: list[str]) -> None:
    """TY-10"""
    assert path.as_path(path.show(tuple(steps))) == tuple(steps) == path.as_path(path.join(tuple(steps)))


@given(st.binary())
def test_any_bytes_can_be_shown_as_a_step_and_come_back(data: bytes) -> None:
    assert path.step_bytes(path.step_of_bytes(data)) == data


@given(st.text(st.characters(exclude_categories=())))
def test_no_two_steps_have_the_same_bytes(step: str) -> None:
    try:
        data = path.step_bytes(step)
    except InvalidStep:
        return
    assert path.step_of_bytes(data) == step


@pytest.mark.parametrize("step", ["\ud800", "\udcc3\udca9"])
def test_surrogates_that_are_no_escapes_are_refused(step: str) -> None:
    with pytest.raises(InvalidStep):
        path.step_bytes(step)


@pytest.mark.parametrize("step", ["", "a/b", "a\0", "\udc80", "a" * 4097, "é" * 2049])
def test_the_native_format_refuses_a_step(step: str) -> None:
    with pytest.raises(InvalidStep):
        path.check_native_step(step)


@pytest.mark.parametrize("step", ["a", ".", "..", "é" * 2048, "a b\n", "\U0010ffff"])
def test_the_native_format_allows_a_step(step: str) -> None:
    assert path.check_native_step(step) == step.encode()
