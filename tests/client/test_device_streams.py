"""Streams that break, are left, or are refused, and the device's reaction."""

import asyncio
import time

import grpc
import pytest
from facegate.v1 import scan_pb2
from google.protobuf.duration_pb2 import Duration

from facegate_client import (
    CallRefusedError,
    ConnectionFailedError,
    FaceScanner,
    ReconnectPolicy,
    ScanEndedError,
    ScanSettings,
    ScanTicket,
    generated_source,
    open_channel,
)
from tests.client.conftest import FAST, Scanning, pictures
from tests.client.fake_server import FakeServer
from tests.client.recorder import Recorder
from tests.client.stream_plan import LOST, SUCCESS, Refuse, StreamPlan


async def test_lost_connection_is_resumed_with_the_same_session_key(scanning: Scanning) -> None:
    fake = FakeServer(
        StreamPlan(break_after=3, breaking=LOST), StreamPlan(break_after=2, breaking=LOST), StreamPlan()
    )
    events = Recorder()
    async with scanning(fake, frames=60, events=events) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert (outcome.streams, fake.resume_proofs, len(events.losses)) == (3, 2, 2)
    assert [start.resume for start in fake.starts] == [False, True, True]
    assert len({start.session_public_key for start in fake.starts}) == 1
    assert len({start.key_share for start in fake.starts}) == 3
    times = [frame.header.capture_time_us for frame in fake.frames]
    assert times == sorted(set(times))


async def test_stream_that_closes_without_a_result_is_resumed(scanning: Scanning) -> None:
    fake = FakeServer(StreamPlan(break_after=2, breaking=None), StreamPlan())
    async with scanning(fake, frames=40) as scanner:
        outcome = await scanner.scan()
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 2)


async def test_reconnects_are_bounded(scanning: Scanning) -> None:
    fake = FakeServer(StreamPlan(break_after=1, breaking=LOST))
    settings = ScanSettings(max_field=64, reconnect=ReconnectPolicy(limit=3, initial_s=0.01, cap_s=0.01))
    async with scanning(fake, frames=200, settings=settings) as scanner:
        with pytest.raises(ConnectionFailedError):
            await scanner.scan()
    assert len(fake.starts) == 4


async def test_a_refused_connection_is_reported_soon() -> None:
    async with open_channel("127.0.0.1:1") as channel:
        scanner = FaceScanner(
            channel=channel,
            ticket=ScanTicket(token="t", challenge_key_sha256=bytes(32)),
            source=generated_source(pictures(3), pace="fast"),
            settings=FAST,
        )
        with pytest.raises(ConnectionFailedError):
            await asyncio.wait_for(scanner.scan(), timeout=5)


async def test_silent_server_is_given_up(scanning: Scanning) -> None:
    fake = FakeServer(StreamPlan(silent=True))
    settings = ScanSettings(
        handshake_timeout_s=0.1, reconnect=ReconnectPolicy(first_limit=1, initial_s=0.01, cap_s=0.01)
    )
    async with scanning(fake, settings=settings) as scanner:
        with pytest.raises(ConnectionFailedError, match="no Challenge"):
            await scanner.scan()


async def test_draining_server_is_left_and_met_again(scanning: Scanning) -> None:
    goodbye = scan_pb2.Goodbye(
        reason=scan_pb2.Goodbye.REASON_DRAINING, reconnect_after=Duration(nanos=50_000_000)
    )
    fake, events = FakeServer(StreamPlan(break_after=2, breaking=goodbye), StreamPlan()), Recorder()
    began = time.monotonic()
    async with scanning(fake, frames=40, events=events) as scanner:
        outcome = await scanner.scan()
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 2)
    assert time.monotonic() - began >= 0.05
    assert "DRAINING" in events.losses[0]


@pytest.mark.parametrize("reason", ["SUPERSEDED", "DEADLINE", "CHECK_CLOSED"])
async def test_goodbye_for_good_ends_the_scan(scanning: Scanning, reason: str) -> None:
    goodbye = scan_pb2.Goodbye(reason=scan_pb2.Goodbye.Reason.Value(f"REASON_{reason}"))
    fake = FakeServer(StreamPlan(break_after=2, breaking=goodbye))
    async with scanning(fake) as scanner:
        with pytest.raises(ScanEndedError) as caught:
            await scanner.scan()
    assert caught.value.reason == reason
    assert len(fake.starts) == 1


async def test_result_that_a_lost_connection_withheld_is_fetched(scanning: Scanning) -> None:
    fake = FakeServer(StreamPlan(break_after_end=True, breaking=LOST), StreamPlan(result_first=SUCCESS))
    async with scanning(fake) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 2)


async def test_check_that_was_decided_while_the_connection_was_lost_is_completed(scanning: Scanning) -> None:
    closed = Refuse(
        code=grpc.StatusCode.FAILED_PRECONDITION, reason="CHECK_CLOSED", metadata={"decidedByAttempt": "1"}
    )
    fake = FakeServer(StreamPlan(break_after_end=True, breaking=LOST), StreamPlan(refuse=closed))
    async with scanning(fake) as scanner:
        outcome = await scanner.scan()
    assert outcome.status == scan_pb2.SCAN_STATUS_COMPLETED


@pytest.mark.parametrize("metadata", [{}, {"maxAttempts": "1"}])
async def test_a_check_that_no_attempt_decided_is_not_completed(
    scanning: Scanning, metadata: dict[str, str]
) -> None:
    closed = Refuse(code=grpc.StatusCode.FAILED_PRECONDITION, reason="CHECK_CLOSED", metadata=metadata)
    fake = FakeServer(StreamPlan(break_after_end=True, breaking=LOST), StreamPlan(refuse=closed))
    async with scanning(fake) as scanner:
        with pytest.raises(CallRefusedError) as caught:
            await scanner.scan()
    assert caught.value.refusal.reason == "CHECK_CLOSED"


async def test_closed_check_is_refused_where_nothing_was_sent(scanning: Scanning) -> None:
    closed = Refuse(code=grpc.StatusCode.FAILED_PRECONDITION, reason="CHECK_CLOSED")
    fake = FakeServer(StreamPlan(refuse=closed))
    async with scanning(fake) as scanner:
        with pytest.raises(CallRefusedError) as caught:
            await scanner.scan()
    assert caught.value.refusal.reason == "CHECK_CLOSED"
    assert len(fake.starts) == 1


async def test_an_overloaded_server_is_asked_again_after_its_delay(scanning: Scanning) -> None:
    busy = Refuse(code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_after_s=0.05)
    fake = FakeServer(StreamPlan(refuse=busy), StreamPlan())
    async with scanning(fake) as scanner:
        outcome = await scanner.scan()
    assert outcome.status == scan_pb2.SCAN_STATUS_SUCCESS
    assert [start.resume for start in fake.starts] == [False, False]


async def test_lasting_overload_raises_the_error_of_the_server(scanning: Scanning) -> None:
    busy = Refuse(code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", metadata={"limit": "4"})
    fake = FakeServer(StreamPlan(refuse=busy))
    async with scanning(fake) as scanner:
        with pytest.raises(CallRefusedError) as caught:
            await scanner.scan()
    assert caught.value.refusal.reason == "OVERLOADED"
    assert caught.value.refusal.metadata == {"limit": "4"}


async def test_refusal_in_the_middle_is_reported_with_its_reason(scanning: Scanning) -> None:
    refuse = Refuse(code=grpc.StatusCode.INVALID_ARGUMENT, reason="FRAME_IMAGE_INVALID")
    fake = FakeServer(StreamPlan(break_after=2, breaking=refuse))
    async with scanning(fake) as scanner:
        with pytest.raises(CallRefusedError) as caught:
            await scanner.scan()
    assert caught.value.refusal.code == "INVALID_ARGUMENT"
    assert caught.value.refusal.reason == "FRAME_IMAGE_INVALID"
