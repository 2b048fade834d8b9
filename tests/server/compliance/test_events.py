"""EventService over gRPC, and webhooks of a real server to a real receiver."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from facegate.v1 import event_service_pb2 as event_pb2
from facegate.v1 import evidence_service_pb2

from facegate_client import ApiKey, Events
from server.storage.audit_reader import AuditReader
from tests.server.compliance.office import Office, open_office, refused_call
from tests.server.live import until
from tests.server.running.receiver import Receiver, receiving, secret_file

_WAITING, _DELIVERED = event_pb2.EVENT_STATE_WAITING, event_pb2.EVENT_STATE_DELIVERED


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> AsyncIterator[Office]:
    folder: Path = tmp_path_factory.mktemp("events")
    common = {
        "url": receiver.url,
        "secret_files": [secret_file(folder, receiver.secret)],
        "allow_private": True,
    }
    endpoints = {
        "bank-hook": common | {"tenant": "bank"},
        "branch-hook": common | {"tenant": "branch"},
        "tests-hook": common | {"tenant": "bank", "sandbox": "only", "events": ["check.decided"]},
    }
    async with open_office(folder, webhooks={"endpoints": endpoints}) as office:
        yield office


def _events(office: Office, by: str) -> Events:
    return Events(channel=office.live.service_channel, api_key=ApiKey(office.keys[by]))


async def _refused(call: Awaitable[object], reason: str) -> None:
    assert (await refused_call(call)).refusal.reason == reason


async def _listed(office: Office, by: str = "backend", **fields: object) -> list[event_pb2.Event]:
    request = event_pb2.ListEventsRequest(**fields)  # type: ignore[arg-type]  # its fields
    return [event async for event in _events(office, by).all_events(request, most=1000)]


async def _until_delivered(office: Office, check_id: str, count: int) -> list[event_pb2.Event]:
    for _ in range(3000):
        found = await _listed(office, check_id=check_id, state=_DELIVERED)
        if len(found) == count:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(await _listed(office, check_id=check_id))


async def test_a_backend_learns_of_a_check_until_its_erasure(office: Office, receiver: Receiver) -> None:
    check_id = await office.check("hooked-1", scanned=True)
    await _until_delivered(office, check_id, 2)
    await office.of("anna").erase_subject(
        "hooked-1", reason=evidence_service_pb2.ERASURE_REASON_REQUEST, purpose="request"
    )
    await _until_delivered(office, check_id, 3)
    mine = [event for event in receiver.events if event.data.get("check_id") == check_id]
    assert [event.type for event in mine] == ["check.scan_started", "check.decided", "evidence.erased"]
    assert [event.data["sequence"] for event in mine] == [1, 2, 3]
    assert (mine[1].data["status"], mine[1].data["tenant"]) == ("SUCCESS", "bank")
    assert "hooked-1" not in "".join(event.body.decode() for event in receiver.events)
    await until(lambda: "subject.erased" in receiver.types)
    told = [event.data for event in receiver.events if event.type == "subject.erased"]
    assert told == [{"checks": 1, "held": 0, "reason": "REQUEST", "tenant": "bank"}]


async def test_sandbox_callers_see_the_events_of_sandbox_checks_alone(office: Office) -> None:
    real, sandbox = await office.check("hooked-3"), await office.check("hooked-3", by="tester")
    await _until_delivered(office, sandbox, 1)
    seen = {event.check_id for event in await _listed(office, by="tester")}
    assert sandbox in seen
    assert real not in seen
    assert {event.check_id for event in await _listed(office)} >= {real, sandbox}
    (hidden,) = await _listed(office, check_id=real)
    replay = event_pb2.ReplayEventsRequest(event_id=hidden.event_id)
    await _refused(_events(office, "tester").replay(replay), "EVENT_NOT_FOUND")


async def test_other_tenants_see_and_replay_nothing(office: Office) -> None:
    check_id = await office.check("hooked-4")
    (event,) = await _until_delivered(office, check_id, 1)
    names = [endpoint.name for endpoint in await _events(office, "backend").endpoints()]
    assert names == ["bank-hook", "tests-hook"]
    replay = event_pb2.ReplayEventsRequest(endpoint="branch-hook")
    await _refused(_events(office, "backend").replay(replay), "INVALID_FIELD")
    await _refused(_listed(office, endpoint="branch-hook"), "INVALID_FIELD")
    assert event.endpoint == "bank-hook"


async def test_a_repaired_receiver_gets_what_it_missed_by_a_replay(
    office: Office, receiver: Receiver
) -> None:
    async def fail(_: web.Request) -> web.Response:
        return web.Response(status=503)

    receiver.answer = fail
    check_id = await office.check("hooked-5")

    async def tried() -> bool:
        return bool((await _listed(office, check_id=check_id))[0].answer)

    await until(tried)
    (event,) = await _listed(office, check_id=check_id)
    assert (event.state, event.answer, event.attempts) == (_WAITING, "HTTP 503", 1)
    by_name = {one.name: one for one in await _events(office, "backend").endpoints()}
    failing = by_name["bank-hook"]
    assert failing.state == event_pb2.ENDPOINT_STATE_FAILING
    assert (failing.waiting, failing.answer) == (1, "HTTP 503")
    assert failing.HasField("oldest_time")
    assert list(by_name["tests-hook"].types) == ["check.decided"]
    receiver.answer = None
    backend = _events(office, "backend")
    assert await backend.replay(event_pb2.ReplayEventsRequest(endpoint="bank-hook")) == 1
    (again,) = await _until_delivered(office, check_id, 1)
    # One that was delivered can be sent again, too, by either form of its identifier.
    webhook_id = f"evt_{again.event_id.replace('-', '')}"
    assert await backend.replay(event_pb2.ReplayEventsRequest(event_id=webhook_id)) == 1
    await _until_delivered(office, check_id, 1)
    async with office.live.database() as database:
        log = await AuditReader(database).entries("bank")
    assert [entry.actor for entry in log if entry.action == "events.replayed"] == ["backend", "backend"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "INVALID_FIELD"),
        ({"event_id": "nonsense"}, "INVALID_FIELD"),
        ({"event_id": "0b7ab3a5-5a8f-4d0e-8f0c-6f8e7a3c7a11"}, "EVENT_NOT_FOUND"),
    ],
)
async def test_a_replay_names_what_there_is(office: Office, fields: dict[str, str], reason: str) -> None:
    await _refused(_events(office, "backend").replay(event_pb2.ReplayEventsRequest(**fields)), reason)


@pytest.mark.parametrize(
    "fields", [{"page_size": 201}, {"check_id": "x"}, {"page_token": "x"}, {"state": 99}]
)
async def test_lists_that_make_no_sense_are_refused(office: Office, fields: dict[str, Any]) -> None:
    await _refused(_listed(office, **fields), "INVALID_FIELD")


async def test_pages_are_whole_and_of_one_list(office: Office) -> None:
    await office.check("hooked-6", scanned=True)
    request = event_pb2.ListEventsRequest(page_size=1)

    async def listed() -> list[str]:
        return [event.event_id for event in await _listed(office)]

    while True:
        before = await listed()
        paged = [event.event_id async for event in _events(office, "backend").all_events(request, most=1000)]
        if before == await listed():  # no other test's check got an event meanwhile
            break
    assert paged == before
    assert len(paged) > 2
