"""Carriers: the other side of a sync that answers no single questions, as in Git's protocol.

All that lacks comes at once, as one pack, and all that is sent goes at once. What came is checked like anything else
that comes (`irminpy.transfer`), and refs move at the end or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from .backend import Reader, RefUpdate
from .formats.format import Codec
from .hash import Hash
from .key import Key
from .objects import Kind, Objects
from .schema import Schema

__all__ = ["Carrier", "Found"]


class Found(Reader, Protocol):
    """What is here, on which what comes may build."""

    def find_keys(self, kind: Kind, hashes: Sequence[Hash], /) -> list[Hash | Key | None]:
        """As `Backend.find_keys`."""
        ...


@runtime_checkable
class Carrier(Protocol):
    """A repository elsewhere. May be used from any thread."""

    @property
    def name(self) -> str:
        """What messages call it: "the remote https://host/project.git". It has no credentials."""
        ...

    def require(self, schema: Schema[Any, Any], /) -> None:
        """Raise SchemaMismatch unless it can hold what a store of `schema` holds, as far as that is known yet."""
        ...

    def refs(self) -> dict[str, Hash]:
        """Its branches, ordered by name. Raises RemoteError; SchemaMismatch if its hashes are others."""
        ...

    def bring(
        self,
        heads: Sequence[Hash],
        here: Found,
        codec: Codec,
        known: Sequence[Hash],
        *,
        depth: int | None = None,
        deepen: bool = False,
        total: int | None = None,
    ) -> AbstractContextManager[Reader]:
        """Have the commits `heads` sent, with all of them that is not `here`, where the commits `known` lead to;
        read it while the context is open.

        What `known` leads to is found here by its hash. `depth` and `deepen` are as of `irminpy.sync.fetch`;
        `total`: the most bytes of objects. Raises RemoteError, and Corrupted for what is no pack.
        """
        ...

    def take(self, objects: Objects, updates: Sequence[RefUpdate], /) -> None:
        """Send `objects` and move branches. Rejected if one of them was not moved, whatever the reason is.

        A condition of an update must hold of what the remote has when it is told, and the remote is told what it is
        to be; so nothing that somebody else pushed meanwhile is lost, unless the condition is `ANY`.
        """
        ...
