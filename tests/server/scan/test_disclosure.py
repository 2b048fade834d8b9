"""What the app may know."""

import pytest

from server.policies.words import AppDisclosure
from server.scan.disclosure import final_status, told_feedback
from server.scan.messages import ScanStatus
from server.verdict import CheckStatus, CheckVerdict, FailureReason

SUCCESS = CheckVerdict(CheckStatus.SUCCESS, ())
FAILURE = CheckVerdict(CheckStatus.FAILURE, (FailureReason.SPOOF,))
HINTS = ("TOO_DARK", "MOVE_CLOSER")


@pytest.mark.parametrize("verdict", [SUCCESS, FAILURE])
def test_an_app_that_may_know_nothing_is_told_that_it_is_over(verdict: CheckVerdict) -> None:
    assert final_status(verdict, AppDisclosure.NOTHING) is ScanStatus.COMPLETED
    assert told_feedback(HINTS, ScanStatus.COMPLETED, AppDisclosure.NOTHING) == ()


@pytest.mark.parametrize("disclosure", [AppDisclosure.PASS_FAIL, AppDisclosure.PASS_FAIL_AND_HINTS])
def test_others_are_told_pass_or_fail(disclosure: AppDisclosure) -> None:
    assert final_status(SUCCESS, disclosure) is ScanStatus.SUCCESS
    assert final_status(FAILURE, disclosure) is ScanStatus.FAILURE


def test_hints_are_told_where_allowed() -> None:
    told = told_feedback(HINTS, ScanStatus.FAILURE, AppDisclosure.PASS_FAIL_AND_HINTS)
    assert told == HINTS
    assert told_feedback((), ScanStatus.FAILURE, AppDisclosure.PASS_FAIL_AND_HINTS) == ("FAILED",)
    assert told_feedback(HINTS, ScanStatus.FAILURE, AppDisclosure.PASS_FAIL) == ()
    assert told_feedback(HINTS, ScanStatus.SUCCESS, AppDisclosure.PASS_FAIL_AND_HINTS) == ()


@pytest.mark.parametrize("disclosure", AppDisclosure)
def test_whoever_is_asked_to_try_again_is_told_what_to_change(disclosure: AppDisclosure) -> None:
    assert told_feedback(HINTS, ScanStatus.RETRY, disclosure) == HINTS
