"""Scenarios of lost lines, reconnects, refusals and Goodbyes."""

from functools import partial
from typing import Final

from facegate.v1 import scan_pb2

from cli.conformance.scan import Scan, Scenario
from server.base.errors import Reason, Refusal

__all__ = ["CONNECTIONS"]

_Bye = scan_pb2.Goodbye
_RETRY: Final = scan_pb2.SCAN_STATUS_RETRY


async def _finish(scan: Scan, *, proof: bool = True) -> None:
    stream = await scan.open(proof=proof)
    await stream.begin_attempt()
    await stream.receive_frames(4)
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


async def _lost_line(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(4)
    scan.interrupt(stream.lose)
    await scan.wait_for_reconnect()
    await _finish(scan)


async def _lost_before_challenge(scan: Scan) -> None:
    scan.interrupt(scan.start.stream.cut)
    await scan.wait_for_reconnect()
    await _finish(scan)


async def _lost_between_attempts(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(4)
    await stream.complete_capture()
    await stream.send_result(_RETRY, another=True)
    scan.interrupt(stream.lose, result=True)
    await scan.wait_for_reconnect()
    await _finish(scan)


async def _lost_after_end(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(4)
    await stream.complete_capture()
    scan.interrupt(stream.lose)
    await scan.wait_for_reconnect()
    decided = {"decidedByAttempt": 1}
    scan.refuse(Refusal(Reason.CHECK_CLOSED, "the check was decided", details=decided))
    await scan.expect_no_reconnect()


async def _end_too_late(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(4)
    await stream.complete_capture()
    scan.interrupt(partial(scan.refuse, Refusal(Reason.STREAM_IDLE, "the end did not arrive in time")))
    await scan.wait_for_reconnect()
    used_up = {"maxAttempts": 1}
    scan.refuse(Refusal(Reason.CHECK_CLOSED, "all attempts are used up", details=used_up))
    await scan.expect_no_reconnect()


async def _proxy_failed(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(2)
    scan.interrupt(scan.start.stream.fail)
    await scan.wait_for_reconnect()
    await _finish(scan)


async def _end_without_result(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(2)
    scan.interrupt(stream.end)
    await scan.wait_for_reconnect()
    await _finish(scan)


async def _draining(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(4)
    await stream.complete_capture()
    await stream.send_result(_RETRY, another=True)
    scan.interrupt(result=True)
    await stream.send_goodbye(_Bye.REASON_DRAINING, after_s=1.0)
    await scan.wait_for_reconnect(asked_s=1.0)
    await _finish(scan)


async def _not_serving(scan: Scan) -> None:
    scan.interrupt(partial(scan.refuse, Refusal(Reason.NOT_SERVING, "the server starts", retry_after=1.0)))
    await scan.wait_for_reconnect(asked_s=1.0)
    await _finish(scan, proof=False)


async def _idle(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(2)
    scan.interrupt(partial(scan.refuse, Refusal(Reason.STREAM_IDLE, "the device was silent")))
    await scan.wait_for_reconnect()
    await _finish(scan)


async def _ended(scan: Scan, *, reason: scan_pb2.Goodbye.Reason.ValueType) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(2)
    await stream.send_goodbye(reason, after_s=None)
    await scan.expect_no_reconnect()


async def _refused(scan: Scan, *, refusal: Refusal) -> None:
    scan.refuse(refusal)
    await scan.expect_no_reconnect()


async def _deadline(scan: Scan) -> None:
    def near(body: scan_pb2.ChallengeBody) -> None:
        body.scan_deadline.FromNanoseconds(body.server_time.ToNanoseconds() + 10**9)

    stream = await scan.open(near)
    await stream.begin_attempt()
    await stream.receive_frames(2)
    await stream.send_goodbye(_Bye.REASON_DRAINING, after_s=1.5)
    await scan.expect_no_reconnect(within_s=2.5)


async def _back_off(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(2)
    for _ in range(4):
        scan.interrupt(scan.start.stream.cut)
        await scan.wait_for_reconnect()
        stream = await scan.open(proof=True)
        await stream.begin_attempt()
        await stream.receive_frames(2)
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


async def _reconnect_limit(scan: Scan) -> None:
    stream = await scan.open()
    # A frame shows that the Challenge has arrived.
    await stream.begin_attempt()
    await stream.receive_frames(1)
    for _ in range(10):
        scan.interrupt(scan.start.stream.cut)
        await scan.wait_for_reconnect(within_s=14.0)
        await scan.open(proof=True)
    scan.interrupt(scan.start.stream.cut)
    await scan.expect_no_reconnect(within_s=10.0)


async def _no_challenge(scan: Scan) -> None:
    await scan.stay_silent(10.0)
    await scan.wait_for_reconnect()
    await _finish(scan)


CONNECTIONS: Final = (
    Scenario(name="lost-line", purpose="the connection is lost among frames", script=_lost_line),
    Scenario(
        name="lost-before-challenge",
        purpose="the connection is lost before the Challenge",
        script=_lost_before_challenge,
    ),
    Scenario(
        name="lost-between-attempts",
        purpose="the connection is lost after a result",
        script=_lost_between_attempts,
    ),
    Scenario(
        name="lost-after-end",
        purpose="the connection is lost after AttemptEnd, and the check is decided",
        script=_lost_after_end,
    ),
    Scenario(
        name="end-too-late",
        purpose="AttemptEnd arrives too late, and no attempt is left: nothing is decided",
        script=_end_too_late,
        reports_result=False,
    ),
    Scenario(name="proxy-failed", purpose="the stream fails without an ErrorInfo", script=_proxy_failed),
    Scenario(
        name="end-without-result", purpose="the stream ends without a result", script=_end_without_result
    ),
    Scenario(name="draining", purpose="the server asks for a reconnect after 1 s", script=_draining),
    Scenario(name="not-serving", purpose="the server refuses with a RetryInfo of 1 s", script=_not_serving),
    Scenario(name="idle", purpose="the server ends an idle stream", script=_idle),
    Scenario(
        name="superseded",
        purpose="a Goodbye is final",
        script=partial(_ended, reason=_Bye.REASON_SUPERSEDED),
        reports_result=False,
    ),
    Scenario(
        name="unknown-goodbye",
        purpose="a Goodbye of a later version is final",
        script=partial(_ended, reason=99),  # type: ignore[arg-type]  # of a later version
        reports_result=False,
    ),
    Scenario(
        name="refused",
        purpose="a refused token is final",
        script=partial(_refused, refusal=Refusal(Reason.TOKEN_EXPIRED, "the token is too old")),
        reports_result=False,
    ),
    Scenario(
        name="too-many-failures",
        purpose="a refusal with a RetryInfo is final",
        script=partial(
            _refused,
            refusal=Refusal(Reason.TOO_MANY_FAILURES, "too many checks failed", retry_after=0.5),
        ),
        reports_result=False,
    ),
    Scenario(
        name="deadline",
        purpose="no reconnect after the deadline of the scan",
        script=_deadline,
        reports_result=False,
    ),
    Scenario(name="back-off", purpose="the connection is lost four times", script=_back_off),
    Scenario(name="no-challenge", purpose="the server is silent for 10 seconds", script=_no_challenge),
    Scenario(
        name="reconnect-limit",
        purpose="the connection is lost eleven times",
        script=_reconnect_limit,
        reports_result=False,
    ),
)
"""The scenarios of connections."""
