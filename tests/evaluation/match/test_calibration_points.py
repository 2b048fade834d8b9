import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.match.calibration import choose_points, render_calibration
from matcher.similarity import fmr_bound
from vision.packs.calibration import CalibrationRecord, MatchCalibration, ScorePoint, parse_calibration

THRESHOLDS = np.round(np.arange(-1.0, 1.001, 0.02), 2)


def made_of(points: tuple[tuple[float, float], ...], note: str = "") -> MatchCalibration:
    return MatchCalibration(
        points=tuple(ScorePoint(cosine, bound, fnmr=0.25) for cosine, bound in points),
        record=CalibrationRecord(
            provenance="measured",
            dataset="made for a test",
            identities=3,
            genuine_pairs=4,
            impostor_pairs=5,
            command="none",
            failures_to_acquire=0,
            note=note,
        ),
        embedder_sha256="ab" * 32,
    )


@st.composite
def falling_bounds(draw: st.DrawFn) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    exponents = draw(
        st.lists(st.floats(-5.0, 0.0), min_size=THRESHOLDS.size - 1, max_size=THRESHOLDS.size - 1)
    )
    bounds = 10.0 ** np.array(sorted(exponents, reverse=True))
    return np.append(bounds, bounds[-1])


@given(falling_bounds(), st.integers(0, 10_000))
def test_the_line_never_runs_below_the_measured_bounds(
    bounds: np.ndarray[tuple[int], np.dtype[np.float64]], place: int
) -> None:
    calibration = made_of(choose_points(THRESHOLDS, bounds))
    cosine = -1.0 + 2.0 * place / 10_000
    index = max(0, int(np.searchsorted(THRESHOLDS, cosine, side="right")) - 1)
    assert fmr_bound(cosine, calibration=calibration) >= bounds[index] * (1 - 1e-12)


@given(falling_bounds())
def test_the_lowest_bound_is_kept_to_three_digits(
    bounds: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    points = choose_points(THRESHOLDS, bounds)
    assert bounds[-1] * (1 - 1e-12) <= points[-1][1] <= bounds[-1] * 1.011


@pytest.mark.parametrize("fmr", [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
def test_the_rate_of_a_policy_is_reached_where_the_bound_first_reaches_it(fmr: float) -> None:
    thresholds = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    bounds = np.array([1.0, fmr * 1.2, fmr, fmr / 2, fmr / 3, fmr / 3])
    assert (0.3, fmr) in choose_points(thresholds, bounds)


def test_points_are_few_and_close_to_the_curve() -> None:
    thresholds = np.round(np.arange(-1.0, 1.0001, 0.001), 3)
    bounds = np.maximum(1e-3, 10.0 ** (-5 * np.clip(thresholds, 0, 1)))
    points = choose_points(thresholds, bounds)
    assert len(points) < 150
    calibration = made_of(points)
    for cosine in np.arange(0.1, 0.6, 0.01):
        assert fmr_bound(float(cosine), calibration=calibration) <= 10 ** (-5 * cosine) * 1.1


def test_thresholds_that_end_too_early_are_refused() -> None:
    with pytest.raises(ValueError, match="end before"):
        choose_points(np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.5, 0.1]))


def test_a_flat_curve_gives_one_point() -> None:
    assert choose_points(np.array([0.0, 0.5, 1.0]), np.array([0.25, 0.25, 0.25])) == ((0.5, 0.25),)


@settings(max_examples=30)
@given(st.text(st.characters(codec="utf-8")), st.lists(st.floats(1e-6, 1.0), min_size=1, unique=True))
def test_written_points_are_read_back(note: str, bounds: list[float]) -> None:
    falling = sorted(bounds, reverse=True)
    cosines = np.linspace(-1.0, 1.0, len(falling) + 1)[1:]
    points = tuple((float(c), b) for c, b in zip(cosines, falling, strict=True))
    calibration = made_of(points, note=note)
    assert parse_calibration(render_calibration(calibration), source="test") == calibration


def test_a_point_without_fnmr_is_read_back_without() -> None:
    calibration = MatchCalibration(
        points=(ScorePoint(0.5, 0.1),), record=made_of(((0.5, 0.1),)).record, embedder_sha256="0" * 64
    )
    back = parse_calibration(render_calibration(calibration), source="test")
    assert back.points[0].fnmr is None
    assert math.isclose(back.points[0].fmr_upper_bound, 0.1)
