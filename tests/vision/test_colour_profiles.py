"""Pictures of other colours than sRGB, such as a phone's Display P3, are read as viewers show them."""

import io
import struct
import zlib
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from formats.colour_profile import has_other_colours
from formats.image_format import ImageFormat
from tests.vision.decoders import decoders
from vision.face import BgrImage
from vision.image import DecodeLimits, decode_image

_RED_OF_P3 = (234, 51, 35)
"""sRGB's pure red in Display P3."""


def _number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _profile(name: str, colours: tuple[tuple[float, float, float], ...], *, gamma: float = 2.2) -> bytes:
    """A profile by primaries adapted to D50 and a gamma (ICC.1, v2)."""
    text = name.encode()
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78),
        b"wtpt": b"XYZ \0\0\0\0" + _number(0.9642) + _number(1.0) + _number(0.8249),
    }
    for letter, xyz in zip(b"rgb", colours, strict=True):
        tags[bytes([letter]) + b"XYZ"] = b"XYZ \0\0\0\0" + b"".join(map(_number, xyz))
        tags[bytes([letter]) + b"TRC"] = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    place = 132 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for tag, body in tags.items():
        table += tag + struct.pack(">II", place + len(content), len(body))
        content += body + bytes(-len(body) % 4)
    head = struct.pack(
        ">I4s4s4s4s4s", place + len(content), b"lcms", b"\x02\x10\0\0", b"mntr", b"RGB ", b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + _number(0.9642) + _number(1.0) + _number(0.8249)
    return head.ljust(128, b"\0") + table + content


_P3 = _profile("Display P3", ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)))
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _file(
    format_: str,
    *,
    mode: str = "RGB",
    colour: tuple[int, ...] = _RED_OF_P3,
    profile: bytes | None,
    **options: object,
) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (64, 48), colour if mode == "RGB" else (*colour, 255)).save(
        stream, format_, icc_profile=profile, quality=95, **options
    )
    return stream.getvalue()


def _read(data: bytes, *, isolated: bool = True) -> BgrImage:
    return decode_image(
        data,
        limits=DecodeLimits(max_bytes=1 << 20, max_pixels=1 << 20, max_side=1024),
        formats=frozenset(ImageFormat),
        honour_exif_orientation=True,
        still_decoder=decoders() if isolated else None,
    ).pixels


@pytest.mark.parametrize(
    ("format_", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB")]
)
def test_the_red_of_a_phone_is_the_red_of_srgb(format_: str, mode: str) -> None:
    shown = _read(_file(format_, mode=mode, profile=_P3)).reshape(-1, 3).mean(axis=0)
    assert shown == pytest.approx([0, 0, 255], abs=12)


def test_a_photo_with_the_data_of_its_camera_is_converted_too() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Phone"
    shown = _read(_file("JPEG", profile=_P3, exif=exif)).reshape(-1, 3).mean(axis=0)
    assert shown == pytest.approx([0, 0, 255], abs=12)


@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
@pytest.mark.parametrize("profile", [None, _SRGB, _P3[:200], b"no profile", _P3[:16] + b"GRAY" + _P3[20:]])
def test_other_pictures_stay_byte_for_byte(format_: str, profile: bytes | None) -> None:
    data = _file(format_, profile=profile)
    plain = _read(_file(format_, profile=None))
    assert np.array_equal(_read(data), plain)


def test_frames_keep_their_colours() -> None:
    data = _file("JPEG", profile=_P3)
    assert np.array_equal(_read(data, isolated=False), _read(_file("JPEG", profile=None)))


def test_a_profile_in_several_segments_is_read() -> None:
    padded = _P3 + bytes(150_000)
    padded = struct.pack(">I", len(padded)) + padded[4:]
    assert has_other_colours(_file("JPEG", profile=padded))
    assert has_other_colours(_file("JPEG", profile=_P3))
    assert not has_other_colours(_file("JPEG", profile=_SRGB))


@given(st.binary(max_size=400), st.integers(0, 300))
def test_any_bytes_have_an_answer(noise: bytes, place: int) -> None:
    profile = _P3[:place] + noise
    for format_ in ("JPEG", "PNG"):
        assert has_other_colours(_file(format_, profile=profile)) in {True, False}
    assert has_other_colours(noise) is False


_RED: Final = {
    # Pure red of sRGB, as the spaces store it.
    "P3": _RED_OF_P3,
    "Adobe RGB": (219, 0, 0),
    "BT.2020": (202, 59, 18),
}


def _png(colour: tuple[int, ...], *chunks: tuple[bytes, bytes], mode: str = "RGB") -> bytes:
    """A PNG of one colour with chunks behind its header."""
    stream = io.BytesIO()
    Image.new(mode, (64, 48), colour if mode != "L" else colour[0]).save(stream, "PNG")
    plain = stream.getvalue()
    inserted = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return plain[:33] + inserted + plain[33:]


def _jpeg(colour: tuple[int, ...], *, space: int, index: str | None, mode: str = "RGB") -> bytes:
    """A JPEG whose EXIF data alone say what its colours are."""
    exif = Image.Exif()
    exif[0x8769] = {0xA001: space} | ({} if index is None else {0xA005: {1: index}})
    stream = io.BytesIO()
    Image.new(mode, (64, 48), colour if mode != "L" else colour[0]).save(
        stream, "JPEG", exif=exif, quality=95
    )
    return stream.getvalue()


def _numbers(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def _shown(data: bytes) -> tuple[int, ...]:
    """Red, green and blue as read."""
    blue, green, red = _read(data).reshape(-1, 3).mean(axis=0).round()
    return int(red), int(green), int(blue)


_CHRM_P3: Final = _numbers(31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
_CHRM_SRGB: Final = _numbers(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_ICCP_SRGB: Final = b"sRGB\0\0" + zlib.compress(_SRGB)


@pytest.mark.parametrize(
    ("stored", "chunks", "shown"),
    [
        (_RED["P3"], [(b"cICP", bytes([12, 13, 0, 1]))], (255, 0, 0)),
        (_RED["P3"], [(b"cICP", bytes([12, 13, 0, 1])), (b"iCCP", _ICCP_SRGB)], (255, 0, 0)),
        (_RED["BT.2020"], [(b"cICP", bytes([9, 13, 0, 1]))], (255, 0, 0)),
        # Half of the light, as a camera's linear picture has it.
        ((128, 128, 128), [(b"cICP", bytes([1, 8, 0, 1]))], (188, 188, 188)),
        # White of a picture, and what is brighter, of PQ and of HLG; grey of half its light.
        ((148, 148, 148), [(b"cICP", bytes([9, 16, 0, 1]))], (255, 255, 255)),
        ((200, 200, 200), [(b"cICP", bytes([9, 16, 0, 1]))], (255, 255, 255)),
        ((130, 130, 130), [(b"cICP", bytes([9, 16, 0, 1]))], (187, 187, 187)),
        ((191, 191, 191), [(b"cICP", bytes([9, 18, 0, 1]))], (255, 255, 255)),
        ((16, 235, 16), [(b"cICP", bytes([1, 13, 0, 0]))], (0, 255, 0)),
        ((128, 128, 128), [(b"gAMA", _numbers(100_000))], (188, 188, 188)),
        ((128, 128, 128), [(b"gAMA", _numbers(55_556))], (147, 147, 147)),
        (_RED["P3"], [(b"cHRM", _CHRM_P3), (b"gAMA", _numbers(45_455))], (255, 0, 0)),
        (_RED["P3"], [(b"cHRM", _CHRM_P3)], (255, 0, 0)),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_png_is_what_its_chunks_say(
    stored: tuple[int, ...], chunks: list[tuple[bytes, bytes]], shown: tuple[int, ...], mode: str
) -> None:
    colour = stored if mode == "RGB" else (*stored, 255)
    assert _shown(_png(colour, *chunks, mode=mode)) == pytest.approx(shown, abs=12)


def test_the_colour_that_a_png_declares_transparent_stays_so() -> None:
    see_through = struct.pack(">3H", 10, 20, 30)
    for chunks in ([], [(b"gAMA", _numbers(100_000))]):
        assert _shown(_png((10, 20, 30), *chunks, (b"tRNS", see_through))) == (255, 255, 255)


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"cICP", bytes([1, 13, 0, 1]))],
        [(b"cICP", bytes([1, 1, 0, 1])), (b"gAMA", _numbers(100_000))],
        # No RGB, or codes that nobody knows, or too short.
        [(b"cICP", bytes([9, 13, 9, 1]))],
        [(b"cICP", bytes([2, 2, 0, 1]))],
        [(b"cICP", b"\x09")],
        [(b"sRGB", b"\0"), (b"gAMA", _numbers(100_000)), (b"cHRM", _CHRM_P3)],
        [(b"iCCP", _ICCP_SRGB), (b"gAMA", _numbers(100_000))],
        [(b"gAMA", _numbers(45_455)), (b"cHRM", _CHRM_SRGB)],
        [(b"gAMA", _numbers(0))],
        [(b"gAMA", b"\1")],
        # Primaries on one line, and without light.
        [(b"cHRM", _numbers(31270, 32900, *(3 * (20000, 20000))))],
        [(b"cHRM", _numbers(*(8 * (0,))))],
    ],
)
def test_a_png_of_srgb_or_of_nothing_known_stays_byte_for_byte(chunks: list[tuple[bytes, bytes]]) -> None:
    data = _png((200, 120, 90), *chunks)
    assert not has_other_colours(data)
    assert _shown(data) == (200, 120, 90)


def test_a_grey_picture_stays_as_it_is() -> None:
    data = _png((128,), (b"gAMA", _numbers(100_000)), (b"cICP", bytes([9, 16, 0, 1])), mode="L")
    assert _shown(data) == (128, 128, 128)
    assert not has_other_colours(_jpeg((128,), space=2, index=None, mode="L"))


@pytest.mark.parametrize(("space", "index"), [(0xFFFF, "R03"), (2, None)])
def test_a_camera_that_names_adobe_rgb_in_its_exif_data_alone_is_believed(
    space: int, index: str | None
) -> None:
    assert _shown(_jpeg(_RED["Adobe RGB"], space=space, index=index)) == pytest.approx((255, 0, 0), abs=12)


@pytest.mark.parametrize(("space", "index"), [(0xFFFF, None), (0xFFFF, "R98"), (1, "R98"), (1, "R03")])
def test_other_exif_data_change_no_colour(space: int, index: str | None) -> None:
    data = _jpeg(_RED["Adobe RGB"], space=space, index=index)
    assert not has_other_colours(data)
    assert np.array_equal(_read(data), _read(_file("JPEG", colour=_RED["Adobe RGB"], profile=None)))


def test_an_inner_profile_decides_before_the_exif_data() -> None:
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 2}
    assert not has_other_colours(_file("JPEG", profile=_SRGB, exif=exif))


@given(st.binary(max_size=60), st.sampled_from([b"cICP", b"gAMA", b"cHRM", b"iCCP"]))
def test_any_chunk_has_an_answer(noise: bytes, kind: bytes) -> None:
    assert has_other_colours(_png((1, 2, 3), (kind, noise))) in {True, False}


@given(st.lists(st.integers(0, 2**32 - 1), min_size=8, max_size=8), st.integers(0, 2**32 - 1))
def test_any_numbers_have_an_answer(colours: list[int], gamma: int) -> None:
    data = _png((1, 2, 3), (b"gAMA", _numbers(gamma)), (b"cHRM", _numbers(*colours)))
    assert has_other_colours(data) in {True, False}
