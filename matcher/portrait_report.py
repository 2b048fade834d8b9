"""What is demanded of a trusted image, and what was found in it."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from matcher.errors import PolicyInvalid
from vision.face import Box, Embedding, HeadPose

__all__ = ["Portrait", "PortraitPolicy", "PortraitReport", "Requirement", "RequirementCode", "Severity"]

_MOST_PIXELS: Final = 80_000_000
"""Above this the decoder's own guard (``vision.image.DecodeLimits``) would speak first."""


class Severity(StrEnum):
    """What follows from a requirement that is not met."""

    MANDATORY = "MANDATORY"
    """The image is refused."""
    ADVISORY = "ADVISORY"
    """The image is accepted; a better one would match more reliably."""


class RequirementCode(StrEnum):
    """The names of the requirements."""

    FACE_COUNT = "FACE_COUNT"
    """Exactly one person is shown."""
    FACE_INSIDE = "FACE_INSIDE"
    """The whole face lies inside the picture."""
    EYE_DISTANCE = "EYE_DISTANCE"
    """The face is large enough."""
    POSE_YAW = "POSE_YAW"
    """The head is not turned."""
    POSE_PITCH = "POSE_PITCH"
    """The head is not tilted up or down."""
    POSE_ROLL = "POSE_ROLL"
    """The head does not lean."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement, measured.

    Attributes:
        code: Which one.
        clause: Where it comes from.
        measured: The value found, in ``unit``.
        minimum: The least allowed value; None where there is none.
        maximum: The largest allowed value; None where there is none.
        unit: ``"px"``, ``"deg"``, ``"faces"`` or ``"fraction"``.
        severity: What follows when it is not met.
    """

    code: RequirementCode
    clause: str
    measured: float
    minimum: float | None
    maximum: float | None
    unit: str
    severity: Severity

    @property
    def passed(self) -> bool:
        """True when ``measured`` lies within the limits; a value that is not a number does not."""
        above = self.minimum is None or self.measured >= self.minimum
        below = self.maximum is None or self.measured <= self.maximum
        return above and below and math.isfinite(self.measured)

    @property
    def required(self) -> str:
        """The limits in words, such as ``"at least 85 px"``."""
        if self.minimum is not None and self.minimum == self.maximum:
            return f"exactly {self.minimum:g} {self.unit}"
        parts = []
        if self.minimum is not None:
            parts.append(f"at least {self.minimum:g}")
        if self.maximum is not None:
            parts.append(f"at most {self.maximum:g}")
        return " and ".join(parts) + f" {self.unit}"


@dataclass(frozen=True, slots=True)
class PortraitPolicy:
    """What a use case demands of the trusted image.

    Attributes:
        max_bytes: Largest upload, bytes. 2 MB are 2,000,000 bytes.
        max_pixels: Most pixels that a header may declare, up to 80 million; checked before memory
            is taken.
        max_side: Longest side that a header may declare, pixels.
        min_side: Shortest side that a header may declare, pixels.
        min_eye_distance: Least distance between the eye centres, pixels of the upload.
        min_inside_fraction: Least share (0..1) of the face inside the picture; the smaller of the
            detector's box and of the face as reckoned from eyes and mouth.
        second_face_fraction: A further face counts as a second person when its box is at least
            this share (greater than 0, at most 1) of the largest face's width. Smaller ones are
            taken for posters, badges and passers-by; they are counted in the report.
        min_face_confidence: A face counts as a person when the detector is at least this sure
            (0..1), or when there is no surer one.
        advised_yaw: Largest advised yaw to either side, degrees.
        advised_pitch: Largest advised pitch up or down, degrees.
        advised_roll: Largest advised roll to either side, degrees.
    """

    max_bytes: int = 2_000_000
    max_pixels: int = 25_000_000
    max_side: int = 10_000
    min_side: int = 32
    min_eye_distance: float = 85.0
    min_inside_fraction: float = 0.9
    second_face_fraction: float = 1 / 3
    min_face_confidence: float = 0.6
    advised_yaw: float = 5.0
    advised_pitch: float = 5.0
    advised_roll: float = 8.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            PolicyInvalid: A number is out of its range.
        """
        for name in ("max_bytes", "max_pixels", "max_side", "min_side", "min_eye_distance"):
            if not getattr(self, name) > 0:
                raise PolicyInvalid(f"{name} must be greater than 0, got {getattr(self, name)}")
        if self.max_pixels > _MOST_PIXELS:
            raise PolicyInvalid(f"max_pixels must be at most {_MOST_PIXELS}, got {self.max_pixels}")
        if self.min_side > self.max_side:
            raise PolicyInvalid(f"min_side {self.min_side} is greater than max_side {self.max_side}")
        for name in ("min_inside_fraction", "min_face_confidence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise PolicyInvalid(f"{name} must lie in 0..1, got {getattr(self, name)}")
        if not 0.0 < self.second_face_fraction <= 1.0:
            raise PolicyInvalid(
                f"second_face_fraction must lie above 0 and at most at 1, got {self.second_face_fraction}"
            )
        for name in ("advised_yaw", "advised_pitch", "advised_roll"):
            if not 0.0 <= getattr(self, name) <= 180.0:
                raise PolicyInvalid(f"{name} must lie in 0..180 degrees, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class PortraitReport:
    """What was found in an accepted trusted image.

    Attributes:
        media_type: ``"image/png"``, ``"image/jpeg"``, ``"image/jp2"``, or ``"image/j2c"`` for a raw
            JPEG 2000 code stream; from the content.
        width: Width of the upright picture, pixels.
        height: Height of the upright picture, pixels.
        eye_distance_px: Distance between the eye centres, pixels.
        face_box: The face, in the upright picture.
        pose: Head pose, degrees.
        sharpness: ``vision.measures.sharpness`` of the face.
        background_faces: Further faces, too small or too doubtful for a second person.
        requirements: Every requirement with what was measured; all mandatory ones are met.
    """

    media_type: str
    width: int
    height: int
    eye_distance_px: float
    face_box: Box
    pose: HeadPose
    sharpness: float
    background_faces: int
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Portrait:
    """The decoded face of a trusted image.

    Attributes:
        template: Its template, of length 1, for ``matcher.comparison.compare``.
        report: What was found in the image.
    """

    template: Embedding
    report: PortraitReport
