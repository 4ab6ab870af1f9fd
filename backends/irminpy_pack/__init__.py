"""The embedded store: append-only segments, an LMDB index, nothing ever lost (docs/formats/pack.md)."""

from .backend import PackBackend
from .keys import Direct, Indexed, PackKey, v_direct, v_indexed
from .maker import Pack
from .state import Degraded

__all__ = ["Degraded", "Direct", "Indexed", "Pack", "PackBackend", "PackKey", "v_direct", "v_indexed"]
