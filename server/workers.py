"""The threads and processes that work for a server."""

import asyncio
import os

from server.analyses import Analyses
from server.decoders import make_decoders, start_decoders
from server.settings import Settings
from server.telemetry.metrics import Metrics
from server.worker_pool import WorkerPool
from vision.isolation.pool import DecoderPool

__all__ = ["Workers"]


class Workers:
    """Makes, starts and ends them.

    Attributes:
        scans: Threads for frames and verdicts.
        portraits: Threads for portraits, of which one can take a second: no frame waits behind it.
        decoders: Processes for images of risky formats.
        analyses: What works for AnalysisService.
    """

    def __init__(self, settings: Settings, *, metrics: Metrics, decoders: DecoderPool | None = None) -> None:
        """Starts nothing yet.

        Args:
            settings: How many there are.
            metrics: Counts what they do.
            decoders: A pool that runs already and that its owner closes; ``None`` makes one.
        """
        workers = settings.runtime.workers or os.cpu_count() or 1
        self.scans = WorkerPool(workers=workers)
        self.portraits = WorkerPool(workers=max(1, workers // 2))
        self.decoders = decoders or make_decoders(settings.isolation, metrics)
        self._owns_decoders = decoders is None
        self.analyses = Analyses(settings.analysis, settings.isolation, metrics=metrics, workers=workers)

    @property
    def decoder_processes(self) -> tuple[int, ...]:
        """The processes of ``decoders``."""
        return tuple(pid for state in self.decoders.states.values() for pid in state.processes)

    async def start(self) -> None:
        """Starts the processes; threads start as work comes.

        Raises:
            ConfigurationError: They do not start.
        """
        if self._owns_decoders:
            await asyncio.to_thread(start_decoders, self.decoders)
        await asyncio.to_thread(self.analyses.start)

    async def close(self) -> None:
        """Ends them: processes at once, threads once they have done what they work on."""
        if self._owns_decoders:
            await asyncio.to_thread(self.decoders.close)
        await asyncio.to_thread(self.analyses.close)
        for pool in (self.portraits, self.scans):
            await asyncio.to_thread(pool.close)
