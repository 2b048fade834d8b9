"""The response of a face to light, from pixels to tracks."""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from liveness.dynamic.challenge.script import ColourStep, RevealedStep, ScreenColour, Transition
from liveness.dynamic.measurement.brightness import (
    expected_response,
    is_dim,
    lux_borne_out,
    read_exposure,
    scene_lux,
)
from liveness.dynamic.measurement.response import Response, ResponseSettings, fit_response
from liveness.dynamic.measurement.sampling import sample_light
from liveness.dynamic.measurement.surface import measure_unevenness
from liveness.dynamic.measurement.track import (
    MOST_SAMPLES,
    Appearance,
    FlashTrack,
    Sent,
    TrackView,
    appearances,
    fit_drift,
    light_at,
    number_at,
)
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.sample import PATCH_SIDE, SKIN_REGIONS, FlashSample, Region
from tests.liveness.builders import face_at
from tests.liveness.dynamic.light_scan import LAG, LightScan, answering, guessing, light_scan, seen, track_of
from tests.liveness.dynamic.synthetic import exposure_claim
from vision.face import BgrImage, Box, DetectedFace, Points

SAMPLE = light_scan(1).samples[0]


def _exposed(seconds: float, iso: float, level: float = 0.18) -> FlashSample:
    return replace(
        SAMPLE,
        exposure=exposure_claim(seconds, iso),
        linear=np.full((len(Region), 3), level, np.float32),
    )


@pytest.mark.parametrize(
    ("seconds", "iso", "lux"), [(1 / 60, 200, 135), (1 / 30, 1600, 8.4), (1 / 8000, 50, 72000)]
)
def test_the_camera_settings_give_the_light(seconds: float, iso: float, lux: float) -> None:
    assert scene_lux([_exposed(seconds, iso)] * 3) == pytest.approx(lux, rel=0.02)


def test_without_metadata_the_light_is_unknown() -> None:
    assert scene_lux([SAMPLE]) is None
    assert scene_lux([_exposed(0.0, 100), _exposed(0.01, 0)]) is None
    assert scene_lux([]) is None


def _filmed(
    settings: NDArray[np.float64], picture: NDArray[np.float64], *, locked: bool = False
) -> list[FlashSample]:
    """Frames with an exposure of 2 by their settings, and a background of 0.2 by their pixels."""
    return [
        replace(
            SAMPLE,
            exposure=exposure_claim(0.01, 200 * float(np.exp(setting)), locked=locked),
            linear=np.full((len(Region), 3), 0.2 * np.exp(light), np.float32),
        )
        for setting, light in zip(settings, picture, strict=True)
    ]


WAVE = 0.1 * np.sin(np.arange(60) / 5)
STILL = np.zeros(60)


@pytest.mark.parametrize(
    ("settings", "picture", "locked", "borne_out"),
    [
        (WAVE, WAVE, False, True),
        (WAVE, 1.2 * WAVE, False, True),
        (STILL, STILL, True, True),
        (STILL, STILL, False, False),
        (STILL, WAVE, True, False),
        (WAVE, STILL, False, False),
        (WAVE, -WAVE, False, False),
        (WAVE, 5 * WAVE, False, False),
        (WAVE, np.roll(WAVE, 8), False, False),
    ],
)
def test_settings_are_believed_where_the_picture_bears_them_out(
    settings: NDArray[np.float64], picture: NDArray[np.float64], locked: bool, borne_out: bool
) -> None:
    assert lux_borne_out(_filmed(settings, picture, locked=locked)) is borne_out


def test_a_camera_that_is_locked_in_the_middle_is_judged_while_it_is() -> None:
    """As the protocol requires: only after it has followed the screen's light."""
    following = _filmed(np.linspace(0.3, 0.0, 15), np.linspace(0.0, 0.3, 15))
    assert lux_borne_out([*following, *_filmed(STILL, STILL, locked=True)])
    assert not lux_borne_out([*following, *_filmed(STILL, WAVE, locked=True)])
    assert not lux_borne_out([*following, *_filmed(STILL[:19], STILL[:19], locked=True)])


@pytest.mark.parametrize(("iso", "dim"), [(200, True), (50, False), (0, False)])
def test_dim_light_follows_from_the_metadata(iso: float, dim: bool) -> None:
    assert is_dim([_exposed(1 / 60, iso)] * 3, 300.0) is dim


@pytest.mark.parametrize(("seconds", "dim"), [(1 / 30, True), (1 / 1000, False)])
def test_skin_that_is_saturated_everywhere_is_as_bright_as_the_camera_shows(
    seconds: float, dim: bool
) -> None:
    assert is_dim([_exposed(seconds, 1600, np.nan)] * 3, 300.0) is dim
    assert scene_lux([_exposed(seconds, 1600, np.nan)] * 3) is None


def test_without_metadata_or_a_background_nothing_is_borne_out() -> None:
    assert not lux_borne_out([])
    assert not lux_borne_out([SAMPLE] * 60)
    assert not lux_borne_out(_filmed(WAVE[:5], WAVE[:5]))
    dark = [replace(one, linear=np.full_like(one.linear, np.nan)) for one in _filmed(WAVE, WAVE)]
    assert not lux_borne_out(dark)


def test_the_exposure_of_the_skin_is_measured() -> None:
    assert read_exposure([]).level is None
    assert read_exposure([_exposed(0.01, 100, 0.3)]).level == pytest.approx(0.3)
    lost = replace(SAMPLE, usable=np.zeros(len(Region), np.float32))
    assert read_exposure([SAMPLE, lost]).lost == 0.5


def test_less_light_shows_more_of_the_screen() -> None:
    answers = [expected_response(lux, 30.0) for lux in (1.0, 20.0, 150.0, 3000.0, 30000.0)]
    assert answers == sorted(answers, reverse=True)
    assert answers[2] == pytest.approx(0.184, abs=0.01)


_STEPS, _FRAMES, _CELLS = 6, 12, 120


def _scan(
    seed: int, *, uneven: float, turned: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Cells that follow colours by shares around 1, and a head that turns anew with every step."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(np.arange(_STEPS, dtype=np.intp), _FRAMES)
    drive = rng.normal(0, 0.2, (_STEPS, 3))[steps]
    shares = 1 + uneven * rng.normal(size=_CELLS)
    shading = turned * rng.normal(size=(_STEPS, _CELLS))[steps]
    answers = shares[None, :, None] * drive[:, None, :] + shading[:, :, None]
    answers += rng.normal(0, 0.02, answers.shape)
    return drive, answers, steps


def _measured(
    drive: NDArray[np.float64],
    answers: NDArray[np.float64],
    steps: NDArray[np.intp],
    curve: NDArray[np.float64] | None = None,
) -> float:
    even = np.ones((_CELLS, 1))
    found = measure_unevenness(drive, answers, steps, even if curve is None else curve, even[:, 0])
    assert found is not None
    assert found.error >= 0
    return found.variance


def test_shares_that_differ_are_measured() -> None:
    found = [_measured(*_scan(seed, uneven=0.3, turned=0.0)) for seed in range(20)]
    assert np.mean(found) == pytest.approx(0.09, rel=0.1)


def test_errors_that_last_as_long_as_a_step_cancel() -> None:
    """The variance of plain shares would contain them."""
    plain, found = [], []
    for seed in range(40):
        drive, answers, steps = _scan(seed, uneven=0.0, turned=0.05)
        found.append(_measured(drive, answers, steps))
        shares = np.einsum("tc,tkc->k", drive, answers) / (drive**2).sum()
        plain.append(shares.var())
    assert np.mean(plain) > 0.003
    assert abs(np.mean(found)) < 0.15 * np.mean(plain)
    assert min(found) < 0, "an unbiased measure of nothing is negative as often as not"


def test_a_response_curve_is_no_unevenness() -> None:
    drive, answers, steps = _scan(3, uneven=0.0, turned=0.0)
    slope = np.linspace(-1, 1, _CELLS)
    answers = answers + 0.5 * slope[None, :, None] * drive[:, None, :]
    curve = np.stack([np.ones(_CELLS), slope], axis=1)
    assert _measured(drive, answers, steps) > 0.05
    assert abs(_measured(drive, answers, steps, curve=curve)) < 0.002


def test_two_steps_and_light_in_a_single_one_have_nothing_to_compare() -> None:
    drive, answers, steps = _scan(0, uneven=0.2, turned=0.0)
    even = np.ones(_CELLS)
    assert measure_unevenness(drive, answers, steps % 2, even[:, None], even) is None
    drive[steps != 2] = 0.0
    assert measure_unevenness(drive, answers, steps, even[:, None], even) is None


def _rough(time: float) -> float:
    return 0.25 * math.sin(2.9 * time) + 0.1 * math.sin(9 * time)


def _explained(track: TrackView, shown: Sequence[Appearance]) -> float:
    """Share of the face's variance that the screen explains."""
    rows = np.flatnonzero(track.clean)
    drift = fit_drift(track, rows)
    assert drift is not None
    screen = drift.clear(light_at(shown, track.times[rows] - LAG, blur=0.04))
    face = drift.clear_of_gain(track.face[rows], screen)
    rest = face - screen @ np.linalg.lstsq(screen, face, rcond=None)[0]
    return 1 - float((rest**2).sum() / (face**2).sum())


@pytest.mark.parametrize(
    ("hidden", "explained"),
    [(slice(0), 0.9), (slice(30, 36), 0.88), (slice(0, 2), 0.88), (slice(0, None, 8), 0.88)],
)
def test_the_background_takes_the_cameras_gain_out(hidden: slice, explained: float) -> None:
    """A few frames that do not show it change little."""
    track, shown = seen(light_scan(4, gain=_rough, noise=0.003))
    track.background[hidden] = np.nan
    assert _explained(track, shown) > explained
    track.background[:] = np.nan
    assert _explained(track, shown) < 0.8


def test_another_flash_on_face_and_wall_is_no_gain() -> None:
    """Otherwise only the part that fits the screen would remain, and any flash would answer this one."""
    track, shown = seen(light_scan(4, noise=0.003))
    rng = np.random.default_rng(1)
    for _ in range(8):
        film = np.repeat(rng.choice([-0.5, 0.5], (len(track.times) // 9 + 1, 3)), 9, axis=0)
        track.face[:] = film[: len(track.face)]
        track.background[:] = film[: len(track.face)] + rng.normal(0, 0.003, track.face.shape)
        assert _explained(track, shown) < 0.6


def test_constant_and_slope_are_removed() -> None:
    track, _ = seen(light_scan(5))
    rows = np.flatnonzero(track.clean)
    drift = fit_drift(track, rows)
    assert drift is not None
    time = track.times[rows]
    cleared = drift.clear(np.stack([np.ones_like(time), time], axis=1))
    assert np.abs(cleared).max() == pytest.approx(0, abs=1e-9)
    assert fit_drift(track, rows[:5]) is None, "a few frames"


SETTINGS = load_flash_model().response


def _fitted(scan: LightScan, settings: ResponseSettings = SETTINGS) -> Response:
    response = fit_response(*seen(scan), lag=LAG, settings=settings)
    assert response is not None
    return response


def test_the_matrix_is_found() -> None:
    response = _fitted(light_scan(3, noise=0.003))
    assert np.diag(response.matrix) == pytest.approx([0.24, 0.3, 0.42], abs=0.05)
    assert np.abs(response.matrix - np.diag(np.diag(response.matrix))).max() < 0.06
    assert response.strength == pytest.approx(0.32, abs=0.04)
    assert response.explained > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_a_face_verifies_every_colour(seed: int) -> None:
    scan = light_scan(seed)
    coloured = [one for one in _fitted(scan).steps if 1 < one.number < 10]
    assert [one.agrees for one in coloured] == [True] * 8
    assert [one.measured for one in coloured] == [one.step.colour for one in scan.revealed[1:9]]
    assert min(one.snr for one in coloured) > 5


@pytest.mark.parametrize("seed", range(6, 12))
def test_a_wrong_colour_among_right_ones_is_never_verified(seed: int) -> None:
    def contrary(one: RevealedStep, rng: np.random.Generator) -> NDArray[np.float64]:
        right = answering(one, rng)
        return 1.15 - right if one.step.number == 5 else right

    response = _fitted(light_scan(seed, answer=contrary))
    answers = {one.number: one.agrees for one in response.steps if 1 < one.number < 10}
    assert answers.pop(5) is not True
    assert False not in answers.values()


def test_weak_light_is_no_contradiction() -> None:
    for seed in range(5):
        assert {one.agrees for one in _fitted(light_scan(seed, strength=0.001)).steps} == {None}


@pytest.mark.parametrize("strict", [replace(SETTINGS, least_snr=1e6), replace(SETTINGS, margin=1e6)])
def test_a_faint_answer_agrees_and_is_not_clear(strict: ResponseSettings) -> None:
    faint, usual = _fitted(light_scan(3), strict), _fitted(light_scan(3))
    assert all(one.clear for one in usual.steps if 1 < one.number < 10)
    assert [one.agrees for one in faint.steps] == [one.agrees for one in usual.steps]
    assert not any(one.clear for one in faint.steps)


@pytest.mark.parametrize("strict", [replace(SETTINGS, right_snr=1e6), replace(SETTINGS, right_margin=1e6)])
def test_below_the_lines_for_a_right_answer_nothing_agrees(strict: ResponseSettings) -> None:
    assert not any(one.agrees for one in _fitted(light_scan(3), strict).steps)


def test_crosstalk_of_channels_is_held_back_more_than_their_own_response() -> None:
    """Of random colours, the least squares without a ridge fit any crosstalk."""

    def crosstalk(ridge: float) -> float:
        settings = replace(SETTINGS, ridge=0.0, crosstalk_ridge=ridge)
        response = _fitted(light_scan(5, answer=guessing), settings)
        return float(np.abs(response.matrix - np.diag(np.diag(response.matrix))).max())

    assert crosstalk(2.0) < crosstalk(0.0) / 2
    assert crosstalk(1e6) < 1e-3


def test_an_answer_the_wrong_way_round_verifies_nothing() -> None:
    response = _fitted(light_scan(7, answer=lambda one, _: 1.15 - one.step.colour.linear))
    assert response.strength < 0
    assert not any(one.agrees for one in response.steps)


def test_random_colours_hardly_agree() -> None:
    judged = [one for seed in range(12) for one in _fitted(light_scan(seed, answer=guessing)).steps]
    assert sum(one.agrees is True for one in judged) / len(judged) < 1 / 7


def test_too_few_frames_give_no_response() -> None:
    track, shown = seen(light_scan(1))
    assert fit_response(track, shown[:1], lag=LAG, settings=SETTINGS) is None
    track.clean[:] = False
    assert fit_response(track, shown, lag=LAG, settings=SETTINGS) is None


def _sample(pixels: BgrImage, face: DetectedFace | None) -> FlashSample:
    return sample_light(
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


@pytest.mark.parametrize(("pixels", "face"), [(_plain(255, 255, 255), face_at()), (_plain(90, 90, 90), None)])
def test_neither_saturated_skin_nor_a_picture_without_a_face_is_measured(
    pixels: BgrImage, face: DetectedFace | None
) -> None:
    sample = _sample(pixels, face)
    assert np.isnan(sample.linear).all()
    assert np.isnan(sample.patch).all()
    assert not sample.usable.any()
    assert (sample.step, sample.step_since, sample.capture_time) == (1, 0.9, 1.0)


@pytest.mark.parametrize("turned", [0.0, 0.6])
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


SCAN = light_scan(1)


def test_order_is_kept() -> None:
    track = FlashTrack()
    first, second = SCAN.samples[:2]
    assert track.append_sample(second)
    assert not track.append_sample(first)
    assert not track.append_sample(second)
    assert not track.append_sample(replace(SCAN.samples[2], arrival_time=math.nan))
    assert not track.append_sample(replace(SCAN.samples[2], capture_time=math.inf))
    assert len(track) == 1
    assert track.latest_capture == second.capture_time


def test_there_is_an_end() -> None:
    track = FlashTrack()
    sample = SCAN.samples[0]
    taken = [
        track.append_sample(replace(sample, capture_time=number / 30)) for number in range(MOST_SAMPLES + 5)
    ]
    assert sum(taken) == MOST_SAMPLES
    assert len(track.view().times) == MOST_SAMPLES


def test_a_missing_region_does_not_shift_the_face() -> None:
    whole = track_of(SCAN)
    track = FlashTrack()
    for number, sample in enumerate(SCAN.samples):
        linear = sample.linear.copy()
        if number % 2:
            linear[Region.CHIN] = np.nan
        track.append_sample(replace(sample, linear=linear))
    assert np.abs(track.view().face - whole.face).max() < 0.01


def test_too_little_skin_is_no_face() -> None:
    track = FlashTrack()
    linear = SCAN.samples[0].linear.copy()
    linear[:3] = np.nan
    track.append_sample(replace(SCAN.samples[0], linear=linear))
    track.append_sample(replace(SCAN.samples[1], face=None, linear=np.full_like(linear, np.nan)))
    assert not track.view().seen.any()
    assert not track.view().clean.any()


def test_a_fast_face_is_not_clean() -> None:
    track = FlashTrack()
    for number, x in enumerate((240.0, 241.0, 300.0, 301.0)):
        track.append_sample(replace(SCAN.samples[number], capture_time=number / 25, face=face_at(x)))
    assert track.view().moved.tolist() == [False, False, True, False]
    assert track.view().clean.tolist() == [True, True, False, True]
    assert track.view().speed[2] == pytest.approx(59 / 230 * 25, rel=0.02)


def test_face_and_room_that_leap_together_are_the_camera() -> None:
    track = FlashTrack()
    for number, gain in enumerate((1.0, 1.0, 1.5, 1.5)):
        sample = SCAN.samples[0]
        track.append_sample(
            replace(sample, capture_time=number / 25, linear=(sample.linear * gain).astype(np.float32))
        )
    assert track.view().leapt.tolist() == [False, False, True, False]


def test_only_a_detection_after_following_counts() -> None:
    track = FlashTrack()
    for followed, sample in zip((0, 0, 1, 1, 0, 1, 0, 0), SCAN.samples, strict=False):
        track.append_sample(replace(sample, followed=bool(followed)))
    assert track.view().detections.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]


def test_pose_distinguishes_turning_from_moving() -> None:
    track = FlashTrack()
    face = face_at()
    turned = face.five_points.copy()
    turned[2, 0] += 0.1 * face.eye_distance
    track.append_sample(replace(SCAN.samples[0], face=face))
    track.append_sample(replace(SCAN.samples[1], face=replace(face, five_points=turned)))
    pose = track.view().pose
    assert pose[1, 3] - pose[0, 3] == pytest.approx(0.1, abs=1e-4)
    assert pose[1, 2] == pytest.approx(pose[0, 2])


@given(values=st.lists(st.floats(0, 1, width=32) | st.just(math.nan), min_size=24, max_size=24))
def test_no_light_escapes_as_infinity(values: list[float]) -> None:
    track = FlashTrack()
    linear = np.array(values, np.float32).reshape(8, 3)
    for sample in SCAN.samples[:3]:
        track.append_sample(replace(sample, linear=linear))
    view = track.view()
    for found in (view.skin, view.face, view.background, view.integral):
        assert not np.isinf(found).any()
    assert np.isfinite(view.face[view.clean]).all()


COURSE_SCAN = light_scan(2)


def _step(number: int, level: int, *, scroll: float = 0.0) -> ColourStep:
    return ColourStep(
        number=number,
        colour=ScreenColour(level, level, level),
        transition=Transition.SCROLL_DOWN if scroll else Transition.FLAT,
        transition_seconds=scroll,
        hold_seconds=0.4,
        bits=2.8,
        last=False,
    )


def _track(claims: list[tuple[float, int, float | None]]) -> TrackView:
    track = FlashTrack()
    for time, step, since in claims:
        sample: FlashSample = replace(COURSE_SCAN.samples[0], capture_time=time, step=step, step_since=since)
        track.append_sample(sample)
    return track.view()


def test_honest_claims_are_taken() -> None:
    _, shown = seen(COURSE_SCAN)
    claimed = {one.step: one.step_since for one in COURSE_SCAN.samples if one.step}
    assert [one.step.number for one in shown] == list(range(1, len(COURSE_SCAN.revealed) + 1))
    assert [one.at for one in shown] == pytest.approx([claimed[one.step.number] for one in shown])
    assert max(one.early for one in shown) == 0


def test_a_step_cannot_appear_before_it_was_sent() -> None:
    track = _track([(1.0, 0, None), (1.1, 1, 0.2)])
    (shown,) = appearances(track, [Sent(_step(1, 200), at=9.0, after_capture=1.0)])
    assert shown.at == 1.0
    assert shown.early == pytest.approx(0.8)


def test_a_step_cannot_appear_after_the_frame_that_shows_it() -> None:
    track = _track([(1.0, 1, 7.0), (1.1, 1, 7.0)])
    (shown,) = appearances(track, [Sent(_step(1, 200), at=9.0, after_capture=0.5)])
    assert shown.at == 1.0


def test_steps_without_claimed_frames_are_ignored() -> None:
    track = _track([(1.0, 1, 0.9), (1.5, 3, 1.4)])
    sent = [Sent(_step(number, 200), at=9.0, after_capture=0.0) for number in (1, 2, 3)]
    assert [one.step.number for one in appearances(track, sent)] == [1, 3]


def test_light_jumps_and_scrolls() -> None:
    shown = [
        Appearance(_step(1, 0), 0.0, 0.0),
        Appearance(_step(2, 255), 1.0, 0.0),
        Appearance(_step(3, 0, scroll=0.4), 2.0, 0.0),
    ]
    light = light_at(shown, np.array([-1.0, 0.99, 1.0001, 1.5, 2.1, 2.2, 2.3, 3.0]))
    assert light[:, 0] == pytest.approx([0, 0, 1, 1, 0.75, 0.5, 0.25, 0], abs=1e-3)
    assert number_at(shown, np.array([-0.1, 0.5, 1.02, 1.5, 2.2, 2.41, 2.6]), margin=0.04).tolist() == [
        -1, 0, -1, 1, -1, -1, 2
    ]  # fmt: skip


@given(
    claims=st.lists(
        st.tuples(st.integers(0, 4), st.none() | st.floats(-1e6, 1e6, allow_nan=False) | st.just(math.nan)),
        min_size=1,
        max_size=30,
    ),
    after=st.lists(st.floats(0, 3), min_size=3, max_size=3),
)
def test_no_claim_breaks_the_order(claims: list[tuple[int, float | None]], after: list[float]) -> None:
    track = _track([(number / 10, step, since) for number, (step, since) in enumerate(claims)])
    sent = [Sent(_step(n + 1, 200), 0.0, time) for n, time in enumerate(sorted(after))]
    shown = appearances(track, sent)
    times = [one.at for one in shown]
    assert times == sorted(set(times))
    for one in shown:
        frames = [number / 10 for number, (step, _) in enumerate(claims) if step == one.step.number]
        assert one.at <= frames[0]
