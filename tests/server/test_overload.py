"""Calls beyond a server's limits, and beyond their deadline."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from facegate.v1 import scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from tests.server.live import pictures, portrait, serving, settings_for, until
from tests.server.models_once import remembering_pack
from tests.server.raw_device import RawDevice
from tests.server.refusals import refusal_of, refused
from vision.packs.interfaces import FaceDetector


class _Held:
    """A detector that waits until the test releases it."""

    def __init__(self, model: FaceDetector, loop: asyncio.AbstractEventLoop) -> None:
        self._model, self._loop = model, loop
        self.release = asyncio.Event()
        self.held = 0

    def detect(self, image: Any) -> Any:
        self.held += 1
        asyncio.run_coroutine_threadsafe(self.release.wait(), self._loop).result(60)
        return self._model.detect(image)


async def test_scans_beyond_the_limit_are_asked_to_come_later(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, limits={"max_scans": 2})) as live:
        uploads = [await live.upload() for _ in range(3)]
        streams = [await RawDevice(live.device, upload).open() for upload in uploads[:2]]
        third = RawDevice(live.device, uploads[2])
        refusal = await third.refusal()
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refusal.retry_seconds
        assert refusal.metadata == {"limit": "2", "retrySeconds": "3.0"}
        for stream in streams:
            await stream.vanish()
        await live.unattended()
        assert (await (await third.open()).run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS


async def test_unary_calls_beyond_the_limit_and_beyond_their_deadline(tmp_path: Path) -> None:
    held = _Held(remembering_pack().detector, asyncio.get_running_loop())
    pack = replace(remembering_pack(), detector=held)
    limits = {"max_uploads": 1, "max_unary": 1, "wait_seconds": 0.2}
    async with serving(settings_for(tmp_path, limits=limits), pack=pack) as live:
        request = service_pb2.UploadTrustedImageRequest(image=portrait(), request_id=str(uuid4()))
        first = asyncio.ensure_future(live.service.UploadTrustedImage(request))

        async def being_worked_on() -> bool:
            return held.held > 0

        await until(being_worked_on)

        refusal = await refusal_of(live.upload())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refusal.retry_seconds
        # A result is still available.
        assert (await refusal_of(live.finish(str(uuid4())))).reason == "CHECK_NOT_FOUND"
        held.release.set()
        accepted = await first
        held.release.clear()

        # The same request again is answered from storage; a new one waits for its deadline.
        assert await live.service.UploadTrustedImage(request, timeout=20) == accepted
        late = service_pb2.UploadTrustedImageRequest(image=portrait(), subject_reference="late")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await live.service.UploadTrustedImage(late, timeout=0.5)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        held.release.set()

        async def served_again() -> bool:
            try:
                return bool((await live.upload()).check_id)
            except grpc.aio.AioRpcError as error:
                return refused(error).reason != "OVERLOADED"

        await until(served_again)


async def test_the_servers_own_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.service_servicer._MAX_SECONDS", 0.2)
    held = _Held(remembering_pack().detector, asyncio.get_running_loop())
    async with serving(settings_for(tmp_path), pack=replace(remembering_pack(), detector=held)) as live:
        refusal = await refusal_of(live.upload())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        held.release.set()
