"""The disclosure of outcomes to the app."""

from collections.abc import Sequence

import pytest

from server.policies.schema import AppDisclosure
from server.scan.messages import ScanStatus, feedback_for_app, final_status
from server.verdict import CheckStatus, CheckVerdict, FailureReason

SUCCESS = CheckVerdict(CheckStatus.SUCCESS, ())
FAILURE = CheckVerdict(CheckStatus.FAILURE, (FailureReason.SPOOF,))
ADVICE = ("NO_FACE", "TURN_HEAD_SLIGHTLY")
SHOWN = ("TOO_DARK", "GOOD", "MOVE_CLOSER")


def _reported(
    status: ScanStatus, disclosure: AppDisclosure, *, shown: Sequence[str] = SHOWN
) -> tuple[str, ...]:
    return feedback_for_app(advice=ADVICE, shown=shown, status=status, disclosure=disclosure)


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE])
def test_an_app_that_may_know_nothing_is_measured_that_it_is_over(verdict: CheckVerdict) -> None:
    assert final_status(verdict, AppDisclosure.NOTHING) is ScanStatus.COMPLETED
    assert _reported(ScanStatus.COMPLETED, AppDisclosure.NOTHING) == ()


@pytest.mark.parametrize("disclosure", [AppDisclosure.PASS_FAIL, AppDisclosure.PASS_FAIL_AND_HINTS])
def test_others_get_pass_or_fail(disclosure: AppDisclosure) -> None:
    assert final_status(SUCCESS, disclosure) is ScanStatus.SUCCESS
    assert final_status(FAILURE, disclosure) is ScanStatus.FAILURE


def test_a_failure_discloses_only_earlier_feedback() -> None:
    reported = _reported(ScanStatus.FAILURE, AppDisclosure.PASS_FAIL_AND_HINTS)
    assert reported == ("FAILED", "TOO_DARK", "MOVE_CLOSER")
    assert _reported(ScanStatus.FAILURE, AppDisclosure.PASS_FAIL_AND_HINTS, shown=()) == ("FAILED",)
    assert _reported(ScanStatus.FAILURE, AppDisclosure.PASS_FAIL) == ()
    assert _reported(ScanStatus.SUCCESS, AppDisclosure.PASS_FAIL_AND_HINTS) == ()


@pytest.mark.parametrize("slow", ["CAPTURE_TOO_SLOW", "NETWORK_TOO_SLOW"])
def test_a_failure_discloses_that_camera_or_network_was_too_slow(slow: str) -> None:
    reported = feedback_for_app(
        advice=(slow, *ADVICE),
        shown=SHOWN,
        status=ScanStatus.FAILURE,
        disclosure=AppDisclosure.PASS_FAIL_AND_HINTS,
    )
    assert reported == ("FAILED", slow, "TOO_DARK", "MOVE_CLOSER")


def test_a_failure_discloses_at_most_eight_codes() -> None:
    many = [f"HINT_{number}" for number in range(20)]
    assert len(_reported(ScanStatus.FAILURE, AppDisclosure.PASS_FAIL_AND_HINTS, shown=many)) == 8


@pytest.mark.parametrize("disclosure", AppDisclosure)
def test_a_repeated_attempt_comes_with_advice(disclosure: AppDisclosure) -> None:
    assert _reported(ScanStatus.RETRY, disclosure) == ADVICE
