"""Decoding within limits: real files, colour variants, bombs and damage."""

import io
import random
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from formats.errors import ImageFault
from formats.image_format import ImageFormat, ImageHeader
from tests.formats.samples import bmp, exif, j2k_head, jpeg_head, jpeg_segment, png, png_chunk
from tests.vision.conftest import EVERY_FORMAT, LIMITS
from tests.vision.decoders import decoders
from vision.errors import ImageError
from vision.face import BgrImage
from vision.image import (
    IN_PROCESS,
    DecodedImage,
    DecodeLimits,
    decode_image,
    decode_jpeg_blocks,
    decode_jpeg_luma,
    encode_jpeg,
    rotate_upright,
)


def _decode(data: bytes, *, limits: DecodeLimits = LIMITS, exif_up: bool = True) -> DecodedImage:
    return decode_image(
        data,
        limits=limits,
        formats=EVERY_FORMAT,
        honour_exif_orientation=exif_up,
        still_decoder=decoders(),
    )


def _refusal(data: bytes, *, limits: DecodeLimits = LIMITS) -> ImageError:
    with pytest.raises(ImageError) as caught:
        _decode(data, limits=limits)
    return caught.value


def _saved(picture: Image.Image, format_: str, **options: object) -> bytes:
    stored = io.BytesIO()
    picture.save(stored, format=format_, **options)
    return stored.getvalue()


def _smooth() -> Image.Image:
    """Smooth colours, so that lossy coding stays close."""
    y, x = np.mgrid[0:64, 0:96]
    return Image.fromarray(np.dstack([x * 2, y * 3, 255 - x - y]).astype(np.uint8))


PICTURE = _smooth()


def _bgr(picture: Image.Image) -> BgrImage:
    return np.asarray(picture.convert("RGB"))[..., ::-1]


def _difference(one: BgrImage, other: BgrImage) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


class TestColour:
    @pytest.mark.parametrize(
        ("mode", "format_", "options", "most"),
        [
            ("RGB", "PNG", {}, 0),
            ("RGB", "BMP", {}, 0),
            ("RGB", "JPEG", {}, 2),
            ("RGB", "JPEG", {"progressive": True}, 2),
            ("RGB", "JPEG2000", {}, 2),
            ("RGB", "WEBP", {"lossless": True}, 0),
            ("RGB", "WEBP", {"quality": 95}, 3),
            ("CMYK", "JPEG", {"quality": 95}, 4),
            ("P", "PNG", {}, 0),
            ("P", "BMP", {}, 0),
            ("1", "PNG", {}, 0),
            ("1", "BMP", {}, 0),
        ],
    )
    def test_colours_survive(self, mode: str, format_: str, options: dict[str, int], most: float) -> None:
        picture = PICTURE.convert(mode)
        pixels = _decode(_saved(picture, format_, **options)).pixels
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous
        assert _difference(pixels, _bgr(PICTURE if mode == "CMYK" else picture)) <= most

    @pytest.mark.parametrize("format_", ["PNG", "JPEG", "JPEG2000", "BMP"])
    def test_grey_becomes_three_equal_channels(self, format_: str) -> None:
        grey = PICTURE.convert("L")
        pixels = _decode(_saved(grey, format_)).pixels
        assert (pixels[..., 0] == pixels[..., 1]).all()
        assert (pixels[..., 1] == pixels[..., 2]).all()
        assert _difference(pixels, _bgr(grey)) < 2

    def test_a_bmp_may_begin_with_its_upper_row(self) -> None:
        rows = bytes([1, 2, 3, 4, 5, 6, 0, 0]) + bytes([7, 8, 9, 10, 11, 12, 0, 0])
        expected = np.arange(1, 13, dtype=np.uint8).reshape(2, 2, 3)
        np.testing.assert_array_equal(_decode(bmp(2, -2, rows=rows)).pixels, expected)
        np.testing.assert_array_equal(_decode(bmp(2, 2, rows=rows)).pixels, expected[::-1])

    def test_the_fourth_byte_of_a_bmp_is_no_transparency(self) -> None:
        pixels = _decode(bmp(1, 1, bits=32, rows=bytes([1, 2, 3, 0]))).pixels
        assert pixels.tolist() == [[[1, 2, 3]]]

    def test_sixteen_bit_bmps(self) -> None:
        pixels = _decode(bmp(2, 1, bits=16, rows=bytes([0x1F, 0, 0, 0x7C]))).pixels.astype(int)
        assert (pixels[0, 0, 0] > 240, pixels[0, 0, 2]) == (True, 0)
        assert (pixels[0, 1, 2] > 240, pixels[0, 1, 0]) == (True, 0)

    @pytest.mark.parametrize("format_", ["PNG", "JPEG2000"])
    def test_sixteen_bits_keep_the_upper_eight(self, format_: str) -> None:
        deep = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
        pixels = _decode(_saved(Image.fromarray(deep), format_)).pixels
        assert _difference(pixels, np.dstack([deep >> 8] * 3).astype(np.uint8)) <= 1

    @pytest.mark.parametrize(
        ("format_", "mode", "options"),
        [
            ("PNG", "RGBA", {}),
            ("PNG", "LA", {}),
            ("JPEG2000", "RGBA", {"irreversible": False}),
            ("JPEG2000", "LA", {"irreversible": False}),
            ("WEBP", "RGBA", {"lossless": True, "exact": True}),
        ],
    )
    def test_transparency_is_laid_over_white(self, format_: str, mode: str, options: dict[str, bool]) -> None:
        transparent = PICTURE.convert(mode)
        transparent.putalpha(Image.fromarray(np.tile(np.arange(96, dtype=np.uint8) * 2, (64, 1))))
        white = Image.new("RGBA", PICTURE.size, "white")
        expected = Image.alpha_composite(white, transparent.convert("RGBA"))
        decoded = _decode(_saved(transparent, format_, **options))
        assert decoded.header.channels == len(mode)
        assert _difference(decoded.pixels, _bgr(expected)) < 1.5

    def test_a_hidden_picture_under_full_transparency_is_not_seen(self) -> None:
        hidden = PICTURE.convert("RGBA")
        hidden.putalpha(0)
        assert (_decode(_saved(hidden, "PNG")).pixels == 255).all()


class TestOrientation:
    @pytest.mark.parametrize("format_", ["JPEG", "WEBP"])
    def test_exif_is_honoured_only_on_request(self, format_: str) -> None:
        tags = Image.Exif()
        tags[0x0112] = 6
        data = _saved(PICTURE, format_, exif=tags)
        stored = _decode(data, exif_up=False)
        assert stored.pixels.shape == (64, 96, 3)
        assert stored.header.orientation == 6
        np.testing.assert_array_equal(_decode(data).pixels, np.rot90(stored.pixels, -1))

    def test_png_exif_never_turns_the_pixels_by_itself(self) -> None:
        rows = b"".join(b"\x00" + bytes([y * 9] * 18) for y in range(4))
        data = png(6, 4, extra=png_chunk(b"eXIf", exif(6)), rows=rows)
        assert _decode(data, exif_up=False).pixels.shape == (4, 6, 3)
        assert _decode(data, exif_up=True).pixels.shape == (6, 4, 3)

    @pytest.mark.parametrize("degrees", [0, 90, 180, 270])
    @pytest.mark.parametrize("mirrored", [False, True])
    def test_rotate_upright_undoes_a_camera(self, degrees: int, mirrored: bool) -> None:
        upright = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
        seen = upright[:, ::-1] if mirrored else upright
        captured = np.ascontiguousarray(np.rot90(seen, degrees // 90))
        np.testing.assert_array_equal(rotate_upright(captured, degrees, mirrored), upright)

    def test_rotate_upright_knows_right_angles_only(self) -> None:
        with pytest.raises(ValueError, match="45"):
            rotate_upright(np.zeros((4, 6, 3), np.uint8), 45, False)


class TestLimits:
    def test_bytes_are_counted_before_anything_else(self) -> None:
        error = _refusal(bytes(101), limits=DecodeLimits(max_bytes=100, max_pixels=100, max_side=10))
        assert error.reason is ImageFault.TOO_MANY_BYTES
        assert dict(error.details) == {"bytes": 101, "max_bytes": 100}

    @pytest.mark.parametrize(
        "bomb",
        [
            png(20_000, 20_000),
            png(2**31 - 1, 2**31 - 1),
            jpeg_head(65_535, 65_535) + b"\xff\xda\x00\x02\xff\xd9",
            j2k_head(60_000, 60_000),
            png(10_001, 1),
        ],
    )
    def test_bombs_are_refused_by_their_header(self, bomb: bytes) -> None:
        before = time.thread_time()
        error = _refusal(bomb)
        assert time.thread_time() - before < 0.1
        assert error.reason is ImageFault.TOO_MANY_PIXELS
        assert error.details["max_pixels"] == LIMITS.max_pixels

    def test_too_small(self) -> None:
        limits = DecodeLimits(max_bytes=1000, max_pixels=10_000, max_side=200, min_side=64)
        error = _refusal(png(100, 63), limits=limits)
        assert error.reason is ImageFault.TOO_SMALL
        assert error.details["height"] == 63
        assert error.details["min_side"] == 64

    def test_formats_are_chosen_by_the_caller(self) -> None:
        with pytest.raises(ImageError) as caught:
            decode_image(
                _saved(PICTURE, "PNG"),
                limits=LIMITS,
                formats=frozenset({ImageFormat.JPEG}),
                honour_exif_orientation=False,
            )
        assert caught.value.reason is ImageFault.UNSUPPORTED_FORMAT
        assert caught.value.details == {"format": "PNG", "accepted": "JPEG"}

    @pytest.mark.parametrize("format_", ["JPEG2000", "WEBP"])
    def test_without_an_isolated_decoder_risky_formats_are_refused(self, format_: str) -> None:
        with pytest.raises(ImageError, match="in isolation only") as caught:
            decode_image(
                _saved(PICTURE, format_), limits=LIMITS, formats=EVERY_FORMAT, honour_exif_orientation=False
            )
        assert caught.value.reason is ImageFault.UNSUPPORTED_FORMAT

    @pytest.mark.parametrize("format_", sorted(IN_PROCESS))
    def test_without_an_isolated_decoder_the_others_decode(self, format_: ImageFormat) -> None:
        decoded = decode_image(
            _saved(PICTURE, format_.name), limits=LIMITS, formats=IN_PROCESS, honour_exif_orientation=False
        )
        assert decoded.header.format is format_

    def test_a_decoder_that_gives_another_size_is_not_believed(self) -> None:
        class Liar:
            def decode_still(self, data: bytes, *, header: ImageHeader) -> NDArray[np.uint8]:
                return np.zeros((header.height, header.width + 1, 3), np.uint8)

        with pytest.raises(ImageError, match="another size") as caught:
            decode_image(
                _saved(PICTURE, "WEBP"),
                limits=LIMITS,
                formats=EVERY_FORMAT,
                honour_exif_orientation=False,
                still_decoder=Liar(),
            )
        assert caught.value.reason is ImageFault.MALFORMED

    @pytest.mark.parametrize(
        "wrong",
        [
            {"max_bytes": 0},
            {"max_pixels": 0},
            {"max_pixels": 100_000_000},
            {"min_side": 0},
            {"min_side": 11, "max_side": 10},
        ],
    )
    def test_limits_that_limit_nothing_are_a_mistake(self, wrong: dict[str, int]) -> None:
        with pytest.raises(ValueError, match="must be"):
            DecodeLimits(**({"max_bytes": 1, "max_pixels": 1, "max_side": 10} | wrong))


class TestDamage:
    @pytest.mark.parametrize("format_", ["PNG", "JPEG", "JPEG2000", "WEBP", "BMP"])
    def test_a_file_cut_off_is_malformed(self, format_: str) -> None:
        data = _saved(PICTURE, format_)
        assert _refusal(data[: len(data) * 2 // 3]).reason is ImageFault.MALFORMED

    def test_a_png_with_too_few_rows_is_malformed_or_blank(self) -> None:
        with pytest.raises(ImageError):
            _decode(png(64, 64, rows=bytes(10), end=False))

    def test_thousands_of_scans_are_refused(self) -> None:
        data = _saved(PICTURE, "JPEG", progressive=True)
        scan = jpeg_segment(0xDA, b"\x01\x01\x00\x01\x3f\x00")
        assert _refusal(data[:-2] + scan * 100 + data[-2:]).reason is ImageFault.MALFORMED

    @pytest.mark.parametrize(("step", "enough"), [(3, 5), pytest.param(1, 15, marks=pytest.mark.slow)])
    def test_malformed_and_conforming_jpeg2000_files(self, assets: Path, step: int, enough: int) -> None:
        conforming, reasons = 0, Counter[ImageFault]()
        for path in sorted((assets / "data" / "iso").glob("uclouvain*"))[::step]:
            before = time.perf_counter()
            try:
                pixels = _decode(path.read_bytes()).pixels
            except ImageError as error:
                reasons[error.reason] += 1
            else:
                assert pixels.ndim == 3
                conforming += 1
            assert time.perf_counter() - before < 60, path.name
        assert conforming >= enough
        assert reasons[ImageFault.MALFORMED] >= enough
        assert set(reasons) <= {ImageFault.MALFORMED, ImageFault.TOO_MANY_PIXELS}

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(["PNG", "JPEG", "JPEG2000", "WEBP", "BMP"]), st.data())
    def test_any_damage_gives_a_picture_or_an_image_error(self, format_: str, draw: st.DataObject) -> None:
        data = bytearray(_saved(Image.new("RGB", (24, 16), (10, 80, 200)), format_))
        for _ in range(draw.draw(st.integers(1, 6))):
            data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
        try:
            pixels = _decode(bytes(data)).pixels
        except ImageError:
            return
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3


@pytest.mark.slow
@pytest.mark.long
def test_damage_to_real_jpeg2000_files_never_passes_the_door(assets: Path) -> None:
    files = [path.read_bytes() for path in sorted((assets / "data" / "iso").glob("*.j*"))]
    files = [data for data in files if len(data) < 60_000]
    rng = random.Random(2)
    decoded = 0
    for _ in range(8_000):
        data = bytearray(rng.choice(files))
        for _ in range(rng.randint(1, 20)):
            data[rng.randrange(min(len(data), rng.choice([120, 400, len(data)])))] = rng.randrange(256)
        try:
            decoded += _decode(bytes(data)).pixels.ndim == 3
        except ImageError:
            continue
    assert decoded > 0


class TestEncodeJpeg:
    def test_comes_back(self) -> None:
        pixels = np.ascontiguousarray(_bgr(PICTURE))
        assert _difference(_decode(encode_jpeg(pixels, 95)).pixels, pixels) < 2

    def test_quality_costs_bytes(self) -> None:
        pixels = np.ascontiguousarray(_bgr(PICTURE))
        assert len(encode_jpeg(pixels, 95)) > len(encode_jpeg(pixels, 30))

    def test_an_empty_array_is_refused(self) -> None:
        with pytest.raises(ImageError):
            encode_jpeg(np.zeros((0, 0, 3), np.uint8))


_LIMITS = DecodeLimits(max_bytes=200_000, max_pixels=400 * 300, max_side=400, min_side=8)


def _colours(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return decode_image(
        data, limits=_LIMITS, formats=frozenset({ImageFormat.JPEG}), honour_exif_orientation=False
    ).pixels


@pytest.mark.parametrize(
    "data",
    [
        _saved(PICTURE, "JPEG", quality=95),
        _saved(PICTURE, "JPEG", quality=60, subsampling=0),
        _saved(PICTURE, "JPEG", progressive=True),
        _saved(PICTURE.convert("L"), "JPEG"),
        _saved(PICTURE.convert("CMYK"), "JPEG", quality=95),
    ],
    ids=["baseline", "4:4:4", "progressive", "grey", "CMYK"],
)
def test_luma_is_the_grey_of_the_colours(data: bytes) -> None:
    decoded = decode_jpeg_luma(data, limits=_LIMITS)
    assert decoded.pixels.shape == (64, 96) == (decoded.header.height, decoded.header.width)
    assert decoded.pixels.dtype == np.uint8
    grey = cv2.cvtColor(_colours(data), cv2.COLOR_BGR2GRAY).astype(int)
    assert np.abs(decoded.pixels - grey).mean() < 1.5


def test_orientation_is_left_alone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_jpeg_luma(_saved(PICTURE, "JPEG", exif=exif), limits=_LIMITS).pixels.shape == (64, 96)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", ImageFault.EMPTY),
        (_saved(PICTURE, "PNG"), ImageFault.UNSUPPORTED_FORMAT),
        (_saved(PICTURE, "JPEG")[:-400], ImageFault.MALFORMED),
        (_saved(PICTURE.resize((500, 100)), "JPEG"), ImageFault.TOO_MANY_PIXELS),
        (_saved(PICTURE.resize((100, 4)), "JPEG"), ImageFault.TOO_SMALL),
        (_saved(PICTURE, "JPEG") + bytes(200_000), ImageFault.TOO_MANY_BYTES),
    ],
    ids=["empty", "PNG", "cut off", "too large", "too small", "too long"],
)
def test_images_refused_in_colour_are_refused(data: bytes, fault: ImageFault) -> None:
    with pytest.raises(ImageError) as in_grey:
        decode_jpeg_luma(data, limits=_LIMITS)
    with pytest.raises(ImageError) as in_colour:
        _colours(data)
    assert in_grey.value.reason is in_colour.value.reason is fault


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_file_is_decoded_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(_saved(PICTURE, "JPEG"))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        decoded = decode_jpeg_luma(bytes(data), limits=_LIMITS)
    except ImageError:
        return
    assert decoded.pixels.shape == (decoded.header.height, decoded.header.width)


@pytest.mark.parametrize("size", [(96, 64), (97, 71), (100, 9)])
def test_blocks_are_their_mean_luma_however_they_are_coded(size: tuple[int, int]) -> None:
    picture = PICTURE.resize(size)
    coded = [
        _saved(picture, "JPEG", quality=80),
        _saved(picture, "JPEG", quality=80, optimize=True),
        _saved(picture, "JPEG", quality=80, progressive=True),
        _saved(picture, "JPEG", quality=80, comment=b"once more", exif=Image.Exif()),
    ]
    assert len(set(coded)) == len(coded)
    means = [decode_jpeg_blocks(data, limits=_LIMITS) for data in coded]
    assert all(np.array_equal(one, means[0]) for one in means)
    width, height = size
    assert means[0].shape == (-(-height // 8), -(-width // 8))
    luma = decode_jpeg_luma(coded[0], limits=_LIMITS).pixels[: height // 8 * 8, : width // 8 * 8]
    exact = luma.reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
    assert np.abs(means[0][: height // 8, : width // 8] - exact).max() <= 1.5


def test_blocks_of_an_image_over_a_limit_are_refused() -> None:
    with pytest.raises(ImageError) as refused:
        decode_jpeg_blocks(_saved(PICTURE.resize((401, 64)), "JPEG"), limits=_LIMITS)
    assert refused.value.reason is ImageFault.TOO_MANY_PIXELS
    with pytest.raises(ImageError) as refused:
        decode_jpeg_blocks(_saved(PICTURE, "JPEG")[:-200], limits=_LIMITS)
    assert refused.value.reason is ImageFault.MALFORMED
