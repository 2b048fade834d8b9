"""The errors of the benchmark.

::

    BenchError
    └── NothingMeasured     no run gave a value, or no model ran
"""

__all__ = ["BenchError", "NothingMeasured"]


class BenchError(Exception):
    """Base class of the errors of this folder."""


class NothingMeasured(BenchError):
    """No run gave a value, or no model ran, so that there is nothing to divide by."""
