"""Objects that are what their fields are: `Fields`, `Frozen`, which never change, and `NamedTuple`.

The first two are what `dataclass(slots=True)` makes, and `dataclasses.replace`, `fields` and `asdict` take them for it.
The third is that of `typing`. But here nothing is compiled when a class is made, as it is there for each method and for
each annotation: that was a fifth of what the command needed to start (docs/decisions/082).
"""

from __future__ import annotations

import sys
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable

if TYPE_CHECKING or sys.version_info >= (3, 14):  # from there on, `typing` compiles what is asked for
    from typing import NamedTuple
else:
    from collections import namedtuple

    class _Naming(type):
        """What makes the class of named tuples that the body of a class describes."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            if bases != (NamedTuple,):
                raise TypeError(
                    f"{name}: a named tuple has no other base; typing.NamedTuple knows generic ones"
                )
            types = body.pop("__annotations__", {})
            defaults = [body.pop(field) for field in types if field in body]
            made = namedtuple(  # noqa: PYI024  # it is what `typing` makes of it, too
                name, types, defaults=defaults, module=body.pop("__module__")
            )
            made.__annotations__ = made.__new__.__annotations__ = types
            for attribute, value in body.items():
                setattr(made, attribute, value)
            return made

    class NamedTuple(metaclass=_Naming):
        """`typing.NamedTuple`, but that the annotations are taken as they are."""


__all__ = ["Fields", "Frozen", "NamedTuple", "frozen", "replaced"]


def _nothing(_of: object) -> tuple[()]:
    return ()


class _AsDataclass:
    """What `dataclasses` looks for in a class."""

    __slots__ = ("_name",)

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, _instance: object, owner: Any) -> object:
        return getattr(_twin(owner), self._name)


@cache
def _twin(cls: Any) -> type:
    """A dataclass with the fields of `cls`."""
    from dataclasses import field, make_dataclass  # late: few ask
    from inspect import Parameter, get_annotations, signature

    given = signature(cls).parameters
    types = {name: told for base in reversed(cls.__mro__) for name, told in get_annotations(base).items()}
    specs: list[tuple[str, Any, Any]] = []
    for name in cls._names:
        told: dict[str, Any] = {"init": name in given}
        told["compare"] = told["repr"] = name not in cls._apart
        if name in given and given[name].default is not Parameter.empty:
            told["default"] = given[name].default
        specs.append((name, types[name], field(**told)))
    return make_dataclass(cls.__name__, specs, kw_only=True, frozen=issubclass(cls, Frozen))


class Fields:
    """An object that is compared, printed, copied and pickled by its fields.

    They are what its class annotates and has in `__slots__`, in the order of the annotations; its `__init__` sets them.

    Those in `apart` are neither compared nor printed.
    """

    __slots__ = ()

    _names: ClassVar[tuple[str, ...]] = ()
    _given: ClassVar[tuple[str, ...]] = ()  # those that `__init__` takes
    _apart: ClassVar[tuple[str, ...]] = ()
    _compared: ClassVar[Callable[[Any], object]] = _nothing

    if not TYPE_CHECKING:
        __dataclass_fields__ = _AsDataclass()
        __dataclass_params__ = _AsDataclass()

    def __init_subclass__(cls, apart: tuple[str, ...] = (), **more: Any) -> None:
        super().__init_subclass__(**more)
        slots = vars(cls).get("__slots__", ())
        cls._names += tuple([name for name in cls.__annotations__ if name in slots])
        cls._apart += apart
        compared = [name for name in cls._names if name not in cls._apart]
        cls._compared = attrgetter(*compared) if compared else _nothing
        code = getattr(cls.__init__, "__code__", None)
        given = () if code is None else code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        cls._given = tuple([name for name in cls._names if name in given])
        if not TYPE_CHECKING:  # checkers know of it what they know of any dataclass
            cls.__match_args__ = cls._given

    def __eq__(self, other: object) -> bool:
        cls = type(self)
        return cls._compared(self) == cls._compared(other) if type(other) is cls else NotImplemented

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in self._names if name not in self._apart]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __getstate__(self) -> list[Any]:
        return [getattr(self, name) for name in self._names]

    def __setstate__(self, state: list[Any]) -> None:
        self._set(*state)

    def __replace__(self, **changes: Any) -> Self:
        return type(self)(**{name: getattr(self, name) for name in self._given} | changes)

    def _set(self, *values: Any) -> None:
        """Set the fields, in their order; for `__init__`, also of what is frozen."""
        for name, value in zip(self._names, values, strict=True):
            object.__setattr__(self, name, value)


class Frozen(Fields):
    """`Fields` that never change, with a hash; FrozenInstanceError for who tries. `frozen` tells checkers of it."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(type(self)._compared(self))

    def __setattr__(self, name: str, value: object) -> None:
        self._refuse("assign to", name)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        self._refuse("delete", name)
        object.__delattr__(self, name)

    def _refuse(self, what: str, name: str) -> None:
        # A class that somebody derives, and that is not frozen, has its own attributes.
        if name in self._names or not hasattr(self, "__dict__"):
            from dataclasses import FrozenInstanceError  # late, as above

            raise FrozenInstanceError(f"cannot {what} field {name!r}")


_Class = TypeVar("_Class", bound=type)
_Some = TypeVar("_Some", bound=Fields)


@dataclass_transform(frozen_default=True)
def frozen(cls: _Class) -> _Class:
    """`cls`, which is `Frozen`: a frozen dataclass for who checks types. What is derived from it need not be one."""
    return cls


def replaced(given: _Some, **changes: Any) -> _Some:
    """`given` with other values of some fields, as `copy.replace` of Python 3.13 makes it."""
    return given.__replace__(**changes)
