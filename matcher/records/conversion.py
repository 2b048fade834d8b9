"""Converts trusted images between formats. The picture's bytes are kept if the format allows it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from formats.image_format import ImageFormat
from matcher.errors import ConversionImpossible
from matcher.records import (
    MAX_BYTES,
    NO_POSE,
    EyeCentres,
    PostAcquisition,
    Record39794,
    RecordMetadata,
    RecordVersion,
    TrustedImageContent,
    build_record,
    eye_landmarks,
    fitted,
    metadata_of,
    serialise,
    wrap_in_dg2,
)
from matcher.records.building import DATA_TYPES
from matcher.records.iso_39794 import RepresentationBlock
from matcher.records.values import EYE_CODES
from vision.face import BgrImage
from vision.image import DecodedImage, encode_jpeg, rotate_upright

PictureDecoder = Callable[[bytes], DecodedImage]
"""Decodes a picture within limits, turned upright; raises ``vision.errors.VisionError``."""
EyeFinder = Callable[[BgrImage], EyeCentres]
"""Finds the eyes of the only face; raises ``ConversionImpossible`` or ``vision.errors.VisionError``."""


class TargetFormat(StrEnum):
    """The formats to which an image can be converted."""

    ISO_2011 = "iso2011"
    ISO_2005 = "iso2005"
    ISO_39794 = "iso39794"
    DG2 = "dg2"
    DG2_39794 = "dg2-39794"
    JPEG = "jpeg"
    PNG = "png"


_SUFFIXES: Final[Mapping[TargetFormat, str]] = MappingProxyType(
    {
        TargetFormat.ISO_2011: ".2011.fac",
        TargetFormat.ISO_2005: ".2005.fac",
        TargetFormat.ISO_39794: ".39794.der",
        TargetFormat.DG2_39794: ".39794.dg2",
        TargetFormat.DG2: ".dg2",
        TargetFormat.JPEG: ".jpg",
        TargetFormat.PNG: ".png",
    }
)
_BY_SUFFIX: Final[Mapping[str, TargetFormat]] = MappingProxyType(
    {suffix: form for form, suffix in _SUFFIXES.items()} | {".jpeg": TargetFormat.JPEG}
)
_VERSIONS: Final[Mapping[TargetFormat, RecordVersion]] = MappingProxyType(
    {
        TargetFormat.ISO_2011: RecordVersion.ISO_19794_5_2011,
        TargetFormat.ISO_2005: RecordVersion.ISO_19794_5_2005,
        TargetFormat.ISO_39794: RecordVersion.ISO_39794_5,
        # Of 19794-5, Doc 9303-10 allows the 2005 edition only.
        TargetFormat.DG2: RecordVersion.ISO_19794_5_2005,
        TargetFormat.DG2_39794: RecordVersion.ISO_39794_5,
    }
)
_NAMES: Final[Mapping[RecordVersion, str]] = MappingProxyType(
    {
        RecordVersion.ISO_19794_5_2005: "2005",
        RecordVersion.ISO_19794_5_2011: "2011",
        RecordVersion.ISO_39794_5: "39794-5",
    }
)
_KEPT: Final[Mapping[TargetFormat, frozenset[ImageFormat]]] = MappingProxyType(
    {form: frozenset(DATA_TYPES[version]) for form, version in _VERSIONS.items()}
    | {TargetFormat.JPEG: frozenset({ImageFormat.JPEG}), TargetFormat.PNG: frozenset({ImageFormat.PNG})}
)
_WITHOUT_LOSS: Final = frozenset({ImageFormat.PNG, ImageFormat.BMP})
_HEAD_IN_EYE_DISTANCES: Final = 2.0
"""A head of 180 pixels has its eyes about 90 pixels apart (ISO/IEC 19794-5:2005, 8.3.4 and 8.4.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options of a conversion.

    Attributes:
        quality: Quality of a JPEG that has to be encoded, 1..100.
        rotate: Clockwise rotation that makes the picture upright: 0, 90, 180 or 270 degrees.
        mirrored: Whether the picture, once upright, is a mirror image; the conversion then mirrors it back.
        captured: Time of capture, for a 2011 or 39794-5 record; None keeps that of the source.
        find_eyes: Finds the eyes for a record; None keeps those of the source.
    """

    form: TargetFormat
    quality: int
    rotate: int = 0
    mirrored: bool = False
    captured: datetime | None = None
    find_eyes: EyeFinder | None = None


@dataclass(frozen=True, slots=True)
class ConvertedImage:
    """The result of a conversion.

    Attributes:
        data: The file's content.
        notes: The changes and the losses, a sentence each.
    """

    data: bytes
    notes: tuple[str, ...]


def suffix_of(form: TargetFormat) -> str:
    """Return the suffix of files of a format."""
    return _SUFFIXES[form]


def format_of(name: str) -> TargetFormat | None:
    """Return the format that the suffix of a file name states; None if it states none.

    ``.fac`` alone states none: both editions of a 19794-5 record use it.
    """
    lower = name.lower()
    for suffix, form in _BY_SUFFIX.items():
        if lower.endswith(suffix):
            return form
    return None


def convert(content: TrustedImageContent, wishes: Wishes, *, decode: PictureDecoder) -> ConvertedImage:
    """Convert a trusted image to another format.

    Args:
        content: The image, unwrapped.

    Raises:
        ConversionImpossible: The format cannot hold the picture, or the eyes were not found.
        matcher.errors.RecordInvalid: A record cannot hold a value.
        vision.errors.VisionError: The picture does not decode, or a model failed.
    """
    version = _VERSIONS.get(wishes.form)
    others = _others(content)
    if version is None:
        image, notes, _ = _picture(content, wishes, decode)
        return ConvertedImage(image, notes + others)
    converted = _record(content, wishes, version, decode)
    return ConvertedImage(converted.data, converted.notes + others)


def _others(content: TrustedImageContent) -> tuple[str, ...]:
    faces = 0 if content.record is None else len(content.record.representations)
    records = 0 if content.dg2 is None else len(content.dg2.blocks)
    counts = [f"{count} {name}" for count, name in ((faces, "faces"), (records, "records")) if count > 1]
    return (f"Of {' in the first of '.join(counts)} only the first is converted.",) if counts else ()


def _picture(
    content: TrustedImageContent, wishes: Wishes, decode: PictureDecoder
) -> tuple[bytes, tuple[str, ...], frozenset[PostAcquisition]]:
    """Return the picture in a format that the target can hold, the notes, and the changes to it."""
    header = content.header
    wanted = bool(wishes.rotate) or wishes.mirrored
    # EXIF states the orientation of a picture file; a record has no field for it.
    turned = wanted or (header is not None and header.orientation != 1 and wishes.form in _VERSIONS)
    # A picture that is kept has to decode, too: an incomplete one is nothing to wrap in a record.
    decoded = decode(content.image)
    if header is not None and header.format in _KEPT[wishes.form] and not turned:
        return content.image, ("The picture is kept byte for byte.",), frozenset()
    pixels = rotate_upright(decoded.pixels, wishes.rotate, wishes.mirrored)
    turned = wanted or decoded.header.orientation != 1
    done = set() if decoded.header.format in _WITHOUT_LOSS else {PostAcquisition.MULTIPLY_COMPRESSED}
    if turned:
        done.add(PostAcquisition.ROTATED)
    upright = ", turned upright" if turned else ""
    source = f"{decoded.header.format.name}, {decoded.header.bits_per_channel} bits a channel"
    if wishes.form is TargetFormat.PNG:
        return _png(pixels), (f"Decoded ({source}) and stored as PNG{upright}.",), frozenset(done)
    note = f"Decoded ({source}) and encoded again as JPEG of quality {wishes.quality}{upright}."
    return encode_jpeg(pixels, wishes.quality), (note,), frozenset(done)


def _record(
    content: TrustedImageContent, wishes: Wishes, version: RecordVersion, decode: PictureDecoder
) -> ConvertedImage:
    image, remarks, done = _picture(content, wishes, decode)
    notes = [*remarks]
    known = RecordMetadata() if content.representation is None else metadata_of(content.representation)
    if content.representation is not None and content.representation.three_d_bytes:
        notes.append("Its 3-D data are omitted.")
    if isinstance(content.record, Record39794) and content.record.ignored_extensions:
        notes.append(
            f"Its {content.record.ignored_extensions} extensions, which no field names, are omitted."
        )
    if PostAcquisition.ROTATED in done and (known.landmarks or known.pose.given or _placed(known)):
        known = replace(known, landmarks=(), pose=NO_POSE, block_39794=_unplaced(known.block_39794))
        notes.append("Its landmarks and its pose are omitted: the picture was turned.")
    if done:
        known = replace(known, post_acquisition=(known.post_acquisition or frozenset()) | done)
    if wishes.captured is not None:
        known = replace(known, capture_time=wishes.captured)
    if wishes.find_eyes is not None:
        eyes = wishes.find_eyes(decode(image).pixels)
        known = _with_eyes(known, eyes)
        notes.append(f"Eye centres: left {eyes.left}, right {eyes.right} (the person's own left and right).")
    fitting, left_out = fitted(known, version)
    if content.representation is None:
        # A bare picture states this itself, so it is not lost with the record's field.
        left_out = tuple(field for field in left_out if field != "post-acquisition processing")
    if left_out:
        notes.append(f"A {_NAMES[version]} record has no field for: {', '.join(left_out)}.")
    data = serialise(build_record(image, version=version, metadata=fitting))
    if wishes.form in {TargetFormat.DG2, TargetFormat.DG2_39794}:
        data = wrap_in_dg2([data])
    if len(data) > MAX_BYTES:
        notes.append(f"It has {len(data):,} bytes; a server accepts {MAX_BYTES:,} at most.")
    return ConvertedImage(data, tuple(notes))


def _placed(known: RecordMetadata) -> bool:
    """Return whether a 39794-5 record states landmarks, including those that other records cannot name."""
    return known.block_39794 is not None and bool(known.block_39794.landmarks)


def _unplaced(block: RepresentationBlock | None) -> RepresentationBlock | None:
    """Return the block without landmarks and pose."""
    if block is None:
        return None
    person = block.identity_metadata
    return replace(
        block,
        landmarks=None,
        identity_metadata=None if person is None else replace(person, pose_angle=None),
    )


def _with_eyes(known: RecordMetadata, eyes: EyeCentres) -> RecordMetadata:
    others = tuple(point for point in known.landmarks if point.code not in EYE_CODES)
    distance = float(np.hypot(eyes.left[0] - eyes.right[0], eyes.left[1] - eyes.right[1]))
    return replace(
        known,
        landmarks=(*eye_landmarks(eyes), *others),
        head_width=_HEAD_IN_EYE_DISTANCES * distance,
    )


def _png(pixels: BgrImage) -> bytes:
    done, data = cv2.imencode(".png", pixels)
    if not done:
        raise ConversionImpossible("the picture cannot be stored as PNG: use --to jpeg")
    return data.tobytes()
