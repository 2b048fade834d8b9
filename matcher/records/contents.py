"""Finds the image in an upload, which is an image, a facial record or an ICAO DG2.

The form is detected from the content, never from a name. No pixel is decoded here. The header of the image is
read, because records often state it wrongly.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from formats.errors import ImageFault, ImageUnreadable
from formats.foreign_format import recognise_foreign
from formats.image_format import ImageFormat, ImageHeader
from formats.image_header import detect_format, parse_header
from matcher.errors import RefusalReason, TrustedImageRefused, record_malformed
from matcher.records.dg2 import (
    FORMAT_DG2,
    ISO_19794_5,
    ISO_39794_5,
    OTHER_RECORDS,
    Dg2,
    modality_of_group,
    parse_dg2,
    wrong_modality,
)
from matcher.records.discrepancies import Discrepancy, of_dg2, of_picture, of_record
from matcher.records.iso_19794 import EDITION_2005, EDITION_2011
from matcher.records.iso_39794 import (
    FORMAT_39794,
    Record39794,
    count_39794,
    parse_39794,
    recognise_39794,
)
from matcher.records.iso_39794.record import not_supported
from matcher.records.metadata import STANDARD_19794, Representation
from matcher.records.views import AnyRepresentation, FacialRecord, representation_of

MAX_BYTES: Final = 2_000_000
"""Default limit of an upload, bytes: the contract's limit."""
MOST_REPRESENTATIONS: Final = 16
"""A record with more faces than this is refused under every policy."""

_FACIAL: Final = b"FAC\0"


class Representations(StrEnum):
    """Whether a policy accepts records with several faces."""

    EXACTLY_ONE = "EXACTLY_ONE"
    """A record must have one face; other records are refused."""
    FIRST = "FIRST"
    """The first face of the first record is used; the others are ignored."""


class Container(StrEnum):
    """The container of the image; ``TrustedImageContent.dg2`` states whether a DG2 encloses it."""

    IMAGE = "IMAGE"
    ISO_19794_5_2005 = "ISO_19794_5_2005"
    ISO_19794_5_2011 = "ISO_19794_5_2011"
    ISO_39794_5 = "ISO_39794_5"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedImageContent:
    """A trusted image, unwrapped but not decoded.

    Attributes:
        image: The bytes of the image file; for a bare image the upload.
        media_type: Format by the first bytes of the image (``formats.image_format.ImageFormat``); None if
            unknown.
        header: The header of the image; None if it cannot be read, which is an error only in decoding.
        representation: The record's declarations about the face; None for a bare image.
        record: The whole record as coded; None for a bare image.
        dg2: The wrapping around the record; None without one.
        discrepancies: Disagreements of the parts; the code stream counts as right.
    """

    container: Container
    image: bytes = field(repr=False)
    media_type: str | None
    header: ImageHeader | None
    representation: Representation | None = None
    record: FacialRecord | None = None
    dg2: Dg2 | None = None
    discrepancies: tuple[Discrepancy, ...] = ()

    @property
    def in_dg2(self) -> bool:
        """Whether an ICAO DG2, or a part of one, encloses the record."""
        return self.dg2 is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """The discrepancies in words."""
        return tuple(one.text for one in self.discrepancies)


def open_trusted_image(
    data: bytes,
    *,
    representations: Representations = Representations.EXACTLY_ONE,
    max_bytes: int = MAX_BYTES,
) -> TrustedImageContent:
    """Unwrap a trusted image.

    Args:
        data: The upload: an image (any of ``formats.image_format.ImageFormat``), an ISO/IEC 19794-5:2005 or
            :2011 record or an ISO/IEC 39794-5 record, or an ICAO DG2 with such a record.
        representations: Whether records with several faces are accepted; a 39794-5 record always has one.
        max_bytes: Limit of the upload; a longer one is refused without reading it.

    Raises:
        TrustedImageRefused: IMAGE_EMPTY, IMAGE_TOO_LARGE; IMAGE_FORMAT_NOT_SUPPORTED for an unknown format or
            a facial record of another version; RECORD_MALFORMED; RECORD_NOT_ONE_FACE;
            ISO_39794_NOT_SUPPORTED for one in XML or without a 2-D image; RECORD_WRONG_MODALITY. A broken
            image is not refused here.
    """
    _require_size(data, max_bytes)
    if data.startswith(_FACIAL):
        return _open_record(data, representations)
    format_ = detect_format(data)
    if format_ is not None:
        return _open_picture(data, format_)
    if _is_39794(data):
        return _open_39794(data)
    modality = modality_of_group(data)
    if modality is None:
        foreign = recognise_foreign(data)
        if foreign is not None:
            raise TrustedImageRefused(
                ImageFault.UNSUPPORTED_FORMAT,
                f"The upload is {foreign.what}. A PNG, JPEG or JPEG 2000 image or a facial record is needed: "
                f"{foreign.instead}.",
                details={"format": foreign.name},
            )
        raise TrustedImageRefused(
            ImageFault.UNSUPPORTED_FORMAT,
            "The upload is not a PNG, JPEG or JPEG 2000 image, nor an ISO/IEC 19794-5 or 39794-5 facial "
            "record, bare or in an ICAO DG2. Send one of these.",
        )
    if modality != "face":
        raise wrong_modality("ICAO DG3" if modality == "finger" else "ICAO DG4", modality)
    return _open_dg2(data, representations)


def _require_size(data: bytes, max_bytes: int) -> None:
    if not data:
        raise TrustedImageRefused(ImageFault.EMPTY, "There are no bytes: send the content of the image file.")
    if len(data) > max_bytes:
        raise TrustedImageRefused(
            ImageFault.TOO_MANY_BYTES,
            f"The upload has {len(data)} bytes, at most {max_bytes} are accepted. Send a smaller image.",
            details={"bytes": len(data), "max_bytes": max_bytes},
        )


def _is_39794(data: bytes) -> bool:
    """Return whether the bytes are a 39794-5 record; refuse records that are recognised but not read."""
    other = OTHER_RECORDS.get(data[:4])
    if other is not None:
        raise wrong_modality(*other)
    found = recognise_39794(data)
    if found is None:
        return False
    if found.format != FORMAT_39794:
        raise wrong_modality(found.format, found.modality)
    if found.xml:
        raise not_supported("is in XML")
    return True


def _open_picture(data: bytes, format_: ImageFormat) -> TrustedImageContent:
    header, _ = _header_of(data)
    return TrustedImageContent(container=Container.IMAGE, image=data, media_type=format_.value, header=header)


def _header_of(image: bytes) -> tuple[ImageHeader | None, str | None]:
    try:
        return parse_header(image), None
    except ImageUnreadable as error:
        return None, str(error)


def _open_record(
    data: bytes, representations: Representations, dg2: Dg2 | None = None
) -> TrustedImageContent:
    edition = next((one for one in (EDITION_2005, EDITION_2011) if data.startswith(one.magic)), None)
    if edition is None:
        raise _unknown_version(data[4:8])
    _require_count(edition.count(data), representations)
    record = edition.parse(data)
    container = Container.ISO_19794_5_2005 if edition is EDITION_2005 else Container.ISO_19794_5_2011
    return _content(container, record, record.representations[0], record.representations[0].image, dg2)


def _open_39794(data: bytes, dg2: Dg2 | None = None) -> TrustedImageContent:
    # The profile allows one representation, so that no policy accepts more.
    _require_count(count_39794(data), Representations.EXACTLY_ONE)
    record = parse_39794(data)
    image = record.picture.representation_data
    return _content(Container.ISO_39794_5, record, record.representation, image, dg2)


def _content(
    container: Container,
    record: FacialRecord,
    face: AnyRepresentation,
    image: bytes,
    dg2: Dg2 | None,
) -> TrustedImageContent:
    view = representation_of(face)
    format_ = detect_format(image)
    header, fault = _header_of(image)
    format_type = ISO_39794_5 if isinstance(record, Record39794) else ISO_19794_5
    return TrustedImageContent(
        container=container,
        image=image,
        media_type=None if format_ is None else format_.value,
        header=header,
        representation=view,
        record=record,
        dg2=dg2,
        discrepancies=(
            *(() if dg2 is None else of_dg2(dg2, format_type=format_type)),
            *of_record(record),
            *of_picture(face, view, found_format=format_, header=header, fault=fault),
        ),
    )


def _open_dg2(data: bytes, representations: Representations) -> TrustedImageContent:
    dg2 = parse_dg2(data)
    if len(dg2.blocks) > 1 and representations is Representations.EXACTLY_ONE:
        raise TrustedImageRefused(
            RefusalReason.RECORD_NOT_ONE_FACE,
            f"The DG2 holds {len(dg2.blocks)} records. Send the one that shows the person to be checked.",
            details={
                "representations": len(dg2.blocks),
                "required_representations": 1,
                "records": len(dg2.blocks),
            },
        )
    record = dg2.blocks[0].content
    if record.startswith(_FACIAL):
        return _open_record(record, representations, dg2)
    if _is_39794(record):
        return _open_39794(record, dg2)
    raise record_malformed(FORMAT_DG2, "its biometric data block is no facial record", field="5F2E")


def _require_count(count: int, representations: Representations) -> None:
    """Check the number of faces before a face is read."""
    if count == 1 or (representations is Representations.FIRST and 1 <= count <= MOST_REPRESENTATIONS):
        return
    required = 1 if representations is Representations.EXACTLY_ONE else MOST_REPRESENTATIONS
    wanted = "exactly 1 is accepted" if required == 1 else f"1 to {required} are accepted"
    raise TrustedImageRefused(
        RefusalReason.RECORD_NOT_ONE_FACE,
        f"The record holds {count} faces; {wanted}. Send a record with only the person to be checked.",
        details={"representations": count, "required_representations": required},
    )


def _unknown_version(version: bytes) -> TrustedImageRefused:
    if len(version) < 4:
        return record_malformed(STANDARD_19794, "the header is cut off", field="version", offset=4)
    # Escaped, because text of a file must not control the terminal that shows it.
    shown = ascii(version.rstrip(b"\0").decode("latin-1"))[1:-1]
    return TrustedImageRefused(
        ImageFault.UNSUPPORTED_FORMAT,
        f"The upload is an ISO/IEC 19794-5 facial record of version '{shown}'; versions '010' (2005) and "
        "'030' (2011) are read. Send one of these, or the picture itself.",
        details={"format": STANDARD_19794, "version": shown},
    )
