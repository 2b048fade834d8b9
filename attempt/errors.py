"""The exceptions of ``attempt``.

::

    AttemptError
    └── FrameUnusable   a frame's image cannot be decoded, or is not as its header declares

A spoof, another person and an attempt with too few usable frames are judgements, not errors.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["AttemptError", "FrameUnusable"]


class AttemptError(Exception):
    """An attempt cannot continue. The message states the reason and contains no biometric data."""


class FrameUnusable(AttemptError):
    """A frame's image cannot be decoded, or is not as its header declares.

    Attributes:
        details: Every variable of the message, by its name in snake_case.
    """

    def __init__(self, message: str, *, details: Mapping[str, str | int]) -> None:
        super().__init__(message)
        self.details: Mapping[str, str | int] = MappingProxyType(dict(details))
