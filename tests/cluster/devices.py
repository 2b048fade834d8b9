"""The people and attackers before the cluster, their phones and lines, and their backend."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client import (
    CallRefusedError,
    ClientError,
    ConnectionFailedError,
    FaceScanner,
    FrameSource,
    Orchestrator,
    ReconnectPolicy,
    ScanEvents,
    ScanSettings,
    open_channel,
    open_image_folder,
    ticket_of,
)
from lab.simulator import AmbientPreset, AmbientSettings, FlashKind, FlashScanSettings, ScanKind
from lab.simulator.phone import SimulatedPhone
from lab.simulator.scan import simulate_scan
from lab.simulator.scene import SceneSettings
from tests.cluster.servers import POLICY, Cluster
from tests.packs import real_pack, real_photo
from tests.server.live import portrait
from tests.web.lines import line
from vision.image import encode_jpeg

_WIDTH, _HEIGHT = 480, 640
_EXPRESS_RATE, _DYNAMIC_RATE = 10.0, 15.0
_SECONDS = 45.0
_ATTACK_SECONDS = 12.0
"""Of a person's recording: enough for all attempts of a check, and those that a lost line takes. An attacker
may run out of frames."""
_LINES: dict[str, dict[str, object]] = {
    "good": {},
    "slow": {"bytes_per_second": 400_000.0},
    "lossy": {"late": (*(0.0,) * 11, 0.4)},
    "dropped": {"breaks_after": 250_000, "breaks": 1},
}
"""Lines of phones: slow, with lost data that come late, and one that breaks once in a scan."""
_WAITED_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Device:
    """One who comes again and again.

    Attributes:
        kind: What the table calls its scans.
        person: Who is before the camera.
        portrait_of: Whose portrait the backend has.
        scene: What is before the camera.
        dynamic: Whether the backend asks for a challenge.
        line: A name of ``_LINES``.
    """

    kind: str
    person: str
    portrait_of: str
    scene: ScanKind = ScanKind.GENUINE
    dynamic: bool = False
    line: str = "good"

    @property
    def attack(self) -> bool:
        """Whether this one may never succeed."""
        return self.person != self.portrait_of or self.scene is not ScanKind.GENUINE


def crowd() -> list[Device]:
    """The mix, with more attackers than a service sees; repeated as often as needed."""
    person, other = "astronaut", "red-shirt"

    def genuine(kind: str, *, dynamic: bool = False, line: str = "good") -> Device:
        return Device(kind=kind, person=person, portrait_of=person, dynamic=dynamic, line=line)

    return [
        genuine("express"),
        genuine("dynamic", dynamic=True),
        genuine("dropped line", line="dropped"),
        Device(kind="impostor", person=other, portrait_of=person),
        genuine("slow line", line="slow"),
        genuine("lossy line", line="lossy"),
        Device(kind="replay", person=person, portrait_of=person, scene=ScanKind.LOOPED_CLIP),
        genuine("dynamic, dropped", dynamic=True, line="dropped"),
    ]


class Film:
    """The frames of the people, rendered and encoded once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, device: Device) -> Path:
        """The folder with the frames."""
        return self._folder / f"{device.person}-{device.scene}"

    def make(self, devices: Iterable[Device]) -> None:
        """Render what the devices show."""
        for device in devices:
            if not device.dynamic and not self.of(device).exists():
                self._make(self.of(device), device)

    def _make(self, folder: Path, device: Device) -> None:
        folder.mkdir(parents=True)
        settings = SceneSettings(
            kind=device.scene,
            seed=3,
            seconds=_ATTACK_SECONDS if device.attack else _SECONDS,
            frames_per_second=_EXPRESS_RATE,
            width=_WIDTH,
            height=_HEIGHT,
        )
        for number, frame in enumerate(simulate_scan(real_photo(device.person), settings)):
            (folder / f"{number:05d}.jpg").write_bytes(encode_jpeg(frame.pixels, quality=80))


@dataclass(kw_only=True)
class Visit:
    """One check, from the backend's upload to its verdict, as all that took part remember it.

    Attributes:
        phase: What befell the cluster when the scan began.
        request_id: Of the upload.
        check_id: Empty if the upload was never acknowledged.
        told: The last status that the device received; ``None`` if it received none.
        left: Why the device left without a result.
        streams: Streams with a challenge.
        refusals: The times that refused devices were asked to wait, and how long each refusal took.
        lost: Connections that were lost otherwise.
        waits: From each AttemptEnd to its result, if the line held.
        watched: Whether a watching backend saw the end of the check.
        faults: What may not happen.
    """

    device: Device
    phase: str
    request_id: str = field(default_factory=lambda: str(uuid4()))
    check_id: str = ""
    told: scan_pb2.ScanStatus.ValueType | None = None
    left: str = ""
    streams: int = 0
    refusals: list[tuple[float, float]] = field(default_factory=list)
    lost: int = 0
    waits: list[tuple[str, float]] = field(default_factory=list)
    watched: bool = False
    response: service_pb2.FinishCheckResponse | None = None
    faults: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The verdict's."""
        if self.response is None:
            return "NONE"
        return result_pb2.CheckStatus.Name(self.response.result.status).removeprefix("CHECK_STATUS_")

    @property
    def reasons(self) -> list[str]:
        """Why it is no success."""
        if self.response is None:
            return []
        names = map(result_pb2.FailureReason.Name, self.response.result.reasons)
        return [name.removeprefix("FAILURE_REASON_") for name in names]


@dataclass(frozen=True, kw_only=True)
class _Patience(ReconnectPolicy):
    """Keeps the waits that the server asked for."""

    limit: int = 40
    first_limit: int = 40
    asked: list[float] = field(default_factory=list)

    def delay(self, reconnect: int, *, asked_s: float, jitter: float) -> float:
        self.asked.append(asked_s)
        return super().delay(reconnect, asked_s=asked_s, jitter=jitter)


class _Watch(ScanEvents):
    def __init__(self, visit: Visit, patience: _Patience, phase: "Phase") -> None:
        self._visit = visit
        self._patience = patience
        self._phase = phase
        self._ended: float | None = None
        self._tried = time.monotonic()

    def challenge(self, body: scan_pb2.ChallengeBody) -> None:
        self._visit.streams += 1

    def capture_finished(self, attempt: int, frames: int, dropped: int) -> None:
        self._ended = time.monotonic()

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        if self._ended is not None:
            self._visit.waits.append((self._phase.name, time.monotonic() - self._ended))
        self._ended = None

    def connection_lost(self, reconnect: int, wait_s: float, cause: str) -> None:
        self._ended = None
        now = time.monotonic()
        if cause.startswith("OVERLOADED"):
            asked = self._patience.asked[-1]
            self._visit.refusals.append((asked, now - self._tried))
            if not asked:
                self._visit.faults.append("refused without a time to come back")
        else:
            self._visit.lost += 1
        self._tried = now + wait_s


@dataclass
class Phase:
    """What befalls the cluster now."""

    name: str = "steady"


class Backend:
    """The bank's own server: it makes checks, waits for verdicts, and asks again as its client does."""

    def __init__(self, cluster: Cluster, stack_channels: Sequence[Orchestrator]) -> None:
        self._cluster = cluster
        self._orchestrators = itertools.cycle(stack_channels)

    @classmethod
    @asynccontextmanager
    async def open(cls, cluster: Cluster) -> AsyncIterator["Backend"]:
        """Open connections enough to reach both servers."""
        target = f"127.0.0.1:{cluster.edge.backends_port}"
        channels = [open_channel(target, tls=cluster.backend_tls) for _ in range(4)]
        try:
            yield cls(
                cluster,
                [
                    Orchestrator(channel=channel, keys=cluster.keys, accept_sandbox=True)
                    for channel in channels
                ],
            )
        finally:
            for channel in channels:
                await channel.close()

    async def upload(self, visit: Visit) -> service_pb2.UploadTrustedImageResponse:
        """Make the check; repeated with the same identifier until it is acknowledged."""
        mode = scan_pb2.MODE_DYNAMIC if visit.device.dynamic else scan_pb2.MODE_UNSPECIFIED
        while True:
            try:
                made = await next(self._orchestrators).upload_trusted_image(
                    portrait(visit.device.portrait_of), policy=POLICY, mode=mode, request_id=visit.request_id
                )
            except ClientError as error:
                await _wait_or_raise(error)
            else:
                visit.check_id = made.check_id
                return made

    async def watch(self, visit: Visit) -> None:
        """Follow the check to its end."""
        over = service_pb2.CheckProgress
        while not visit.watched:
            try:
                async for progress in next(self._orchestrators).watch_check(visit.check_id):
                    visit.watched = progress.state in {over.STATE_DECIDED, over.STATE_CLOSED}
            except ClientError as error:
                await _wait_or_raise(error)

    async def finish(self, visit: Visit, *, images: int = 0) -> service_pb2.FinishCheckResponse:
        """The verdict, verified; of a check that the device left, by closing it."""
        while True:
            try:
                return await next(self._orchestrators).finish_check(
                    visit.check_id, audit_image_limit=images, close_now=bool(visit.left), wait_s=60.0
                )
            except ClientError as error:
                refusal = error.refusal if isinstance(error, CallRefusedError) else None
                if refusal is not None and refusal.reason == "NOT_SCANNED_YET":
                    await self._cancel(visit)
                else:
                    await _wait_or_raise(error)

    async def _cancel(self, visit: Visit) -> None:
        try:
            await next(self._orchestrators).cancel_check(visit.check_id)
        except ClientError as error:
            await _wait_or_raise(error)


async def _wait_or_raise(error: ClientError) -> None:
    """Wait as long as the server asked, if it asked; without an answer, a moment."""
    match error:
        case ConnectionFailedError():
            wait_s = _WAITED_S
        case CallRefusedError(refusal=refusal) if refusal.retry_after_s is not None:
            wait_s = refusal.retry_after_s
        case CallRefusedError(refusal=refusal) if refusal.code == "DEADLINE_EXCEEDED":
            wait_s = _WAITED_S
        case _:
            raise error
    await asyncio.sleep(wait_s * random.uniform(1.0, 1.5))


async def visit(device: Device, *, cluster: Cluster, backend: Backend, film: Film, phase: Phase) -> Visit:
    """One check from its upload to its verdict."""
    visit = Visit(device=device, phase=phase.name)
    source, screen = _camera(device, film)
    made = await backend.upload(visit)
    watching = asyncio.create_task(backend.watch(visit))
    phones = f"127.0.0.1:{cluster.edge.phones_port}"
    patience = _Patience()
    async with line(phones, **_LINES[device.line]) as far:  # type: ignore[arg-type]
        target = far.removeprefix("ws://")
        async with open_channel(target, tls=cluster.phone_tls) as channel:
            scanner = FaceScanner(
                channel=channel,
                ticket=ticket_of(made),
                source=source,
                screen=screen,
                server_spki_sha256=cluster.files.edge_spki_sha256,
                events=_Watch(visit, patience, phase),
                settings=ScanSettings(reconnect=patience, result_timeout_s=60.0),
            )
            try:
                visit.told = (await scanner.scan()).status
            except ClientError as error:
                visit.left = f"{type(error).__name__}: {error}"
            if visit.told == scan_pb2.SCAN_STATUS_RETRY:
                visit.left = "the recording is over"
    visit.response = await backend.finish(visit)
    await watching
    return visit


def _camera(device: Device, film: Film) -> tuple[FrameSource, SimulatedPhone | None]:
    if not device.dynamic:
        return open_image_folder(film.of(device), frames_per_second=_EXPRESS_RATE), None
    settings = FlashScanSettings(
        kind=FlashKind.GENUINE,
        seed=5,
        seconds=60.0,
        frames_per_second=_DYNAMIC_RATE,
        width=_WIDTH,
        height=_HEIGHT,
        ambient=AmbientSettings(preset=AmbientPreset.DARK),
    )
    phone = SimulatedPhone.in_hand(
        real_photo(device.person), settings, find_faces=real_pack().detector.detect
    )
    return phone, phone
