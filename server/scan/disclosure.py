"""The part of an outcome that the app on the device may know: no scores and no kind of failure."""

from collections.abc import Sequence

from server.policies.schema import AppDisclosure
from server.scan.messages import ScanStatus
from server.verdict import CheckStatus, CheckVerdict

CAPTURE_TOO_SLOW, NETWORK_TOO_SLOW = "CAPTURE_TOO_SLOW", "NETWORK_TOO_SLOW"
_FAILED, _GOOD = "FAILED", "GOOD"
_SLOW = (CAPTURE_TOO_SLOW, NETWORK_TOO_SLOW)
"""The advice that discloses nothing of the judgement, because the device knows its own frame rate."""
_MOST_FEEDBACK = 8


def final_status(verdict: CheckVerdict, disclosure: AppDisclosure) -> ScanStatus:
    """Returns the status that the app gets for a decided check."""
    if disclosure is AppDisclosure.NOTHING:
        return ScanStatus.COMPLETED
    return ScanStatus.SUCCESS if verdict.status is CheckStatus.SUCCESS else ScanStatus.FAILURE


def feedback_for_app(
    *, advice: Sequence[str], shown: Sequence[str], status: ScanStatus, disclosure: AppDisclosure
) -> tuple[str, ...]:
    """Returns the feedback codes that the app gets with a result.

    A person who may try again is always advised on what to change. A final failure adds to the codes that the
    device has already shown only that the network or its camera was too slow, so that another person, a spoof
    and a manipulated device look alike.

    Args:
        advice: The advice of the judgement.
        shown: The codes that the device showed during the capture, in order.
        status: The status that the app gets.
        disclosure: The policy's disclosure to the app.
    """
    if status is ScanStatus.RETRY:
        return tuple(advice)
    if status is ScanStatus.FAILURE and disclosure is AppDisclosure.PASS_FAIL_AND_HINTS:
        slow = tuple(code for code in _SLOW if code in advice)
        earlier = (code for code in shown if code != _GOOD and code not in _SLOW)
        return (_FAILED, *slow, *earlier)[:_MOST_FEEDBACK]
    return ()
