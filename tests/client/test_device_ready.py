"""A person who gets ready between two attempts, and the time until a device reconnects."""

import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest
from facegate.v1 import feedback_pb2, scan_pb2

from facegate_client import (
    FaceScanner,
    ReconnectPolicy,
    ScanSettings,
    ScanTicket,
    generated_source,
    open_channel,
)
from tests.client.conftest import FAST, Scanning, pictures
from tests.client.fake_server import FakeServer
from tests.client.recorder import Recorder
from tests.client.stream_plan import LOST, RETRY, SUCCESS, StreamPlan


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


async def test_the_device_announces_ready_and_is_ready_at_once(scanning: Scanning) -> None:
    fake = FakeServer(StreamPlan(results=[RETRY, RETRY, SUCCESS], ready_within_s=5))
    async with scanning(fake, frames=60) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert scan_pb2.CAPABILITY_READY in fake.starts[0].capabilities
    assert (outcome.status, outcome.attempts, fake.readies) == (scan_pb2.SCAN_STATUS_SUCCESS, 3, 2)


async def test_a_server_that_does_not_wait_gets_no_report(scanning: Scanning) -> None:
    fake, person = FakeServer(StreamPlan(results=[RETRY, SUCCESS])), _Person()
    async with scanning(fake, frames=60, get_ready=person) as scanner:
        outcome = await scanner.scan()
    assert fake.violations == []
    assert (outcome.status, fake.readies, person.scan_results) == (scan_pb2.SCAN_STATUS_SUCCESS, 0, [])


async def test_the_next_attempt_waits_for_the_person(scanning: Scanning) -> None:
    fake, person = FakeServer(StreamPlan(results=[RETRY, SUCCESS], ready_within_s=5)), _Person()
    async with scanning(fake, frames=60, get_ready=person) as scanner:
        scan = asyncio.ensure_future(scanner.scan())
        await person.asked.wait()
        await asyncio.sleep(0.2)
        assert (fake.readies, len(fake.ends)) == (0, 1)
        person.ready.set()
        outcome = await scan
    assert fake.violations == []
    assert list(person.scan_results[0].feedback) == [feedback_pb2.FEEDBACK_CODE_TOO_DARK]
    assert (outcome.status, outcome.attempts, fake.readies) == (scan_pb2.SCAN_STATUS_SUCCESS, 2, 1)


async def test_a_connection_that_is_lost_meanwhile_is_resumed_when_the_person_is_ready(
    scanning: Scanning,
) -> None:
    fake = FakeServer(
        StreamPlan(results=[RETRY, SUCCESS], ready_within_s=5, lost_between=True, breaking=LOST), StreamPlan()
    )
    person, events = _Person(), Recorder()
    async with scanning(fake, frames=60, get_ready=person, events=events) as scanner:
        scan = asyncio.ensure_future(scanner.scan())
        await person.asked.wait()
        await events.lost.wait()
        await asyncio.sleep(0.2)
        assert len(fake.starts) == 1
        person.ready.set()
        outcome = await scan
    assert fake.violations == []
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 2)
    assert len(person.scan_results) == 1
    assert not person.left_alone


async def test_cancelling_between_attempts_ends_the_next_attempt(scanning: Scanning) -> None:
    fake, person = FakeServer(StreamPlan(results=[RETRY, RETRY, SUCCESS], ready_within_s=5)), _Person()
    async with scanning(fake, frames=60, get_ready=person) as scanner:
        scan = asyncio.ensure_future(scanner.scan())
        await person.asked.wait()
        scanner.cancel()
        outcome = await scan
    assert fake.violations == []
    assert fake.ends[-1].cause == scan_pb2.AttemptEndBody.CAUSE_CANCELLED
    assert (outcome.attempts, person.left_alone) == (2, True)


async def test_an_error_of_the_person_callback_ends_the_scan(scanning: Scanning) -> None:
    async def broken(_: scan_pb2.ScanResult) -> None:
        raise RuntimeError("the app broke")

    fake = FakeServer(StreamPlan(results=[RETRY, SUCCESS], ready_within_s=5))
    async with scanning(fake, frames=60, get_ready=broken) as scanner:
        with pytest.raises(RuntimeError, match="the app broke"):
            await scanner.scan()
    assert len(fake.starts) == 1


async def test_a_result_resets_the_back_off(scanning: Scanning) -> None:
    lost = StreamPlan(break_after=1, breaking=LOST)
    fake = FakeServer(
        lost, lost, lost, StreamPlan(results=[RETRY, SUCCESS], lost_between=True, breaking=LOST), StreamPlan()
    )
    events = Recorder()
    policy = ReconnectPolicy(initial_s=0.02, cap_s=5.0)
    settings = ScanSettings(max_field=64, reconnect=policy)
    async with scanning(fake, frames=80, events=events, settings=settings) as scanner:
        outcome = await scanner.scan()
    assert (outcome.status, outcome.streams) == (scan_pb2.SCAN_STATUS_SUCCESS, 5)
    assert [number for number, _ in events.waits] == [1, 2, 3, 4]
    waits = [seconds for _, seconds in events.waits]
    assert waits[2] >= 0.5 * 4 * policy.initial_s
    assert waits[3] <= policy.initial_s


_RETRIES = 1000
_SERVER = f"""
import asyncio
from tests.client.fake_server import FakeServer, serving
from tests.client.stream_plan import RETRY, SUCCESS, StreamPlan

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
        async with open_channel(target) as channel:
            scanner = FaceScanner(
                channel=channel,
                ticket=ScanTicket(token=token, challenge_key_sha256=bytes.fromhex(fingerprint)),
                # The client may send more than the one frame that is wanted before it hears that.
                source=generated_source(pictures(10 * _RETRIES), pace="fast"),
                settings=replace(
                    FAST,
                    max_attempts=_RETRIES + 1,
                    stream_timeout_s=600,
                    handshake_timeout_s=60,
                    result_timeout_s=60,
                ),
            )
            outcome = await scanner.scan()
    finally:
        server.kill()
        await server.wait()
    assert (outcome.streams, outcome.attempts) == (1, _RETRIES + 1)
