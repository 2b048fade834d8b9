"""The fit of a relief to a motion that is exactly that of its model."""

import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.dynamic.movement.relief_fit import PlaneLeftovers, ReliefFit, fit_relief
from liveness.face_relief import FacePlaces, head_curve, nose_ridge

_FRAMES, _POINTS = 30, 70


def _where(seed: int = 0) -> FacePlaces:
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, _POINTS), np.sqrt(rng.uniform(0, 1, _POINTS))
    places = np.column_stack([0.4 * radius * np.cos(angle), 0.55 * radius * np.sin(angle)])
    return FacePlaces(places=places, upright=np.eye(2), eyes=-0.25, mouth=0.2)


def _seen(
    relief: NDArray[np.float64], where: FacePlaces, *, near: float = 1.0, noise: float = 1e-5, seed: int = 3
) -> PlaneLeftovers:
    rng = np.random.default_rng(seed)
    strength = np.linspace(0.0, 0.3, _FRAMES)
    ways = near * strength[:, None, None] * where.places + rng.normal(0, 0.06, (_FRAMES, 1, 2))
    moved = relief[None, :, None] * ways + rng.normal(0, noise, (_FRAMES, _POINTS, 2))
    moved[rng.random((_FRAMES, _POINTS)) < 0.1] = np.nan
    return PlaneLeftovers(where=where, left_over=moved, strength=strength)


def _usual(where: FacePlaces) -> NDArray[np.float64]:
    return head_curve(where) + 0.15 * nose_ridge(where)


def _over_its_plane(relief: NDArray[np.float64], where: FacePlaces) -> NDArray[np.float64]:
    plane = np.column_stack([np.ones(_POINTS), where.places])
    return np.asarray(relief - plane @ np.linalg.lstsq(plane, relief, rcond=None)[0])


def _fitted(seen: PlaneLeftovers) -> ReliefFit:
    found = fit_relief(seen)
    assert found is not None
    return found


def test_a_smooth_relief_and_its_perspective_are_found() -> None:
    where = _where()
    found = _fitted(_seen(_usual(where), where))
    assert np.corrcoef(found.relief, _over_its_plane(_usual(where), where))[0, 1] > 0.98
    assert found.perspective == pytest.approx(1.0, abs=0.1)
    assert found.explained > 5 * found.unexplained
    assert found.expected > 0


@pytest.mark.parametrize("near", [0.0, 0.5, 1.0])
def test_a_shorter_approach_has_less_perspective(near: float) -> None:
    where = _where(1)
    assert _fitted(_seen(_usual(where), where, near=near)).perspective == pytest.approx(near, abs=0.1)


def test_a_hollow_face_comes_closer_the_wrong_way() -> None:
    where = _where(2)
    found = _fitted(_seen(-_usual(where), where))
    assert found.perspective == pytest.approx(-1.0, abs=0.15)


def test_of_noise_less_than_half_is_explained_and_the_control_finds_as_much() -> None:
    where = _where(4)
    found = [_fitted(_seen(np.zeros(_POINTS), where, noise=0.001, seed=seed)) for seed in range(5)]
    assert max(one.explained / one.unexplained for one in found) < 0.85
    shares = [np.linalg.norm(one.control) / np.linalg.norm(one.relief) for one in found]
    assert np.median(shares) > 0.2


def test_points_in_one_place_determine_nothing() -> None:
    where = FacePlaces(places=np.zeros((_POINTS, 2)), upright=np.eye(2), eyes=-0.25, mouth=0.2)
    found = fit_relief(_seen(np.zeros(_POINTS), where))
    assert found is None or np.isfinite(found.perspective)
