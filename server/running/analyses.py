"""The dependencies of AnalysisService, with threads and processes separate from those of scans."""

import secrets
from collections.abc import Callable
from datetime import datetime

from liveness import FusionModel, LivenessPolicy
from liveness.selfie import SelfieSettings, load_selfie_model
from matcher import PHOTO_SUBJECT, SCAN_SUBJECT
from server.analysis.image import ImageAnalyst
from server.analysis.video import VideoAnalyst
from server.base.worker_pool import WorkerPool
from server.configuration.settings import IsolationSettings
from server.configuration.tables import AnalysisSettings
from server.edge.analysis_servicer import AnalysisEnvironment, AnalysisServicer
from server.edge.callers import CallerIdentifier
from server.running.capacity import Capacity
from server.running.decoders import make_decoders, make_video_decoders, start_decoders
from server.telemetry.metrics import Metrics
from server.verdict.outcome import PackIdentity
from vision.isolation.pool import DecoderPool
from vision.packs import Pack

__all__ = ["Analyses"]


class Analyses:
    """Starts and stops the threads and processes of analyses."""

    def __init__(
        self, settings: AnalysisSettings, isolation: IsolationSettings, *, metrics: Metrics, workers: int
    ) -> None:
        """Prepares the threads and processes; starts none.

        Args:
            settings: The settings of AnalysisService.
            isolation: The limits of a process that decodes images.
            metrics: Counts analyses and decodes.
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

    def servicer(self, *, callers: CallerIdentifier, capacity: Capacity) -> AnalysisServicer:
        """Returns a servicer that refuses every call until it is opened."""
        return AnalysisServicer(
            callers=callers,
            selfies=capacity.selfies,
            videos=capacity.videos,
        )

    def start(self) -> None:
        """Starts the processes in which videos and WebP images are decoded.

        Raises:
            ConfigurationError: A process does not start.
        """
        for decoders in self._own_decoders:
            start_decoders(decoders)

    def close(self) -> None:
        """Ends the processes and threads; a running analysis of a video fails."""
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
        """Returns the dependencies of the calls.

        Args:
            pack: The models.
            identity: The identity of the models, for responses.
            fusion: The liveness model.
            still_decoder: Decodes WebP if analyses have no separate processes for it.
            now: Wall clock, UTC.
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
            random=secrets.token_bytes,
            metrics=self._metrics,
        )
