"""A server with callers of several tenants, of which one calls endlessly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep
from typing import Any, Final
from uuid import uuid4

import aiohttp
import grpc
from facegate.v1 import verification_service_pb2 as service_pb2

from server.access.api_keys import new_api_key
from tests.server.live import LiveServer, portrait, serving, settings_for
from tests.server.models_once import remembering_pack
from vision.face import BgrImage, DetectedFace
from vision.packs.interfaces import FaceDetector

__all__ = ["LOUD", "QUIET", "SANDBOX", "Tenants", "calling_on_and_on", "cancelled", "tenants"]

LOUD: Final = "loud"
QUIET: Final = "quiet"
SANDBOX: Final = "quiet-sandbox"
"""A sandbox caller of the quiet tenant."""
_AT_ONCE: Final = 12

Metadata = tuple[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Tenants:
    """A server, and the keys of its callers."""

    live: LiveServer
    keys: dict[str, str]

    def metadata(self, caller: str) -> Metadata:
        """The credentials of a caller."""
        return (("authorization", f"Bearer {self.keys[caller]}"),)

    async def upload(self, caller: str) -> service_pb2.UploadTrustedImageResponse:
        return await self.live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=portrait(), request_id=str(uuid4())),
            metadata=self.metadata(caller),
        )

    async def metrics(self) -> str:
        url = f"http://127.0.0.1:{self.live.server.admin_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return await answer.text()


class _Slow:
    """A detector that is slow for each image, like one without a cache."""

    def __init__(self, model: FaceDetector, seconds: float) -> None:
        self._model, self._seconds = model, seconds

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        sleep(self._seconds)
        return self._model.detect(image)


@asynccontextmanager
async def tenants(folder: Path, *, detection_seconds: float = 0.0, **tables: Any) -> AsyncIterator[Tenants]:
    """Serves until the block ends; ``tables`` are settings."""
    keys = {caller: new_api_key() for caller in (LOUD, QUIET, SANDBOX)}
    path = folder / "keys.toml"
    path.touch(0o600)
    path.write_text(
        "".join(
            f'[[key]]\nname = "{caller}"\nsha256 = "{digest}"\nroles = ["orchestrator"]\n'
            f'tenant = "{caller.partition("-")[0]}"\nsandbox = {str(caller == SANDBOX).lower()}\n'
            for caller, (_, digest) in keys.items()
        )
    )
    listeners = {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": path}, "admin": {"port": 0}}
    pack = remembering_pack()
    pack = replace(pack, detector=_Slow(pack.detector, detection_seconds))
    async with serving(settings_for(folder, listeners=listeners, **tables), pack=pack) as live:
        yield Tenants(live, {caller: key for caller, (key, _) in keys.items()})


async def cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancels until all have ended: a call that ends at the same moment may swallow one cancellation."""
    while not all(task.done() for task in tasks):
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=0.5)


@asynccontextmanager
async def calling_on_and_on(call: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Keeps twelve calls running, each made anew as soon as it is answered or refused."""

    served = 0

    async def on_and_on() -> None:
        nonlocal served
        while True:
            try:
                await call()
                served += 1
            except grpc.RpcError:
                await asyncio.sleep(0.005)

    loops = [asyncio.create_task(on_and_on()) for _ in range(_AT_ONCE)]
    try:
        await asyncio.sleep(0.5)
        yield
        assert served
        assert not any(loop.done() for loop in loops)
    finally:
        await cancelled(loops)
