"""The behaviour of the fake server in a stream, as a test sets it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc
from facegate.v1 import feedback_pb2, scan_pb2

__all__ = ["LOST", "RETRY", "SUCCESS", "Refuse", "Send", "StreamPlan"]

Send = Callable[[scan_pb2.ScanFaceResponse], Awaitable[None]]

RETRY = scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_RETRY, feedback=[feedback_pb2.FEEDBACK_CODE_TOO_DARK])
SUCCESS = scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_SUCCESS)


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """An error with its ErrorInfo; without a reason, an error as a transport gives it."""

    code: grpc.StatusCode
    reason: str = ""
    retry_after_s: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)


LOST = Refuse(code=grpc.StatusCode.UNAVAILABLE)


@dataclass(kw_only=True)
class StreamPlan:
    """How the server behaves in one stream.

    Attributes:
        refuse: Refuse the stream before the Challenge.
        other_key: Sign with, and show, a key that is not the pinned one.
        bad_signature: Show the pinned key but sign other bytes.
        body_changes: Applied to the ChallengeBody before it is signed.
        first: Sent instead of the Challenge.
        result_first: Sent after the handshake instead of an AttemptStart.
        results: One for each attempt of the stream.
        frames_wanted: Frames after which CaptureComplete is sent; 0 for never.
        credit: Frames of credit; each accepted frame gives one back unless `withhold_credit`.
        credit_bytes: Bytes of credit.
        withhold_credit: Give no credit back.
        extra_credit: Frames of credit that `act` gives.
        act: Called after each accepted frame with the frame's number in the attempt, from 1.
        break_after: Frames after which the stream ends with `breaking`.
        breaking: How the stream breaks: an error, a Goodbye, or None for closing in order.
        break_after_end: Break after AttemptEnd instead of sending a result.
        decide_s: Time from AttemptEnd to the result, seconds.
        silent: Never answer the start.
        ready_within_s: Time to wait for ``attempt_ready`` between attempts, seconds; None for no wait.
        lost_between: Break between the first attempt's result and the next attempt, with `breaking`.
    """

    refuse: Refuse | None = None
    other_key: bool = False
    bad_signature: bool = False
    body_changes: Callable[[scan_pb2.ChallengeBody], None] = lambda body: None
    first: scan_pb2.ScanFaceResponse | None = None
    result_first: scan_pb2.ScanResult | None = None
    results: list[scan_pb2.ScanResult] = field(
        default_factory=lambda: [scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_SUCCESS)]
    )
    plan: scan_pb2.Plan.ValueType = scan_pb2.PLAN_EXPRESS
    frames_wanted: int = 6
    credit: int = 3
    credit_bytes: int = 1024 * 1024
    withhold_credit: bool = False
    extra_credit: int = 0
    act: Callable[[int, Send], Awaitable[None]] | None = None
    break_after: int | None = None
    breaking: Refuse | scan_pb2.Goodbye | None = None
    break_after_end: bool = False
    decide_s: float = 0.0
    silent: bool = False
    ready_within_s: int | None = None
    lost_between: bool = False
