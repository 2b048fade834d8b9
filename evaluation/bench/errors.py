"""What keeps a figure from being told.

::

    BenchError
    └── NothingMeasured     no run gave a value, or no model ran
"""

__all__ = ["BenchError", "NothingMeasured"]


class BenchError(Exception):
    """Root of everything that this folder raises."""


class NothingMeasured(BenchError):
    """No run gave a value, or no model ran, so that there is nothing to divide by."""
