"""What can go wrong in this room.

::

    MatcherError
    ├── TrustedImageRefused       the upload cannot serve as the trusted image (reason: RefusalReason)
    ├── RecordInvalid             a facial record cannot be written: it has no field for a value
    ├── PortraitPolicyInvalid     a number in a portrait policy is out of range
    ├── CalibrationTooWeak        the pack's calibration does not support the policy's target
    └── TemplateInvalid           templates that cannot be fused or compared
        └── TemplateMismatch      templates of different lengths: they come from different embedders

"Not the same person" is a result, never an error. No message carries pixels, templates or any
other biometric data. Errors of ``vision`` about the upload's bytes become ``TrustedImageRefused``;
its errors about a model that fails (``vision.errors.ModelFailed``) pass as they are.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

__all__ = [
    "CalibrationTooWeak",
    "MatcherError",
    "PortraitPolicyInvalid",
    "RecordInvalid",
    "RefusalReason",
    "TemplateInvalid",
    "TemplateMismatch",
    "TrustedImageRefused",
]


class MatcherError(Exception):
    """Root of everything this room raises."""


class RefusalReason(StrEnum):
    """Why an upload cannot serve as the trusted image. The details named are in the error."""

    IMAGE_EMPTY = "IMAGE_EMPTY"
    """No bytes at all."""
    IMAGE_TOO_LARGE = "IMAGE_TOO_LARGE"
    """More bytes than the policy allows: ``bytes``, ``max_bytes``."""
    IMAGE_TOO_MANY_PIXELS = "IMAGE_TOO_MANY_PIXELS"
    """The header declares more pixels, or a longer side, than the policy allows."""
    IMAGE_TOO_SMALL = "IMAGE_TOO_SMALL"
    """The header declares a picture too small to hold a face of the demanded size."""
    IMAGE_FORMAT_NOT_SUPPORTED = "IMAGE_FORMAT_NOT_SUPPORTED"
    """Not PNG, JPEG or JPEG 2000: ``format`` where it was recognised."""
    IMAGE_ANIMATED = "IMAGE_ANIMATED"
    """Several pictures in one file."""
    IMAGE_MALFORMED = "IMAGE_MALFORMED"
    """The format is recognised, but the data break its rules or do not decode."""
    RECORD_MALFORMED = "RECORD_MALFORMED"
    """A facial record, or the wrapping round one, whose lengths or structure do not hold: ``format``,
    and where it is known ``offset`` (bytes from the start of that record or wrapping) and ``field``."""
    RECORD_NOT_ONE_FACE = "RECORD_NOT_ONE_FACE"
    """A facial record that holds more than one face, or several records in one wrapping:
    ``representations``, ``required_representations``, and ``records`` where there are several."""
    ISO_39794_NOT_SUPPORTED = "ISO_39794_NOT_SUPPORTED"
    """An ISO/IEC 39794-5 record, bare or wrapped: recognised, and not read: ``format``."""
    RECORD_WRONG_MODALITY = "RECORD_WRONG_MODALITY"
    """A biometric record of something else than a face: ``format``, ``modality``."""
    FACE_NOT_FOUND = "FACE_NOT_FOUND"
    """No face: ``faces``, ``required_faces``."""
    FACE_NOT_UNIQUE = "FACE_NOT_UNIQUE"
    """More than one face: ``faces``, ``required_faces``, ``largest_width_px``,
    ``second_width_px``, ``second_width_limit_px``."""
    FACE_CUT_OFF = "FACE_CUT_OFF"
    """The face reaches beyond the picture: ``inside_fraction``, ``min_inside_fraction``."""
    EYE_DISTANCE_TOO_SMALL = "EYE_DISTANCE_TOO_SMALL"
    """The eyes are too close together: ``eye_distance_px``, ``min_eye_distance_px``."""
    NOT_CONFORMANT = "NOT_CONFORMANT"
    """A requirement that the policy makes hard is not met, or could not be assessed: ``requirement``,
    ``required``, and ``measured`` or ``unassessed``."""


class TrustedImageRefused(MatcherError):
    """The upload cannot serve as the trusted image; nothing was kept of it.

    Attributes:
        reason: Which rule was broken.
        details: What was measured and what was demanded; each reason names its entries.
    """

    def __init__(
        self,
        reason: RefusalReason,
        message: str,
        *,
        details: Mapping[str, str | int | float] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.details: Mapping[str, str | int | float] = MappingProxyType(dict(details or {}))


class RecordInvalid(MatcherError):
    """A facial record cannot be written: its format has no place for a value, or a value is too large."""


class PortraitPolicyInvalid(MatcherError):
    """A number of a policy is out of its range."""


class CalibrationTooWeak(MatcherError):
    """The calibration's data do not support the false match rate that the policy demands.

    Attributes:
        demanded_fmr: The policy's ``max_fmr``.
        supported_fmr: The lowest bound that the calibration supports.
        provenance: Where the calibration comes from; see ``MatchCalibration.provenance``.
    """

    def __init__(self, message: str, *, demanded_fmr: float, supported_fmr: float, provenance: str) -> None:
        super().__init__(message)
        self.demanded_fmr = demanded_fmr
        self.supported_fmr = supported_fmr
        self.provenance = provenance


class TemplateInvalid(MatcherError):
    """Templates that cannot be fused or compared: none at all, not finite, or of no direction."""


class TemplateMismatch(TemplateInvalid):
    """Templates of different lengths were put together; they come from different embedders."""
