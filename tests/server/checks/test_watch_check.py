"""WatchCheck with a real server."""

import asyncio
from pathlib import Path

import grpc

from tests.server.checks.asking import Watcher, state_of, watching
from tests.server.live import (
    LiveServer,
    pictures,
    serving,
    settings_for,
    until,
)
from tests.server.raw_device import RawDevice
from tests.server.refusals import refusal_of


async def test_a_watcher_sees_every_change(scene: LiveServer) -> None:
    upload = await scene.upload(policy="resumable")
    device = RawDevice(scene.device, upload)
    async with watching(scene, upload.check_id) as watcher:
        await watcher.sees("WAITING")
        stream = await device.open()
        await stream.begin()
        await stream.send_frames(pictures()[:5])
        await stream.taken(5)
        await watcher.sees("SCANNING")
        await stream.vanish()
        await watcher.sees("INTERRUPTED")
        again = await device.resume()
        await again.begin()
        await watcher.sees("SCANNING")
        await again.run_rest(pictures())
        assert await again.outcome() is None
        await watcher.over()
        assert watcher.states == ["WAITING", "SCANNING", "INTERRUPTED", "SCANNING", "DECIDED"]
        # No state is reported twice.
        assert all(one != next_ for one, next_ in zip(watcher.seen, watcher.seen[1:], strict=False))
    await scene.finish(upload.check_id)
    async with watching(scene, upload.check_id) as watcher:
        await watcher.over()
        assert watcher.states == ["CLOSED"]


async def test_a_watcher_sees_that_time_alone_changes_a_state(scene: LiveServer) -> None:
    upload = await scene.upload(policy="brief")
    async with watching(scene, upload.check_id) as watcher:
        await watcher.over()
        assert watcher.states == ["WAITING", "EXPIRED"]


async def test_watchers_have_a_limit_of_their_own(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, limits={"max_watches": 2, "max_unary": 1})) as live:
        upload = await live.upload()
        async with watching(live, upload.check_id) as first, watching(live, upload.check_id) as second:
            await first.sees("WAITING")
            await second.sees("WAITING")
            third = Watcher(live, upload.check_id)
            refusal = await refusal_of(third.over())
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert refusal.metadata == {"limit": "2", "retrySeconds": "1.0"}
            assert refusal.retry_seconds
            # Unary calls are served nevertheless.
            assert await state_of(live, upload.check_id) == "WAITING"

        async def free() -> bool:
            async with watching(live, upload.check_id) as watcher:
                await asyncio.sleep(0.1)
                return watcher.states == ["WAITING"]

        # A watcher that leaves frees its place.
        await until(free)


async def test_a_server_that_drains_sends_watchers_away(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path)) as live:
        upload = await live.upload()
        async with watching(live, upload.check_id) as watcher:
            await watcher.sees("WAITING")
            await live.server.drain()
            refusal = await refusal_of(watcher.over())
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
            assert refusal.retry_seconds
        assert (await refusal_of(Watcher(live, upload.check_id).over())).reason == "NOT_SERVING"
