"""The crops that the study shows to an embedder, and scores that a cohort normalises."""

import numpy as np
import pytest

from research.embedded_study.scores import Pairs
from research.embedder_study import VARIANTS, VIEWS, View, cohort_scores, moved, seen_as
from tests.liveness.builders import face_at
from vision.geometry import align_face
from vision.packs.dlib_chips import MOVES, Move

_RNG = np.random.default_rng(4)
_PICTURE = np.repeat(np.repeat(_RNG.integers(0, 256, (20, 15, 3), dtype=np.uint8), 32, 0), 32, 1)


def test_a_face_that_is_not_moved_stays() -> None:
    face = face_at()
    np.testing.assert_allclose(moved(face, Move()).five_points, face.five_points, atol=1e-4)


def test_a_larger_face_has_its_points_closer_together() -> None:
    face = face_at()
    assert moved(face, Move(scale=1.1)).eye_distance == pytest.approx(face.eye_distance / 1.1)


def test_a_crop_is_moved_as_the_move_says() -> None:
    face = face_at()
    plain = align_face(_PICTURE, face.five_points, 112).astype(float)
    shifted = align_face(_PICTURE, moved(face, Move(shift=(10 / 112, 0.0))).five_points, 112).astype(float)
    # The face moves to the right in its crop, so that what was at column 40 is near column 50.
    errors = [np.abs(plain[20:90, 30:70] - shifted[20:90, 30 + by : 70 + by]).mean() for by in range(-20, 21)]
    assert int(np.argmin(errors)) - 20 == pytest.approx(10, abs=1)


def test_a_mirrored_view_is_the_mirror_image_of_the_crop() -> None:
    face = face_at()
    plain = align_face(*_arguments(View()), 112)
    mirrored = align_face(*_arguments(View(mirrored=True)), 112)
    # The template that faces are aligned to is a little lopsided itself, so the two differ by a pixel or two.
    middle = slice(20, 92)
    alike, not_alike = (
        np.corrcoef(crop[middle, middle].ravel(), mirrored[middle, middle].ravel())[0, 1]
        for crop in (plain[:, ::-1], plain)
    )
    assert alike > 0.9
    assert not_alike < 0.6
    np.testing.assert_array_equal(face.five_points, face_at().five_points)


def _arguments(view: View) -> tuple[np.ndarray, np.ndarray]:
    image, face = seen_as(_PICTURE, face_at(), view)
    return image, face.five_points


def test_every_variant_names_views_that_exist() -> None:
    assert len(VIEWS) == 2 + 2 * len(MOVES)
    assert all(0 <= index < len(VIEWS) for pair in VARIANTS.values() for views in pair for index in views)


def test_a_cohort_takes_out_what_makes_one_template_like_everybody() -> None:
    rng = np.random.default_rng(1)
    persons = np.repeat(np.arange(20), 2)
    own = rng.normal(size=(20, 32))
    templates = own[persons] + rng.normal(scale=0.3, size=(40, 32))
    # The first person's photos are drawn to the mean of all: a wolf.
    templates[:2] += 1.2 * templates.mean(axis=0) * 20
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    pairs = Pairs.among(np.array([f"{person:02}" for person in persons]))
    cosines = np.einsum("ij,ij->i", templates[pairs.rows], templates[pairs.columns])
    normalised = cohort_scores(templates, templates, persons, pairs)
    wolf = ~pairs.genuine & ((pairs.first == 0) | (pairs.second == 0))
    rest = ~pairs.genuine & ~wolf

    def excess(scores: np.ndarray) -> float:
        return float((scores[wolf].mean() - scores[rest].mean()) / scores[rest].std())

    assert abs(excess(normalised)) < 0.7 * abs(excess(cosines))
    assert normalised[pairs.genuine].min() > np.median(normalised[rest])


def test_the_two_persons_of_a_pair_are_not_in_its_cohort() -> None:
    persons = np.array([0, 0, 1, 2, 2])
    templates = np.eye(5)
    templates[1, 0] = 0.5
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    pairs = Pairs(np.array([0]), np.array([2]), np.array([0]), np.array([1]), 3)
    # Only person 2 is left, whose cosines to both are 0: no deviation, and nothing is taken off 0.
    assert cohort_scores(templates, templates, persons, pairs)[0] == pytest.approx(0.0)
