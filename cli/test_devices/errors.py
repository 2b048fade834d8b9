"""What can go wrong with a test platform."""

__all__ = ["PlatformUnusable"]


class PlatformUnusable(Exception):
    """The folder of a test platform cannot be written, or holds none. The message says why."""
