import math
from dataclasses import replace

import pytest

from liveness.errors import LivenessError, LivenessPolicyError
from liveness.policy import EVIDENCE_FLOOR, LivenessPolicy


@pytest.mark.parametrize(
    "wrong",
    [
        {"live_threshold": 30.0, "spoof_threshold": 30.0},
        {"live_threshold": 101.0},
        {"spoof_threshold": -1.0},
        {"minimum_frames": 1},
        {"minimum_seconds": 0.0},
        {"minimum_eyes_open": 1.5},
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(LivenessPolicyError) as refused:
        LivenessPolicy(**wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert isinstance(refused.value, LivenessError)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_face_width": -1.0},
        {"max_face_width": 60.0},
        {"min_sharpness": math.nan},
        {"max_sharpness": 9.0},
        {"min_luminance": 220.0},
        {"max_luminance": math.nan},
    ],
)
def test_limits_of_a_capture_that_contradict_each_other_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(LivenessPolicyError):
        replace(EVIDENCE_FLOOR, **wrong)


def test_the_default_leaves_room_for_doubt() -> None:
    policy = LivenessPolicy()
    assert policy.spoof_threshold < policy.live_threshold
