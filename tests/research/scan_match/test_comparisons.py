"""Scans against portraits: the pairs and the resulting bounds."""

import numpy as np
import pytest

from evaluation.match.templates import LabelledTemplate
from research.scan_match.comparisons import ClipTemplates, ScanComparisons, compare_scans, scan_curve
from vision.face import Embedding

_THRESHOLDS = np.round(np.arange(-1.0, 1.02, 0.01), 2)


def _at(degrees: float) -> Embedding:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def _compared() -> ScanComparisons:
    clips = [
        ClipTemplates("a", _at(0), (_at(0), _at(10))),
        ClipTemplates("b", _at(60), (_at(60),)),
        ClipTemplates("c", None, (_at(120),)),
    ]
    photos = [
        LabelledTemplate(_at(90), "x", False),
        LabelledTemplate(_at(80), "x", False),
        LabelledTemplate(_at(180), "y", False),
        LabelledTemplate(_at(0), "z", True),
    ]
    return compare_scans(clips, photos)


def test_every_scan_meets_every_photo_of_the_main_group() -> None:
    compared = _compared()
    assert compared.photo_persons == 2
    assert compared.clip_persons == 3
    assert compared.with_photos.scores.size == 3 * 4
    expected = np.cos(np.radians([90, 80, 30, 30, 80, 70, 20, 40, 180, 170, 120, 60]))
    np.testing.assert_allclose(compared.with_photos.scores, expected, atol=1e-6)
    assert compared.with_photos.first.tolist() == [0] * 8 + [1] * 4
    assert compared.with_photos.second.tolist() == [2, 2, 3, 4] * 3


def test_frames_meet_the_scans_of_others_and_their_own() -> None:
    compared = _compared()
    np.testing.assert_allclose(sorted(compared.genuine), sorted(np.cos(np.radians([0, 10, 0]))), atol=1e-6)
    assert compared.with_frames.scores.size == 5
    assert np.all(compared.with_frames.first != compared.with_frames.second)
    assert compared.together.scores.size == 17
    assert compared.fnmr(0.99) == pytest.approx(1 / 3)
    assert compared.fnmr(0.9) == 0.0


def test_the_bound_is_never_below_the_rate_of_either_kind() -> None:
    rng = np.random.default_rng(2)
    clips = [
        ClipTemplates(str(number), _at(rng.uniform(0, 40)), (_at(rng.uniform(0, 40)),)) for number in range(8)
    ]
    photos = [LabelledTemplate(_at(rng.uniform(60, 300)), str(number), False) for number in range(30)]
    curve = scan_curve(
        compare_scans(clips, photos), thresholds=_THRESHOLDS, resamples=200, confidence=0.95, seed=1
    )
    assert curve.comparisons == 8 * 30 + 8 * 7
    assert curve.person_pairs == 8 * 30 + 8 * 7 / 2
    # The clips' persons look similar here; bounds over all comparisons alone would hide it.
    assert np.all(curve.upper_bounds >= curve.frame_rates)
    assert np.all(curve.upper_bounds >= curve.photo_rates)
    assert np.all(np.diff(curve.upper_bounds) <= 0)
    at = int(np.searchsorted(_THRESHOLDS, 0.9))
    assert curve.frame_rates[at] > 0.5
    assert curve.upper_bounds[at] == curve.frame_rates[at]
