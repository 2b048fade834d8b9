"""What the app on the device may know of an outcome; never scores, never the kind of failure."""

from collections.abc import Sequence

from server.policies.words import AppDisclosure
from server.scan.messages import ScanStatus
from server.verdict import CheckStatus, CheckVerdict


def final_status(verdict: CheckVerdict, disclosure: AppDisclosure) -> ScanStatus:
    """What to tell of a decided check."""
    if disclosure is AppDisclosure.NOTHING:
        return ScanStatus.COMPLETED
    return ScanStatus.SUCCESS if verdict.status is CheckStatus.SUCCESS else ScanStatus.FAILURE


def told_feedback(feedback: Sequence[str], status: ScanStatus, disclosure: AppDisclosure) -> tuple[str, ...]:
    """The feedback codes to tell. A person who is asked to try again is always told what to change."""
    if status is ScanStatus.RETRY:
        return tuple(feedback)
    if status is ScanStatus.FAILURE and disclosure is AppDisclosure.PASS_FAIL_AND_HINTS:
        return tuple(feedback) or ("FAILED",)
    return ()
