"""The threads and processes that work for a server."""

import asyncio
import os

from server.base.worker_pool import WorkerPool
from server.configuration.settings import Settings
from server.running.analyses import Analyses
from server.running.decoders import make_decoders, start_decoders
from server.telemetry.metrics import Metrics
from vision.isolation.pool import DecoderPool

__all__ = ["Workers"]


class Workers:
    """Makes, starts and stops the threads and processes.

    Attributes:
        scans: Threads for frames and verdicts.
        portraits: Threads for portraits. One portrait can take a second, and no frame waits for it.
        decoders: Processes for images of risky formats.
        analyses: Threads and processes of AnalysisService.
    """

    def __init__(self, settings: Settings, *, metrics: Metrics, decoders: DecoderPool | None = None) -> None:
        """Prepares the threads and processes; starts none.

        Args:
            settings: The settings, with the numbers of threads and processes.
            metrics: Counts decodes and analyses, and measures waits.
            decoders: A running pool, which its owner closes; ``None`` makes one.
        """
        workers = settings.runtime.workers or os.cpu_count() or 1
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
        """Starts the processes; threads start with the work.

        Raises:
            ConfigurationError: A process does not start.
        """
        if self._owns_decoders:
            await asyncio.to_thread(start_decoders, self.decoders)
        await asyncio.to_thread(self.analyses.start)

    async def close(self) -> None:
        """Ends the processes at once, and each thread after the work that it is running."""
        if self._owns_decoders:
            await asyncio.to_thread(self.decoders.close)
        await asyncio.to_thread(self.analyses.close)
        for pool in (self.portraits, self.scans):
            await asyncio.to_thread(pool.close)
