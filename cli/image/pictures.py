"""Decodes the picture of a trusted image, and finds the eyes in it, for conversions."""

from typing import Final

import numpy as np

from cli.errors import ConversionImpossible
from cli.image.conversion import EyeFinder
from cli.image.files import MOST_BYTES
from formats.image_format import ImageFormat
from formats.image_header import detect_format
from matcher.records import EyeCentres
from vision.face import BgrImage
from vision.image import IN_PROCESS, DecodedImage, DecodeLimits, decode_image
from vision.isolation.pool import DecoderPool
from vision.packs import Pack

__all__ = ["decode_picture", "eye_finder"]

_LIMITS: Final = DecodeLimits(max_bytes=MOST_BYTES, max_pixels=50_000_000, max_side=12_000)


def decode_picture(image: bytes) -> DecodedImage:
    """Decodes a picture, turned upright: JPEG 2000 in an isolated process.

    Raises:
        vision.errors.VisionError: The picture does not decode, or exceeds a limit.
    """

    def decoded(pool: DecoderPool | None) -> DecodedImage:
        return decode_image(
            image,
            limits=_LIMITS,
            formats=frozenset(ImageFormat),
            honour_exif_orientation=True,
            still_decoder=pool,
        )

    if detect_format(image) in IN_PROCESS:
        return decoded(None)
    with DecoderPool() as pool:
        return decoded(pool)


def eye_finder(pack: Pack) -> EyeFinder:
    """Returns a function that finds the eyes of the only face with a pack."""

    def find(image: BgrImage) -> EyeCentres:
        faces = pack.detector.detect(image)
        if len(faces) != 1:
            raise ConversionImpossible(
                f"the pack found {len(faces)} faces, but a record holds one; convert without --pack, or crop "
                "the picture first"
            )
        # Left is the image's left in a pack, and the person's left in a record.
        right, left = np.rint(faces[0].five_points[:2]).astype(int).tolist()
        return EyeCentres(left=_inside(left, image), right=_inside(right, image))

    return find


def _inside(point: list[int], image: BgrImage) -> tuple[int, int]:
    height, width = image.shape[:2]
    return min(max(point[0], 0), width - 1), min(max(point[1], 0), height - 1)
