"""That a remote did not move a ref."""

from __future__ import annotations

from typing import Any, Final, Literal

from irminpy.errors import Rejected

__all__ = ["PushRejected", "Why", "why_of"]

Why = Literal["stale", "not-a-fast-forward", "hook", "refused"]

_HOOK: Final = ("hook declined", "pre-receive", "update hook", "hook")
_STALE: Final = (
    "fetch first",
    "cannot lock ref",
    "failed to update ref",
    "failed to lock",
    "reference already",
)


class PushRejected(Rejected):
    """The remote did not move `ref`, because of `reason`; nothing of the push is there.

    `why` is "stale" (it is not where it was last seen: pull, then push again), "not-a-fast-forward", "hook" (a hook of
    the remote declined), or "refused" for all else.
    """

    def __init__(self, ref: str, reason: str, why: Why) -> None:
        super().__init__(f"{ref}: {reason}")
        self.ref = ref
        self.why = why
        self._said = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return PushRejected, (self.ref, self._said, self.why)


def why_of(reason: str) -> Why:
    """What a remote means by `reason`."""
    text = reason.lower()
    if "non-fast-forward" in text or "non-fastforward" in text:
        return "not-a-fast-forward"
    if any(word in text for word in _STALE):
        return "stale"
    return "hook" if any(word in text for word in _HOOK) else "refused"
