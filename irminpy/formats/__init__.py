"""The formats: what the bytes of a store look like. `Native` is the default."""

from .format import Codec, Format
from .git import Git
from .native import FlatNative, Native

__all__ = ["Codec", "FlatNative", "Format", "Git", "Native"]
