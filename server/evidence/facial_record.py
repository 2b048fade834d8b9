"""The evidence frame as a facial record of ISO/IEC 19794-5:2011."""

from matcher import RecordInvalid
from matcher.records import (
    CaptureSource,
    PostAcquisition,
    RecordMetadata,
    RecordVersion,
    build_record,
    serialise,
)
from server.verdict.record import ImageFacts
from vision.errors import ImageError
from vision.image import DecodeLimits, decode_image, encode_jpeg, rotate_upright
from vision.image_format import ImageFormat

__all__ = ["facial_record"]

_QUALITY = 95
_LIMITS = DecodeLimits(max_bytes=2_000_000, max_pixels=25_000_000, max_side=10_000)


def facial_record(image: bytes, facts: ImageFacts) -> bytes | None:
    """Returns a frame as a facial record; ``None`` if no record can contain it.

    A record has no field for rotation or mirroring. An upright frame is stored byte for byte. Any other frame
    is made upright and compressed again, which the record states.

    Args:
        image: The frame as received.
        facts: Its rotation and whether it is mirrored.
    """
    processing: frozenset[PostAcquisition] = frozenset()
    try:
        if facts.rotation or facts.mirrored:
            decoded = decode_image(
                image, limits=_LIMITS, formats=frozenset({ImageFormat.JPEG}), honour_exif_orientation=False
            )
            upright = rotate_upright(decoded.pixels, facts.rotation, facts.mirrored)
            image = encode_jpeg(upright, quality=_QUALITY)
            processing = frozenset({PostAcquisition.ROTATED, PostAcquisition.MULTIPLY_COMPRESSED})
        record = build_record(
            image,
            version=RecordVersion.ISO_19794_5_2011,
            metadata=RecordMetadata(
                source=CaptureSource.VIDEO_FRAME_DIGITAL, post_acquisition=processing or None
            ),
        )
    except (ImageError, RecordInvalid):
        return None
    return serialise(record)
