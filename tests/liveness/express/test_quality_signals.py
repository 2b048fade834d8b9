"""Sharpness, head pose, eyes open and face area: one value a frame, the typical one counts."""

import pytest

from liveness.express.eyes_open import EyesOpen
from liveness.express.face_area import FaceArea
from liveness.express.head_pose import HeadPoseSignal
from liveness.express.interface import ExpressSignal
from liveness.express.settings import ExpressSettings
from liveness.express.sharpness import Sharpness
from tests.liveness.builders import face_at, observations, scan
from vision.face import HeadPose

_SETTINGS = ExpressSettings()


@pytest.mark.parametrize(
    ("signal", "good", "bad"),
    [
        (Sharpness(), {"sharpness": 200.0}, {"sharpness": 8.0}),
        (HeadPoseSignal(), {"pose": HeadPose(3, -4, 0)}, {"pose": HeadPose(-40, 0, 0)}),
        (HeadPoseSignal(), {"pose": HeadPose(0, 0, 20)}, {"pose": HeadPose(0, 35, 0)}),
        (EyesOpen(), {"eyes": (0.3, 0.3)}, {"eyes": (0.05, 0.06)}),
        (FaceArea(), {"face": face_at(width=230)}, {"face": face_at(width=50)}),
        (FaceArea(), {"face": face_at(width=160)}, {"face": face_at(width=600)}),
    ],
)
def test_good_passes_and_bad_does_not(
    signal: ExpressSignal, good: dict[str, object], bad: dict[str, object]
) -> None:
    better, worse = (signal.assess(scan(observations(20, **change)), _SETTINGS) for change in (good, bad))
    assert (better.passed, worse.passed) == (True, False)
    assert better.score is not None
    assert worse.score is not None
    assert better.score > 0.7
    assert worse.score < 0.45


@pytest.mark.parametrize("signal", [Sharpness(), HeadPoseSignal(), EyesOpen(), FaceArea()])
def test_without_a_face_there_is_nothing_to_assess(signal: ExpressSignal) -> None:
    blank = scan(observations(20, face=None, faces=0, sharpness=None, pose=None, eyes=None, luminance=None))
    found = signal.assess(blank, _SETTINGS)
    assert (found.name, found.label, found.score) == (signal.name, signal.label, None)
    assert signal.assess(scan(()), _SETTINGS).score is None
