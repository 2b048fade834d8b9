"""What this room raises.

::

    AttemptError
    └── FrameUnusable   a frame's image is not the picture that its header declares

A spoof, another person and an attempt that shows too little are not errors: they are judgements.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["AttemptError", "FrameUnusable"]


class AttemptError(Exception):
    """An attempt cannot go on; the message says why and holds no biometric data."""


class FrameUnusable(AttemptError):
    """A frame's image cannot be decoded, or is not what its header declares.

    Attributes:
        details: Every variable of the message, by name in snake_case.
    """

    def __init__(self, message: str, *, details: Mapping[str, str | int]) -> None:
        super().__init__(message)
        self.details: Mapping[str, str | int] = MappingProxyType(dict(details))
