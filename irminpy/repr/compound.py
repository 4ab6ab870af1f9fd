"""What is made of other types: lists, products, options, records, variants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from ..errors import DecodeError
from .base import Emit, Length, Type, cut, emit_varint, is_dict, is_list, read_varint, wrong
from .plain import boolean, get_length, put_length

__all__ = ["array", "list_", "option", "pair", "record", "result", "triple", "variant"]

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")


def _part(of: Type[T], value: T, out: Emit) -> None:
    """A part in what is hashed: in its own form if it has one, else boxed."""
    if of.hashed is None:
        of.emit(value, out)
    else:
        of.hashed(value, out)


def _hashes(*types: Type[Any]) -> bool:
    """Whether what is hashed of something made of `types` may differ from its encoding."""
    return any(of.hashed is not None for of in types)


def list_(of: Type[T], length: Length = "int") -> Type[list[T]]:
    """A list, its length written as `length`, then the elements."""
    name = f"list of {of.name}"

    def emit(values: list[T], out: Emit) -> None:
        put_length(name, length, len(values), out)
        for value in values:
            of.emit(value, out)

    def hashed(values: list[T], out: Emit) -> None:
        put_length(name, length, len(values), out)
        for value in values:
            _part(of, value, out)

    def read(data: bytes, at: int) -> tuple[list[T], int]:
        n, at = get_length(name, length, data, at)
        values: list[T] = []
        for _ in range(n):
            # Elements of no bytes could be claimed without end.
            if at >= len(data):
                raise cut(name, at)
            value, at = of.read(data, at)
            values.append(value)
        return values, at

    def of_json(value: Any) -> list[T]:
        if not is_list(value):
            raise wrong(name, value)
        return list(map(of.of_json, value))

    return Type(
        name,
        emit,
        read,
        lambda values: [of.to_json(value) for value in values],
        of_json,
        hashed=hashed if _hashes(of) else None,
    )


array: Final = list_
"""Arrays are encoded as lists."""


def _product(name: str, types: Sequence[Type[Any]]) -> Type[tuple[Any, ...]]:
    def emit(values: tuple[Any, ...], out: Emit) -> None:
        for of, value in zip(types, values, strict=True):
            of.emit(value, out)

    def hashed(values: tuple[Any, ...], out: Emit) -> None:
        for of, value in zip(types, values, strict=True):
            _part(of, value, out)

    def read(data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        values: list[Any] = []
        for of in types:
            value, at = of.read(data, at)
            values.append(value)
        return tuple(values), at

    def of_json(value: Any) -> tuple[Any, ...]:
        items = value if is_list(value) else []
        if len(items) != len(types):
            raise wrong(name, value)
        return tuple([of.of_json(item) for of, item in zip(types, items, strict=True)])

    return Type(
        name,
        emit,
        read,
        lambda values: [of.to_json(value) for of, value in zip(types, values, strict=True)],
        of_json,
        hashed=hashed if _hashes(*types) else None,
    )


def pair(a: Type[T], b: Type[U]) -> Type[tuple[T, U]]:
    """Two values, one after the other."""
    return cast("Type[tuple[T, U]]", _product("pair", (a, b)))


def triple(a: Type[T], b: Type[U], c: Type[V]) -> Type[tuple[T, U, V]]:
    """Three values, one after the other."""
    return cast("Type[tuple[T, U, V]]", _product("triple", (a, b, c)))


def option(of: Type[T]) -> Type[T | None]:
    """A value or nothing: 00, or ff and the value. In JSON null, or the value under "some"."""

    def emit(value: T | None, out: Emit) -> None:
        if value is None:
            out(b"\0")
        else:
            out(b"\xff")
            of.emit(value, out)

    def hashed(value: T | None, out: Emit) -> None:
        if value is None:
            out(b"\0")
        else:
            out(b"\xff")
            _part(of, value, out)

    def read(data: bytes, at: int) -> tuple[T | None, int]:
        there, at = boolean.read(data, at)
        return of.read(data, at) if there else (None, at)

    def of_json(value: Any) -> T | None:
        if value is None:
            return None
        if not is_dict(value) or list(value) != ["some"]:
            raise wrong("option", value)
        return of.of_json(value["some"])

    return Type(
        f"option of {of.name}",
        emit,
        read,
        lambda value: None if value is None else {"some": of.to_json(value)},
        of_json,
        hashed=hashed if _hashes(of) else None,
    )


def record(name: str, fields: Mapping[str, Type[Any]]) -> Type[dict[str, Any]]:
    """A dict with these fields, encoded in this order.

    In JSON an optional field that is None is left out, and one that is not stands there itself. ValueError for a
    field whose name is no UTF-8.
    """
    for field in fields:
        field.encode()
    optional = {field for field, of in fields.items() if of.name.startswith("option of ")}
    columns = _product(name, list(fields.values()))

    def values(value: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple([value[field] for field in fields])

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        found, end = columns.read(data, at)
        return dict(zip(fields, found, strict=True)), end

    def to_json(value: dict[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for field, of in fields.items():
            found = of.to_json(value[field])
            if field not in optional:
                out[field] = found
            elif found is not None:
                out[field] = found["some"]
        return out

    def of_json(value: Any) -> dict[str, Any]:
        if not is_dict(value):
            raise wrong(name, value)
        given = value
        out: dict[str, Any] = {}
        for field, of in fields.items():
            if field in optional:
                out[field] = of.of_json({"some": given[field]} if field in given else None)
            elif field in given:
                out[field] = of.of_json(given[field])
            else:
                raise DecodeError(name, f"the field {field!r} is missing")
        if len(given) > len(fields) or not given.keys() <= fields.keys():
            raise DecodeError(name, "a field that does not belong there")
        return out

    hashed = columns.hashed
    return Type(
        name,
        lambda value, out: columns.emit(values(value), out),
        read,
        to_json,
        of_json,
        hashed=None if hashed is None else lambda value, out: hashed(values(value), out),
    )


def variant(name: str, cases: Mapping[str, Type[Any] | None]) -> Type[tuple[str, Any]]:
    """(case, payload), the payload None for a case that has none: the number of the case, then the payload, boxed.

    Constant and other cases share one numbering, in the order given. In JSON a constant is its name, another case an
    object of one field. ValueError for a case whose name is no UTF-8.
    """
    for case in cases:
        case.encode()
    numbers = {case: i for i, case in enumerate(cases)}
    ordered = list(cases.items())

    def put(value: tuple[str, Any], out: Emit, part: Callable[[Type[Any], Any, Emit], object]) -> None:
        case, payload = value
        if case not in cases:
            raise DecodeError(name, f"no case {case!r:.40}")
        emit_varint(numbers[case], out)
        of = cases[case]
        if of is not None:
            part(of, payload, out)

    def read(data: bytes, at: int) -> tuple[tuple[str, Any], int]:
        n, end = read_varint(data, at)
        if n >= len(ordered):
            raise DecodeError(name, f"no case has the number {n}", at)
        case, of = ordered[n]
        if of is None:
            return (case, None), end
        payload, end = of.read(data, end)
        return (case, payload), end

    def to_json(value: tuple[str, Any]) -> Any:
        of = cases[value[0]]
        return value[0] if of is None else {value[0]: of.to_json(value[1])}

    def of_json(value: Any) -> tuple[str, Any]:
        if type(value) is str and value in cases and cases[value] is None:
            return value, None
        if is_dict(value) and len(value) == 1:
            ((case, payload),) = value.items()
            of = cases.get(case)
            if of is not None:
                return case, of.of_json(payload)
        raise wrong(name, value)

    given = [of for of in cases.values() if of is not None]
    return Type(
        name,
        lambda value, out: put(value, out, lambda of, payload, to: of.emit(payload, to)),
        read,
        to_json,
        of_json,
        hashed=(lambda value, out: put(value, out, _part)) if _hashes(*given) else None,
    )


def result(ok: Type[Any], error: Type[Any]) -> Type[tuple[str, Any]]:
    """("ok", value) or ("error", value)."""
    return variant("result", {"ok": ok, "error": error})
