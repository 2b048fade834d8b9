"""The processes for images and videos that are not decoded in the process of the server."""

import structlog

from server.base.errors import ConfigurationError
from server.configuration.settings import IsolationSettings
from server.configuration.tables import AnalysisSettings
from server.telemetry.metrics import Metrics
from vision.errors import DecoderUnavailable
from vision.isolation.pool import DecoderPool
from vision.isolation.workers import DecoderLimits

__all__ = ["make_decoders", "make_video_decoders", "start_decoders"]

_log = structlog.get_logger(__name__)


def make_decoders(settings: IsolationSettings, metrics: Metrics) -> DecoderPool:
    """Returns a pool whose decodes and losses are counted; starts no process."""
    return DecoderPool(
        still_workers=settings.workers,
        limits=DecoderLimits(
            memory_bytes=settings.memory_mib * 1024 * 1024,
            cpu_seconds=settings.cpu_seconds,
            wall_seconds=settings.wall_seconds,
            wait_seconds=settings.wait_seconds,
            jobs_per_worker=settings.jobs_per_worker,
        ),
        on_loss=lambda cause: metrics.decoders.decoder_replaced(cause.value),
        on_job=metrics.decoders.isolated_decode,
    )


def make_video_decoders(settings: AnalysisSettings, metrics: Metrics) -> DecoderPool | None:
    """Returns a pool for videos, which need more resources than images; ``None`` if none is configured."""
    if not settings.video_workers:
        return None
    return DecoderPool(
        still_workers=0,
        video_workers=settings.video_workers,
        limits=DecoderLimits(
            memory_bytes=settings.video_memory_mib * 1024 * 1024,
            cpu_seconds=settings.video_cpu_seconds,
            wall_seconds=settings.video_wall_seconds,
            jobs_per_worker=1,
        ),
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
