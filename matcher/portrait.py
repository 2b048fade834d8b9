"""Makes a portrait of an upload: opens and decodes it, finds the face and makes its template."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from formats.errors import ImageFault
from formats.foreign_format import recognise_foreign
from formats.image_header import detect_format
from matcher.conformance.interface import Component, PortraitView
from matcher.conformance.remedies import remedy_for
from matcher.conformance.requirement import IntakeCode, Severity
from matcher.errors import RefusalReason, TrustedImageRefused
from matcher.persons import SubjectRule, face_boxes, faces_in_words, persons_among
from matcher.portrait_report import (
    FORMATS,
    Portrait,
    PortraitPolicy,
    PortraitReport,
    face_inside,
    portrait_requirements,
)
from matcher.records import Container, TrustedImageContent, open_trusted_image
from vision.errors import ImageError
from vision.face import BgrImage, DetectedFace
from vision.geometry import cut_chip
from vision.image import DecodedImage, DecodeLimits, StillDecoder, decode_image
from vision.packs import Pack
from vision.pose import estimate_pose

_CONTAINERS: Final[Mapping[Container, str]] = MappingProxyType(
    {
        Container.IMAGE: "",
        Container.ISO_19794_5_2005: "ISO/IEC 19794-5:2005",
        Container.ISO_19794_5_2011: "ISO/IEC 19794-5:2011",
        Container.ISO_39794_5: "ISO/IEC 39794-5",
    }
)


def accept_portrait(
    data: bytes, *, pack: Pack, policy: PortraitPolicy, still_decoder: StillDecoder | None = None
) -> Portrait:
    """Make the portrait of a trusted image, or refuse the image.

    A facial record is opened first; then only the image in it counts. The image is turned upright by its
    EXIF orientation before anything is measured. The rules, in the order in which they are tested:
    number of bytes, record, format, declared size, whether the image decodes, a face, only one face, the
    whole face, the distance between the eyes, the features of the face, and then the other hard requirements
    of the policy in the order of the report.
    ``PortraitPolicy.second_face_fraction`` and ``min_face_confidence`` define the other faces that make
    the image ambiguous.

    Args:
        data: The bytes of the upload: PNG, JPEG or JPEG 2000 (JP2 file or raw code stream), an ISO/IEC
            19794-5 or 39794-5 record with one of these, or an ICAO DG2 with such a record.
        still_decoder: Decodes JPEG 2000 in isolation; without it JPEG 2000 is refused.

    Raises:
        TrustedImageRefused: A rule is broken; the reason names it, and the details hold the numbers.
        vision.errors.DecoderUnavailable: The isolated decoder cannot decode the image now.
        vision.errors.ModelFailed: A model of the pack could not process the image.
    """
    # 1. Read the record and the image.
    upload = _opened(data, policy=policy, still_decoder=still_decoder)
    # 2. Is there one face, whole and large enough?
    seen = _seen(upload.image, pack=pack, policy=policy)
    _refuse_persons(seen, image=upload.image, policy=policy)
    _refuse_face(seen.face, image=upload.image, policy=policy)
    if not pack.shows_features(upload.image, seen.face):
        raise TrustedImageRefused(
            RefusalReason.FACE_NOT_FOUND,
            "A face was found, but not its features. Send an image that shows the whole face upright and "
            "from the front, with nothing before it.",
            details={"faces": 0, "required_faces": 1},
        )
    # 3. Measure the requirements of ISO/IEC 29794-5, and refuse what the policy demands and the image lacks.
    report = _report(upload, seen, pack=pack, policy=policy)
    _refuse_requirements(report)
    return Portrait(
        template=pack.template(upload.image, seen.face),
        chip=cut_chip(np.asarray(cv2.cvtColor(upload.image, cv2.COLOR_BGR2GRAY), np.uint8), seen.face),
        report=report,
    )


def examine_portrait(
    data: bytes, *, pack: Pack, policy: PortraitPolicy, still_decoder: StillDecoder | None = None
) -> PortraitReport:
    """Make the report on a trusted image, even if ``accept_portrait`` would refuse the image.

    The embedder is not run. Of several persons, the report is on the subject (``matcher.persons``); otherwise
    as ``accept_portrait``.

    Raises:
        TrustedImageRefused: The image cannot be read, or shows no face.
        vision.errors.DecoderUnavailable: The isolated decoder cannot decode the image now.
        vision.errors.ModelFailed: A model of the pack could not process the image.
    """
    upload = _opened(data, policy=policy, still_decoder=still_decoder)
    return _report(upload, _seen(upload.image, pack=pack, policy=policy), pack=pack, policy=policy)


@dataclass(frozen=True, slots=True)
class _Upload:
    """An upload, opened and decoded."""

    size: int
    content: TrustedImageContent
    decoded: DecodedImage

    @property
    def image(self) -> BgrImage:
        return self.decoded.pixels


@dataclass(frozen=True, slots=True)
class _Seen:
    """The faces of an image: all of them, and those that count as persons, the subject first."""

    faces: tuple[DetectedFace, ...]
    persons: tuple[DetectedFace, ...]

    @property
    def face(self) -> DetectedFace:
        return self.persons[0]


def _opened(data: bytes, *, policy: PortraitPolicy, still_decoder: StillDecoder | None) -> _Upload:
    content = open_trusted_image(data, representations=policy.representations, max_bytes=policy.max_bytes)
    limits = DecodeLimits(
        max_bytes=policy.max_bytes,
        max_pixels=policy.max_pixels,
        max_side=policy.max_side,
        min_side=policy.min_side,
    )
    try:
        decoded = decode_image(
            content.image,
            limits=limits,
            formats=FORMATS,
            honour_exif_orientation=True,
            still_decoder=still_decoder,
        )
    except ImageError as error:
        message = str(error)
        if error.reason is ImageFault.UNSUPPORTED_FORMAT and detect_format(content.image) not in FORMATS:
            message = _supported_formats(content)
        raise TrustedImageRefused(error.reason, message, details=error.details) from error
    return _Upload(size=len(data), content=content, decoded=decoded)


def _supported_formats(content: TrustedImageContent) -> str:
    if content.container is Container.IMAGE:
        return "The upload is not a PNG, JPEG or JPEG 2000 image. Send one of these."
    foreign = recognise_foreign(content.image)
    found = f", but {foreign.what}" if foreign else ""
    return (
        f"The image in the record is not PNG, JPEG or JPEG 2000{found}. Send a record with one of "
        "these formats, or the image alone."
    )


def _seen(image: BgrImage, *, pack: Pack, policy: PortraitPolicy) -> _Seen:
    faces = pack.detector.detect(image)
    if not faces:
        raise TrustedImageRefused(
            RefusalReason.FACE_NOT_FOUND,
            "No face was found. Send an image that shows one face from the front.",
            details={"faces": 0, "required_faces": 1},
        )
    persons = persons_among(
        faces,
        size=(image.shape[1], image.shape[0]),
        rule=SubjectRule(min_confidence=policy.min_face_confidence, second_width=policy.second_face_fraction),
    )
    return _Seen(faces=faces, persons=persons)


def _refuse_persons(seen: _Seen, *, image: BgrImage, policy: PortraitPolicy) -> None:
    persons = seen.persons
    if len(persons) == 1:
        return
    widest, second, *_ = sorted((person.box.width for person in persons), reverse=True)
    words = faces_in_words(persons, size=(image.shape[1], image.shape[0]))
    raise TrustedImageRefused(
        RefusalReason.FACE_NOT_UNIQUE,
        f"{len(persons)} faces were found: {words}. Send an image that shows only the person to be checked.",
        details={
            "faces": len(persons),
            "required_faces": 1,
            "largest_width_px": round(widest, 1),
            "second_width_px": round(second, 1),
            "second_width_limit_px": round(policy.second_face_fraction * widest, 1),
            "face_boxes": face_boxes(persons),
        },
    )


def _refuse_face(face: DetectedFace, *, image: BgrImage, policy: PortraitPolicy) -> None:
    """Refuse a face that fails a rule which needs no landmarks."""
    inside = face_inside(face, image=image, policy=policy)
    if inside.refuses:
        raise TrustedImageRefused(
            RefusalReason.FACE_CUT_OFF,
            "The face reaches beyond the image. Send an image with the whole face and some space around it.",
            details={
                "inside_fraction": round(inside.value or 0.0, 3),
                "min_inside_fraction": policy.rules[IntakeCode.FACE_INSIDE].minimum or 0.0,
            },
        )
    rule = policy.rules[Component.INTER_EYE_DISTANCE]
    least = rule.minimum or 0.0
    if rule.severity is Severity.HARD and not face.eye_distance >= least:
        raise TrustedImageRefused(
            RefusalReason.EYE_DISTANCE_TOO_SMALL,
            f"The eyes are {face.eye_distance:.1f} pixels apart; at least {least:g} pixels are required. "
            "Send the image in a higher resolution, or one that was taken from a shorter distance.",
            details={"eye_distance_px": round(face.eye_distance, 1), "min_eye_distance_px": least},
        )


def _refuse_requirements(report: PortraitReport) -> None:
    for requirement in report.requirements:
        if requirement.refuses:
            break
    else:
        return
    found = (
        {"measured": requirement.measured}
        if requirement.passed is not None
        else {"unassessed": requirement.unassessed}
    )
    words = requirement.code.replace("_", " ")
    required = f"required: {requirement.required}."
    score = "" if requirement.score is None else f", score {requirement.score} of 100"
    message = (
        f"{remedy_for(requirement.code, requirement.measured)} "
        f"Measured for {words}: {requirement.measured}{score}; {required}"
        if requirement.passed is not None
        else f"The test of {words} cannot be made: {requirement.unassessed}; {required} Send another image."
    )
    raise TrustedImageRefused(
        RefusalReason.NOT_CONFORMANT,
        message,
        details={"requirement": requirement.code.value, "required": requirement.required, **found},
    )


def _report(upload: _Upload, seen: _Seen, *, pack: Pack, policy: PortraitPolicy) -> PortraitReport:
    image, face = upload.image, seen.face
    height, width = image.shape[:2]
    landmarks = None if pack.landmarker is None else pack.landmarker.locate(image, face)
    view = PortraitView(
        image=image,
        encoded=upload.content.image,
        media_type=upload.decoded.header.format.value,
        # Doubtful detections, such as folds of clothes, do not count as faces.
        faces=tuple(
            each for each in seen.faces if each is face or each.confidence >= policy.min_face_confidence
        ),
        face=face,
        landmarks=landmarks,
        pose=estimate_pose(face.five_points if landmarks is None else landmarks, (width, height)),
    )
    return PortraitReport(
        container=_container(upload.content),
        media_type=view.media_type,
        width=width,
        height=height,
        eye_distance_px=face.eye_distance,
        face_box=face.box,
        pose=view.pose,
        background_faces=len(seen.faces) - len(seen.persons),
        requirements=portrait_requirements(
            view,
            size=upload.size,
            persons=len(seen.persons),
            header=upload.decoded.header,
            declared=upload.content.representation,
            policy=policy,
        ),
        notes=upload.content.notes,
    )


def _container(content: TrustedImageContent) -> str:
    record = _CONTAINERS[content.container]
    return f"{record} in ICAO DG2" if content.in_dg2 else record
