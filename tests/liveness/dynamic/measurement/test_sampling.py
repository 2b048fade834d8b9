import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from liveness.dynamic.measurement.sampling import sample_frame
from liveness.dynamic.sample import PATCH_SIDE, SKIN_REGIONS, FlashSample, Region
from tests.liveness.builders import face_at
from vision.face import BgrImage, Box, DetectedFace, Points


def _sample(pixels: BgrImage, face: DetectedFace | None) -> FlashSample:
    return sample_frame(
        pixels, index=0, capture_time=1.0, arrival_time=2.0, face=face, step=1, step_since=0.9
    )


def _plain(blue: int, green: int, red: int) -> BgrImage:
    return np.full((640, 480, 3), (blue, green, red), np.uint8)


def test_light_is_linear() -> None:
    # 188 is half of white's light in sRGB, 137 a quarter of it (IEC 61966-2-1).
    sample = _sample(_plain(61, 137, 188), face_at())
    assert sample.linear[Region.NOSE] == pytest.approx([0.503, 0.250, 0.0467], abs=0.003)
    assert np.allclose(sample.linear, sample.linear[0], atol=1e-5)
    assert np.allclose(sample.patch, sample.linear[0], atol=1e-5)
    assert np.allclose(sample.usable, 1.0)


def test_saturated_and_dark_pixels_do_not_count() -> None:
    pixels = _plain(100, 120, 140)
    pixels[::2] = 255
    pixels[1::8] = 2
    face = face_at(width=150)
    wanted = _sample(_plain(100, 120, 140), face).linear[Region.BACKGROUND]
    small = np.ascontiguousarray(pixels[:320, :240])
    sample = _sample(small, face_at(120, 150, 110))
    assert sample.linear[Region.BACKGROUND] == pytest.approx(wanted, rel=0.01)
    assert sample.usable[Region.BACKGROUND] == pytest.approx(3 / 8, abs=0.03)


def test_a_saturated_face_is_not_measured() -> None:
    sample = _sample(_plain(255, 255, 255), face_at())
    assert np.isnan(sample.linear).all()
    assert not sample.usable.any()
    assert np.isnan(sample.patch).all()


@pytest.mark.parametrize("turned", [0.0, 0.6, -0.6])
def test_pixels_below_the_face_have_no_effect(turned: float) -> None:
    face = face_at(width=120)
    middle = face.five_points[:2].mean(axis=0)
    turn = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    points = ((face.five_points - middle) @ turn.T + middle).astype(np.float32)
    rolled = DetectedFace(box=face.box, confidence=0.9, five_points=points)
    pixels = np.random.default_rng(3).integers(40, 200, (640, 480, 3)).astype(np.uint8)
    changed = pixels.copy()
    changed[round(float(middle[1] + 2.6 * face.eye_distance)) :] = 90
    before, after = _sample(pixels, rolled), _sample(changed, rolled)
    for name in ("linear", "usable", "patch"):
        assert np.array_equal(getattr(before, name), getattr(after, name), equal_nan=True)
    assert np.isfinite(before.patch).all()


def test_regions_lie_at_their_stated_places() -> None:
    pixels = _plain(60, 60, 60)
    face = face_at()
    eye = face.eye_distance
    middle = face.five_points[:2].mean(axis=0)
    pixels[round(middle[1] - 0.75 * eye) : round(middle[1] - 0.25 * eye)] = 120
    x = round(middle[0])
    below = slice(round(middle[1] + 0.3 * eye), round(middle[1] + eye))
    pixels[below, round(x - 0.9 * eye) : round(x - 0.2 * eye)] = 160
    pixels[below, round(x + 0.2 * eye) : round(x + 0.9 * eye)] = 200
    pixels[:, :60] = 30
    pixels[:, -60:] = 30
    sample = _sample(pixels, face)
    grey = {one: float(sample.linear[one, 0]) for one in Region}
    dark = grey[Region.CHIN]
    assert grey[Region.NOSE] == pytest.approx(dark)
    assert grey[Region.FOREHEAD] > 2 * dark
    assert grey[Region.LEFT_CHEEK] > 1.2 * grey[Region.FOREHEAD]
    assert grey[Region.RIGHT_CHEEK] > 1.2 * grey[Region.LEFT_CHEEK]
    assert grey[Region.BACKGROUND] < 0.8 * dark


def test_the_size_of_the_frame_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    coarse = rng.integers(60, 180, (20, 15, 3)).astype(np.uint8)
    pixels = cv2.resize(coarse, (480, 640), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    half = cv2.resize(pixels, (240, 320), interpolation=cv2.INTER_AREA).astype(np.uint8)
    whole = _sample(pixels, face_at())
    smaller = _sample(half, face_at(119.5, 149.5, 115))
    skin = list(SKIN_REGIONS)
    assert smaller.linear[skin] == pytest.approx(whole.linear[skin], rel=0.03)
    assert np.allclose(smaller.patch, whole.patch, rtol=0.06)


def test_without_a_face_nothing_is_measured() -> None:
    sample = _sample(_plain(90, 90, 90), None)
    assert np.isnan(sample.linear).all()
    assert not sample.usable.any()
    assert (sample.step, sample.step_since, sample.capture_time) == (1, 0.9, 1.0)


@settings(max_examples=60, deadline=None)
@given(
    pixels=arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 90), st.just(3)), elements=st.integers(0, 255)
    ),
    points=arrays.arrays(
        np.float32,
        (5, 2),
        elements=st.one_of(st.floats(-60, 150, width=32), st.floats(width=32, allow_nan=True)),
    ),
)
def test_no_picture_and_no_face_break_it(pixels: BgrImage, points: Points) -> None:
    face = DetectedFace(box=Box(0, 0, 10, 10), confidence=0.5, five_points=points)
    sample = _sample(pixels, face)
    assert sample.linear.shape == (len(Region), 3)
    assert sample.patch.shape == (PATCH_SIDE, PATCH_SIDE, 3)
    for values in (sample.linear, sample.patch):
        assert not np.isinf(values).any()
        assert np.nanmin(values, initial=0) >= 0
        assert np.nanmax(values, initial=0) <= 1.001
    assert ((sample.usable >= 0) & (sample.usable <= 1.001)).all()
