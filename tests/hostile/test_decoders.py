"""Every hostile file in the decoder: the outcome and the cost."""

import numpy as np
import pytest
from PIL import Image

from tests.hostile import jpeg_files, png_files
from tests.hostile.decoding import decode, measured
from tests.hostile.files import CASES, HEIGHT, PICTURE, WIDTH, Case, colours
from tests.hostile.png_files import saved
from vision.errors import ImageError, ImageFault

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
        data = png_files.with_exif(saved(turned, "PNG"), orientation)
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
    inner = jpeg_files.with_segments(
        saved(PICTURE, "JPEG"), jpeg_files.exif_with_thumbnail(b"", orientation=6)
    )
    outer = jpeg_files.with_segments(
        saved(PICTURE, "JPEG"), jpeg_files.exif_with_thumbnail(inner, orientation=1)
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
    data = png_files.plain(width, height, colour=colour)
    with measured() as cost:
        pixels = decode(data).pixels
    assert pixels.shape == (height, width, 3)
    assert cost.bytes < 3 * pixels.nbytes
