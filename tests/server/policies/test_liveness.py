"""The settings of a policy that reach liveness."""

import pytest

from liveness.policy import CaptureKind
from server.policies import load_policies
from server.policies.liveness import liveness_policy


@pytest.mark.parametrize("name", ["low", "standard", "high"])
def test_a_check_is_always_judged_as_a_scan(name: str) -> None:
    assert liveness_policy(load_policies().get(name).policy).capture is CaptureKind.SCAN


def test_the_checks_policy_is_what_liveness_applies() -> None:
    policy = load_policies().get("high").policy
    applied = liveness_policy(policy)
    assert applied.live_threshold == policy.liveness.live_threshold == 80.0
    assert applied.spoof_threshold == policy.liveness.spoof_threshold == 40.0
    assert applied.require_pad_network is policy.liveness.require_pad_network is True
    assert applied.minimum_frames == policy.liveness.minimum_frames
