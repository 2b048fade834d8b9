"""The errors of ``matcher``.

::

    MatcherError
    ├── TrustedImageRefused       the upload cannot serve as the trusted image, for the reason that it names
    ├── RecordInvalid             a facial record cannot be written: no field can hold a value
    ├── ConversionImpossible      an image or a record cannot be converted to the requested format
    ├── PortraitPolicyInvalid     a number in a portrait policy is out of range
    ├── CalibrationTooWeak        the pack's calibration does not support the policy's target
    └── TemplateInvalid           templates cannot be fused or compared
        └── TemplateMismatch      templates have different forms or lengths

"Not the same person" is a result, never an error. No message carries pixels, templates or any
other biometric data. Errors of ``vision`` about the upload's bytes become ``TrustedImageRefused``;
its errors about a model that fails (``vision.errors.ModelFailed``) pass as they are.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from formats.errors import ImageFault


class MatcherError(Exception):
    """Base class of the errors of ``matcher``."""


class RefusalReason(StrEnum):
    """Why an upload cannot serve as the trusted image, beside an ``ImageFault``, with the details of each."""

    RECORD_MALFORMED = "RECORD_MALFORMED"
    """The lengths or the structure of a facial record, or of its wrapping, do not hold: ``format``,
    and if known ``offset`` (bytes from the start of that record or wrapping) and ``field``."""
    RECORD_NOT_ONE_FACE = "RECORD_NOT_ONE_FACE"
    """A facial record that holds more than one face, or several records in one wrapping:
    ``representations``, ``required_representations``, and ``records`` if there are several."""
    ISO_39794_NOT_SUPPORTED = "ISO_39794_NOT_SUPPORTED"
    """An ISO/IEC 39794-5 record in a form that is recognised but not read, which is XML, or one without a
    2-D image: ``format``."""
    RECORD_WRONG_MODALITY = "RECORD_WRONG_MODALITY"
    """A biometric record of another modality than the face: ``format``, ``modality``."""
    FACE_NOT_FOUND = "FACE_NOT_FOUND"
    """No face was found, or no features of one, as in a profile: ``faces``, ``required_faces``."""
    FACE_NOT_UNIQUE = "FACE_NOT_UNIQUE"
    """More than one face was found: ``faces``, ``required_faces``, ``largest_width_px``,
    ``second_width_px``, ``second_width_limit_px``, and ``face_boxes``: at most five boxes, the subject first,
    each as ``left,top,width,height`` in pixels of the upright image, separated by semicolons."""
    FACE_CUT_OFF = "FACE_CUT_OFF"
    """The face reaches beyond the image: ``inside_fraction``, ``min_inside_fraction``."""
    EYE_DISTANCE_TOO_SMALL = "EYE_DISTANCE_TOO_SMALL"
    """The eyes are too close together: ``eye_distance_px``, ``min_eye_distance_px``."""
    NOT_CONFORMANT = "NOT_CONFORMANT"
    """A hard requirement of the policy is not met, or could not be assessed: ``requirement``,
    ``required``, and ``measured`` or ``unassessed``."""


class TrustedImageRefused(MatcherError):
    """The upload cannot serve as the trusted image.

    Attributes:
        reason: The rule that was broken; an ``ImageFault`` for an image file that is not accepted.
        details: The measurements and demands; each reason names its entries.
    """

    def __init__(
        self,
        reason: RefusalReason | ImageFault,
        message: str,
        *,
        details: Mapping[str, str | int | float] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.details: Mapping[str, str | int | float] = MappingProxyType(dict(details or {}))


def record_malformed(
    format_: str, what: str, *, field: str | None = None, offset: int | None = None
) -> TrustedImageRefused:
    """Return the refusal of a record whose lengths or structure are wrong.

    ``what`` states the error in words, with its numbers; ``offset`` is in bytes from the start of the record.
    """
    details: dict[str, str | int | float] = {"format": format_}
    if field is not None:
        details["field"] = field
    if offset is not None:
        details["offset"] = offset
    return TrustedImageRefused(
        RefusalReason.RECORD_MALFORMED,
        f"{format_}: {what}. Read the record from its source again, or send the image itself.",
        details=details,
    )


class RecordInvalid(MatcherError):
    """A facial record cannot be written: its format has no field for a value, or a value is too large."""


class ConversionImpossible(MatcherError):
    """The image or the record cannot be converted to the requested format."""


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
    """Templates cannot be fused or compared: there is none, or one is not finite or has no direction."""


class TemplateMismatch(TemplateInvalid):
    """Templates have different forms or lengths, because they come from different embedders."""
