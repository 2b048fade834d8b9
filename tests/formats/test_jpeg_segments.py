"""JPEG files as cameras, editors and damage leave them: which are read, which are refused as incomplete."""

import io
import itertools
from base64 import b85decode
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
from vision.image import DecodeLimits, decode_image, decode_jpeg_blocks, decode_jpeg_luma

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
# Viewers show this sampling, and the decoder that warns of missing data does not read it.
RARE, RARE_PROGRESSIVE = _saved("CMYK", subsampling=2), _saved("CMYK", subsampling=2, progressive=True)
RARE_RESTARTS = _saved("CMYK", subsampling=2, restart_marker_blocks=7)


# By cjpeg -sample, of gradients.
_FOUR_ONE_ZERO = b85decode(
    "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahX"
    "lFi6ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`"
    "F1uV`Klo01*fPC;%`60YU%*5di}c0sq7R7ytnQ0RaI30000000000000931O*2F!~ho%0RaI400000000000000000IMH|HJ"
    "?o0RRI50RR91000000000000RUD0tNrX02~nj0{{X80RR9100000000000s{dA5g{TH|Jncy0|5X65d#qbKLGLbk*6b0Mx2K"
    "^8gew`Y01%g1l6gYax~?{nkOSpNfc^!P|CheeB^1!)0Yi74stZ)X~@%;19}mfwKL8}oRVmqjX5Myso6m)`8o5Erz1{AoRUeG"
    "Y?1n{k*6b0NhFa*Z1PY^v+{rc*#"
)
_THREE_BY_ONE = b85decode(
    "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahX"
    "lFi6ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`"
    "F1uV`Klo01*fPC;%`60Wkmq5di}c0sq7R761VO0RR910000000000000982LHqW7Z3mg0RR9100000000000000217ZKf02l"
    "!P0|5a50000000000000021O)~I|HJ?m5di@K00000000000000000IC6|Jncy0|5X65d#qbKLE$9hFJ`<D>Ze_=2;A~8D)a"
    "aS2MbL$YqerAeyr|+{+=BLo9__u4i=hkjo*KSQA!jJDFrM$YqeTRm|?5vKeGD$R@1LcQVTcSq!ojYPp@$)<Z0YSp?OZ&gNMR"
    "vKeG7)pI+)|Je"
)


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


def _damaged(plain: bytes, progressive: bytes, restarts: bytes) -> list[bytes]:
    half, scans, marks = len(plain) // 2, _scans(progressive), _restarts(restarts)
    middle = marks[10]
    return [
        *(plain[: len(plain) * part // 100] + b"\xff\xd9" for part in (22, 40, 90, 99)),
        plain[:half] + bytes(len(plain) - half - 2) + b"\xff\xd9",
        plain[:half] + b"\xff" * (len(plain) - half - 2) + b"\xff\xd9",
        plain[:half] + plain[half + 3000 :],
        plain[:half] + bytes(3000) + plain[half + 3000 :],
        plain[:half] + plain[half : half + 3000] + plain[half:],
        *(progressive[: len(progressive) * part // 100] + b"\xff\xd9" for part in (22, 40, 90, 99)),
        *(progressive[:start] + b"\xff\xd9" for start in scans[1:]),
        progressive[: scans[3]] + progressive[scans[4] :],
        restarts[: middle - 20] + restarts[middle:],
        restarts[: middle - 20] + restarts[middle:-2] + b"\x12\x13\x14" + b"\xff\xd9",
        restarts[:middle] + restarts[marks[11] :],
        restarts[: middle + 1] + bytes([0xD0 + (restarts[middle + 1] + 3) % 8]) + restarts[middle + 2 :],
        plain[:-2],
        plain[: _scans(plain)[0]] + b"\xff\xd9",
        plain[: _scans(plain)[0] + 14] + b"\xff\xd9",
    ]


@pytest.mark.parametrize(
    "data",
    [
        *_damaged(PLAIN, PROGRESSIVE, RESTARTS),
        *_damaged(RARE, RARE_PROGRESSIVE, RARE_RESTARTS),
        *(GREY[: len(GREY) * part // 100] + b"\xff\xd9" for part in (22, 90)),
    ],
)
def test_a_picture_whose_data_are_missing_is_refused(data: bytes) -> None:
    for decode in (_decode, lambda file: decode_jpeg_luma(file, limits=LIMITS)):
        with pytest.raises(ImageError) as caught:
            decode(data)
        assert caught.value.reason is ImageFault.MALFORMED


def test_padding_does_not_hold_a_processor_for_minutes() -> None:
    half = len(RARE) // 2
    with pytest.raises(ImageError):
        _decode(RARE[:half] + b"\xff" * 900_000 + b"\xff\xd9")


@pytest.mark.parametrize("data", [RARE, RARE_PROGRESSIVE, RARE_RESTARTS])
def test_a_rare_sampling_is_read_as_viewers_do(data: bytes) -> None:
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(_decode(data), shown[..., ::-1])
    luma = decode_jpeg_luma(data, limits=LIMITS).pixels
    assert np.abs(luma - cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY).astype(int)).mean() < 1.5
    blocks = decode_jpeg_blocks(data, limits=LIMITS)
    means = cv2.resize(luma, blocks.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(blocks - means.astype(int)).mean() < 1.5


@pytest.mark.parametrize("made", [_FOUR_ONE_ZERO, _THREE_BY_ONE], ids=["4:1:0", "3x1"])
def test_colours_for_four_or_three_columns_are_read(made: bytes) -> None:
    down, across = np.mgrid[0:40, 0:48]
    shown = np.stack([np.full_like(down, 128), down * 6, across * 5], axis=-1)
    assert np.abs(_decode(made) - shown).mean() < 6
    with pytest.raises(ImageError, match="incomplete"):
        _decode(made[:-40] + b"\xff\xd9")


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


@pytest.mark.parametrize("whole", [PLAIN, PROGRESSIVE, RESTARTS, RARE, RARE_PROGRESSIVE, RARE_RESTARTS])
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
