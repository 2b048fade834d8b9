"""The calls of the expensive models on an attempt's frames, and the answers that are kept."""

from dataclasses import replace

import pytest

from attempt.analyst import FrameAnalyst, SeenFrame
from attempt.examiner import FrameExaminer
from attempt.frame import FrameLimits
from liveness.selection import CUE_FRAMES
from matcher.persons import SCAN_SUBJECT
from tests.attempt.frames import frame_of
from tests.attempt.networks import CountingNetwork
from tests.server.live import pictures
from tests.server.models_once import remembering_pack


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
        self.examiner.add([examination()])
        return examination.index

    def pending(self, selected: list[int], *, begun: int | None = None) -> list[int]:
        examinations = self.examiner.pending(selected, begun=begun)
        self.examiner.add(examination() for examination in examinations)
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
