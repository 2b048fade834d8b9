"""A scan's frames from JPEG to upright pixels, within the scan's limits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import cv2
import numpy as np

from server.errors import Reason, Refusal
from server.scan.messages import CaptureBudget, FrameMessage
from vision.errors import ImageError
from vision.face import BgrImage
from vision.image import (
    DecodedImage,
    DecodedLuma,
    DecodeLimits,
    GreyImage,
    check_jpeg,
    decode_image,
    decode_jpeg_luma,
    rotate_upright,
)
from vision.image_format import ImageFormat, ImageHeader, unsupported

_CHANNELS = 3
_SHORTEST_HALVED = 400
"""Pixels of the shorter side. Of 14 simulated scans of a person in the dark at 240 x 320 the light was taken
for that on a sheet in 3 where it was measured at half of that, and in 1 where not; of 12 at 480 x 640 in
none."""

Decoded = TypeVar("Decoded", DecodedImage, DecodedLuma)


class FrameDecoder:
    """Decodes frames. Safe to call from several threads at once."""

    def __init__(self, budget: CaptureBudget) -> None:
        """Takes the limits that frames are held to before they are decoded."""
        self._limits = DecodeLimits(
            max_bytes=budget.max_frame_bytes,
            max_pixels=budget.max_frame_pixels,
            max_side=budget.max_frame_pixels // budget.min_frame_side,
            min_side=budget.min_frame_side,
        )

    def check(self, message: FrameMessage) -> None:
        """Checks what the image declares; nothing is decoded, and it takes some 0.02 ms.

        Raises:
            Refusal: As for ``colour``.
        """
        with _refused(message):
            header = check_jpeg(message.image, limits=self._limits)
        _check_header(message, header)

    def colour(self, message: FrameMessage) -> BgrImage:
        """The upright frame, shape (height, width, 3).

        Raises:
            Refusal: The image is not a JPEG in colour, of the declared size and within the limits
                (FRAME_IMAGE_INVALID).
        """
        return upright(message, self.coded_colour(message).pixels)

    def coded_colour(self, message: FrameMessage) -> DecodedImage:
        """The frame as its image has it: not turned upright.

        Raises:
            Refusal: As for ``colour``.
        """

        def decode(image: bytes) -> DecodedImage:
            return decode_image(
                image,
                limits=self._limits,
                formats=frozenset({ImageFormat.JPEG}),
                honour_exif_orientation=False,
            )

        return _checked(message, decode)

    def luma(self, message: FrameMessage) -> GreyImage:
        """The upright frame's luma, shape (height, width), for two thirds of the price of its colours.

        Raises:
            Refusal: As for ``colour``.
        """
        return upright(message, self.coded_luma(message).pixels)

    def coded_luma(self, message: FrameMessage) -> DecodedLuma:
        """The frame's luma as its image has it: not turned upright.

        Raises:
            Refusal: As for ``colour``.
        """
        return _checked(message, lambda image: decode_jpeg_luma(image, limits=self._limits))


class FramePicture:
    """One frame, decoded once and only as far as it is asked for; implements ``liveness.watch.Picture``."""

    def __init__(self, decoder: FrameDecoder, message: FrameMessage, *, in_colour: bool = False) -> None:
        """Decodes nothing yet.

        Args:
            decoder: Decodes it.
            message: The frame.
            in_colour: Whether its colours are wanted in any case. Luma alone costs two thirds of them, so
                that it is not decoded beside them: their grey is that but for rounding.
        """
        self._decoder = decoder
        self._message = message
        self._in_colour = in_colour
        self._colours: BgrImage | None = None
        self._luma: GreyImage | None = None

    def grey(self) -> GreyImage:
        """The upright frame's luma, shape (height, width).

        Raises:
            Refusal: As for ``FrameDecoder.colour``.
        """
        return upright(self._message, self._coded_luma())

    def colour(self) -> BgrImage:
        """See ``FrameDecoder.colour``."""
        return upright(self._message, self._coded_colours())

    def light(self) -> BgrImage:
        """The upright frame for measuring its light: at half its size where it is large enough for that.

        Raises:
            Refusal: As for ``FrameDecoder.colour``.
        """
        pixels = self._coded_colours()
        height, width = pixels.shape[:2]
        if min(height, width) >= _SHORTEST_HALVED:
            even = pixels[: height // 2 * 2, : width // 2 * 2]
            half = width // 2, height // 2
            pixels = cv2.resize(even, half, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        return upright(self._message, pixels)

    @property
    def coded(self) -> GreyImage | BgrImage:
        """The pixels as the image has them, not turned upright: luma or colours, whichever is decoded."""
        if self._luma is None and self._colours is not None:
            return self._colours
        return self._coded_luma()

    def _coded_colours(self) -> BgrImage:
        if self._colours is None:
            self._colours = self._decoder.coded_colour(self._message).pixels
        return self._colours

    def _coded_luma(self) -> GreyImage:
        if self._luma is None:
            if self._in_colour or self._colours is not None:
                grey = cv2.cvtColor(self._coded_colours(), cv2.COLOR_BGR2GRAY)
                self._luma = grey.astype(np.uint8, copy=False)
            else:
                self._luma = self._decoder.coded_luma(self._message).pixels
        return self._luma


def _checked(message: FrameMessage, decode: Callable[[bytes], Decoded]) -> Decoded:
    with _refused(message):
        decoded = decode(message.image)
    _check_header(message, decoded.header)
    return decoded


@contextmanager
def _refused(message: FrameMessage) -> Iterator[None]:
    try:
        yield
    except ImageError as error:
        raise Refusal(
            Reason.FRAME_IMAGE_INVALID,
            f"the image of frame {message.index} cannot be used: {error}",
            details={"frameIndex": message.index, "fault": error.reason.name},
        ) from error


def _check_header(message: FrameMessage, header: ImageHeader) -> None:
    with _refused(message):
        if header.channels != _CHANNELS:
            raise unsupported(header.format, f"a frame has {_CHANNELS} channels, not {header.channels}")
    if (header.width, header.height) != (message.width, message.height):
        raise Refusal(
            Reason.FRAME_IMAGE_INVALID,
            f"the image of frame {message.index} has {header.width} x {header.height} pixels, its header "
            f"says {message.width} x {message.height}",
            details={
                "frameIndex": message.index,
                "width": header.width,
                "height": header.height,
                "declaredWidth": message.width,
                "declaredHeight": message.height,
            },
        )


def upright(message: FrameMessage, pixels: GreyImage | BgrImage) -> GreyImage | BgrImage:
    """A decoded frame turned upright and no longer mirrored, as its header says."""
    turned = rotate_upright(pixels, degrees=message.rotation_degrees, mirrored=message.mirrored)
    return np.ascontiguousarray(turned)
