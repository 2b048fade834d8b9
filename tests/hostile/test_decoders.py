"""Hostile files in the decoder, and any declared header: the outcome and the cost."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from formats.errors import ImageUnreadable
from formats.exif import read_orientation
from formats.image_header import detect_format, parse_header
from tests.formats.samples import jpeg_head, jpeg_segment
from tests.hostile import image_files
from tests.hostile.decoding import LIMITS, decode, measured
from tests.hostile.files import CASES, HEIGHT, PICTURE, WIDTH, Case, colours
from tests.hostile.image_files import saved
from tests.hostile.strategies import exif_blocks, headers
from vision.errors import ImageError, ImageFault

# Every hostile file in the decoder: the outcome and the cost.

SECONDS = 2.0
"""Processor time that any single file may take."""
MEGABYTES = 100
"""Maximum growth of the process by any of these small files, whatever they declare."""


def _id(case: Case) -> str:
    return case.name.replace(" ", "-").replace(",", "")


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_hostile_files_are_refused(case: Case) -> None:
    data = case.make()
    with measured() as cost:
        if case.faults:
            with pytest.raises(ImageError) as caught:
                decode(data)
            assert caught.value.reason in case.faults
            assert len(str(caught.value)) < 300
        else:
            pixels = decode(data).pixels
            expected = colours(case.shows or PICTURE)
            assert pixels.dtype == np.uint8
            assert pixels.flags.c_contiguous
            assert pixels.shape == expected.shape
            assert np.abs(pixels.astype(int) - expected).mean() <= case.tolerance
    assert cost.seconds < SECONDS
    assert cost.bytes < MEGABYTES * 1_000_000


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "JPEG2000"])
def test_a_file_cut_off_anywhere_is_refused(format_: str) -> None:
    data = saved(PICTURE, format_)
    step = max(1, len(data) // 200)
    for length in [*range(min(200, len(data))), *range(200, len(data) - 12, step)]:
        with pytest.raises(ImageError) as caught:
            decode(data[:length])
        reason = caught.value.reason
        expected = ImageFault.EMPTY if not length else ImageFault.MALFORMED
        assert reason in {expected, ImageFault.UNSUPPORTED_FORMAT}, length


_TURNS: dict[int, tuple[Image.Transpose, ...]] = {
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_270,),
}
"""The effect of a camera's orientation on the upright image: the inverse of the tag's transformation."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_every_orientation_gives_the_same_upright_picture(orientation: int, format_: str) -> None:
    turned = PICTURE
    for turn in _TURNS[orientation]:
        turned = turned.transpose(turn)
    if format_ == "PNG":
        data = image_files.with_exif(saved(turned, "PNG"), orientation)
    else:
        tags = Image.Exif()
        tags[0x0112] = orientation
        data = saved(turned, "JPEG", quality=95, exif=tags)
    upright = decode(data)
    assert upright.header.orientation == orientation
    assert upright.pixels.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(upright.pixels.astype(int) - colours(PICTURE)).mean() < 2
    asleep = decode(data, upright=False)
    assert asleep.pixels.shape[:2] == turned.size[::-1]


def test_the_thumbnail_s_orientation_is_not_the_picture_s() -> None:
    inner = image_files.with_segments(
        saved(PICTURE, "JPEG"), image_files.exif_with_thumbnail(b"", orientation=6)
    )
    outer = image_files.with_segments(
        saved(PICTURE, "JPEG"), image_files.exif_with_thumbnail(inner, orientation=1)
    )
    assert decode(outer).pixels.shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("width", "height"),
    [(10_000, 2_500), pytest.param(5_000, 5_000, marks=pytest.mark.slow)],
    ids=["10000x2500", "5000x5000"],
)
@pytest.mark.parametrize("colour", [0, 2], ids=["grey", "rgb"])
def test_the_largest_picture_that_may_be_declared_costs_no_more_than_its_pixels(
    width: int, height: int, colour: int
) -> None:
    data = image_files.plain(width, height, colour=colour)
    with measured() as cost:
        pixels = decode(data).pixels
    assert pixels.shape == (height, width, 3)
    assert cost.bytes < 3 * pixels.nbytes


# Any declared header gives a header or an ImageUnreadable, and no memory is allocated beyond the limits.

_PARSING_BYTES = 100_000
_DECODING_BYTES = 500_000_000
"""A multiple of the largest image within the limits; each file here has less than a kilobyte."""
_REFUSED_BYTES = 20_000_000


@settings(max_examples=250, deadline=None)
@given(headers())
def test_any_declaration_gives_a_header_or_an_image_error(data: bytes) -> None:
    reason: ImageFault | None = None
    tracemalloc.start()
    try:
        header = parse_header(data)
    except ImageUnreadable as error:
        reason = error.reason
    else:
        assert header.format is detect_format(data)
        assert header.width > 0
        assert header.height > 0
        assert header.channels in range(1, 5)
        assert header.orientation in range(1, 9)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert reason in {None, ImageFault.MALFORMED, ImageFault.UNSUPPORTED_FORMAT, ImageFault.ANIMATED}
    assert peak < _PARSING_BYTES


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(headers())
def test_nothing_beyond_the_limits_is_allocated(data: bytes) -> None:
    with measured() as cost:
        try:
            pixels = decode(data).pixels
        except ImageError as error:
            beyond = error.reason is not ImageFault.MALFORMED
        else:
            beyond = False
            assert pixels.shape[0] * pixels.shape[1] <= LIMITS.max_pixels
            assert max(pixels.shape[:2]) <= LIMITS.max_side
    assert cost.bytes < (_REFUSED_BYTES if beyond else _DECODING_BYTES)


@given(exif_blocks())
def test_any_exif_gives_an_orientation(block: bytes) -> None:
    orientation = read_orientation(block)
    assert orientation in range(1, 9)
    stored = jpeg_head(8, 8)
    header = parse_header(stored[:2] + jpeg_segment(0xE1, b"Exif\0\0" + block) + stored[2:])
    assert header.orientation == orientation
