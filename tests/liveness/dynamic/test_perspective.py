from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from liveness.dynamic.movement.perspective import (
    ApproachKind,
    Closeup,
    Parallax,
    PerspectiveFinding,
    PlaneLeftovers,
    ReliefFit,
    classify_approach,
    fit_relief,
    measure_perspective,
    pool_findings,
)
from liveness.extent import FacePlaces, face_extent, head_curve, nose_ridge
from liveness.tracking import apply_plane_motion, fit_plane_motion
from tests.liveness.builders import face_at
from tests.liveness.dynamic.perspectives import FILM, FLAT, HEAD, SETTINGS, SHEET

_WIDTH, _HEIGHT = 480, 640
_NOISE = 0.0007
"""Face widths: a seventh of a pixel."""
_FACE = face_at(240.0, 300.0, 200.0)


def _head(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A head other than the model's: a paraboloid with a pointed nose, face widths."""
    x, y = points.T
    nose = 0.17 * np.exp(-((x / 0.11) ** 2)) * np.clip(1 - np.abs(y - 0.02) / 0.28, 0, 1)
    depth: NDArray[np.float64] = -0.75 * x**2 - 0.42 * y**2 + nose
    return depth


def _plane(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.3 * points[:, 0] - 0.2 * points[:, 1]


def _bent(points: NDArray[np.float64], angle: float = 0.3) -> NDArray[np.float64]:
    """A sheet over a cylinder as wide as a head, askew."""
    across = points[:, 0] * np.cos(angle) + points[:, 1] * np.sin(angle)
    depth: NDArray[np.float64] = np.sqrt(0.62**2 - across**2)
    return depth


def _approach(
    depth: NDArray[np.float64],
    points: NDArray[np.float64],
    *,
    growths: NDArray[np.float64],
    seed: int = 0,
    turn: float = 0.0,
    lens: float = 1.05,
    noise: float = _NOISE,
    lost: float = 0.1,
    filmed: bool = False,
) -> Parallax:
    """Tracked points at ``depth`` while the camera comes closer and the head turns.

    With ``filmed`` it was filmed from a distance, and a screen with the film comes closer.
    """
    rng = np.random.default_rng(seed)
    extent = face_extent(_FACE)
    away = lens * _WIDTH / extent.width
    places = np.array([extent.x, extent.y]) + points * extent.width
    # The points in space that the far view shows at ``places``.
    axis = (places - (_WIDTH / 2, _HEIGHT / 2)) / extent.width
    space = np.column_stack([axis * (away - depth)[:, None] / away, depth])
    closeups = []
    for index, growth in enumerate(growths):
        angle = turn * np.sin(2.1 * index)
        x = space[:, 0] * np.cos(angle) + space[:, 2] * np.sin(angle)
        z = space[:, 2] * np.cos(angle) - space[:, 0] * np.sin(angle)
        near = 1.0 if filmed else growth
        seen = np.column_stack([x, space[:, 1]]) * (away / (away / near - z))[:, None]
        seen = seen / near + rng.normal(0, noise, seen.shape)
        first, second = axis.astype(np.float32), seen.astype(np.float32)
        motion = fit_plane_motion(first, second)
        assert motion is not None
        left_over = (second - apply_plane_motion(motion, first)).astype(np.float64)
        left_over[rng.random(len(points)) < lost] = np.nan
        closeups.append(Closeup(frame=index + 1, growth=float(growth), left_over=left_over))
    return Parallax(
        face=_FACE,
        frame_width=_WIDTH,
        frame_height=_HEIGHT,
        face_pixels=extent.width,
        places=places,
        closeups=tuple(closeups),
    )


def _points(count: int = 70, seed: int = 1) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    return np.column_stack([0.4 * radius * np.cos(angle), 0.58 * radius * np.sin(angle)])


def _where(seed: int) -> FacePlaces:
    return FacePlaces(places=_points(_POINTS, seed), upright=np.eye(2), eyes=-0.25, mouth=0.2)


_GROWTHS = np.linspace(1.02, 1.8, 40)


def _found(parallax: Parallax) -> PerspectiveFinding:
    found = measure_perspective(parallax, SETTINGS.perspective)
    assert found is not None
    return found


@pytest.mark.parametrize("lens", [0.85, 1.25])
@pytest.mark.parametrize("turn", [0.02, 0.05])
@pytest.mark.parametrize("seed", range(2))
def test_a_head_has_relief_and_perspective_whatever_lens_and_sway(
    seed: int, turn: float, lens: float
) -> None:
    points = _points(seed=seed)
    found = _found(_approach(_head(points), points, growths=_GROWTHS, seed=seed, turn=turn, lens=lens))
    assert found.clarity > 1.5
    assert found.curved > 0.3
    assert found.curved_clarity > 3
    assert found.depth - 2 * found.error > 0.5
    assert found.depth < 2.5


@pytest.mark.parametrize("turn", [0.0, 0.15])
@pytest.mark.parametrize("seed", range(2))
def test_a_plane_has_no_relief_however_it_is_tilted_and_turned(seed: int, turn: float) -> None:
    points = _points(seed=seed)
    found = _found(_approach(_plane(points), points, growths=_GROWTHS, seed=seed, turn=turn))
    assert found.clarity < 0.85
    assert found.expected > 1.2


@pytest.mark.parametrize("turn", [0.0, 0.15])
@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2])
def test_a_bent_sheet_is_curved_round_one_axis_only(angle: float, turn: float) -> None:
    points = _points(seed=2)
    found = _found(_approach(_bent(points, angle), points, growths=_GROWTHS, seed=2, turn=turn))
    assert found.clarity > 0.85
    assert found.curved < 0.3


@pytest.mark.parametrize("seed", range(2))
def test_a_film_of_a_head_that_turns_has_relief_and_no_perspective(seed: int) -> None:
    points = _points(seed=seed)
    found = _found(_approach(_head(points), points, growths=_GROWTHS, seed=seed, turn=0.05, filmed=True))
    assert found.clarity > 1.5
    assert found.curved > 0.3
    assert abs(found.depth) < 0.1 + 2 * found.error


def test_half_the_perspective_is_half_as_deep() -> None:
    points = _points(seed=5)
    depth = _head(points)
    whole = _approach(depth, points, growths=_GROWTHS, turn=0.05, noise=1e-5)
    film = _approach(depth, points, growths=_GROWTHS, turn=0.05, noise=1e-5, filmed=True)
    half = replace(
        whole,
        closeups=tuple(
            replace(one, left_over=(one.left_over + other.left_over) / 2)
            for one, other in zip(whole.closeups, film.closeups, strict=True)
        ),
    )
    assert _found(half).depth == pytest.approx(_found(whole).depth / 2, rel=0.25)


def test_a_few_points_that_slide_bend_nothing() -> None:
    points = _points(seed=7)
    parallax = _approach(_plane(points), points, growths=_GROWTHS)
    for closeup in parallax.closeups:
        closeup.left_over[:4] += 0.02 * points[:4]
    found = _found(parallax)
    assert found.clarity < 1.5


@pytest.mark.parametrize(
    "parallax",
    [
        _approach(_head(_points()), _points(), growths=np.linspace(1.0, 1.2, 20)),
        _approach(_head(_points()), _points(), growths=np.linspace(1.5, 1.6, 5)),
        _approach(_head(_points(26)), _points(26), growths=_GROWTHS),
        _approach(_head(_points()), _points(), growths=_GROWTHS, lost=0.75),
        replace(_approach(_head(_points()), _points(), growths=_GROWTHS), face_pixels=100.0),
    ],
    ids=["no growth", "few frames", "few points", "mostly lost", "small face"],
)
def test_too_little_to_go_by_is_no_finding(parallax: Parallax) -> None:
    assert measure_perspective(parallax, SETTINGS.perspective) is None


@pytest.mark.parametrize("seed", range(3))
def test_several_approaches_of_a_head_are_surer_than_one(seed: int) -> None:
    points = _points(seed=seed)
    one, other = (
        _found(_approach(_head(points), points, growths=_GROWTHS, seed=draw, turn=0.03))
        for draw in (seed, seed + 9)
    )
    pooled = pool_findings([one, other])
    assert pooled is not None
    assert min(one.depth, other.depth) <= pooled.depth <= max(one.depth, other.depth)
    assert pooled.error < max(one.error, other.error)
    assert pooled.frames == one.frames + other.frames


def test_approaches_that_contradict_each_other_make_it_unsure() -> None:
    seen = replace(HEAD, depth=1.2, error=0.1)
    pooled = pool_findings([seen, replace(seen, depth=0.0)])
    assert pooled is not None
    assert pooled.depth == pytest.approx(0.6)
    assert pooled.error == pytest.approx(0.6)
    agreed = pool_findings([seen, seen])
    assert agreed is not None
    assert agreed.error == pytest.approx(0.1 / 2**0.5)
    alone = pool_findings([seen])
    assert alone is not None
    assert asdict(alone) == pytest.approx(asdict(seen))
    assert pool_findings([]) is None


@settings(max_examples=40, deadline=None)
@given(
    points=st.integers(0, 60),
    growths=st.lists(st.floats(0.5, 3.0), max_size=16),
    size=st.floats(0, 10),
    seed=st.integers(0, 99),
)
def test_whatever_was_followed_no_number_is_made_up(
    points: int, growths: list[float], size: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    left_over = rng.normal(0, size, (points, 2))
    left_over[rng.random(points) < 0.3] = np.nan
    parallax = Parallax(
        face=_FACE,
        frame_width=_WIDTH,
        frame_height=_HEIGHT,
        face_pixels=200.0,
        places=rng.uniform(0, 1, (points, 2)) * rng.choice([0.0, 1.0, 300.0]) + (240.0, 300.0),
        closeups=tuple(
            Closeup(frame=index, growth=g, left_over=left_over) for index, g in enumerate(growths)
        ),
    )
    found = measure_perspective(parallax, SETTINGS.perspective)
    assert found is None or all(np.isfinite([found.depth, found.error, found.clarity, found.curved]))


_FRAMES, _POINTS = 30, 70


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
    where = _where(0)
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


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (HEAD, ApproachKind.HEAD),
        (FLAT, ApproachKind.PICTURE),
        (SHEET, ApproachKind.PICTURE),
        (FILM, ApproachKind.PICTURE),
        (replace(FLAT, growth=1.3), ApproachKind.UNSURE),
        (replace(FLAT, expected=0.9), ApproachKind.UNSURE),
        (replace(FLAT, clarity=1.1), ApproachKind.UNSURE),
        (replace(HEAD, curved_clarity=2.0), ApproachKind.UNSURE),
        (replace(HEAD, curved=0.25), ApproachKind.UNSURE),
        (replace(HEAD, depth=0.6), ApproachKind.UNSURE),
        (replace(HEAD, error=0.4), ApproachKind.UNSURE),
        (None, ApproachKind.UNSURE),
    ],
    ids=[
        "head",
        "flat",
        "bent sheet",
        "film of a head",
        "hardly grew",
        "a still head would not show either",
        "a little relief",
        "curved by chance",
        "hardly curved",
        "little perspective",
        "unsure perspective",
        "nothing",
    ],
)
def test_only_a_certain_measurement_is_called_head_or_flat(
    seen: PerspectiveFinding | None, expected: ApproachKind
) -> None:
    came = classify_approach(seen, SETTINGS.came_closer)
    assert came.kind is expected
    assert came.detail.endswith(".")
