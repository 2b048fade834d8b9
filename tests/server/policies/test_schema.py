import copy
import json
from importlib.resources import files
from typing import Any

import pytest
from pydantic import ValidationError

from device_integrity.camera import Platform
from device_integrity.check import Assurance
from device_integrity.policy import DECISIVE_NAMES, DEFAULT_DEMANDS, Demand, Evidence
from liveness import ChallengeKind
from liveness.policy import EVIDENCE_FLOOR, CaptureKind, CaptureLimits, LivenessPolicy
from matcher.comparison import MatchPolicy
from matcher.conformance.interface import Component
from matcher.conformance.requirement import IntakeCode, Profile, Rule, Severity, profile_rules
from matcher.portrait_report import Representations
from server.domain.terms import Mode
from server.policies import load_policies
from server.policies.schema import Policy, liveness_policy, render_schema

_EXPRESS: dict[str, Any] = {
    "name": "mine",
    "version": 1,
    "description": "A policy.",
    "mode": "EXPRESS",
    "match": {"max_fmr": 0.01},
}
_DYNAMIC = {**_EXPRESS, "mode": "DYNAMIC", "challenge": {"required_bits": 12.0}}
_DOUBT: dict[str, Any] = {**_EXPRESS, "doubt": {}}


def changed(base: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    table = copy.deepcopy(base)
    *path, last = key.split(".")
    inner = table
    for part in path:
        inner = inner.setdefault(part, {})
    inner[last] = value
    return table


def test_the_required_fields_of_a_policy_suffice() -> None:
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
        (_DYNAMIC, "doubt", {}),
        (_DOUBT, "doubt.order", []),
        (_DOUBT, "doubt.order", ["flash", "flash"]),
        (_DOUBT, "doubt.order", ["blink"]),
        (_DOUBT, "doubt.order", "flash"),
        (_DOUBT, "doubt.at_start", 1),
        (_DOUBT, "doubt.flash.required_bits", 9.9),
        (_DOUBT, "doubt.flash.live_threshold", 69.9),
        (_DOUBT, "doubt.movement.live_threshold", 69.9),
        (_DOUBT, "doubt.gestures.live_threshold", 69.9),
        (_DOUBT, "liveness.live_threshold", 70.1),
        (_DOUBT, "challenge.raised.required_bits", 13.0),
        (_DOUBT, "doubt.flash.blink", False),
        (_DOUBT, "doubt.flash.depth", False),
        (_DOUBT, "challenge.raised.open_mouth", True),
        (_DOUBT, "doubt.movement.blink", "yes"),
        (_DOUBT, "challenge.flash_allowed", False),
        (_DOUBT, "deadlines.attempt_seconds", 21),
        (_EXPRESS, "challenge.required_bits", 9.9),
        (_DYNAMIC, "challenge.required_bits", 0.0),
        (_DYNAMIC, "challenge.required_bits", 20.1),
        (_DYNAMIC, "challenge.flash_allowed", False),
        (_EXPRESS, "challenge.open_mouth", "yes"),
        (_EXPRESS, "challenge.turn_head", "left"),
        (_EXPRESS, "challenge.raised.required_bits", 9.9),
        (_EXPRESS, "challenge.raised.flash_allowed", True),
        (_DYNAMIC, "deadlines.idle_seconds", 2),
        (_DYNAMIC, "deadlines.attempt_seconds", 14),
        (_DOUBT, "deadlines.idle_seconds", 2),
        (_EXPRESS, "device.minimum_assurance", "SOME"),
        (_EXPRESS, "device.minimum_assurance", {"web": "LOW"}),
        (_EXPRESS, "device.minimum_assurance", {"default": "MEDIUM", "web": "SOME"}),
        (_EXPRESS, "device.minimum_assurance", {"default": "MEDIUM", "windows": "LOW"}),
        (_EXPRESS, "device.demands.android", {"android_key": "maybe"}),
        (_EXPRESS, "device.demands.windows", {"web_key": "required"}),
        (_EXPRESS, "device.tolerate", "memory.frames"),
        (_EXPRESS, "device.tolerate", ["stream.duplicates"]),
        (_EXPRESS, "device.tolerate", ["memory.frames", ["camera.name"]]),
        (_EXPRESS, "attempts.maximum", 0),
        (_EXPRESS, "attempts.maximum", 2.0),
        (_EXPRESS, "deadlines.scan_seconds", 20),
        (_EXPRESS, "deadlines.result_seconds", 179),
        (_EXPRESS, "deadlines.idle_seconds", 0),
        (_EXPRESS, "portrait.max_bytes", 2_000_001),
        (_EXPRESS, "portrait.max_pixels", 80_000_001),
        (_EXPRESS, "portrait.profile", "FACEGATE"),
        (_EXPRESS, "portrait.representations", "all"),
        (_EXPRESS, "portrait.requirements.nose", {"minimum": 1.0}),
        (_EXPRESS, "portrait.requirements.sharpness.severity", "HARD"),
        (_EXPRESS, "portrait.requirements.sharpness.minimum_score", 101),
        (_EXPRESS, "portrait.requirements.sharpness.least", 1),
        (_EXPRESS, "portrait.requirements.sharpness.minimum", float("nan")),
        (_EXPRESS, "portrait.requirements.head_pose_yaw.minimum", 6.0),
        (_EXPRESS, "portrait.requirements.face_count.severity", "ignored"),
        (_EXPRESS, "portrait.requirements.declared_size.maximum", 1.0),
        (_EXPRESS, "disclosure.app", "everything"),
        (_EXPRESS, "retention.audit_images", 5),
        (_EXPRESS, "retention.evidence_seconds", -1),
        (_EXPRESS, "retention.images_seconds", -1),
        (_EXPRESS, "retention.images_seconds", 30 * 86_400 + 1),
        (_EXPRESS, "retention.portrait", "thumbnail"),
    ],
)
def test_anything_out_of_its_range_is_refused(base: dict[str, Any], key: str, value: Any) -> None:
    Policy.model_validate(base)
    with pytest.raises(ValidationError):
        Policy.model_validate(changed(base, key, value))


def test_decisive_checks_are_tolerated_by_name() -> None:
    assert Policy.model_validate(_EXPRESS).device.tolerate == ()
    named = changed(_EXPRESS, "device.tolerate", ["memory.frames", "camera.name"])
    assert Policy.model_validate(named).device.tolerate == ("memory.frames", "camera.name")
    with pytest.raises(ValidationError) as caught:
        Policy.model_validate(changed(_EXPRESS, "device.tolerate", ["memory.frame"]))
    assert all(name in str(caught.value) for name in DECISIVE_NAMES)


def test_a_policy_may_begin_with_more_than_it_demands() -> None:
    begins = Policy.model_validate(changed(_DOUBT, "doubt.at_start", True))
    assert (begins.mode, begins.first_mode) == ("EXPRESS", "DYNAMIC")
    for base in (_EXPRESS, _DOUBT, changed(_DOUBT, "doubt", {"order": ["gestures"], "at_start": True})):
        assert Policy.model_validate(base).first_mode == "EXPRESS"
    with pytest.raises(ValidationError, match="flash_allowed is false"):
        Policy.model_validate(changed(_DOUBT, "challenge.flash_allowed", False))


def test_a_policy_without_the_table_has_no_challenge_for_doubt() -> None:
    assert Policy.model_validate(_EXPRESS).doubt is None
    plain = Policy.model_validate(_EXPRESS)
    for challenge in ChallengeKind:
        assert plain.challenge_for(Mode.EXPRESS, challenge) == plain.challenge


def test_doubt_asks_what_its_challenge_and_the_policy_demand() -> None:
    own = {"required_bits": 16.0, "open_mouth": True}
    policy = Policy.model_validate({**_DOUBT, "challenge": own, "doubt": {"movement": {"turn_head": True}}})
    flash, movement, gestures = (policy.challenge_for(Mode.EXPRESS, each) for each in ChallengeKind)
    assert (flash.required_bits, flash.blink, flash.depth, flash.gestures) == (16, True, True, 1)
    assert (movement.blink, movement.open_mouth, movement.turn_head) == (True, True, True)
    assert (gestures.open_mouth, gestures.turn_head) == (True, True)
    assert policy.challenge_for(Mode.EXPRESS) == policy.challenge


def test_a_check_that_demands_the_flash_anyway_has_no_other_challenge() -> None:
    policy = Policy.model_validate(_DOUBT)
    assert policy.answers_doubt(Mode.EXPRESS) == policy.doubt
    assert policy.answers_doubt(Mode.DYNAMIC) is None


def test_the_challenge_of_a_raised_mode_is_never_less_than_the_policys_own() -> None:
    plain = Policy.model_validate(_EXPRESS)
    raised = plain.challenge_for(Mode.DYNAMIC)
    assert (raised.required_bits, raised.blink, raised.depth) == (12, True, True)
    assert plain.challenge_for(Mode.EXPRESS) == plain.challenge
    own = {"required_bits": 16.0, "depth": True, "raised": {"blink": False, "depth": False}}
    raised = Policy.model_validate({**_EXPRESS, "challenge": own}).challenge_for(Mode.DYNAMIC)
    assert (raised.required_bits, raised.blink, raised.depth) == (16, False, True)


@pytest.mark.parametrize("requested", Mode)
@pytest.mark.parametrize("gesture", ["open_mouth", "turn_head"])
def test_a_gesture_is_asked_for_in_every_mode_if_the_policy_demands_it(requested: Mode, gesture: str) -> None:
    plain = Policy.model_validate(_EXPRESS).challenge_for(requested)
    assert (plain.gestures, plain.gesture_seconds) == (0, 0)
    demanding = Policy.model_validate(changed(_EXPRESS, f"challenge.{gesture}", True))
    asked = demanding.challenge_for(requested)
    assert (getattr(asked, gesture), asked.gestures, asked.gesture_seconds) == (True, 1, 5)
    raised = Policy.model_validate(changed(_EXPRESS, f"challenge.raised.{gesture}", True))
    assert getattr(raised.challenge_for(requested), gesture) is (requested is Mode.DYNAMIC)


def test_a_mode_that_is_already_demanded_is_not_raised() -> None:
    for base, requested in ((_DYNAMIC, Mode.DYNAMIC), (_DOUBT, Mode.EXPRESS)):
        policy = Policy.model_validate(base)
        assert policy.challenge_for(requested) == policy.challenge


@pytest.mark.parametrize(("key", "least"), [("idle_seconds", 3), ("attempt_seconds", 15)])
def test_deadlines_too_short_for_a_flash_are_refused(key: str, least: int) -> None:
    assert Policy.model_validate(changed(_EXPRESS, f"deadlines.{key}", least)).why_no_flash is None
    short = Policy.model_validate(changed(_EXPRESS, f"deadlines.{key}", least - 1))
    assert short.why_no_flash == f"deadlines.{key} is {least - 1}, and a flash takes {least} or more"


@pytest.mark.parametrize("table", ["challenge", "challenge.raised"])
@pytest.mark.parametrize("gestures", [["open_mouth"], ["turn_head"], ["open_mouth", "turn_head"]])
def test_an_attempt_with_a_flash_and_gestures_needs_more_time(table: str, gestures: list[str]) -> None:
    asking, least = _EXPRESS, 13 + 7 * len(gestures)
    for gesture in gestures:
        asking = changed(asking, f"{table}.{gesture}", True)
    assert Policy.model_validate(changed(asking, "deadlines.attempt_seconds", least)).why_no_flash is None
    short = changed(asking, "deadlines.attempt_seconds", max(least - 1, 8 + 7 * len(gestures)))
    assert Policy.model_validate(short).why_no_flash


@pytest.mark.parametrize("gestures", [["open_mouth"], ["turn_head"], ["open_mouth", "turn_head"]])
def test_an_express_attempt_with_gestures_needs_more_time(gestures: list[str]) -> None:
    asking, least = _EXPRESS, 8 + 7 * len(gestures)
    for gesture in gestures:
        asking = changed(asking, f"challenge.{gesture}", True)
    assert Policy.model_validate(changed(asking, "deadlines.attempt_seconds", least)).challenge.gestures
    with pytest.raises(ValidationError, match=r"deadlines\.attempt_seconds"):
        Policy.model_validate(changed(asking, "deadlines.attempt_seconds", least - 1))


def test_the_json_schema_in_the_package_is_the_models() -> None:
    """Made by: python -m docs.make_reference."""
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
        evidence=liveness.evidence.as_limits(),
    )
    MatchPolicy(max_fmr=policy.match.max_fmr)
    policy.portrait.as_policy()


def test_the_matcher_gets_the_portrait_table() -> None:
    table = changed(
        _EXPRESS,
        "portrait",
        {
            "min_eye_distance": 100.0,
            "max_bytes": 500_000,
            "representations": "first",
            "profile": "iso_full_frontal",
            "requirements": {
                "head_pose_yaw": {"minimum": -10, "maximum": 10.0, "severity": "advisory"},
                "sharpness": {"severity": "hard", "minimum_score": 60},
                "natural_colour": {"severity": "ignored"},
            },
        },
    )
    built = Policy.model_validate(table).portrait.as_policy()
    assert (built.max_bytes, built.representations) == (500_000, Representations.FIRST)
    assert built.rules[Component.INTER_EYE_DISTANCE].minimum == 100
    assert built.rules[Component.HEAD_POSE_YAW] == Rule(severity=Severity.ADVISORY, minimum=-10, maximum=10)
    assert built.rules[Component.SHARPNESS] == Rule(severity=Severity.HARD, minimum_score=60)
    assert built.rules[Component.NATURAL_COLOUR].severity is Severity.IGNORED
    # Fields that are not named keep the profile's values.
    assert built.rules[Component.HEAD_SIZE] == profile_rules(Profile.ISO_FULL_FRONTAL)[Component.HEAD_SIZE]


def test_an_unknown_name_is_answered_with_the_known_names() -> None:
    with pytest.raises(ValidationError, match=r"'nose'; there are unified_quality_score, .*declared_pose"):
        Policy.model_validate(changed(_EXPRESS, "portrait.requirements.nose", {"minimum": 1.0}))


def test_the_json_schema_knows_the_requirements_names() -> None:
    schema = json.loads(render_schema())
    names = schema["$defs"]["PortraitRules"]["properties"]["requirements"]["propertyNames"]["enum"]
    assert names == [*Component, *IntakeCode]


def test_without_demands_every_platform_is_taken_and_no_attestation_asked_for() -> None:
    table = Policy.model_validate(_EXPRESS).device.as_table()
    assert set(table.rows) == set(Platform)
    assert table.demand_for(Platform.ANDROID, Evidence.ANDROID_KEY) is Demand.IGNORED
    assert table.demand_for(Platform.ANDROID, Evidence.STREAM) is Demand.ADVISORY
    asking = Policy.model_validate(changed(_EXPRESS, "device.minimum_assurance", "MEDIUM")).device.as_table()
    assert asking.demand_for(Platform.ANDROID, Evidence.ANDROID_KEY) is Demand.ADVISORY


def test_the_floor_of_pages_leaves_that_of_phones_alone() -> None:
    floors = {"default": "MEDIUM", "web": "NONE", "ios": "HIGH"}
    table = Policy.model_validate(changed(_EXPRESS, "device.minimum_assurance", floors)).device.as_table()
    assert {platform: table.least(platform) for platform in Platform} == {
        **dict.fromkeys(Platform, Assurance.MEDIUM),
        Platform.WEB: Assurance.NONE,
        Platform.IOS: Assurance.HIGH,
    }
    # Nothing is demanded by name: without a demanded assurance no evidence is demanded either.
    assert table.demand_for(Platform.WEB, Evidence.WEB_KEY) is Demand.IGNORED
    assert table.demand_for(Platform.ANDROID, Evidence.ANDROID_KEY) is Demand.ADVISORY
    one = Policy.model_validate(changed(_EXPRESS, "device.minimum_assurance", "LOW")).device.as_table()
    assert {one.least(platform) for platform in Platform} == {Assurance.LOW}


def test_platforms_without_a_table_are_refused_where_one_is_named() -> None:
    demands = {"android": {"android_key": "required", "web_key": "ignored"}}
    table = Policy.model_validate(changed(_EXPRESS, "device.demands", demands)).device.as_table()
    assert table.allows(Platform.ANDROID)
    assert not any(table.allows(one) for one in Platform if one is not Platform.ANDROID)
    assert table.demand_for(Platform.ANDROID, Evidence.ANDROID_KEY) is Demand.REQUIRED
    assert table.demand_for(Platform.ANDROID, Evidence.WEB_KEY) is Demand.IGNORED
    assert table.demand_for(Platform.ANDROID, Evidence.PLAY_INTEGRITY) is Demand.ADVISORY


def test_the_policy_high_has_the_demands_that_device_integrity_advises() -> None:
    table = load_policies().get("high").policy.device.as_table()
    assert set(table.rows) == set(DEFAULT_DEMANDS.rows)
    for platform in DEFAULT_DEMANDS.rows:
        for evidence in Evidence:
            assert table.demand_for(platform, evidence) is DEFAULT_DEMANDS.demand_for(platform, evidence)


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
