"""The frames that are identified where the face was lost."""

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np

from attempt.analyst import ExaminedFrame, SeenFrame
from attempt.selection import FrameSample, KeptFrames
from liveness.observation import ScanObservations
from matcher.template import TemplateSample
from tests.attempt.frames import frame_of
from tests.liveness.builders import observation
from vision.face import HeadPose
from vision.packs import Template

_FRONTAL, _PROFILE = HeadPose(yaw=2.0, pitch=0.0, roll=0.0), HeadPose(yaw=50.0, pitch=0.0, roll=0.0)
_TEMPLATE = Template(np.array([1.0, 0.0], np.float32), "form")


def _identified(poses: Sequence[HeadPose], *, examined: Sequence[ExaminedFrame] = ()) -> list[int]:
    """Returns which frames would be identified of a face that is lost after every frame."""
    kept = KeptFrames(count=1)
    frames = tuple(observation(index, pose=pose) for index, pose in enumerate(poses))
    for frame in frames:
        kept.offer(SeenFrame(frame_of(frame.index), None, frame))
    scan = ScanObservations(frames=frames, motion=())
    return [observed.index for _, observed in kept.unidentified(scan, examined=examined)]


def test_a_face_that_was_lost_is_identified_by_frontal_frames_only() -> None:
    assert _identified([_FRONTAL, _PROFILE, _FRONTAL]) == [0, 2]


def test_a_frame_is_not_identified_twice() -> None:
    sample = TemplateSample(_TEMPLATE, 0.5)
    # The pose of frame 1 was estimated; its landmarks showed that the head is turned after all.
    averted = TemplateSample(_TEMPLATE, 0.5, comparable=False)
    examined = [ExaminedFrame(0, sample), ExaminedFrame(1, averted)]
    assert _identified([_FRONTAL, _FRONTAL, _FRONTAL], examined=examined) == [2]


def test_every_frame_has_the_same_chance_to_be_drawn() -> None:
    draws = random.Random(7)
    drawn: Counter[int] = Counter()
    for _ in range(3000):
        sample = FrameSample(random=draws.randbytes, size=4)
        for index in range(20):
            sample.offer(frame_of(index))
        assert len({frame.index for frame in sample.drawn}) == 4
        drawn.update(frame.index for frame in sample.drawn)
    assert set(drawn) == set(range(20))
    # 600 each, with a standard deviation of 22.
    assert all(abs(count - 600) < 110 for count in drawn.values())


def test_fewer_frames_than_wanted_are_all_drawn() -> None:
    sample = FrameSample(random=bytes, size=4)
    for index in range(3):
        sample.offer(frame_of(index))
    assert [frame.index for frame in sample.drawn] == [0, 1, 2]
