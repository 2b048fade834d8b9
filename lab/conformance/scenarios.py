"""The scenarios, in the order in which they run: capture, screen, challenges, connections."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from facegate.v1 import feedback_pb2, scan_pb2

from facegate_protocol import challenge_message, public_key_der, sign
from lab.conformance.opening import challenge_body
from lab.conformance.rules import Rule, Violation
from lab.conformance.scan import Scan, Scenario, Script
from lab.conformance.strict_stream import GRACE_SECONDS, Response, StrictStream
from server.base.errors import Reason, Refusal
from server.edge.fields import duration

SCENARIOS: Final[list[Scenario]] = []

_Body = scan_pb2.ChallengeBody
_Bye = scan_pb2.Goodbye
_RETRY: Final = scan_pb2.SCAN_STATUS_RETRY
_SUCCESS: Final = scan_pb2.SCAN_STATUS_SUCCESS
_TIMED_OUT: Final = scan_pb2.AttemptEndBody.CAUSE_TIMED_OUT
_UNKNOWN: Final = bytes.fromhex("c23e0131")
"""The field 1000 of any message, which no version has, with one byte."""
_LARGEST: Final = 65_536
_GREY: Final = (128, 128, 128)
_COLOURS: Final = (_GREY, (200, 60, 60), (60, 90, 220), _GREY)
_LEAST_SIDE: Final = 480
_MOST_FRAMES: Final = 60
_MOST_REQUESTS: Final = 3


def _scenario(
    name: str, purpose: str, *, needs: tuple[int, ...] = (), reports_result: bool = True
) -> Callable[[Script], Script]:
    """Add a script to the scenarios."""

    def add(script: Script) -> Script:
        SCENARIOS.append(
            Scenario(
                name=name,
                purpose=purpose,
                script=script,
                needs=frozenset(needs),
                reports_result=reports_result,
            )
        )
        return script

    return add


def _budget(**limits: float) -> Callable[[_Body], None]:
    """Return the change of a Challenge that has other limits."""

    def change(body: _Body) -> None:
        for name, value in limits.items():
            setattr(body.budget, name, value)

    return change


async def _capture(
    scan: Scan,
    frames: int = 4,
    change: Callable[[_Body], None] = lambda _body: None,
    *,
    proof: bool = False,
    plan: scan_pb2.Plan.ValueType = scan_pb2.PLAN_EXPRESS,
) -> StrictStream:
    """Open a stream, and receive the first frames of an attempt."""
    stream = await scan.open(change, proof=proof)
    await stream.begin_attempt(plan=plan)
    await stream.receive_frames(frames)
    return stream


async def _retry(
    stream: StrictStream, *, change: Callable[[Response], None] = lambda _response: None
) -> None:
    """Complete an attempt that another one follows."""
    await stream.complete_capture()
    await stream.send_result(_RETRY, another=True, change=change)


async def _finish(stream: StrictStream, status: scan_pb2.ScanStatus.ValueType = _SUCCESS) -> None:
    """Complete the last attempt of a scan."""
    await stream.complete_capture()
    await stream.send_result(status)


@_scenario("success", "a whole scan, with evidence")
async def _success(scan: Scan) -> None:
    def demand(body: _Body) -> None:
        body.attestation.level = scan_pb2.AttestationDemand.LEVEL_REQUIRED

    stream = await _capture(scan, 16, demand)
    stream.verify_rate()
    await stream.complete_capture()
    await stream.wait_for_evidence()
    await stream.send_result()


@_scenario("credit-frames", "frames of credit come slowly")
async def _credit_frames(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt(frames=2)
    await stream.receive_frames(2, grant=False)
    for _ in range(4):
        await stream.receive_for(0.35)
        await stream.grant_credit()
        await stream.receive_frames(1, grant=False)
    stated = stream.dropped
    end = await stream.complete_capture()
    if end.dropped_count == 0 or stated == 0:
        raise Violation(
            Rule.DROPPED,
            "no dropped image was counted, although the client waited for credit for more than a second",
        )
    await stream.send_result()


@_scenario("credit-bytes", "bytes of credit come slowly")
async def _credit_bytes(scan: Scan) -> None:
    stream = await scan.open(_budget(max_frame_bytes=_LARGEST))
    await stream.begin_attempt(frames=1000, octets=_LARGEST)
    await stream.receive_frames(1, grant=False)
    await stream.receive_for(0.5)
    for _ in range(2):
        await stream.grant_credit()
        await stream.receive_frames(1, grant=False)
    await _finish(stream)


@_scenario("credit-replaced", "the credit of an AttemptStart replaces the rest")
async def _credit_replaced(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt(frames=50)
    await stream.receive_frames(4, grant=False)
    await _retry(stream)
    await stream.begin_attempt(frames=1)
    await stream.receive_frames(1, grant=False)
    await stream.receive_for(0.6)
    await stream.grant_credit()
    await stream.receive_frames(1, grant=False)
    await _finish(stream)


@_scenario("pauses", "the capture pauses and continues")
async def _pauses(scan: Scan) -> None:
    async def pause(paused: bool) -> None:
        reason = feedback_pb2.FEEDBACK_CODE_CENTER_FACE
        await stream.send(Response(capture_pause=scan_pb2.CapturePause(paused=paused, reason=reason)))

    stream = await scan.open()
    # With credit for all frames, so that nothing but the pause holds them back.
    await stream.begin_attempt(frames=100, octets=10_000_000)
    await stream.receive_frames(3)
    await pause(True)
    await stream.receive_for(GRACE_SECONDS + 0.5)
    await pause(False)
    await stream.receive_frames(3)
    await pause(True)
    await _finish(stream)


@_scenario("adjustment", "smaller and fewer frames are requested")
async def _adjustment(scan: Scan) -> None:
    stream = await _capture(scan, 3)
    book = stream.book
    size = max(book.sizes)
    for adjustment in (
        scan_pb2.CaptureAdjustment(max_side=320, max_frames_per_second=12.0),
        scan_pb2.CaptureAdjustment(max_side=640, max_frame_bytes=max(8_192, size // 2)),
    ):
        await stream.send(Response(capture_adjustment=adjustment))
    asked_at = book.times[-1]
    while book.times[-1] - asked_at < GRACE_SECONDS + 0.5:
        await stream.receive_frames(1)
    await _finish(stream)


@_scenario("highest-rate", "10 frames a second are enough")
async def _highest_rate(scan: Scan) -> None:
    stream = await _capture(scan, 8, _budget(max_frames_per_second=10.0))
    stream.verify_rate()
    await _finish(stream)


async def _time_out(stream: StrictStream, *, within_s: float) -> None:
    """Wait until the client ends an attempt with credit for everything."""
    await stream.begin_attempt(frames=1000, octets=20_000_000)
    await stream.wait_for_attempt_end(_TIMED_OUT, within_s=within_s)
    await stream.send_result(_RETRY)


@_scenario("attempt-duration", "the client ends an attempt at its longest duration")
async def _attempt_duration(scan: Scan) -> None:
    def short(body: _Body) -> None:
        body.budget.max_attempt_duration.FromSeconds(2)

    await _time_out(await scan.open(short), within_s=2.3)


@_scenario("attempt-frames", "the client ends an attempt with its most frames")
async def _attempt_frames(scan: Scan) -> None:
    await _time_out(await scan.open(_budget(max_frames_per_attempt=5)), within_s=5.0)


@_scenario("scan-bytes", "the client keeps to the bytes of a scan")
async def _scan_bytes(scan: Scan) -> None:
    stream = await scan.open(_budget(max_frame_bytes=_LARGEST, max_scan_bytes=3 * _LARGEST))
    await stream.begin_attempt(frames=1000, octets=20_000_000)
    await stream.receive_frames(1, grant=False)
    await _retry(stream)
    await _time_out(stream, within_s=20.0)


@_scenario("retry", "three attempts in a stream")
async def _three_attempts(scan: Scan) -> None:
    def announce(response: Response) -> None:
        response.scan_result.feedback.append(feedback_pb2.FEEDBACK_CODE_TOO_DARK)

    stream = await _capture(scan)
    for _ in range(2):
        await _retry(stream, change=announce)
        await stream.begin_attempt()
        await stream.receive_frames(4)
    await _finish(stream, scan_pb2.SCAN_STATUS_COMPLETED)


@_scenario("early-result", "the result comes before AttemptEnd")
async def _early_result(scan: Scan) -> None:
    stream = await _capture(scan)
    await stream.send_result(scan_pb2.SCAN_STATUS_FAILURE)


@_scenario("stale-complete", "CaptureComplete of another attempt is ignored")
async def _stale_complete(scan: Scan) -> None:
    stream = await _capture(scan, 2)
    await stream.send(Response(capture_complete=scan_pb2.CaptureComplete(attempt=stream.book.number + 1)))
    await stream.receive_frames(12)
    await _finish(stream)


@_scenario("later-version", "unknown messages, fields and values are ignored")
async def _later_version(scan: Scan) -> None:
    try:
        await _send_unknown(scan)
    except Violation as broken:
        raise Violation(Rule.LATER_VERSION, f"with messages of a later version: {broken.detail}") from broken


async def _send_unknown(scan: Scan) -> None:
    def later(body: _Body) -> None:
        body.MergeFromString(_UNKNOWN)

    def mark(response: Response) -> None:
        getattr(response, response.WhichOneof("message") or "").MergeFromString(_UNKNOWN)
        response.MergeFromString(_UNKNOWN)

    stream = await scan.open(later)
    await stream.send(Response.FromString(_UNKNOWN))
    await stream.begin_attempt(change=mark)
    for response in (
        Response.FromString(_UNKNOWN),
        Response(feedback=feedback_pb2.Feedback(code=999)),  # type: ignore[arg-type]  # of a later version
        Response(),
    ):
        await stream.send(response)
        await stream.receive_frames(2)
    await stream.complete_capture()
    await stream.send(Response.FromString(_UNKNOWN))
    await stream.send_result(change=mark)


@_scenario("foreign-clock", "the server's clock shows the year 2020")
async def _foreign_clock(scan: Scan) -> None:
    def old(body: _Body) -> None:
        body.server_time.FromDatetime(datetime(2020, 2, 29, 23, 59, 50, tzinfo=UTC))
        body.scan_deadline.FromDatetime(datetime(2020, 3, 1, 0, 2, 50, tzinfo=UTC))

    await _finish(await _capture(scan, 6, old))


async def _show_colours(stream: StrictStream, *, then: int) -> None:
    """Show four colours, each until a frame has named it, and receive some frames more of each."""
    for number, colour in enumerate(_COLOURS, start=1):
        await _reveal(stream, number, colour, hold_ms=400, last=number == len(_COLOURS))
        await _named(stream, number)
        await stream.receive_frames(then)


async def _reveal(
    stream: StrictStream, number: int, colour: tuple[int, int, int], *, hold_ms: int, last: bool = False
) -> None:
    red, green, blue = colour
    step = scan_pb2.FlashStep(
        step=number,
        color=scan_pb2.Rgb(red=red, green=green, blue=blue),
        transition=scan_pb2.TRANSITION_FLAT,
        last=last,
        minimum_hold=duration(hold_ms / 1000),
    )
    await stream.send(Response(flash_step=step))


async def _named(stream: StrictStream, number: int) -> None:
    for _ in range(_MOST_FRAMES):
        if number in stream.flash.since_us:
            return
        await stream.receive_frames(1)
    raise Violation(Rule.FLASH, f"no frame of {_MOST_FRAMES} named step {number}")


@_scenario("flash", "four colours are shown, in order", needs=(scan_pb2.CAPABILITY_FLASH,))
async def _flash(scan: Scan) -> None:
    stream = await _capture(scan, 3, plan=scan_pb2.PLAN_FLASH)
    await _show_colours(stream, then=2)
    await _retry(stream)
    # An attempt without a flash: the screen is normal again.
    await stream.begin_attempt()
    await stream.receive_frames(4)
    await _finish(stream)


@_scenario(
    "flash-after-doubt",
    "colours are shown in an attempt after one without them",
    needs=(scan_pb2.CAPABILITY_FLASH,),
)
async def _flash_after_doubt(scan: Scan) -> None:
    stream = await _capture(scan, 8)
    await _retry(stream)
    await stream.begin_attempt(plan=scan_pb2.PLAN_FLASH)
    await stream.receive_frames(3)
    await _show_colours(stream, then=2)
    await _finish(stream)


@_scenario("flash-fast", "colours that come too fast are held", needs=(scan_pb2.CAPABILITY_FLASH,))
async def _flash_fast(scan: Scan) -> None:
    stream = await _capture(scan, 2, plan=scan_pb2.PLAN_FLASH)
    for number, colour in enumerate(_COLOURS[:3], start=1):
        await _reveal(stream, number, colour, hold_ms=50)
    await _named(stream, 3)
    await _finish(stream)


@_scenario(
    "flash-open-mouth",
    "the last colour stays until the mouth is opened",
    needs=(scan_pb2.CAPABILITY_FLASH, scan_pb2.CAPABILITY_OPEN_MOUTH),
)
async def _open_mouth(scan: Scan) -> None:
    stream = await _capture(scan, 2, plan=scan_pb2.PLAN_FLASH)
    await _show_colours(stream, then=0)
    last = len(_COLOURS)
    for _ in range(_MOST_REQUESTS):
        request = feedback_pb2.Feedback(code=feedback_pb2.FEEDBACK_CODE_OPEN_MOUTH)
        await stream.send(Response(feedback=request))
        await stream.receive_frames(8)
        if stream.flash.named != last:
            raise Violation(
                Rule.FLASH,
                f"a frame names step {stream.flash.named} while the mouth is to be opened; the last step, "
                f"{last}, stays on display until CaptureComplete",
            )
    await _finish(stream)


_GESTURES: Final = (
    feedback_pb2.FEEDBACK_CODE_TURN_RIGHT,
    feedback_pb2.FEEDBACK_CODE_OPEN_MOUTH,
    feedback_pb2.FEEDBACK_CODE_TURN_LEFT,
)


@_scenario(
    "gestures-after-doubt",
    "turns of the head and an open mouth are asked for, while frames come on",
    needs=(scan_pb2.CAPABILITY_TURN_HEAD, scan_pb2.CAPABILITY_OPEN_MOUTH),
)
async def _gestures_after_doubt(scan: Scan) -> None:
    stream = await _capture(scan, 8)
    await _retry(stream)
    await stream.begin_attempt()
    await stream.receive_frames(3)
    for code in _GESTURES:
        await stream.send(Response(feedback=feedback_pb2.Feedback(code=code)))
        await stream.receive_frames(8)
    await _finish(stream)


@_scenario("movement", "the oval moves twice", needs=(scan_pb2.CAPABILITY_OVAL_CHANGE,))
async def _movement(scan: Scan) -> None:
    stream = await scan.open()
    book = await stream.begin_attempt(plan=scan_pb2.PLAN_MOVEMENT)
    for change, width in enumerate((0.4, 0.7), start=1):
        oval = scan_pb2.Oval(center_x=0.5, center_y=0.5, width=width, height=width)
        message = scan_pb2.OvalChange(oval=oval, change=change, transition_duration=duration(0.3))
        await stream.send(Response(oval_change=message))
        await stream.receive_frames(4)
    if book.least_side < _LEAST_SIDE:
        raise Violation(
            Rule.FRAME_IMAGE,
            f"the shorter side of a frame has {book.least_side} pixels; a movement needs {_LEAST_SIDE}",
        )
    await _finish(stream)


_Spoil = Callable[[Scan, _Body], scan_pb2.Challenge]


def _signed(scan: Scan, body: _Body, **fields: bytes | int) -> scan_pb2.Challenge:
    """Return a genuine Challenge whose body has some wrong fields."""
    for name, value in fields.items():
        setattr(body, name, value)
    return scan.challenge(body)


def _other_key(scan: Scan, body: _Body) -> scan_pb2.Challenge:
    return scan.challenge(body, key=ec.generate_private_key(ec.SECP256R1()))


def _signature(scan: Scan, body: _Body) -> scan_pb2.Challenge:
    challenge = _other_key(scan, body)
    challenge.signing_public_key = public_key_der(scan.ticket.private_key.public_key())
    return challenge


def _changed_body(scan: Scan, body: _Body) -> scan_pb2.Challenge:
    challenge = scan.challenge(body)
    body.attempts_remaining += 1
    challenge.body = body.SerializeToString()
    return challenge


def _replayed(scan: Scan, body: _Body) -> scan_pb2.Challenge:
    start = scan_pb2.ScanStart.FromString(scan.start.message.raw)
    start.key_share = secrets.token_bytes(32)
    return scan.challenge(body, start=start.SerializeToString())


def _raw_signature(scan: Scan, body: _Body) -> scan_pb2.Challenge:
    challenge = scan.challenge(body)
    r, s = decode_dss_signature(challenge.signature)
    challenge.signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return challenge


def _unframed(scan: Scan, body: _Body) -> scan_pb2.Challenge:
    challenge = scan.challenge(body)
    whole = challenge_message(start=scan.start.message.raw, body=challenge.body)
    other_domain = whole.replace(b"facegate/v1/challenge", b"facegate/v2/challenge")
    challenge.signature = sign(scan.ticket.private_key, other_domain)
    return challenge


_SPOILED: Final[tuple[tuple[str, str, _Spoil], ...]] = (
    ("other-key", "of another key than the pinned one", _other_key),
    ("signature", "whose signature is of another key", _signature),
    ("body", "that was changed on the way", _changed_body),
    ("replayed", "for another ScanStart", _replayed),
    ("raw-signature", "whose signature is r || s", _raw_signature),
    ("domain", "that was signed with another domain text", _unframed),
    ("short-nonce", "with a nonce of 16 bytes", partial(_signed, nonce=bytes(range(16)))),
    ("short-share", "with a key share of 31 bytes", partial(_signed, key_share=bytes(range(31)))),
    ("zero-share", "with a key share of small order", partial(_signed, key_share=bytes(32))),
    ("version", "of protocol version 2", partial(_signed, protocol_version=2)),
)


async def _refuse_challenge(scan: Scan, *, spoil: _Spoil) -> None:
    body = challenge_body(X25519PrivateKey.generate())
    await scan.expect_refusal_of(Response(challenge=spoil(scan, body)))
    await scan.expect_no_reconnect()


for _what, _purpose, _spoil in _SPOILED:
    _scenario(f"challenge-{_what}", f"a Challenge {_purpose} is refused", reports_result=False)(
        partial(_refuse_challenge, spoil=_spoil)
    )


@_scenario("challenge-missing", "an AttemptStart without a Challenge is refused", reports_result=False)
async def _challenge_missing(scan: Scan) -> None:
    attempt = scan_pb2.AttemptStart(attempt=1, nonce=bytes(16), credit=scan_pb2.Credit(frames=8, bytes=10**6))
    await scan.expect_refusal_of(Response(attempt_start=attempt))
    await scan.expect_no_reconnect()


async def _resume(scan: Scan, *, asked_s: float = 0.0, proof: bool = True) -> None:
    """Wait for a reconnect, and play the rest of the scan."""
    await scan.wait_for_reconnect(asked_s=asked_s)
    await _finish(await _capture(scan, proof=proof))


@_scenario("lost-line", "the connection is lost among frames")
async def _lost_line(scan: Scan) -> None:
    await _capture(scan)
    scan.interrupt(scan.start.stream.cut)
    await _resume(scan)


@_scenario("lost-before-challenge", "the connection is lost before the Challenge")
async def _lost_before_challenge(scan: Scan) -> None:
    scan.interrupt(scan.start.stream.cut)
    await _resume(scan)


@_scenario("lost-between-attempts", "the connection is lost after a result")
async def _lost_between_attempts(scan: Scan) -> None:
    await _retry(await _capture(scan))
    scan.interrupt(scan.start.stream.cut, result=True)
    await _resume(scan)


@_scenario("lost-after-end", "the connection is lost after AttemptEnd, and the check is decided")
async def _lost_after_end(scan: Scan) -> None:
    await (await _capture(scan)).complete_capture()
    scan.interrupt(scan.start.stream.cut)
    await scan.wait_for_reconnect()
    decided = {"decidedByAttempt": 1}
    scan.refuse(Refusal(Reason.CHECK_CLOSED, "the check was decided", details=decided))
    await scan.expect_no_reconnect()


@_scenario(
    "end-too-late",
    "AttemptEnd arrives too late, and no attempt is left: nothing is decided",
    reports_result=False,
)
async def _end_too_late(scan: Scan) -> None:
    await (await _capture(scan)).complete_capture()
    scan.interrupt(partial(scan.refuse, Refusal(Reason.STREAM_IDLE, "the end did not arrive in time")))
    await scan.wait_for_reconnect()
    used_up = {"maxAttempts": 1}
    scan.refuse(Refusal(Reason.CHECK_CLOSED, "all attempts are used up", details=used_up))
    await scan.expect_no_reconnect()


@_scenario("proxy-failed", "the stream fails without an ErrorInfo")
async def _proxy_failed(scan: Scan) -> None:
    await _capture(scan, 2)
    scan.interrupt(scan.start.stream.fail)
    await _resume(scan)


@_scenario("end-without-result", "the stream ends without a result")
async def _end_without_result(scan: Scan) -> None:
    await _capture(scan, 2)
    scan.interrupt(scan.start.stream.finish)
    await _resume(scan)


@_scenario("draining", "the server asks for a reconnect after 1 s")
async def _draining(scan: Scan) -> None:
    stream = await _capture(scan)
    await _retry(stream)
    scan.interrupt(result=True)
    await stream.send_goodbye(_Bye.REASON_DRAINING, after_s=1.0)
    await _resume(scan, asked_s=1.0)


@_scenario("not-serving", "the server refuses with a RetryInfo of 1 s")
async def _not_serving(scan: Scan) -> None:
    scan.interrupt(partial(scan.refuse, Refusal(Reason.NOT_SERVING, "the server starts", retry_after=1.0)))
    await _resume(scan, asked_s=1.0, proof=False)


@_scenario("idle", "the server ends an idle stream")
async def _idle(scan: Scan) -> None:
    await _capture(scan, 2)
    scan.interrupt(partial(scan.refuse, Refusal(Reason.STREAM_IDLE, "the device was silent")))
    await _resume(scan)


async def _say_goodbye(scan: Scan, *, reason: _Bye.Reason.ValueType) -> None:
    stream = await _capture(scan, 2)
    await stream.send_goodbye(reason, after_s=None)
    await scan.expect_no_reconnect()


_scenario("superseded", "a Goodbye is final", reports_result=False)(
    partial(_say_goodbye, reason=_Bye.REASON_SUPERSEDED)
)
_scenario("unknown-goodbye", "a Goodbye of a later version is final", reports_result=False)(
    partial(_say_goodbye, reason=99)  # type: ignore[arg-type]  # of a later version
)


@_scenario("refused", "a refused token is final", reports_result=False)
async def _refused(scan: Scan) -> None:
    scan.refuse(Refusal(Reason.TOKEN_EXPIRED, "the token is too old"))
    await scan.expect_no_reconnect()


@_scenario("too-many-failures", "a refusal with a RetryInfo is final", reports_result=False)
async def _too_many_failures(scan: Scan) -> None:
    scan.refuse(Refusal(Reason.TOO_MANY_FAILURES, "too many checks failed", retry_after=0.5))
    await scan.expect_no_reconnect()


@_scenario("deadline", "no reconnect after the deadline of the scan", reports_result=False)
async def _deadline(scan: Scan) -> None:
    def near(body: _Body) -> None:
        body.scan_deadline.FromNanoseconds(body.server_time.ToNanoseconds() + 10**9)

    stream = await _capture(scan, 2, near)
    await stream.send_goodbye(_Bye.REASON_DRAINING, after_s=1.5)
    await scan.expect_no_reconnect(within_s=2.5)


@_scenario("back-off", "the connection is lost four times")
async def _back_off(scan: Scan) -> None:
    stream = await _capture(scan, 2)
    for _ in range(4):
        scan.interrupt(scan.start.stream.cut)
        await scan.wait_for_reconnect()
        stream = await _capture(scan, 2, proof=True)
    await _finish(stream)


@_scenario("no-challenge", "the server is silent for 10 seconds")
async def _no_challenge(scan: Scan) -> None:
    await scan.stay_silent(10.0)
    await _resume(scan)


@_scenario("reconnect-limit", "the connection is lost eleven times", reports_result=False)
async def _reconnect_limit(scan: Scan) -> None:
    # A frame shows that the Challenge has arrived.
    await _capture(scan, 1)
    for _ in range(10):
        scan.interrupt(scan.start.stream.cut)
        await scan.wait_for_reconnect(within_s=14.0)
        await scan.open(proof=True)
    scan.interrupt(scan.start.stream.cut)
    await scan.expect_no_reconnect(within_s=10.0)
