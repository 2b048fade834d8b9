"""States, for each requirement that a portrait may miss, what is wrong and what to do, for people to read."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from matcher.conformance.interface import Component
from matcher.conformance.requirement import IntakeCode, RequirementCode


@dataclass(frozen=True, slots=True)
class Remedy:
    """The fault of a portrait that does not meet a requirement, and the action that removes it.

    Attributes:
        text: One sentence. If ``best`` is given, the sentence is for measurements below it.
        best: A good measurement, if a measurement can be too small or too large.
        above: The sentence for measurements of ``best`` or more; empty if ``best`` is None.
    """

    text: str
    best: float | None = None
    above: str = ""

    def words(self, value: float | None) -> str:
        """Return the sentence for a measurement; without a measurement, ``text``."""
        return self.text if self.best is None or value is None or value < self.best else self.above


REMEDIES: Final[Mapping[RequirementCode, Remedy]] = MappingProxyType(
    {
        IntakeCode.MEDIA_TYPE: Remedy("The format is not accepted: send a PNG, JPEG or JPEG 2000 image."),
        IntakeCode.FILE_SIZE: Remedy(
            "The file is too large: send one with fewer pixels or stronger compression."
        ),
        IntakeCode.FACE_COUNT: Remedy("The image does not show exactly one person: send one that does."),
        IntakeCode.FACE_INSIDE: Remedy(
            "The face reaches beyond the image: send an image with the whole face and space around it."
        ),
        IntakeCode.HEAD_POSITION_ACROSS: Remedy(
            "The face is too far to one side: crop the image again, or retake the portrait with the face in "
            "the middle."
        ),
        IntakeCode.HEAD_POSITION_DOWN: Remedy(
            "The face is too high or too low in the image: crop the image again, or retake the portrait with "
            "the eyes slightly above the middle."
        ),
        IntakeCode.DECLARED_SIZE: Remedy(
            "The record declares another size than the image has: correct it, or send the image alone."
        ),
        IntakeCode.DECLARED_EYE_POSITIONS: Remedy(
            "The record declares the eyes elsewhere: correct the record, or send the image alone."
        ),
        IntakeCode.DECLARED_POSE: Remedy(
            "The record declares another pose of the head: correct the record, or send the image alone."
        ),
        Component.UNIFIED_QUALITY_SCORE: Remedy(
            "The quality of the portrait is too low: retake it in even light with a better camera."
        ),
        Component.BACKGROUND_UNIFORMITY: Remedy(
            "The background is not uniform: retake the portrait in front of a plain wall."
        ),
        Component.ILLUMINATION_UNIFORMITY: Remedy(
            "One side of the face is darker than the other: retake the portrait with light from the front."
        ),
        Component.LUMINANCE_MEAN: Remedy(
            "The face is too dark: retake the portrait in brighter, even light.",
            best=0.5,
            above="The face is too bright: retake the portrait in less light or with a shorter exposure.",
        ),
        Component.LUMINANCE_VARIANCE: Remedy(
            "The face has too little contrast: retake the portrait in brighter light without a filter.",
            best=1 / 60,
            above="The contrast on the face is too strong: retake the portrait in soft, even light.",
        ),
        Component.UNDER_EXPOSURE_PREVENTION: Remedy(
            "Parts of the face are nearly black: retake the portrait in brighter light without shadows."
        ),
        Component.OVER_EXPOSURE_PREVENTION: Remedy(
            "Parts of the face are overexposed: retake the portrait in softer light and without reflections."
        ),
        Component.DYNAMIC_RANGE: Remedy(
            "The face has too few shades: retake the portrait in brighter light without a filter."
        ),
        Component.SHARPNESS: Remedy(
            "The face is not sharp: hold the camera still, focus on the face and retake the portrait."
        ),
        Component.COMPRESSION_ARTIFACTS: Remedy(
            "Compression has damaged the face: send the original image, or compress it less."
        ),
        Component.NATURAL_COLOUR: Remedy(
            "The skin has no natural colour: send an image in colour, taken in white light without filter."
        ),
        Component.SINGLE_FACE_PRESENT: Remedy(
            "Another face is nearly as large: retake the portrait with only one person in the image."
        ),
        Component.EYES_OPEN: Remedy("An eye is not open: retake the portrait with both eyes open."),
        Component.MOUTH_CLOSED: Remedy("The mouth is open: retake the portrait with the mouth closed."),
        Component.EYES_VISIBLE: Remedy(
            "Something hides an eye: take off dark glasses, move hair aside and retake the portrait."
        ),
        Component.MOUTH_OCCLUSION_PREVENTION: Remedy(
            "Something covers the mouth: take off the mask or scarf and retake the portrait."
        ),
        Component.FACE_OCCLUSION_PREVENTION: Remedy(
            "Something covers the face: remove it and retake the portrait."
        ),
        Component.INTER_EYE_DISTANCE: Remedy(
            "The face has too few pixels: send the image in a higher resolution, or retake the portrait "
            "from a shorter distance.",
            best=400,
            above="The face has too many pixels: send the image in a lower resolution.",
        ),
        Component.HEAD_SIZE: Remedy(
            "The head is too small in the image: crop the image more tightly, or retake the portrait from a "
            "shorter distance.",
            best=0.45,
            above="The head is too large in the image: crop the image less, or retake the portrait from "
            "farther away.",
        ),
        Component.LEFTWARD_CROP: Remedy(
            "There is too little space to the left of the face: crop the image less, or retake the portrait "
            "from farther away."
        ),
        Component.RIGHTWARD_CROP: Remedy(
            "There is too little space to the right of the face: crop the image less, or retake the portrait "
            "from farther away."
        ),
        Component.MARGIN_ABOVE: Remedy(
            "There is too little space above the face: crop the image less, or retake the portrait from "
            "farther away."
        ),
        Component.MARGIN_BELOW: Remedy(
            "There is too little space below the face: crop the image less, or retake the portrait from "
            "farther away."
        ),
        Component.HEAD_POSE_YAW: Remedy(
            "The head is turned to one side: look straight into the camera and retake the portrait."
        ),
        Component.HEAD_POSE_PITCH: Remedy(
            "The head is tilted up or down: hold the camera at eye level and retake the portrait."
        ),
        Component.HEAD_POSE_ROLL: Remedy(
            "The head leans to one side: hold the head upright and retake the portrait."
        ),
        Component.EXPRESSION_NEUTRALITY: Remedy(
            "The expression is not neutral: relax the face, close the mouth and retake the portrait."
        ),
        Component.NO_HEAD_COVERINGS: Remedy(
            "Something covers the head: take it off and retake the portrait."
        ),
    }
)
"""A remedy for every requirement. The sentences of a two-sided measure assume that the policy's bounds lie on
both sides of ``Remedy.best``."""


def remedy_for(code: str, measured: str) -> str:
    """Return the remedy for a requirement that is not met.

    ``measured`` is in words, as in ``Requirement.measured``: ``"0.024 fraction"``.

    Returns:
        One sentence, such as ``"The face is too dark: retake the portrait in brighter, even light."``; empty
        if no requirement has that code.
    """
    remedy = _BY_NAME.get(code)
    return "" if remedy is None else remedy.words(_number(measured))


_BY_NAME: Final[Mapping[str, Remedy]] = MappingProxyType(
    {code.value: remedy for code, remedy in REMEDIES.items()}
)


def _number(measured: str) -> float | None:
    """Return the number that a measurement in words begins with; None if it begins with none."""
    try:
        return float(measured.split(" ", 1)[0].replace(",", ""))
    except ValueError:
        return None
