"""The exceptions of ``formats``. The room that reads a file turns them into its own.

::

    FormatError
    ├── ImageUnreadable    an image file breaks the rules of its format, or is not within the caller's limits
    └── DerMalformed       not ASN.1 in the accepted encoding, within the limits, or of the expected shape
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class FormatError(Exception):
    """The base class of all exceptions of this package."""


class ImageFault(StrEnum):
    """Why bytes were refused as an image. Its values are public: ``facegate image check`` shows them."""

    EMPTY = "IMAGE_EMPTY"
    """There are no bytes."""
    TOO_MANY_BYTES = "IMAGE_TOO_LARGE"
    """There are more bytes than the limits allow; they were not parsed."""
    UNSUPPORTED_FORMAT = "IMAGE_FORMAT_NOT_SUPPORTED"
    """The format is none of those that the caller accepts."""
    MALFORMED = "IMAGE_MALFORMED"
    """The format is known, but the data break its rules or do not decode."""
    TOO_MANY_PIXELS = "IMAGE_TOO_MANY_PIXELS"
    """The header declares more pixels, or a longer side, than the limits allow."""
    TOO_SMALL = "IMAGE_TOO_SMALL"
    """The header declares a shorter side than the limits require."""
    ANIMATED = "IMAGE_ANIMATED"
    """The file contains several images, and it is unknown which one is meant."""


class ImageUnreadable(FormatError):
    """An image file breaks the rules of its format, or is not within the limits of its caller.

    Attributes:
        reason: The rule or limit that it breaks.
        details: The names and numbers of the message; never pixel data.
    """

    def __init__(
        self, reason: ImageFault, message: str, *, details: Mapping[str, str | int | float] | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.details: Mapping[str, str | int | float] = MappingProxyType(dict(details or {}))


class TomlMalformed(FormatError):
    """Bytes are not TOML in UTF-8."""


class DerMalformed(FormatError):
    """Bytes are not ASN.1 in the accepted encoding and limits, or not of the expected shape.

    Attributes:
        field: The part of an element's head that is wrong: ``"tag"``, ``"length"``, or ``"length of"`` a tag
            if more octets are declared than are left; empty for anything else.
        position: Offset of the octet that is wrong or missing, for a wrong head.
    """

    def __init__(self, message: str, *, field: str = "", position: int = 0) -> None:
        super().__init__(message)
        self.field, self.position = field, position
