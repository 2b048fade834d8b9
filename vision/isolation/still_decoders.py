"""Decodes JPEG 2000 and WebP to pixels, in the worker.

Pillow's plug-ins are called by name. ``Image.open`` would search for others and load them at a time when
nothing can be loaded any more.
"""

import io
from collections.abc import Iterator
from typing import Final

from PIL import Image, Jpeg2KImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile

from vision.isolation.protocol import Message, MessageKind, PixelLayout, StillCode, Unable

__all__ = ["decode_still"]

_RAW: Final = {
    "L": (PixelLayout.GREY, "L"),
    "LA": (PixelLayout.GREY_ALPHA, "LA"),
    "I;16": (PixelLayout.GREY_16, "I;16"),
    "RGB": (PixelLayout.BGR, "BGR"),
    "RGBA": (PixelLayout.BGRA, "BGRA"),
}
"""Pixel layout and name of the raw layout, by Pillow's mode."""

# The server tested the declared size against its own limits; Pillow's limit would only be stricter.
Image.MAX_IMAGE_PIXELS = None


def decode_still(numbers: tuple[int, ...], data: bytes) -> Iterator[Message]:
    """Decodes one image.

    Args:
        numbers: ``StillCode``, and the width and height that the server read from the header.
        data: The file.

    Raises:
        MemoryError: Decoding exceeds the worker's memory.
    """
    code, width, height = numbers[:3]
    try:
        with _open(StillCode(code), data) as picture:
            if picture.size != (width, height):
                yield Message(MessageKind.UNABLE, (Unable.ANOTHER_SIZE,))
                return
            if getattr(picture, "n_frames", 1) != 1:
                yield Message(MessageKind.UNABLE, (Unable.ANIMATED,))
                return
            picture.load()
            plain: Image.Image = picture if picture.mode in _RAW else picture.convert("RGBA")
            mode, raw = _RAW[plain.mode]
            pixels = plain.tobytes("raw", raw)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - Pillow's plug-ins raise many kinds on hostile bytes
        yield Message(MessageKind.UNABLE, (Unable.DOES_NOT_DECODE,))
        return
    yield Message(MessageKind.PIXELS, (mode, width, height), pixels)


def _open(code: StillCode, data: bytes) -> ImageFile:
    stream = io.BytesIO(data)
    if code is StillCode.JPEG2000:
        return Jpeg2KImagePlugin.Jpeg2KImageFile(stream)
    return WebPImagePlugin.WebPImageFile(stream)
