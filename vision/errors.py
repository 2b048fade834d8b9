"""What can go wrong between bytes and faces.

::

    VisionError
    ├── ImageError               the bytes are no image that may be used (reason: ImageFault)
    ├── VideoError               the bytes are no video that may be used (reason: VideoFault)
    ├── DecoderUnavailable       no isolated decoder can take the job now; nothing is said of its bytes
    ├── PackError                a set of models cannot be used
    │   ├── PackNotFound         no such folder, file, package or pack name
    │   ├── PackIncomplete       a mandatory role (detector, embedder) or its calibration is missing
    │   ├── PackFileAltered      a file's SHA-256 is not the catalogued one
    │   ├── PackFileUnusable     the right file, but the runtime cannot load it
    │   ├── PackDataInvalid      the catalogue or a calibration file breaks its schema
    │   └── CalibrationUnusable  an operator's calibration is of another embedder, or claims too much
    ├── RuntimeConflict          not exactly one ONNX Runtime and one OpenCV are installed
    └── ModelFailed              a loaded model could not process an image

Every message says what was wrong, what was expected and what to do. No message carries pixels,
templates or any other biometric data. Exceptions of OpenCV, Pillow, ONNX Runtime, LiteRT, dlib and the
file system do not pass this room's door; they are the ``__cause__`` of one of the above.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

__all__ = [
    "CalibrationUnusable",
    "DecoderUnavailable",
    "ImageError",
    "ImageFault",
    "ModelFailed",
    "PackDataInvalid",
    "PackError",
    "PackFileAltered",
    "PackFileUnusable",
    "PackIncomplete",
    "PackNotFound",
    "RuntimeConflict",
    "VideoError",
    "VideoFault",
    "VisionError",
]


class VisionError(Exception):
    """Root of everything this room raises."""


class ImageFault(StrEnum):
    """Why bytes were not accepted as an image."""

    EMPTY = "EMPTY"
    """No bytes at all."""
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    """More bytes than the limits allow; nothing was parsed."""
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    """Not one of the formats that the caller accepts."""
    MALFORMED = "MALFORMED"
    """The format is recognised, but the data break its rules or do not decode."""
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    """The header declares more pixels, or a longer side, than the limits allow."""
    TOO_SMALL = "TOO_SMALL"
    """The header declares a shorter side than the limits ask for."""
    ANIMATED = "ANIMATED"
    """Several pictures in one file; which one is meant cannot be known."""


class ImageError(VisionError):
    """The bytes are not an image that may be used.

    Attributes:
        reason: Which rule was broken.
        details: The numbers behind it, such as ``bytes`` and ``max_bytes``; never pixel data.
    """

    def __init__(
        self, reason: ImageFault, message: str, *, details: Mapping[str, str | int | float] | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.details: Mapping[str, str | int | float] = MappingProxyType(dict(details or {}))


class VideoFault(StrEnum):
    """Why bytes were not accepted as a video."""

    EMPTY = "EMPTY"
    """No bytes at all."""
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    """More bytes than the limits allow; nothing was parsed."""
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    """Not one of the containers, or a codec that is not decoded."""
    NO_VIDEO_STREAM = "NO_VIDEO_STREAM"
    """The container holds no video, such as sound alone."""
    TOO_LONG = "TOO_LONG"
    """More seconds, or more pictures, than the limits allow."""
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    """A frame has more pixels than the limits allow."""
    MALFORMED = "MALFORMED"
    """The format is recognised, but not one frame of it decodes, or its decoder does not survive it."""
    TOO_SLOW = "TOO_SLOW"
    """Its decoder was at work when the limit on a job's time, or on its CPU time, was over."""


class VideoError(VisionError):
    """The bytes are not a video that may be used.

    Attributes:
        reason: Which rule was broken.
        details: The numbers behind it; never pixel data.
    """

    def __init__(
        self, reason: VideoFault, message: str, *, details: Mapping[str, str | int | float] | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.details: Mapping[str, str | int | float] = MappingProxyType(dict(details or {}))


class DecoderUnavailable(VisionError):
    """No isolated decoder can take the job now: all are busy, or none can be started.

    Attributes:
        retry_after: Seconds after which the same job may succeed.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PackError(VisionError):
    """A set of models cannot be used."""


class PackNotFound(PackError):
    """There is no such folder, file, installed package or pack name."""


class PackIncomplete(PackError):
    """A role that every pack needs has no usable file."""


class PackFileAltered(PackError):
    """A file bears a catalogued name but not the catalogued content.

    Attributes:
        name: The file's name, without its folder.
        expected: The catalogued SHA-256, lower-case hex.
        found: The SHA-256 of the file found, lower-case hex.
    """

    def __init__(
        self,
        *,
        name: str,
        expected: str,
        found: str,
        remedy: str = "Fetch the file again from its source",
    ) -> None:
        super().__init__(
            f"{name} is not the catalogued file: expected SHA-256 {expected}, found {found}. "
            f"{remedy}; nothing from this pack was loaded."
        )
        self.name = name
        self.expected = expected
        self.found = found


class PackFileUnusable(PackError):
    """A file has the right content but the installed runtime cannot load it."""


class PackDataInvalid(PackError):
    """The catalogue or a calibration file breaks its schema."""


class CalibrationUnusable(PackError):
    """A calibration of the operator's is of another embedder, or claims more than its record supports."""


class RuntimeConflict(VisionError):
    """Not exactly one ONNX Runtime distribution and one OpenCV distribution are installed.

    Attributes:
        installed: The distributions of the family in conflict that were found, sorted.
    """

    def __init__(self, message: str, *, installed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.installed = installed


class ModelFailed(VisionError):
    """A loaded model could not process an image (out of memory, a lost device)."""
