import pytest

from liveness.errors import LivenessError, LivenessPolicyError
from liveness.policy import LivenessPolicy


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


def test_the_default_leaves_room_for_doubt() -> None:
    policy = LivenessPolicy()
    assert policy.spoof_threshold < policy.live_threshold
