"""A whole server in this process, with real models and real images, for tests of its behaviour."""

import asyncio
import atexit
import functools
import gc
import time
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, overload
from uuid import UUID

import aiohttp
import cv2
import grpc
import numpy as np
import pytest
from facegate.v1 import scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.analysis_service_pb2_grpc import AnalysisServiceStub
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from prometheus_client import CollectorRegistry

from attempt.placement import CapturePlan
from formats.image_format import ImageFormat
from lab.simulator.phone import WorldTime
from lab.simulator.photo import builtin_image
from lab.simulator.scan import simulate_scan
from lab.simulator.scene import ExpressionSettings, ScanKind, SceneSettings
from server.configuration.settings import Settings
from server.domain.terms import CheckState
from server.running.app import FacegateServer
from server.running.assembly import Tuning
from server.running.workers import DECODERS, make_decoders
from server.storage.database import Database, open_database
from server.storage.objects import open_object_store
from server.storage.records import AttemptRecord, CheckRecord, EvidenceEntry
from server.storage.repository import CheckRepository
from server.telemetry.metrics import Metrics
from tests.packs import real_photo
from tests.server.databases import make_tables
from tests.server.models_once import remembering_pack
from tests.server.policy_files import shipped_for_trials, write_policy
from tests.server.web_call import WebStub
from vision.image import DecodeLimits, decode_image, encode_jpeg
from vision.isolation.pool import DecoderPool
from vision.isolation.workers import DecoderLimits
from vision.packs import Pack

if TYPE_CHECKING:
    from facegate.v1.analysis_service_pb2_grpc import AnalysisServiceAsyncStub
    from facegate.v1.verification_service_pb2_grpc import VerificationServiceAsyncStub

FRAMES_PER_SECOND = 10.0
PLAN = CapturePlan(frames=18, seconds=1.7, selected=8, motion_seconds=0.0)
"""Less than a real attempt, and enough for liveness to decide."""

FAST = Tuning(plan=PLAN, ahead_seconds=1e9, end_seconds=60.0, sweep_seconds=0.25)
"""Accepts frames as fast as they come, and waits for AttemptEnd longer than a busy machine takes."""
SWEEPING = replace(FAST, sweep_seconds=0.05)
"""The same for tests that wait for retention, of every twelfth sweep."""


class ServerTime(WorldTime):
    """The monotonic clock of a server, which also stands still while this process renders pictures.

    They are rendered on the event loop, often when a stream is open already; on a busy machine that takes
    longer than an attempt may.
    """

    _all: ClassVar["weakref.WeakSet[ServerTime]"] = weakref.WeakSet()

    def __init__(self) -> None:
        super().__init__()
        self._stands_at: float | None = None
        self._all.add(self)

    def monotonic(self) -> float:
        stands_at = self._stands_at
        return super().monotonic() if stands_at is None else stands_at

    def pass_by(self, seconds: float) -> None:
        """So much time passes at once."""
        self._behind -= seconds

    @classmethod
    @contextmanager
    def standing_still(cls) -> Iterator[None]:
        """No time passes for any server in the block."""
        clocks = tuple(cls._all)
        for clock in clocks:
            clock._stands_at = clock.monotonic()
        began = time.monotonic()
        try:
            yield
        finally:
            for clock in clocks:
                clock._behind += time.monotonic() - began
                clock._stands_at = None


@functools.cache
def shared_decoders() -> DecoderPool:
    """One pool of isolated decoders for all servers of a test process: it takes 0.1 s of CPU to start."""
    # A busy machine takes longer to start a process than a server waits for one.
    patient = functools.partial(DecoderLimits, wall_seconds=60.0, wait_seconds=60.0, start_seconds=90.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.running.workers.DecoderLimits", patient)
        pool = make_decoders(Metrics(CollectorRegistry()))
    pool.start()
    atexit.register(pool.close)
    return pool


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame to send: a JPEG and when it was captured, microseconds."""

    jpeg: bytes
    time_us: int
    width: int
    height: int


class Pictures(Sequence[Picture]):
    """A simulated scan that is rendered when its first frame is asked for."""

    def __init__(self, render: Callable[[], tuple[Picture, ...]]) -> None:
        self._render = functools.cache(render)

    @overload
    def __getitem__(self, index: int) -> Picture: ...

    @overload
    def __getitem__(self, index: slice) -> "Pictures": ...

    def __getitem__(self, index: int | slice) -> "Picture | Pictures":
        if isinstance(index, slice):
            return Pictures(lambda: self._render()[index])
        return self._render()[index]

    def __len__(self) -> int:
        return len(self._render())


@functools.cache
def pictures(
    person: str = "astronaut",
    kind: ScanKind = ScanKind.GENUINE,
    count: int = 26,
    rate: float = FRAMES_PER_SECOND,
) -> Pictures:
    """A simulated scan, rendered at most once in each test process."""
    return Pictures(lambda: _rendered(person, kind, count, rate))


def _rendered(person: str, kind: ScanKind, count: int, rate: float) -> tuple[Picture, ...]:
    settings = SceneSettings(
        kind=kind,
        seed=3,
        seconds=count / rate,
        frames_per_second=rate,
        width=360,
        height=480,
        # The scan is shorter than a real one: what a face changes in seconds has to happen in two.
        expression=ExpressionSettings(blink_gap_seconds=1.0, mouth=0.06, gaze=0.05),
    )
    with ServerTime.standing_still():
        frames = simulate_scan(real_photo(person), settings)
        return tuple(
            Picture(encode_jpeg(f.pixels, quality=80), round(f.capture_time * 1e6), 360, 480) for f in frames
        )


def fresh_pictures(shown: Sequence[Picture] | None = None) -> tuple[Picture, ...]:
    """The pictures, usually ``pictures()``, taken anew: no camera makes the same picture twice."""
    random, rendered = np.random.default_rng(), tuple(pictures() if shown is None else shown)
    with ServerTime.standing_still():
        return tuple(replace(picture, jpeg=taken_anew(picture.jpeg, random=random)) for picture in rendered)


def encoded_anew(shown: Sequence[Picture]) -> list[Picture]:
    """A recording of the scan that is none of its files and shows none of its pictures exactly."""
    pixels = [
        np.asarray(cv2.imdecode(np.frombuffer(each.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        for each in shown
    ]
    return [
        replace(each, jpeg=cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 84])[1].tobytes())
        for each, image in zip(shown, pixels, strict=True)
    ]


def taken_anew(jpeg: bytes, *, random: np.random.Generator) -> bytes:
    """The frame with other noise in its first rows, encoded as before."""
    pixels = decode_image(
        jpeg,
        limits=DecodeLimits(max_bytes=len(jpeg), max_pixels=2**21, max_side=2**12),
        formats=frozenset({ImageFormat.JPEG}),
        honour_exif_orientation=False,
    ).pixels
    # The same for all pixels of a block, because its mean has to change.
    noise = np.kron(random.integers(-12, 13, (2, -(-pixels.shape[1] // 8))), np.ones((8, 8), np.int64))
    pixels[:16] = np.clip(pixels[:16] + noise[:, : pixels.shape[1], None], 0, 255)
    return encode_jpeg(pixels, quality=80)


@functools.cache
def portrait(person: str = "astronaut") -> bytes:
    """A trusted image of a person: mirrored, because scans are simulated from the photo itself."""
    return encode_jpeg(builtin_image(person)[:, ::-1], quality=90)


@dataclass(frozen=True, slots=True)
class Traces:
    """The resources of a process that must not grow over calls."""

    files: tuple[str, ...]
    tasks: int


class ShiftedClock:
    """Wall time that tests push forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    @contextmanager
    def later(self, **after: float) -> Iterator[None]:
        """It is so much later, until the end of the block."""
        self.ahead = timedelta(**after)
        try:
            yield
        finally:
            self.ahead = timedelta()


@dataclass(frozen=True, slots=True)
class LiveServer:
    """A running server, channels to it, and access to its storage."""

    server: FacegateServer
    settings: Settings
    clock: ShiftedClock
    world: ServerTime
    device_channel: grpc.aio.Channel
    service_channel: grpc.aio.Channel
    repository: CheckRepository
    web: WebStub | None = None
    """The transport of devices, in place of gRPC."""

    @property
    def device(self) -> "VerificationServiceAsyncStub | WebStub":
        if self.web is not None:
            return self.web
        return VerificationServiceStub(self.device_channel)

    @property
    def analysis(self) -> "AnalysisServiceAsyncStub":
        return AnalysisServiceStub(self.service_channel)

    @property
    def service(self) -> "VerificationServiceAsyncStub":
        return VerificationServiceStub(self.service_channel)

    async def upload(
        self,
        *,
        person: str = "astronaut",
        policy: str = "",
        mode: "scan_pb2.Mode.ValueType" = scan_pb2.MODE_UNSPECIFIED,
        request_id: str = "",
        subject_reference: str = "",
        consent_reference: str = "",
        retention_seconds: int | None = None,
    ) -> service_pb2.UploadTrustedImageResponse:
        return await self.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(
                image=portrait(person),
                policy=policy,
                mode=mode,
                request_id=request_id,
                subject_reference=subject_reference,
                consent_reference=consent_reference,
                retention_seconds=retention_seconds,
            )
        )

    async def finish(
        self, check_id: str, *, audit_images: int = 0, close_now: bool = False
    ) -> service_pb2.FinishCheckResponse:
        return await self.service.FinishCheck(
            service_pb2.FinishCheckRequest(
                check_id=check_id, audit_image_limit=audit_images, close_now=close_now
            )
        )

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Its database, through a connection of the test's own."""
        database = open_database(self.settings.database_url)
        try:
            yield database
        finally:
            await database.close()

    async def metrics(self) -> str:
        """What the admin listener states to Prometheus."""
        url = f"http://127.0.0.1:{self.server.admin_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return await answer.text()

    async def record(self, check_id: str) -> CheckRecord:
        record = await self.repository.get(UUID(check_id))
        assert record is not None
        return record

    async def attempts(self, check_id: str) -> tuple[AttemptRecord, ...]:
        return await self.repository.attempts(UUID(check_id))

    async def evidence(self, check_id: str) -> tuple[EvidenceEntry, ...]:
        return await self.repository.evidence(UUID(check_id))

    async def orphans(self) -> set[str]:
        """Objects without a row, including temporary files."""
        folder = self.settings.objects_url
        keys = await asyncio.to_thread(_files_below, Path(folder))
        listed = {info.key async for info in open_object_store(folder).list("evidence")}
        return (keys - listed) | (keys - await self.repository.referenced(keys))

    async def unattended(self) -> None:
        """Wait until the server serves no stream."""
        await until(lambda: self.server.scans == 0)

    async def decoders_ready(self) -> None:
        """Wait until the configured number of decoder processes is ready."""
        await until(lambda: len(self.server.decoder_processes) == DECODERS)

    async def reaches(self, check_id: str, state: CheckState) -> None:
        """Wait until a check is in a state."""

        async def reached() -> bool:
            return (await self.record(check_id)).state is state

        await until(reached)

    def traces(self) -> Traces:
        """Open files and sockets that are of no pool, and tasks.

        Not counted are connections to the database and the pollers of the transport.
        """
        files = []
        for handle in Path("/proc/self/fd").iterdir():
            try:
                target = str(handle.readlink())
            except OSError:
                continue
            if "facegate.db" not in target and not target.startswith(("/proc", "anon_inode")):
                files.append("socket" if target.startswith("socket:") else target)
        return Traces(tuple(sorted(files)), len(asyncio.all_tasks()))

    async def settled(self, before: Traces) -> None:
        """Wait until no more is open than before.

        Fail if it takes longer than a busy machine explains.
        """
        for _ in range(2000):
            now = self.traces()
            if now.tasks <= before.tasks and len(now.files) <= len(before.files):
                return
            await asyncio.sleep(0.03)
        gc.collect()
        now = self.traces()
        left = Counter(now.files) - Counter(before.files)
        tasks = [str(task) for task in asyncio.all_tasks()] if now.tasks > before.tasks else []
        assert not left, f"open files: {dict(left)}"
        assert not tasks, f"tasks: {tasks}"


def _files_below(folder: Path) -> set[str]:
    """All files but those of the audit log's witness."""
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {file for file in files if not file.startswith("audit-witness/")}


def write_policies(folder: Path, *, write: Callable[..., None] = write_policy) -> None:
    """The policies of the tests, beside the shipped ones; ``write`` sets the times that they do not."""
    shipped_for_trials(folder)
    write(folder, "test")
    write(folder, "once", maximum=1)
    write(folder, "impatient", uncounted=1)
    write(folder, "silent", app="nothing")
    write(folder, "no-reconnect", reconnects=0)
    write(folder, "resumable", resume_seconds=90)
    write(folder, "hasty", idle_seconds=2, attempt_seconds=2, ready_seconds=2)
    write(folder, "short", attempt_seconds=2)
    write(folder, "unready", ready_seconds=2)
    write(folder, "one-page", web_origins=[PAGE_ORIGIN])
    write(folder, "brief", scan_seconds=1, idle_seconds=1, attempt_seconds=1)
    write(folder, "doubting", maximum=1, challenges=["flash", "movement"])
    write(
        folder,
        "new-sdks",
        tables='[device.sdks.facegate-web]\nminimum = "1.0"\nnext_minimum = "2.0"\n'
        f"supported_until = {SDK_LAST_DAY}\n",
    )
    write(folder, "consenting", top=f'consent = "required"\noid = "{POLICY_OID}"')


SDK_LAST_DAY = "2999-12-31"
"""The last day of ``facegate-web`` below 2.0 under the policy ``new-sdks``."""
POLICY_OID = "1.3.6.1.4.1.32473.1"
"""The object identifier of the policy ``consenting``."""
PAGE_ORIGIN = "http://localhost:5173"
"""The origin of the pages that may scan."""
OTHER_ORIGIN = "http://localhost:5174"
"""The origin of pages that may scan, but not under the policy ``one-page``."""


def settings_for(folder: Path, *, sandbox: bool = True, web: bool = False, **tables: object) -> Settings:
    """Settings of a server on free ports of loopback.

    Args:
        folder: For its data.
        sandbox: Whether its callers are sandbox callers: most tests send the same frames again and again,
            which a real check treats as a replay.
        web: Whether it has a web listener for the pages of ``PAGE_ORIGIN`` and ``OTHER_ORIGIN``.
        tables: Further settings, which replace those here.
    """
    write_policies(folder / "policies")
    free = {"port": 0}
    listeners = {"device": free, "service": free | {"local_sandbox": sandbox}, "admin": free}
    values: dict[str, object] = {
        "data_dir": folder / "data",
        "allow_evaluation_pack": True,
        "listeners": listeners | ({"web": free} if web else {}),
        "policies": {"folder": folder / "policies", "default": "test"},
        "runtime": {"workers": 2},
        # Starting a process that decodes videos takes time; tests of videos request one.
        "analysis": {"video_workers": 0},
    }
    if web:
        origins = [PAGE_ORIGIN, OTHER_ORIGIN]
        values["device_integrity"] = {"web": {"rp_id": "localhost", "origins": origins}}
    # Real callers of tests fail with the same portrait again and again, too, and make scans at once.
    wide: dict[str, object] = {"failures": {"maximum": 1_000, "block_maximum": 1_000}, "max_scans": 32}
    limits = tables.pop("limits", {})
    assert isinstance(limits, dict)
    return Settings.model_validate(values | tables | {"limits": wide | limits})


@contextmanager
def patience_for_starts() -> Iterator[None]:
    """A server that starts in the block waits longer for the first message of a stream than devices take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.edge.device_servicer._START_SECONDS", 60.0)
        yield


@asynccontextmanager
async def serving(
    settings: Settings,
    *,
    pack: Pack | None = None,
    tuning: Tuning = FAST,
    patient: bool = True,
    own_decoders: bool = False,
) -> AsyncIterator[LiveServer]:
    """Serve until the block ends; ``patient`` as in ``patience_for_starts``.

    Args:
        own_decoders: Whether the server starts decoders of its own, as in production.
    """
    clock, world = ShiftedClock(), ServerTime()
    decoders = None if own_decoders else shared_decoders()
    server = FacegateServer(
        settings,
        pack=pack or remembering_pack(),
        decoders=decoders,
        tuning=tuning,
        now=clock,
        monotonic=world.monotonic,
    )
    if settings.storage.database_url is None:
        await make_tables(settings.database_url)
    with patience_for_starts() if patient else nullcontext():
        await server.start()
    database = open_database(settings.database_url)
    try:
        async with (
            grpc.aio.insecure_channel(server.device_target) as device,
            grpc.aio.insecure_channel(server.service_target) as service,
        ):
            await asyncio.gather(device.channel_ready(), service.channel_ready())
            yield LiveServer(server, settings, clock, world, device, service, CheckRepository(database))
    finally:
        await database.close()
        await server.stop()


@asynccontextmanager
async def over_web(live: LiveServer, *, origin: str = PAGE_ORIGIN) -> AsyncIterator[LiveServer]:
    """The same server, whose devices use WebSockets of pages of an origin."""
    async with aiohttp.ClientSession() as session:
        yield replace(live, web=WebStub(session, f"http://{live.server.web_target}", origin))


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until a condition holds."""
    for _ in range(3000):
        holds = condition()
        if holds if isinstance(holds, bool) else await holds:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")
