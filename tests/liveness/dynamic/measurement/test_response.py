from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.dynamic.challenge.script import RevealedStep
from liveness.dynamic.measurement.response import ResponseSettings, fit_response
from liveness.dynamic.model import load_flash_model
from tests.liveness.dynamic.light_scan import LAG, answering, guessing, light_scan, seen

SETTINGS = load_flash_model().response


def test_the_matrix_is_found() -> None:
    track, shown = seen(light_scan(3, noise=0.003))
    response = fit_response(track, shown, lag=LAG, settings=SETTINGS)
    assert response is not None
    assert np.diag(response.matrix) == pytest.approx([0.24, 0.3, 0.42], abs=0.05)
    assert np.abs(response.matrix - np.diag(np.diag(response.matrix))).max() < 0.06
    assert response.strength == pytest.approx(0.32, abs=0.04)
    assert response.explained > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_a_face_verifies_every_colour(seed: int) -> None:
    track, shown = seen(light_scan(seed))
    response = fit_response(track, shown, lag=LAG, settings=SETTINGS)
    assert response is not None
    coloured = [one for one in response.steps if 1 < one.number < 10]
    assert [one.agrees for one in coloured] == [True] * 8
    assert [one.measured for one in coloured] == [one.step.colour for one in shown[1:9]]
    assert min(one.snr for one in coloured) > 5


@pytest.mark.parametrize("seed", range(6, 12))
def test_a_wrong_colour_among_right_ones_is_never_verified(seed: int) -> None:
    def contrary(one: RevealedStep, rng: np.random.Generator) -> NDArray[np.float64]:
        right = answering(one, rng)
        return 1.15 - right if one.step.number == 5 else right

    track, shown = seen(light_scan(seed, answer=contrary))
    response = fit_response(track, shown, lag=LAG, settings=SETTINGS)
    assert response is not None
    answers = {one.number: one.agrees for one in response.steps if 1 < one.number < 10}
    assert answers.pop(5) is not True
    assert False not in answers.values()


def test_weak_light_is_no_contradiction() -> None:
    for seed in range(5):
        track, shown = seen(light_scan(seed, strength=0.001))
        response = fit_response(track, shown, lag=LAG, settings=SETTINGS)
        assert response is not None
        assert [one.agrees for one in response.steps if one.agrees is not None] == []


@pytest.mark.parametrize("strict", [replace(SETTINGS, least_snr=1e6), replace(SETTINGS, margin=1e6)])
def test_a_faint_answer_agrees_and_is_not_clear(strict: ResponseSettings) -> None:
    track, shown = seen(light_scan(3))
    faint = fit_response(track, shown, lag=LAG, settings=strict)
    usual = fit_response(track, shown, lag=LAG, settings=SETTINGS)
    assert faint is not None
    assert usual is not None
    assert all(one.clear for one in usual.steps if 1 < one.number < 10)
    assert [one.agrees for one in faint.steps] == [one.agrees for one in usual.steps]
    assert not any(one.clear for one in faint.steps)


@pytest.mark.parametrize("strict", [replace(SETTINGS, right_snr=1e6), replace(SETTINGS, right_margin=1e6)])
def test_below_the_lines_for_a_right_answer_nothing_agrees(strict: ResponseSettings) -> None:
    track, shown = seen(light_scan(3))
    response = fit_response(track, shown, lag=LAG, settings=strict)
    assert response is not None
    assert not any(one.agrees for one in response.steps)


def test_crosstalk_of_channels_is_held_back_more_than_their_own_response() -> None:
    """Of random colours, the least squares without a ridge fit any crosstalk."""

    def crosstalk(ridge: float) -> float:
        track, shown = seen(light_scan(5, answer=guessing))
        settings = replace(SETTINGS, ridge=0.0, crosstalk_ridge=ridge)
        response = fit_response(track, shown, lag=LAG, settings=settings)
        assert response is not None
        return float(np.abs(response.matrix - np.diag(np.diag(response.matrix))).max())

    assert crosstalk(2.0) < crosstalk(0.0) / 2
    assert crosstalk(1e6) < 1e-3


def test_an_answer_the_wrong_way_round_verifies_nothing() -> None:
    scan = light_scan(7, answer=lambda one, _: 1.15 - one.step.colour.linear)
    track, shown = seen(scan)
    response = fit_response(track, shown, lag=LAG, settings=SETTINGS)
    assert response is not None
    assert response.strength < 0
    assert not any(one.agrees for one in response.steps)


def test_random_colours_hardly_agree() -> None:
    steps_judged = right = 0
    for seed in range(12):
        track, shown = seen(light_scan(seed, answer=guessing))
        response = fit_response(track, shown, lag=LAG, settings=SETTINGS)
        assert response is not None
        steps_judged += len(response.steps)
        right += sum(one.agrees is True for one in response.steps)
    assert right / steps_judged < 1 / 7


def test_too_few_frames_give_no_response() -> None:
    track, shown = seen(light_scan(1))
    assert fit_response(track, shown[:1], lag=LAG, settings=SETTINGS) is None
    track.clean[:] = False
    assert fit_response(track, shown, lag=LAG, settings=SETTINGS) is None
