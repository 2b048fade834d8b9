"""The processes for images and videos that are not decoded in the process of the server."""

import structlog

from server.base.errors import ConfigurationError
from server.configuration.settings import IsolationSettings
from server.configuration.tables import AnalysisSettings
from server.telemetry.metrics import Metrics
from vision.errors import DecoderUnavailable
from vision.isolation.limits import DecoderLimits
from vision.isolation.pool import DecoderPool

__all__ = ["make_decoders", "make_video_decoders", "start_decoders"]

_log = structlog.get_logger(__name__)
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
        on_loss=lambda cause: metrics.decoders.decoder_replaced(cause.value),
        on_job=metrics.decoders.isolated_decode,
    )


def start_decoders(decoders: DecoderPool) -> None:
    """Starts the workers, and logs whether the machine filters their system calls.

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
