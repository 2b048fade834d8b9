import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from attempt.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from attempt.frame import FrameLimits
from attempt.selection import FrameExaminer, FrameSample, KeptFrames
from liveness.observation import ScanObservations
from liveness.selection import CUE_FRAMES
from matcher.persons import SCAN_SUBJECT
from matcher.template import TemplateSample
from tests.attempt.frames import frame_of
from tests.attempt.networks import CountingNetwork
from tests.liveness.builders import observation
from tests.server.live import pictures
from tests.server.models_once import remembering_pack
from vision.face import HeadPose
from vision.packs import Template

_FRONTAL, _PROFILE = HeadPose(yaw=2.0, pitch=0.0, roll=0.0), HeadPose(yaw=50.0, pitch=0.0, roll=0.0)
_TEMPLATE = Template(np.array([1.0, 0.0], np.float32), "form")


def _identified(poses: Sequence[HeadPose], *, examined: Sequence[ExaminedFrame] = ()) -> list[int]:
    """Returns which frames would be identified of a face that is lost after every frame."""
    kept = KeptFrames(count=1)
    frames = tuple(observation(index, pose=pose) for index, pose in enumerate(poses))
    for frame in frames:
        kept.keep_frame(SeenFrame(frame_of(frame.index), None, frame))
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
            sample.draw_frame(frame_of(index))
        assert len({frame.index for frame in sample.drawn}) == 4
        drawn.update(frame.index for frame in sample.drawn)
    assert set(drawn) == set(range(20))
    # 600 each, with a standard deviation of 22.
    assert all(abs(count - 600) < 110 for count in drawn.values())


def test_fewer_frames_than_wanted_are_all_drawn() -> None:
    sample = FrameSample(random=bytes, size=4)
    for index in range(3):
        sample.draw_frame(frame_of(index))
    assert [frame.index for frame in sample.drawn] == [0, 1, 2]


class _Setting:
    def __init__(self, frames: int = 5) -> None:
        self.network = CountingNetwork()
        pack = replace(remembering_pack(), pad_networks=(self.network,))
        analyst = FrameAnalyst(pack=pack, limits=FrameLimits())
        self.kept: dict[int, SeenFrame] = {}
        for index in range(frames):
            picture = pictures()[index]
            frame = frame_of(index, image=picture.jpeg, capture_time_us=picture.time_us + 1)
            watcher = analyst.new_watch(subject=SCAN_SUBJECT).watcher
            self.kept[index] = analyst.measure_frame(frame, picture.time_us / 1e6, watcher=watcher)
        self.examiner = FrameExaminer(analyst=analyst, kept=self.kept)

    def ahead(self, wanted: list[int]) -> int | None:
        """Does the next examination; returns the number of its frame."""
        examination = self.examiner.next(wanted)
        if examination is None:
            return None
        self.examiner.keep_examined([examination()])
        return examination.index

    def pending(self, selected: list[int], *, begun: int | None = None) -> list[int]:
        examinations = self.examiner.pending(selected, begun=begun)
        self.examiner.keep_examined(examination() for examination in examinations)
        return [examination.index for examination in examinations]

    @property
    def known(self) -> list[int]:
        return [examined.frame_index for examined in self.examiner.examined]


def test_the_wanted_come_first_and_none_twice() -> None:
    setting = _Setting()
    assert [setting.ahead(wanted) for wanted in ([3, 1], [3, 1], [3, 1], [1, 0])] == [3, 1, None, 0]
    assert setting.known == [0, 1, 3]


def test_a_started_examination_is_not_started_again() -> None:
    setting = _Setting()
    assert setting.pending([0, 4], begun=4) == [0]


def test_a_frame_that_was_replaced_meanwhile_counts_no_more() -> None:
    setting = _Setting()
    assert [setting.ahead([1]), setting.ahead([2])] == [1, 2]
    del setting.kept[1]
    assert setting.pending([0, 2]) == [0]
    assert setting.known == [0, 2]


def test_so_many_frames_have_cues_and_no_replaced_one_takes_a_place() -> None:
    setting = _Setting()
    setting.ahead([0])
    del setting.kept[0]
    setting.pending([1, 2, 3, 4])
    assert sum(examined.cues is not None for examined in setting.examiner.examined) == CUE_FRAMES


def test_only_a_frame_with_a_detection_can_be_examined() -> None:
    setting = _Setting()
    object.__setattr__(setting.kept[2], "pixels", None)
    with pytest.raises(ValueError, match="only a frame with a face"):
        setting.ahead([2])


def test_no_more_than_eight_frames_are_identified() -> None:
    setting = _Setting(frames=11)
    looks = [(seen.frame, seen.observation) for seen in setting.kept.values()]
    witnesses = [identify() for identify in setting.examiner.identifications(looks)]
    assert [examined.frame_index for examined in witnesses] == list(range(8))
    assert all(examined.cues is None for examined in witnesses)
    assert not setting.known


def test_no_examination_or_identification_runs_a_network() -> None:
    setting = _Setting()
    setting.ahead([3])
    setting.pending([0, 4])
    looks = [(seen.frame, seen.observation) for seen in setting.kept.values()]
    assert [identify() for identify in setting.examiner.identifications(looks)]
    assert setting.known == [0, 3, 4]
    assert setting.network.asked == 0
