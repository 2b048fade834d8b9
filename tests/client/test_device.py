"""A device: attempts and their frames, challenges, evidence, and streams that break."""

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import grpc
import pytest
from facegate.v1 import device_pb2, feedback_pb2, scan_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from hypothesis import given
from hypothesis import strategies as st

from facegate_client import (
    CallRefusedError,
    CapturedImage,
    ConnectionFailedError,
    Pixels,
    ProtocolViolatedError,
    ReconnectPolicy,
    ScanEndedError,
    ScanEvents,
    ScanSettings,
    ScanTicket,
    ServerNotTrustedError,
    SourceError,
    generated_source,
)
from facegate_client.errors import ERROR_DOMAIN, translated_in_stream
from facegate_protocol import evidence_challenge
from tests.client.fake_server import LOST, RETRY, SUCCESS, FakeServer, Refuse, Send, StreamPlan, serving
from tests.client.fakes import FAST, CutProxy, Recorder, cutting, pictures, scanned, scanning
from tests.server.live import until

# Attempts and their frames.

Cause = scan_pb2.AttemptEndBody


async def test_one_attempt_is_sent_in_order_and_signed() -> None:
    fake, events = FakeServer(), Recorder()
    outcome = await scanned(fake, events=events)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert outcome.attempts == outcome.streams == 1
    assert 6 <= outcome.frames == len(fake.frames) == events.sent <= 9
    assert fake.ends[0].cause == Cause.CAUSE_COMPLETE
    assert fake.half_closed == 1
    assert feedback_pb2.FEEDBACK_CODE_GOOD in events.hints
    assert events.finished == [1]
    assert not outcome.source_ended
    assert outcome.source_error is None


async def test_start_states_the_client_and_its_version() -> None:
    fake = FakeServer()
    await scanned(fake)
    (start,) = fake.starts
    assert start.device.platform == device_pb2.PLATFORM_DESKTOP
    assert start.camera.label == "generated"
    assert list(start.capabilities) == [scan_pb2.CAPABILITY_CAPTURE_ADJUSTMENT, scan_pb2.CAPABILITY_READY]
    assert start.server_spki_sha256 == b""
    assert not start.resume
    (attestation,) = fake.attestations
    assert attestation.unavailable.reason == device_pb2.AttestationUnavailable.REASON_NOT_SUPPORTED


async def test_source_that_ends_first_ends_the_attempt() -> None:
    fake = FakeServer(StreamPlan(frames_wanted=0))
    outcome = await scanned(fake, frames=5)
    assert outcome.frames == 5
    assert fake.ends[0].cause == Cause.CAUSE_SOURCE_ENDED
    assert outcome.source_ended
    assert outcome.source_error is None


async def test_fast_source_waits_for_credit_and_drops_nothing() -> None:
    fake = FakeServer(StreamPlan(frames_wanted=0, credit=1))
    outcome = await scanned(fake, frames=20)
    assert (outcome.frames, outcome.dropped) == (20, 0)


_A_MINUTE = 1500
"""Frames of a recording in real time that does not end before a slow server has acted."""


async def test_realtime_source_drops_before_the_index_without_credit() -> None:
    taken = 0

    def filmed() -> Iterator[tuple[Pixels | bytes, float]]:
        nonlocal taken
        for picture in pictures(_A_MINUTE):
            taken += 1
            yield picture

    async def credit_late(frame: int, send: Send) -> None:
        if frame == 2:
            await until(lambda: taken >= 12)
            await send(scan_pb2.ScanFaceResponse(credit=scan_pb2.Credit(frames=50, bytes=500_000)))

    plan = StreamPlan(frames_wanted=10, credit=2, withhold_credit=True, extra_credit=50, act=credit_late)
    fake = FakeServer(plan)
    outcome = await scanned(fake, source=generated_source(filmed(), pace="realtime"))
    assert outcome.dropped >= 4
    # At the end, one image may be read and another encoded.
    assert 0 <= taken - outcome.frames - outcome.dropped <= 2
    assert [frame.header.index for frame in fake.frames] == list(range(outcome.frames))
    assert fake.frames[2].header.dropped_before >= 4
    assert fake.ends[0].dropped_count == outcome.dropped


async def test_bytes_of_credit_bind_too() -> None:
    fake = FakeServer(StreamPlan(frames_wanted=0, credit=100, credit_bytes=3_000, withhold_credit=True))
    outcome = await scanned(fake, frames=30, pace="realtime")
    assert sum(len(frame.image) for frame in fake.frames) <= 3_000
    assert 0 < outcome.frames < 30
    assert outcome.dropped == 30 - outcome.frames


async def test_attempts_follow_in_one_stream_while_conditions_are_retried() -> None:
    fake, events = FakeServer(StreamPlan(results=[RETRY, RETRY, SUCCESS], frames_wanted=4)), Recorder()
    outcome = await scanned(fake, frames=60, events=events)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert (outcome.attempts, outcome.streams) == (3, 1)
    assert events.finished == [1, 2, 3]
    assert {frame.header.attempt for frame in fake.frames} == {1, 2, 3}


async def test_device_leaves_when_the_source_is_exhausted() -> None:
    fake = FakeServer(StreamPlan(results=[RETRY, SUCCESS], frames_wanted=0))
    outcome = await scanned(fake, frames=4)
    assert outcome.status == scan_pb2.SCAN_STATUS_RETRY
    assert outcome.feedback == (feedback_pb2.FEEDBACK_CODE_TOO_DARK,)
    assert fake.half_closed == 1


async def test_device_makes_no_more_attempts_than_it_is_asked_for() -> None:
    fake = FakeServer(StreamPlan(results=[RETRY, RETRY, SUCCESS], frames_wanted=3))
    settings = replace(FAST, max_attempts=2)
    outcome = await scanned(fake, frames=60, settings=settings)
    assert (outcome.attempts, outcome.status) == (2, scan_pb2.SCAN_STATUS_RETRY)


async def test_adjustment_makes_frames_smaller() -> None:
    async def adjust(frame: int, send: Send) -> None:
        if frame == 2:
            message = scan_pb2.CaptureAdjustment(max_side=24)
            await send(scan_pb2.ScanFaceResponse(capture_adjustment=message))

    fake = FakeServer(StreamPlan(act=adjust, credit=1, frames_wanted=8))
    await scanned(fake, frames=20)
    assert (fake.frames[0].header.width, fake.frames[0].header.height) == (32, 48)
    assert (fake.frames[-1].header.width, fake.frames[-1].header.height) == (16, 24)


async def test_adjustment_lowers_the_rate() -> None:
    async def adjust(frame: int, send: Send) -> None:
        if frame == 1:
            message = scan_pb2.CaptureAdjustment(max_frames_per_second=5)
            await send(scan_pb2.ScanFaceResponse(capture_adjustment=message))

    fake = FakeServer(StreamPlan(act=adjust, credit=1, frames_wanted=0))
    outcome = await scanned(fake, frames=50)
    times = [frame.header.capture_time_us for frame in fake.frames[3:]]
    assert (times[-1] - times[0]) / (len(times) - 1) >= 180_000
    assert outcome.dropped == 0


async def test_pause_holds_frames_back() -> None:
    async def pause(frame: int, send: Send) -> None:
        if frame == 3:
            await send(_pause(paused=True))
            await until(lambda: events.pauses == [True])
            await asyncio.sleep(1.0)
            await send(_pause(paused=False))

    fake, events = FakeServer(StreamPlan(act=pause, credit=5, frames_wanted=8)), Recorder()
    await scanned(fake, frames=_A_MINUTE, pace="realtime", events=events)
    assert events.pauses == [True, False]
    times = [frame.header.capture_time_us for frame in fake.frames]
    assert max(b - a for a, b in itertools.pairwise(times)) >= 150_000


async def test_cancelling_ends_the_attempt_with_its_cause() -> None:
    class CancelAfter(ScanEvents):
        def frame_sent(self, attempt: int, index: int, size: int) -> None:
            if index == 2:
                scanner.cancel()

    fake = FakeServer(StreamPlan(frames_wanted=0, results=[RETRY, SUCCESS]))
    async with scanning(fake, frames=60, events=CancelAfter()) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert fake.ends[0].cause == Cause.CAUSE_CANCELLED
    assert (outcome.attempts, outcome.frames) == (1, 3)


async def test_attempt_ends_before_the_servers_longest_duration() -> None:
    def short(body: scan_pb2.ChallengeBody) -> None:
        body.budget.max_attempt_duration.FromMilliseconds(400)

    fake = FakeServer(StreamPlan(frames_wanted=0, body_changes=short))
    await scanned(fake, frames=_A_MINUTE, pace="realtime")
    assert fake.ends[0].cause == Cause.CAUSE_TIMED_OUT


@pytest.mark.parametrize(
    ("field", "limit", "frames"), [("max_frames_per_attempt", 5, 5), ("max_scan_bytes", 6_000, 3)]
)
async def test_budget_is_kept(field: str, limit: int, frames: int) -> None:
    def tight(body: scan_pb2.ChallengeBody) -> None:
        setattr(body.budget, field, limit)

    fake = FakeServer(StreamPlan(frames_wanted=0, body_changes=tight))
    outcome = await scanned(fake, frames=50)
    assert fake.ends[0].cause == Cause.CAUSE_TIMED_OUT
    assert outcome.frames == frames


async def test_result_before_the_end_is_taken() -> None:
    async def decide(frame: int, send: Send) -> None:
        if frame == 3:
            await send(
                scan_pb2.ScanFaceResponse(
                    scan_result=scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_FAILURE)
                )
            )

    fake = FakeServer(StreamPlan(frames_wanted=0, act=decide, withhold_credit=True, credit=3))
    outcome = await scanned(fake, frames=10)
    assert outcome.status == scan_pb2.SCAN_STATUS_FAILURE
    assert fake.ends == []


async def test_camera_that_fails_ends_the_attempt_and_is_reported() -> None:
    class Failing:
        def __init__(self) -> None:
            self._good = generated_source(pictures(3), pace="fast")
            self.camera, self.pace, self.closed = self._good.camera, self._good.pace, 0

        def begin_attempt(self) -> None:
            self._good.begin_attempt()

        def __aiter__(self) -> "Failing":
            return self

        async def __anext__(self) -> CapturedImage:
            try:
                return await anext(self._good)
            except StopAsyncIteration:
                raise SourceError("unplugged") from None

        async def aclose(self) -> None:
            self.closed += 1

    fake, source = FakeServer(StreamPlan(frames_wanted=0)), Failing()
    outcome = await scanned(fake, source=source)
    assert fake.ends[0].cause == Cause.CAUSE_CAMERA_FAILED
    assert str(outcome.source_error) == "unplugged"
    assert source.closed == 1


async def test_exception_of_the_interface_ends_the_scan() -> None:
    class Broken(ScanEvents):
        def frame_sent(self, attempt: int, index: int, size: int) -> None:
            raise RuntimeError("the interface broke")

    with pytest.raises(RuntimeError, match="the interface broke"):
        await scanned(FakeServer(), events=Broken())


def test_ticket_does_not_show_its_token() -> None:
    assert "secret" not in repr(ScanTicket(token="secret", challenge_key_sha256=bytes(32)))


def _pause(*, paused: bool) -> scan_pb2.ScanFaceResponse:
    return scan_pb2.ScanFaceResponse(
        capture_pause=scan_pb2.CapturePause(paused=paused, reason=feedback_pb2.FEEDBACK_CODE_CENTER_FACE)
    )


# The device's tests of the server's challenge before it sends a frame.


@pytest.mark.parametrize(
    "plan", [StreamPlan(other_key=True), StreamPlan(bad_signature=True)], ids=["key", "signature"]
)
async def test_untrusted_challenge_gets_no_frame(plan: StreamPlan) -> None:
    fake = FakeServer(plan)
    with pytest.raises(ServerNotTrustedError):
        await scanned(fake)
    assert fake.frames == []
    assert fake.attestations == []


def _challenging(**fields: object) -> StreamPlan:
    """A plan whose ChallengeBody has other fields."""

    def change(body: scan_pb2.ChallengeBody) -> None:
        for name, value in fields.items():
            setattr(body, name, value)

    return StreamPlan(body_changes=change)


@pytest.mark.parametrize(
    ("plan", "word"),
    [
        (_challenging(protocol_version=2), "version 2"),
        (_challenging(nonce=bytes(31)), "31 bytes"),
        (_challenging(key_share=bytes(32)), "key share"),
        (StreamPlan(first=scan_pb2.ScanFaceResponse(credit=scan_pb2.Credit(frames=1))), "not a Challenge"),
        (StreamPlan(plan=scan_pb2.PLAN_FLASH), "PLAN_FLASH"),
    ],
    ids=["version", "short nonce", "share of small order", "no challenge", "flash was not announced"],
)
async def test_what_the_protocol_does_not_allow_is_a_violation(plan: StreamPlan, word: str) -> None:
    with pytest.raises(ProtocolViolatedError, match=word):
        await scanned(FakeServer(plan))


# Evidence of the platform: its messages and their times.


class Pieces:
    """A platform that makes a set number of pieces of evidence for each stream."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.bindings: list[bytes] = []

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        self.bindings.append(binding)
        for number in range(self.count):
            assertion = device_pb2.AppAttestAssertion(key_id=bytes([number]) * 32, assertion=binding)
            yield device_pb2.Attestation(app_attest_assertion=assertion)


@pytest.mark.parametrize(("made", "sent"), [(0, 0), (1, 1), (2, 2), (4, 4), (6, 4)])
async def test_pieces_are_sent_in_order_up_to_the_protocols_limit(made: int, sent: int) -> None:
    fake, platform = FakeServer(), Pieces(made)
    outcome = await scanned(fake, attestor=platform)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert [one.app_attest_assertion.key_id[0] for one in fake.attestations] == list(range(sent))
    (binding,) = platform.bindings
    assert {one.app_attest_assertion.assertion for one in fake.attestations} <= {binding}


async def test_the_platforms_words_on_device_and_camera_are_sent() -> None:
    fake = FakeServer()
    device = device_pb2.DeviceProfile(platform=device_pb2.PLATFORM_IOS, model="iPhone16,1")
    camera = device_pb2.CameraProfile(label="Front", facing=device_pb2.CAMERA_FACING_FRONT)
    await scanned(fake, profile=device, camera=camera)
    (start,) = fake.starts
    assert (start.device, start.camera) == (device, camera)


@pytest.mark.parametrize("takes", [True, False])
async def test_findings_go_with_the_evidence_to_servers_that_take_them(takes: bool) -> None:
    def announce(body: scan_pb2.ChallengeBody) -> None:
        body.attestation.runtime_findings = takes

    fake, platform = FakeServer(StreamPlan(body_changes=announce)), Pieces(2)
    findings = device_pb2.RuntimeFindings(looked_for=[device_pb2.RUNTIME_FINDING_KIND_ROOT])
    await scanned(fake, attestor=platform, runtime_findings=findings)
    (start,) = fake.starts
    assert scan_pb2.CAPABILITY_RUNTIME_FINDINGS in start.capabilities
    sent = findings.SerializeToString() if takes else b""
    assert [one.runtime_findings for one in fake.attestations] == [sent, sent]
    assert platform.bindings == [evidence_challenge(binding=fake.bindings[0], findings=sent)]


async def test_a_client_without_findings_announces_none() -> None:
    fake = FakeServer()
    await scanned(fake)
    (start,) = fake.starts
    assert scan_pb2.CAPABILITY_RUNTIME_FINDINGS not in start.capabilities
    assert [one.runtime_findings for one in fake.attestations] == [b""]


# A person who gets ready between two attempts, and the time until a device reconnects.


class _Person:
    """A person who gets ready when the test sets it."""

    def __init__(self) -> None:
        self.scan_results: list[scan_pb2.ScanResult] = []
        self.asked = asyncio.Event()
        self.ready = asyncio.Event()
        self.left_alone = False

    async def __call__(self, result: scan_pb2.ScanResult) -> None:
        self.scan_results.append(result)
        self.asked.set()
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self.left_alone = True
            raise


async def test_the_device_announces_ready_and_is_ready_at_once() -> None:
    fake = FakeServer(StreamPlan(results=[RETRY, RETRY, SUCCESS], ready_within_s=60))
    outcome = await scanned(fake, frames=60)
    assert scan_pb2.CAPABILITY_READY in fake.starts[0].capabilities
    assert (outcome.status, outcome.attempts, fake.readies) == (scan_pb2.SCAN_STATUS_SUCCESS, 3, 2)


async def test_a_server_that_does_not_wait_gets_no_report() -> None:
    fake, person = FakeServer(StreamPlan(results=[RETRY, SUCCESS])), _Person()
    outcome = await scanned(fake, frames=60, get_ready=person)
    assert (outcome.status, fake.readies, person.scan_results) == (scan_pb2.SCAN_STATUS_SUCCESS, 0, [])


async def test_the_next_attempt_waits_for_the_person() -> None:
    fake, person = FakeServer(StreamPlan(results=[RETRY, SUCCESS], ready_within_s=60)), _Person()
    scan = asyncio.ensure_future(scanned(fake, frames=60, get_ready=person))
    await person.asked.wait()
    await asyncio.sleep(0.2)
    assert (fake.readies, len(fake.ends)) == (0, 1)
    person.ready.set()
    outcome = await scan
    assert list(person.scan_results[0].feedback) == [feedback_pb2.FEEDBACK_CODE_TOO_DARK]
    assert (outcome.status, outcome.attempts, fake.readies) == (scan_pb2.SCAN_STATUS_SUCCESS, 2, 1)


async def test_a_connection_that_is_lost_meanwhile_is_resumed_when_the_person_is_ready() -> None:
    fake = FakeServer(
        StreamPlan(results=[RETRY, SUCCESS], ready_within_s=60, lost_between=True, breaking=LOST),
        StreamPlan(),
    )
    person, events = _Person(), Recorder()
    scan = asyncio.ensure_future(scanned(fake, frames=60, get_ready=person, events=events))
    await person.asked.wait()
    await events.lost.wait()
    await asyncio.sleep(0.2)
    assert len(fake.starts) == 1
    person.ready.set()
    outcome = await scan
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 2)
    assert len(person.scan_results) == 1
    assert not person.left_alone


async def test_cancelling_between_attempts_ends_the_next_attempt() -> None:
    fake, person = FakeServer(StreamPlan(results=[RETRY, RETRY, SUCCESS], ready_within_s=60)), _Person()
    async with scanning(fake, frames=60, get_ready=person) as scanner:
        scan = asyncio.ensure_future(scanner.scan())
        await person.asked.wait()
        scanner.cancel()
        outcome = await scan
    assert fake.violations == []
    assert fake.ends[-1].cause == scan_pb2.AttemptEndBody.CAUSE_CANCELLED
    assert (outcome.attempts, person.left_alone) == (2, True)


async def test_an_error_of_the_person_callback_ends_the_scan() -> None:
    async def broken(_: scan_pb2.ScanResult) -> None:
        raise RuntimeError("the app broke")

    fake = FakeServer(StreamPlan(results=[RETRY, SUCCESS], ready_within_s=60))
    with pytest.raises(RuntimeError, match="the app broke"):
        await scanned(fake, frames=60, get_ready=broken)
    assert len(fake.starts) == 1


async def test_a_result_resets_the_back_off() -> None:
    lost = StreamPlan(break_after=1, breaking=LOST)
    fake = FakeServer(
        lost, lost, lost, StreamPlan(results=[RETRY, SUCCESS], lost_between=True, breaking=LOST), StreamPlan()
    )
    events = Recorder()
    policy = ReconnectPolicy(initial_s=0.02, cap_s=5.0)
    settings = replace(FAST, reconnect=policy)
    outcome = await scanned(fake, frames=80, events=events, settings=settings)
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 5)
    assert [number for number, _ in events.waits] == [1, 2, 3, 4]
    waits = [seconds for _, seconds in events.waits]
    assert waits[2] >= 0.5 * 4 * policy.initial_s
    assert waits[3] <= policy.initial_s


_RETRIES = 1000
_SERVER = f"""
import asyncio
from tests.client.fake_server import FakeServer, serving
from tests.client.fake_server import RETRY, SUCCESS, StreamPlan

async def serve():
    results = [RETRY] * {_RETRIES} + [SUCCESS]
    fake = FakeServer(StreamPlan(results=results, ready_within_s=60, frames_wanted=1))
    async with serving(fake) as target:
        print(target, fake.token, fake.challenge_key_sha256.hex(), flush=True)
        await asyncio.Event().wait()

asyncio.run(serve())
"""


@pytest.mark.slow
async def test_no_stream_is_lost_when_the_next_attempt_overtakes_the_report() -> None:
    """The answer of a server in another process may be seen before the report is known to be sent."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVER, stdout=subprocess.PIPE, limit=1024
    )
    try:
        assert server.stdout is not None
        target, token, fingerprint = (await server.stdout.readline()).decode().split()
        outcome = await scanned(
            FakeServer(),
            target=target,
            ticket=ScanTicket(token=token, challenge_key_sha256=bytes.fromhex(fingerprint)),
            # The client may send more than the one frame that is wanted before it hears that.
            frames=10 * _RETRIES,
            settings=replace(FAST, max_attempts=_RETRIES + 1, stream_timeout_s=600),
        )
    finally:
        server.kill()
        await server.wait()
    assert (outcome.streams, outcome.attempts) == (1, _RETRIES + 1)


# Streams that break, are left, or are refused, and the device's reaction.


async def test_lost_connection_is_resumed_with_the_same_session_key() -> None:
    fake = FakeServer(
        StreamPlan(break_after=3, breaking=LOST), StreamPlan(break_after=2, breaking=LOST), StreamPlan()
    )
    events = Recorder()
    outcome = await scanned(fake, frames=60, events=events)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert (outcome.streams, fake.resume_proofs, len(events.losses)) == (3, 2, 2)
    assert [start.resume for start in fake.starts] == [False, True, True]
    assert len({start.session_public_key for start in fake.starts}) == 1
    assert len({start.key_share for start in fake.starts}) == 3
    times = [frame.header.capture_time_us for frame in fake.frames]
    assert times == sorted(set(times))


async def test_stream_that_closes_without_a_result_is_resumed() -> None:
    fake = FakeServer(StreamPlan(break_after=2, breaking=None), StreamPlan())
    outcome = await scanned(fake, frames=40)
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 2)


async def test_reconnects_are_bounded() -> None:
    fake = FakeServer(StreamPlan(break_after=1, breaking=LOST))
    settings = replace(FAST, reconnect=ReconnectPolicy(limit=3, initial_s=0.01, cap_s=0.01))
    with pytest.raises(ConnectionFailedError):
        await scanned(fake, frames=200, settings=settings)
    assert len(fake.starts) == 4


async def test_a_refused_connection_is_reported_soon() -> None:
    with pytest.raises(ConnectionFailedError):
        await scanned(FakeServer(), target="127.0.0.1:1")


async def test_silent_server_is_given_up() -> None:
    fake = FakeServer(StreamPlan(silent=True))
    settings = ScanSettings(
        handshake_timeout_s=0.1, reconnect=ReconnectPolicy(first_limit=1, initial_s=0.01, cap_s=0.01)
    )
    with pytest.raises(ConnectionFailedError, match="no Challenge"):
        await scanned(fake, settings=settings)


async def test_a_server_that_refuses_is_asked_again_more_often_than_one_that_is_silent() -> None:
    busy = StreamPlan(refuse=Refuse(code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED"))
    fake = FakeServer(busy, StreamPlan(refuse=LOST), StreamPlan(refuse=LOST), busy, StreamPlan())
    settings = replace(FAST, reconnect=ReconnectPolicy(initial_s=0.01, cap_s=0.01))
    outcome = await scanned(fake, settings=settings)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert len(fake.starts) == 5


async def test_draining_server_is_left_and_met_again() -> None:
    goodbye = scan_pb2.Goodbye(
        reason=scan_pb2.Goodbye.REASON_DRAINING, reconnect_after=Duration(nanos=50_000_000)
    )
    fake, events = FakeServer(StreamPlan(break_after=2, breaking=goodbye), StreamPlan()), Recorder()
    began = time.monotonic()
    outcome = await scanned(fake, frames=40, events=events)
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 2)
    assert time.monotonic() - began >= 0.05
    assert "DRAINING" in events.losses[0]


@pytest.mark.parametrize("reason", ["SUPERSEDED", "DEADLINE", "CHECK_CLOSED"])
async def test_goodbye_for_good_ends_the_scan(reason: str) -> None:
    goodbye = scan_pb2.Goodbye(reason=scan_pb2.Goodbye.Reason.Value(f"REASON_{reason}"))
    fake = FakeServer(StreamPlan(break_after=2, breaking=goodbye))
    with pytest.raises(ScanEndedError) as caught:
        await scanned(fake)
    assert caught.value.reason == reason
    assert len(fake.starts) == 1


_LOST_AT_END = StreamPlan(break_after_end=True, breaking=LOST)


async def test_result_that_a_lost_connection_withheld_is_fetched() -> None:
    fake = FakeServer(_LOST_AT_END, StreamPlan(result_first=SUCCESS))
    outcome = await scanned(fake)
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 2)


async def test_check_that_was_decided_while_the_connection_was_lost_is_completed() -> None:
    closed = Refuse(
        code=grpc.StatusCode.FAILED_PRECONDITION, reason="CHECK_CLOSED", metadata={"decidedByAttempt": "1"}
    )
    fake = FakeServer(_LOST_AT_END, StreamPlan(refuse=closed))
    outcome = await scanned(fake)
    assert outcome.status == scan_pb2.SCAN_STATUS_COMPLETED


@pytest.mark.parametrize(
    ("before", "metadata"),
    [([], {}), ([_LOST_AT_END], {}), ([_LOST_AT_END], {"maxAttempts": "1"})],
    ids=["nothing was sent", "not said", "no attempts are left"],
)
async def test_a_check_that_no_attempt_decided_is_not_completed(
    before: list[StreamPlan], metadata: dict[str, str]
) -> None:
    closed = Refuse(code=grpc.StatusCode.FAILED_PRECONDITION, reason="CHECK_CLOSED", metadata=metadata)
    fake = FakeServer(*before, StreamPlan(refuse=closed))
    with pytest.raises(CallRefusedError) as caught:
        await scanned(fake)
    assert caught.value.refusal.reason == "CHECK_CLOSED"
    assert len(fake.starts) == len(before) + 1


async def test_an_overloaded_server_is_asked_again_after_its_delay() -> None:
    busy = Refuse(code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_after_s=0.05)
    fake = FakeServer(StreamPlan(refuse=busy), StreamPlan())
    outcome = await scanned(fake)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert [start.resume for start in fake.starts] == [False, False]


@pytest.mark.parametrize(
    ("code", "reason", "after"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", None),
        (grpc.StatusCode.INVALID_ARGUMENT, "FRAME_IMAGE_INVALID", 2),
    ],
    ids=["lasting overload", "in the middle"],
)
async def test_a_refusal_is_reported_with_what_the_server_said(
    code: grpc.StatusCode, reason: str, after: int | None
) -> None:
    refusal = Refuse(code=code, reason=reason, metadata={"limit": "4"})
    plan = StreamPlan(refuse=refusal) if after is None else StreamPlan(break_after=after, breaking=refusal)
    with pytest.raises(CallRefusedError) as caught:
        await scanned(FakeServer(plan))
    refused = caught.value.refusal
    assert (refused.code, refused.reason, refused.metadata) == (code.name, reason, {"limit": "4"})


def test_the_status_of_the_server_counts_and_not_that_of_a_proxy_that_resets_the_stream() -> None:
    status = status_pb2.Status(
        code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message="the frame is no picture"
    )
    status.details.add().Pack(ErrorInfo(reason="FRAME_IMAGE_INVALID", domain=ERROR_DOMAIN))
    reset = grpc.aio.AioRpcError(
        grpc.StatusCode.CANCELLED,
        initial_metadata=grpc.aio.Metadata(),
        trailing_metadata=grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString())),
        details="Stream removed (RST_STREAM (Received RST_STREAM with error code 8))",
    )
    error = translated_in_stream(reset)
    assert isinstance(error, CallRefusedError)
    assert str(error) == "FRAME_IMAGE_INVALID: the frame is no picture"
    assert error.refusal.code == "INVALID_ARGUMENT"


# Connections that really break during a scan.


class _CutAt(ScanEvents):
    """Cuts the connection after each frame with one of these numbers in the scan."""

    def __init__(self, proxy: CutProxy, *frames: int) -> None:
        self._proxy, self._frames, self._sent = proxy, frames, 0
        self.losses = 0

    def frame_sent(self, attempt: int, index: int, size: int) -> None:
        self._sent += 1
        if self._sent in self._frames:
            self._proxy.cut()

    def connection_lost(self, reconnect: int, wait_s: float, cause: str) -> None:
        self.losses += 1


class _CutAfterEnd(ScanEvents):
    """Cuts the connection once, right after the first AttemptEnd."""

    def __init__(self, proxy: CutProxy) -> None:
        self._proxy, self._cut = proxy, False

    def capture_finished(self, attempt: int, frames: int, dropped: int) -> None:
        if not self._cut:
            self._cut = True
            self._proxy.cut()


@pytest.mark.parametrize("cuts", [(3,), (1, 4, 8)])
async def test_scan_survives_a_cut_connection(cuts: tuple[int, ...]) -> None:
    fake = FakeServer(StreamPlan(frames_wanted=10))
    async with serving(fake) as target, cutting(target) as (proxy, through):
        events = _CutAt(proxy, *cuts)
        outcome = await scanned(fake, target=through, frames=80, events=events)
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert outcome.streams == len(cuts) + 1 == fake.resume_proofs + 1
    assert events.losses >= len(cuts)
    assert proxy.connections >= len(cuts) + 1


async def test_scan_survives_a_cut_while_the_server_decides() -> None:
    slow = StreamPlan(frames_wanted=4, decide_s=0.3)
    fake = FakeServer(slow, StreamPlan(frames_wanted=4))
    async with serving(fake) as target, cutting(target) as (proxy, through):
        outcome = await scanned(fake, target=through, frames=80, events=_CutAfterEnd(proxy))
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 2)


@given(reconnect=st.integers(1, 10_000), jitter=st.floats(0, 1), asked=st.floats(0, 1e6))
def test_wait_grows_to_its_cap_and_honours_the_server(reconnect: int, jitter: float, asked: float) -> None:
    policy = ReconnectPolicy(initial_s=0.25, cap_s=8.0, longest_asked_s=30.0)
    delay = policy.delay(reconnect, asked_s=asked, jitter=jitter)
    assert min(asked, 30.0) <= delay <= max(8.0, min(asked, 30.0))
    assert delay >= min(8.0, 0.25 * 2.0 ** min(reconnect - 1, 30)) / 2


def test_wait_doubles() -> None:
    policy = ReconnectPolicy(initial_s=0.25, cap_s=8.0)
    waits = [policy.delay(number, asked_s=0.0, jitter=1.0) for number in range(1, 8)]
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
