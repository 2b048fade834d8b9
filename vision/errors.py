"""The exceptions of ``vision``.

::

    VisionError
    ├── ImageError               the bytes are not an accepted image (reason: ImageFault)
    ├── VideoError               the bytes are not an accepted video (reason: VideoFault)
    ├── DecoderUnavailable       no isolated decoder is free now, whatever the bytes are
    ├── PackError                a set of models cannot be used
    │   ├── PackNotFound         no such folder, file, package or pack name
    │   ├── PackIncomplete       a mandatory role (detector, embedder) or its calibration is missing
    │   ├── PackFileAltered      a file's SHA-256 is not the catalogued one
    │   ├── PackFileUnusable     a file has the right content, but the runtime cannot load it
    │   ├── PackDataInvalid      the catalogue or a calibration file breaks its schema
    │   ├── CalibrationUnusable  an operator's calibration is of another embedder, or claims too much
    │   └── PullError            a pack cannot be fetched, installed or bundled
    │       ├── TermsNotAccepted     the weights' licence restricts use, and was not accepted
    │       ├── MirrorUnusable       the mirror is not a folder, tar file or address, or cannot be read
    │       ├── FileNotOffered       the source does not have the file
    │       ├── TransferFailed       the network, the server or a proxy failed repeatedly
    │       ├── FileRefused          the source offers another content than the catalogued file
    │       ├── TimeRanOut           the time limit of the caller is reached
    │       ├── FolderUnusable       the models folder cannot be read or written, or has too little room
    │       └── NotInstalled         a pack that should be bundled is not installed, or not intact
    ├── RuntimeConflict          not exactly one ONNX Runtime and one OpenCV are installed
    └── ModelFailed              a loaded model could not process an image

Every message states what was wrong, what was expected and what to do. No message contains pixels, templates
or other biometric data, and none the user name, password or query of an address. Exceptions of OpenCV,
simplejpeg, Pillow, ONNX Runtime, LiteRT, dlib, requests and the file system do not leave this package; they
are the ``__cause__`` of one of the above.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from formats.errors import ImageUnreadable


class VisionError(Exception):
    """The base class of all exceptions of this package."""


class ImageError(VisionError, ImageUnreadable):
    """The bytes are not an accepted image: their header or their pixels are unreadable, or beyond a limit."""

    @classmethod
    def of(cls, error: ImageUnreadable) -> Self:
        """Return the error of this room for one of ``formats``."""
        return cls(error.reason, str(error), details=error.details)


class VideoFault(StrEnum):
    """Why bytes were refused as a video."""

    EMPTY = "EMPTY"
    """There are no bytes."""
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    """There are more bytes than the limits allow; they were not parsed."""
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    """The container is not supported, or its codec is not decoded."""
    NO_VIDEO_STREAM = "NO_VIDEO_STREAM"
    """The container has no video stream, for example only sound."""
    TOO_LONG = "TOO_LONG"
    """The video has more seconds or more frames than the limits allow."""
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    """A frame has more pixels than the limits allow."""
    MALFORMED = "MALFORMED"
    """The format is known, but no frame decodes, or decoding it ended the decoder."""
    TOO_SLOW = "TOO_SLOW"
    """Decoding exceeded the limit on a job's time or CPU time."""


class VideoError(VisionError):
    """The bytes are not an accepted video.

    Attributes:
        reason: The rule that they break.
        details: The numbers of the message; never pixel data.
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
    """A folder, file, installed package or pack name does not exist."""


class PackIncomplete(PackError):
    """A role that every pack needs has no usable file."""


class PackFileAltered(PackError):
    """A file has a catalogued name but not the catalogued content.

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
    """A file has the right content, but the installed runtime cannot load it."""


class PackDataInvalid(PackError):
    """The catalogue or a calibration file breaks its schema."""


class CalibrationUnusable(PackError):
    """An operator's calibration is of another embedder, or claims more than its record supports."""


class PullError(PackError):
    """A pack cannot be fetched, installed or bundled."""


class TermsNotAccepted(PullError):
    """The licence of some weights restricts use, and was not accepted."""


class MirrorUnusable(PullError):
    """The mirror is not a folder, tar file or address, or cannot be read."""


class FileNotOffered(PullError):
    """The source does not have the file under any of its names."""


class TransferFailed(PullError):
    """The network, the server or a proxy failed. Files that arrived whole are kept for the next pull."""


class FileRefused(PullError):
    """The source offers another content than the catalogued file. It is not kept."""


class TimeRanOut(PullError):
    """The time limit of the caller is reached. Files that arrived whole are kept for the next pull."""


class FolderUnusable(PullError):
    """The models folder cannot be read or written, or has too little room."""


class NotInstalled(PullError):
    """A pack that should be bundled is not installed, or not intact."""


class RuntimeConflict(VisionError):
    """Not exactly one ONNX Runtime distribution and one OpenCV distribution are installed.

    Attributes:
        installed: The installed distributions of the conflicting family, sorted.
    """

    def __init__(self, message: str, *, installed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.installed = installed


class ModelFailed(VisionError):
    """A loaded model could not process an image, for example because memory or a device was lost."""
