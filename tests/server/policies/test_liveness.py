"""The settings of a policy that reach liveness."""

import pytest
from pydantic import ValidationError

from liveness.policy import EVIDENCE_FLOOR, CaptureKind, CaptureLimits
from server.policies import Policy, load_policies
from server.policies.liveness import liveness_policy


@pytest.mark.parametrize("name", ["low", "standard", "high"])
def test_a_check_is_always_judged_as_a_scan(name: str) -> None:
    assert liveness_policy(load_policies().get(name).policy).capture is CaptureKind.SCAN


def test_liveness_applies_the_policy_of_the_check() -> None:
    policy = load_policies().get("high").policy
    applied = liveness_policy(policy)
    assert applied.live_threshold == policy.liveness.live_threshold == 80.0
    assert applied.spoof_threshold == policy.liveness.spoof_threshold == 40.0
    assert applied.require_pad_network is policy.liveness.require_pad_network is True
    assert applied.minimum_frames == policy.liveness.minimum_frames
    assert applied.evidence == EVIDENCE_FLOOR


def test_liveness_applies_the_demands_on_the_evidence_frame() -> None:
    changed = load_policies().get("standard").policy.model_dump(mode="json")
    changed["liveness"]["evidence"] = {"min_face_width": 120.0, "max_luminance": 200.0}
    applied = liveness_policy(Policy.model_validate(changed)).evidence
    assert applied == CaptureLimits(
        min_face_width=120.0, min_sharpness=10.0, min_luminance=40.0, max_luminance=200.0
    )


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("min_face_width", -1.0),
        ("min_face_width", 501.0),
        ("min_sharpness", -0.1),
        ("min_luminance", 121.0),
        ("max_luminance", 129.0),
        ("max_luminance", 256.0),
        ("max_face_width", 400.0),
    ],
)
def test_demands_on_the_evidence_frame_that_make_no_sense_are_refused(name: str, wrong: float) -> None:
    changed = load_policies().get("standard").policy.model_dump(mode="json")
    changed["liveness"]["evidence"] = {name: wrong}
    with pytest.raises(ValidationError, match=name):
        Policy.model_validate(changed)
