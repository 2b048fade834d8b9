import numpy as np
import pytest

from research.liveness_fusion.parts import balanced_shares, fit_logistic


def _sample(weights: list[float], bias: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    values = rng.normal(0, 2, (count, len(weights)))
    labels = (rng.random(count) < 1 / (1 + np.exp(-(values @ weights + bias)))).astype(float)
    return values, labels


def test_the_weights_that_made_the_labels_are_found() -> None:
    values, labels = _sample([0.8, 0.3], -0.4, 20_000)
    shares = np.full(len(labels), 1 / len(labels))
    weights, bias = fit_logistic(values, labels, shares, prior=(0.0, 0.0, 0.0))
    assert weights == pytest.approx([0.8, 0.3], abs=0.05)
    assert bias == pytest.approx(-0.4, abs=0.05)


def test_a_signal_with_the_wrong_sign_gets_no_weight() -> None:
    values, labels = _sample([0.8, -0.5], 0.0, 4000)
    weights, _ = fit_logistic(values, labels, np.full(4000, 1 / 4000), prior=(0.0, 0.0, 0.0))
    assert weights[1] == 0
    assert weights[0] > 0.5


def test_little_data_stays_near_its_prior() -> None:
    values, labels = np.array([[2.0], [-2.0]]), np.array([1.0, 0.0])
    pulled, _ = fit_logistic(values, labels, np.array([0.5, 0.5]), prior=(0.3, 5.0, 5.0))
    free, _ = fit_logistic(values, labels, np.array([0.5, 0.5]), prior=(0.3, 0.001, 0.001))
    assert 0.3 < pulled[0] < 0.6 < free[0]


def test_no_weight_exceeds_its_limit() -> None:
    values, labels = _sample([0.8, 0.3], 0.0, 4000)
    weights, _ = fit_logistic(values, labels, np.full(4000, 1 / 4000), prior=(0.0, 0.0, 0.0), most=0.5)
    assert weights == pytest.approx([0.5, 0.3], abs=0.1)


def test_evidence_given_as_offset_is_not_fitted_again() -> None:
    values, labels = _sample([0.8], 0.0, 20_000)
    shares = np.full(len(labels), 1 / len(labels))
    weights, bias = fit_logistic(
        values, labels, shares, prior=(0.0, 0.0, 0.0), offset=np.asarray(0.8 * values[:, 0])
    )
    assert weights[0] == pytest.approx(0, abs=0.05)
    assert bias == pytest.approx(0, abs=0.05)


def test_live_and_attack_weigh_alike_and_large_sources_by_their_root() -> None:
    labels = [True] * 17 + [False] * 4
    sources = ["large"] * 16 + ["small"] + ["large"] * 4
    shares = balanced_shares(labels, sources)
    assert shares.sum() == pytest.approx(1)
    assert shares[:17].sum() == pytest.approx(0.5)
    assert shares[:16].sum() / shares[16] == pytest.approx(4)
