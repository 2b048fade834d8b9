import cv2
import numpy as np
import pytest
from facegate.v1 import error_reason_pb2, result_pb2

from device_integrity.camera import CameraClaim, check_name, load_fingerprints
from device_integrity.device_test import DeviceFinding
from lab.demo.scenarios import (
    SCENARIOS,
    ExpectedOutcome,
    Status,
    demo_scenarios,
    reason_sentences,
)
from lab.demo.stage import FRAMES_PER_SECOND, Stage, open_stage
from lab.simulator import FlashKind
from lab.tests.demo.builders import judged, result, scenario
from tests.packs import real_pack
from vision.face import BgrImage


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


_NOT_SHOWN = {FlashKind.INJECTED_PHOTO, FlashKind.MASK_WITH_EYES, FlashKind.MASK_WITH_EYES_AND_MOUTH}
"""Attackers whose outcome is not known beforehand, because no shipped policy stops them reliably."""


def test_every_kind_of_the_flash_with_a_known_outcome_is_shown_once_and_attackers_must_fail() -> None:
    flashed = [s for s in SCENARIOS if s.flashes and not s.doubt]
    assert sorted(s.kind for s in flashed) == sorted(set(FlashKind) - _NOT_SHOWN)
    statuses = {s.kind: s.expected.status for s in flashed if s.expected is not None}
    assert statuses.pop(FlashKind.GENUINE) is Status.SUCCESS
    assert set(statuses.values()) == {Status.FAILURE}


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
        (Status.FAILURE, (), False),
        (Status.SUCCESS, (), False),
        (Status.REFUSED, ("SPOOF",), False),
    ],
)
def test_an_expectation_is_about_the_first_reason(
    status: Status, reasons: tuple[str, ...], met: bool
) -> None:
    assert ExpectedOutcome(status=Status.FAILURE, reasons=("SPOOF",)).met_by(status, reasons) is met
    assert ExpectedOutcome(status=Status.SUCCESS).met_by(status, reasons) is (status is Status.SUCCESS)


@pytest.mark.parametrize("key", ["same-person", "screen-replay"])
def test_an_unverified_signature_is_never_as_expected(key: str) -> None:
    assert judged(key, signature_verified=False).as_expected is False


def test_an_attacker_who_leaves_undecided_is_not_let_in_and_a_person_who_does_is_missed() -> None:
    left = result(result_pb2.FAILURE_REASON_ABANDONED, result_pb2.FAILURE_REASON_LIVENESS_INCONCLUSIVE)
    assert judged("flash-print", left).as_expected is True
    for key in ("flash-same-person", "doubt", "static-photo"):
        assert judged(key, left).as_expected is False


def test_every_genuine_person_is_let_in_and_no_other() -> None:
    genuine = {s.key for s in SCENARIOS if s.genuine}
    assert genuine == {"same-person", "doubt", "flash-same-person", "device-honest"}
    for s in SCENARIOS:
        record = judged(s.key) if s.scanned is not None else None
        assert record is None or (record.as_expected is not False) is (s.genuine or s.expected is None)


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


def test_a_passed_attack_is_never_called_a_real_person() -> None:
    (said,) = reason_sentences(judged("screen-replay"))
    assert "attack passed" in said
    assert "real person" not in said


@pytest.fixture(scope="module")
def stage() -> Stage:
    return open_stage(frozenset({"astronaut"}))


def decoded(jpeg: bytes) -> BgrImage:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def eye_distance(jpeg: bytes) -> float:
    (face,) = real_pack().detector.detect(decoded(jpeg))
    return face.eye_distance


@pytest.mark.slow
def test_portraits_have_the_eyes_that_the_scenario_wants(stage: Stage) -> None:
    assert eye_distance(stage.portrait(scenario("same-person"))) >= 90
    assert eye_distance(stage.portrait(scenario("eyes-too-close"))) == pytest.approx(60, abs=4)


def test_a_flash_has_a_phone_and_nothing_else_has_one(stage: Stage) -> None:
    assert stage.phone(scenario("same-person")) is None
    assert stage.phone(scenario("eyes-too-close")) is None
    assert stage.scan(scenario("flash-print")) is None
    phone = stage.phone(scenario("flash-print"))
    assert phone is not None
    assert "print" in phone.camera.label


def test_a_scan_is_rendered_ahead_and_goes_on(stage: Stage) -> None:
    shares: list[float] = []
    scan = stage.scan(scenario("frozen-frame"), progress=shares.append)
    assert scan is not None
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    ahead = len(shares)
    frames = [next(scan.frames) for _ in range(ahead + 3)]
    times = [time for _, time in frames]
    assert times == sorted(set(times))
    assert times[-1] - times[0] == pytest.approx((ahead + 2) / FRAMES_PER_SECOND, abs=0.1)
    assert decoded(frames[0][0]).shape == (640, 480, 3)
    assert len(scan.strip) == 6
    assert all(decoded(picture).shape == (240, 180, 3) for picture in scan.strip)
