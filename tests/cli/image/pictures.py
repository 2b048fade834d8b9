"""Small images of every format, and records that contain them."""

import io

import numpy as np
from PIL import Image

from matcher.records import RecordMetadata, RecordVersion, build_record, serialise

WIDTH, HEIGHT = 60, 80


def _image() -> Image.Image:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return Image.fromarray(np.dstack([x * 4, y * 3, 255 - x * 2 - y]).astype(np.uint8))


def picture(format_: str, **options: object) -> bytes:
    """A smooth image of 60 x 80 pixels, as Pillow writes it."""
    stored = io.BytesIO()
    _image().save(stored, format=format_, **options)
    return stored.getvalue()


def turned_jpeg() -> bytes:
    """The same, stored with a quarter turn to the left: EXIF orientation 6 makes it upright."""
    stored = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    _image().rotate(90, expand=True).save(stored, format="JPEG", exif=exif)
    return stored.getvalue()


def record(version: RecordVersion, metadata: RecordMetadata | None = None) -> bytes:
    """A record that contains the JPEG."""
    return serialise(build_record(picture("JPEG"), version=version, metadata=metadata))
