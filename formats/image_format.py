"""The image formats, and the header that is common to them."""

from dataclasses import dataclass
from enum import StrEnum

from formats.errors import ImageFault, ImageUnreadable


class ImageFormat(StrEnum):
    """File formats that can be decoded; the values are their IANA media types."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    JP2 = "image/jp2"
    """JPEG 2000 in the JP2 family of box formats."""
    J2K = "image/j2c"
    """A bare JPEG 2000 code stream, as passports carry it."""
    WEBP = "image/webp"
    BMP = "image/bmp"


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The properties that an image file declares.

    Attributes:
        width: Stored width in pixels, before any rotation.
        height: Stored height in pixels, before any rotation.
        channels: Stored channels, 1..4; a palette counts as 3, its transparency as a fourth.
        bits_per_channel: Bits of one channel, 1..16.
        orientation: EXIF orientation, 1..8; 1 without one.
    """

    format: ImageFormat
    width: int
    height: int
    channels: int
    bits_per_channel: int
    orientation: int = 1

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def malformed(format_: ImageFormat, what: str) -> ImageUnreadable:
    """Return the error for data that break the format's rules."""
    return ImageUnreadable(ImageFault.MALFORMED, f"{format_.name}: {what}", details={"format": format_.name})


def unsupported(format_: ImageFormat, what: str) -> ImageUnreadable:
    """Return the error for a variant of the format that is not decoded."""
    return ImageUnreadable(
        ImageFault.UNSUPPORTED_FORMAT, f"{format_.name}: {what}", details={"format": format_.name}
    )
