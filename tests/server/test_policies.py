"""Policies: their files and their rules."""

import copy
import hashlib
import json
import re
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from annotated_types import Le
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from device_integrity.camera import Platform
from device_integrity.device_test import Assurance
from device_integrity.policy import Demand, Evidence
from liveness import ChallengeKind
from liveness.dynamic import DynamicPolicy
from liveness.errors import LivenessPolicyError
from liveness.policy import EVIDENCE_FLOOR, CaptureKind, CaptureLimits, LivenessPolicy
from matcher.comparison import MatchPolicy
from matcher.conformance.interface import Component
from matcher.conformance.requirement import Profile, Rule, Severity, profile_rules
from matcher.records import Representations
from server.domain.terms import Mode
from server.policies import load_policies, parse_policy, read_policy
from server.policies.loading import PolicyInvalid, PolicyNotFound
from server.policies.schema import (
    AttemptRules,
    ConsentReference,
    DeadlineRules,
    Policy,
    liveness_policy,
    render_schema,
)
from tests.device_integrity.policy.checks import DEFAULT_DEMANDS
from vision.packs.calibration import parse_calibration

_MINE = b"""
name = "mine"
version = 7
description = "The operator's."
mode = "EXPRESS"

[match]
max_fmr = 0.005
"""


def test_the_shipped_policies() -> None:
    book = load_policies()
    assert book.names == ("adaptive", "dynamic", "evaluation", "high", "low", "no-flash", "standard")
    low, standard, high = (book.get(name).policy for name in ("low", "standard", "high"))
    assert (low.mode, standard.mode, high.mode) == (Mode.EXPRESS, Mode.EXPRESS, Mode.DYNAMIC)
    assert low.match.max_fmr > standard.match.max_fmr > high.match.max_fmr
    assert low.liveness.live_threshold < standard.liveness.live_threshold < high.liveness.live_threshold
    assert high.device.minimum_assurance is Assurance.MEDIUM
    floors = [policy.challenge_for(Mode.DYNAMIC).required_bits for policy in (low, standard, high)]
    assert floors == [12, 12, 16]


def test_a_shipped_policy_begins_with_the_flash_and_one_never_flashes() -> None:
    book = load_policies()
    adaptive, no_flash = book.get("adaptive").policy, book.get("no-flash").policy
    assert adaptive.mode is Mode.EXPRESS
    assert adaptive.doubt is not None
    assert (adaptive.doubt.at_start, adaptive.doubt.order[0]) == (True, ChallengeKind.FLASH)
    assert not no_flash.challenge.flash_allowed
    assert no_flash.doubt is not None
    assert ChallengeKind.FLASH not in no_flash.doubt.order


@pytest.mark.parametrize("name", ["standard", "low", "adaptive"])
def test_doubt_demands_no_less_than_a_raised_mode(name: str) -> None:
    policy = load_policies().get(name).policy
    asked, raised = (
        policy.challenge_for(Mode.EXPRESS, ChallengeKind.FLASH),
        policy.challenge_for(Mode.DYNAMIC),
    )
    assert asked == raised
    assert policy.doubt is not None
    assert policy.doubt.order == tuple(ChallengeKind)
    for challenge in ChallengeKind:
        assert policy.doubt.live_threshold(challenge) >= policy.liveness.live_threshold


@pytest.mark.parametrize(
    ("order", "raised", "less"),
    [
        (
            ["flash", "movement"],
            {"open_mouth": True},
            "doubt.flash demands less than challenge.raised (open_mouth)",
        ),
        (["movement"], {"open_mouth": True, "turn_head": True}, "challenge.raised (open_mouth, turn_head)"),
        (
            ["movement", "gestures"],
            {"blink": True},
            "doubt.movement demands less than challenge.raised (blink)",
        ),
        (["gestures"], {"blink": True, "depth": True, "open_mouth": True, "turn_head": True}, None),
    ],
)
def test_no_challenge_that_follows_doubt_demands_less_than_a_raised_mode_as_far_as_it_can(
    order: list[str], raised: dict[str, bool], less: str | None
) -> None:
    named = {"challenge": {"raised": {"blink": False, "depth": False, **raised}}}
    table = {**_EXPRESS, **named, "doubt": {"order": order, "movement": {"blink": False}}}
    if less is None:
        Policy.model_validate(table)
        return
    with pytest.raises(ValidationError, match=re.escape(less)):
        Policy.model_validate(table)
    # Where no mode can be raised, a challenge has no raised mode to equal.
    Policy.model_validate(
        changed(changed(table, "challenge.flash_allowed", False), "doubt.order", ["movement"])
    )


@pytest.mark.parametrize("name", ["standard", "low", "adaptive", "no-flash"])
def test_the_scans_deadline_covers_the_attempt_that_doubt_allows(name: str) -> None:
    policy = load_policies().get(name).policy
    longest = (policy.attempts.maximum + 1) * policy.deadlines.attempt_seconds
    assert policy.deadlines.scan_seconds >= longest


@pytest.mark.parametrize("name", ["standard", "low", "adaptive", "no-flash"])
def test_what_resolves_doubt_stops_a_rigid_mask(name: str) -> None:
    policy = load_policies().get(name).policy
    assert policy.doubt is not None
    for challenge in policy.doubt.order:
        demands = policy.challenge_for(policy.mode, challenge)
        assert demands.blink or demands.open_mouth


def test_shipped_policies_serve_people_who_cannot_blink_turn_or_see_flashes() -> None:
    book = load_policies()
    standard, no_flash, adaptive = (book.get(name).policy for name in ("standard", "no-flash", "adaptive"))
    for policy in (standard, no_flash, adaptive):
        challenge = policy.challenge_for(policy.mode)
        assert not challenge.blink
        assert not challenge.depth
    for name in ("dynamic", "high"):
        assert book.get(name).policy.challenge.blink


_OF_DECISIONS = ("adaptive", "dynamic", "low", "no-flash", "standard")


@pytest.mark.parametrize(
    ("calibration", "supported"),
    [
        ("mobilefacenet_foamliu_yunet", {*_OF_DECISIONS, "high"}),
        ("mobilefacenet_foamliu_mesh", {*_OF_DECISIONS, "high"}),
        ("mobilefacenet_foamliu_scrfd", set(_OF_DECISIONS)),
        ("edgeface_xs_gamma_06_yunet", {*_OF_DECISIONS, "high"}),
        ("edgeface_xs_q_yunet", {*_OF_DECISIONS, "high"}),
        ("edgeface_xs_q_scrfd", {*_OF_DECISIONS, "high"}),
        ("sface_2021dec", set(_OF_DECISIONS)),
        ("w600k_mbf", set(_OF_DECISIONS)),
        ("w600k_r50", set(_OF_DECISIONS)),
    ],
)
def test_which_shipped_policies_a_packaged_calibration_supports(
    calibration: str, supported: set[str]
) -> None:
    file = files("vision.packs") / "calibrations" / f"{calibration}.toml"
    read = parse_calibration(file.read_text(encoding="utf-8"), source=file.name)
    book = load_policies()
    found = {name for name in book.names if book.get(name).policy.match.max_fmr >= read.lowest_bound}
    assert found == supported | {"evaluation"}


def test_the_policy_for_trials_differs_from_the_default_only_in_the_match() -> None:
    book = load_policies()
    trial, standard = (book.get(name).policy.model_dump(mode="json") for name in ("evaluation", "standard"))
    differs = {key for key in trial if trial[key] != standard[key]}
    assert differs == {"name", "version", "description", "match", "doubt"}
    assert trial["doubt"] is None
    assert trial["match"]["max_fmr"] == 100 * standard["match"]["max_fmr"]


def test_a_policy_carries_the_hash_of_its_bytes() -> None:
    file = parse_policy(_MINE, origin="mine.toml")
    assert file.source == _MINE
    assert file.sha256 == hashlib.sha256(_MINE).digest()
    assert parse_policy(_MINE + b"# a comment\n", origin="x").sha256 != file.sha256


def test_an_unknown_policy_names_those_that_there_are() -> None:
    book = load_policies()
    with pytest.raises(PolicyNotFound) as caught:
        book.get("none")
    assert caught.value.known == book.names


def test_the_operators_folder_adds_and_replaces(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(_MINE)
    (tmp_path / "standard.toml").write_bytes(_MINE.replace(b'"mine"', b'"standard"'))
    (tmp_path / "notes.txt").write_text("no policy")
    book = load_policies(tmp_path)
    assert book.names == ("adaptive", "dynamic", "evaluation", "high", "low", "mine", "no-flash", "standard")
    assert book.get("standard").policy.version == 7


def test_only_the_served_policies_are_loaded(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(_MINE)
    assert load_policies(tmp_path, served=("standard", "mine")).names == ("mine", "standard")
    assert "low" in load_policies(tmp_path, served=()).names
    with pytest.raises(PolicyInvalid) as caught:
        load_policies(tmp_path, served=("standard", "hihg", "other"))
    first, second = caught.value.problems
    assert first.startswith("policies.served: no policy is named 'hihg'; there are adaptive, dynamic")
    assert "'other'" in second


def test_the_problems_of_all_files_are_listed_with_file_and_key(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(_MINE.replace(b"0.005", b"5"))
    (tmp_path / "b.toml").write_bytes(_MINE + b"[nothing]\nx = 1\n")
    (tmp_path / "c.toml").write_bytes(_MINE)
    (tmp_path / "d.toml").write_bytes(_MINE)
    (tmp_path / "e.toml").write_bytes(b"name = \n")
    (tmp_path / "f.toml").write_bytes(_MINE.replace(b"version = 7\n", b""))
    with pytest.raises(PolicyInvalid) as caught:
        load_policies(tmp_path)
    a, b, d, e, f = caught.value.problems
    assert a.startswith(f"{tmp_path / 'a.toml'}: match.max_fmr: ")
    assert b.endswith("b.toml: nothing: there is no such key")
    assert d.endswith("d.toml: name: 'mine' is also the name in c.toml")
    assert "e.toml: not TOML: " in e
    assert "line 1" in e
    assert f.endswith("f.toml: version: is missing")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="not a folder"):
        load_policies(tmp_path / "none")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyInvalid, match="cannot be read"):
        read_policy(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"\xff\xfe", "UTF-16"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"#" * 65_537, "at most 65536"),
        (b"a = " + b"[" * 20_000, "not TOML"),
        (b"", "name: is missing"),
    ],
)
@pytest.mark.usefixtures("without_collection")
def test_hostile_bytes_are_refused(source: bytes, said: str) -> None:
    with pytest.raises(PolicyInvalid, match=said):
        parse_policy(source, origin="x.toml")


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(source: bytes) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        parse_policy(source, origin="x.toml")
    assert all(problem.startswith("x.toml: ") for problem in caught.value.problems)


@given(st.integers(0, len(_MINE)), st.binary(max_size=4))
def test_a_damaged_policy_is_read_or_refused(place: int, junk: bytes) -> None:
    damaged = _MINE[:place] + junk + _MINE[place:]
    source: bytes | None = None
    problems: tuple[str, ...] = ()
    try:
        source = parse_policy(damaged, origin="x.toml").source
    except PolicyInvalid as error:
        problems = error.problems
    assert source == damaged or problems


def test_problems_of_a_floor_are_reported_by_its_key() -> None:
    for table, problem in {
        '[device]\nminimum_assurance = "SOME"\n': "device.minimum_assurance: Input should be",
        '[device.minimum_assurance]\nweb = "LOW"\n': "device.minimum_assurance.default: is missing",
    }.items():
        with pytest.raises(PolicyInvalid, match=rf"x\.toml: {problem}"):
            parse_policy(_MINE + table.encode(), origin="x.toml")


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
        (_EXPRESS, "name", "../mine"),
        (_EXPRESS, "version", "1"),
        (_EXPRESS, "version", True),
        (_EXPRESS, "mode", "express"),
        (_EXPRESS, "match.max_fmr", 0.0),
        (_EXPRESS, "match.max_fmr", 1.0),
        (_EXPRESS, "match.max_fmr", float("nan")),
        (_EXPRESS, "liveness.spoof_threshold", 70.0),
        (_EXPRESS, "liveness.live_threshold", 30.0),
        (_EXPRESS, "liveness.require_pad_network", "yes"),
        (_DYNAMIC, "doubt", {}),
        (_DOUBT, "doubt.order", []),
        (_DOUBT, "doubt.order", ["flash", "flash"]),
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
        (_DYNAMIC, "challenge.required_bits", 0.0),
        (_DYNAMIC, "challenge.flash_allowed", False),
        (_DYNAMIC, "deadlines.idle_seconds", 2),
        (_DYNAMIC, "deadlines.attempt_seconds", 14),
        (_DOUBT, "deadlines.idle_seconds", 2),
        (_EXPRESS, "device.minimum_assurance", {"web": "LOW"}),
        (_EXPRESS, "device.minimum_assurance", {"default": "MEDIUM", "web": "SOME"}),
        (_EXPRESS, "device.tolerate", ["stream.duplicates"]),
        (_EXPRESS, "device.tolerate", ["memory.frames", ["camera.name"]]),
        (_EXPRESS, "attempts.maximum", 2.0),
        (_EXPRESS, "deadlines.scan_seconds", 20),
        (_EXPRESS, "deadlines.result_seconds", 179),
        (_EXPRESS, "portrait.requirements.nose", {"minimum": 1.0}),
        (_EXPRESS, "portrait.requirements.sharpness.minimum", float("nan")),
        (_EXPRESS, "portrait.requirements.head_pose_yaw.minimum", 6.0),
        (_EXPRESS, "portrait.requirements.face_count.severity", "ignored"),
        (_EXPRESS, "portrait.requirements.declared_size.maximum", 1.0),
        (_EXPRESS, "retention.images_seconds", 30 * 86_400 + 1),
        (_EXPRESS, "oid", "1"),
        (_EXPRESS, "oid", "3.1"),
        (_EXPRESS, "oid", "1.40.1"),
        (_EXPRESS, "oid", "0.100"),
        (_EXPRESS, "oid", "1.3.06"),
        (_EXPRESS, "oid", "1.3.6\n"),
        (_EXPRESS, "oid", "1.3" + ".4" * 63),
        (_EXPRESS, "oid", 1.3),
        (_EXPRESS, "device.sdks.facegate-web", {"minimum": "1.2rc1"}),
        (_EXPRESS, "device.sdks.facegate-web", {"minimum": 1.2}),
        (_EXPRESS, "device.sdks.facegate-web", {"next_minimum": "2"}),
        (_EXPRESS, "device.sdks.facegate-web", {"supported_until": date(2027, 3, 31)}),
        (
            _EXPRESS,
            "device.sdks.facegate-web",
            {"next_minimum": "2", "supported_until": "2027-03-31"},
        ),
        (
            _EXPRESS,
            "device.sdks.facegate-web",
            {"minimum": "2", "next_minimum": "2.0", "supported_until": date(2027, 3, 31)},
        ),
    ],
)
def test_anything_out_of_its_range_is_refused(base: dict[str, Any], key: str, value: Any) -> None:
    Policy.model_validate(base)
    with pytest.raises(ValidationError):
        Policy.model_validate(changed(base, key, value))


@pytest.mark.parametrize(
    "oid", ["0.0", "1.3.6.1.4.1.32473.1", "2.999", "2.25.329800735698586629295641978511506172918"]
)
def test_a_policy_may_have_an_object_identifier(oid: str) -> None:
    assert Policy.model_validate(_EXPRESS | {"oid": oid}).oid == oid


def test_shipped_policies_demand_no_consent_and_no_sdk_and_keep_evidence() -> None:
    book = load_policies()
    for policy in (book.get(name).policy for name in book.names):
        assert (policy.consent, policy.oid, policy.device.sdks) == (ConsentReference.OPTIONAL, None, {})
        assert policy.retention.biometrics


@pytest.mark.parametrize(
    ("retention", "remedy"),
    [
        ({}, "set audit_images = 0"),
        ({"audit_images": 0, "portrait": "bytes"}, 'set portrait to "hash" or "none"'),
        ({"audit_images": 0, "images_seconds": 0}, "remove images_seconds"),
    ],
)
def test_a_policy_without_biometrics_keeps_no_image(retention: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        Policy.model_validate(_EXPRESS | {"retention": {"biometrics": False} | retention})
    Policy.model_validate(_EXPRESS | {"retention": {"biometrics": False, "audit_images": 0}})


_SDKS = b"""
[device.sdks.facegate-web]
minimum = "1.2"
next_minimum = "1.10.3"
supported_until = 2027-03-31
"""
_LAST_DAY, _DAY_AFTER = date(2027, 3, 31), date(2027, 4, 1)


@pytest.mark.parametrize(
    ("stated", "missed", "missed_later", "until"),
    [
        ("facegate-web 1.1.9", "1.2", "1.10.3", _LAST_DAY),
        ("facegate-web 1.2", None, "1.10.3", _LAST_DAY),
        ("facegate-web 1.10.3", None, None, None),
        ("facegate-web 1.10.3rc1", None, None, None),
        ("facegate-web 10.0.0+build", None, None, None),
        ("facegate-web latest", "1.2", "1.10.3", _LAST_DAY),
        ("facegate-python 0.1", None, None, None),
        ("their own SDK", None, None, None),
    ],
)
def test_the_support_of_an_sdk_ends_on_a_day(
    stated: str, missed: str | None, missed_later: str | None, until: date | None
) -> None:
    rules = parse_policy(_MINE + _SDKS, origin="x.toml").policy.device
    assert rules.missed_sdk_version(stated, day=_LAST_DAY) == missed
    assert rules.missed_sdk_version(stated, day=_DAY_AFTER) == missed_later
    assert rules.sdk_supported_until(stated) == until


def test_decisive_checks_are_tolerated_by_name() -> None:
    assert Policy.model_validate(_EXPRESS).device.tolerate == ()
    named = changed(_EXPRESS, "device.tolerate", ["memory.frames", "camera.name"])
    assert Policy.model_validate(named).device.tolerate == ("memory.frames", "camera.name")
    with pytest.raises(ValidationError):
        Policy.model_validate(changed(_EXPRESS, "device.tolerate", ["memory.frame"]))


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


def test_liveness_applies_the_policy_of_the_check() -> None:
    policy = load_policies().get("high").policy
    applied = liveness_policy(policy)
    assert applied.live_threshold == policy.liveness.live_threshold == 80.0
    assert applied.spoof_threshold == policy.liveness.spoof_threshold == 40.0
    assert applied.require_pad_network is policy.liveness.require_pad_network is True
    assert applied.minimum_frames == policy.liveness.minimum_frames
    assert applied.evidence == EVIDENCE_FLOOR
    assert applied.capture is CaptureKind.SCAN


def test_liveness_applies_the_demands_on_the_evidence_frame() -> None:
    changed = load_policies().get("standard").policy.model_dump(mode="json")
    changed["liveness"]["evidence"] = {"min_face_width": 120.0, "max_luminance": 200.0}
    applied = liveness_policy(Policy.model_validate(changed)).evidence
    assert applied == CaptureLimits(
        min_face_width=120.0, min_sharpness=10.0, min_luminance=40.0, max_luminance=200.0
    )


# The most that the Kotlin SDK takes from a server is what policies allow.

_ROOT = Path(__file__).resolve().parents[2]
_CORE = _ROOT / "clients/kotlin/core/src/main/kotlin/org/facegate/core/internal"


def _most(table: type[BaseModel], field: str) -> int:
    (bound,) = (each.le for each in table.model_fields[field].metadata if isinstance(each, Le))
    assert isinstance(bound, int)
    return bound


def _kotlin(file: str, name: str) -> int:
    text = (_CORE / file).read_text(encoding="utf-8")
    match = re.search(rf"const val {name} = ([\d_]+)", text)
    assert match is not None
    return int(match[1])


def test_attempts() -> None:
    # Doubt allows one more.
    most = _most(AttemptRules, "maximum") + 1 + _most(AttemptRules, "uncounted")
    most += _kotlin("Rules.kt", "MOST_RECONNECTS")
    assert _kotlin("Scan.kt", "MOST_ATTEMPTS") == most


def test_colours() -> None:
    # The first and the last are grey.
    most = DynamicPolicy().maximum_steps + 2
    with pytest.raises(LivenessPolicyError):
        DynamicPolicy(maximum_steps=most - 1)
    assert _kotlin("FlashShow.kt", "MOST_STEPS") == most


def test_times() -> None:
    assert _kotlin("Attempt.kt", "LONGEST_ATTEMPT_MS") == 1000 * _most(DeadlineRules, "attempt_seconds")
    assert _kotlin("Scan.kt", "LONGEST_SCAN_MS") == 1000 * _most(DeadlineRules, "scan_seconds")
    evidence = 1000 * _most(DeadlineRules, "attestation_grace_seconds")
    assert _kotlin("Scan.kt", "LONGEST_EVIDENCE_MS") == evidence
