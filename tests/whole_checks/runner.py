"""Runs cases against a server in this process, through gRPC and the reference client."""

import asyncio
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from facegate.v1 import result_pb2

from facegate_client.channel import open_channel
from facegate_client.device import FaceScanner
from facegate_client.errors import CallRefusedError, ClientError
from facegate_client.orchestrator import Orchestrator, ticket_of
from facegate_client.video_file import generated_source
from lab.evaluation.check_cases import CaseKind, ClipCase, enlarged, portrait_frames, scan_frames
from lab.simulator import (
    AmbientPreset,
    AmbientSettings,
    FlashKind,
    FlashScanSettings,
    InstrumentSettings,
    Photo,
    ScanKind,
    SceneSettings,
    ScreenLight,
    photo_from_image,
    simulate_flash_scan,
    simulate_scan,
)
from server.configuration.settings import (
    AdminListener,
    DeviceListener,
    ListenerSettings,
    PolicySettings,
    ServiceListener,
    Settings,
)
from server.running.app import FacegateServer
from server.running.assembly import Tuning
from tests.server.live import patience_for_starts
from tests.whole_checks.cases import Case
from vision.face import BgrImage
from vision.image import encode_jpeg
from vision.packs import FaceDetector, Landmarker, Pack

_PORTRAIT_EYE_DISTANCE = 95.0
_AT_ONCE = 2
# Clips are sent as fast as the server accepts them, so their clock is ahead of the server's.
_ANY_CLOCK = 1e9


@dataclass(frozen=True, slots=True)
class PhotoModeller:
    """Detects a face and its 68 landmarks, from which the simulator makes a head."""

    detector: FaceDetector
    landmarker: Landmarker


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """The outcome of a case.

    Attributes:
        refused: Reason with which the portrait was refused; empty if it was accepted.
        result: The result; ``None`` if there is none.
    """

    case: Case
    refused: str
    result: result_pb2.CheckResult | None

    @property
    def status(self) -> str:
        """SUCCESS, FAILURE, NOT_DECIDED or the refusal's reason."""
        if self.result is None:
            return self.refused
        return result_pb2.CheckStatus.Name(self.result.status).removeprefix("CHECK_STATUS_")

    @property
    def verdict(self) -> str:
        """LIVE, SPOOF, INCONCLUSIVE or UNSPECIFIED."""
        if self.result is None:
            return "UNSPECIFIED"
        name = result_pb2.LivenessVerdict.Name(self.result.liveness.verdict)
        return name.removeprefix("LIVENESS_VERDICT_")

    @property
    def reasons(self) -> tuple[str, ...]:
        """The failure reasons, most important first."""
        if self.result is None:
            return (self.refused,)
        names = (result_pb2.FailureReason.Name(reason) for reason in self.result.reasons)
        return tuple(name.removeprefix("FAILURE_REASON_") for name in names)


def run_cases(
    cases: Sequence[Case],
    *,
    pack: Pack,
    modeller: PhotoModeller,
    policy: str,
    report: Callable[[CaseOutcome], None] = lambda _: None,
) -> list[CaseOutcome]:
    """Run each case with one server, two at a time. Outcomes are in the order of ``cases``.

    Args:
        modeller: Finds the landmarks for simulated scans of photos.
        report: Called with each outcome when it is known.
    """
    return asyncio.run(_run(cases, pack, modeller, policy, report))


async def _run(
    cases: Sequence[Case],
    pack: Pack,
    modeller: PhotoModeller,
    policy: str,
    report: Callable[[CaseOutcome], None],
) -> list[CaseOutcome]:
    limit = asyncio.Semaphore(_AT_ONCE)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            allow_evaluation_pack=True,
            policies=PolicySettings(default=policy),
            listeners=ListenerSettings(
                device=DeviceListener(port=0),
                # Several cases use the same clip. A check that is no sandbox check would fail.
                service=ServiceListener(port=0, local_sandbox=True),
                admin=AdminListener(port=0),
            ),
        )
        server = FacegateServer(
            settings, pack=pack, tuning=Tuning(ahead_seconds=_ANY_CLOCK, end_seconds=60.0)
        )
        with patience_for_starts():
            await server.start()
        try:

            async def one(case: Case) -> CaseOutcome:
                async with limit:
                    outcome = await _check(case, server, pack, modeller, policy)
                report(outcome)
                return outcome

            return list(await asyncio.gather(*(one(case) for case in cases)))
        finally:
            await server.drain()
            await server.stop()


async def _check(
    case: Case, server: FacegateServer, pack: Pack, modeller: PhotoModeller, policy: str
) -> CaseOutcome:
    async with open_channel(server.service_target) as service, open_channel(server.device_target) as device:
        orchestrator = Orchestrator(channel=service, accept_sandbox=True)
        portrait = await asyncio.to_thread(_portrait, case, pack)
        if portrait is None:
            return CaseOutcome(case, "NO_PORTRAIT", None)
        # Before the check exists: its deadlines pass while a mask is rendered.
        scan = await asyncio.to_thread(_scan, case, modeller)
        try:
            check = await orchestrator.upload_trusted_image(portrait, policy=policy)
        except CallRefusedError as error:
            return CaseOutcome(case, error.refusal.reason, None)
        source = generated_source(scan, label="recorded", pace="fast")
        scanner = FaceScanner(channel=device, ticket=ticket_of(check), source=source)
        try:
            await scanner.scan()
            finished = await orchestrator.finish_check(check.check_id, wait_s=60.0)
        except ClientError as error:
            return CaseOutcome(case, type(error).__name__, None)
        return CaseOutcome(case, "", finished.result)


def _portrait(case: Case, pack: Pack) -> bytes | None:
    candidates = (
        portrait_frames(case.portrait) if isinstance(case, ClipCase) else iter([_read(case.portrait)])
    )
    for image in candidates:
        faces = pack.detector.detect(image)
        if not faces:
            continue
        factor = _PORTRAIT_EYE_DISTANCE / faces[0].eye_distance
        return encode_jpeg(image if factor <= 1 else enlarged(image, factor), quality=92)
    return None


def _scan(case: Case, modeller: PhotoModeller) -> Iterator[tuple[BgrImage, float]]:
    if isinstance(case, ClipCase):
        return scan_frames(case.scan)
    photo = photo_from_image(_read(case.scan), detector=modeller.detector, landmarker=modeller.landmarker)
    if case.kind is CaseKind.RIGID_MASK:
        return iter(_masked(photo, seed=zlib.crc32(case.scan.name.encode())))
    settings = SceneSettings(kind=ScanKind.GENUINE, seed=len(case.scan.name), seconds=6.0)
    return ((frame.pixels, frame.capture_time) for frame in simulate_scan(photo, settings))


def _masked(photo: Photo, *, seed: int) -> list[tuple[BgrImage, float]]:
    """Render a rigid mask of the photo, filmed by a phone whose screen is dark."""
    rng = np.random.default_rng(seed)
    settings = FlashScanSettings(
        kind=FlashKind.RIGID_MASK,
        seed=seed,
        seconds=4.6,
        frames_per_second=16.0,
        face_width=float(rng.choice([0.46, 0.52, 0.6])),
        ambient=AmbientSettings(preset=AmbientPreset(str(rng.choice(["indoor", "office"])))),
        instrument=InstrumentSettings(mask_gloss=float(rng.choice([0.02, 0.04]))),
    )
    frames = simulate_flash_scan(photo, settings, ScreenLight(settings.phone, seed=seed))
    return [(frame.pixels, frame.capture_time) for frame in frames]


def _read(file: Path) -> BgrImage:
    image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{file.name} cannot be decoded")
    return image.astype(np.uint8, copy=False)
