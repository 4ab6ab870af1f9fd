"""`Fields` and `Frozen` beside the dataclasses whose place they take, and our `NamedTuple` beside that of `typing`."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
import typing
from collections.abc import Callable
from typing import Any

import pytest

from irminpy import Info, KindedHash, Schema
from irminpy.contents import Bytes, String
from irminpy.fields import Fields, Frozen, NamedTuple, frozen, replaced
from irminpy.formats import FlatNative, Native
from irminpy.hash import BLAKE3, Hash
from irminpy.key import KindedKey
from irminpy.merge import Conflict
from irminpy.metadata import NoMetadata
from irminpy.objects import Commit, Objects
from irminpy.recorded import Raw
from irminpy.tree.counters import Counters
from irminpy_pack import Pack
from irminpy_pack.identity import Root
from irminpy_pack.manifest import Manifest, Row
from irminpy_pack.trailer import Tip

H = Hash(bytes(range(32)))


@frozen
class Point(Frozen, apart=("note",)):
    """One of ours."""

    __slots__ = ("note", "x", "y")

    x: int
    y: int
    note: str

    def __init__(self, x: int, y: int = 0, note: str = "") -> None:
        self._set(x, y, note)


@dataclasses.dataclass(frozen=True, slots=True)
class Twin:
    """The dataclass with the same fields."""

    x: int
    y: int = 0
    note: str = dataclasses.field(default="", compare=False, repr=False)


class Open(Fields):
    """One that changes."""

    __slots__ = ("x",)

    x: list[int]

    def __init__(self, x: list[int]) -> None:
        self.x = x


class Named(NamedTuple):
    """Ours."""

    x: int
    y: Point | None = None
    """A field with words of its own."""

    @property
    def double(self) -> int:
        """Twice `x`."""
        return 2 * self.x

    @staticmethod
    def of(text: str) -> Named:
        """From text."""
        return Named(int(text))


class TypedNamed(typing.NamedTuple):
    """That of `typing`."""

    x: int
    y: Point | None = None


FROZEN: list[Callable[[], Any]] = [
    Bytes,
    String,
    NoMetadata,
    BLAKE3,
    FlatNative,
    lambda: Native(2, 3),
    lambda: Info(1, "ann", "why", {"k": b"v"}),
    lambda: KindedHash("contents", H, b"m"),
    lambda: KindedKey("node", H),
    lambda: Commit(H, (H,), Info(7)),
    lambda: Raw("own/1"),
    lambda: Conflict("both changed", ("a",), 1, 2, 3),
    lambda: Root("/a"),
    lambda: Pack("/a", "minimal", linger=0.5),
    lambda: Manifest(b"u", 1, (Row(0, 0, 0),), Tip(0, 0, 0, 0)),
    lambda: Point(1, 2, "n"),
    Schema,
]


@pytest.mark.parametrize("make", FROZEN, ids=[type(make()).__name__ for make in FROZEN])
def test_a_frozen_value_is_equal_hashed_copied_and_pickled_by_its_fields(make: Callable[[], Any]) -> None:
    one, other = make(), make()
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1
    assert one != object()
    assert repr(one) == repr(other)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(one, protocol)) == one
    assert copy.copy(one) == copy.deepcopy(one) == one


@pytest.mark.parametrize("make", FROZEN, ids=[type(make()).__name__ for make in FROZEN])
def test_a_frozen_value_never_changes(make: Callable[[], Any]) -> None:
    one = make()
    for name in [*(field.name for field in dataclasses.fields(one)), "anything"]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(one, name, 1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(one, name)
    assert one == make()


@pytest.mark.parametrize("make", FROZEN, ids=[type(make()).__name__ for make in FROZEN])
def test_a_value_of_another_class_is_another_one(make: Callable[[], Any]) -> None:
    one: Any = make()
    derived: Any = type("Derived", (type(one),), {"__slots__": ()})
    below = object.__new__(derived)
    below.__setstate__(one.__getstate__())
    assert (below == one) is (type(one) is Schema)  # which are equal by their identities


@pytest.mark.parametrize("args", [(1,), (1, 2), (1, 2, "n"), ("text", None, "")])
def test_ours_is_what_the_dataclass_is(args: tuple[Any, ...]) -> None:
    ours, twin = Point(*args), Twin(*args)
    assert repr(ours).removeprefix("Point") == repr(twin).removeprefix("Twin")
    assert dataclasses.asdict(ours) == dataclasses.asdict(twin)
    assert Point.__match_args__ == Twin.__match_args__
    assert ours.__getstate__() == twin.__getstate__()  # pickles of either are read as the other
    assert (ours == Point(args[0])) is (twin == Twin(args[0]))
    assert hash(ours) == hash(Point(*args[:2]))
    changed: Any = dataclasses.replace(ours, y=9)
    assert changed == Point(args[0], 9) == replaced(ours, y=9)
    assert changed.note == ours.note


def test_dataclasses_knows_the_fields_of_ours() -> None:
    assert dataclasses.is_dataclass(Point)
    ours, twin = dataclasses.fields(Point), dataclasses.fields(Twin)
    for mine, other in zip(ours, twin, strict=True):
        for of in ("name", "type", "default", "init", "repr", "compare"):
            assert getattr(mine, of) == getattr(other, of), of
    assert [field.name for field in dataclasses.fields(Info)] == ["date", "author", "message", "extra"]
    assert [field.init for field in dataclasses.fields(BLAKE3)] == [False, False]


def test_a_dataclass_may_be_derived_from_ours() -> None:
    @dataclasses.dataclass(frozen=True)
    class More(Point):
        z: int = 5

    more = More(x=1, y=2, note="n", z=6)
    assert (more.x, more.y, more.z) == (1, 2, 6)
    assert dataclasses.replace(more, x=3) == More(x=3, y=2, note="n", z=6)


def test_a_class_that_somebody_derives_has_attributes_of_its_own() -> None:
    class Mine(Native):
        pass

    mine = Mine(2, 3)
    mine.label = "a"
    with pytest.raises(dataclasses.FrozenInstanceError):
        mine.fanout = 4  # type: ignore[misc]
    assert (mine.fanout, mine.label) == (2, "a")  # type: ignore[attr-defined]
    assert mine == Mine(2, 3) != Native(2, 3)


def test_fields_that_change_have_no_hash() -> None:
    one = Open([1])
    assert one == Open([1]) != Open([2])
    one.x.append(2)
    assert repr(one) == "Open(x=[1, 2])"
    assert pickle.loads(pickle.dumps(one)) == one
    for changing in (one, Objects(), Counters()):
        with pytest.raises(TypeError):
            hash(changing)
    assert Counters(node_find=2) == Counters.from_json({"node_find": 2}) != Counters()
    assert Objects().contents is not Objects().contents


def test_a_field_that_is_not_given_is_an_error() -> None:
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Point(1, 2, "n", 4)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        replaced(Point(1), unknown=2)


def test_our_named_tuple_is_that_of_typing() -> None:
    for of in ("_fields", "_field_defaults", "__match_args__", "__slots__", "__module__"):
        assert getattr(Named, of) == getattr(TypedNamed, of), of
    assert typing.get_type_hints(Named) == typing.get_type_hints(TypedNamed)
    one = Named.of("3")
    assert (one, one.double, one._replace(x=4)) == ((3, None), 6, Named(4))
    assert repr(one) == "Named(x=3, y=None)"
    assert (Named.__doc__, Named.__qualname__) == ("Ours.", "Named")
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.x = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        Named()  # type: ignore[call-arg]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="there it is that of typing")
def test_a_named_tuple_has_no_other_base() -> None:
    make: Any = type(NamedTuple)
    with pytest.raises(TypeError, match="no other base"):
        make("Both", (NamedTuple, Point), {})
