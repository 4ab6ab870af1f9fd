"""How deep a value may be nested, and how an offending value is named."""

from __future__ import annotations

from irminpy.errors import DecodeError

MAX_DEPTH = 128
"""How many lists and dicts may lie within each other; few enough for the stack of any caller."""


def refuse(id: str, value: object, reason: str) -> DecodeError:
    """The error that `value` is outside the domain of the contents type `id`, because of `reason`."""
    # The repr of a huge int is itself an error, and that of a long list takes long.
    shown = (
        hex(value)
        if isinstance(value, int)
        else repr(value)
        if isinstance(value, str | bytes | float)
        else ""
    )
    brief = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return DecodeError(f"value of {id}", f"{brief or type(value).__name__} {reason}")


def too_deep(id: str) -> DecodeError:
    """The error that a value of the contents type `id` is nested too deep."""
    return DecodeError(f"value of {id}", f"it has more than {MAX_DEPTH} lists and objects within each other")
