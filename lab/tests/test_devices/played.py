"""Whole checks of test devices: the reference client with a real server that trusts a test platform."""

import asyncio
import random
import tomllib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from facegate.v1 import result_pb2, scan_pb2

from facegate_client import FaceScanner, Pace, generated_source, ticket_of
from facegate_client.frame_source import CameraDescription, CapturedImage, FrameSource
from lab.simulate import write_platform
from lab.simulator.devices import (
    POLICY_NAME,
    SETTINGS_FILE,
    AttestedUse,
    DeviceKind,
    StoredPlatform,
    TestDevice,
    make_device,
)
from lab.simulator.devices.client import (
    DeviceAttestor,
    PlayedSource,
    camera_profile_of,
    device_profile_of,
    runtime_findings_of,
)
from lab.simulator.phone import SimulatedPhone, WorldTime
from server.running.assembly import Tuning
from tests.server.flash_phone import in_step
from tests.server.live import FAST, LiveServer, fresh_pictures, serving, settings_for


def failed(result: result_pb2.CheckResult) -> set[str]:
    """Names of the failed tests of a device.

    The policy's demands and ignored tests are left out: all these scans have the same frames.
    """
    return {
        check.name
        for check in result.device.checks
        if check.outcome == result_pb2.DeviceCheck.OUTCOME_FAIL
        and not check.name.startswith(("demand.", "memory."))
    }


def signs(result: result_pb2.CheckResult) -> set[str]:
    """The decided signs of manipulation."""
    return {signal.name for signal in result.device.signals if not signal.passed}


def reasons(result: result_pb2.CheckResult) -> list[str]:
    """The reasons of a failed check."""
    names = map(result_pb2.FailureReason.Name, result.reasons)
    return [name.removeprefix("FAILURE_REASON_") for name in names]


@dataclass(frozen=True, slots=True)
class Field:
    """A server and a platform that it trusts."""

    live: LiveServer
    stored: StoredPlatform

    def device(self, kind: DeviceKind, use: AttestedUse | None = None) -> TestDevice:
        return make_device(kind, self.stored.platform, use=use)

    async def check(
        self, device: TestDevice, *, pace: Pace = "fast", screen: SimulatedPhone | None = None
    ) -> result_pb2.CheckResult:
        """A whole check of the portrait's living person with the device; DYNAMIC if it has a screen."""
        mode = scan_pb2.MODE_UNSPECIFIED if screen is None else scan_pb2.MODE_DYNAMIC
        upload = await self.live.upload(policy=POLICY_NAME, mode=mode)
        live = pace == "realtime"
        camera = screen or (_CameraInStep(self.live.world) if live else front_camera(pace))
        scanner = FaceScanner(
            channel=self.live.device_channel,
            ticket=ticket_of(upload),
            source=PlayedSource(camera, device.habit),
            screen=screen,
            profile=device_profile_of(device.claim),
            camera=camera_profile_of(device.camera),
            attestor=DeviceAttestor(device),
            runtime_findings=runtime_findings_of(device.report),
        )
        with in_step() if live or screen is not None else nullcontext():
            await scanner.scan()
        return (await self.live.finish(upload.check_id)).result


def front_camera(pace: Pace) -> FrameSource:
    """The portrait's living person."""
    frames: Iterable[tuple[bytes, float]] = ((one.jpeg, one.time_us / 1e6) for one in fresh_pictures())
    return generated_source(frames, label="front", frames_per_second=10.0, pace=pace)


_JITTER_SECONDS = 0.02
"""Of an encoder and a network."""


class _CameraInStep:
    """The portrait's living person in the server's time, which stands still while a frame is late."""

    pace: Pace = "fast"

    def __init__(self, world: WorldTime) -> None:
        self._source = front_camera(self.pace)
        self._world = world
        self._random = random.Random(5)
        self._began: float | None = None

    @property
    def camera(self) -> CameraDescription:
        return self._source.camera

    def begin_attempt(self) -> None:
        self._source.begin_attempt()
        self._began = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        frame = await anext(self._source)
        captured = frame.capture_time_us / 1e6
        if self._began is None:
            self._began = self._world.monotonic() - captured
        due = self._began + captured + self._random.uniform(0.0, _JITTER_SECONDS)
        self._world.expect_frame(due)
        await asyncio.sleep(max(0.0, due - self._world.monotonic()))
        return frame

    async def aclose(self) -> None:
        self._world.expect_frame(None)
        await self._source.aclose()


def platform_settings(stored: StoredPlatform) -> dict[str, Any]:
    """The platform's settings file, except for the data folders."""
    settings = tomllib.loads((stored.folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    del settings["data_dir"], settings["listeners"]
    return settings


@asynccontextmanager
async def believing(folder: Path, *, tuning: Tuning = FAST) -> AsyncIterator[Field]:
    """A server whose settings and policy are those that `facegate attest test-platform` wrote."""
    stored = write_platform(folder / "platform", now=datetime.now(UTC))
    async with serving(settings_for(folder, **platform_settings(stored)), tuning=tuning) as live:
        yield Field(live, stored)
