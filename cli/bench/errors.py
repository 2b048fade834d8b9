"""What keeps a benchmark from running.

::

    BenchFailed              root
    ├── DeviceProcessFailed  the process with the devices ended, answered nonsense or too late
    ├── PackNotMeasured      a process that measures a pack failed, answered nonsense or too late
    └── ScanNotMeasured      a scan ended without a result
"""

__all__ = ["BenchFailed", "DeviceProcessFailed", "PackNotMeasured", "ScanNotMeasured"]


class BenchFailed(Exception):
    """Root of everything that this folder raises."""


class DeviceProcessFailed(BenchFailed):
    """The process with the devices ended, answered nonsense or too late."""


class PackNotMeasured(BenchFailed):
    """A process that measures a pack failed, answered nonsense or too late."""


class ScanNotMeasured(BenchFailed):
    """A scan ended without a result."""
