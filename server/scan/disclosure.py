"""What the app on the device may know of an outcome; never scores, never the kind of failure."""

from collections.abc import Sequence

from server.policies.words import AppDisclosure
from server.scan.messages import ScanStatus
from server.verdict import CheckStatus, CheckVerdict

_FAILED, _GOOD = "FAILED", "GOOD"
_MOST_FEEDBACK = 8


def final_status(verdict: CheckVerdict, disclosure: AppDisclosure) -> ScanStatus:
    """What to tell of a decided check."""
    if disclosure is AppDisclosure.NOTHING:
        return ScanStatus.COMPLETED
    return ScanStatus.SUCCESS if verdict.status is CheckStatus.SUCCESS else ScanStatus.FAILURE


def told_feedback(
    *, advice: Sequence[str], shown: Sequence[str], status: ScanStatus, disclosure: AppDisclosure
) -> tuple[str, ...]:
    """The feedback codes to tell.

    A person who is asked to try again is always told what to change. A final failure says nothing that the
    device was not shown already, so that another person, a spoof and a manipulated device look alike.

    Args:
        advice: What the judgement advises.
        shown: What the device was shown while it captured the attempt, in order.
        status: What the app is told.
        disclosure: What it may know.
    """
    if status is ScanStatus.RETRY:
        return tuple(advice)
    if status is ScanStatus.FAILURE and disclosure is AppDisclosure.PASS_FAIL_AND_HINTS:
        return (_FAILED, *(code for code in shown if code != _GOOD))[:_MOST_FEEDBACK]
    return ()
