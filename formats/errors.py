"""The exceptions of ``formats``. The room that reads a file turns them into its own.

::

    FormatError
    ├── ImageUnreadable    the header or the structure of an image file breaks the rules of its format
    └── DerMalformed       not ASN.1 in the accepted encoding, within the limits, or of the expected shape
"""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto
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
    """The header or the structure of an image file breaks the rules of its format.

    Attributes:
        reason: EMPTY, UNSUPPORTED_FORMAT, MALFORMED or ANIMATED.
        details: The names and numbers of the message; never pixel data.
    """

    def __init__(
        self, reason: ImageFault, message: str, *, details: Mapping[str, str | int | float] | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.details: Mapping[str, str | int | float] = MappingProxyType(dict(details or {}))


class DerProblem(Enum):
    """What is wrong with the tag or the length of an element, for rooms that put it in words of their own."""

    CUT_OFF_IN_TAG = auto()
    TAG_TOO_LONG = auto()
    TAG_NOT_SHORTEST = auto()
    CUT_OFF_IN_LENGTH = auto()
    LENGTH_INDEFINITE = auto()
    LENGTH_TOO_LONG = auto()
    LENGTH_NOT_SHORTEST = auto()
    BEYOND_THE_END = auto()
    """The element has more octets than are left."""
    OTHER = auto()


class DerMalformed(FormatError):
    """Bytes are not ASN.1 in the accepted encoding and limits, or not of the expected shape.

    Attributes:
        problem: What is wrong; the message says it in words.
        tag: The octets of the element's tag as a number; 0 if it was not read.
        position: Offset of the octet that is wrong or missing.
        octets: The number of octets that are needed there.
        left: The number of octets that are left there.
    """

    def __init__(
        self,
        message: str,
        *,
        problem: DerProblem = DerProblem.OTHER,
        tag: int = 0,
        position: int = 0,
        octets: int = 0,
        left: int = 0,
    ) -> None:
        super().__init__(message)
        self.problem = problem
        self.tag, self.position, self.octets, self.left = tag, position, octets, left
