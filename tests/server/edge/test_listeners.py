"""The methods of the listeners, and their required permissions."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from server.base.errors import Reason, Refusal
from server.edge.device_servicer import DeviceServicer
from server.edge.listeners import SCOPES, SERVICES, Health


def test_every_method_but_those_of_devices_needs_a_scope() -> None:
    # A method without one is open to every known caller, whatever its role.
    contract = {
        f"/{service.full_name}/{method.name}"
        for service in SERVICES
        for method in service.methods
        if not hasattr(DeviceServicer, method.name)
    }
    assert contract == set(SCOPES)


_Status = health_pb2.HealthCheckResponse


class _Watcher:
    """A context that records the messages written to it."""

    def __init__(self) -> None:
        self.statuses: asyncio.Queue[int] = asyncio.Queue()

    async def write(self, state: health_pb2.HealthCheckResponse) -> None:
        self.statuses.put_nowait(state.status)


def _request(service: str = "") -> health_pb2.HealthCheckRequest:
    return health_pb2.HealthCheckRequest(service=service)


async def test_health_is_not_serving_before_the_start() -> None:
    health, nothing = Health(["a.Service"]), SimpleNamespace()
    context: Any = nothing
    for service in ("", "a.Service"):
        assert (await health.Check(_request(service), context)).status == _Status.NOT_SERVING
    health.set_serving(serving=True)
    for service in ("", "a.Service"):
        assert (await health.Check(_request(service), context)).status == _Status.SERVING


async def test_every_change_is_reported() -> None:
    health, watcher = Health([]), _Watcher()
    context: Any = watcher
    watching = asyncio.create_task(health.Watch(_request(), context))
    statuses = [await watcher.statuses.get()]
    for serving in (True, False):
        health.set_serving(serving=serving)
        statuses.append(await watcher.statuses.get())
    assert statuses == [_Status.NOT_SERVING, _Status.SERVING, _Status.NOT_SERVING]
    watching.cancel()


async def test_a_service_that_is_not_here_is_unknown() -> None:
    watcher = _Watcher()
    context: Any = watcher
    watching = asyncio.create_task(Health([]).Watch(_request("other"), context))
    assert await watcher.statuses.get() == _Status.SERVICE_UNKNOWN
    watching.cancel()


async def test_the_oldest_watch_gives_way() -> None:
    health = Health([], most_watches=2)
    watchers = [_Watcher() for _ in range(3)]
    tasks = []
    for watcher in watchers:
        context: Any = watcher
        tasks.append(asyncio.create_task(health.Watch(_request(), context)))
        await watcher.statuses.get()
    with pytest.raises(Refusal) as caught:
        await tasks[0]
    assert caught.value.reason is Reason.OVERLOADED
    health.set_serving(serving=True)
    for watcher in watchers[1:]:
        assert await watcher.statuses.get() == _Status.SERVING
    for task in tasks[1:]:
        task.cancel()


async def test_a_watcher_that_reads_nothing_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.listeners._WRITE_SECONDS", 0.05)

    class Deaf:
        async def write(self, _state: object) -> None:
            await asyncio.Event().wait()

    health, watcher = Health([]), _Watcher()
    deaf: Any = Deaf()
    context: Any = watcher
    stuck = asyncio.create_task(health.Watch(_request(), deaf))
    watching = asyncio.create_task(health.Watch(_request(), context))
    assert await watcher.statuses.get() == _Status.NOT_SERVING
    health.set_serving(serving=True)
    assert await watcher.statuses.get() == _Status.SERVING
    with pytest.raises(Refusal) as caught:
        await stuck
    assert caught.value.reason is Reason.STREAM_IDLE
    watching.cancel()
