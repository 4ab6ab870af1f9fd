"""As in tests/pack."""

from tests.pack.conftest import walked_near

__all__ = ["walked_near"]
