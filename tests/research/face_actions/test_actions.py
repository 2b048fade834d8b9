import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from research.face_actions.actions import Action, Verdict, excursion, judge, measure
from vision.face import Landmarks
from vision.pose import head_of_478

_LIPS = {82: (-0.5, 4.0), 13: (0.0, 4.0), 312: (0.5, 4.0), 87: (-0.5, 4.1), 14: (0.0, 4.1), 317: (0.5, 4.1)}


def _mesh(*, drop: float = 0.0) -> NDArray[np.float64]:
    """The canonical face with lips; the lower lip and the chin are ``drop`` centimetres lower."""
    mesh = np.zeros((478, 3))
    indices, head = head_of_478()
    mesh[indices] = head
    for index, (x, y) in _LIPS.items():
        mesh[index] = (x, y + (drop if index in {87, 14, 317} else 0.0), -5.0)
    mesh[168], mesh[152] = (0.0, -3.0, -5.0), (0.0, 9.0 + drop, -4.0)
    return mesh


def _landmarks(mesh: NDArray[np.float64], scheme: str = "mediapipe478") -> Landmarks:
    return Landmarks(mesh[:, :2].astype(np.float32), scheme, depth=mesh[:, 2].astype(np.float32))


def _turned(
    mesh: NDArray[np.float64], axis: tuple[float, float, float], degrees: float
) -> NDArray[np.float64]:
    turn = np.asarray(cv2.Rodrigues(np.array(axis) * np.radians(degrees))[0], np.float64)
    return 27 * mesh @ turn.T + (240, 320, 0)


def test_a_gap_is_measured_in_centimetres_of_the_canonical_face() -> None:
    found = measure(_landmarks(_mesh(drop=1.5)))
    assert found is not None
    assert found[Action.OPEN_MOUTH] == pytest.approx(1.6, abs=1e-4)
    assert found[Action.DROP_JAW] == pytest.approx(np.hypot(13.5, 1.0), abs=1e-4)


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_turning_and_coming_closer_are_no_action(axis: tuple[float, float, float]) -> None:
    at_rest, turned = measure(_landmarks(_mesh())), measure(_landmarks(_turned(_mesh(), axis, 25)))
    assert at_rest is not None
    assert turned == pytest.approx(at_rest, abs=1e-3)


def test_opening_the_mouth_does_not_move_the_brows() -> None:
    shut, opened = measure(_landmarks(_mesh())), measure(_landmarks(_mesh(drop=2)))
    assert shut is not None
    assert opened is not None
    assert opened[Action.RAISE_BROWS] == pytest.approx(shut[Action.RAISE_BROWS], abs=1e-4)
    assert opened[Action.OPEN_MOUTH] > shut[Action.OPEN_MOUTH] + 1.9


def test_other_points_are_not_measured() -> None:
    mesh = _mesh()
    assert measure(_landmarks(mesh[:68], "ibug68")) is None
    assert measure(Landmarks(mesh[:, :2].astype(np.float32), "mediapipe478")) is None
    assert measure(_landmarks(np.zeros((478, 3)))) is None
    mesh[13] = np.nan
    assert measure(_landmarks(mesh)) is None


def test_an_action_is_relative_to_the_persons_own_rest() -> None:
    ajar = [0.8] * 20
    assert judge(ajar, 0.5) is Verdict.NOT_DONE
    assert judge([*ajar, *[1.6] * 5], 0.5) is Verdict.DONE
    assert excursion([*ajar, *[1.6] * 5]) == pytest.approx(0.8)


def test_one_frame_is_no_action_and_few_frames_are_no_verdict() -> None:
    assert judge([0.0] * 30 + [2.0], 0.5) is Verdict.NOT_DONE
    assert judge([0.0] * 4 + [2.0] * 3, 0.5) is Verdict.NOT_VISIBLE
