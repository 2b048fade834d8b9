"""A frame as an attempt takes it, the limits of its image, and its decoding to upright pixels."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import cv2
import numpy as np

from device_integrity.camera import FrameClaim
from formats.image_format import ImageFormat, ImageHeader, unsupported
from vision.errors import ImageError
from vision.face import BgrImage
from vision.image import (
    DecodedImage,
    DecodedLuma,
    DecodeLimits,
    GreyImage,
    decode_image,
    decode_jpeg_blocks,
    decode_jpeg_luma,
    rotate_upright,
    validate_jpeg,
)


class FrameUnusable(Exception):
    """A frame's image cannot be decoded, or is not as its header declares. The attempt cannot continue.

    The message states the reason and contains no biometric data.

    Attributes:
        details: Every variable of the message, by its name in snake_case.
    """

    def __init__(self, message: str, *, details: Mapping[str, str | int]) -> None:
        super().__init__(message)
        self.details: Mapping[str, str | int] = MappingProxyType(dict(details))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame(FrameClaim):
    """One frame of an attempt: its image, and what its header claims.

    Attributes:
        image: The encoded image, a JPEG.
        index: Index in the attempt, from 0.
        flash_step_since_us: When the colour step on display appeared, as the device claims, microseconds on
            the device's clock; 0 for none.
    """

    image: bytes
    index: int
    flash_step_since_us: int = 0

    @property
    def claim(self) -> FrameClaim:
        """The claims of the header alone, which may be kept longer than the image."""
        return FrameClaim(
            capture_time_us=self.capture_time_us,
            width=self.width,
            height=self.height,
            rotation_degrees=self.rotation_degrees,
            mirrored=self.mirrored,
            flash_step=self.flash_step,
            exposure=self.exposure,
        )

    @property
    def fingerprint(self) -> int:
        """A 32-bit hash of the image: unrelated images have the same one with a chance of 1 in 2**32."""
        return zlib.crc32(self.image)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLimits:
    """The limits of a frame's image.

    Attributes:
        max_bytes: The largest size of the encoded image, bytes.
        max_pixels: The largest number of pixels.
        min_side: The least length of the shorter side, pixels.
    """

    max_bytes: int = 512 * 1024
    max_pixels: int = 1920 * 1080
    min_side: int = 200


_CHANNELS = 3
_SHORTEST_HALVED = 400
"""The least length of the shorter side at which a frame is halved to measure its light, pixels. Of 14
simulated scans of a person in the dark at 240 x 320, the light was mistaken for light on a flat sheet in 3 if
it was measured at half the size, and in 1 at full size; of 12 scans at 480 x 640, in none."""

Decoded = TypeVar("Decoded", DecodedImage, DecodedLuma)


class FrameDecoder:
    """Decodes frames. Safe to call from several threads at once."""

    def __init__(self, limits: FrameLimits) -> None:
        """Take the limits of a frame's image, which are tested before decoding."""
        self._limits = DecodeLimits(
            max_bytes=limits.max_bytes,
            max_pixels=limits.max_pixels,
            max_side=limits.max_pixels // limits.min_side,
            min_side=limits.min_side,
        )

    def validate_header(self, frame: Frame) -> None:
        """Test the JPEG header of a frame without decoding the image. This takes about 0.02 ms.

        Raises:
            FrameUnusable: The image is not a colour JPEG, its size differs from the frame's header, or it
                exceeds a limit.
        """
        with _refused(frame):
            header = validate_jpeg(frame.image, limits=self._limits)
        _validate_header(frame, header)

    def colour(self, frame: Frame) -> BgrImage:
        """Decode a frame and turn it upright.

        Returns:
            Shape (height, width, 3), in the order blue, green, red.

        Raises:
            FrameUnusable: The image is not a colour JPEG, its size differs from the frame's header, it
                exceeds a limit, or it cannot be decoded.
        """
        return upright(frame, self.coded_colour(frame).pixels)

    def coded_colour(self, frame: Frame) -> DecodedImage:
        """Decode the frame without turning it upright.

        Raises:
            FrameUnusable: As for ``colour``.
        """

        def decode(image: bytes) -> DecodedImage:
            return decode_image(
                image,
                limits=self._limits,
                formats=frozenset({ImageFormat.JPEG}),
                honour_exif_orientation=False,
            )

        return _checked(frame, decode)

    def luma(self, frame: Frame) -> GreyImage:
        """Decode a frame's luma and turn it upright; this costs two thirds of decoding its colours.

        Returns:
            Shape (height, width).

        Raises:
            FrameUnusable: As for ``colour``.
        """
        return upright(frame, self.coded_luma(frame).pixels)

    def coded_luma(self, frame: Frame) -> DecodedLuma:
        """Decode the frame's luma without turning it upright.

        Raises:
            FrameUnusable: As for ``colour``.
        """
        return _checked(frame, lambda image: decode_jpeg_luma(image, limits=self._limits))

    def coded_blocks(self, frame: Frame) -> GreyImage:
        """Decode the mean luma of each block of 8 x 8 pixels; see ``vision.image.decode_jpeg_blocks``.

        Raises:
            FrameUnusable: The image is not a JPEG, it exceeds a limit, or it cannot be decoded.
        """
        with _refused(frame):
            return decode_jpeg_blocks(frame.image, limits=self._limits)


class EncodedFrame:
    """A frame that is decoded once and only as far as needed; implements ``liveness.watch.LazyFrame``."""

    def __init__(self, decoder: FrameDecoder, frame: Frame, *, in_colour: bool = False) -> None:
        """Decode nothing yet.

        Args:
            in_colour: Whether the colours are needed in any case. The luma is then computed from them, which
                gives the same values but for rounding, and saves a second decoding.
        """
        self._decoder = decoder
        self._frame = frame
        self._in_colour = in_colour
        self._colours: BgrImage | None = None
        self._luma: GreyImage | None = None

    def grey(self) -> GreyImage:
        """Return the upright frame's luma, shape (height, width).

        Raises:
            FrameUnusable: As for ``FrameDecoder.colour``.
        """
        return upright(self._frame, self._coded_luma())

    def colour(self) -> BgrImage:
        """Return the upright frame; see ``FrameDecoder.colour``."""
        return upright(self._frame, self._coded_colours())

    def light(self) -> BgrImage:
        """Return the upright frame for measuring its light: at half its size if it is large enough.

        Raises:
            FrameUnusable: As for ``FrameDecoder.colour``.
        """
        pixels = self._coded_colours()
        height, width = pixels.shape[:2]
        if min(height, width) >= _SHORTEST_HALVED:
            even = pixels[: height // 2 * 2, : width // 2 * 2]
            half = width // 2, height // 2
            pixels = cv2.resize(even, half, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        return upright(self._frame, pixels)

    @property
    def coded(self) -> GreyImage | BgrImage:
        """The pixels before they are turned upright.

        These are the colours if only they are decoded; otherwise the luma, which is decoded if necessary.
        """
        if self._luma is None and self._colours is not None:
            return self._colours
        return self._coded_luma()

    def _coded_colours(self) -> BgrImage:
        if self._colours is None:
            self._colours = self._decoder.coded_colour(self._frame).pixels
        return self._colours

    def _coded_luma(self) -> GreyImage:
        if self._luma is None:
            if self._in_colour or self._colours is not None:
                grey = cv2.cvtColor(self._coded_colours(), cv2.COLOR_BGR2GRAY)
                self._luma = grey.astype(np.uint8, copy=False)
            else:
                self._luma = self._decoder.coded_luma(self._frame).pixels
        return self._luma


def _checked(frame: Frame, decode: Callable[[bytes], Decoded]) -> Decoded:
    with _refused(frame):
        decoded = decode(frame.image)
    _validate_header(frame, decoded.header)
    return decoded


@contextmanager
def _refused(frame: Frame) -> Iterator[None]:
    try:
        yield
    except ImageError as error:
        raise FrameUnusable(
            f"the image of frame {frame.index} cannot be used: {error}",
            details={"frame_index": frame.index, "fault": error.reason.name},
        ) from error


def _validate_header(frame: Frame, header: ImageHeader) -> None:
    with _refused(frame):
        if header.channels != _CHANNELS:
            raise ImageError.of(
                unsupported(header.format, f"a frame has {_CHANNELS} channels, not {header.channels}")
            )
    if (header.width, header.height) != (frame.width, frame.height):
        raise FrameUnusable(
            f"the image of frame {frame.index} has {header.width} x {header.height} pixels, but its header "
            f"states {frame.width} x {frame.height}",
            details={
                "frame_index": frame.index,
                "width": header.width,
                "height": header.height,
                "declared_width": frame.width,
                "declared_height": frame.height,
            },
        )


def upright(frame: Frame, pixels: GreyImage | BgrImage) -> GreyImage | BgrImage:
    """Rotate and mirror a decoded frame as its header states, so that it is upright and not mirrored."""
    turned = rotate_upright(pixels, degrees=frame.rotation_degrees, mirrored=frame.mirrored)
    return np.ascontiguousarray(turned)


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """An upright frame that is decoded already; implements ``liveness.watch.LazyFrame``."""

    pixels: BgrImage

    def grey(self) -> GreyImage:
        """Return its luma, shape (height, width)."""
        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_BGR2GRAY), np.uint8)

    def colour(self) -> BgrImage:
        """Return its pixels."""
        return self.pixels
