"""A database that is away for seconds in the middle of scans: no failure of the person."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from facegate.v1 import result_pb2, scan_pb2

from facegate_client.result_keys import fetch_key_set
from facegate_client.result_signature import verify_response
from server.domain.terms import AttemptOutcome, CheckState, EndedBy
from server.storage.schema import upgrade
from tests.server.live import LiveServer, Picture, pictures, serving, settings_for
from tests.server.postgres import PostgresServer, postgres_server
from tests.server.raw_device import Ended, RawDevice, RawStream

pytestmark = pytest.mark.slow

_AWAY_SECONDS = 5.0
_BEFORE = 12
"""Frames before the database fails: the attempt counts already."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outage(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[LiveServer, PostgresServer]]:
    """A server over a PostgreSQL of its own."""
    folder: Path = tmp_path_factory.mktemp("outage")
    with postgres_server() as postgres:
        url = await postgres.new_database()
        await upgrade(url)
        async with serving(
            settings_for(folder, storage={"database_url": url}, limits={"lease_seconds": 60})
        ) as live:
            yield live, postgres


async def _fault(
    outage: tuple[LiveServer, PostgresServer], shown: Sequence[Picture], *, signed: bool
) -> tuple[str, RawDevice]:
    """A check whose scan an outage of seconds ended, and its device; the database is back."""
    live, postgres = outage
    upload = await live.upload(policy="once")
    device = RawDevice(live.device, upload)
    stream = await device.open()
    await stream.begin()
    shown = shown if signed else shown[:_BEFORE]
    await stream.send_frames(shown)
    await stream.taken(len(shown))
    await asyncio.to_thread(postgres.kill)
    try:
        if signed:
            with suppress(Ended):
                await stream.send(stream.end())
        # The device does not wait for the database.
        await _ended_by_a_fault(stream)
        await asyncio.sleep(_AWAY_SECONDS)
    finally:
        await asyncio.to_thread(postgres.start)
    return upload.check_id, device


async def _ended_by_a_fault(stream: RawStream) -> None:
    # The server may notice the outage before the device signs the end, or when it judges.
    with pytest.raises(Ended) as caught:
        await stream.result()
    assert caught.value.refusal is not None
    assert caught.value.refusal.reason == "NOT_SERVING"
    assert stream.goodbyes() == ["SERVER_FAULT"]


@pytest.mark.parametrize("signed", [False, True], ids=["capturing", "signed"])
@pytest.mark.parametrize("close_now", [False, True])
async def test_an_outage_during_a_scan_is_not_decided(
    outage: tuple[LiveServer, PostgresServer], *, signed: bool, close_now: bool
) -> None:
    live, _ = outage
    check_id, _ = await _fault(outage, pictures(), signed=signed)
    if not close_now:
        await live.reaches(check_id, CheckState.WAITING)
    answer = await live.finish(check_id, close_now=close_now)
    assert answer.result.status == result_pb2.CHECK_STATUS_NOT_DECIDED
    assert list(answer.result.reasons) == [result_pb2.FAILURE_REASON_SERVER_FAULT]
    keys = await fetch_key_set(f"http://127.0.0.1:{live.server.admin_port}/.well-known/jwks.json")
    assert verify_response(answer, keys, check_id=check_id, accept_sandbox=True) == answer.result
    (attempt,) = await live.attempts(check_id)
    assert (attempt.outcome, attempt.ended_by) == (AttemptOutcome.INTERRUPTED, EndedBy.SERVER_FAULT)
    assert not attempt.counted


async def test_a_device_that_comes_back_after_an_outage_has_lost_no_attempt(
    outage: tuple[LiveServer, PostgresServer],
) -> None:
    live, _ = outage
    check_id, device = await _fault(outage, pictures(), signed=False)
    await live.reaches(check_id, CheckState.WAITING)
    again = await device.resume()
    result = await again.run_attempt(pictures())
    assert await again.outcome() is None
    assert result.status == scan_pb2.SCAN_STATUS_SUCCESS
    answer = await live.finish(check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
