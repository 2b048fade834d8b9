import math

import numpy as np
import pytest

from research.flash_shape.geometry import geometry_of
from research.flash_shape.statistics import measure, stretch_of
from tests.research.flash_shape.builders import answered, head_scan, predicted


def test_normals_of_a_head_turn_away_at_its_sides() -> None:
    face = geometry_of(head_scan())
    left, right = face.x < -0.6, face.x > 0.6
    assert face.normals[left, 0].max() < 0 < face.normals[right, 0].min()
    assert face.normals[:, 2].min() > 0
    np.testing.assert_allclose(np.linalg.norm(face.normals, axis=1), 1.0)
    # The sides are farther from the screen, and turned away.
    assert face.light[left | right].max() < face.light[~(left | right)].mean()


def test_a_head_in_even_light_answers_as_predicted() -> None:
    scan = head_scan()
    found = measure(answered(scan, predicted(scan), noise=0.02))
    assert found.slope == pytest.approx(1.0, abs=0.05)
    assert found.slope_beyond == pytest.approx(1.0, abs=0.2)
    assert found.likelihood > 0


def test_other_light_from_a_side_is_explained() -> None:
    scan = head_scan()
    light = predicted(scan) - 0.4 * geometry_of(scan).normals[:, 0]
    plain, turned = (measure(answered(scan, each)) for each in (predicted(scan), light))
    assert turned.explained >= plain.explained
    assert turned.likelihood > 0


def test_a_bent_sheet_has_no_slope_beyond_its_curve() -> None:
    scan = head_scan()
    face = geometry_of(scan)
    bent = measure(answered(scan, -0.3 * face.x**2 - 0.1 * face.y, noise=0.02))
    assert bent.slope_beyond == pytest.approx(0.0, abs=0.1)
    assert bent.explained_beyond < math.log(0.03)
    assert bent.likelihood < measure(answered(scan, predicted(scan), noise=0.02)).likelihood


def test_errors_of_single_steps_are_not_explained() -> None:
    found = measure(answered(head_scan(), np.zeros(140), noise=0.3))
    assert found.explained < math.log(0.06)


def test_todays_signal_is_the_lower_of_two_distances() -> None:
    assert measure(head_scan(relief=0.2, uneven=0.27)).present == pytest.approx(math.log(0.9))
    assert measure(head_scan(relief=0.05, uneven=0.6)).present == pytest.approx(math.log(0.5))


def test_differences_are_stretched_more_in_the_dark() -> None:
    assert stretch_of(0.05) == pytest.approx(1.0, abs=0.05)
    assert stretch_of(1.0) > 1.5 > stretch_of(0.3)
