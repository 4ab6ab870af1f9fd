"""The type variables at run time: an annotation may leave the metadata away."""

from __future__ import annotations

import typing
from typing import Any, Generic, TypeVar

import pytest

import irminpy
from irminpy.store import Store
from irminpy.types import C, M

Other = TypeVar("Other")


class Both(Generic[Other, C]):
    """A class whose first variable has no default."""


@pytest.mark.parametrize("generic", [irminpy.Repo, Store, irminpy.Tree, irminpy.Commit, irminpy.Schema])
def test_what_is_not_given_is_the_default(generic: Any) -> None:
    assert typing.get_args(generic[dict])[0] is dict
    assert typing.get_args(generic[dict])[1] in (None, type(None))
    assert typing.get_args(generic[dict, int]) == (dict, int)
    with pytest.raises(TypeError):
        generic[dict, int, str]


def test_a_variable_without_default_comes_first() -> None:
    both: Any = Both
    assert typing.get_args(both[dict]) == (dict, bytes)


def test_a_class_may_be_derived_with_one_argument() -> None:
    class Own(irminpy.Schema[dict[str, Any]]):
        pass

    assert issubclass(Own, irminpy.Schema)
    assert isinstance(Own(), irminpy.Schema)


def test_the_defaults_are_told() -> None:
    variables: list[Any] = [C, M]
    assert [variable.__default__ for variable in variables] in ([bytes, None], [bytes, type(None)])
