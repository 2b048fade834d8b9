"""The errors of the benchmark.

::

    BenchError
    └── NothingMeasured     a value could not be measured
"""

__all__ = ["BenchError", "NothingMeasured"]


class BenchError(Exception):
    """Base class of the errors of this folder."""


class NothingMeasured(BenchError):
    """A value could not be measured."""
