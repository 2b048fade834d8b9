"""Calls about a check before and during a scan, for the tests of these calls."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from server.domain.terms import CheckState
from tests.server.api_keys import Keyed
from tests.server.live import LiveServer, pictures, portrait, until
from tests.server.raw_device import RawDevice, RawStream, opened

State = service_pb2.CheckProgress.State


SOMEBODY_ELSE = pictures("red-shirt", count=36)
"""As many frames as an attempt that is left early needs to decide."""


def named(progress: service_pb2.CheckProgress) -> str:
    return State.Name(progress.state).removeprefix("STATE_")


async def progress_of(live: LiveServer, check_id: str) -> service_pb2.CheckProgress:
    answer = await live.service.GetCheck(service_pb2.GetCheckRequest(check_id=check_id))
    assert answer.progress.check_id == check_id
    return answer.progress


async def state_of(live: LiveServer, check_id: str) -> str:
    return named(await progress_of(live, check_id))


async def cancel(live: LiveServer, check_id: str) -> service_pb2.CheckProgress:
    return (await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=check_id))).progress


def finish(live: LiveServer, check_id: str, *, close_now: bool = False) -> Any:
    return live.service.FinishCheck(service_pb2.FinishCheckRequest(check_id=check_id, close_now=close_now))


def reasons_of(answer: service_pb2.FinishCheckResponse) -> list[str]:
    return [result_pb2.FailureReason.Name(r).removeprefix("FAILURE_REASON_") for r in answer.result.reasons]


async def scanning(
    live: LiveServer, frames: int, *, policy: str = "resumable"
) -> tuple[str, RawDevice, RawStream]:
    check_id, device, stream = await opened(live, policy=policy)
    await stream.begin()
    await stream.send_frames(pictures()[:frames])
    await stream.taken(frames)
    return check_id, device, stream


async def dropped(live: LiveServer, frames: int = 5) -> tuple[str, RawDevice]:
    check_id, device, stream = await scanning(live, frames)
    await stream.vanish()
    await live.reaches(check_id, CheckState.WAITING)
    return check_id, device


class Watcher:
    """Reads a WatchCheck in the background."""

    def __init__(self, live: LiveServer, check_id: str) -> None:
        self.seen: list[service_pb2.CheckProgress] = []
        self._call = live.service.WatchCheck(service_pb2.WatchCheckRequest(check_id=check_id))
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for response in self._call:
            self.seen.append(response.progress)

    @property
    def states(self) -> list[str]:
        """The received states, each change once."""
        names = [named(progress) for progress in self.seen]
        return [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]

    async def sees(self, state: str) -> None:
        """Wait until the last received state is ``state``."""
        await until(lambda: bool(self.seen) and self.states[-1] == state)

    async def over(self) -> None:
        """Wait until the server ends the stream; raise its error."""
        async with asyncio.timeout(90):
            await self._reading

    async def leave(self) -> None:
        self._call.cancel()
        await asyncio.wait({self._reading})


@dataclass(frozen=True, slots=True)
class Callers(Keyed):
    """A server with several callers."""

    async def upload(self, caller: str, **fields: Any) -> service_pb2.UploadTrustedImageResponse:
        """Make a check of the portrait, unless the fields name another trusted image."""
        image = {} if "trusted_check_id" in fields else {"image": portrait()}
        return await self.live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(**image | fields), metadata=self.metadata(caller)
        )

    async def finish(self, caller: str, check_id: str) -> service_pb2.FinishCheckResponse:
        return await self.live.service.FinishCheck(
            service_pb2.FinishCheckRequest(check_id=check_id), metadata=self.metadata(caller)
        )

    async def cancel(self, caller: str, check_id: str) -> None:
        request = service_pb2.CancelCheckRequest(check_id=check_id)
        await self.live.service.CancelCheck(request, metadata=self.metadata(caller))


@asynccontextmanager
async def watching(live: LiveServer, check_id: str) -> AsyncIterator[Watcher]:
    watcher = Watcher(live, check_id)
    try:
        yield watcher
    finally:
        await watcher.leave()


def calls_about(
    live: LiveServer, check_id: str, metadata: Any = ()
) -> dict[str, Callable[[], Awaitable[Any]]]:
    """The calls about a check, of which the last changes it."""

    async def watched() -> Any:
        watch = live.service.WatchCheck(service_pb2.WatchCheckRequest(check_id=check_id), metadata=metadata)
        async for response in watch:
            watch.cancel()
            return response
        return None

    requests: dict[str, Any] = {
        "GetCheck": service_pb2.GetCheckRequest(check_id=check_id),
        "FinishCheck": service_pb2.FinishCheckRequest(check_id=check_id),
        "CancelCheck": service_pb2.CancelCheckRequest(check_id=check_id),
    }
    return {"WatchCheck": watched} | {
        name: partial(getattr(live.service, name), request, metadata=metadata)
        for name, request in requests.items()
    }
