"""Scenarios of the capture: credit, pauses, limits, attempts and unknown messages."""

from datetime import UTC, datetime
from typing import Final

from facegate.v1 import feedback_pb2, scan_pb2

from cli.conformance.attempt_book import GRACE_SECONDS
from cli.conformance.rules import Rule, Violation
from cli.conformance.scan import Scan, Scenario
from cli.conformance.strict_stream import Response

__all__ = ["CAPTURE"]

_UNKNOWN: Final = bytes.fromhex("c23e0131")
"""The field 1000 of any message, which no version has, with one byte."""
_TIMED_OUT: Final = scan_pb2.AttemptEndBody.CAUSE_TIMED_OUT
_RETRY: Final = scan_pb2.SCAN_STATUS_RETRY
_LARGEST: Final = 65_536


async def _success(scan: Scan) -> None:
    def demand(body: scan_pb2.ChallengeBody) -> None:
        body.attestation.level = scan_pb2.AttestationDemand.LEVEL_REQUIRED

    stream = await scan.open(demand)
    await stream.begin_attempt()
    await stream.receive_frames(16)
    stream.verify_rate()
    await stream.complete_capture()
    await stream.wait_for_evidence()
    await stream.send_result()
    await stream.wait_for_half_close()


async def _credit_frames(scan: Scan) -> None:
    stream = await scan.open()
    book = await stream.begin_attempt(frames=2)
    await stream.receive_frames(2, grant=False)
    for _ in range(4):
        await stream.receive_for(0.35)
        await stream.send_credit(1, _LARGEST)
        await stream.receive_frames(1, grant=False)
    end = await stream.complete_capture()
    if end.dropped_count == 0 or book.dropped == 0:
        raise Violation(
            Rule.DROPPED,
            "no dropped image was counted, although the client waited for credit for more than a second",
        )
    await stream.send_result()
    await stream.wait_for_half_close()


def _small_frames(body: scan_pb2.ChallengeBody) -> None:
    body.budget.max_frame_bytes = _LARGEST


async def _credit_bytes(scan: Scan) -> None:
    stream = await scan.open(_small_frames)
    await stream.begin_attempt(frames=1000, octets=_LARGEST)
    await stream.receive_frames(1, grant=False)
    await stream.receive_for(0.5)
    for _ in range(2):
        await stream.send_credit(0, _LARGEST)
        await stream.receive_frames(1, grant=False)
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


async def _credit_replaced(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt(frames=50)
    await stream.receive_frames(4, grant=False)
    await stream.complete_capture()
    await stream.send_result(_RETRY, another=True)
    await stream.begin_attempt(frames=1)
    await stream.receive_frames(1, grant=False)
    await stream.receive_for(0.6)
    await stream.send_credit(1, _LARGEST)
    await stream.receive_frames(1, grant=False)
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


def _pause(paused: bool) -> Response:
    reason = feedback_pb2.FEEDBACK_CODE_CENTER_FACE
    return Response(capture_pause=scan_pb2.CapturePause(paused=paused, reason=reason))


async def _pauses(scan: Scan) -> None:
    stream = await scan.open()
    # With credit for all frames, so that nothing but the pause holds them back.
    await stream.begin_attempt(frames=100, octets=10_000_000)
    await stream.receive_frames(3)
    await stream.send(_pause(True))
    await stream.receive_for(GRACE_SECONDS + 0.5)
    await stream.send(_pause(False))
    await stream.receive_frames(3)
    await stream.send(_pause(True))
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


async def _adjustment(scan: Scan) -> None:
    stream = await scan.open()
    book = await stream.begin_attempt()
    await stream.receive_frames(3)
    size = max(book.sizes)
    for adjustment in (
        scan_pb2.CaptureAdjustment(max_side=320, max_frames_per_second=12.0),
        scan_pb2.CaptureAdjustment(max_side=640, max_frame_bytes=max(8_192, size // 2)),
    ):
        await stream.send(Response(capture_adjustment=adjustment))
    seen = book.frames
    while book.times[-1] - book.times[seen - 1] < GRACE_SECONDS + 0.5:
        await stream.receive_frames(1)
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


async def _highest_rate(scan: Scan) -> None:
    def slow(body: scan_pb2.ChallengeBody) -> None:
        body.budget.max_frames_per_second = 10.0

    stream = await scan.open(slow)
    await stream.begin_attempt()
    await stream.receive_frames(8)
    stream.verify_rate()
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


async def _attempt_duration(scan: Scan) -> None:
    def short(body: scan_pb2.ChallengeBody) -> None:
        body.budget.max_attempt_duration.FromSeconds(2)

    stream = await scan.open(short)
    await stream.begin_attempt(frames=1000, octets=20_000_000)
    await stream.wait_for_attempt_end(_TIMED_OUT, within_s=2.3)
    await stream.send_result(_RETRY)
    await stream.wait_for_half_close()


async def _attempt_frames(scan: Scan) -> None:
    def few(body: scan_pb2.ChallengeBody) -> None:
        body.budget.max_frames_per_attempt = 5

    stream = await scan.open(few)
    await stream.begin_attempt(frames=1000, octets=20_000_000)
    await stream.wait_for_attempt_end(_TIMED_OUT, within_s=5.0)
    await stream.send_result(_RETRY)
    await stream.wait_for_half_close()


async def _scan_bytes(scan: Scan) -> None:
    def little(body: scan_pb2.ChallengeBody) -> None:
        body.budget.max_frame_bytes = _LARGEST
        body.budget.max_scan_bytes = 3 * _LARGEST

    stream = await scan.open(little)
    await stream.begin_attempt(frames=1000, octets=20_000_000)
    await stream.receive_frames(1, grant=False)
    await stream.complete_capture()
    await stream.send_result(_RETRY, another=True)
    await stream.begin_attempt(frames=1000, octets=20_000_000)
    await stream.wait_for_attempt_end(_TIMED_OUT, within_s=20.0)
    await stream.send_result()
    await stream.wait_for_half_close()


async def _retry(scan: Scan) -> None:
    def announce(response: Response) -> None:
        response.scan_result.feedback.append(feedback_pb2.FEEDBACK_CODE_TOO_DARK)

    stream = await scan.open()
    for _ in range(2):
        await stream.begin_attempt()
        await stream.receive_frames(4)
        await stream.complete_capture()
        await stream.send_result(_RETRY, another=True, change=announce)
    await stream.begin_attempt()
    await stream.receive_frames(4)
    await stream.complete_capture()
    await stream.send_result(scan_pb2.SCAN_STATUS_COMPLETED)
    await stream.wait_for_half_close()


async def _early_result(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(4)
    await stream.send_result(scan_pb2.SCAN_STATUS_FAILURE)
    await stream.wait_for_half_close()


async def _stale_complete(scan: Scan) -> None:
    stream = await scan.open()
    book = await stream.begin_attempt()
    await stream.receive_frames(2)
    other = book.start.attempt + 1
    await stream.send(Response(capture_complete=scan_pb2.CaptureComplete(attempt=other)))
    await stream.receive_frames(12)
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


def _mark(response: Response) -> None:
    inner = getattr(response, response.WhichOneof("message") or "")
    inner.MergeFromString(_UNKNOWN)
    response.MergeFromString(_UNKNOWN)


async def _later_version(scan: Scan) -> None:
    try:
        await _send_unknown(scan)
    except Violation as broken:
        raise Violation(Rule.LATER_VERSION, f"with messages of a later version: {broken.detail}") from broken


async def _send_unknown(scan: Scan) -> None:
    def later(body: scan_pb2.ChallengeBody) -> None:
        body.MergeFromString(_UNKNOWN)

    stream = await scan.open(later)
    await stream.send(Response.FromString(_UNKNOWN))
    await stream.begin_attempt(change=_mark)
    for response in (
        Response.FromString(_UNKNOWN),
        Response(feedback=feedback_pb2.Feedback(code=999)),  # type: ignore[arg-type]  # of a later version
        Response(),
    ):
        await stream.send(response)
        await stream.receive_frames(2)
    await stream.complete_capture()
    await stream.send(Response.FromString(_UNKNOWN))
    await stream.send_result(change=_mark)
    await stream.wait_for_half_close()


async def _foreign_clock(scan: Scan) -> None:
    def old(body: scan_pb2.ChallengeBody) -> None:
        body.server_time.FromDatetime(datetime(2020, 2, 29, 23, 59, 50, tzinfo=UTC))
        body.scan_deadline.FromDatetime(datetime(2020, 3, 1, 0, 2, 50, tzinfo=UTC))

    stream = await scan.open(old)
    await stream.begin_attempt()
    await stream.receive_frames(6)
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


CAPTURE: Final = (
    Scenario(name="success", purpose="a whole scan, with evidence", script=_success),
    Scenario(name="credit-frames", purpose="frames of credit come slowly", script=_credit_frames),
    Scenario(name="credit-bytes", purpose="bytes of credit come slowly", script=_credit_bytes),
    Scenario(
        name="credit-replaced",
        purpose="the credit of an AttemptStart replaces the rest",
        script=_credit_replaced,
    ),
    Scenario(name="pauses", purpose="the capture pauses and continues", script=_pauses),
    Scenario(name="adjustment", purpose="smaller and fewer frames are requested", script=_adjustment),
    Scenario(name="highest-rate", purpose="10 frames a second are enough", script=_highest_rate),
    Scenario(
        name="attempt-duration",
        purpose="the client ends an attempt at its longest duration",
        script=_attempt_duration,
    ),
    Scenario(
        name="attempt-frames",
        purpose="the client ends an attempt with its most frames",
        script=_attempt_frames,
    ),
    Scenario(name="scan-bytes", purpose="the client keeps to the bytes of a scan", script=_scan_bytes),
    Scenario(name="retry", purpose="three attempts in a stream", script=_retry),
    Scenario(name="early-result", purpose="the result comes before AttemptEnd", script=_early_result),
    Scenario(
        name="stale-complete",
        purpose="CaptureComplete of another attempt is ignored",
        script=_stale_complete,
    ),
    Scenario(
        name="later-version",
        purpose="unknown messages, fields and values are ignored",
        script=_later_version,
    ),
    Scenario(name="foreign-clock", purpose="the server's clock shows the year 2020", script=_foreign_clock),
)
"""The scenarios of the capture."""
