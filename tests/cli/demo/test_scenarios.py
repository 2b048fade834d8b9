import re

import pytest
from facegate.v1 import error_reason_pb2, result_pb2

from cli.demo.scenarios import (
    SCENARIOS,
    UNDECIDED,
    ExpectedOutcome,
    Status,
    Timings,
    demo_scenarios,
    expectation_text,
    outcome_text,
    reason_sentences,
)
from cli.explanation import reason_sentence
from device_integrity.camera import CameraClaim, check_name, load_fingerprints
from device_integrity.check import DeviceFinding
from simulator import FlashKind, ScanKind
from simulator.devices import DeviceKind
from simulator.photo import builtin_photo_names
from tests.cli.demo.builders import all_as_expected, judged, refused, result

EXPECTED = {
    "same-person": ("SUCCESS", "", ScanKind.GENUINE),
    "another-person": ("FAILURE", "NOT_SAME_PERSON", ScanKind.GENUINE),
    "static-photo": ("FAILURE", "SPOOF", ScanKind.STATIC_PHOTO),
    "waved-photo": ("FAILURE", "SPOOF", ScanKind.WAVED_PHOTO),
    "frozen-frame": ("FAILURE", "SPOOF", ScanKind.FROZEN_FRAME),
    "virtual-camera": ("FAILURE", "DEVICE_MANIPULATED", ScanKind.GENUINE),
    "eyes-too-close": ("REFUSED", "EYE_DISTANCE_TOO_SMALL", None),
    "doubt": ("SUCCESS", "", FlashKind.GENUINE),
    "flash-same-person": ("SUCCESS", "", FlashKind.GENUINE),
    "flash-print": ("FAILURE", "SPOOF", FlashKind.PRINT),
    "flash-screen-replay": ("FAILURE", "SPOOF", FlashKind.SCREEN_REPLAY),
    "flash-recorded-scan": ("FAILURE", "SPOOF", FlashKind.RECORDED_SCAN),
    "flash-injected-video": ("FAILURE", "SPOOF", FlashKind.INJECTED_VIDEO),
    "flash-injected-tint": ("FAILURE", "SPOOF", FlashKind.INJECTED_TINT),
    "flash-cut-out-print": ("FAILURE", "SPOOF", FlashKind.CUT_OUT_PRINT),
    "flash-rigid-mask": ("FAILURE", "SPOOF", FlashKind.RIGID_MASK),
    "device-honest": ("SUCCESS", "", ScanKind.GENUINE),
    "device-repackaged": ("FAILURE", "DEVICE_MANIPULATED", ScanKind.GENUINE),
    "device-relayed": ("FAILURE", "DEVICE_NOT_TRUSTED", ScanKind.GENUINE),
    "device-relit": ("FAILURE", "DEVICE_MANIPULATED", FlashKind.INJECTED_RELIGHTING),
}


def test_the_demo_contains_every_promised_scenario() -> None:
    shown = {
        s.key: (str(s.expected.status), "".join(s.expected.reasons[:1]), s.kind if s.scanned else None)
        for s in SCENARIOS
        if s.expected is not None
    }
    assert shown == EXPECTED


def test_only_scenarios_that_may_pass_have_no_expectation() -> None:
    assert [s.kind for s in SCENARIOS if s.expected is None] == [ScanKind.SCREEN_REPLAY]
    assert all("may pass" in s.shown for s in SCENARIOS if s.expected is None)


def test_without_a_demand_no_scenario_expects_its_defence() -> None:
    assert demo_scenarios(asked=True) == SCENARIOS
    changed = [(a, b) for a, b in zip(SCENARIOS, demo_scenarios(asked=False), strict=True) if a != b]
    for asked, unasked in changed:
        assert asked.kind is unasked.kind
        assert "The policy demands" in asked.shown
        assert unasked.expected is None
        assert "demands a" not in unasked.shown
        assert "may pass" in unasked.shown
    assert [asked.kind for asked, _ in changed] == [FlashKind.CUT_OUT_PRINT, FlashKind.RIGID_MASK]


_NOT_SHOWN = {FlashKind.MASK_WITH_EYES, FlashKind.MASK_WITH_EYES_AND_MOUTH}
"""Attackers whose outcome is not known beforehand, because no shipped policy stops them reliably."""


def test_every_kind_of_the_flash_with_a_known_outcome_is_shown_once() -> None:
    flashed = [s for s in SCENARIOS if s.flashes and not s.doubt]
    assert sorted(s.kind for s in flashed) == sorted(set(FlashKind) - _NOT_SHOWN)


def test_every_attacker_of_the_flash_must_fail_and_the_person_must_pass() -> None:
    flashed = [s for s in SCENARIOS if s.flashes]
    statuses = {s.kind: s.expected.status for s in flashed if s.expected is not None}
    assert statuses.pop(FlashKind.GENUINE) is Status.SUCCESS
    assert set(statuses) == set(FlashKind) - {FlashKind.GENUINE} - _NOT_SHOWN
    assert set(statuses.values()) == {Status.FAILURE}


def test_evidence_is_requested_in_dynamic_only_against_attacks_that_pixels_do_not_stop() -> None:
    assert [s.kind for s in SCENARIOS if s.flashes and s.device is not None] == [
        FlashKind.INJECTED_RELIGHTING
    ]


def test_devices_are_asked_for_evidence_with_the_person_and_with_the_strongest_attacker() -> None:
    asked = [s for s in SCENARIOS if s.device is not None]
    kinds = [DeviceKind.ANDROID, DeviceKind.REPACKAGED, DeviceKind.RELAYED, DeviceKind.REPACKAGED]
    assert [s.device for s in asked] == kinds
    assert [s.kind for s in asked] == [ScanKind.GENUINE] * 3 + [FlashKind.INJECTED_RELIGHTING]
    assert {(s.portrait, s.scanned) for s in asked} == {(SCENARIOS[0].portrait, SCENARIOS[0].scanned)}


def test_a_virtual_camera_is_not_tolerated_outside_the_sandbox() -> None:
    (real,) = [s for s in SCENARIOS if not s.sandbox]
    assert (
        check_name(CameraClaim(label=real.camera), fingerprints=load_fingerprints()).outcome
        is DeviceFinding.FAIL
    )
    assert real.device is None


def test_no_two_scans_have_the_same_frames() -> None:
    scans = [(s.flashes, s.kind, s.scanned, s.turn) for s in SCENARIOS if s.scanned is not None]
    assert len(set(scans)) == len(scans)


def test_keys_name_folders() -> None:
    keys = [s.key for s in SCENARIOS]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", key) for key in keys)


def test_photos_are_built_in_ones() -> None:
    names = {name for s in SCENARIOS for name in (s.portrait, s.scanned) if name is not None}
    assert names <= set(builtin_photo_names())


def test_only_the_impostor_is_another_person() -> None:
    assert [s.key for s in SCENARIOS if s.scanned not in (None, s.portrait)] == ["another-person"]


def test_attacks_are_the_scans_without_a_living_person() -> None:
    attacks = {s.key for s in SCENARIOS if s.attack and not s.flashes}
    assert [s.key for s in SCENARIOS if s.flashes and not s.attack] == [
        "doubt",
        "flash-same-person",
    ]
    assert attacks == {"static-photo", "waved-photo", "frozen-frame", "screen-replay"}


def test_expected_reasons_are_names_of_the_wire() -> None:
    for s in SCENARIOS:
        if s.expected is None:
            continue
        match s.expected.status:
            case Status.SUCCESS:
                assert s.expected.reasons == ()
            case Status.FAILURE:
                assert s.expected.reasons
                for reason in s.expected.reasons:
                    assert result_pb2.FailureReason.Value(f"FAILURE_REASON_{reason}") > 0
            case Status.REFUSED:
                (reason,) = s.expected.reasons
                assert error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{reason}") > 0


@pytest.mark.parametrize(
    ("status", "reasons", "met"),
    [
        (Status.FAILURE, ("SPOOF",), True),
        (Status.FAILURE, ("SPOOF", "NOT_SAME_PERSON"), True),
        (Status.FAILURE, ("NOT_SAME_PERSON", "SPOOF"), False),
        (Status.FAILURE, ("LIVENESS_INCONCLUSIVE",), False),
        (Status.FAILURE, (), False),
        (Status.SUCCESS, (), False),
        (Status.REFUSED, ("SPOOF",), False),
    ],
)
def test_an_expectation_is_about_the_first_reason(
    status: Status, reasons: tuple[str, ...], met: bool
) -> None:
    assert ExpectedOutcome(status=Status.FAILURE, reasons=("SPOOF",)).met_by(status, reasons) is met


def test_success_is_met_without_reasons_only() -> None:
    expected = ExpectedOutcome(status=Status.SUCCESS)
    assert expected.met_by(Status.SUCCESS, ())
    assert not expected.met_by(Status.SUCCESS, ("SPOOF",))
    assert not expected.met_by(Status.FAILURE, ())


def test_a_whole_demo_as_expected() -> None:
    flags = [record.as_expected for record in all_as_expected()]
    assert flags == [True] * 6 + [None] + [True] * 14


def test_another_outcome_is_not_as_expected() -> None:
    assert judged("same-person", result(result_pb2.FAILURE_REASON_SPOOF)).as_expected is False
    assert judged("static-photo").as_expected is False
    assert refused("FACE_NOT_FOUND").as_expected is False


@pytest.mark.parametrize("key", ["same-person", "screen-replay"])
def test_an_unverified_signature_is_never_as_expected(key: str) -> None:
    assert judged(key, signature_verified=False).as_expected is False


def test_a_refusal_has_its_own_status_and_reason() -> None:
    record = refused("EYE_DISTANCE_TOO_SMALL")
    assert (record.status, record.reasons, record.result) == (
        Status.REFUSED,
        ("EYE_DISTANCE_TOO_SMALL",),
        None,
    )


def test_an_undecided_check_is_no_failure() -> None:
    undecided = result(result_pb2.FAILURE_REASON_SERVER_FAULT)
    undecided.status = result_pb2.CHECK_STATUS_NOT_DECIDED
    record = judged("static-photo", undecided)
    assert (record.status, record.reasons) == (Status.NOT_DECIDED, ("SERVER_FAULT",))
    assert not record.as_expected


def test_only_an_attack_can_pass_as_one() -> None:
    assert judged("screen-replay").attack_passed
    assert judged("static-photo").attack_passed
    assert not judged("same-person").attack_passed
    assert not judged("static-photo", result(result_pb2.FAILURE_REASON_SPOOF)).attack_passed


def test_times_add_up() -> None:
    assert Timings(upload=1.0, capture=4.0, decision=0.5, finish=0.25).total == 5.75


def test_outcomes_in_one_line() -> None:
    assert outcome_text(Status.SUCCESS, ()) == "SUCCESS"
    assert outcome_text(Status.FAILURE, ("SPOOF", "EXPIRED")) == "FAILURE: SPOOF, EXPIRED"
    assert expectation_text(ExpectedOutcome(status=Status.SUCCESS)) == "SUCCESS"
    assert expectation_text(ExpectedOutcome(status=Status.REFUSED, reasons=("X",))) == "REFUSED: X"
    undecided = ExpectedOutcome(status=Status.FAILURE, reasons=("SPOOF", *UNDECIDED))
    assert expectation_text(undecided) == "FAILURE: SPOOF or undecided"
    assert "informs" in expectation_text(None)


def test_a_passed_attack_is_never_called_a_real_person() -> None:
    (said,) = reason_sentences(judged("screen-replay"))
    assert "attack passed" in said
    assert "real person" not in said


def test_reasons_of_a_verdict_and_of_a_refusal() -> None:
    failed = judged("static-photo", result(result_pb2.FAILURE_REASON_SPOOF))
    assert reason_sentences(failed) == ("The scan is an attack, not a living person.",)
    assert reason_sentence("OF_A_LATER_VERSION") == "OF_A_LATER_VERSION"
    said = reason_sentences(refused("EYE_DISTANCE_TOO_SMALL", "the eyes are 60 pixels apart"))
    assert said == ("The eyes are 60 pixels apart.",)
