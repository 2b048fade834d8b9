import re

import pytest
from facegate.v1 import error_reason_pb2, result_pb2

from cli.demo.scenarios import SCENARIOS, Expected, Status
from simulator import ScanKind, builtin_photo_names

EXPECTED = {
    "same-person": ("SUCCESS", "", ScanKind.GENUINE),
    "another-person": ("FAILURE", "NOT_SAME_PERSON", ScanKind.GENUINE),
    "static-photo": ("FAILURE", "SPOOF", ScanKind.STATIC_PHOTO),
    "waved-photo": ("FAILURE", "SPOOF", ScanKind.WAVED_PHOTO),
    "frozen-frame": ("FAILURE", "SPOOF", ScanKind.FROZEN_FRAME),
    "eyes-too-close": ("REFUSED", "EYE_DISTANCE_TOO_SMALL", None),
}


def test_the_demo_shows_what_was_promised() -> None:
    shown = {
        s.key: (str(s.expected.status), s.expected.reason, s.kind if s.scanned else None)
        for s in SCENARIOS
        if s.expected is not None
    }
    assert shown == EXPECTED


def test_only_the_replay_expects_nothing() -> None:
    assert [s.kind for s in SCENARIOS if s.expected is None] == [ScanKind.SCREEN_REPLAY]


def test_keys_name_folders() -> None:
    keys = [s.key for s in SCENARIOS]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", key) for key in keys)


def test_photos_are_built_in_ones() -> None:
    names = {name for s in SCENARIOS for name in (s.portrait, s.scanned) if name is not None}
    assert names <= set(builtin_photo_names())


def test_the_impostor_is_another_person_and_nobody_else_is() -> None:
    assert [s.key for s in SCENARIOS if s.scanned not in (None, s.portrait)] == ["another-person"]


def test_attacks_are_the_scans_without_a_living_person() -> None:
    attacks = {s.key for s in SCENARIOS if s.attack}
    assert attacks == {"static-photo", "waved-photo", "frozen-frame", "screen-replay"}


def test_expected_reasons_are_names_of_the_wire() -> None:
    for s in SCENARIOS:
        if s.expected is None:
            continue
        match s.expected.status:
            case Status.SUCCESS:
                assert s.expected.reason == ""
            case Status.FAILURE:
                assert result_pb2.FailureReason.Value(f"FAILURE_REASON_{s.expected.reason}") > 0
            case Status.REFUSED:
                assert error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{s.expected.reason}") > 0


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
    assert Expected(status=Status.FAILURE, reason="SPOOF").met_by(status, reasons) is met


def test_success_is_met_without_reasons_only() -> None:
    expected = Expected(status=Status.SUCCESS)
    assert expected.met_by(Status.SUCCESS, ())
    assert not expected.met_by(Status.SUCCESS, ("SPOOF",))
    assert not expected.met_by(Status.FAILURE, ())
