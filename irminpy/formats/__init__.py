"""The formats: what the bytes of a store look like. `Native` is the default."""

from .format import Codec, Format
from .inodes import Custom, Inodes
from .irmin import Irmin, Irmin2
from .native import FlatNative, Native
from .tezos import Tezos

__all__ = ["Codec", "Custom", "FlatNative", "Format", "Inodes", "Irmin", "Irmin2", "Native", "Tezos"]
