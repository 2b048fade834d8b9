import numpy as np

from liveness.dynamic.measurement.detections import centring_within_detections


def test_each_detection_interval_loses_its_own_mean() -> None:
    within = centring_within_detections(np.array([0, 0, 1, 1, 1, 2]))
    np.testing.assert_allclose(within @ [1.0, 3.0, 10.0, 11.0, 12.0, 7.0], [-1, 1, -1, 0, 1, 0], atol=1e-12)


def test_one_detection_interval_loses_its_mean() -> None:
    np.testing.assert_allclose(
        centring_within_detections(np.zeros(3, np.intp)) @ [1.0, 2.0, 3.0], [-1, 0, 1], atol=1e-12
    )


def test_removing_the_means_is_a_projection() -> None:
    within = centring_within_detections(np.array([0, 1, 1, 2, 2, 2]))
    np.testing.assert_allclose(within @ within, within, atol=1e-12)
    np.testing.assert_allclose(within, within.T)
