"""JPEG files as cameras, editors and damage leave them: which are read, which are refused as incomplete."""

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from formats.errors import ImageFault, ImageUnreadable
from formats.image_format import ImageFormat
from formats.image_header import parse_header
from formats.jpeg import header_segments, picture_segments, read_segments
from tests.formats.samples import exif, jpeg_segment
from vision.errors import ImageError
from vision.face import BgrImage
from vision.image import DecodeLimits, decode_image, decode_jpeg_luma

LIMITS = DecodeLimits(max_bytes=1_000_000, max_pixels=1_000_000, max_side=2_000)


def _picture() -> Image.Image:
    noise = np.random.default_rng(5).integers(0, 256, (240, 320, 3), np.uint8)
    return Image.fromarray(cv2.GaussianBlur(noise, (5, 5), 0).astype(np.uint8))


def _saved(mode: str = "RGB", **options: object) -> bytes:
    made = io.BytesIO()
    _picture().convert(mode).save(made, "JPEG", **({"quality": 90} | options))
    return made.getvalue()


PLAIN, PROGRESSIVE, GREY = _saved(), _saved(progressive=True), _saved("L")
RESTARTS = _saved(restart_marker_blocks=7)


def _decode(data: bytes, *, exif: bool = False) -> BgrImage:
    return decode_image(
        data, limits=LIMITS, formats=frozenset({ImageFormat.JPEG}), honour_exif_orientation=exif
    ).pixels


def _scans(data: bytes) -> list[int]:
    return [segment.start for segment in read_segments(data) if segment.marker == 0xDA]


def _restarts(data: bytes) -> list[int]:
    start = _scans(data)[0]
    return [at for at in range(start, len(data) - 1) if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7]


def _between(data: bytes, stray: bytes) -> bytes:
    """``data`` with stray bytes before each marker in front of the image data, but the first two."""
    starts = [segment.start for segment in read_segments(data) if segment.start <= _scans(data)[0]][1:]
    for start in reversed(starts):
        data = data[:start] + stray + data[start:]
    return data


def _with(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


HALF = len(PLAIN) // 2
_MIDDLE = _restarts(RESTARTS)[10]


@pytest.mark.parametrize(
    "data",
    [
        *(PLAIN[: len(PLAIN) * part // 100] + b"\xff\xd9" for part in (22, 40, 90, 99)),
        PLAIN[:HALF] + bytes(len(PLAIN) - HALF - 2) + b"\xff\xd9",
        PLAIN[:HALF] + b"\xff" * (len(PLAIN) - HALF - 2) + b"\xff\xd9",
        PLAIN[:HALF] + PLAIN[HALF + 3000 :],
        PLAIN[:HALF] + bytes(3000) + PLAIN[HALF + 3000 :],
        PLAIN[:HALF] + PLAIN[HALF : HALF + 3000] + PLAIN[HALF:],
        *(GREY[: len(GREY) * part // 100] + b"\xff\xd9" for part in (22, 90)),
        *(PROGRESSIVE[: len(PROGRESSIVE) * part // 100] + b"\xff\xd9" for part in (22, 40, 90, 99)),
        *(PROGRESSIVE[:start] + b"\xff\xd9" for start in _scans(PROGRESSIVE)[1:]),
        PROGRESSIVE[: _scans(PROGRESSIVE)[3]] + PROGRESSIVE[_scans(PROGRESSIVE)[4] :],
        RESTARTS[: _MIDDLE - 20] + RESTARTS[_MIDDLE:],
        RESTARTS[: _MIDDLE - 20] + RESTARTS[_MIDDLE:-2] + b"\x12\x13\x14" + b"\xff\xd9",
        RESTARTS[:_MIDDLE] + RESTARTS[_restarts(RESTARTS)[11] :],
        RESTARTS[: _MIDDLE + 1] + bytes([0xD0 + (RESTARTS[_MIDDLE + 1] + 3) % 8]) + RESTARTS[_MIDDLE + 2 :],
        PLAIN[:-2],
        PLAIN[: _scans(PLAIN)[0]] + b"\xff\xd9",
        PLAIN[: _scans(PLAIN)[0] + 14] + b"\xff\xd9",
    ],
)
def test_a_picture_whose_data_are_missing_is_refused(data: bytes) -> None:
    for decode in (_decode, lambda file: decode_jpeg_luma(file, limits=LIMITS)):
        with pytest.raises(ImageError) as caught:
            decode(data)
        assert caught.value.reason is ImageFault.MALFORMED


def test_a_whole_picture_with_unusual_sampling_is_not_called_incomplete() -> None:
    with pytest.raises(ImageError, match="4:2:0") as caught:
        _decode(_saved("CMYK", subsampling=2))
    assert caught.value.reason is ImageFault.UNSUPPORTED_FORMAT
    assert _decode(_saved("CMYK", subsampling=0)).shape == (240, 320, 3)


def test_stray_zeros_behind_the_data_of_each_scan_are_passed_over() -> None:
    starts = _scans(PROGRESSIVE)
    data = PROGRESSIVE
    segments = list(read_segments(data))
    behind = [after.start for before, after in itertools.pairwise(segments) if before.marker == 0xDA]
    assert len(behind) == len(starts) > 5
    for place in reversed(behind):
        data = data[:place] + bytes(2) + data[place:]
    assert np.array_equal(_decode(data), _decode(PROGRESSIVE))
    cut = behind[3]
    with pytest.raises(ImageError):
        _decode(PROGRESSIVE[: cut - 60] + bytes(2) + PROGRESSIVE[cut:])


def _sequential_numbers_of_a_phone(data: bytes) -> bytes:
    end = _scans(data)[0] + 14
    return data[: end - 3] + b"\x01\x20\x11" + data[end:]


def _newer_jfif(data: bytes) -> bytes:
    return data.replace(b"JFIF\x00\x01", b"JFIF\x00\x03")


@pytest.mark.parametrize("whole", [PLAIN, PROGRESSIVE, RESTARTS])
@pytest.mark.parametrize(
    "change",
    [
        lambda data: _between(data, b"\x00\x00"),
        lambda data: _between(data, b"\x00"),
        lambda data: _between(data, b"8BIM\x04\x0c\x00"),
        lambda data: _between(data, b"\xff\x00\x12"),
        lambda data: _between(data, b"\xff\xff\xff"),
        lambda data: data + b"\xff\xda" * 65,
        lambda data: data + b"\x00\x00\x00\x18ftypmp42" + data * 3,
        lambda data: data[:-2] + bytes(3) + data[-2:],
        lambda data: data[:-2] + b"\xff" * 9 + data[-2:],
        _newer_jfif,
        lambda data: _with(data, jpeg_segment(0xFE, b"\xff\xda\xff\xd9" * 99)),
    ],
)
def test_what_every_viewer_shows_is_read(whole: bytes, change: Callable[[bytes], bytes]) -> None:
    assert np.array_equal(_decode(change(whole)), _decode(whole))
    luma = decode_jpeg_luma(change(whole), limits=LIMITS).pixels
    assert np.array_equal(luma, decode_jpeg_luma(whole, limits=LIMITS).pixels)


def test_numbers_of_a_progressive_scan_in_a_sequential_file_mean_nothing() -> None:
    assert np.array_equal(_decode(_sequential_numbers_of_a_phone(PLAIN)), _decode(PLAIN))


def test_the_first_exif_segment_counts_wherever_it_stands() -> None:
    app1 = [jpeg_segment(0xE1, b"Exif\0\0" + exif(turn)) for turn in (6, 1, 3)]
    frame = next(segment for segment in read_segments(PLAIN) if segment.marker == 0xC0)
    behind_the_frame = PLAIN[: frame.end] + app1[0] + app1[1] + PLAIN[frame.end :]
    for data in (_with(PLAIN, *app1), _with(PLAIN, app1[0]), behind_the_frame):
        assert parse_header(data).orientation == 6
        assert _decode(data, exif=True).shape == (320, 240, 3)
    assert parse_header(_with(PLAIN, *reversed(app1))).orientation == 3


def test_a_first_exif_segment_without_an_orientation_is_upright() -> None:
    empty, turned = (jpeg_segment(0xE1, b"Exif\0\0" + block) for block in (b"MM\x00*", exif(6)))
    assert parse_header(_with(PLAIN, empty, turned)).orientation == 1


@pytest.mark.parametrize(
    "name", ["k1_two_zero_bytes_between_segments", "k2_65_marks_behind_the_end", "k5_exif_6_then_1"]
)
def test_reported_files_show_what_viewers_show(assets: Path, name: str) -> None:
    reported = assets / "data" / "reported"
    shown = _decode((reported / f"{name}.jpg").read_bytes(), exif=True)
    expected = np.asarray(Image.open(reported / "expected.png").convert("RGB"))[..., ::-1]
    assert np.abs(shown.astype(int) - expected).max() <= 3


def test_a_reported_file_without_its_data_is_refused(assets: Path) -> None:
    data = (assets / "data" / "reported" / "k4_cut_at_40_percent_and_closed.jpg").read_bytes()
    with pytest.raises(ImageError):
        _decode(data)


@pytest.mark.parametrize("behind", [2, None])
def test_too_many_segments_are_named_wherever_they_are(behind: int | None) -> None:
    at = behind or _scans(PLAIN)[0]
    data = PLAIN[:at] + 1_100 * jpeg_segment(0xFE, b"comment") + PLAIN[at:]
    with pytest.raises(ImageError, match="more than 1024 segments") as caught:
        _decode(data)
    assert caught.value.reason is ImageFault.MALFORMED
    # Metadata are optional.
    assert len(list(header_segments(data))) <= 1_024


@given(st.binary(max_size=200))
def test_any_bytes_give_segments_or_an_image_error(noise: bytes) -> None:
    data = b"\xff\xd8\xff" + noise
    assert all(segment.end <= len(data) for segment in header_segments(data))
    try:
        picture = picture_segments(data)
    except ImageUnreadable:
        return
    assert picture.startswith(b"\xff\xd8")


@pytest.mark.parametrize("data", [PLAIN, RESTARTS])
def test_a_gap_of_a_block_of_a_disk_is_refused_wherever_it_is(data: bytes) -> None:
    start = _scans(data)[0] + 14
    for at in range(start, len(data) - 4_098, 1_024):
        for broken in (data[:at] + data[at + 4_096 :], data[:at] + bytes(4_096) + data[at + 4_096 :]):
            with pytest.raises(ImageError):
                _decode(broken)
