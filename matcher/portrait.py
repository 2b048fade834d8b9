"""From an upload to a portrait: decode within limits, find the one face, make its template."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from matcher.errors import RefusalReason, TrustedImageRefused
from matcher.persons import persons_among
from matcher.portrait_report import (
    Portrait,
    PortraitPolicy,
    PortraitReport,
    Requirement,
    RequirementCode,
    Severity,
)
from vision.errors import ImageError, ImageFault
from vision.face import BgrImage, Box, DetectedFace, HeadPose
from vision.geometry import estimate_pose
from vision.image import DecodedImage, DecodeLimits, StillDecoder, decode_image
from vision.image_header import ImageFormat, detect_format
from vision.measures import sharpness
from vision.packs.pack import Pack

__all__ = ["accept_portrait"]

_FORMATS: Final = frozenset({ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.JP2, ImageFormat.J2K})
_REFUSALS: Final[Mapping[ImageFault, RefusalReason]] = MappingProxyType(
    {
        ImageFault.EMPTY: RefusalReason.IMAGE_EMPTY,
        ImageFault.TOO_MANY_BYTES: RefusalReason.IMAGE_TOO_LARGE,
        ImageFault.UNSUPPORTED_FORMAT: RefusalReason.IMAGE_FORMAT_NOT_SUPPORTED,
        ImageFault.MALFORMED: RefusalReason.IMAGE_MALFORMED,
        ImageFault.TOO_MANY_PIXELS: RefusalReason.IMAGE_TOO_MANY_PIXELS,
        ImageFault.TOO_SMALL: RefusalReason.IMAGE_TOO_SMALL,
        ImageFault.ANIMATED: RefusalReason.IMAGE_ANIMATED,
    }
)
_FACIAL_RECORD: Final = b"FAC\0"
_HALF_WIDTH: Final = 0.9
"""Half the width of a face in eye distances: a head of 180 px has its eyes about 90 px apart."""
_FOREHEAD: Final = 0.6
_CHIN: Final = 1.7
"""How far the forehead and the chin reach from the eyes, in distances from the eyes to the mouth."""
_ONE_PERSON: Final = "ISO/IEC 19794-5: an image shows one subject"
_WHOLE_FACE: Final = "ISO/IEC 19794-5: full frontal, the whole head is in the picture"
_EYE_DISTANCE: Final = "Facegate: distance between the eye centres (ISO/IEC 29794-5 inter-eye distance)"
_POSE: Final = "ISO/IEC 19794-5: full frontal, pose"


def accept_portrait(
    data: bytes, *, pack: Pack, policy: PortraitPolicy, still_decoder: StillDecoder | None = None
) -> Portrait:
    """Make the portrait of a trusted image, or refuse the image.

    The picture is turned upright by its EXIF orientation before anything is measured. The rules,
    in the order in which they refuse: bytes, format, declared size, decodable, a face, only one
    face, the whole face, the distance between the eyes. ``PortraitPolicy.second_face_fraction``
    and ``min_face_confidence`` say which other faces make the picture ambiguous.

    Args:
        data: The upload as it came: PNG, JPEG or JPEG 2000 (JP2 file or raw code stream).
        pack: The models.
        policy: What is demanded.
        still_decoder: Decodes JPEG 2000 in isolation; without it JPEG 2000 is refused.

    Raises:
        TrustedImageRefused: A rule is broken; the reason names it, the details hold the numbers.
        vision.errors.DecoderUnavailable: The isolated decoder cannot take the picture now.
        vision.errors.ModelFailed: A model of the pack could not process the picture.
    """
    decoded = _decode(data, policy=policy, still_decoder=still_decoder)
    image = decoded.pixels
    height, width = image.shape[:2]
    faces = pack.detector.detect(image)
    face, background = _only_face(faces, policy=policy)
    inside = _inside(face, image=image, policy=policy)
    eyes = _eye_distance(face, policy=policy)
    pose = _pose(image, face, pack=pack)
    requirements = (_face_count(1), inside, eyes, *_pose_requirements(pose, policy=policy))
    return Portrait(
        template=pack.embedder.embed(image, face),
        report=PortraitReport(
            media_type=decoded.header.format.value,
            width=width,
            height=height,
            eye_distance_px=face.eye_distance,
            face_box=face.box,
            pose=pose,
            sharpness=sharpness(image, face.box),
            background_faces=background,
            requirements=requirements,
        ),
    )


def _decode(data: bytes, *, policy: PortraitPolicy, still_decoder: StillDecoder | None) -> DecodedImage:
    limits = DecodeLimits(
        max_bytes=policy.max_bytes,
        max_pixels=policy.max_pixels,
        max_side=policy.max_side,
        min_side=policy.min_side,
    )
    try:
        return decode_image(
            data,
            limits=limits,
            formats=_FORMATS,
            honour_exif_orientation=True,
            still_decoder=still_decoder,
        )
    except ImageError as error:
        reason = _REFUSALS[error.reason]
        message = str(error)
        if reason is RefusalReason.IMAGE_FORMAT_NOT_SUPPORTED and detect_format(data) not in _FORMATS:
            message = _supported_formats(data)
        raise TrustedImageRefused(reason, message, details=error.details) from error


def _supported_formats(data: bytes) -> str:
    if data.startswith(_FACIAL_RECORD):
        return (
            "The upload is an ISO/IEC 19794-5 facial record, which this version does not read. "
            "Send the PNG, JPEG or JPEG 2000 image that it holds."
        )
    return "The upload is not a PNG, JPEG or JPEG 2000 image. Send one of these; the file name plays no part."


def _only_face(faces: tuple[DetectedFace, ...], *, policy: PortraitPolicy) -> tuple[DetectedFace, int]:
    """The person's face, and how many small or doubtful ones there are beside it."""
    if not faces:
        raise TrustedImageRefused(
            RefusalReason.FACE_NOT_FOUND,
            "No face was found. Send a picture in which one face is seen from the front.",
            details={"faces": 0, "required_faces": 1},
        )
    persons = persons_among(
        faces,
        second_face_fraction=policy.second_face_fraction,
        min_confidence=policy.min_face_confidence,
    )
    largest = persons[0]
    limit = policy.second_face_fraction * largest.box.width
    if len(persons) > 1:
        raise TrustedImageRefused(
            RefusalReason.FACE_NOT_UNIQUE,
            f"{len(persons)} faces were found. Send a picture that shows only the person to be checked.",
            details={
                "faces": len(persons),
                "required_faces": 1,
                "largest_width_px": round(largest.box.width, 1),
                "second_width_px": round(persons[1].box.width, 1),
                "second_width_limit_px": round(limit, 1),
            },
        )
    return largest, len(faces) - 1


def _face_count(count: int) -> Requirement:
    return Requirement(
        code=RequirementCode.FACE_COUNT,
        clause=_ONE_PERSON,
        measured=float(count),
        minimum=1.0,
        maximum=1.0,
        unit="faces",
        severity=Severity.MANDATORY,
    )


def _inside(face: DetectedFace, *, image: BgrImage, policy: PortraitPolicy) -> Requirement:
    height, width = image.shape[:2]
    requirement = Requirement(
        code=RequirementCode.FACE_INSIDE,
        clause=_WHOLE_FACE,
        measured=min(box.inside_fraction(width, height) for box in (face.box, _reckoned_box(face))),
        minimum=policy.min_inside_fraction,
        maximum=None,
        unit="fraction",
        severity=Severity.MANDATORY,
    )
    if not requirement.passed:
        raise TrustedImageRefused(
            RefusalReason.FACE_CUT_OFF,
            "The face reaches beyond the picture. Send one with the whole face and some space around it.",
            details={
                "inside_fraction": round(requirement.measured, 3),
                "min_inside_fraction": policy.min_inside_fraction,
            },
        )
    return requirement


def _reckoned_box(face: DetectedFace) -> Box:
    """Ear to ear and forehead to chin, reckoned from the five points.

    Some detectors draw their box around what they see of a face, so that a face that is cut off
    lies inside the picture by their box.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = face.five_points.astype(np.float64)
    (x, y), mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    drop = float(np.hypot(mouth[0] - x, mouth[1] - y))
    half = _HALF_WIDTH * face.eye_distance
    return Box(
        left=float(x) - half,
        top=float(y) - _FOREHEAD * drop,
        right=float(x) + half,
        bottom=float(y) + _CHIN * drop,
    )


def _eye_distance(face: DetectedFace, *, policy: PortraitPolicy) -> Requirement:
    requirement = Requirement(
        code=RequirementCode.EYE_DISTANCE,
        clause=_EYE_DISTANCE,
        measured=face.eye_distance,
        minimum=policy.min_eye_distance,
        maximum=None,
        unit="px",
        severity=Severity.MANDATORY,
    )
    if not requirement.passed:
        raise TrustedImageRefused(
            RefusalReason.EYE_DISTANCE_TOO_SMALL,
            f"The eyes are {requirement.measured:.1f} pixels apart, {policy.min_eye_distance:g} are needed. "
            "Send the picture in a higher resolution, or one taken from closer.",
            details={
                "eye_distance_px": round(requirement.measured, 1),
                "min_eye_distance_px": policy.min_eye_distance,
            },
        )
    return requirement


def _pose(image: BgrImage, face: DetectedFace, *, pack: Pack) -> HeadPose:
    size = (image.shape[1], image.shape[0])
    landmarks = None if pack.landmarker is None else pack.landmarker.locate(image, face)
    return estimate_pose(face.five_points if landmarks is None else landmarks, size)


def _pose_requirements(pose: HeadPose, *, policy: PortraitPolicy) -> tuple[Requirement, ...]:
    limits = (
        (RequirementCode.POSE_YAW, pose.yaw, policy.advised_yaw),
        (RequirementCode.POSE_PITCH, pose.pitch, policy.advised_pitch),
        (RequirementCode.POSE_ROLL, pose.roll, policy.advised_roll),
    )
    return tuple(
        Requirement(
            code=code,
            clause=_POSE,
            measured=angle,
            minimum=-limit,
            maximum=limit,
            unit="deg",
            severity=Severity.ADVISORY,
        )
        for code, angle, limit in limits
    )
