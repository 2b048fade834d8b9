"""Runs one scenario: makes the three calls of an orchestrator and a phone.

The phone uses as many attempts as the policy allows. That of an attacker leaves after the first one: further
attempts would show the same, for up to ten seconds each.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

import cv2
import grpc
from facegate.v1 import feedback_pb2, scan_pb2, verification_service_pb2

from cli.chosen import models_folder
from facegate_client import (
    CallRefusedError,
    FaceScanner,
    FrameSource,
    KeySet,
    Orchestrator,
    ScanEvents,
    ScanSettings,
    ServerNotTrustedError,
    fetch_key_set,
    generated_source,
    open_channel,
    ticket_of,
    verify_response,
)
from lab.demo.flash import flash_strip
from lab.demo.local_server import (
    DOUBT_POLICY,
    FLASH_ALONE_POLICY,
    FLASH_POLICY,
    LocalServer,
    Tested,
    local_server,
)
from lab.demo.pack import ChosenPack
from lab.demo.scenarios import DemoRecord, Scenario, Timings
from lab.demo.stage import FRAMES_PER_SECOND, Stage, StagedScan
from lab.simulator.devices import POLICY_NAME as ATTESTED_POLICY
from lab.simulator.devices import make_device
from lab.simulator.devices.client import scanner_parts
from lab.simulator.phone import TapedPhone
from liveness.dynamic import load_flash_model

_WAIT_SECONDS: Final = 15.0
_SCANS: Final = 2
"""Scans at the same time. They take real time, and share the cores of the machine."""
_AT_ONCE: Final = 4
"""Checks at the same time: two scan, one is rendered or measured again, and one waits for a free place."""


class CaptureWatcher(Protocol):
    """Receives the events of a check."""

    def rendered(self, share: float) -> None:
        """Receive the rendered share of the scan, 0..1. May be called from another thread."""

    def hint(self, code: int, progress: float) -> None:
        """Receive a feedback code and the progress of the capture, 0..1."""

    def deciding(self, frames: int) -> None:
        """Learn that the last frame is sent and the server decides."""


class CheckRunner:
    """Makes checks against one server."""

    def __init__(
        self,
        *,
        service: grpc.aio.Channel,
        device: grpc.aio.Channel,
        keys: KeySet,
        chosen: ChosenPack,
        tested: Tested,
    ) -> None:
        """Use open channels to both listeners; the pack also finds the faces under the colours again."""
        self.service = service
        self.keys = keys
        self._pack = chosen.pack
        self._model = load_flash_model()
        self._sandbox = Orchestrator(channel=service, api_key=tested.sandbox, accept_sandbox=True)
        self._real = Orchestrator(channel=service, api_key=tested.real)
        self._policy = chosen.policy
        self._flash_policy = chosen.flash_policy
        self._platform = tested.platform
        self._device = device
        self._scans = asyncio.Semaphore(_SCANS)
        self._workshop = asyncio.Semaphore(1)

    async def check(
        self,
        stage: Stage,
        scenario: Scenario,
        *,
        watcher: CaptureWatcher,
        before_scan: Callable[[], Awaitable[None]] | None = None,
    ) -> tuple[DemoRecord, list[bytes]]:
        """Make the portrait and the scan of a scenario, and run the check.

        At most two checks scan at the same time, and beside them one is rendered or its flash measured again.

        Args:
            before_scan: Waits until the scan may begin.

        Returns:
            The record, and the frames of the deciding scan as JPEGs.
        """
        async with self._workshop:
            portrait = await asyncio.to_thread(stage.portrait, scenario)
            phone = await asyncio.to_thread(stage.phone, scenario)
            scan = await asyncio.to_thread(stage.scan, scenario, progress=watcher.rendered)
        sent: list[bytes] = []
        if scan is not None:
            scan = replace(scan, frames=recorded(scan.frames, sent))
        async with self._scans:
            if before_scan is not None:
                await before_scan()
            record = await self.run(scenario, portrait=portrait, scan=phone or scan, watcher=watcher)
        if phone is not None and phone.attempts:
            sent = [frame.jpeg for frame in phone.attempts[-1].frames]
        if phone is not None and record.result is not None:
            async with self._workshop:
                strip = await asyncio.to_thread(
                    flash_strip,
                    phone.attempts,
                    record.result.liveness.challenge_steps,
                    find_faces=self._pack.detector.detect,
                    model=self._model,
                )
            record = replace(record, flash=strip)
        return record, sent

    async def run(
        self,
        scenario: Scenario,
        *,
        portrait: bytes,
        scan: StagedScan | TapedPhone | None,
        watcher: CaptureWatcher,
    ) -> DemoRecord:
        """Run one check. A refused portrait ends it; a scenario without a scan has none."""
        began = time.monotonic()
        orchestrator = self._sandbox if scenario.sandbox else self._real
        try:
            created = await orchestrator.upload_trusted_image(
                portrait,
                policy=self._policy_of(scenario),
                mode=self._mode_of(scenario),
            )
        except CallRefusedError as error:
            upload = time.monotonic() - began
            return DemoRecord(
                scenario=scenario, portrait=portrait, timings=Timings(upload=upload), refusal=error.refusal
            )
        uploaded = time.monotonic()
        events = _CaptureEvents(watcher)
        if scan is not None:
            await self._scanner(created, scenario, scan, events).scan()
        scanned = time.monotonic()
        response = await orchestrator.finish_check(created.check_id, wait_s=_WAIT_SECONDS)
        ended = events.ended or scanned
        return DemoRecord(
            scenario=scenario,
            portrait=portrait,
            strip=scan.strip if isinstance(scan, StagedScan) else (),
            hints=tuple(events.hints),
            timings=Timings(
                upload=uploaded - began,
                capture=ended - uploaded,
                decision=(events.decided or ended) - ended,
                finish=time.monotonic() - scanned,
            ),
            response=response,
            signature_verified=is_verified(response, self.keys, created.check_id, sandbox=scenario.sandbox),
        )

    def _policy_of(self, scenario: Scenario) -> str:
        if scenario.device is not None:
            return ATTESTED_POLICY
        if scenario.doubt:
            return DOUBT_POLICY
        return self._flash_policy if scenario.flashes else self._policy

    def _mode_of(self, scenario: Scenario) -> scan_pb2.Mode.ValueType:
        """Return DYNAMIC if the scenario has a flash that its policy does not begin or continue with."""
        own = {DOUBT_POLICY, FLASH_POLICY, FLASH_ALONE_POLICY}
        raised = scenario.flashes and self._policy_of(scenario) not in own
        return scan_pb2.MODE_DYNAMIC if raised else scan_pb2.MODE_UNSPECIFIED

    def _scanner(
        self,
        created: verification_service_pb2.UploadTrustedImageResponse,
        scenario: Scenario,
        scan: StagedScan | TapedPhone,
        events: ScanEvents,
    ) -> FaceScanner:
        device = None if scenario.device is None else make_device(scenario.device, self._platform)
        return FaceScanner(
            channel=self._device,
            ticket=ticket_of(created),
            source=_source(scan, scenario),
            screen=scan if isinstance(scan, TapedPhone) else None,
            **({} if device is None else scanner_parts(device)),
            events=events,
            settings=ScanSettings(max_attempts=1) if scenario.attack else ScanSettings(),
        )


async def in_turn(scenarios: Sequence[Scenario], check: Callable[[Scenario], Awaitable[None]]) -> None:
    """Make all checks: the genuine ones first, each alone, then the others, several at a time.

    A genuine person thus never waits for a server that is busy with others, or for a camera while others are
    rendered. Of the others, those with a flash are first: started last, one would run alone at the end.
    """
    for scenario in scenarios:
        if scenario.genuine:
            await check(scenario)
    waiting = iter(sorted((one for one in scenarios if not one.genuine), key=lambda one: not one.flashes))

    async def work() -> None:
        for scenario in waiting:
            await check(scenario)

    working = [asyncio.create_task(work()) for _ in range(_AT_ONCE)]
    try:
        await asyncio.gather(*working)
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


@asynccontextmanager
async def opened_runner(
    folder: Path, *, log: Path, chosen: ChosenPack, tested: Tested, further: str = ""
) -> AsyncIterator[tuple[LocalServer, CheckRunner]]:
    """Start a server in a folder, and yield it and what makes checks against it.

    From now on OpenCV uses one thread in this process, because rendering must leave a core to the server.

    Args:
        further: Further settings, TOML, beside those of the tested platform.
    """
    settings = further + tested.settings
    cv2.setNumThreads(1)
    async with (
        local_server(
            folder, log=log, pack=chosen.spec, models_dir=models_folder(), further=settings
        ) as server,
        open_channel(server.service) as service,
        open_channel(server.device) as device,
    ):
        keys = await fetch_key_set(server.jwks_url)
        yield server, CheckRunner(service=service, device=device, keys=keys, chosen=chosen, tested=tested)


def is_verified(
    response: verification_service_pb2.FinishCheckResponse, keys: KeySet, check_id: str, *, sandbox: bool
) -> bool:
    """Return whether the signature of a result verifies, and the result is that of the check."""
    try:
        verify_response(response, keys, check_id=check_id, accept_sandbox=sandbox)
    except ServerNotTrustedError:
        return False
    return True


def recorded(frames: Iterator[tuple[bytes, float]], sent: list[bytes]) -> Iterator[tuple[bytes, float]]:
    """Pass on the frames of a scan, JPEG and capture time, and add those that were taken to ``sent``."""
    for jpeg, seconds in frames:
        sent.append(jpeg)
        yield jpeg, seconds


def _source(scan: StagedScan | TapedPhone, scenario: Scenario) -> FrameSource:
    if isinstance(scan, TapedPhone):
        return scan
    return generated_source(
        scan.frames,
        label=scenario.camera or f"simulated {scenario.kind}",
        frames_per_second=FRAMES_PER_SECOND,
    )


class _CaptureEvents(ScanEvents):
    def __init__(self, watcher: CaptureWatcher) -> None:
        self._watcher = watcher
        self.hints: list[int] = []
        self.ended: float | None = None
        self.decided: float | None = None

    def feedback(self, feedback: feedback_pb2.Feedback) -> None:
        if not self.hints or self.hints[-1] != feedback.code:
            self.hints.append(feedback.code)
        self._watcher.hint(feedback.code, min(max(feedback.progress, 0.0), 1.0))

    def capture_finished(self, attempt: int, frames: int, dropped: int) -> None:
        self.ended = time.monotonic()
        self._watcher.deciding(frames)

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        self.decided = time.monotonic()
