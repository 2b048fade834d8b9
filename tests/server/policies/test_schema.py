import copy
import json
from importlib.resources import files
from typing import Any

import pytest
from pydantic import ValidationError

from liveness.policy import LivenessPolicy
from matcher.comparison import MatchPolicy
from matcher.portrait_report import PortraitPolicy
from server.policies.json_schema import render_schema
from server.policies.schema import Policy

_EXPRESS: dict[str, Any] = {
    "name": "mine",
    "version": 1,
    "description": "A policy.",
    "mode": "EXPRESS",
    "match": {"max_fmr": 0.01},
}
_DYNAMIC = {**_EXPRESS, "mode": "DYNAMIC", "challenge": {"required_bits": 12.0}}


def changed(base: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    table = copy.deepcopy(base)
    *path, last = key.split(".")
    inner = table
    for part in path:
        inner = inner.setdefault(part, {})
    inner[last] = value
    return table


def test_what_a_policy_must_say_is_enough() -> None:
    policy = Policy.model_validate(_EXPRESS)
    assert policy.deadlines.scan_seconds == 180
    assert policy.deadlines.result_seconds == 86_400
    assert policy.portrait.min_eye_distance == 85
    Policy.model_validate(_DYNAMIC)


@pytest.mark.parametrize(
    ("base", "key", "value"),
    [
        (_EXPRESS, "nothing", 1),
        (_EXPRESS, "match.nothing", 1),
        (_EXPRESS, "name", "Mine"),
        (_EXPRESS, "name", "../mine"),
        (_EXPRESS, "name", ""),
        (_EXPRESS, "version", 0),
        (_EXPRESS, "version", "1"),
        (_EXPRESS, "version", True),
        (_EXPRESS, "mode", "FAST"),
        (_EXPRESS, "mode", "express"),
        (_EXPRESS, "match.max_fmr", 0.0),
        (_EXPRESS, "match.max_fmr", 1.0),
        (_EXPRESS, "match.max_fmr", float("nan")),
        (_EXPRESS, "liveness.live_threshold", 101.0),
        (_EXPRESS, "liveness.spoof_threshold", 70.0),
        (_EXPRESS, "liveness.live_threshold", 30.0),
        (_EXPRESS, "liveness.minimum_frames", 1),
        (_EXPRESS, "liveness.require_pad_network", "yes"),
        (_EXPRESS, "fallback", "express"),
        (_EXPRESS, "challenge.required_bits", 1.0),
        (_DYNAMIC, "challenge.required_bits", 0.0),
        (_DYNAMIC, "fallback", "anything"),
        (_EXPRESS, "device.minimum_assurance", "SOME"),
        (_EXPRESS, "device.attestation.android", "maybe"),
        (_EXPRESS, "device.attestation.windows", "required"),
        (_EXPRESS, "attempts.maximum", 0),
        (_EXPRESS, "attempts.maximum", 2.0),
        (_EXPRESS, "deadlines.scan_seconds", 20),
        (_EXPRESS, "deadlines.result_seconds", 179),
        (_EXPRESS, "deadlines.idle_seconds", 0),
        (_EXPRESS, "portrait.max_bytes", 2_000_001),
        (_EXPRESS, "disclosure.app", "everything"),
        (_EXPRESS, "retention.audit_images", 5),
        (_EXPRESS, "retention.evidence_seconds", -1),
    ],
)
def test_anything_out_of_its_range_is_refused(base: dict[str, Any], key: str, value: Any) -> None:
    Policy.model_validate(base)
    with pytest.raises(ValidationError):
        Policy.model_validate(changed(base, key, value))


def test_the_json_schema_in_the_package_is_the_models() -> None:
    """Made by: facegate policy schema > server/policies/policy.schema.json."""
    packaged = (files("server.policies") / "policy.schema.json").read_text(encoding="utf-8")
    assert packaged == render_schema()
    assert json.loads(packaged)["additionalProperties"] is False


@pytest.mark.parametrize("base", [_EXPRESS, _DYNAMIC])
def test_the_rooms_accept_every_threshold_that_the_schema_accepts(base: dict[str, Any]) -> None:
    policy = Policy.model_validate(
        changed(changed(base, "liveness.spoof_threshold", 0.0), "liveness.live_threshold", 100.0)
    )
    liveness = policy.liveness
    LivenessPolicy(
        live_threshold=liveness.live_threshold,
        spoof_threshold=liveness.spoof_threshold,
        require_pad_network=liveness.require_pad_network,
        minimum_frames=liveness.minimum_frames,
    )
    MatchPolicy(max_fmr=policy.match.max_fmr)
    PortraitPolicy(
        max_bytes=policy.portrait.max_bytes,
        max_pixels=policy.portrait.max_pixels,
        min_eye_distance=policy.portrait.min_eye_distance,
    )
