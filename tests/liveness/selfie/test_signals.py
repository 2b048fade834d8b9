"""The eight signals."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from skimage.feature import local_binary_pattern

from formats.exif import ExifState, ExifTags, parse_exif
from liveness.selfie import (
    SelfieSettings,
    SelfieSubject,
    face_spectrum,
    inner_square,
    lbp_codes,
    lbp_histogram,
    symmetric_pairs,
    texture_crop,
)
from liveness.selfie.geometry import (
    EyeAspectRatio,
    FaceAreaRatio,
    FacialSymmetry,
    SelfieHeadPose,
    area_score,
    asymmetry,
)
from liveness.selfie.judge import SPOOF_KEYWORDS, ExifMetadata, spoof_keyword
from liveness.selfie.settings import SelfieSignal
from liveness.selfie.spectrum import FftDeepfake, SpectrumMeasures, measure_spectrum, spectrum_score
from liveness.selfie.texture import LBP_BINS, LbpTexture, SelfieSharpness, pattern_entropy, texture_score
from tests.formats.samples import phone
from tests.liveness.builders import HEIGHT, WIDTH, face_at
from tests.liveness.selfie.builders import (
    faceless,
    flat,
    mirrored_landmarks,
    noisy,
    subject,
    turned_face,
    turned_landmarks,
)
from vision.face import DetectedFace, Landmarks

_EXIF, _SETTINGS = ExifMetadata(), SelfieSettings()
_BROKEN = Landmarks(points=np.full((68, 2), np.nan, np.float32), scheme="ibug68")


def _score(signal: SelfieSignal, seen: SelfieSubject, settings: SelfieSettings = _SETTINGS) -> float | None:
    return signal.assess(seen, settings).score


def _assessed(signal: SelfieSignal, seen: SelfieSubject) -> float:
    score = _score(signal, seen)
    assert score is not None
    return score


@pytest.mark.parametrize(
    "signal",
    [
        EyeAspectRatio(),
        SelfieHeadPose(),
        FaceAreaRatio(),
        FacialSymmetry(),
        FftDeepfake(),
        LbpTexture(),
        SelfieSharpness(),
    ],
)
def test_without_a_face_only_metadata_are_assessed(signal: SelfieSignal) -> None:
    assert _score(signal, faceless()) is None
    assert _score(_EXIF, faceless()) == 0.5


@pytest.mark.parametrize(
    ("tags", "score"),
    [
        (ExifTags(), 0.50),
        (ExifTags(state=ExifState.MALFORMED, make="Maker", iso=100), 0.50),
        (ExifTags(state=ExifState.READ), 0.55),
        (ExifTags(state=ExifState.READ, iso=100, has_gps=True), 0.55),
        (ExifTags(state=ExifState.READ, make="Maker"), 0.75),
        (ExifTags(state=ExifState.READ, model="Phone", software=("15.2",)), 0.75),
        (ExifTags(state=ExifState.READ, make="Maker", f_number=1.8), 0.80),
        (ExifTags(state=ExifState.READ, make="Maker", f_number=1.8, iso=100), 0.85),
        (parse_exif(phone()), 1.00),
        (parse_exif(phone(software="Adobe Photoshop 25.0")), 0.10),
        (ExifTags(software=("gnome-screenshot",)), 0.10),
    ],
)
def test_the_score_follows_the_seeds_table(tags: ExifTags, score: float) -> None:
    found = _EXIF.assess(subject(exif=tags), _SETTINGS)
    assert found.score == pytest.approx(score)
    assert found.passed == (score >= 0.5)


def test_the_keywords_are_the_seeds() -> None:
    listed = "screenshot · screen capture · snipping · obs · bandicam · photoshop · gimp · preview · snagit"
    assert " · ".join(SPOOF_KEYWORDS) == listed


@pytest.mark.parametrize(
    ("software", "keyword"),
    [
        *((keyword.upper() + " 7.1", keyword) for keyword in SPOOF_KEYWORDS),
        ("ScreenCapture", "screen capture"),
        ("screen_capture", "screen capture"),
        ("Screen-Capture 2", "screen capture"),
        ("obs64.exe", "obs"),
    ],
)
def test_a_keyword_is_found_in_any_case(software: str, keyword: str) -> None:
    assert spoof_keyword(ExifTags(software=("17.1", software))) == keyword


@pytest.mark.parametrize("software", ["Jobs 3", "obsidian", "HDR+ 1.0", "iOS 17.1", "Screen", "capture"])
def test_other_programs_are_no_keyword(software: str) -> None:
    assert spoof_keyword(ExifTags(software=(software,))) is None


def test_a_comment_only_reveals_screenshots() -> None:
    assert spoof_keyword(ExifTags(comment="Screenshot")) == "screenshot"
    assert spoof_keyword(ExifTags(comment="a preview of my photoshop course")) is None


def test_the_detail_never_repeats_the_file() -> None:
    tags = ExifTags(state=ExifState.READ, make="<b>Maker", model="Phone", software=("my GIMP of Jane",))
    assert "Jane" not in _EXIF.assess(subject(exif=tags), _SETTINGS).detail
    without = ExifTags(state=ExifState.READ, make="<b>Maker", comment="Jane")
    detail = _EXIF.assess(subject(exif=without), _SETTINGS).detail
    assert "Maker" not in detail
    assert "Jane" not in detail


_EYES = EyeAspectRatio()


@pytest.mark.parametrize(("scheme", "count"), [("ibug68", 68), ("mediapipe478", 478)])
@pytest.mark.parametrize(
    ("ratio", "score"), [(0, 0), (0.075, 0.25), (0.15, 0.5), (0.20, 0.65), (0.25, 0.8), (0.30, 1), (0.5, 1)]
)
def test_the_score_follows_the_seeds_table_for_geometry(
    scheme: str, count: int, ratio: float, score: float
) -> None:
    landmarks = mirrored_landmarks(scheme, count, eye=ratio)
    assert _score(_EYES, subject(landmarks=landmarks)) == pytest.approx(score, abs=1e-4)


def test_the_floor_is_a_setting() -> None:
    landmarks = mirrored_landmarks("ibug68", 68, eye=0.10)
    assert _EYES.assess(subject(landmarks=landmarks), SelfieSettings(min_ear=0.10)).passed is True
    assert _EYES.assess(subject(landmarks=landmarks), _SETTINGS).passed is False


def test_without_landmarks_of_the_eyes_it_is_not_assessed() -> None:
    assert _score(_EYES, subject()) is None
    assert _score(_EYES, subject(landmarks=_BROKEN)) is None


_POSE = SelfieHeadPose()


@pytest.mark.parametrize(
    ("turn", "score"),
    [
        ({"yaw": 0.0}, 1.0),
        ({"yaw": 17.5}, 0.75),
        ({"yaw": -35.0}, 0.5),
        ({"pitch": 15.0}, 0.75),
        ({"pitch": -30.0}, 0.5),
        ({"roll": 15.0}, 0.75),
        ({"roll": -30.0}, 0.5),
        ({"yaw": 52.5}, 0.25),
    ],
)
def test_the_worst_angle_counts_against_its_limit(turn: dict[str, float], score: float) -> None:
    dense = _POSE.assess(subject(landmarks=turned_landmarks(**turn)), _SETTINGS)
    coarse = _POSE.assess(subject(face=turned_face(**turn)), _SETTINGS)
    assert dense.score == pytest.approx(score, abs=0.02)
    assert coarse.score == pytest.approx(score, abs=0.02)


def test_the_limits_are_settings() -> None:
    face = turned_face(yaw=20)
    assert _POSE.assess(subject(face=face), SelfieSettings(max_yaw_deg=15)).passed is False
    assert _POSE.assess(subject(face=face), _SETTINGS).passed is True


def test_a_pose_that_the_points_do_not_determine_scores_nothing() -> None:
    point = DetectedFace(box=turned_face().box, confidence=0.9, five_points=np.full((5, 2), 100, np.float32))
    found = _POSE.assess(subject(face=point), _SETTINGS)
    assert (found.score, found.passed) == (0, False)
    assert "180" not in found.detail


def test_broken_landmarks_leave_the_five_points() -> None:
    turned = subject(face=turned_face(yaw=17.5), landmarks=_BROKEN)
    assert _score(_POSE, turned) == pytest.approx(0.75, abs=0.02)


_AREA = FaceAreaRatio()
_LIMIT = _SETTINGS.min_face_area_ratio


@pytest.mark.parametrize(
    ("share", "score"),
    [(0, 0), (0.02, 0.25), (0.04, 0.5), (0.10, 0.785), (0.20, 1), (0.40, 0.75), (0.80, 0.5), (1.0, 0.5)],
)
def test_the_score_follows_the_seeds_table_of_face_area_ratio(share: float, score: float) -> None:
    assert area_score(share, smallest=_LIMIT) == pytest.approx(score, abs=5e-4)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_score_peaks_at_20_percent(one: float, other: float) -> None:
    less, more = sorted((one, other))
    first, second = area_score(less, smallest=_LIMIT), area_score(more, smallest=_LIMIT)
    assert 0 <= first <= 1
    if more <= 0.20:
        assert first <= second
    if less >= 0.20:
        assert first >= second


def test_the_share_is_of_the_part_inside_the_picture() -> None:
    # An extent 100 wide is 2.9 / 2.15 times as high.
    share = 100 * 100 * 2.9 / 2.15 / (WIDTH * HEIGHT)
    whole = _AREA.assess(subject(flat(), face=face_at(width=100)), _SETTINGS)
    assert whole.score == pytest.approx(area_score(share, smallest=_LIMIT), abs=1e-4)
    half = _AREA.assess(subject(flat(), face=face_at(x=0, width=100)), _SETTINGS)
    assert half.score == pytest.approx(area_score(share / 2, smallest=_LIMIT), abs=1e-4)


def test_a_face_larger_than_the_picture_is_a_tight_crop() -> None:
    found = _AREA.assess(subject(np.zeros((200, 150, 3), np.uint8), face=face_at(75, 100, 300)), _SETTINGS)
    assert found.score == 0.5
    assert "tight crop" in found.detail


_SCHEMES = [("ibug68", 68), ("insightface106", 106), ("mediapipe478", 478)]


@pytest.mark.parametrize(("scheme", "count"), _SCHEMES)
def test_pairs_are_the_image_s_left_and_right_point(scheme: str, count: int) -> None:
    pairs = symmetric_pairs(mirrored_landmarks(scheme, count))
    assert (pairs[:, 0, 0] < pairs[:, 1, 0]).all()
    np.testing.assert_allclose(pairs[:, 0, 1], pairs[:, 1, 1], atol=1e-4)
    assert len(pairs) >= 7
    assert asymmetry(pairs) == pytest.approx(0, abs=1e-6)


def test_five_points_give_eyes_and_mouth() -> None:
    five = face_at().five_points
    np.testing.assert_array_equal(symmetric_pairs(five), five[[[0, 1], [3, 4]]])


def test_the_index_of_a_hand_made_face() -> None:
    # Widths 10 and 6, the second pair's middle 1 to the right: mirrored points are 2 * 0.5 off at both
    # pairs, in shares of the wider one 0.1.
    pairs = np.array([[[0.0, 0.0], [10.0, 0.0]], [[3.0, 5.0], [9.0, 5.0]]])
    assert asymmetry(pairs) == pytest.approx(0.1)


@given(st.floats(-math.pi, math.pi), st.floats(0.1, 50), st.floats(-1000, 1000), st.integers(0, 2**32 - 1))
def test_turning_moving_and_resizing_change_nothing(
    angle: float, scale: float, shift: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    left = rng.uniform((0, 0), (4, 10), (6, 2))
    pairs = np.stack([left, left * (-1, 1) + (20, 0) + rng.normal(0, 0.5, (6, 2))], axis=1)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = scale * pairs @ turn.T + shift
    before, after = asymmetry(pairs), asymmetry(moved)
    assert before is not None
    assert after == pytest.approx(before, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("value", [5.0, float("nan"), float("inf")])
def test_points_that_make_no_face_have_no_index(value: float) -> None:
    assert asymmetry(np.full((4, 2, 2), value)) is None


def test_an_unknown_scheme_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="unknown landmark scheme"):
        symmetric_pairs(Landmarks(points=np.zeros((3, 2), np.float32), scheme="three"))


_SYMMETRY = FacialSymmetry()


@pytest.mark.parametrize(("scheme", "count"), _SCHEMES)
def test_a_symmetric_face_scores_1_and_a_warped_one_less_and_less(scheme: str, count: int) -> None:
    landmarks = mirrored_landmarks(scheme, count)
    scores = []
    for warp in (0.0, 0.02, 0.05, 0.1, 1.0):
        points = landmarks.points.copy()
        # The right half bends up, increasingly to the outside, as a curled sheet does.
        points[:, 1] -= warp * np.maximum(points[:, 0] - 240, 0)
        scores.append(_score(_SYMMETRY, subject(landmarks=replace(landmarks, points=points))))
    assert scores[0] == pytest.approx(1, abs=1e-4)
    assert scores == sorted(scores, key=lambda score: score or 0, reverse=True)
    assert scores[-1] == 0


def test_the_maximum_is_a_setting() -> None:
    landmarks = mirrored_landmarks("ibug68", 68)
    points = landmarks.points + np.random.default_rng(1).normal(0, 6, (68, 2)).astype(np.float32)
    bent = Landmarks(points=points, scheme="ibug68")
    index = asymmetry(symmetric_pairs(bent))
    assert index is not None
    assert _score(_SYMMETRY, subject(landmarks=bent), SelfieSettings(max_asymmetry=index)) == 0
    half = _SYMMETRY.assess(subject(landmarks=bent), SelfieSettings(max_asymmetry=2 * index))
    assert half.score == pytest.approx(0.5)


def test_five_points_do_and_broken_landmarks_leave_them() -> None:
    assert _score(_SYMMETRY, subject()) == pytest.approx(1, abs=1e-4)
    assert _score(_SYMMETRY, subject(landmarks=_BROKEN)) == pytest.approx(1, abs=1e-4)


def test_a_crop_without_a_face_is_not_assessed() -> None:
    point = replace(face_at(), five_points=np.full((5, 2), 9, np.float32))
    assert _score(_SYMMETRY, subject(face=point)) is None


_SIDE = 128


def _noise(seed: int = 0, spread: float = 20.0) -> NDArray[np.float64]:
    return 128 + np.random.default_rng(seed).normal(0, spread, (_SIDE, _SIDE))


def _square(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(values, 0, 255).astype(np.uint8)


def _wave(right: float, down: float) -> NDArray[np.float64]:
    """A wave with this number of periods across and down."""
    rows, columns = np.indices((_SIDE, _SIDE)) / _SIDE
    wave: NDArray[np.float64] = np.sin(2 * np.pi * (right * columns + down * rows))
    return wave


def test_noise_has_rayleighs_kurtosis_a_flat_spectrum_and_no_direction() -> None:
    measures = measure_spectrum(face_spectrum(_square(_noise())))
    # Rayleigh's distribution has a kurtosis of 3.245; a disc has three quarters of its area beyond half its
    # radius.
    assert measures.ring_kurtosis == pytest.approx(3.245, abs=0.2)
    assert measures.high_frequency_ratio == pytest.approx(0.75, abs=0.01)
    assert measures.azimuthal_variance < 0.01


def test_a_wave_appears_at_its_frequency() -> None:
    spectrum = face_spectrum(_square(128 + 60 * _wave(24, 0)))
    half = _SIDE // 2
    row, column = np.unravel_index(int(spectrum.magnitude.argmax()), spectrum.magnitude.shape)
    assert (int(row), abs(int(column) - half)) == (half, 24)
    assert 10 + int(spectrum.radial_profile[10:].argmax()) == pytest.approx(24, abs=1)
    assert spectrum.radial_profile.shape == (half,)
    np.testing.assert_allclose(spectrum.log_magnitude, np.log1p(spectrum.magnitude))


def test_the_profile_is_the_mean_of_each_ring() -> None:
    spectrum = face_spectrum(_square(_noise(3)))
    half = _SIDE // 2
    rows, columns = np.indices((_SIDE, _SIDE)) - half
    ring = np.rint(np.hypot(rows, columns)) == 20
    assert spectrum.radial_profile[20] == pytest.approx(spectrum.log_magnitude[ring].mean())


def test_periodic_peaks_raise_the_kurtosis() -> None:
    plain = measure_spectrum(face_spectrum(_square(_noise())))
    found = [
        measure_spectrum(face_spectrum(_square(_noise() + strength * _wave(40, 24)))).ring_kurtosis
        for strength in (0, 4, 8, 16)
    ]
    assert found[0] == pytest.approx(plain.ring_kurtosis)
    assert found == sorted(found)
    assert found[-1] > 6


def test_one_direction_raises_the_azimuthal_variance() -> None:
    rng = np.random.default_rng(1)
    # Every row alike: all energy lies in the horizontal frequencies.
    striped = np.repeat(rng.normal(128, 20, (1, _SIDE)), _SIDE, axis=0)
    mixed = _noise() * 0.5 + striped * 0.5
    one, both = (measure_spectrum(face_spectrum(_square(values))) for values in (striped, mixed))
    assert one.azimuthal_variance > 1
    assert 0.02 < both.azimuthal_variance < one.azimuthal_variance


@pytest.mark.parametrize("side", [24, 50, 96, 256])
def test_every_even_size_gives_finite_measures(side: int) -> None:
    rng = np.random.default_rng(side)
    for square in (
        rng.integers(0, 256, (side, side), dtype=np.uint8),
        np.zeros((side, side), np.uint8),
        np.eye(side, dtype=np.uint8) * 255,
    ):
        measures = measure_spectrum(face_spectrum(square))
        assert measures.ring_kurtosis >= 1
        assert 0 <= measures.high_frequency_ratio <= 1
        assert 0 <= measures.azimuthal_variance < math.inf


_SPECTRUM = FftDeepfake()


def _measures(kurtosis: float = 3.0, ratio: float = 0.65, variance: float = 0.0) -> SpectrumMeasures:
    return SpectrumMeasures(ring_kurtosis=kurtosis, high_frequency_ratio=ratio, azimuthal_variance=variance)


@pytest.mark.parametrize(
    ("measures", "score"),
    [
        (_measures(), 1.0),
        (_measures(kurtosis=1), 1.0),
        (_measures(kurtosis=6), (0.5 + 2) / 3),
        (_measures(kurtosis=12), 2 / 3),
        (_measures(kurtosis=400), 2 / 3),
        (_measures(ratio=0.75), (0.5 + 2) / 3),
        (_measures(ratio=0.55), (0.5 + 2) / 3),
        (_measures(ratio=0.1), 2 / 3),
        (_measures(variance=0.35), (0.5 + 2) / 3),
        (_measures(variance=0.7), 2 / 3),
        (_measures(kurtosis=12, ratio=0.1, variance=3), 0.0),
    ],
)
def test_each_measure_is_a_third(measures: SpectrumMeasures, score: float) -> None:
    assert spectrum_score(measures, _SETTINGS) == pytest.approx(score)


def test_the_limits_are_settings_for_spectrum() -> None:
    stricter = SelfieSettings(fft_kurtosis_max=6, fft_hf_ratio_baseline=0.75, fft_az_variance_max=0.1)
    assert spectrum_score(_measures(kurtosis=6, ratio=0.75, variance=0.1), stricter) == pytest.approx(0.5)


@given(st.floats(1, 1e6), st.floats(1, 10), st.floats(0, 1), st.floats(0, 1e6), st.floats(0, 10))
def test_a_worse_measure_never_raises_the_score(
    kurtosis: float, factor: float, ratio: float, variance: float, more: float
) -> None:
    best = spectrum_score(_measures(kurtosis, ratio, variance), _SETTINGS)
    assert 0 <= best <= 1
    assert spectrum_score(_measures(kurtosis * factor, ratio, variance), _SETTINGS) <= best + 1e-12
    assert spectrum_score(_measures(kurtosis, ratio, variance + more), _SETTINGS) <= best + 1e-12


def test_a_generators_grid_lowers_the_score() -> None:
    natural = cv2.GaussianBlur(noisy(spread=60), (0, 0), 0.7).astype(np.float64)
    scores = []
    for strength in (0, 10, 30):
        grid = natural.copy()
        # The trace of three transposed convolutions of stride 2: every eighth row and column is brighter.
        grid[::8] += strength
        grid[:, ::8] += strength
        scores.append(_assessed(_SPECTRUM, subject(np.clip(grid, 0, 255).astype(np.uint8))))
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.8
    assert scores[-1] < scores[0] - 0.15


def test_a_crop_without_a_spectrum_is_not_assessed() -> None:
    assert _score(_SPECTRUM, subject(flat())) is None
    assert _score(_SPECTRUM, subject(face=face_at(width=60))) is None


_SHARPNESS = SelfieSharpness()


def test_the_score_is_a_half_at_the_floor_and_rises_with_the_variance() -> None:
    image = flat()
    # One pixel 160 times enlarged is 160 flat columns: of an extent of 160 pixels nothing is resized, so the
    # Laplacian of columns 0 and d in turn is 2 d or -2 d everywhere but at the border: a variance of 4 d**2.
    image[:, ::2] = 128 + 6
    seen = subject(image, face=face_at(240, 300, 160))
    at_the_floor = SelfieSettings(min_blur_variance=4 * 6**2)
    assert _score(_SHARPNESS, seen, at_the_floor) == pytest.approx(0.5, abs=0.02)
    assert _assessed(_SHARPNESS, seen) > 0.8


def test_blur_lowers_the_score_step_by_step() -> None:
    scores = [
        _assessed(_SHARPNESS, subject(cv2.GaussianBlur(noisy(), (0, 0), sigma).astype(np.uint8)))
        for sigma in (0.5, 1.0, 2.0, 4.0)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.8
    assert scores[-1] < 0.5


def test_a_flat_face_is_blurred_and_none_is_not_assessed() -> None:
    blank = _SHARPNESS.assess(subject(flat()), _SETTINGS)
    assert (blank.score, blank.passed) == (0, False)
    assert _score(_SHARPNESS, subject(face=face_at(width=10))) is None


def test_the_wall_behind_does_not_count() -> None:
    image = flat()
    image[:150] = noisy()[:150]
    assert _score(_SHARPNESS, subject(image, face=face_at(240, 420, 160))) == 0


_OTHERS = LBP_BINS - 1
_ALL_SET = LBP_BINS - 2


def _uniform_codes() -> list[int]:
    kept = []
    for code in range(256):
        bits = f"{code:08b}"
        if sum(bits[at] != bits[at - 1] for at in range(8)) <= 2:
            kept.append(code)
    return kept


def test_a_flat_picture_has_one_pattern() -> None:
    codes = lbp_codes(np.full((5, 7), 90, np.uint8))
    assert codes.shape == (3, 5)
    assert (codes == _ALL_SET).all()
    histogram = lbp_histogram(codes)
    assert histogram[_ALL_SET] == 1
    assert pattern_entropy(histogram) == 0


def test_codes_are_those_of_scikit_image() -> None:
    grey = np.random.default_rng(4).integers(0, 256, (60, 50), dtype=np.uint8)
    theirs = local_binary_pattern(grey, 8, 1, method="default")[1:-1, 1:-1].astype(int)
    bins = np.full(256, _OTHERS)
    bins[_uniform_codes()] = np.arange(_OTHERS)
    assert (lbp_codes(grey) == bins[theirs]).mean() > 0.999


@given(arrays.arrays(np.uint8, st.tuples(st.integers(3, 12), st.integers(3, 12))))
def test_a_histogram_sums_to_1_and_its_entropy_has_bounds(grey: NDArray[np.uint8]) -> None:
    histogram = lbp_histogram(lbp_codes(grey))
    assert histogram.shape == (LBP_BINS,)
    assert math.isclose(histogram.sum(), 1, abs_tol=1e-9)
    assert 0 <= pattern_entropy(histogram) <= math.log2(LBP_BINS)


def test_entropy_of_equal_shares() -> None:
    histogram = np.zeros(LBP_BINS)
    histogram[:8] = 1 / 8
    assert pattern_entropy(histogram) == pytest.approx(3)


_LBP = LbpTexture()
_MOST = 5.88


@pytest.mark.parametrize(
    ("entropy", "score"), [(0, 0), (2.4, 0.175), (4.8, 0.35), (5.0, 0.55), (5.25, 0.8), (5.45, 1), (5.88, 1)]
)
def test_entropy_alone(entropy: float, score: float) -> None:
    assert texture_score(entropy=entropy, dominant=0.0, threshold=0.6) == pytest.approx(score)


@pytest.mark.parametrize(("dominant", "score"), [(0, 1), (0.3, 0.75), (0.6, 0.5), (0.65, 0.4375), (1, 0)])
def test_dominant_pattern_alone(dominant: float, score: float) -> None:
    assert texture_score(entropy=_MOST, dominant=dominant, threshold=0.6) == pytest.approx(score)


@given(st.floats(0, _MOST), st.floats(0, _MOST), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 0.99))
def test_more_variety_never_lowers_the_score(
    one: float, other: float, share: float, another: float, threshold: float
) -> None:
    poorer = texture_score(entropy=min(one, other), dominant=max(share, another), threshold=threshold)
    richer = texture_score(entropy=max(one, other), dominant=min(share, another), threshold=threshold)
    assert 0 <= poorer <= richer <= 1


def test_flat_and_striped_media_are_uniform() -> None:
    striped = flat()
    striped[::2] = 60
    for image in (flat(), striped):
        assert _assessed(_LBP, subject(image, face=face_at(240, 300, 96))) < 0.35


def test_blur_takes_variety_away() -> None:
    sharp = noisy()
    soft = cv2.GaussianBlur(sharp, (0, 0), 12).astype(np.uint8)
    assert _assessed(_LBP, subject(soft)) < _assessed(_LBP, subject(sharp))


def test_without_enough_of_a_face_it_is_not_assessed() -> None:
    assert _score(_LBP, subject(face=face_at(width=12))) is None


def test_the_texture_crop_is_the_face_at_96_pixels() -> None:
    image = flat(10)
    # The extent of a face 192 wide is 259 high: ear to ear, hairline to chin.
    image[300 - 129 : 300 + 129, 240 - 96 : 240 + 96] = 200
    crop = texture_crop(subject(image, face=face_at(240, 300, 192)))
    assert crop is not None
    assert crop.shape == (96, 96)
    assert (crop[2:-2, 2:-2] == 200).all()


@pytest.mark.parametrize(("width", "side"), [(100, 70), (230, 160), (365, 254), (366, 256), (440, 256)])
def test_the_inner_square_is_never_enlarged(width: float, side: int) -> None:
    square = inner_square(subject(face=face_at(width=width)))
    assert square is not None
    assert square.shape[0] == square.shape[1]
    assert square.shape[0] == pytest.approx(side, abs=2)
    assert square.shape[0] % 2 == 0


def test_a_square_of_its_own_size_is_the_pictures_pixels() -> None:
    image = noisy()
    square = inner_square(subject(image, face=face_at(240, 300, 200)))
    assert square is not None
    half = square.shape[0] // 2
    np.testing.assert_array_equal(square, image[300 - half : 300 + half, 240 - half : 240 + half, 0])


@pytest.mark.parametrize(
    "seen",
    [
        faceless(),
        subject(face=face_at(width=20)),
        subject(face=face_at(x=-400)),
        subject(face=face_at(x=float("nan"))),
    ],
)
def test_a_tiny_face_and_none_give_no_crop(seen: SelfieSubject) -> None:
    assert texture_crop(seen) is None
    assert inner_square(seen) is None
