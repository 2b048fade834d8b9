import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.express.recurrence import find_recurrence


def _samples(pictures: list[int], *, anew: float = 0.4, grain: float = 2.0) -> NDArray[np.uint8]:
    """Frames that show ``pictures`` with a camera's noise, each encoded anew."""
    rng = np.random.default_rng(2)
    scene = np.random.default_rng(0).integers(40, 210, 1024)
    rows = [
        scene + np.random.default_rng(picture).normal(0, grain, 1024) + rng.normal(0, anew, 1024)
        for picture in pictures
    ]
    return np.clip(rows, 0, 255).round().astype(np.uint8)


def test_a_period_is_named() -> None:
    found = find_recurrence(range(40), _samples([at % 13 for at in range(40)]))
    assert found is not None
    assert found.period in {13, 26}
    assert found.period_ratio < 0.5


def test_a_turning_point_is_named_by_its_frame() -> None:
    found = find_recurrence(range(100, 140), _samples([*range(25), *range(23, 8, -1)]))
    assert found is not None
    assert found.turning == 124
    assert found.turning_ratio < 0.5
    assert found.period_ratio > 0.9


def test_a_camera_differs_from_itself_by_its_noise_however_that_changes() -> None:
    calm, restless = _samples(list(range(20)), grain=1), _samples(list(range(20, 40)), grain=5)
    for samples in (calm, np.concatenate([calm, restless]), np.concatenate([restless, calm])):
        found = find_recurrence(range(len(samples)), samples)
        assert found is not None
        assert min(found.period_ratio, found.turning_ratio) > 0.9


def test_exposure_that_wanders_hides_no_loop() -> None:
    looped = _samples([at % 13 for at in range(40)]).astype(np.float64)
    wandering = looped + 12 * np.sin(np.arange(40) / 3)[:, None]
    found = find_recurrence(range(40), np.clip(wandering, 0, 255).round().astype(np.uint8))
    assert found is not None
    assert found.period in {13, 26}
    assert found.period_ratio < 0.6


@pytest.mark.parametrize("count", [2, 8])
def test_too_few_pairs_give_no_ratio(count: int) -> None:
    found = find_recurrence(range(count), _samples(list(range(count))))
    assert found is not None
    assert found.period_ratio == found.turning_ratio == np.inf


def test_pixels_without_noise_are_not_assessed() -> None:
    assert find_recurrence(range(30), np.full((30, 1024), 128, np.uint8)) is None
