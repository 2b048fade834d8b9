"""Decodes JPEG 2000 and WebP to pixels, in the worker.

Pillow's plug-in for WebP is called by name. ``Image.open`` would search for others and load them at a time
when nothing can be loaded any more.
"""

import io
from collections.abc import Iterator
from typing import Final

from PIL import Image, WebPImagePlugin

from vision.isolation.code_stream import CodeStreamBroken, TooManyPackets, require_whole
from vision.isolation.openjpeg import ColoursNotSupported, decode_jpeg2000
from vision.isolation.protocol import Message, MessageKind, PixelLayout, StillCode, Unable

__all__ = ["decode_still"]

_RAW: Final = {
    "L": (PixelLayout.GREY, "L"),
    "LA": (PixelLayout.GREY_ALPHA, "LA"),
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
        picture = _jpeg2000(data, width, height) if code == StillCode.JPEG2000 else _webp(data, width, height)
        if isinstance(picture, Unable):
            yield Message(MessageKind.UNABLE, (picture,))
            return
        plain = picture if picture.mode in _RAW else picture.convert("RGBA")
        mode, raw = _RAW[plain.mode]
        pixels = plain.tobytes("raw", raw)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - Pillow raises many kinds on hostile bytes
        yield Message(MessageKind.UNABLE, (Unable.DOES_NOT_DECODE,))
        return
    yield Message(MessageKind.PIXELS, (mode, width, height), pixels)


def _jpeg2000(data: bytes, width: int, height: int) -> Image.Image | Unable:
    try:
        require_whole(data)
        return decode_jpeg2000(data, width, height) or Unable.ANOTHER_SIZE
    except CodeStreamBroken:
        return Unable.INCOMPLETE
    except TooManyPackets:
        return Unable.TOO_MANY_PACKETS
    except ColoursNotSupported:
        return Unable.COLOURS_NOT_SUPPORTED


def _webp(data: bytes, width: int, height: int) -> Image.Image | Unable:
    picture = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    if picture.size != (width, height):
        return Unable.ANOTHER_SIZE
    if picture.n_frames != 1:
        return Unable.ANIMATED
    picture.load()
    return picture
