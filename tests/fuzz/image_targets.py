"""Images: header parsers, EXIF, and every decoder behind them."""

import contextlib
import functools
import io
import struct
import zlib
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image

from formats.errors import ImageUnreadable
from formats.exif import parse_exif, read_orientation
from formats.image_format import ImageFormat
from formats.image_header import detect_format, parse_header
from formats.picture_metadata import read_exif_tags
from tests.formats.samples import exif, j2k_head, jp2, jpeg_head, phone, png_chunk
from tests.hostile import image_files
from tests.hostile.decoding import decoders, video_decoders
from tests.hostile.image_files import SIGNATURE, apng, insert_chunks
from tests.vision.decoders import decode_video as decode_isolated
from vision.errors import ImageError, VideoError
from vision.image import DecodeLimits, decode_image
from vision.isolation.code_stream import CodeStreamBroken, TooManyPackets, require_whole
from vision.isolation.video import VideoLimits

_LIMITS = DecodeLimits(max_bytes=100_000, max_pixels=4_000_000, max_side=4_000)
_SIDE = 24
_LONGEST_MESSAGE = 400
_LONGEST_TAG = 128


def _saved(picture: Image.Image, format_: str, **options: object) -> bytes:
    stored = io.BytesIO()
    picture.save(stored, format=format_, **options)
    return stored.getvalue()


@functools.cache
def _picture() -> Image.Image:
    y, x = np.mgrid[0:_SIDE, 0:_SIDE]
    return Image.fromarray(np.dstack([x * 9, y * 9, 255 - x * 4 - y * 4]).astype(np.uint8))


@functools.cache
def png_seeds() -> tuple[bytes, ...]:
    """Every kind of PNG."""
    picture = _picture()
    plain = _saved(picture, "PNG")
    deep = Image.fromarray(np.asarray(picture)[..., 0].astype(np.uint16) * 257)
    extras = (
        png_chunk(b"eXIf", exif(6)) + png_chunk(b"tEXt", b"Title\0a") + png_chunk(b"gAMA", b"\0\0\xb1\x8f")
    )
    return (
        plain,
        *(_saved(picture.convert(mode), "PNG") for mode in ("L", "1", "LA", "RGBA")),
        _saved(picture.quantize(16), "PNG"),
        _saved(picture.quantize(16), "PNG", transparency=3),
        _saved(deep, "PNG"),
        insert_chunks(plain, extras),
        apng(picture),
    )


@functools.cache
def jpeg_seeds() -> tuple[bytes, ...]:
    """Every kind of JPEG that is decoded, and headers of others."""
    picture = _picture()
    plain = _saved(picture, "JPEG")
    return (
        plain,
        _saved(picture.convert("L"), "JPEG"),
        _saved(picture.convert("CMYK"), "JPEG"),
        image_files.adobe_ycck(picture),
        _saved(picture, "JPEG", progressive=True),
        _saved(picture, "JPEG", subsampling=0, restart_marker_blocks=2),
        image_files.with_segments(plain, image_files.exif_with_thumbnail(plain, orientation=6)),
        image_files.with_segments(plain, image_files.icc_chunks(bytes(300))),
        jpeg_head(_SIDE, _SIDE),
    )


@functools.cache
def other_seeds() -> tuple[bytes, ...]:
    """JPEG 2000, and the formats WebP and BMP, which only some callers accept."""
    picture = _picture()
    return (
        _saved(picture, "JPEG2000"),
        _saved(picture.convert("L"), "JPEG2000", no_jp2=True),
        _saved(picture.convert("RGBA"), "JPEG2000", irreversible=False),
        jp2(j2k_head(_SIDE, _SIDE), width=_SIDE, height=_SIDE),
        _saved(picture, "WEBP"),
        _saved(picture, "WEBP", lossless=True),
        _saved(picture.convert("RGBA"), "WEBP"),
        _saved(picture, "BMP"),
        _saved(picture.quantize(16), "BMP"),
    )


@functools.cache
def code_stream_seeds() -> tuple[bytes, ...]:
    """JPEG 2000 of several tiles, layers, precincts and orders."""
    large = _picture().resize((150, 90))
    orders = ("LRCP", "RLCP", "RPCL", "PCRL", "CPRL")
    return (
        _saved(large, "JPEG2000", tile_size=(64, 64)),
        *(
            _saved(
                large,
                "JPEG2000",
                no_jp2=True,
                progression=order,
                precinct_size=(32, 32),
                codeblock_size=(16, 16),
                num_resolutions=3,
                quality_layers=[20, 1],
            )
            for order in orders
        ),
    )


def every_seed() -> tuple[bytes, ...]:
    """Images of all formats."""
    return (*png_seeds(), *jpeg_seeds(), *other_seeds())


@functools.cache
def exif_seeds() -> tuple[bytes, ...]:
    """EXIF data of either byte order."""
    thumbnail = image_files.exif_with_thumbnail(b"\xff\xd8\xff\xd9", orientation=8)
    return (exif(3), exif(6, order="<"), thumbnail[10:], phone(software="17.1"), phone(order="<"))


def read_header(data: bytes) -> None:
    """Any bytes give a valid header or an ImageUnreadable."""
    for candidate in (data, _with_checksums(data)):
        try:
            header = parse_header(candidate)
        except ImageUnreadable as error:
            _sound(error)
            continue
        assert header.width > 0
        assert header.height > 0
        assert header.channels in range(1, 5)
        assert header.bits_per_channel in range(1, 33)
        assert header.orientation in range(1, 9)
        assert header.format is detect_format(candidate)


def follow_code_stream(data: bytes) -> None:
    """Any bytes are whole, broken or too many packets; there is no other exception."""
    with contextlib.suppress(CodeStreamBroken, TooManyPackets):
        require_whole(data)


def read_exif(data: bytes) -> None:
    """Any bytes give an orientation and tags, alone and within an image."""
    assert read_orientation(data) in range(1, 9)
    for tags in (
        parse_exif(data),
        read_exif_tags(data),
        *(read_exif_tags(file) for file in _files_with(data)),
    ):
        texts = (tags.make, tags.model, tags.comment, *tags.software)
        assert all(text is None or (text.isprintable() and len(text) <= _LONGEST_TAG) for text in texts)
        assert tags.exposure_seconds is None or tags.exposure_seconds > 0


def _files_with(exif_data: bytes) -> tuple[bytes, ...]:
    """A JPEG, a PNG and a WebP with the data at the place of their EXIF data."""
    segment = b"Exif\0\0" + exif_data[:60_000]
    webp = b"WEBPEXIF" + struct.pack("<I", len(exif_data)) + exif_data + b"\0" * (len(exif_data) % 2)
    return (
        b"\xff\xd8\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment,
        SIGNATURE + png_chunk(b"eXIf", exif_data),
        b"RIFF" + struct.pack("<I", len(webp)) + webp,
    )


def decode_any(data: bytes) -> None:
    """Any bytes give the image that they declare or an ImageError."""
    candidate = _with_checksums(data) if zlib.crc32(data) & 3 else data
    try:
        decoded = decode_image(
            candidate,
            limits=_LIMITS,
            formats=frozenset(ImageFormat),
            honour_exif_orientation=False,
            still_decoder=decoders(),
        )
    except ImageError as error:
        _sound(error)
        return
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.shape == (decoded.header.height, decoded.header.width, 3)
    assert decoded.pixels.flags.c_contiguous
    assert decoded.header.pixels <= _LIMITS.max_pixels


def _sound(error: ImageError | ImageUnreadable) -> None:
    assert len(str(error)) < _LONGEST_MESSAGE
    assert all(isinstance(value, str | int | float) for value in error.details.values())


def _with_checksums(data: bytes) -> bytes:
    """A PNG's chunks with valid checksums, so that damage passes the first test; other data unchanged."""
    if not data.startswith(SIGNATURE):
        return data
    repaired, position = bytearray(data), len(SIGNATURE)
    while position + 12 <= len(repaired):
        length = struct.unpack_from(">I", repaired, position)[0]
        end = position + 8 + length
        if end + 4 > len(repaired):
            break
        struct.pack_into(">I", repaired, end, zlib.crc32(repaired[position + 4 : end]))
        position = end + 4
    return bytes(repaired)


# Videos, through the isolated decoder: any effect of a file on its worker gives a typed answer.


_VIDEO_LIMITS = VideoLimits(
    max_bytes=100_000, max_frames=4, max_pixels=500_000, max_total_pixels=2_000_000, max_seconds=5.0
)
_VIDEO_SIDE = 64
_FRAMES = 8


def _video(container: str, codec: str, pixels: str) -> bytes:
    stored = io.BytesIO()
    with av.open(stored, mode="w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = _VIDEO_SIDE, _VIDEO_SIDE, pixels
        for number in range(_FRAMES):
            picture = np.full((_VIDEO_SIDE, _VIDEO_SIDE, 3), number * 30, np.uint8)
            picture[:, : number * 8] = (200, 90, 10)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return stored.getvalue()


@functools.cache
def video_seeds() -> tuple[bytes, ...]:
    """A short video in every container."""
    return (
        _video("mp4", "mpeg4", "yuv420p"),
        _video("mp4", "libx264", "yuv420p"),
        _video("mov", "mjpeg", "yuvj420p"),
        _video("avi", "mpeg4", "yuv420p"),
        _video("matroska", "mpeg4", "yuv420p"),
        _video("webm", "libvpx", "yuv420p"),
    )


def decode_video(data: bytes) -> None:
    """Any bytes give frames within the limits or a VideoError."""
    try:
        video = decode_isolated(video_decoders(), data, limits=_VIDEO_LIMITS)
    except VideoError:
        return
    assert 1 <= len(video.frames) <= _VIDEO_LIMITS.max_frames
    assert len(video.timestamps) == len(video.frames)
    assert list(video.timestamps) == sorted(video.timestamps)
    assert all(frame.dtype == np.uint8 and frame.ndim == 3 for frame in video.frames)
    assert all(frame.shape[0] * frame.shape[1] <= _VIDEO_LIMITS.max_pixels for frame in video.frames)
