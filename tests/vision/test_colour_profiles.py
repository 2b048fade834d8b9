"""Pictures of other colours than sRGB, such as a phone's Display P3, are read as viewers show them."""

import io
import struct

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


def _file(format_: str, *, mode: str = "RGB", profile: bytes | None, **options: object) -> bytes:
    colour: tuple[float, ...] = _RED_OF_P3 if mode == "RGB" else (*_RED_OF_P3, 255)
    stream = io.BytesIO()
    Image.new(mode, (64, 48), colour).save(stream, format_, icc_profile=profile, quality=95, **options)
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
