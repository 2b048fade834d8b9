import numpy as np
import pytest

from evaluation.match.calibration import (
    calibrate,
    common_embedder,
    measure_comparisons,
    without_folder,
)
from evaluation.match.impostor_scores import THRESHOLDS
from evaluation.match.photos import EmbeddersDiffer
from matcher.similarity import fmr_bound
from tests.evaluation.match.crowds import crowd, pack_of
from vision.packs import MatchCalibration


def calibrated(*, persons: int, seeds: tuple[int, ...] = (1,)) -> MatchCalibration:
    measurements = []
    for seed in seeds:
        run, comparisons = crowd(persons=persons, photos=3, seed=seed)
        measurements.append(
            measure_comparisons(run, comparisons, pack=f"pack{seed}", resamples=200, confidence=0.95, seed=1)
        )
    return calibrate(measurements, embedder_sha256="ab" * 32, dataset="made for a test", command="none")


def test_thresholds_end_above_every_cosine() -> None:
    assert THRESHOLDS[0] == -1.0
    assert np.all(THRESHOLDS[-2:] > 1.0)
    assert np.all(np.diff(THRESHOLDS) > 0)


def test_the_record_states_the_compared_data() -> None:
    record = calibrated(persons=20).record
    assert record.provenance == "measured"
    assert (record.identities, record.genuine_pairs) == (20, 20 * 3)
    assert record.impostor_pairs == 190 * 9
    assert record.failures_to_acquire == 0
    assert "190 pairs of persons" in record.note


def test_without_pairs_of_one_person_no_misses_are_reported() -> None:
    run, comparisons = crowd(persons=12, photos=1, seed=1)
    measurement = measure_comparisons(run, comparisons, pack="p", resamples=200, confidence=0.95, seed=1)
    calibration = calibrate([measurement], embedder_sha256="ab" * 32, dataset="d", command="c")
    assert {point.fnmr for point in calibration.points} == {None}
    assert {point.fnmr is None for point in calibrated(persons=12).points} == {False}


def test_more_persons_support_a_lower_bound() -> None:
    few, many = calibrated(persons=10), calibrated(persons=40)
    assert few.lowest_bound == pytest.approx(3 / 45, rel=0.3)
    assert many.lowest_bound == pytest.approx(3 / 780, rel=0.15)


def test_of_several_packs_the_worst_counts_at_every_cosine() -> None:
    both = calibrated(persons=15, seeds=(1, 2))
    assert "Pack pack1:" in both.record.note
    assert "Pack pack2:" in both.record.note
    alone = [calibrated(persons=15, seeds=(seed,)) for seed in (1, 2)]
    for point in both.points:
        for one in alone:
            assert fmr_bound(point.cosine, calibration=one) <= point.fmr_upper_bound * 1.0001


def test_packs_must_share_their_embedder() -> None:
    assert common_embedder([pack_of("ab" * 32), pack_of("ab" * 32)]) == "ab" * 32
    with pytest.raises(EmbeddersDiffer, match="each pack separately"):
        common_embedder([pack_of("ab" * 32), pack_of("cd" * 32)])


def test_folders_are_not_named() -> None:
    assert without_folder("open:/srv/secret") == "open:DIR"
    assert without_folder("embedded") == "embedded"
