"""The feedback and the count of a capture whose frames show a covered face."""

import pytest

from attempt.judgement import _ADVICE
from attempt.placement import FEEDBACK_CODES, CapturePlan, Placement
from liveness.doubt import _COVERED_BY
from liveness.guidance import GuidanceCode, GuidanceSettings, Oval
from liveness.occlusion import Cover
from tests.liveness.builders import observation

_COVERS = [cover for cover in Cover if cover is not Cover.NOTHING]


@pytest.mark.parametrize("cover", _COVERS)
def test_a_covered_face_is_reported_and_its_frames_count(cover: Cover) -> None:
    placement = Placement(plan=CapturePlan(frames=8, seconds=0.2), oval=Oval(), settings=GuidanceSettings())
    codes = [placement.place_frame(observation(i, cover=cover), turned=False).code for i in range(12)]
    assert placement.captured
    assert placement.hints == ()
    assert codes[-1] not in (None, GuidanceCode.OK)


@pytest.mark.parametrize("cover", _COVERS)
def test_the_hint_of_a_scan_and_the_advice_after_it_are_one_code(cover: Cover) -> None:
    reason = _COVERED_BY[cover]
    assert _ADVICE[reason] == FEEDBACK_CODES[GuidanceCode(reason.value)] == reason.value
