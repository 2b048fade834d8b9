"""A calibration over photos and scans: the worst of both, and a record of it."""

import functools

import numpy as np
import pytest

from evaluation.match.calibration import measure_comparisons, render_calibration
from evaluation.match.comparisons import compare_all
from evaluation.match.impostor_scores import THRESHOLDS
from evaluation.match.templates import LabelledTemplate, TemplateRun
from matcher.similarity import fmr_bound
from research.scan_match.comparisons import (
    ClipTemplates,
    ScanMeasurement,
    calibrate_with_scans,
    compare_scans,
    scan_curve,
)
from vision.face import Embedding
from vision.packs.calibration import parse_calibration

_DIMENSIONS = 24


def _near(person: int, seed: int, *, drawn_to: float = 0.0) -> Embedding:
    own = np.random.default_rng(person).normal(size=_DIMENSIONS)
    noise = np.random.default_rng(10_000 + seed).normal(scale=0.3, size=_DIMENSIONS)
    vector = own + noise
    vector[0] += drawn_to
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@functools.cache
def _measurement(*, drawn_to: float) -> ScanMeasurement:
    """Photos, and scans with templates that are shifted in a common direction by an amount."""
    photos = tuple(
        LabelledTemplate(_near(person, 100 * person + seed), f"p{person}", False)
        for person in range(12)
        for seed in range(3)
    )
    clips = [
        ClipTemplates(
            f"c{person}",
            _near(person, 7000 + person, drawn_to=drawn_to),
            (_near(person, 8000 + person, drawn_to=drawn_to),),
        )
        for person in range(100, 115)
    ]
    run = TemplateRun(templates=photos, photos=37)
    compared = compare_scans(clips, photos)
    return ScanMeasurement(
        photos=measure_comparisons(
            run, compare_all(photos), pack="made", resamples=10, confidence=0.95, seed=1
        ),
        comparisons=compared,
        curve=scan_curve(compared, thresholds=THRESHOLDS, resamples=10, confidence=0.95, seed=1),
        scans=len(clips),
    )


@pytest.mark.parametrize("drawn_to", [0.0, 3.0])
def test_no_bound_lies_below_that_of_photos_or_of_scans(drawn_to: float) -> None:
    measured = _measurement(drawn_to=drawn_to)
    made = calibrate_with_scans([measured], embedder_sha256="a" * 64, dataset="made", command="none")
    for cosine in np.arange(-0.2, 1.0, 0.013):
        at = int(np.searchsorted(THRESHOLDS, cosine, side="right")) - 1
        photos = fmr_bound(float(cosine), calibration=made)
        scans = fmr_bound(float(cosine), calibration=made.of_scans)
        assert photos >= measured.photos.curve.upper_bounds[at] - 1e-12
        assert scans >= measured.photos.curve.upper_bounds[at] - 1e-12
        assert scans >= measured.curve.upper_bounds[at] - 1e-12


def test_scans_that_resemble_each_other_more_raise_the_bound() -> None:
    calm, drawn = (
        calibrate_with_scans(
            [_measurement(drawn_to=drawn_to)], embedder_sha256="a" * 64, dataset="made", command="none"
        )
        for drawn_to in (0.0, 3.0)
    )
    bounds = [
        (fmr_bound(0.3, calibration=each.of_scans), fmr_bound(0.4, calibration=each.of_scans))
        for each in (calm, drawn)
    ]
    assert calm.points == drawn.points
    assert bounds[1][0] > bounds[0][0]
    assert bounds[1][1] > bounds[0][1]


def test_the_record_counts_photos_and_scans_and_can_be_read_again() -> None:
    measured = _measurement(drawn_to=1.0)
    made = calibrate_with_scans([measured], embedder_sha256="b" * 64, dataset="made", command="none")
    again = parse_calibration(render_calibration(made), source="made.toml")
    assert again == made
    record = again.record
    assert record.provenance == "measured"
    assert record.identities == 12
    assert record.genuine_pairs == 12 * 3
    assert record.impostor_pairs == 9 * 12 * 11 // 2
    scans = again.scans
    assert scans is not None
    assert (scans.scans, scans.persons, scans.genuine_pairs) == (15, 12 + 15, 15)
    assert scans.impostor_pairs == 15 * 36 + 15 * 14
    assert record.failures_to_acquire == 1
    assert "15 scans of 15 persons" in record.note
