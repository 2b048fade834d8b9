import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.express.cues import (
    CROP_FACE,
    WIDE_FACE,
    FrameCues,
    cut_crops,
    score_of_cue,
    shrink,
    summarise_cue,
)
from liveness.express.settings import CueLine
from tests.liveness.builders import face_at
from tests.liveness.express.portrait import FACE, cues_of, portrait, small


def test_a_close_crop_holds_the_face_at_its_size_in_its_place() -> None:
    crops = cut_crops(portrait(), FACE)
    assert crops is not None
    crop = crops.close
    assert crop.extent.width == pytest.approx(CROP_FACE)
    assert crop.frame_width == pytest.approx(200.0)
    assert crop.inside == pytest.approx(1.0, abs=0.03)
    assert crop.luma.shape == crop.picture.shape[:2]
    eyes = crop.five_points[:2]
    assert float(np.linalg.norm(eyes[1] - eyes[0])) == pytest.approx(CROP_FACE / 2.15, rel=0.01)
    dark = [crop.picture[round(float(y)), round(float(x))].mean() for x, y in eyes]
    assert max(dark) < 60


def test_a_wide_crop_holds_the_room_at_the_faces_sides() -> None:
    crops = cut_crops(portrait(), FACE)
    assert crops is not None
    wide = crops.wide
    assert wide.extent.width == pytest.approx(WIDE_FACE)
    # The face is 200 of 480 pixels wide, in the middle.
    assert wide.luma.shape[1] == pytest.approx(480 / 200 * WIDE_FACE, abs=1)
    assert wide.extent.x == pytest.approx(240 / 200 * WIDE_FACE, abs=0.5)
    eyes = round(wide.extent.y - 0.18 * WIDE_FACE)
    assert wide.luma[eyes - 2 : eyes + 3].min() < 60


@pytest.mark.parametrize("scale", [0.45, 0.7, 1.0, 2.0, 4.1])
def test_crops_are_the_same_whatever_the_cameras_pixels(scale: float) -> None:
    crops, other = cut_crops(portrait(), FACE), cut_crops(*small(portrait(), scale))
    assert crops is not None
    assert other is not None
    # Because pixels are whole, crops may begin slightly further out.
    for one, two in ((crops.close.extent, other.close.extent), (crops.wide.extent, other.wide.extent)):
        assert (two.x, two.y) == pytest.approx((one.x, one.y), abs=0.03 * one.width)
    here, there = (each.close.luma[each.close.face] for each in (crops, other))
    rows, columns = min(len(here), len(there)), min(here.shape[1], there.shape[1])
    apart = here[:rows, :columns].astype(float) - there[:rows, :columns]
    assert float(np.abs(apart).mean()) < 9


def test_parts_outside_the_frame_are_missing_from_the_crops() -> None:
    crops = cut_crops(portrait(), face_at(20.0, 300.0, 200.0))
    assert crops is not None
    assert crops.close.inside == pytest.approx(0.6, abs=0.03)
    assert crops.close.luma[crops.close.place(-1.0, -0.5, -0.5, 0.5)].shape[1] == 0
    assert crops.wide.extent.left < 0
    for x, y in ((-1.0, 300.0), (481.0, 300.0), (240.0, -1.0), (240.0, 641.0)):
        assert cut_crops(portrait(), face_at(x, y, 200.0)) is None


@pytest.mark.parametrize("scale", [0.05, 0.25, 0.3, 0.5, 0.8, 1.0, 2.3])
def test_shrinking_keeps_brightness_and_gives_the_size_asked_for(scale: float) -> None:
    image = portrait()
    small_one = shrink(image, scale)
    assert small_one.shape[:2] == (round(640 * scale), round(480 * scale))
    assert float(small_one.mean()) == pytest.approx(float(image.mean()), abs=2.0)


def test_a_thin_picture_shrinks_to_a_pixel_at_least() -> None:
    assert shrink(np.zeros((2, 300, 3), np.uint8), 0.01).shape == (1, 3, 3)


_VALUES = st.floats(-1e6, 1e6)


def test_the_median_of_the_frames_that_have_the_cue() -> None:
    cues = [*cues_of("moire", [1.0, 9.0, 2.0]), FrameCues(frame_index=3, values={})]
    found = summarise_cue(cues, "moire")
    assert found is not None
    assert (found.value, found.frames, found.counted) == (2.0, 3, "3 frames")
    assert summarise_cue(cues, "medium_border") is None


@given(value=_VALUES, line=_VALUES, live=_VALUES)
def test_a_score_is_a_half_on_the_line_and_more_on_the_live_side(
    value: float, line: float, live: float
) -> None:
    if abs(line - live) < 1e-3:
        return
    lines = CueLine(line=line, live=live)
    score = score_of_cue(value, lines)
    assert 0 <= score <= 1
    assert score_of_cue(line, lines) == pytest.approx(0.5)
    assert score_of_cue(live, lines) == pytest.approx(0.8)
    if (value - line) * (live - line) > 0:
        assert score >= 0.5
    else:
        assert score <= 0.5
