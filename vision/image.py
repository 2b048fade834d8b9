"""Bytes to pixels, and back, within limits.

Everything that arrives is hostile: the number of bytes is checked before parsing, the declared
pixels before allocating, and the decoded picture against its own header.
"""

import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vision.errors import ImageError, ImageFault
from vision.exif import apply_orientation
from vision.face import BgrImage
from vision.image_header import ImageFormat, ImageHeader, detect_format, parse_header

__all__ = ["DecodeLimits", "DecodedImage", "decode_image", "encode_jpeg", "rotate_upright"]

_MOST_PIXELS = 80_000_000
_MOST_SCANS = 64
_WHITE = 255


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What may be decoded at most, and at least.

    Attributes:
        max_bytes: Length of the file, 1 or more.
        max_pixels: Declared width times height, 1..80 000 000 (below the guard of Pillow, so that
            the limit here always speaks first).
        max_side: Declared longer side, pixels.
        min_side: Declared shorter side, pixels.

    Raises:
        ValueError: A limit that limits nothing or allows nothing; a mistake of the caller's code.
    """

    max_bytes: int
    max_pixels: int
    max_side: int
    min_side: int = 1

    def __post_init__(self) -> None:
        if not (self.max_bytes >= 1 and 1 <= self.max_pixels <= _MOST_PIXELS):
            raise ValueError(f"max_bytes must be at least 1 and max_pixels within 1..{_MOST_PIXELS}")
        if not 1 <= self.min_side <= self.max_side:
            raise ValueError("min_side must be at least 1 and at most max_side")


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A picture and what its file said.

    Attributes:
        pixels: Shape (height, width, 3), BGR; upright if EXIF was honoured.
        header: The header; its width and height are the stored ones.
    """

    pixels: BgrImage
    header: ImageHeader


def decode_image(
    data: bytes,
    *,
    limits: DecodeLimits,
    formats: frozenset[ImageFormat],
    honour_exif_orientation: bool,
) -> DecodedImage:
    """Decode one still picture to 8-bit BGR.

    Grey becomes three equal channels, palettes and CMYK become BGR, 16 bits keep their upper 8, and
    transparency is laid over white, as a viewer shows it.

    Args:
        data: The file.
        limits: What may be decoded.
        formats: What the caller accepts; anything else is refused before it is parsed.
        honour_exif_orientation: True for files from people and other software; False for frames
            whose rotation the protocol states.

    Raises:
        ImageError: With the fault and its numbers.
    """
    _check_bytes(data, limits)
    _check_format(data, formats)
    header = parse_header(data)
    _check_pixels(header, limits)
    pixels = _decode(data, header)
    if pixels.shape != (header.height, header.width, 3):
        raise _malformed(header.format, "the decoded picture has another size than the header declares")
    if honour_exif_orientation:
        pixels = apply_orientation(pixels, header.orientation)
    return DecodedImage(pixels=pixels, header=header)


_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def rotate_upright(image: BgrImage, degrees: int, mirrored: bool) -> BgrImage:
    """Undo what a camera did to a scan frame.

    Args:
        image: The frame as decoded.
        degrees: How far to turn it clockwise so that it is upright: 0, 90, 180 or 270.
        mirrored: True if the upright picture is a mirror image, as selfie previews are; it is
            mirrored back after turning.

    Raises:
        ValueError: Another angle; a mistake of the caller's code.
    """
    if degrees not in {0, *_TURNS}:
        raise ValueError(f"frames are turned by 0, 90, 180 or 270 degrees, not {degrees}")
    upright = image if degrees == 0 else cv2.rotate(image, _TURNS[degrees]).astype(np.uint8, copy=False)
    return cv2.flip(upright, 1).astype(np.uint8, copy=False) if mirrored else upright


def encode_jpeg(image: BgrImage, quality: int = 90) -> bytes:
    """Encode as JPEG.

    Args:
        image: Shape (height, width, 3), BGR.
        quality: 1..100.

    Raises:
        ImageError: MALFORMED, if the array is no such image (empty, or a side above 65 500).
    """
    try:
        done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise _malformed(ImageFormat.JPEG, "the pixels cannot be encoded") from error
    if not done:
        raise _malformed(ImageFormat.JPEG, "the pixels cannot be encoded")
    return data.tobytes()


def _malformed(format_: ImageFormat, what: str) -> ImageError:
    return ImageError(ImageFault.MALFORMED, f"{format_.name}: {what}", details={"format": format_.name})


def _check_bytes(data: bytes, limits: DecodeLimits) -> None:
    if len(data) > limits.max_bytes:
        raise ImageError(
            ImageFault.TOO_MANY_BYTES,
            f"the image has {len(data)} bytes, at most {limits.max_bytes} are accepted",
            details={"bytes": len(data), "max_bytes": limits.max_bytes},
        )


def _check_format(data: bytes, formats: frozenset[ImageFormat]) -> None:
    found = detect_format(data)
    if not data or found in formats:
        return
    accepted = ", ".join(sorted(format_.name for format_ in formats))
    raise ImageError(
        ImageFault.UNSUPPORTED_FORMAT,
        f"the image is {found.name if found else 'of an unknown format'}; accepted are {accepted}",
        details={"format": found.name if found else "unknown", "accepted": accepted},
    )


def _check_pixels(header: ImageHeader, limits: DecodeLimits) -> None:
    size: dict[str, str | int | float] = {"width": header.width, "height": header.height}
    longer, shorter = max(header.width, header.height), min(header.width, header.height)
    if header.pixels > limits.max_pixels or longer > limits.max_side:
        raise ImageError(
            ImageFault.TOO_MANY_PIXELS,
            f"the image is {header.width} x {header.height} pixels; accepted are at most "
            f"{limits.max_pixels} pixels and {limits.max_side} a side",
            details=size | {"max_pixels": limits.max_pixels, "max_side": limits.max_side},
        )
    if shorter < limits.min_side:
        raise ImageError(
            ImageFault.TOO_SMALL,
            f"the image is {header.width} x {header.height} pixels, needed are {limits.min_side} a side",
            details=size | {"min_side": limits.min_side},
        )


def _decode(data: bytes, header: ImageHeader) -> BgrImage:
    match header.format:
        case ImageFormat.JPEG:
            return _decode_jpeg(data)
        case ImageFormat.PNG:
            return _decode_png(data)
        case ImageFormat.JP2 | ImageFormat.J2K:
            return _decode_jpeg2000(data, header)


def _imdecode(data: bytes, flags: int, format_: ImageFormat) -> NDArray[np.uint8] | NDArray[np.uint16]:
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise _malformed(format_, "the picture data do not decode") from error
    if decoded is None:
        raise _malformed(format_, "the picture data do not decode")
    if decoded.dtype == np.uint16:
        return decoded.astype(np.uint16, copy=False)
    return decoded.astype(np.uint8, copy=False)


def _decode_jpeg(data: bytes) -> BgrImage:
    # Each scan of a progressive file walks all coefficients, so a small file of thousands of empty
    # scans would keep a core busy for minutes. Encoders use about ten.
    if data.count(b"\xff\xda") > _MOST_SCANS:
        raise _malformed(ImageFormat.JPEG, f"more than {_MOST_SCANS} scans")
    # The decoder fills what is missing with grey and does not say so.
    if data.rfind(b"\xff\xd9") < data.find(b"\xff\xda"):
        raise _malformed(ImageFormat.JPEG, "the picture data are cut off")
    pixels = _imdecode(data, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION, ImageFormat.JPEG)
    return pixels.astype(np.uint8, copy=False)


def _decode_png(data: bytes) -> BgrImage:
    if data.rfind(b"IEND") < data.find(b"IDAT"):
        raise _malformed(ImageFormat.PNG, "the picture data are cut off")
    return _to_bgr(_imdecode(data, cv2.IMREAD_UNCHANGED, ImageFormat.PNG))


def _decode_jpeg2000(data: bytes, header: ImageHeader) -> BgrImage:
    # Pillow's plug-ins raise many kinds of exception on hostile bytes, none of which may pass.
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG2000",)) as picture:
            if picture.size != (header.width, header.height):
                raise _malformed(header.format, "its headers declare different sizes")
            picture.load()
            deep = picture.mode.startswith("I;16")
            stored = np.asarray(picture if deep or picture.mode in {"L", "LA"} else picture.convert("RGBA"))
    except ImageError:
        raise
    except Exception as error:
        raise _malformed(header.format, "the picture data do not decode") from error
    if stored.ndim == 2:
        return _to_bgr(stored.astype(np.uint16, copy=False) if deep else stored.astype(np.uint8, copy=False))
    if stored.shape[2] == 2:
        grey, alpha = stored[..., 0], stored[..., 1]
        return _to_bgr(np.dstack([grey, grey, grey, alpha]).astype(np.uint8, copy=False))
    return _to_bgr(stored[..., [2, 1, 0, 3]].astype(np.uint8, copy=False))


def _to_bgr(stored: NDArray[np.uint8] | NDArray[np.uint16]) -> BgrImage:
    """Any of grey, BGR and BGRA with 8 or 16 bits to 8-bit BGR."""
    pixels = (
        (stored >> 8).astype(np.uint8) if stored.dtype == np.uint16 else stored.astype(np.uint8, copy=False)
    )
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    if int(alpha.min()) == _WHITE:
        return np.ascontiguousarray(pixels[..., :3])
    blended = (pixels[..., :3] * alpha + _WHITE * (_WHITE - alpha) + _WHITE // 2) // _WHITE
    return blended.astype(np.uint8)
