"""What keeps the demo from running.

::

    DemoError
    ├── ServerDidNotStart     ``facegate serve`` ended, or did not say its ports in time
    ├── StageUnusable         the photos or the embedded pack are not installed or cannot be used
    └── OutputUnusable        the output folder cannot be written
"""

__all__ = ["DemoError", "OutputUnusable", "ServerDidNotStart", "StageUnusable"]


class DemoError(Exception):
    """Root of everything that this folder raises."""


class ServerDidNotStart(DemoError):
    """``facegate serve`` ended, or did not say its ports in time."""


class StageUnusable(DemoError):
    """The photos or the embedded pack are not installed or cannot be used."""


class OutputUnusable(DemoError):
    """The output folder cannot be written."""
