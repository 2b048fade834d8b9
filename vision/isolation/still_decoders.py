"""Decodes JPEG 2000 and WebP, and what has a colour profile, to pixels, in the worker.

Pillow's plug-ins are called by name. ``Image.open`` would search for others and load them at a time
when nothing can be loaded any more.
"""

import ctypes
import io
from collections.abc import Callable, Iterator, Mapping
from ctypes import POINTER, c_char, c_int, c_int32, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Final

from PIL import (
    Image,
    ImageChops,
    ImageCms,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,  # noqa: F401 - a JPEG with EXIF data needs it
    WebPImagePlugin,
    _imaging,
)

from formats.colour_profile import profile_of
from vision.isolation.code_stream import CodeStreamBroken, TooManyPackets, require_whole
from vision.isolation.protocol import Message, MessageKind, PixelLayout, StillCode, Unable

# Decodes JPEG 2000 with the OpenJPEG that Pillow is linked with, in the worker.
#
# Pillow itself decodes tile by tile, before OpenJPEG applies palettes and channel definitions, so that it
# shows blue faces and negatives; it also wraps deep white around to black. Here OpenJPEG decodes the whole
# image, and colours are finished as by its own ``opj_decompress``.
#
# Sources: OpenJPEG 2.5, ``openjpeg.h`` (the structures have not changed since 2.0) and
# ``opj_decompress.c``; ISO/IEC 15444-1, annex I.5.3 (colour, palette and channel definition boxes).

_J2K, _JP2 = 0, 2
_PARAMETERS_BYTES: Final = 65_536
"""More than ``opj_dparameters_t`` has, about 8 kB."""
_STREAM_BYTES: Final = 1 << 20
_END: Final = c_size_t(-1).value
_SYCC, _EYCC, _CMYK, _GREY = 3, 4, 5, 2
_OPACITY, _PREMULTIPLIED = 1, 2
_BAND_ROWS: Final = 256
_START: Final = b"\xff\x4f"


class DoesNotDecode(Exception):
    """OpenJPEG refuses the file."""


class ColoursNotSupported(Exception):
    """The channels are no grey, RGB, YCC or CMYK picture."""


class _Component(ctypes.Structure):
    _fields_ = (
        *((name, c_uint32) for name in ("dx", "dy", "w", "h", "x0", "y0", "prec", "bpp", "sgnd")),
        *((name, c_uint32) for name in ("resno_decoded", "factor")),
        ("data", POINTER(c_int32)),
        ("alpha", c_uint16),
    )


class _Image(ctypes.Structure):
    _fields_ = (
        *((name, c_uint32) for name in ("x0", "y0", "x1", "y1", "numcomps")),
        ("color_space", c_int),
        ("comps", POINTER(_Component)),
        ("icc_profile_buf", c_void_p),
        ("icc_profile_len", c_uint32),
    )


# Its dependencies are searched too, and OpenJPEG is one, under whatever name the wheel gives it.
_LIBRARY: Final = ctypes.CDLL(_imaging.__file__)
_READ: Final = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_size_t, c_void_p)
_SKIP: Final = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, c_void_p)
_SEEK: Final = ctypes.CFUNCTYPE(c_int, ctypes.c_int64, c_void_p)
for _name, _result, _arguments in (
    ("opj_create_decompress", c_void_p, (c_int,)),
    ("opj_set_default_decoder_parameters", None, (c_void_p,)),
    ("opj_setup_decoder", c_int, (c_void_p, c_void_p)),
    ("opj_stream_create", c_void_p, (c_size_t, c_int)),
    ("opj_stream_set_read_function", None, (c_void_p, _READ)),
    ("opj_stream_set_skip_function", None, (c_void_p, _SKIP)),
    ("opj_stream_set_seek_function", None, (c_void_p, _SEEK)),
    ("opj_stream_set_user_data", None, (c_void_p, c_void_p, c_void_p)),
    ("opj_stream_set_user_data_length", None, (c_void_p, c_uint64)),
    ("opj_read_header", c_int, (c_void_p, c_void_p, POINTER(POINTER(_Image)))),
    ("opj_decode", c_int, (c_void_p, c_void_p, POINTER(_Image))),
    ("opj_end_decompress", c_int, (c_void_p, c_void_p)),
    ("opj_destroy_codec", None, (c_void_p,)),
    ("opj_stream_destroy", None, (c_void_p,)),
    ("opj_image_destroy", None, (POINTER(_Image),)),
):
    _function = getattr(_LIBRARY, _name)
    _function.restype, _function.argtypes = _result, _arguments

_SRGB: Final = ImageCms.createProfile("sRGB")


class _Source:
    """The file that is being decoded.

    Its callbacks are made once, at the start: a confined worker gets no executable memory.
    """

    def __init__(self) -> None:
        self._data, self._at = b"", 0
        self._read, self._skip, self._seek = _READ(self._copy), _SKIP(self._move), _SEEK(self._move_to)

    def open(self, data: bytes) -> int:
        """Begin a file and return its stream."""
        self._data, self._at = data, 0
        stream: int = _LIBRARY.opj_stream_create(min(_STREAM_BYTES, len(data)), 1)
        _LIBRARY.opj_stream_set_read_function(stream, self._read)
        _LIBRARY.opj_stream_set_skip_function(stream, self._skip)
        _LIBRARY.opj_stream_set_seek_function(stream, self._seek)
        _LIBRARY.opj_stream_set_user_data(stream, None, None)
        _LIBRARY.opj_stream_set_user_data_length(stream, len(data))
        return stream

    def _copy(self, target: int, count: int, _: object) -> int:
        part = self._data[self._at : self._at + count]
        ctypes.memmove(target, part, len(part))
        self._at += len(part)
        return len(part) or _END

    def _move(self, count: int, _: object) -> int:
        if not 0 <= self._at + count <= len(self._data):
            return -1
        self._at += count
        return count

    def _move_to(self, place: int, _: object) -> int:
        if not 0 <= place <= len(self._data):
            return 0
        self._at = place
        return 1


_source: Final = _Source()


def decode_jpeg2000(data: bytes, width: int, height: int) -> Image.Image | None:
    """Decode a JP2 file or a bare code stream as ``opj_decompress`` does, to 8 bits.

    The code stream of ``data`` was found to be whole; width and height, pixels, are those that its header
    declares.

    Returns:
        Mode ``L``, ``LA``, ``RGB`` or ``RGBA``; ``None`` if the decoder finds another size.

    Raises:
        DoesNotDecode: OpenJPEG refuses the file.
        ColoursNotSupported: CIELab, or another number of channels.
        MemoryError: Decoding exceeds the worker's memory.
    """
    stream = _source.open(data)
    codec = _LIBRARY.opj_create_decompress(_J2K if data.startswith(_START) else _JP2)
    image = POINTER(_Image)()
    try:
        parameters = (c_char * _PARAMETERS_BYTES)()
        _LIBRARY.opj_set_default_decoder_parameters(parameters)
        if not (
            _LIBRARY.opj_setup_decoder(codec, parameters)
            and _LIBRARY.opj_read_header(stream, codec, ctypes.byref(image))
        ):
            raise DoesNotDecode
        found = image.contents
        if (found.x1 - found.x0, found.y1 - found.y0) != (width, height):
            return None
        if not (_LIBRARY.opj_decode(codec, stream, image) and _LIBRARY.opj_end_decompress(codec, stream)):
            raise DoesNotDecode
        return _coloured(found, width, height)
    finally:
        if ctypes.cast(image, c_void_p).value:
            _LIBRARY.opj_image_destroy(image)
        _LIBRARY.opj_destroy_codec(codec)
        _LIBRARY.opj_stream_destroy(stream)


def _coloured(image: _Image, width: int, height: int) -> Image.Image:
    """Put the channels together: the colours to grey or sRGB, the opacity behind them."""
    if not 1 <= image.numcomps <= 4:
        raise ColoursNotSupported
    channels = [image.comps[number] for number in range(image.numcomps)]
    colours = [channel for channel in channels if not channel.alpha]
    opacity = [channel for channel in channels if channel.alpha in {_OPACITY, _PREMULTIPLIED}]
    cmyk = image.color_space == _CMYK
    if len(colours) == len(channels) and len(channels) in {2, 4} and not cmyk:
        opacity = [colours.pop()]
    if len(colours) not in ({4} if cmyk else {1, 3}) or (image.icc_profile_buf and not image.icc_profile_len):
        raise ColoursNotSupported
    planes = [_plane(image, channel, width, height) for channel in colours]
    if cmyk:
        shown = Image.merge("CMYK", planes).convert("RGB")
    elif len(planes) == 1:
        shown = planes[0]
    else:
        first, second = colours[0], colours[1]
        halved = first.dx == first.dy and second.dx != 1
        ycc = image.color_space in {_SYCC, _EYCC} or (halved and len(channels) == 3)
        shown = Image.merge("YCbCr", planes).convert("RGB") if ycc else Image.merge("RGB", planes)
    if image.icc_profile_len:
        shown = _in_srgb(shown, ctypes.string_at(image.icc_profile_buf, image.icc_profile_len))
    if not opacity:
        return shown
    cover = _plane(image, opacity[0], width, height)
    if opacity[0].alpha == _PREMULTIPLIED:
        # What is in front of white: the colours, and as much white as they leave.
        rest = ImageChops.invert(cover)
        return ImageChops.add(shown, rest if shown.mode == "L" else Image.merge("RGB", [rest] * 3))
    shown.putalpha(cover)
    return shown


def _plane(image: _Image, channel: _Component, width: int, height: int) -> Image.Image:
    """Return one channel at the size of the image, mode ``L``."""
    if not (channel.data and channel.w and channel.h and 1 <= channel.prec <= 16):
        raise DoesNotDecode
    size = channel.w, channel.h
    most = (1 << channel.prec) - 1
    low = 1 << channel.prec - 1 if channel.sgnd else 0
    # The upper eight bits of sixteen; fewer than eight are spread over the range.
    scale = (65535 / 256 if channel.prec > 8 else 255) / most
    plane = Image.new("L", size)
    # In bands, because a band passes through two copies of four bytes a pixel.
    for top in range(0, channel.h, _BAND_ROWS):
        rows = min(_BAND_ROWS, channel.h - top)
        address = ctypes.addressof(channel.data.contents) + 4 * channel.w * top
        stored = ctypes.string_at(address, 4 * channel.w * rows)
        band = Image.frombytes("I", (channel.w, rows), stored, "raw", "I")
        plane.paste(band.point(_linear(scale, low * scale + 1e-3)).convert("L"), (0, top))
    if size == (width, height):
        return plane
    left = max(0.0, image.x0 / channel.dx - channel.x0)
    top = max(0.0, image.y0 / channel.dy - channel.y0)
    return plane.transform(
        (width, height), Image.Transform.AFFINE, (1 / channel.dx, 0, left, 0, 1 / channel.dy, top)
    )


def _linear(scale: float, offset: float) -> Callable[[float], float]:
    return lambda value: value * scale + offset


def _in_srgb(shown: Image.Image, profile: bytes) -> Image.Image:
    """Convert by a colour profile; a broken one, or one of other channels, is passed over, as by viewers."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return (
            ImageCms.profileToProfile(
                shown,
                opened,
                _SRGB,
                renderingIntent=ImageCms.Intent(ImageCms.getDefaultIntent(opened)),
                outputMode="RGB",
            )
            or shown
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return shown


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
    """Decode one image.

    ``numbers`` are ``StillCode``, and the width and height that the server read from the header.

    Raises:
        MemoryError: Decoding exceeds the worker's memory.
    """
    code, width, height = numbers[:3]
    try:
        picture = _DECODERS[StillCode(code)](data, width, height)
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
    return _by_profile(picture, picture.info.get("icc_profile", b""))


def _profiled(data: bytes, width: int, height: int) -> Image.Image | Unable:
    png = data.startswith(b"\x89PNG")
    stream = io.BytesIO(data)
    picture = PngImagePlugin.PngImageFile(stream) if png else JpegImagePlugin.JpegImageFile(stream)
    if picture.size != (width, height):
        return Unable.ANOTHER_SIZE
    picture.load()
    return _by_profile(picture, profile_of(data))


def _by_profile(picture: Image.Image, profile: bytes) -> Image.Image:
    """Convert a colour picture by a profile; an empty one changes nothing."""
    if not profile:
        return picture
    see_through = "transparency" in picture.info
    if picture.mode == "P" or (picture.mode == "RGB" and see_through):
        picture = picture.convert("RGBA" if see_through else "RGB")
    if picture.mode in {"RGB", "CMYK"}:
        return _in_srgb(picture, profile)
    if picture.mode != "RGBA":
        return picture
    coloured = _in_srgb(picture.convert("RGB"), profile)
    coloured.putalpha(picture.getchannel("A"))
    return coloured


_DECODERS: Final[Mapping[StillCode, Callable[[bytes, int, int], Image.Image | Unable]]] = {
    StillCode.JPEG2000: _jpeg2000,
    StillCode.WEBP: _webp,
    StillCode.PROFILED: _profiled,
}
