"""Fuses the templates of several frames, weighted by quality.

The mean of unit templates, weighted by how well each frame shows the face, is closer to the
person's true template than the template of most single frames (average pooling of media encodings:
Crosswhite et al., "Template Adaptation for Face Verification and Identification", FG 2017). Fused templates
are also closer to those of other people, so a calibration must compare fused templates too
(``docs/accuracy.md``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import TemplateInvalid, TemplateMismatch
from vision.face import HeadPose
from vision.packs import Template

_LEAST_QUALITY: Final = 0.05
_UNIT_TOLERANCE: Final = 1e-3
_LEAST_LENGTH: Final = 1e-3
"""Below this length of the weighted mean of unit templates the samples cancel each other out."""

_LARGEST_YAW: Final = 35.0
_LARGEST_PITCH: Final = 25.0
_LEAST_SHARPNESS: Final = 10.0
_LEAST_EYE_DISTANCE: Final = 15.0
"""The range in which a template counts for or against an identity; see ``is_comparable``."""


@dataclass(frozen=True, slots=True)
class TemplateSample:
    """The template of one frame, and its weight.

    Attributes:
        template: The frame's template, of length 1.
        quality: Its weight, greater than 0 and at most 1; see ``sample_quality``.
        comparable: Whether the frame is within the range of the calibration; see ``is_comparable``.
    """

    template: Template
    quality: float
    comparable: bool = True


_FULL_SHARPNESS = 40.0
"""The least sharpness of a frame that counts fully. Blurring a photo step by step left its template
(MobileFaceNet) at a cosine of 0.99 to the sharp one at a sharpness of 36, 0.95 at 18 and 0.81 at 8; live
clips measure 30 to 480."""
_FULL_EYE_DISTANCE = 60.0
"""The least eye distance of a frame that counts fully, pixels. An aligned 112 x 112 input has its eyes 35
pixels apart; below twice that, interpolation loses detail."""


def sample_quality(*, sharpness: float, pose: HeadPose, eye_distance: float) -> float:
    """Return the weight of a frame in the fusion, from 0.05 to 1.

    The weight is the product of three factors. Sharpness and face size rise linearly up to
    ``_FULL_SHARPNESS`` and ``_FULL_EYE_DISTANCE``. Pose is the product of the cosines of yaw and pitch,
    squared, because an embedder's input loses the averted side of the face. Roll does not count, because
    alignment removes it.

    Args:
        sharpness: ``FaceMeasures.sharpness`` of the face, 0 or more.
        pose: Head pose, degrees.
        eye_distance: Distance between the eyes, pixels.
    """
    sharp = min(1.0, max(0.0, sharpness / _FULL_SHARPNESS))
    size = min(1.0, max(0.0, eye_distance / _FULL_EYE_DISTANCE))
    facing = max(0.0, float(np.cos(np.radians(pose.yaw)))) * max(0.0, float(np.cos(np.radians(pose.pitch))))
    quality = sharp * size * facing**2
    # NaN counts as the least quality.
    return max(_LEAST_QUALITY, quality) if np.isfinite(quality) else _LEAST_QUALITY


def is_comparable(*, sharpness: float, pose: HeadPose, eye_distance: float) -> bool:
    """Return whether the template of a frame counts for or against an identity.

    Calibrations are measured on photos, of which 99 % are turned by at most 35 degrees and raised or lowered
    by at most 25 (Labeled Faces in the Wild). Beyond that, the embedder may not know its own person: on clips
    of people who turn their heads, the score of a frame with the person's frontal ones (MobileFaceNet; the
    line of ``matcher.constancy`` is 0.29) is above 0.4 in 99 of 100 frames within this range, falls to 0.15
    to 0.35 in one of twenty beyond, and to 0 if the head is raised by more than 30 degrees.
    """
    return (
        abs(pose.yaw) <= _LARGEST_YAW
        and abs(pose.pitch) <= _LARGEST_PITCH
        and sharpness >= _LEAST_SHARPNESS
        and eye_distance >= _LEAST_EYE_DISTANCE
    )


def fuse_templates(samples: Sequence[TemplateSample]) -> Template:
    """Return the quality-weighted mean of the samples' templates, scaled to length 1.

    The order of the samples does not matter.

    Raises:
        TemplateInvalid: No sample, a quality not in (0, 1], a template not of length 1, or templates
            that cancel each other out.
        TemplateMismatch: The templates have different forms or lengths.
    """
    stack, weights = stack_samples(samples)
    mean = weights @ stack / weights.sum()
    length = float(np.linalg.norm(mean))
    if length < _LEAST_LENGTH:
        raise TemplateInvalid("the samples' templates cancel each other out; they cannot be of one face")
    return Template((mean / length).astype(np.float32), samples[0].template.form_id)


def stack_samples(samples: Sequence[TemplateSample]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the samples' templates, shape (n, dimensions), and qualities, shape (n,), in order.

    Raises:
        TemplateInvalid: No sample, a quality not in (0, 1], or a template not of length 1.
        TemplateMismatch: The templates have different forms or lengths.
    """
    if not samples:
        raise TemplateInvalid("no sample to fuse; at least one frame must have given a template")
    forms = {sample.template.form_id for sample in samples}
    if len(forms) > 1:
        raise TemplateMismatch(f"cannot fuse templates of different forms: {', '.join(sorted(forms))}")
    shapes = {sample.template.vector.shape for sample in samples}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise TemplateMismatch(f"cannot fuse templates of shapes {sorted(shapes)}")
    for sample in samples:
        if not 0.0 < sample.quality <= 1.0:
            raise TemplateInvalid(
                f"a sample's quality must lie above 0 and at most at 1, got {sample.quality}"
            )
        length = float(np.linalg.norm(sample.template.vector.astype(np.float64)))
        if not abs(length - 1.0) <= _UNIT_TOLERANCE:
            raise TemplateInvalid(f"a sample's template must have length 1, got {length:.4g}")
    stack = np.stack([sample.template.vector.astype(np.float64) for sample in samples])
    return stack, np.array([sample.quality for sample in samples], dtype=np.float64)
