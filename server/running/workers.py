"""The threads and processes that work for a server: for frames, portraits, decoding and analyses."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from liveness import FusionModel, LivenessPolicy
from liveness.selfie import SelfieSettings, load_selfie_model
from matcher import PHOTO_SUBJECT, SCAN_SUBJECT
from server.analysis.image import ImageAnalyst
from server.analysis.video import VideoAnalyst
from server.base.errors import ConfigurationError
from server.base.worker_pool import WorkerPool
from server.configuration.settings import Settings
from server.configuration.tables import AnalysisSettings
from server.edge.analysis_servicer import AnalysisEnvironment
from server.policies import PolicyBook
from server.telemetry.metrics import Metrics
from server.verdict.outcome import PackIdentity
from vision.errors import DecoderUnavailable
from vision.isolation.pool import DecoderPool
from vision.isolation.workers import DecoderLimits
from vision.packs import Pack

_log = structlog.get_logger(__name__)


_VIDEO_LIMITS = DecoderLimits(cpu_seconds=60, wall_seconds=90.0, jobs_per_worker=1)
"""CPU time to decode one video, and the time from its transfer to the analysis of its last frame: those of a
minute of film on one slow processor. As for images, no file affects the next one."""

DECODERS: Final = 2
"""Processes for trusted images, so that one of them goes on while a slow image holds the other."""
_DECODER_BYTES: Final = 1024 * 1024 * 1024
_PIXEL_BYTES: Final = 30
"""JPEG 2000 takes up to so much memory a pixel."""


def decoder_bytes(policies: PolicyBook) -> int:
    """Return the memory that a process may map for the largest portrait that one of the policies admits."""
    largest = max(policies.get(name).policy.portrait.max_pixels for name in policies.names)
    return max(_DECODER_BYTES, _PIXEL_BYTES * largest)


def make_decoders(
    metrics: Metrics, *, workers: int = DECODERS, memory_bytes: int = _DECODER_BYTES
) -> DecoderPool:
    """Return a pool for images, whose decodes and losses are counted; start no process.

    Args:
        memory_bytes: What a process may map in addition to its memory at the start.
    """
    return _pool(metrics, stills=workers, limits=DecoderLimits(memory_bytes=memory_bytes, jobs_per_worker=1))


def make_video_decoders(settings: AnalysisSettings, metrics: Metrics) -> DecoderPool | None:
    """Return a pool for videos, which take more time than images; ``None`` if none is configured."""
    if not settings.video_workers:
        return None
    return _pool(metrics, videos=settings.video_workers, limits=_VIDEO_LIMITS)


def _pool(metrics: Metrics, *, limits: DecoderLimits, stills: int = 0, videos: int = 0) -> DecoderPool:
    return DecoderPool(
        still_workers=stills,
        video_workers=videos,
        limits=limits,
        on_loss=lambda cause: metrics.work.decoder_replaced(cause.value),
        on_job=metrics.work.isolated_decode,
    )


def start_decoders(decoders: DecoderPool) -> None:
    """Start the workers, and log whether the machine filters their system calls.

    Raises:
        ConfigurationError: A worker does not start.
    """
    try:
        decoders.start()
    except DecoderUnavailable as error:
        raise ConfigurationError(f"the isolated image decoder does not start: {error}") from error
    for kind, state in decoders.states.items():
        if state.filter_errno == 0:
            _log.info("decoders_isolated", kind=kind, processes=len(state.processes), system_calls="filtered")
        else:
            _log.warning(
                "decoders_isolated",
                kind=kind,
                processes=len(state.processes),
                system_calls="NOT filtered: this kernel or machine refuses; memory, CPU time and files "
                "are still limited",
                filter_errno=state.filter_errno,
            )


class Workers:
    """Makes, starts and stops the threads and processes.

    Attributes:
        scans: Threads for frames and verdicts.
        portraits: Threads for portraits. One portrait can take a second, and no frame waits for it.
    """

    def __init__(self, settings: Settings, *, metrics: Metrics, decoders: DecoderPool | None = None) -> None:
        """Prepare the threads and processes; start none.

        Args:
            decoders: A running pool for images, which its owner closes; ``None`` makes pools.
        """
        workers, videos = settings.workers, settings.analysis.video_workers
        self._metrics = metrics
        self.scans = WorkerPool(workers=workers, waited=metrics.work.worker_waits("scans"))
        self.portraits = WorkerPool(
            workers=max(1, workers // 2), waited=metrics.work.worker_waits("portraits")
        )
        self._images = WorkerPool(workers=max(1, workers // 2))
        self._videos = WorkerPool(workers=max(1, videos))
        self._owns_decoders = decoders is None
        self._decoders = decoders
        self._video_decoders = make_video_decoders(settings.analysis, metrics)
        # One process of their own, so that no upload waits for the selfies of another caller.
        self._still_decoders = decoders or make_decoders(metrics, workers=1)

    @property
    def decoders(self) -> DecoderPool:
        """Processes for trusted images of risky formats."""
        if self._decoders is None:
            raise RuntimeError("the workers were not started")
        return self._decoders

    @property
    def decoder_processes(self) -> tuple[int, ...]:
        """The processes of ``decoders``."""
        return tuple(pid for state in self.decoders.states.values() for pid in state.processes)

    def analyses(
        self, *, pack: Pack, identity: PackIdentity, fusion: FusionModel, now: Callable[[], datetime]
    ) -> AnalysisEnvironment:
        """Return the dependencies of the calls that analyse images and videos."""
        policy, still_decoder = LivenessPolicy(), self._still_decoders
        return AnalysisEnvironment(
            images=ImageAnalyst(
                pack=pack,
                selfie_settings=SelfieSettings(),
                selfie_model=load_selfie_model(),
                fusion=fusion,
                policy=policy,
                subject=PHOTO_SUBJECT,
                still_decoder=still_decoder,
            ),
            videos=VideoAnalyst(
                pack=pack,
                fusion=fusion,
                policy=policy,
                subject=SCAN_SUBJECT,
                video_decoder=self._video_decoders,
                still_decoder=still_decoder,
            ),
            image_pool=self._images,
            video_pool=self._videos,
            pack=identity,
            now=now,
            metrics=self._metrics,
        )

    async def start(self, policies: PolicyBook) -> None:
        """Start the processes; threads start with the work.

        Args:
            policies: Those that are served, whose portraits the processes have to hold.

        Raises:
            ConfigurationError: A process does not start.
        """
        if self._owns_decoders:
            self._decoders = make_decoders(self._metrics, memory_bytes=decoder_bytes(policies))
        for decoders in self._own_decoders:
            await asyncio.to_thread(start_decoders, decoders)

    async def close(self) -> None:
        """End the processes at once, so that a running video fails, and each thread after its work."""
        for decoders in self._own_decoders:
            await asyncio.to_thread(decoders.close)
        for threads in (self._videos, self._images, self.portraits, self.scans):
            await asyncio.to_thread(threads.close)

    @property
    def _own_decoders(self) -> tuple[DecoderPool, ...]:
        images, videos, stills = self._decoders, self._video_decoders, self._still_decoders
        pools = (images, videos, stills) if self._owns_decoders else (videos,)
        return tuple(pool for pool in pools if pool is not None)
