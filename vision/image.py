"""Decodes and encodes images, within limits.

All input may be hostile. The number of bytes is tested before parsing, the declared pixels before
allocating, and the decoded image against its own header. JPEG, PNG and BMP are decoded in this process. JPEG
2000 and WebP need a decoder of the caller, such as ``vision.isolation.pool.DecoderPool``
(docs/adr/0007-isolation.md).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Protocol

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from formats.colour_profile import has_other_colours
from formats.errors import ImageFault, ImageUnreadable
from formats.foreign_format import recognise_foreign
from formats.image_format import ImageFormat, ImageHeader, malformed
from formats.image_header import detect_format, parse_header, picture_chunks
from formats.jpeg import MOST_PADDING, picture_segments, with_other_ends
from vision.errors import ImageError
from vision.face import BgrImage

GreyImage = NDArray[np.uint8]
"""An 8-bit grey image, shape (height, width)."""

IN_PROCESS: Final = frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.BMP})
"""The formats that need no isolated decoder."""

_MOST_PIXELS = 80_000_000
_WHITE = 255
_BAND_ROWS = 64
_PADDING = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_END_MARKER = "d9"
_SAMPLING = "Could not determine subsampling level"
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """The limits of a decoded image.

    Attributes:
        max_bytes: The largest size of the file, 1 or more.
        max_pixels: The most declared pixels, width times height, 1..80 000 000.
        max_side: The greatest declared length of the longer side, pixels.
        min_side: The least declared length of the shorter side, pixels.

    Raises:
        ValueError: A limit is out of its range, which is a mistake in the caller's code.
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


class StillDecoder(Protocol):
    """Decodes, isolated from this process, the formats that are not decoded in it."""

    def decode_still(self, data: bytes, *, header: ImageHeader) -> NDArray[np.uint8]:
        """Decode one image.

        The length of the file and the size that its header declares were tested.

        Returns:
            The pixels as shown: shape (height, width) grey, or (height, width, 3 or 4) BGR or BGRA; 8 bits.

        Raises:
            ImageError: The image does not decode.
            DecoderUnavailable: No decoder is free now.
        """


@contextmanager
def _errors_of_this_room() -> Iterator[None]:
    try:
        yield
    except ImageUnreadable as error:
        raise ImageError.of(error) from error


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A decoded image and its header.

    Attributes:
        pixels: Shape (height, width, 3), BGR; upright if EXIF was honoured.
        header: The header; its width and height are the stored ones.
    """

    pixels: BgrImage
    header: ImageHeader


@_errors_of_this_room()
def decode_image(
    data: bytes,
    *,
    limits: DecodeLimits,
    formats: frozenset[ImageFormat],
    honour_exif_orientation: bool,
    still_decoder: StillDecoder | None = None,
) -> DecodedImage:
    """Decode one image to 8-bit BGR.

    Grey becomes three equal channels, palettes and CMYK become BGR, 16 bits keep their upper 8, and
    transparency is laid over white, as a viewer shows it.

    Args:
        limits: The limits of the image.
        formats: The accepted formats; any other is refused before it is parsed.
        honour_exif_orientation: Whether to apply the EXIF orientation. True for files from people and other
            software; False for frames, because the protocol states their rotation.
        still_decoder: Decodes JPEG 2000 and WebP, and converts what has a colour profile to sRGB. Without it
            the former are refused as UNSUPPORTED_FORMAT, even if ``formats`` contains them, and profiles are
            passed over, as in frames of a scan.

    Raises:
        ImageError: The image is refused; the error has the reason and its numbers.
        DecoderUnavailable: The isolated decoder cannot take the image now.
    """
    header = _checked_header(data, limits, formats)
    pixels = _decode(data, header, still_decoder)
    if pixels.shape != (header.height, header.width, 3):
        raise malformed(header.format, "the decoded image has another size than the header declares")
    if honour_exif_orientation:
        pixels = apply_orientation(pixels, header.orientation)
    return DecodedImage(pixels=pixels, header=header)


@dataclass(frozen=True, slots=True)
class DecodedLuma:
    """The luma of an image and its header.

    Attributes:
        pixels: Shape (height, width).
    """

    pixels: GreyImage
    header: ImageHeader


@_errors_of_this_room()
def decode_jpeg_luma(data: bytes, *, limits: DecodeLimits) -> DecodedLuma:
    """Decode a JPEG's luma alone, at two thirds of the cost of its colours; ignore EXIF orientation.

    The result equals the grey of ``decode_image``'s colours, but for rounding.

    Raises:
        ImageError: As ``decode_image`` with JPEG as the only format.
    """
    header = _checked_header(data, limits, frozenset({ImageFormat.JPEG}))
    pixels = _decode_jpeg(data, "GRAY")[..., 0]
    if pixels.shape != (header.height, header.width):
        raise malformed(header.format, "the decoded image has another size than the header declares")
    return DecodedLuma(pixels=pixels, header=header)


@_errors_of_this_room()
def decode_jpeg_blocks(data: bytes, *, limits: DecodeLimits) -> GreyImage:
    """Decode the mean luma of each block of 8 x 8 pixels, from its first coefficient alone.

    The result depends on the coded picture only: neither on its markers, comments and Huffman tables nor on
    how far other code decodes it. Ignores EXIF orientation.

    Returns:
        Shape (height / 8, width / 8), both rounded up.

    Raises:
        ImageError: As ``decode_image`` with JPEG as the only format.
    """
    _checked_header(data, limits, frozenset({ImageFormat.JPEG}))
    return _decode_jpeg(data, "GRAY", reduced=8)[..., 0]


@_errors_of_this_room()
def validate_jpeg(data: bytes, *, limits: DecodeLimits) -> ImageHeader:
    """Test a JPEG's header and end without decoding it, and return the header.

    Raises:
        ImageError: The file is not a JPEG, its header is malformed or exceeds a limit, or its end is missing.
    """
    header = _checked_header(data, limits, frozenset({ImageFormat.JPEG}))
    if data.rfind(_JPEG_END) < data.find(_JPEG_SCAN):
        raise malformed(ImageFormat.JPEG, "the image data are cut off")
    return header


_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def rotate_upright(image: BgrImage | GreyImage, degrees: int, mirrored: bool) -> BgrImage:
    """Undo the rotation and mirroring of a scan frame.

    Args:
        degrees: The clockwise rotation that makes it upright: 0, 90, 180 or 270.
        mirrored: Whether the upright image is a mirror image, as selfie previews are; it is mirrored back
            after the rotation.

    Raises:
        ValueError: Another angle, which is a mistake in the caller's code.
    """
    if degrees not in {0, *_TURNS}:
        raise ValueError(f"frames are rotated by 0, 90, 180 or 270 degrees, not {degrees}")
    upright = image if degrees == 0 else cv2.rotate(image, _TURNS[degrees]).astype(np.uint8, copy=False)
    return cv2.flip(upright, 1).astype(np.uint8, copy=False) if mirrored else upright


def apply_orientation(image: BgrImage, orientation: int) -> BgrImage:
    """Return the upright image.

    Args:
        orientation: EXIF orientation, 1..8; any other value counts as 1.
    """
    if orientation in {5, 7}:
        image = np.ascontiguousarray(image.transpose(1, 0, 2))
    upright: BgrImage = image
    match orientation:
        case 2:
            upright = cv2.flip(image, 1).astype(np.uint8, copy=False)
        case 3 | 7:
            upright = cv2.rotate(image, cv2.ROTATE_180).astype(np.uint8, copy=False)
        case 4:
            upright = cv2.flip(image, 0).astype(np.uint8, copy=False)
        case 6:
            upright = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE).astype(np.uint8, copy=False)
        case 8:
            upright = cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE).astype(np.uint8, copy=False)
    return upright


@_errors_of_this_room()
def encode_jpeg(image: BgrImage, quality: int = 90) -> bytes:
    """Encode an image as JPEG.

    Args:
        image: Shape (height, width, 3), BGR.
        quality: 1..100.

    Raises:
        ImageError: MALFORMED, if the array is not such an image (empty, or a side above 65 500).
    """
    try:
        done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise malformed(ImageFormat.JPEG, "the pixels cannot be encoded") from error
    if not done:
        raise malformed(ImageFormat.JPEG, "the pixels cannot be encoded")
    return data.tobytes()


def _checked_header(data: bytes, limits: DecodeLimits, formats: frozenset[ImageFormat]) -> ImageHeader:
    _require_bytes(data, limits)
    _require_format(data, formats)
    header = parse_header(data)
    _require_pixels(header, limits)
    return header


def _require_bytes(data: bytes, limits: DecodeLimits) -> None:
    if len(data) > limits.max_bytes:
        raise ImageError(
            ImageFault.TOO_MANY_BYTES,
            f"the image has {len(data)} bytes; at most {limits.max_bytes} are accepted",
            details={"bytes": len(data), "max_bytes": limits.max_bytes},
        )


def _require_format(data: bytes, formats: frozenset[ImageFormat]) -> None:
    found = detect_format(data)
    if not data or found in formats:
        return
    accepted = ", ".join(sorted(format_.name for format_ in formats))
    foreign = None if found else recognise_foreign(data)
    if foreign is not None:
        message = f"the file is {foreign.what}; accepted are {accepted}: {foreign.instead}"
    else:
        message = f"the image is {found.name if found else 'of an unknown format'}; accepted are {accepted}"
    name = found or foreign
    raise ImageError(
        ImageFault.UNSUPPORTED_FORMAT,
        message,
        details={"format": name.name if name else "unknown", "accepted": accepted},
    )


def _require_pixels(header: ImageHeader, limits: DecodeLimits) -> None:
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
            f"the image is {header.width} x {header.height} pixels; needed are {limits.min_side} a side",
            details=size | {"min_side": limits.min_side},
        )


def _decode(data: bytes, header: ImageHeader, still_decoder: StillDecoder | None) -> BgrImage:
    in_process = _DECODERS.get(header.format)
    if in_process is not None:
        pixels = in_process(data)
        if still_decoder is None or not has_other_colours(data):
            return pixels
        try:
            return _to_bgr(still_decoder.decode_still(data, header=header))
        except ImageError as error:
            # What only this process can read keeps its colours as they are.
            if error.reason is ImageFault.MALFORMED:
                return pixels
            raise
    if still_decoder is None:
        raise ImageError(
            ImageFault.UNSUPPORTED_FORMAT,
            f"the image is {header.format.name}, which is decoded in isolation only, and no such decoder "
            "runs here; send JPEG or PNG",
            details={"format": header.format.name},
        )
    return _to_bgr(still_decoder.decode_still(data, header=header))


def _imdecode(data: bytes, flags: int, format_: ImageFormat) -> NDArray[np.uint8] | NDArray[np.uint16]:
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise malformed(format_, "the image data do not decode") from error
    if decoded is None:
        raise malformed(format_, "the image data do not decode")
    if decoded.dtype == np.uint16:
        return decoded.astype(np.uint16, copy=False)
    return decoded.astype(np.uint8, copy=False)


def _decode_jpeg(data: bytes, colours: str = "BGR", *, reduced: int = 1) -> NDArray[np.uint8]:
    """Decode to shape (height, width, 3), or (height, width, 1) for ``GRAY``, both divided by ``reduced``."""
    # The decoder fills missing data with grey and warns. simplejpeg reports the first warning only.
    refused: ValueError | None = None
    # The smallest picture that is at least one pixel high and reduced by at least this factor, at most 8.
    scale = {"min_height": 1, "min_factor": reduced} if reduced > 1 else {}
    for trimmed in (False, True):
        picture = picture_segments(data, trimmed=trimmed)
        try:
            pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(picture, colours, **scale)
        except ValueError as error:
            if _SAMPLING in str(error):
                return _decode_rare_jpeg(picture, colours, reduced=reduced)
            refused = error
            padding = _PADDING.fullmatch(str(error))
            if padding is None or int(padding[1]) > MOST_PADDING:
                break
            if padding[2] != _END_MARKER:
                continue
            pixels = simplejpeg.decode_jpeg(picture, colours, strict=False, **scale)
        return pixels
    raise _incomplete() from refused


def _incomplete() -> ImageUnreadable:
    return malformed(
        ImageFormat.JPEG, "the picture is incomplete: image data are missing or damaged; send the whole file"
    )


def _decode_rare_jpeg(picture: bytes, colours: str, *, reduced: int) -> NDArray[np.uint8]:
    """Decode as ``_decode_jpeg`` what simplejpeg does not: a rare sampling of colours, such as 4:1:0 or 3x1.

    Pillow decodes it as viewers do, and passes no warnings on. So whether data are missing is found by
    decoding it with other ends.
    """
    whole = _decode_by_pillow(picture, "BGR")
    for last, same in ((0, True), (MOST_PADDING + 1, False)):
        other = _decode_by_pillow(with_other_ends(picture, last=last), "BGR")
        if np.array_equal(whole, other) is not same:
            raise _incomplete()
    return whole if colours == "BGR" else _decode_by_pillow(picture, colours, reduced=reduced)


def _decode_by_pillow(picture: bytes, colours: str, *, reduced: int = 1) -> NDArray[np.uint8]:
    grey = colours == "GRAY"
    try:
        with Image.open(BytesIO(picture), formats=("JPEG",)) as image:
            smaller = tuple(max(1, side // reduced) for side in image.size)
            image.draft("L" if grey else "RGB", (smaller[0], smaller[1]))
            pixels = np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise malformed(ImageFormat.JPEG, "the image data do not decode") from error
    return pixels[..., None] if grey else np.ascontiguousarray(pixels[..., ::-1])


def _decode_png(data: bytes) -> BgrImage:
    return _to_bgr(_imdecode(picture_chunks(data), cv2.IMREAD_UNCHANGED, ImageFormat.PNG))


def _decode_bmp(data: bytes) -> BgrImage:
    # Most writers fill the fourth byte of a pixel with arbitrary values, so it is not transparency.
    return _imdecode(data, cv2.IMREAD_COLOR_BGR, ImageFormat.BMP).astype(np.uint8, copy=False)


_DECODERS: Final[dict[ImageFormat, Callable[[bytes], BgrImage]]] = {
    ImageFormat.JPEG: _decode_jpeg,
    ImageFormat.PNG: _decode_png,
    ImageFormat.BMP: _decode_bmp,
}


def _to_bgr(stored: NDArray[np.uint8] | NDArray[np.uint16]) -> BgrImage:
    """Convert grey, BGR or BGRA of 8 or 16 bits to 8-bit BGR."""
    if stored.ndim == 2:
        return cv2.cvtColor(_eight_bits(stored), cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)
    if stored.shape[2] == 3:
        return _eight_bits(stored)
    bgr = np.empty((*stored.shape[:2], 3), np.uint8)
    # In bands, because blending needs several times the memory of its input.
    for top in range(0, len(stored), _BAND_ROWS):
        band = _eight_bits(stored[top : top + _BAND_ROWS])
        alpha = band[..., 3:].astype(np.uint16)
        blended = (band[..., :3] * alpha + _WHITE * (_WHITE - alpha) + _WHITE // 2) // _WHITE
        bgr[top : top + _BAND_ROWS] = blended
    return bgr


def _eight_bits(stored: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    if stored.dtype == np.uint16:
        return (stored >> 8).astype(np.uint8)
    return stored.astype(np.uint8, copy=False)
