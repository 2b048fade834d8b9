"""The delivery of an outbox to a real receiver: order, retries, dead events, and other replicas."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from prometheus_client import CollectorRegistry

from server.configuration.tables import WebhookEndpoint
from server.domain.events import BACK_OFF, EventState
from server.running.webhooks import EventDelivery, open_endpoints
from server.storage.database import Database, open_database
from server.storage.errors import StorageUnavailable
from server.storage.events import EventRepository, Outbox, StoredEvent
from server.storage.repository import CheckRepository
from server.telemetry.metrics import Metrics
from tests.server.databases import make_tables
from tests.server.running.receiver import Receiver, receiving, settings_of
from tests.server.storage.samples import after, decision, lease, new_check


class _Scene:
    """A receiver, an outbox, and a clock that a test sets."""

    def __init__(self, database: Database, receiver: Receiver, folder: Path) -> None:
        endpoint = WebhookEndpoint.model_validate(settings_of(receiver, folder))
        self.settings = {"hook": endpoint}
        self.receiver = receiver
        self.now = after(100)
        self.registry = CollectorRegistry()
        self.events = EventRepository(database)
        self.checks = CheckRepository(database, Outbox(self.settings))
        self.endpoint, *_ = open_endpoints(self.settings)
        self.delivery = self.new_delivery(self.events)

    def new_delivery(self, events: EventRepository) -> EventDelivery:
        return EventDelivery(
            repository=events,
            endpoints=(self.endpoint,),
            metrics=Metrics(CollectorRegistry() if events is not self.events else self.registry),
            now=self.clock,
            seconds=0.01,
        )

    def clock(self) -> datetime:
        return self.now

    async def decided(self) -> str:
        check = await self.checks.create(new_check(), None)
        await lease(self.checks, check)
        await self.checks.decide(check.check_id, epoch=1, decision=decision())
        return str(check.check_id)

    async def delivered(self) -> None:
        """Deliver until nothing is due."""
        # The library refuses times that differ by more than five minutes from its clock.
        self.receiver.verifies = False
        while await self.delivery.deliver(self.endpoint):
            pass

    async def listed(self) -> tuple[StoredEvent, ...]:
        found = await self.events.list(
            "default", sandbox_only=False, endpoint="", state=None, check_id=None, after=None, limit=100
        )
        return tuple(sorted(found, key=lambda event: event.sequence))

    async def states(self) -> list[EventState]:
        return [event.state for event in await self.listed()]

    def counted(self, name: str) -> float | None:
        return self.registry.get_sample_value(name, {"endpoint": "hook"})


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[_Scene]:
    url = f"sqlite:///{tmp_path / 'checks.db'}"
    await make_tables(url)
    database = open_database(url)
    async with receiving() as receiver:
        made = _Scene(database, receiver, tmp_path)
        yield made
        await made.endpoint.close()
    await database.close()


def _answering(receiver: Receiver, *statuses: int) -> None:
    """Answer with these statuses, and then with the last one."""
    left = list(statuses)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=left.pop(0) if len(left) > 1 else left[0])

    receiver.answer = answer


async def test_events_arrive_in_the_order_of_each_check(scene: _Scene) -> None:
    ids = [await scene.decided() for _ in range(10)]
    await scene.delivered()
    for check_id in ids:
        mine = [event.type for event in scene.receiver.events if event.data["check_id"] == check_id]
        assert mine == ["check.scan_started", "check.decided"]
    assert scene.counted("facegate_events_delivered_total") == 20
    assert await scene.delivery.deliver(scene.endpoint) == 0


async def test_a_failed_event_is_tried_again_with_the_same_identifier(scene: _Scene) -> None:
    _answering(scene.receiver, 500, 204)
    await scene.decided()
    await scene.delivered()
    (first, second) = await scene.listed()
    assert (first.state, first.attempts, first.answer) == (EventState.WAITING, 1, "HTTP 500")
    assert BACK_OFF[0] <= first.next_time - scene.now <= BACK_OFF[0] * 1.1
    assert second.attempts == 0
    scene.now += timedelta(seconds=6)
    await scene.delivered()
    assert await scene.states() == [EventState.DELIVERED] * 2
    assert scene.receiver.requests == 3
    assert scene.counted("facegate_event_attempts_failed_total") == 1


async def test_after_three_days_an_event_is_dead_and_a_replay_brings_it_back(scene: _Scene) -> None:
    _answering(scene.receiver, 503)
    await scene.decided()
    began = scene.now
    for number in range(len(BACK_OFF) + 1):
        await scene.delivered()
        # The second one had its first attempt when the first one died.
        assert scene.receiver.requests == number + 1 + (number == len(BACK_OFF))
        if number < len(BACK_OFF):
            scene.now = (await scene.listed())[0].next_time
    assert timedelta(days=3) < scene.now - began < timedelta(days=4)
    assert await scene.states() == [EventState.DEAD, EventState.WAITING]
    assert scene.counted("facegate_events_dead_total") == 1


async def test_410_gives_up_all_that_waits(scene: _Scene) -> None:
    _answering(scene.receiver, 410)
    for _ in range(3):
        await scene.decided()
    await scene.delivered()
    assert set(await scene.states()) == {EventState.DEAD}
    assert scene.receiver.requests == 3
    assert scene.counted("facegate_events_dead_total") == 6


async def test_a_slow_receiver_gets_few_requests_at_once(scene: _Scene) -> None:
    running, most = 0, 0
    eight = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 8:
            # Time for a ninth, which may not come.
            await asyncio.sleep(0.02)
            eight.set()
        await eight.wait()
        running -= 1
        return web.Response(status=200)

    scene.receiver.answer = answer
    for _ in range(12):
        await scene.decided()
    await scene.delivered()
    assert most == 8


async def test_the_tasks_go_on_when_the_database_was_away(
    scene: _Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [StorageUnavailable("away"), ValueError("a defect")]
    is_due = scene.events.is_due

    async def failing(*arguments: object) -> bool:
        if fails:
            raise fails.pop()
        return await is_due(*arguments)  # type: ignore[arg-type]  # those of the method

    monkeypatch.setattr(scene.events, "is_due", failing)
    await scene.decided()
    scene.receiver.verifies = False
    scene.delivery.start()
    await scene.receiver.until(2)
    await scene.delivery.stop()
    assert not fails


@asynccontextmanager
async def _twin(scene: _Scene, url: str) -> AsyncIterator[EventDelivery]:
    database = open_database(url)
    try:
        yield scene.new_delivery(EventRepository(database))
    finally:
        await database.close()


async def test_replicas_share_the_work_and_keep_the_order(scene: _Scene, tmp_path: Path) -> None:
    ids = [await scene.decided() for _ in range(10)]
    scene.receiver.verifies = False
    async with _twin(scene, f"sqlite:///{tmp_path / 'checks.db'}") as twin:
        scene.delivery.start()
        twin.start()
        await scene.receiver.until(20)
        await scene.delivery.stop()
        await twin.stop()
    assert scene.receiver.requests == 20
    for check_id in ids:
        mine = [event.type for event in scene.receiver.events if event.data["check_id"] == check_id]
        assert mine == ["check.scan_started", "check.decided"]
