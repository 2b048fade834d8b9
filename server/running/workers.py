"""The threads and processes that work for a server: for frames, portraits, decoding and analyses."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from liveness import FusionModel, LivenessPolicy
from liveness.selfie import SelfieSettings, load_selfie_model
from matcher import PHOTO_SUBJECT, SCAN_SUBJECT
from server.analysis.image import ImageAnalyst
from server.analysis.video import VideoAnalyst
from server.base.errors import ConfigurationError
from server.base.worker_pool import WorkerPool
from server.configuration.settings import IsolationSettings, Settings
from server.configuration.tables import AnalysisSettings
from server.edge.analysis_servicer import AnalysisEnvironment
from server.telemetry.metrics import Metrics
from server.verdict.outcome import PackIdentity
from vision.errors import DecoderUnavailable
from vision.isolation.pool import DecoderPool
from vision.isolation.workers import DecoderLimits
from vision.packs import Pack

_log = structlog.get_logger(__name__)


class Analyses:
    """Starts and stops the threads and processes of analyses."""

    def __init__(
        self, settings: AnalysisSettings, isolation: IsolationSettings, *, metrics: Metrics, workers: int
    ) -> None:
        """Prepare the threads and processes; start none.

        Args:
            isolation: The limits of a process that decodes images.
            workers: The number of threads for frames of scans; selfies get half as many threads of their own.
        """
        self._metrics = metrics
        self._image_pool = WorkerPool(workers=max(1, workers // 2))
        self._video_pool = WorkerPool(workers=max(1, settings.video_workers))
        self._video_decoders = make_video_decoders(settings, metrics)
        self._still_decoders = (
            make_decoders(isolation.model_copy(update={"workers": settings.still_workers}), metrics)
            if settings.still_workers
            else None
        )

    def start(self) -> None:
        """Start the processes in which videos and WebP images are decoded.

        Raises:
            ConfigurationError: A process does not start.
        """
        for decoders in self._own_decoders:
            start_decoders(decoders)

    def close(self) -> None:
        """End the processes and threads; a running analysis of a video fails."""
        for decoders in self._own_decoders:
            decoders.close()
        self._video_pool.close()
        self._image_pool.close()

    @property
    def _own_decoders(self) -> tuple[DecoderPool, ...]:
        return tuple(pool for pool in (self._video_decoders, self._still_decoders) if pool is not None)

    def environment(
        self,
        *,
        pack: Pack,
        identity: PackIdentity,
        fusion: FusionModel,
        still_decoder: DecoderPool,
        now: Callable[[], datetime],
    ) -> AnalysisEnvironment:
        """Return the dependencies of the calls.

        Args:
            still_decoder: Decodes WebP if analyses have no separate processes for it.
        """
        policy = LivenessPolicy()
        still_decoder = self._still_decoders or still_decoder
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
            image_pool=self._image_pool,
            video_pool=self._video_pool,
            pack=identity,
            now=now,
            metrics=self._metrics,
        )


_VIDEO_LIMITS = DecoderLimits(cpu_seconds=60, wall_seconds=90.0, jobs_per_worker=1)
"""CPU time to decode one video, and the time from its transfer to the analysis of its last frame: those of a
minute of film on one slow processor. As for images, no file affects the next one."""


def make_decoders(settings: IsolationSettings, metrics: Metrics) -> DecoderPool:
    """Return a pool for images, whose decodes and losses are counted; start no process."""
    limits = DecoderLimits(memory_bytes=settings.memory_mib * 1024 * 1024, jobs_per_worker=1)
    return _pool(metrics, stills=settings.workers, limits=limits)


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
        decoders: Processes for images of risky formats.
    """

    def __init__(self, settings: Settings, *, metrics: Metrics, decoders: DecoderPool | None = None) -> None:
        """Prepare the threads and processes; start none.

        Args:
            decoders: A running pool, which its owner closes; ``None`` makes one.
        """
        workers = settings.workers
        self.scans = WorkerPool(workers=workers, waited=metrics.work.worker_waits("scans"))
        self.portraits = WorkerPool(
            workers=max(1, workers // 2), waited=metrics.work.worker_waits("portraits")
        )
        self.decoders = decoders or make_decoders(settings.isolation, metrics)
        self._owns_decoders = decoders is None
        self.analyses = Analyses(settings.analysis, settings.isolation, metrics=metrics, workers=workers)

    @property
    def decoder_processes(self) -> tuple[int, ...]:
        """The processes of ``decoders``."""
        return tuple(pid for state in self.decoders.states.values() for pid in state.processes)

    async def start(self) -> None:
        """Start the processes; threads start with the work.

        Raises:
            ConfigurationError: A process does not start.
        """
        if self._owns_decoders:
            await asyncio.to_thread(start_decoders, self.decoders)
        await asyncio.to_thread(self.analyses.start)

    async def close(self) -> None:
        """End the processes at once, and each thread after the work that it is running."""
        if self._owns_decoders:
            await asyncio.to_thread(self.decoders.close)
        await asyncio.to_thread(self.analyses.close)
        for pool in (self.portraits, self.scans):
            await asyncio.to_thread(pool.close)
