"""Decodes selfies and still frames to upright pixels, within limits."""

from typing import Final

from formats.errors import ImageFault
from formats.foreign_format import recognise_foreign
from formats.image_format import ImageFormat
from formats.image_header import detect_format
from server.analysis.results import AnalysisRefused
from server.base.errors import camel
from server.checks.refusals import REASONS, no_decoder_free
from vision.errors import DecoderUnavailable, ImageError
from vision.image import DecodedImage, DecodeLimits, StillDecoder, decode_image

FORMATS: Final = frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.BMP})
"""The formats of selfies and still frames."""

SELFIE_LIMITS: Final = DecodeLimits(max_bytes=10_000_000, max_pixels=50_000_000, max_side=16_384)
"""Limits of a selfie; phones make images of 50 million pixels."""

FRAME_LIMITS: Final = DecodeLimits(max_bytes=10_000_000, max_pixels=2_100_000, max_side=4_096)
"""Limits of a still frame, which is no larger than a frame of a scan."""


def decode_still(
    content: bytes,
    *,
    limits: DecodeLimits,
    still_decoder: StillDecoder | None,
    frame_index: int | None = None,
) -> DecodedImage:
    """Decode an image upright.

    Args:
        content: The bytes of the file.
        still_decoder: Decodes WebP in isolation; without it, WebP is refused.
        frame_index: The index of the still frame, for the refusal; ``None`` for a selfie.

    Raises:
        AnalysisRefused: The file cannot be used.
        Refusal: No decoder is free (OVERLOADED).
    """
    try:
        return decode_image(
            content,
            limits=limits,
            formats=FORMATS,
            honour_exif_orientation=True,
            still_decoder=still_decoder,
        )
    except ImageError as error:
        raise _refused(error, content, frame_index) from error
    except DecoderUnavailable as error:
        raise no_decoder_free(error, "decoder for this image format") from error


def _refused(error: ImageError, content: bytes, frame_index: int | None) -> AnalysisRefused:
    message = str(error)
    unknown = detect_format(content) is None and recognise_foreign(content) is None
    if error.reason is ImageFault.UNSUPPORTED_FORMAT and unknown:
        message = "the bytes are not JPEG, PNG, WebP or BMP: send one of these; the file name does not matter"
    details = camel(error.details)
    if frame_index is not None:
        message = f"still frame {frame_index}: {message}"
        details["frameIndex"] = frame_index
    return AnalysisRefused(REASONS[error.reason], message, details=details)
